/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Both ends: which records fit together, and how long an event waits for its other end. The kernel and the clock are
 * the test's; other_end.c is included for its static functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "who/other_end.c"

#include <arpa/inet.h>
#include <errno.h>

#include "facts.h"

struct kernel {
	struct lp_record ends[8];
	unsigned n_ends, walks;
	size_t sought;
	__u64 takes_ns;
};

static struct kernel kernel;
static struct other_ends *ends;
static __u64 now_ns;
static struct lp_record a, b; /* a client, and its server, which received 1000 bytes and resets it */

static struct {
	unsigned reported, asked;
	__u64 sk; /* of the last reported event */
	__u32 peer;
	unsigned char times[20000]; /* by lp_record.snd_wnd, which has the number of the record */
} out;

__u64 clock_monotonic_ns(void)
{
	return now_ns;
}

int sockets_find(struct kernel *k, const __u64 *ports, size_t n, sockets_take *take, void *context)
{
	k->walks++;
	k->sought = n;
	now_ns += k->takes_ns;
	for (unsigned i = 0; i < k->n_ends; i++)
		for (size_t j = 0; j < n; j++)
			if (ports[j] == sockets_ports(k->ends[i].socket.local_port, k->ends[i].socket.peer_port))
				take(context, &k->ends[i]);
	return 0;
}

static void done(void *context, struct event *event)
{
	assert_ptr_equal(context, &out);
	out.reported++;
	out.sk = event->record->socket.sk;
	out.peer = event->peer.tgid;
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

static struct lp_record end_of(__u64 sk, const char *local, __u16 local_port, const char *peer, __u16 peer_port)
{
	struct lp_record r = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .err = ECONNRESET});

	inet_pton(AF_INET, local, r.socket.local_addr);
	inet_pton(AF_INET, peer, r.socket.peer_addr);
	r.socket.local_port = local_port;
	r.socket.peer_port = peer_port;
	r.socket.sk = sk;
	r.socket.cookie = sk + 1;
	r.socket.netns = 1;
	r.born_ns = now_ns - 10 * CLOCK_MS;
	r.time_ns = now_ns;
	r.socket.snd_wnd = 0;
	return r;
}

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	memset(&out, 0, sizeof(out));
	now_ns = 100000 * CLOCK_MS;
	a = end_of(64, "10.0.0.1", 4000, "10.0.0.2", 80);
	b = end_of(128, "10.0.0.2", 80, "10.0.0.1", 4000);
	a.socket.snd_una = 0xfffffe00u; /* sequence numbers wrap */
	a.socket.snd_nxt = a.socket.snd_una + 1000;
	b.socket.rcv_nxt = a.socket.snd_una + 1000;
	b.socket.snd_una = b.socket.snd_nxt = a.socket.rcv_nxt = 7000;
	b.socket.netns = 2;
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

static void test_ends_that_fit(void **state)
{
	struct lp_record other = b;

	(void)state;
	assert_int_equal(other_end_distance(&a, &b), 0);
	assert_int_equal(other_end_distance(&b, &a), 0);
	other.socket.sk = a.socket.sk;
	assert_int_equal(other_end_distance(&a, &other), STRANGERS);
	other = b;
	other.socket.local_port++;
	assert_int_equal(other_end_distance(&a, &other), STRANGERS);
	other = b;
	other.socket.peer_port++;
	assert_int_equal(other_end_distance(&a, &other), STRANGERS);
	other = b;
	other.socket.local_addr[3]++;
	assert_int_equal(other_end_distance(&a, &other), STRANGERS);
	other = b;
	other.socket.peer_addr[3]++;
	assert_int_equal(other_end_distance(&a, &other), STRANGERS);
	assert_int_equal(other_end_distance(&a, &a), STRANGERS);
}

static void check_distance(const struct lp_record *one, const struct lp_record *other, __u32 expected)
{
	assert_int_equal(other_end_distance(one, other), expected);
	assert_int_equal(other_end_distance(other, one), expected);
}

