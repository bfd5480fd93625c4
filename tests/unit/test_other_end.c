/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The other end of an event: how it is found, and how long the event waits for it. The kernel and the clock are the
 * test's; other_end.c is included for its static functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "who/other_end.c"

#include <arpa/inet.h>
#include <errno.h>

#include "ends.h"

struct kernel {
	struct lp_record ends[8];
	unsigned n_ends, walks;
	size_t sought;
	__u64 takes_ns;
};

static struct kernel kernel;
static struct other_ends *ends;
static __u64 now_ns;

static struct {
	unsigned reported, asked;
	__u64 sk; /* of the last reported event */
	__u32 peer, exiting;
	bool peer_sent_no_reset;
	unsigned char times[20000]; /* by lp_record.snd_wnd, which has the number of the record */
} out;

__u64 clock_monotonic_ns(void)
{
	return now_ns;
}

__u64 clock_cpu_ns(void)
{
	return now_ns;
}

static struct lp_ended slots[LP_ENDED];

const struct lp_ended *remembered_ended(const struct kernel *k)
{
	(void)k;
	return slots;
}

int sockets_find(struct kernel *k, const __u64 *initials, size_t n, sockets_take *take, void *context)
{
	k->walks++;
	k->sought = n;
	now_ns += k->takes_ns;
	for (unsigned i = 0; i < k->n_ends; i++)
		for (size_t j = 0; j < n; j++)
			if (initials[j] == connection_initial(&k->ends[i]))
				take(context, &k->ends[i]);
	return 0;
}

static void done(void *context, struct event *event)
{
	assert_ptr_equal(context, &out);
	out.reported++;
	out.sk = event->record->socket.sk;
	out.peer = event->peer.tgid;
	out.exiting = event->peer.exiting;
	out.peer_sent_no_reset = event->peer_sent_no_reset;
	out.times[event->record->socket.snd_wnd]++;
	event_free(event);
}

/* The event of the last owner search. */
static struct event *asked_for;
static pending_done *answer_to;

void pending_add(struct pending_list *list, struct event *event, pending_done *answered, void *context)
{
	(void)list;
	assert_ptr_equal(context, ends);
	assert_null(asked_for);
	asked_for = event;
	answer_to = answered;
	out.asked++;
}

static bool no_past(void *context, const struct lp_task *task, struct lp_past *past)
{
	(void)context;
	(void)task;
	(void)past;
	return false;
}

struct lineage pending_lineage(const struct pending_list *list)
{
	(void)list;
	return (struct lineage){.past = no_past};
}

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	memset(&out, 0, sizeof(out));
	now_ns = 100000 * CLOCK_MS;
	ends_begin(now_ns);
	memset(slots, 0, sizeof(slots));
	ends = other_end_new(&kernel, NULL, done, &out);
	return ends ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	other_end_free(ends);
	event_free(asked_for);
	asked_for = NULL;
	return 0;
}

#define WAIT (5 * CLOCK_MS)
#define CLIENT_PID 100
#define SERVER_PID 200

static struct owner owner_of(__u32 pid)
{
	return (struct owner){.via = pid ? VIA_HOLDER : VIA_NONE,
			      .unknown = pid ? UNKNOWN_NONE : UNKNOWN_HOLDER_GONE,
			      .process = {.tgid = pid, .start_boot_ns = 7}};
}

static void note(const struct lp_record *r, __u32 pid)
{
	other_end_note(ends, &(struct event){.record = r, .owner = owner_of(pid)});
}

/* Gives the owner search its answer. */
static void answer(unsigned number, __u32 pid)
{
	struct event *event = asked_for;

	assert_int_equal(event->record->socket.sk, kernel.ends[number].socket.sk);
	asked_for = NULL;
	event->owner = owner_of(pid);
	answer_to(ends, event);
}

static void expect(const struct lp_record *r)
{
	other_end_expect(ends, &(struct event){.record = r});
}

/* Adds an event as the agent does. */
static void add(const struct lp_record *r, __u32 pid)
{
	struct event *event = event_new(r);

	event->owner = owner_of(pid);
	other_end_note(ends, event);
	other_end_add(ends, event);
}

static void pass(__u64 ns)
{
	now_ns += ns;
	other_end_tick(ends, now_ns);
}

