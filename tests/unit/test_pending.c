/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records that wait for their owner or for our RST: each comes out exactly once, with the records that joined it, when
 * its time is over and no later. The kernel and the clock are the test's; pending.c is included for its constants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "who/pending.c"

#include <errno.h>

#include "facts.h"

#define HOLDERS_MAX 64

/* The kernel's answers, and the questions to it. */
struct kernel {
	struct kernel_features features;
	struct lp_holder holders[HOLDERS_MAX];
	unsigned n_holders;
	int error;
	__u64 takes_ns;
	unsigned looks, walks;
	__u32 looked_at;
	size_t sought;
	struct lp_past past; /* of the one process with its start */
};

static struct kernel kernel;
static struct pending_list *list;
static __u64 now_ns;

static struct {
	unsigned reported;
	struct lp_record record; /* the last one */
	bool reset_after;
	struct owner owner;
	enum process_state state;             /* of every process */
	unsigned char times[PENDING_MAX * 2]; /* by lp_record.snd_wnd, which has the number of the record */
} out;

enum process_state process_state(const struct lp_task *task, __u64 *ran_ns)
{
	(void)task;
	*ran_ns = 0;
	return out.state;
}

__u64 clock_monotonic_ns(void)
{
	return now_ns;
}

const struct kernel_features *kernel_features(const struct kernel *k)
{
	return &k->features;
}

bool remembered_past(const struct kernel *k, const struct lp_task *task, struct lp_past *past)
{
	*past = k->past;
	return past->start_boot_ns == task->start_boot_ns;
}

__u64 remembered_last_fork(const struct kernel *k, __u32 tgid)
{
	(void)k;
	(void)tgid;
	return 0;
}

/* Like the iterator: finds the files with these keys in all processes or in one. */
int open_files_find(struct kernel *k, __u32 tgid, const __u64 *keys, size_t n, open_files_found *found, void *context)
{
	*(tgid ? &k->looks : &k->walks) += 1;
	k->looked_at = tgid;
	k->sought = n;
	now_ns += k->takes_ns;
	for (unsigned h = 0; !k->error && h < k->n_holders; h++)
		for (size_t i = 0; i < n; i++)
			if (keys[i] == k->holders[h].key && (!tgid || tgid == k->holders[h].task.tgid))
				found(context, &k->holders[h]);
	return k->error;
}

static void done(void *context, struct event *event)
{
	assert_ptr_equal(context, &out);
	out.reported++;
	out.record = *event->record;
	out.reset_after = event->reset_after;
	out.owner = event->owner;
	out.times[event->record->socket.snd_wnd]++;
	event_free(event);
}

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	memset(&out, 0, sizeof(out));
	out.state = PROCESS_AWAKE;
	kernel.features.iterator_of_one = true;
	now_ns = 1000 * CLOCK_MS;
	list = pending_new(&kernel);
	return list ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	pending_free(list);
	return 0;
}

#define BIRTH 100
#define OTHER 200

/* A current record that waits for its owner: reset by the peer, held by one process, created by BIRTH. */
static struct lp_record drop(__u64 sk)
{
	struct lp_record r = record_of(&(struct facts){TCP_ESTABLISHED, HELD, RST_IN | CLIENT, .err = ECONNRESET});

	r.socket.sk = sk;
	r.socket.cookie = sk + 1;
	r.socket.inode = sk + 2;
	r.time_ns = now_ns;
	r.born_ns = now_ns;
	r.who = LP_WHO_BIRTH;
	r.task = (struct lp_task){.tgid = BIRTH, .start_boot_ns = 7};
	r.socket.snd_wnd = 1;
	return r;
}

static struct lp_record owner_record(const struct lp_record *of, __u32 tgid)
{
	return (struct lp_record){
		.kind = LP_KIND_OWNER,
		.who = LP_WHO_CURRENT,
		.socket.sk = of->socket.sk,
		.socket.cookie = of->socket.cookie,
		.time_ns = now_ns,
		.task = {.tgid = tgid, .start_boot_ns = 7},
	};
}