static void test_sequence_numbers_tell_twins_apart(void **state)
{
	struct lp_record other = b;

	(void)state;
	other.socket.rcv_nxt = a.socket.snd_una;
	check_distance(&a, &other, 0);
	other.socket.rcv_nxt = a.socket.snd_una - 1; /* a FIN */
	check_distance(&a, &other, 1);
	other.socket.rcv_nxt = a.socket.snd_una - 2;
	check_distance(&a, &other, STRANGERS);
	other.socket.rcv_nxt = a.socket.snd_nxt + 1;
	check_distance(&a, &other, 1);
	other.socket.rcv_nxt = a.socket.snd_nxt + 2;
	check_distance(&a, &other, STRANGERS);
	other = b;
	other.socket.snd_nxt = other.socket.snd_una += 2;
	check_distance(&a, &other, STRANGERS);
	other = b;
	other.socket.rcv_nxt = 0; /* nothing received yet */
	check_distance(&a, &other, STRANGERS);
}

/* After the peer's FIN an end may go on sending. */
static void test_an_end_that_goes_on_sending_may_be_further(void **state)
{
	struct lp_record other = b;

	(void)state;
	a.kind = LP_KIND_PEER_FIN;
	other.socket.rcv_nxt = a.socket.snd_nxt + 5;
	check_distance(&a, &other, 5);
	other.socket.rcv_nxt = a.socket.snd_nxt + SENT_SINCE;
	check_distance(&a, &other, SENT_SINCE);
	other.socket.rcv_nxt = a.socket.snd_nxt + SENT_SINCE + 1;
	check_distance(&a, &other, STRANGERS);
	other.socket.rcv_nxt = a.socket.snd_una - SENT_SINCE - 1;
	check_distance(&a, &other, STRANGERS);
}

static void test_loopback_stays_in_its_namespace(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "127.9.9.9"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		inet_pton(AF_INET, addresses[i], a.socket.peer_addr);
		inet_pton(AF_INET, addresses[i], b.socket.local_addr);
		b.socket.netns = 2;
		assert_int_equal(other_end_distance(&a, &b), STRANGERS);
		b.socket.netns = 1;
		assert_int_equal(other_end_distance(&a, &b), 0);
	}
	/* the same address at both ends */
	memcpy(a.socket.peer_addr, a.socket.local_addr, 4);
	memcpy(b.socket.local_addr, a.socket.local_addr, 4);
	assert_int_equal(other_end_distance(&a, &b), 0);
	b.socket.netns = 2;
	assert_int_equal(other_end_distance(&a, &b), STRANGERS);
}

static void test_a_v4_end_fits_a_mapped_one(void **state)
{
	(void)state;
	b.socket.family = AF_INET6;
	memset(b.socket.local_addr, 0, 16);
	memset(b.socket.peer_addr, 0, 16);
	inet_pton(AF_INET6, "::ffff:10.0.0.2", b.socket.local_addr);
	inet_pton(AF_INET6, "::ffff:10.0.0.1", b.socket.peer_addr);
	assert_int_equal(other_end_distance(&a, &b), 0);
	inet_pton(AF_INET6, "::10.0.0.1", b.socket.peer_addr);
	assert_int_equal(other_end_distance(&a, &b), STRANGERS);
}

static void test_an_end_before_the_others_birth_does_not_fit(void **state)
{
	(void)state;
	b.time_ns = a.born_ns - 1;
	assert_int_equal(other_end_distance(&a, &b), STRANGERS);
	assert_int_equal(other_end_distance(&b, &a), STRANGERS);
	b.kind = LP_KIND_PEER_FIN; /* the end went on */
	assert_int_equal(other_end_distance(&a, &b), 0);
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
	check_reported(1, b.socket.sk, 0);
	assert_int_equal(kernel.walks, 0);
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
	other.socket.local_port++;
	add(&other, CLIENT_PID);
	pass(WAIT);
	check_reported(1, other.socket.sk, 0);
	b.socket.err = 0;
	b.time_ns = now_ns;
	add(&b, SERVER_PID);
	assert_int_equal(other_end_deadline(ends), now_ns + WAIT + PATIENCE_NS);
	pass(60 * CLOCK_MS);
	assert_int_equal(out.reported, 1);
	note(&a, CLIENT_PID);
	check_reported(2, b.socket.sk, CLIENT_PID);
	/* the wait ends soon if no peer comes */
	b.socket.local_port++;
	b.time_ns = now_ns;
	add(&b, SERVER_PID);
	pass(WAIT + PATIENCE_NS - 1);
	assert_int_equal(out.reported, 2);
	pass(1);
	check_reported(3, b.socket.sk, 0);
	assert_int_equal(kernel.walks, 1);
	nothing_waits();
}