static void check_reported(unsigned n, __u64 sk, __u32 peer)
{
	assert_int_equal(out.reported, n);
	assert_int_equal(out.sk, sk);
	assert_int_equal(out.peer, peer);
}

static void nothing_waits(void)
{
	assert_int_equal(other_end_count(ends), 0);
	assert_int_equal(other_end_deadline(ends), 0);
}

static void test_both_are_reported_when_the_second_comes(void **state)
{
	(void)state;
	add(&b, SERVER_PID);
	assert_int_equal(out.reported, 0);
	assert_int_equal(other_end_deadline(ends), now_ns + WAIT);
	add(&a, CLIENT_PID);
	assert_int_equal(out.reported, 2);
	assert_int_equal(out.sk, a.socket.sk);
	assert_int_equal(out.peer, SERVER_PID);
	nothing_waits();
	assert_int_equal(kernel.walks, 0);
}

static void test_a_waiting_end_names_the_second(void **state)
{
	(void)state;
	add(&b, SERVER_PID);
	note(&a, CLIENT_PID);
	check_reported(1, b.socket.sk, CLIENT_PID);
	nothing_waits();
}

static void test_an_event_waits_while_its_owner_is_searched(void **state)
{
	(void)state;
	add(&b, SERVER_PID);
	expect(&a);
	pass(200 * CLOCK_MS);
	assert_int_equal(out.reported, 0);
	assert_int_equal(other_end_deadline(ends), 0); /* the other has one */
	note(&a, CLIENT_PID);
	check_reported(1, b.socket.sk, CLIENT_PID);
}

static void test_an_event_does_not_wait_for_an_unknown_owner(void **state)
{
	(void)state;
	add(&b, SERVER_PID);
	expect(&a);
	pass(WAIT);
	assert_int_equal(out.reported, 0);
	note(&a, 0);
	pass(WAIT);
	check_reported(1, b.socket.sk, 0);
	assert_int_equal(kernel.walks, 0);
	nothing_waits();
}

static void lives_on(struct lp_record *r)
{
	kernel.ends[kernel.n_ends] = *r;
	kernel.ends[kernel.n_ends].kind = LP_KIND_LOOK;
	kernel.ends[kernel.n_ends++].time_ns = 0;
}

/* An end without a record, which the BPF programs remember. */
static void ended(unsigned slot, const struct lp_record *r, __u32 pid)
{
	slots[slot] = (struct lp_ended){.time_ns = now_ns,
					.socket = r->socket.identity,
					.owner = {.tgid = pid, .exiting = pid != 0},
					.initial = connection_initial(r)};
}

static void test_an_end_without_a_record_is_remembered(void **state)
{
	(void)state;
	ended(4095, &b, SERVER_PID);
	add(&a, CLIENT_PID);
	assert_int_equal(out.reported, 0);
	pass(WAIT);
	check_reported(1, a.socket.sk, SERVER_PID);
	assert_int_equal(kernel.walks, 0);
	nothing_waits();
}

/* It was killed later, so this event has nothing to do with that. */
static void test_a_later_exit_of_the_peer_is_not_said(void **state)
{
	(void)state;
	ended(0, &b, SERVER_PID);
	slots[0].time_ns = a.time_ns + 1;
	a.socket.flags &= ~(__u32)(LP_F_FIN_IN | LP_F_RST_IN);
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(1, a.socket.sk, SERVER_PID);
	assert_int_equal(out.exiting, 0);
	a.kind = LP_KIND_PEER_FIN; /* it was the exit that sent it */
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(2, a.socket.sk, SERVER_PID);
	assert_int_equal(out.exiting, 1);
}

/* A crowd of other ends comes while its owner is searched for. */
static void test_the_peer_is_kept_while_the_owner_is_searched_for(void **state)
{
	struct lp_record r = b;
	struct event *event = event_new(&a);

	(void)state;
	note(&b, SERVER_PID);
	other_end_expect(ends, event);
	for (unsigned i = 0; i < OTHER_ENDS_MAX; i++) {
		r.socket.sk += 64;
		r.socket.snd_una += 2;
		note(&r, SERVER_PID + 1);
	}
	event->owner = owner_of(CLIENT_PID);
	other_end_note(ends, event);
	other_end_add(ends, event);
	check_reported(1, a.socket.sk, SERVER_PID);
	nothing_waits();
}