static void add(struct lp_record r)
{
	pending_add(list, event_new(&r), done, &out);
}

static void holds(const struct lp_record *r, __u32 tgid)
{
	kernel.holders[kernel.n_holders++] = (struct lp_holder){
		.key = r->socket.sk, .inode = r->socket.inode, .task = {.tgid = tgid, .start_boot_ns = 7}, .fd = 3};
}

static void pass(__u64 ns)
{
	now_ns += ns;
	pending_tick(list, now_ns);
}

static void check_reported(unsigned n)
{
	assert_int_equal(out.reported, n);
	assert_int_equal(pending_count(list), 0);
	assert_int_equal(pending_deadline(list), 0);
}

static void named(__u32 tgid, enum owner_via via)
{
	assert_string_equal(via_name(out.owner.via), via_name(via));
	assert_int_equal(out.owner.process.tgid, tgid);
}

static void nobody(enum owner_unknown why)
{
	assert_string_equal(unknown_name(out.owner.unknown), unknown_name(why));
	assert_int_equal(out.owner.via, VIA_NONE);
}

static void test_a_final_owner_waits_for_nothing(void **state)
{
	struct lp_record r = drop(1);

	(void)state;
	r.who = LP_WHO_CURRENT;
	add(r);
	check_reported(1);
	named(BIRTH, VIA_HOLDER);
	assert_int_equal(kernel.looks + kernel.walks, 0);
}

static void add_fin_wait2(void)
{
	struct lp_record r = record_of(&(struct facts){TCP_FIN_WAIT2, ORPHAN, RST_IN, .err = ECONNRESET});

	r.who = LP_WHO_CLOSER;
	r.task.tgid = OTHER;
	r.socket.sk = 64;
	r.socket.snd_wnd = 1;
	r.time_ns = now_ns;
	add(r);
}

static void test_a_close_waits_a_millisecond_for_our_rst(void **state)
{
	(void)state;
	add_fin_wait2();
	assert_int_equal(pending_deadline(list), now_ns + CLOCK_MS);
	pass(CLOCK_MS - 1);
	assert_int_equal(out.reported, 0);
	pass(1);
	check_reported(1);
	assert_false(out.reset_after);
	named(OTHER, VIA_CLOSER);
}

static void test_our_rst_joins_the_close(void **state)
{
	struct lp_record rst = {.kind = LP_KIND_RESET_SENT, .socket.sk = 64, .reset_reason = 9};

	(void)state;
	add_fin_wait2();
	rst.socket.sk = 128;
	pending_join(list, &rst);
	assert_int_equal(out.reported, 0);
	rst.socket.sk = 64;
	pending_join(list, &rst);
	check_reported(1);
	assert_true(out.reset_after);
	assert_int_equal(out.record.reset_reason, 9);
	pending_join(list, &rst); /* no record waits for it now */
	check_reported(1);
}

static void test_a_rst_does_not_join_a_record_that_does_not_wait(void **state)
{
	struct lp_record r = drop(64),
			 rst = {.kind = LP_KIND_RESET_SENT, .socket.sk = 64, .socket.cookie = 65, .reset_reason = 9};

	(void)state;
	add(r);
	pending_join(list, &rst);
	assert_int_equal(out.reported, 0);
	rst = owner_record(&r, OTHER);
	pending_join(list, &rst);
	check_reported(1);
	assert_false(out.reset_after);
	assert_int_equal(out.record.reset_reason, 0);
}

static void test_a_destroyer_is_waited_for(void **state)
{
	struct lp_record r = drop(64), owner = owner_record(&r, OTHER);

	(void)state;
	add(r);
	assert_int_equal(pending_deadline(list), now_ns + 5 * CLOCK_MS);
	pass(5 * CLOCK_MS - 1);
	assert_int_equal(kernel.looks + kernel.walks, 0);
	owner.task.exiting = 1; /* the process exits long after the drop, so its exit did not cause it */
	pending_join(list, &owner);
	check_reported(1);
	named(OTHER, VIA_CLOSER);
	assert_int_equal(out.owner.process.exiting, 0);
}