static void lives_on(struct lp_record *r)
{
	kernel.ends[kernel.n_ends] = *r;
	kernel.ends[kernel.n_ends].kind = LP_KIND_LOOK;
	kernel.ends[kernel.n_ends++].time_ns = 0;
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

static void test_an_exact_match_is_preferred(void **state)
{
	struct lp_record twin = b;

	(void)state;
	twin.socket.sk += 64;
	twin.socket.netns = 3;
	twin.socket.rcv_nxt += 1;
	lives_on(&twin);
	lives_on(&b);
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(out.asked, 1);
	answer(1, SERVER_PID);
	check_reported(1, a.socket.sk, SERVER_PID);
	note(&twin, SERVER_PID + 1);
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	check_reported(2, a.socket.sk, SERVER_PID);
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
	a.socket.local_port++;
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT);
	assert_int_equal(out.reported, 1);
	assert_int_equal(other_end_deadline(ends), now_ns + WALK_INTERVAL_NS - WAIT);
	pass(WALK_INTERVAL_NS - WAIT);
	check_reported(2, a.socket.sk, 0);
	assert_int_equal(kernel.walks, 2);
	/* an orderly end does not wait */
	a.socket.local_port++;
	a.socket.err = 0;
	a.kind = LP_KIND_PEER_FIN;
	a.time_ns = now_ns;
	add(&a, CLIENT_PID);
	pass(WAIT);
	check_reported(3, a.socket.sk, 0);
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
	assert_int_equal(other_end_deadline(ends), began + 1000 * CLOCK_MS);
}

static void test_one_walk_answers_for_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		a.socket.sk += 64;
		a.socket.local_port++;
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
		r.socket.local_port = (__u16)(100 + i);
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
		r.socket.local_port = (__u16)(r.socket.local_port + r.socket.sk / 64 % 7);
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
		TEST(test_ends_that_fit),
		TEST(test_sequence_numbers_tell_twins_apart),
		TEST(test_an_end_that_goes_on_sending_may_be_further),
		TEST(test_loopback_stays_in_its_namespace),
		TEST(test_a_v4_end_fits_a_mapped_one),
		TEST(test_an_end_before_the_others_birth_does_not_fit),
		TEST(test_both_are_reported_when_the_second_comes),
		TEST(test_a_waiting_end_names_the_second),
		TEST(test_an_event_waits_while_its_owner_is_searched),
		TEST(test_an_event_does_not_wait_for_an_unknown_owner),
		TEST(test_reported_ends_are_remembered),
		TEST(test_a_failed_connect_has_no_other_end),
		TEST(test_a_remote_peer_costs_a_few_milliseconds),
		TEST(test_a_reset_waits_until_the_peer_is_reported),
		TEST(test_an_end_that_lives_on_is_found),
		TEST(test_an_end_that_ends_meanwhile_is_searched_again),
		TEST(test_one_of_two_that_fit_is_not_named),
		TEST(test_an_exact_match_is_preferred),
		TEST(test_a_drop_on_loopback_waits_for_a_walk),
		TEST(test_a_late_event_gets_another_turn),
		TEST(test_walks_take_a_fiftieth_of_the_time),
		TEST(test_one_walk_answers_for_all),
		TEST(test_two_events_of_a_socket_are_one_end),
		TEST(test_the_oldest_end_is_forgotten),
		TEST(test_each_event_comes_out_exactly_once),
	};

	return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