static void test_the_end_of_a_twin_is_not_it(void **state)
{
	struct lp_record twin = b;

	(void)state;
	twin.socket.sk += 64;
	twin.socket.rcv_nxt += 2;
	ended(0, &twin, SERVER_PID + 1);
	ended(1, &a, CLIENT_PID); /* its own end */
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(1, a.socket.sk, 0);
}

static void test_one_of_two_remembered_ends_is_not_named(void **state)
{
	struct lp_record twin = b;

	(void)state;
	twin.socket.sk += 64;
	ended(0, &twin, SERVER_PID + 1);
	ended(1, &b, SERVER_PID);
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(1, a.socket.sk, 0);
}

/* A walk finds it, but it is closed before its holder is. */
static void test_an_end_that_is_closed_meanwhile_is_remembered(void **state)
{
	(void)state;
	lives_on(&b);
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(out.asked, 1);
	ended(3, &b, SERVER_PID);
	answer(0, 0);
	assert_int_equal(out.reported, 0);
	pass(WAIT);
	check_reported(1, a.socket.sk, SERVER_PID);
	nothing_waits();
}

/* Its record named nobody, but the BPF programs saw who closed it later. */
static void test_a_remembered_end_names_who_was_unknown(void **state)
{
	(void)state;
	ended(7, &b, SERVER_PID);
	note(&b, 0);
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(1, a.socket.sk, SERVER_PID);
}

/* The end lived on at the first look. */
static void test_an_end_is_looked_for_again_at_the_last_moment(void **state)
{
	struct lp_record other = a;

	(void)state;
	kernel.takes_ns = 10 * CLOCK_MS; /* walks are rare */
	other.socket.sk += 1000;
	other.socket.snd_una++;
	add(&other, CLIENT_PID);
	pass(WAIT);
	check_reported(1, other.socket.sk, 0);
	a.kind = LP_KIND_PEER_FIN;
	a.socket.err = 0;
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(out.reported, 1);
	assert_int_equal(other_end_deadline(ends), a.time_ns + WAIT + PATIENCE_NS);
	ended(0, &b, SERVER_PID);
	pass(PATIENCE_NS);
	check_reported(2, a.socket.sk, SERVER_PID);
	nothing_waits();
}

static void test_an_event_that_nobody_wants_is_awaited(void **state)
{
	(void)state;
	assert_false(other_end_is_awaited(ends, &a));
	expect(&b); /* its owner is being searched for */
	assert_true(other_end_is_awaited(ends, &a));
	add(&b, SERVER_PID);
	assert_true(other_end_is_awaited(ends, &a));
	kernel.ends[0] = a;
	other_end_ask(ends, &a);
	answer(0, CLIENT_PID);
	check_reported(1, b.socket.sk, CLIENT_PID);
	assert_false(other_end_is_awaited(ends, &a));
}

static void test_reported_ends_are_remembered(void **state)
{
	(void)state;
	add(&b, SERVER_PID);
	pass(WAIT);
	check_reported(1, b.socket.sk, 0);
	pass(5000 * CLOCK_MS);
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	check_reported(2, a.socket.sk, SERVER_PID);
}

static void test_a_failed_connect_has_no_other_end(void **state)
{
	(void)state;
	a.socket.state = TCP_SYN_SENT;
	a.socket.rcv_nxt = 0;
	add(&a, CLIENT_PID);
	check_reported(1, a.socket.sk, 0);
	a.kind = LP_KIND_NO_CONNECT;
	add(&a, CLIENT_PID);
	check_reported(2, a.socket.sk, 0);
	nothing_waits();
}

static void test_a_remote_peer_costs_a_few_milliseconds(void **state)
{
	(void)state;
	add(&a, CLIENT_PID);
	pass(WAIT - 1);
	assert_int_equal(out.reported, 0);
	pass(1);
	check_reported(1, a.socket.sk, 0);
	assert_int_equal(kernel.walks, 1);
	/* the event waits for the next walk, if that is soon */
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(out.reported, 1);
	assert_int_equal(other_end_deadline(ends), now_ns + WALK_INTERVAL_NS - WAIT);
	kernel.takes_ns = 10 * CLOCK_MS;
	pass(WALK_INTERVAL_NS - WAIT);
	check_reported(2, a.socket.sk, 0);
	assert_int_equal(kernel.walks, 2);
	/* it does not wait if walks take long and are rare */
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(3, a.socket.sk, 0);
	assert_int_equal(other_end_count(ends), 0);
	assert_int_equal(kernel.walks, 2);
	nothing_waits();
}