static void test_a_destroyer_of_another_socket_proves_nothing(void **state)
{
	struct lp_record r = drop(64), owner = owner_record(&r, OTHER);

	(void)state;
	add(r);
	owner.socket.cookie++;
	pending_join(list, &owner);
	owner.socket.cookie--;
	owner.socket.sk += 64;
	pending_join(list, &owner);
	assert_int_equal(out.reported, 0);
}

/* Without cookies an address may have been reused: take the newest socket. */
static void test_without_cookies_the_newest_of_an_address_is_meant(void **state)
{
	struct lp_record before = drop(64), after = drop(64), owner;

	(void)state;
	before.socket.cookie = after.socket.cookie = 0;
	before.socket.inode = 5;
	after.socket.inode = 6;
	add(before);
	add(after);
	owner = owner_record(&after, OTHER);
	pending_join(list, &owner);
	assert_int_equal(out.reported, 1);
	assert_int_equal(out.record.socket.inode, 6);
	assert_int_equal(pending_count(list), 1);
}

static void test_a_fin_and_its_close_share_their_owner(void **state)
{
	struct lp_record fin = drop(64), close = drop(64);

	(void)state;
	fin.kind = LP_KIND_PEER_FIN;
	fin.socket.err = 0;
	add(fin);
	add(close);
	close = owner_record(&close, OTHER);
	pending_join(list, &close);
	check_reported(2);
}

static void test_the_closer_proves_the_holder_at_the_fin(void **state)
{
	struct lp_record fin = drop(64), close = drop(64);

	(void)state;
	fin.kind = LP_KIND_PEER_FIN;
	fin.socket.err = 0;
	add(fin);
	close.who = LP_WHO_CURRENT;
	close.task.tgid = OTHER;
	add(close);
	check_reported(2);
	named(OTHER, VIA_HOLDER);
}

/* Process OTHER began that long after now, forked by BIRTH or by nobody known. */
static struct lp_task begins(__u64 after_ns, __u32 forker)
{
	struct lp_task task = {.tgid = OTHER, .forked = 1};

	task.start_boot_ns = now_ns + clock_boot_ahead_ns() + after_ns;
	kernel.past = (struct lp_past){.start_boot_ns = task.start_boot_ns,
				       .forker = {.tgid = forker, .start_boot_ns = 7, .comm = "forker"}};
	return task;
}

static void test_a_destroyer_that_began_later_stands_for_its_forker(void **state)
{
	struct lp_record r = drop(64), owner = owner_record(&r, OTHER);

	(void)state;
	add(r);
	owner.task = begins(CLOCK_MS, BIRTH);
	pending_join(list, &owner);
	check_reported(1);
	named(BIRTH, VIA_CONNECT);
}

static void test_a_destroyer_that_began_later_names_nobody_unknown(void **state)
{
	struct lp_record r = drop(64), owner = owner_record(&r, OTHER);

	(void)state;
	add(r);
	owner.task = begins(CLOCK_MS, 0);
	pending_join(list, &owner);
	check_reported(1);
	assert_int_equal(out.owner.unknown, UNKNOWN_HOLDER_GONE);
}

static void test_a_holder_that_began_later_stands_for_its_forker(void **state)
{
	struct lp_record r = drop(64);

	(void)state;
	r.socket.refs = 2;
	holds(&r, OTHER);
	add(r);
	kernel.holders[0].task = begins(CLOCK_MS, BIRTH);
	pass(5 * CLOCK_MS);
	check_reported(1);
	named(BIRTH, VIA_CONNECT);
	assert_int_equal(out.owner.n_holders, 0);
}

