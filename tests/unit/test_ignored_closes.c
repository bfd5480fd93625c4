/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ignored closes: which ones, by which process, how many, and how often reported. The sockets are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "early/ignored_closes.c"

#define AFTER (60 * CLOCK_SECOND)
#define SOCKETS 8

static struct lp_record sockets[SOCKETS]; /* kind 0: none */
static __u64 moved_ns[SOCKETS];           /* time of the last data or acknowledgement */
static unsigned owner_of[SOCKETS];        /* a pid; 0: unknown */
static struct lp_alarms alarms;
static struct ignored_closes *ignored;
static __u64 now_ns;
static bool wanted, gone;
static unsigned n_walks, n_reported;
static struct {
	__u32 tgid, holds;
	__u64 sk, at_ns;
	enum lp_phase phase;
	enum owner_via via;
} reported[64];
static struct event *waiting; /* asked for, and not answered yet, if slow */
static bool slow;

__u64 clock_monotonic_ns(void)
{
	return now_ns;
}

bool process_lives(const struct lp_task *task)
{
	(void)task;
	return !gone;
}

volatile struct lp_alarms *sockets_alarms(struct kernel *kernel)
{
	(void)kernel;
	return &alarms;
}

int sockets_look_at_all(struct kernel *kernel, __u32 states, sockets_take *take, void *context)
{
	(void)kernel;
	assert_int_equal(states, 1u << TCP_CLOSE_WAIT);
	n_walks++;
	for (unsigned i = 0; i < SOCKETS; i++) {
		sockets[i].socket.sent_ms = (__s64)((now_ns - moved_ns[i]) / CLOCK_MS);
		if (sockets[i].kind)
			take(context, &sockets[i]);
	}
	return 0;
}

void pending_add(struct pending_list *list, struct event *event, pending_done *done, void *context)
{
	__u32 pid = owner_of[event->record->socket.sk / 64 - 1];

	(void)list;
	event->owner = (struct owner){.unknown = UNKNOWN_SHARED};
	if (pid)
		event->owner =
			(struct owner){.via = event->verdict.phase == PHASE_UNACCEPTED ? VIA_LISTENER : VIA_ACCEPT,
				       .process = {.tgid = pid}};
	if (slow)
		waiting = event;
	else
		done(context, event);
}

static bool wants(void *context, const struct event *event)
{
	(void)context;
	assert_int_equal(event->verdict.cause, CLOSE_IGNORED_CLOSE_WAIT);
	return wanted;
}

static void take_reported(void *context, struct event *event)
{
	(void)context;
	reported[n_reported].tgid = event->owner.via ? event->owner.process.tgid : 0;
	reported[n_reported].holds = event->connections;
	reported[n_reported].phase = event->verdict.phase;
	reported[n_reported].via = event->owner.via;
	reported[n_reported].sk = event->record->socket.sk;
	reported[n_reported++].at_ns = now_ns;
	event_free(event);
}

static const struct early_calls calls = {.tell = take_reported, .wants = wants};

/* The peer of a connection of that process closes now. */
static void peer_closes(unsigned number, unsigned pid)
{
	sockets[number] = (struct lp_record){
		.kind = LP_KIND_LOOK,
		.socket.state = TCP_CLOSE_WAIT,
		.socket.flags = LP_F_SOCKET,
		.socket.sk = 64 * (number + 1ULL),
		.socket.local_port = 80,
		.socket.peer_port = (__u16)(1000 + number),
		.socket.snd_una = 5,
		.socket.snd_nxt = 5,
		.socket.write_seq = 5,
		.socket.known = LP_KNOWN_HEARD | LP_KNOWN_SENT,
		.socket.heard_ms = UINT32_MAX,
	};
	moved_ns[number] = now_ns;
	owner_of[number] = pid;
	if (!alarms.fins) {
		alarms.fins = 1; /* and the agent is woken */
		ignored_closes_tick(ignored, now_ns);
	}
}

static void run_to(__u64 to_ns)
{
	__u64 at;

	while ((at = ignored_closes_deadline(ignored)) && at <= to_ns) {
		now_ns = at > now_ns ? at : now_ns;
		ignored_closes_tick(ignored, now_ns);
	}
	now_ns = to_ns;
}

static int begin(void **state)
{
	(void)state;
	memset(sockets, 0, sizeof(sockets));
	alarms = (struct lp_alarms){0};
	n_walks = n_reported = 0;
	gone = slow = false;
	wanted = true;
	now_ns = 1000 * CLOCK_SECOND;
	ignored = ignored_closes_new(NULL, AFTER, &calls);
	return ignored ? 0 : -1;
}

static int end_test(void **state)
{
	(void)state;
	ignored_closes_free(ignored);
	return 0;
}

static void test_idle_looks_once_and_has_no_deadline(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	assert_int_equal(n_walks, 1); /* for connections older than the agent */
	assert_int_equal(ignored_closes_deadline(ignored), 0);
}

static void test_repeats_at_growing_intervals(void **state)
{
	static const unsigned after[] = {60, 120, 240, 480, 960, 1920, 3840, 7440, 11040}; /* at most an hour apart */

	(void)state;
	run_to(1001 * CLOCK_SECOND);
	peer_closes(0, 7);
	run_to(1001 * CLOCK_SECOND + AFTER - 1);
	assert_int_equal(n_reported, 0);
	run_to(1001 * CLOCK_SECOND + 11100 * CLOCK_SECOND);
	assert_int_equal(n_reported, sizeof(after) / sizeof(*after));
	for (unsigned i = 0; i < n_reported; i++) {
		assert_int_equal((reported[i].at_ns - 1001 * CLOCK_SECOND) / CLOCK_SECOND, after[i]);
		assert_int_equal(reported[i].tgid, 7);
		assert_int_equal(reported[i].holds, 1);
	}
}