/* Walks are rare, and the RST is in flight for long. */
static void test_a_reset_waits_until_the_peer_is_reported(void **state)
{
	struct lp_record other = a;

	(void)state;
	kernel.takes_ns = 10 * CLOCK_MS;
	other.socket.sk += 1000;
	other.socket.snd_una++;
	add(&other, CLIENT_PID);
	pass(WAIT);
	check_reported(1, other.socket.sk, 0);
	b.socket.err = 0;
	b.time_ns = now_ns;
	add(&b, SERVER_PID);
	pass(WAIT);
	assert_int_equal(other_end_deadline(ends), b.time_ns + WAIT + PATIENCE_NS);
	pass(60 * CLOCK_MS);
	assert_int_equal(out.reported, 1);
	note(&a, CLIENT_PID);
	check_reported(2, b.socket.sk, CLIENT_PID);
	/* the wait ends soon if no peer comes */
	b.socket.snd_una++;
	b.time_ns = now_ns;
	add(&b, SERVER_PID);
	pass(WAIT + PATIENCE_NS - 1);
	assert_int_equal(out.reported, 2);
	pass(1);
	check_reported(3, b.socket.sk, 0);
	assert_int_equal(kernel.walks, 1);
	nothing_waits();
}

static void test_an_end_that_lives_on_is_found(void **state)
{
	(void)state;
	lives_on(&b);
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(out.reported, 0);
	assert_int_equal(out.asked, 1);
	answer(0, SERVER_PID);
	check_reported(1, a.socket.sk, SERVER_PID);
	assert_true(out.peer_sent_no_reset);
	nothing_waits();
}

/* As after connect(AF_UNSPEC), which sent the RST. */
static void test_an_end_that_is_over_may_have_sent_the_reset(void **state)
{
	(void)state;
	b.socket.state = TCP_CLOSE;
	lives_on(&b);
	add(&a, CLIENT_PID);
	pass(WAIT);
	answer(0, SERVER_PID);
	check_reported(1, a.socket.sk, SERVER_PID);
	assert_false(out.peer_sent_no_reset);
	nothing_waits();
}

/* As by a checkpoint: who restores it, if that is on this host, has the connection. */
static void test_an_end_that_was_closed_in_repair_mode_is_nobodys(void **state)
{
	(void)state;
	b.kind = LP_KIND_CLOSE;
	b.socket.flags |= LP_F_REPAIR;
	expect(&b);
	note(&b, SERVER_PID);
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(1, a.socket.sk, 0);
	nothing_waits();
}

/* A walk from before the RST does not tell who sent it. */
static void test_an_end_that_lived_on_before_may_have_sent_the_reset(void **state)
{
	(void)state;
	lives_on(&b);
	add(&a, CLIENT_PID);
	pass(WAIT);
	answer(0, SERVER_PID);
	a.time_ns = now_ns + CLOCK_MS;
	add(&a, CLIENT_PID);
	check_reported(2, a.socket.sk, SERVER_PID);
	assert_false(out.peer_sent_no_reset);
	nothing_waits();
}

static void test_an_end_that_was_reset_later_sent_none(void **state)
{
	(void)state;
	b.socket.flags |= LP_F_RST_IN;
	b.time_ns = a.time_ns + CLOCK_MS;
	note(&b, SERVER_PID);
	add(&a, CLIENT_PID);
	check_reported(1, a.socket.sk, SERVER_PID);
	assert_true(out.peer_sent_no_reset);
	add(&b, SERVER_PID);
	check_reported(2, b.socket.sk, CLIENT_PID);
	assert_false(out.peer_sent_no_reset);
	nothing_waits();
}

/* The holder closes the other end before the search: the record of that close names the owner. */
static void test_an_end_that_ends_meanwhile_is_searched_again(void **state)
{
	(void)state;
	lives_on(&a);
	add(&b, SERVER_PID);
	pass(WAIT);
	assert_int_equal(out.asked, 1);
	expect(&a);
	answer(0, 0);
	assert_int_equal(out.reported, 0);
	note(&a, CLIENT_PID);
	check_reported(1, b.socket.sk, CLIENT_PID);
	nothing_waits();
}