static void test_the_owner_has_the_name_from_before_its_exec(void **state)
{
	struct lp_record r = drop(64);

	(void)state;
	holds(&r, BIRTH);
	strcpy(kernel.holders[0].task.comm, "after");
	kernel.past = (struct lp_past){
		.start_boot_ns = 7, .n_execs = 1, .execs[0] = {.time_ns = now_ns + 1, .comm = "before"}};
	add(r);
	pass(5 * CLOCK_MS);
	check_reported(1);
	assert_string_equal(out.owner.process.comm, "before");
}

/* Closed by a child that was forked just now. */
static struct lp_record closed_by_child(void)
{
	struct lp_record r = drop(64);

	r.socket.flags |= LP_F_OWNED;
	r.socket.refs = 0;
	r.socket.err = 0;
	r.who = LP_WHO_CURRENT;
	now_ns += CLOCK_MS;
	r.task = begins(0, BIRTH);
	r.time_ns = ++now_ns;
	return r;
}

static void test_a_child_that_executes_a_program_closed_what_its_forker_had(void **state)
{
	(void)state;
	add(closed_by_child());
	assert_int_equal(out.reported, 0);
	kernel.past.n_execs = 1;
	pass(EXEC_LOOK_NS);
	check_reported(1);
	named(BIRTH, VIA_CLOSER);
}

static void test_a_child_that_ends_without_one_is_the_closer(void **state)
{
	(void)state;
	add(closed_by_child());
	pass(EXEC_LOOK_NS);
	assert_int_equal(out.reported, 0);
	out.state = PROCESS_OVER;
	pass(EXEC_LOOK_NS);
	check_reported(1);
	named(OTHER, VIA_CLOSER);
}

static __u64 wait_for_report(void)
{
	__u64 from = now_ns;

	while (!out.reported && now_ns < from + 2 * EXEC_WAIT_NS)
		pass(EXEC_LOOK_NS);
	check_reported(1);
	return now_ns - from;
}

static void test_a_child_that_sleeps_is_the_closer_in_the_end(void **state)
{
	(void)state;
	add(closed_by_child());
	out.state = PROCESS_ASLEEP;
	assert_true(wait_for_report() <= LINEAGE_SLEEP_NS + EXEC_LOOK_NS);
	named(OTHER, VIA_CLOSER);
}

/* Whose connection it was, nobody knows. */
static void test_a_child_that_gets_no_cpu_is_not_waited_for_forever(void **state)
{
	(void)state;
	add(closed_by_child());
	assert_true(wait_for_report() <= EXEC_WAIT_NS + EXEC_LOOK_NS);
	assert_int_equal(out.owner.unknown, UNKNOWN_NOT_SEEN);
}

static void test_the_birth_owner_is_looked_at_first(void **state)
{
	struct lp_record r = drop(64);

	(void)state;
	holds(&r, BIRTH);
	add(r);
	pass(5 * CLOCK_MS);
	check_reported(1);
	named(BIRTH, VIA_CONNECT);
	assert_int_equal(kernel.looked_at, BIRTH);
	assert_int_equal(kernel.looks, 1);
	assert_int_equal(kernel.walks, 0);
}

static void test_one_look_answers_for_all_of_a_process(void **state)
{
	struct lp_record r;

	(void)state;
	for (__u64 i = 1; i <= 50; i++) {
		r = drop(64 * i);
		holds(&r, BIRTH);
		add(r);
	}
	pass(5 * CLOCK_MS);
	check_reported(50);
	assert_int_equal(kernel.looks, 1);
	assert_int_equal(kernel.sought, 50);
}

static void test_all_processes_are_searched_last(void **state)
{
	struct lp_record r = drop(64);

	(void)state;
	holds(&r, OTHER);
	add(r);
	pass(5 * CLOCK_MS);
	check_reported(1);
	named(OTHER, VIA_HOLDER);
	assert_int_equal(kernel.looks, 1);
	assert_int_equal(kernel.walks, 1);
}

static void test_another_socket_at_the_same_address_is_not_it(void **state)
{
	struct lp_record r = drop(64);

	(void)state;
	holds(&r, BIRTH);
	kernel.holders[0].inode++;
	add(r);
	pass(5 * CLOCK_MS);
	pass(50 * CLOCK_MS);
	check_reported(1);
	nobody(UNKNOWN_HOLDER_GONE);
}