static void test_counts_each_process_for_itself(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	for (unsigned i = 0; i < 5; i++)
		peer_closes(i, i < 3 ? 7 : 8);
	peer_closes(5, 0);
	run_to(1080 * CLOCK_SECOND);
	assert_int_equal(n_reported, 3);
	for (unsigned i = 0; i < n_reported; i++)
		assert_int_equal(reported[i].holds, reported[i].tgid == 7 ? 3 : reported[i].tgid == 8 ? 2 : 1);
}

/* One process has accepted some and left others in its queue. */
static void test_unaccepted_are_counted_apart(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	for (unsigned i = 0; i < 5; i++) {
		peer_closes(i, 7);
		if (i >= 2)
			sockets[i].socket.flags = 0;
	}
	run_to(1080 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	for (unsigned i = 0; i < 2; i++) {
		bool accepted = reported[i].phase == PHASE_HALF_CLOSED;

		assert_int_equal(reported[i].tgid, 7);
		assert_int_equal(reported[i].via, accepted ? VIA_ACCEPT : VIA_LISTENER);
		assert_int_equal(reported[i].holds, accepted ? 2 : 3);
	}
	assert_int_not_equal(reported[0].phase, reported[1].phase);
}

static void test_accepted_later_has_its_acceptor(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	peer_closes(0, 7);
	sockets[0].socket.flags = 0;
	run_to(1070 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	assert_int_equal(reported[0].via, VIA_LISTENER);
	sockets[0].socket.flags = LP_F_SOCKET;
	owner_of[0] = 8;
	run_to(1130 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_int_equal(reported[1].tgid, 8);
	assert_int_equal(reported[1].via, VIA_ACCEPT);
	assert_int_equal(reported[1].phase, PHASE_HALF_CLOSED);
}

static void test_accepted_while_its_holder_is_searched(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	peer_closes(0, 7);
	sockets[0].socket.flags = 0;
	slow = true;
	run_to(1070 * CLOCK_SECOND);
	assert_non_null(waiting);
	sockets[0].socket.flags = LP_F_SOCKET;
	owner_of[0] = 8;
	slow = false;
	walk(ignored, now_ns); /* before the answer */
	note_holder(ignored, waiting);
	ignored_closes_tick(ignored, now_ns);
	assert_int_equal(n_reported, 1);
	assert_int_equal(reported[0].tgid, 8);
	assert_int_equal(reported[0].via, VIA_ACCEPT);
}

static void test_repeat_has_the_count_of_then(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	peer_closes(0, 7);
	run_to(1020 * CLOCK_SECOND);
	peer_closes(1, 7);
	peer_closes(2, 7);
	run_to(1062 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	assert_int_equal(reported[0].holds, 1);
	run_to(1130 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_int_equal(reported[1].holds, 3);
	assert_int_equal(reported[1].sk, reported[0].sk); /* the one that waits longest */
	sockets[1].kind = sockets[2].kind = 0;            /* closed */
	run_to(1250 * CLOCK_SECOND);
	assert_int_equal(n_reported, 3);
	assert_int_equal(reported[2].holds, 1);
	sockets[0].kind = 0;
	run_to(1600 * CLOCK_SECOND);
	assert_int_equal(n_reported, 3);
	assert_int_equal(ignored_closes_deadline(ignored), 0);
}

static void test_streaming_is_not_reported(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	peer_closes(0, 7);
	for (__u64 at = 1001; at < 1400; at += 50) {
		run_to(at * CLOCK_SECOND);
		moved_ns[0] = now_ns;
		sockets[0].socket.snd_nxt = sockets[0].socket.write_seq = sockets[0].socket.snd_una += 4;
	}
	assert_int_equal(n_reported, 0);
	assert_true(n_walks <= 10);
}

/* The peer keeps answering keepalive probes with acknowledgements of no data. */
static void test_keepalive_is_not_use(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	peer_closes(0, 7);
	sockets[0].socket.flags |= LP_F_KEEPOPEN;
	for (__u64 at = 1001; at < 1200; at += 1) {
		run_to(at * CLOCK_SECOND);
		moved_ns[0] = now_ns;
	}
	assert_true(n_reported >= 1);
	assert_int_equal(reported[0].holds, 1);
}

static void test_dead_owner_is_searched_again(void **state)
{
	(void)state;
	run_to(1001 * CLOCK_SECOND);
	peer_closes(0, 7);
	run_to(1070 * CLOCK_SECOND);
	gone = true;
	owner_of[0] = 9;
	run_to(1130 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_int_equal(reported[1].tgid, 9);
}

static void test_unwanted_events_are_not_reported(void **state)
{
	(void)state;
	wanted = false;
	run_to(1001 * CLOCK_SECOND);
	peer_closes(0, 7);
	run_to(1500 * CLOCK_SECOND);
	assert_int_equal(n_reported, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_idle_looks_once_and_has_no_deadline),
		TEST(test_repeats_at_growing_intervals),
		TEST(test_counts_each_process_for_itself),
		TEST(test_repeat_has_the_count_of_then),
		TEST(test_streaming_is_not_reported),
		TEST(test_keepalive_is_not_use),
		TEST(test_unaccepted_are_counted_apart),
		TEST(test_accepted_later_has_its_acceptor),
		TEST(test_accepted_while_its_holder_is_searched),
		TEST(test_dead_owner_is_searched_again),
		TEST(test_unwanted_events_are_not_reported),
	};

	return cmocka_run_group_tests_name("ignored", tests, NULL, NULL);
}