static void test_one_of_two_that_fit_is_not_named(void **state)
{
	struct lp_record twin = b;

	(void)state;
	twin.socket.sk += 64;
	twin.socket.netns = 3;
	lives_on(&b);
	lives_on(&twin);
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(1, a.socket.sk, 0);
	assert_int_equal(out.asked, 0);
	note(&b, SERVER_PID);
	note(&twin, SERVER_PID + 1);
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WALK_INTERVAL_NS);
	check_reported(2, a.socket.sk, 0);
}

static void on_loopback(void)
{
	inet_pton(AF_INET, "127.0.0.1", a.socket.local_addr);
	memcpy(a.socket.peer_addr, a.socket.local_addr, 4);
	memcpy(b.socket.local_addr, a.socket.local_addr, 4);
	memcpy(b.socket.peer_addr, a.socket.local_addr, 4);
	b.socket.netns = a.socket.netns;
}

static void test_a_drop_on_loopback_waits_for_a_walk(void **state)
{
	(void)state;
	on_loopback();
	lives_on(&b);
	add(&a, CLIENT_PID);
	pass(WAIT);
	answer(0, SERVER_PID);
	check_reported(1, a.socket.sk, SERVER_PID);
	kernel.takes_ns = 20 * CLOCK_MS;
	a.socket.snd_una++;
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(out.reported, 1);
	assert_int_equal(other_end_deadline(ends), now_ns + WALK_INTERVAL_NS - WAIT);
	pass(WALK_INTERVAL_NS - WAIT);
	check_reported(2, a.socket.sk, 0);
	assert_int_equal(kernel.walks, 2);
	/* a second, if walks are rare; an orderly end does not wait so long */
	a.socket.snd_una++;
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT + PATIENCE_NS);
	assert_int_equal(out.reported, 2);
	a.socket.snd_una++;
	a.socket.err = 0;
	a.kind = LP_KIND_PEER_FIN;
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT + PATIENCE_NS);
	check_reported(3, a.socket.sk, 0);
	pass(CLOCK_SECOND);
	assert_int_equal(out.reported, 4);
	nothing_waits();
}

/* In a burst, an end of file waits for the next walk too. */
static void test_an_orderly_end_waits_for_a_walk(void **state)
{
	struct lp_record other = a;

	(void)state;
	other.socket.sk += 1000;
	other.socket.snd_una++;
	add(&other, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(kernel.walks, 1);
	lives_on(&b);
	a.kind = LP_KIND_PEER_FIN;
	a.socket.err = 0;
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(out.reported, 1);
	assert_int_equal(other_end_deadline(ends), now_ns + WALK_INTERVAL_NS - WAIT);
	pass(WALK_INTERVAL_NS - WAIT);
	assert_int_equal(kernel.walks, 2);
	answer(0, SERVER_PID);
	check_reported(2, a.socket.sk, SERVER_PID);
	nothing_waits();
}

/* The agent ran for long, so the other end's record may still be on its way. */
static void test_a_late_event_gets_another_turn(void **state)
{
	(void)state;
	now_ns = a.time_ns + 2 * WAIT;
	add(&a, CLIENT_PID);
	pass(0);
	assert_int_equal(out.reported, 0);
	assert_int_equal(kernel.walks, 0);
	pass(SLEEP_NS - 1);
	assert_int_equal(out.reported, 0);
	note(&b, SERVER_PID);
	check_reported(1, a.socket.sk, SERVER_PID);
	nothing_waits();
}

static void test_walks_take_a_fiftieth_of_the_time(void **state)
{
	__u64 began;

	(void)state;
	on_loopback();
	kernel.takes_ns = 20 * CLOCK_MS;
	add(&a, CLIENT_PID);
	began = now_ns + WAIT;
	pass(WAIT);
	assert_int_equal(out.reported, 1);
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(other_end_deadline(ends), began + 1000 * CLOCK_MS);
}

static void test_one_walk_answers_for_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		a.socket.sk += 64;
		a.socket.snd_una++;
		add(&a, CLIENT_PID);
	}
	pass(WAIT);
	assert_int_equal(out.reported, 100);
	assert_int_equal(kernel.walks, 1);
	assert_int_equal(kernel.sought, 100);
}