static void test_a_listener_is_found_by_its_port(void **state)
{
	struct lp_record r = drop(64);

	(void)state;
	r.socket.flags &= ~(__u32)(LP_F_SOCKET | LP_F_FILE | LP_F_CONNECTED);
	r.who = LP_WHO_LISTENER;
	r.socket.netns = 77;
	r.socket.local_port = 443;
	kernel.holders[kernel.n_holders++] = (struct lp_holder){
		.key = open_files_listener_key(77, 443), .task = {.tgid = OTHER, .start_boot_ns = 7}, .listening = 1};
	add(r);
	pending_tick(list, now_ns);
	check_reported(1);
	named(OTHER, VIA_LISTENER);
}

static void test_walks_are_shared_and_four_a_second(void **state)
{
	struct lp_record r;

	(void)state;
	for (__u64 i = 1; i <= 3; i++) {
		r = drop(64 * i);
		holds(&r, OTHER);
		add(r);
	}
	pass(5 * CLOCK_MS);
	check_reported(3);
	assert_int_equal(kernel.walks, 1);
	r = drop(640);
	holds(&r, OTHER);
	add(r);
	pass(5 * CLOCK_MS);
	assert_int_equal(out.reported, 3);
	assert_int_equal(pending_deadline(list), now_ns + 245 * CLOCK_MS);
	pass(245 * CLOCK_MS);
	check_reported(4);
	assert_int_equal(kernel.walks, 2);
}

static void test_looks_take_a_fifth_of_the_time(void **state)
{
	struct lp_record r = drop(64);

	(void)state;
	kernel.takes_ns = 2 * CLOCK_MS;
	holds(&r, BIRTH);
	add(r);
	pass(5 * CLOCK_MS);
	check_reported(1);
	r = drop(128);
	holds(&r, BIRTH);
	add(r);
	pass(5 * CLOCK_MS);
	assert_int_equal(out.reported, 1); /* 7 ms after the start of a look that took 2 ms */
	assert_int_equal(pending_deadline(list), now_ns + 3 * CLOCK_MS);
	pass(3 * CLOCK_MS);
	check_reported(2);
	assert_int_equal(kernel.looks, 2);
}

static void test_a_late_record_has_waited_already(void **state)
{
	struct lp_record r = drop(64);

	(void)state;
	r.time_ns = now_ns - 100 * CLOCK_MS;
	holds(&r, BIRTH);
	add(r);
	pending_tick(list, now_ns);
	check_reported(1);
}

static void test_a_failed_walk_does_not_mean_no_holder(void **state)
{
	(void)state;
	kernel.error = -EPERM;
	add(drop(64));
	pass(5 * CLOCK_MS);
	pass(50 * CLOCK_MS);
	check_reported(1);
	nobody(UNKNOWN_UNSUPPORTED);
}

static void test_a_destroyer_may_come_after_an_empty_walk(void **state)
{
	struct lp_record r = drop(64), owner = owner_record(&r, OTHER);

	(void)state;
	add(r);
	pass(5 * CLOCK_MS);
	assert_int_equal(out.reported, 0);
	pass(49 * CLOCK_MS);
	pending_join(list, &owner);
	check_reported(1);
	named(OTHER, VIA_CLOSER);
}

/* The oldest record leaves without an owner, which was not searched yet. */
static void test_a_full_list_tells_its_oldest(void **state)
{
	struct lp_record r;

	(void)state;
	for (__u32 i = 0; i <= PENDING_MAX; i++) {
		r = drop(64 * (i + 1ULL));
		r.socket.snd_wnd = i;
		add(r);
	}
	assert_int_equal(out.reported, 1);
	assert_int_equal(out.times[0], 1);
	assert_int_equal(pending_count(list), PENDING_MAX);
	nobody(UNKNOWN_NOT_SEEN);
}