/* The FIN and the close of one socket count as one end. */
static void test_two_events_of_a_socket_are_one_end(void **state)
{
	struct lp_record fin = b;

	(void)state;
	fin.kind = LP_KIND_PEER_FIN;
	note(&fin, SERVER_PID);
	note(&b, SERVER_PID);
	add(&a, CLIENT_PID);
	check_reported(1, a.socket.sk, SERVER_PID);
}

static void test_the_oldest_end_is_forgotten(void **state)
{
	struct lp_record r = b;

	(void)state;
	note(&b, SERVER_PID);
	for (unsigned i = 0; i < OTHER_ENDS_MAX; i++) {
		r.socket.sk += 64;
		r.socket.cookie++;
		r.socket.snd_una += 2;
		note(&r, SERVER_PID + 1);
	}
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(1, a.socket.sk, 0);
}

/* Random records in random order, more than are remembered: each event comes out once. */
static void test_each_event_comes_out_exactly_once(void **state)
{
	unsigned added = 0;
	struct lp_record r;

	(void)state;
	srandom(1);
	for (unsigned step = 0; step < 20000; step++) {
		r = random() % 2 ? a : b;
		r.socket.sk += 64 * (__u64)(random() % 3000);
		r.socket.cookie = r.socket.sk + 1;
		r.socket.snd_una += (__u32)(r.socket.sk / 64 % 7);
		r.time_ns = now_ns;
		switch (random() % 6) {
		case 0:
			pass((__u64)(random() % 3) * CLOCK_MS / 2);
			break;
		case 1:
			expect(&r);
			break;
		case 2:
			note(&r, random() % 2 ? SERVER_PID : 0);
			break;
		default:
			r.socket.snd_wnd = added++;
			add(&r, random() % 2 ? CLIENT_PID : 0);
		}
	}
	other_end_finish(ends);
	assert_int_equal(out.reported, added);
	for (unsigned i = 0; i < added; i++)
		assert_int_equal(out.times[i], 1);
	nothing_waits();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_are_reported_when_the_second_comes),
		TEST(test_a_waiting_end_names_the_second),
		TEST(test_an_event_waits_while_its_owner_is_searched),
		TEST(test_an_event_does_not_wait_for_an_unknown_owner),
		TEST(test_an_end_without_a_record_is_remembered),
		TEST(test_a_later_exit_of_the_peer_is_not_said),
		TEST(test_the_peer_is_kept_while_the_owner_is_searched_for),
		TEST(test_the_end_of_a_twin_is_not_it),
		TEST(test_one_of_two_remembered_ends_is_not_named),
		TEST(test_an_end_that_is_closed_meanwhile_is_remembered),
		TEST(test_a_remembered_end_names_who_was_unknown),
		TEST(test_an_end_is_looked_for_again_at_the_last_moment),
		TEST(test_an_event_that_nobody_wants_is_awaited),
		TEST(test_reported_ends_are_remembered),
		TEST(test_a_failed_connect_has_no_other_end),
		TEST(test_a_remote_peer_costs_a_few_milliseconds),
		TEST(test_a_reset_waits_until_the_peer_is_reported),
		TEST(test_an_end_that_lives_on_is_found),
		TEST(test_an_end_that_is_over_may_have_sent_the_reset),
		TEST(test_an_end_that_was_closed_in_repair_mode_is_nobodys),
		TEST(test_an_end_that_lived_on_before_may_have_sent_the_reset),
		TEST(test_an_end_that_was_reset_later_sent_none),
		TEST(test_an_end_that_ends_meanwhile_is_searched_again),
		TEST(test_one_of_two_that_fit_is_not_named),
		TEST(test_a_drop_on_loopback_waits_for_a_walk),
		TEST(test_an_orderly_end_waits_for_a_walk),
		TEST(test_a_late_event_gets_another_turn),
		TEST(test_walks_take_a_fiftieth_of_the_time),
		TEST(test_one_walk_answers_for_all),
		TEST(test_two_events_of_a_socket_are_one_end),
		TEST(test_the_oldest_end_is_forgotten),
		TEST(test_each_event_comes_out_exactly_once),
	};

	return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