static void test_finish_looks_once_more_and_tells_everything(void **state)
{
	struct lp_record held = drop(64), gone = drop(128);

	(void)state;
	holds(&held, OTHER);
	add(held);
	add(gone);
	add_fin_wait2();
	pending_finish(list);
	check_reported(3);
}

/* Random records in random order: each one that stands for an event comes out once. */
static void test_each_record_comes_out_exactly_once(void **state)
{
	unsigned added = 0;
	struct lp_record r, owner;

	(void)state;
	srandom(1);
	for (unsigned step = 0; step < 20000; step++) {
		r = drop(64 * (__u64)(1 + random() % 50));
		switch (random() % 8) {
		case 0:
			pass((__u64)(random() % 20) * CLOCK_MS);
			break;
		case 1:
			owner = owner_record(&r, OTHER);
			pending_join(list, &owner);
			break;
		case 2:
			owner = (struct lp_record){
				.kind = LP_KIND_RESET_SENT, .socket.sk = r.socket.sk, .socket.cookie = r.socket.cookie};
			pending_join(list, &owner);
			break;
		case 3:
			kernel.error = random() % 4 ? 0 : -EIO;
			kernel.n_holders = 0;
			holds(&r, random() % 2 ? BIRTH : OTHER);
			break;
		default:
			if (random() % 3 == 0)
				r.socket.state = TCP_FIN_WAIT2;
			r.socket.shutdown = 3;
			r.socket.refs = (__u32)(random() % 3);
			r.who = (__u8)(random() % LP_WHO_COUNT);
			r.socket.flags ^= random() % 2 ? LP_F_SOCKET | LP_F_FILE : 0;
			r.socket.snd_wnd = added++;
			add(r);
		}
	}
	pending_finish(list);
	check_reported(added);
	for (unsigned i = 0; i < added; i++)
		assert_int_equal(out.times[i], 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_final_owner_waits_for_nothing),
		TEST(test_a_close_waits_a_millisecond_for_our_rst),
		TEST(test_our_rst_joins_the_close),
		TEST(test_a_rst_does_not_join_a_record_that_does_not_wait),
		TEST(test_a_destroyer_is_waited_for),
		TEST(test_a_destroyer_of_another_socket_proves_nothing),
		TEST(test_without_cookies_the_newest_of_an_address_is_meant),
		TEST(test_a_fin_and_its_close_share_their_owner),
		TEST(test_the_closer_proves_the_holder_at_the_fin),
		TEST(test_a_destroyer_that_began_later_stands_for_its_forker),
		TEST(test_a_destroyer_that_began_later_names_nobody_unknown),
		TEST(test_a_holder_that_began_later_stands_for_its_forker),
		TEST(test_the_owner_has_the_name_from_before_its_exec),
		TEST(test_a_child_that_executes_a_program_closed_what_its_forker_had),
		TEST(test_a_child_that_ends_without_one_is_the_closer),
		TEST(test_a_child_that_sleeps_is_the_closer_in_the_end),
		TEST(test_a_child_that_gets_no_cpu_is_not_waited_for_forever),
		TEST(test_the_birth_owner_is_looked_at_first),
		TEST(test_one_look_answers_for_all_of_a_process),
		TEST(test_all_processes_are_searched_last),
		TEST(test_another_socket_at_the_same_address_is_not_it),
		TEST(test_a_listener_is_found_by_its_port),
		TEST(test_walks_are_shared_and_four_a_second),
		TEST(test_looks_take_a_fifth_of_the_time),
		TEST(test_a_late_record_has_waited_already),
		TEST(test_a_failed_walk_does_not_mean_no_holder),
		TEST(test_a_destroyer_may_come_after_an_empty_walk),
		TEST(test_a_full_list_tells_its_oldest),
		TEST(test_finish_looks_once_more_and_tells_everything),
		TEST(test_each_record_comes_out_exactly_once),
	};

	return cmocka_run_group_tests_name("pending", tests, NULL, NULL);
}
