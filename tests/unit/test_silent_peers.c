/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Peers reported as silent and as back. The list and the sockets are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "early/silent_peers.c"

#define AFTER (5 * CLOCK_SECOND)
#define SOCKETS 8

static struct sockets_listed list[SOCKETS];
static size_t n_listed;
static struct lp_record sockets[SOCKETS]; /* by address: 64, 128, ... */
static struct lp_alarms alarms;
static enum lp_cause reported[16];
static __u64 reported_sk[16];
static unsigned n_reported;

int sockets_look_at(struct kernel *kernel, const __u64 *which, size_t n, __u32 states, sockets_take *take,
		    void *context)
{
	(void)kernel;
	for (size_t i = 0; i < n; i++) {
		struct lp_record *socket = &sockets[which[i] / 64 - 1];
		struct lp_record gone = {0};

		take(context, states & 1u << socket->socket.state ? socket : &gone);
	}
	return 0;
}

void sockets_name(struct kernel *kernel, struct lp_record *record)
{
	(void)kernel;
	(void)record;
}

int sockets_list_silent(struct kernel *kernel, struct sockets_listed *items, size_t most, size_t *n)
{
	(void)kernel;
	*n = n_listed < most ? n_listed : most;
	memcpy(items, list, *n * sizeof(*items));
	return 0;
}

void sockets_add_silent(struct kernel *kernel, __u64 sk, const struct lp_listed *listed)
{
	(void)kernel;
	list[n_listed++] = (struct sockets_listed){sk, *listed};
}

void sockets_forget_silent(struct kernel *kernel, __u64 sk)
{
	(void)kernel;
	for (size_t i = 0; i < n_listed; i++)
		if (list[i].sk == sk)
			list[i] = list[--n_listed];
}

volatile struct lp_alarms *sockets_alarms(struct kernel *kernel)
{
	(void)kernel;
	return &alarms;
}

static struct lp_record last_looks[SOCKETS]; /* kind 0: none */
static bool kept[SOCKETS];

void sockets_keep_last(struct kernel *kernel, __u64 sk)
{
	(void)kernel;
	kept[sk / 64 - 1] = true;
}

bool sockets_take_last(struct kernel *kernel, __u64 sk, struct lp_record *last)
{
	(void)kernel;
	kept[sk / 64 - 1] = false;
	*last = last_looks[sk / 64 - 1];
	return last->kind;
}

static bool wants(void *context, const struct event *event)
{
	(void)context;
	(void)event;
	return true;
}

static struct event *newest;
static bool keeps; /* the newest event */

static void take_reported(void *context, struct event *event)
{
	(void)context;
	reported[n_reported] = event->verdict.cause;
	newest = event;
	reported_sk[n_reported++] = event->record->socket.sk;
	if (!keeps)
		event_free(event);
}

static const struct early_calls calls = {.found = take_reported, .wants = wants};

/* A connection with that many bytes in flight that is retransmitting. Returns its address. */
static __u64 waits_for(unsigned number, __u32 bytes)
{
	sockets[number] = (struct lp_record){
		.kind = LP_KIND_LOOK,
		.socket.state = TCP_ESTABLISHED,
		.socket.sk = 64 * (number + 1ULL),
		.socket.local_port = 1,
		.socket.peer_port = 2,
		.socket.snd_una = 100,
		.socket.snd_nxt = 100 + bytes,
		.socket.write_seq = 100 + bytes,
		.socket.snd_wnd = 1000,
		.socket.retransmits = 3,
		.socket.known = LP_KNOWN_HEARD,
		.socket.heard_ms = 400000,
	};
	return sockets[number].socket.sk;
}

/* As the BPF program does at a retransmission timeout. */
static void timeout_of(__u64 sk, __u64 since_ns)
{
	struct lp_listed listed = {since_ns, sockets[sk / 64 - 1].socket.snd_una, 1u << 16 | 2, 0, 0};

	sockets_forget_silent(NULL, sk);
	sockets_add_silent(NULL, sk, &listed);
	alarms.silent = 1;
}

static void acknowledge(__u64 sk)
{
	struct lp_record *r = &sockets[sk / 64 - 1];

	r->socket.snd_una = r->socket.snd_nxt;
	r->socket.retransmits = 0;
}

static int begin(void **state)
{
	n_listed = n_reported = 0;
	alarms = (struct lp_alarms){0};
	memset(sockets, 0, sizeof(sockets));
	memset(last_looks, 0, sizeof(last_looks));
	memset(kept, 0, sizeof(kept));
	keeps = false;
	*state = silent_peers_new(NULL, AFTER, &calls);
	return *state ? 0 : -1;
}

static int end_test(void **state)
{
	silent_peers_free(*state);
	return 0;
}

/* Ticks at every deadline up to that time. */
static void run_to(struct silent_peers *s, __u64 now_ns)
{
	__u64 at;

	while ((at = silent_peers_deadline(s)) && at <= now_ns)
		silent_peers_tick(s, at);
	silent_peers_tick(s, now_ns);
}

static void test_idle_has_no_deadline(void **state)
{
	silent_peers_tick(*state, CLOCK_SECOND);
	assert_int_equal(silent_peers_deadline(*state), 0);
}

static void test_reported_once_at_the_threshold(void **state)
{
	__u64 sk = waits_for(0, 10);

	timeout_of(sk, 10 * CLOCK_SECOND);
	silent_peers_tick(*state, 10 * CLOCK_SECOND + 200);
	assert_int_equal(n_reported, 0);
	run_to(*state, 15 * CLOCK_SECOND - 1);
	assert_int_equal(n_reported, 0);
	run_to(*state, 15 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	assert_int_equal(reported[0], PEER_SILENT_UNACKED);
	run_to(*state, 60 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
}

static void test_recovered_peers_are_forgotten(void **state)
{
	__u64 sk = waits_for(0, 10);

	timeout_of(sk, CLOCK_SECOND);
	silent_peers_tick(*state, CLOCK_SECOND + 200);
	acknowledge(sk);
	run_to(*state, 7 * CLOCK_SECOND);
	assert_int_equal(n_reported, 0);
	assert_int_equal(n_listed, 0);
	assert_int_equal(silent_peers_deadline(*state), 0);
	assert_int_equal(alarms.silent, 0); /* the next silent peer wakes the agent */
}

static void test_back_and_silent_again(void **state)
{
	__u64 sk = waits_for(0, 10);

	timeout_of(sk, CLOCK_SECOND);
	run_to(*state, 8 * CLOCK_SECOND);
	acknowledge(sk);
	run_to(*state, 9 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_int_equal(reported[1], PEER_BACK_ACKED);
	assert_int_equal(n_listed, 0);
	sockets[0].socket.snd_nxt = sockets[0].socket.write_seq += 5;
	sockets[0].socket.retransmits = 1;
	timeout_of(sk, 10 * CLOCK_SECOND);
	run_to(*state, 16 * CLOCK_SECOND);
	assert_int_equal(n_reported, 3);
	assert_int_equal(reported[2], PEER_SILENT_UNACKED);
}

/* The peer acknowledged, and new data already waits at the look: back now, silent later. */
static void test_listed_anew_before_the_look(void **state)
{
	__u64 sk = waits_for(0, 10);

	timeout_of(sk, CLOCK_SECOND);
	run_to(*state, 8 * CLOCK_SECOND);
	sockets[0].socket.snd_una += 10;
	sockets[0].socket.snd_nxt = sockets[0].socket.write_seq += 10;
	timeout_of(sk, 8 * CLOCK_SECOND + 100);
	run_to(*state, 9 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_int_equal(reported[1], PEER_BACK_ACKED);
	run_to(*state, 14 * CLOCK_SECOND);
	assert_int_equal(n_reported, 3);
	assert_int_equal(reported[2], PEER_SILENT_UNACKED);
}

static void test_ends_while_silent(void **state)
{
	__u64 lost = waits_for(0, 10), acked = waits_for(1, 10), reused = waits_for(2, 10);

	timeout_of(lost, CLOCK_SECOND);
	timeout_of(acked, CLOCK_SECOND);
	timeout_of(reused, CLOCK_SECOND);
	run_to(*state, 8 * CLOCK_SECOND);
	assert_int_equal(n_reported, 3);
	for (size_t i = 0; i < n_listed; i++)
		list[i].listed.ended = list[i].sk == lost ? 1 : list[i].sk == acked ? 2 : 0;
	sockets[2].socket.peer_port = 3; /* another connection has its address */
	last_looks[1] = sockets[1];
	assert_true(kept[0] && kept[1] && kept[2]);
	run_to(*state, 9 * CLOCK_SECOND);
	assert_false(kept[0] || kept[1] || kept[2]);
	assert_int_equal(n_reported, 4);
	assert_int_equal(reported[3], PEER_BACK_ACKED);
	assert_int_equal(reported_sk[3], acked);
	assert_int_equal(n_listed, 0);
	assert_int_equal(silent_peers_deadline(*state), 0);
}

/* What is said of it is what it was when it ended. */
static void test_last_look_is_told(void **state)
{
	__u64 sk = waits_for(0, 10);

	timeout_of(sk, CLOCK_SECOND);
	run_to(*state, 8 * CLOCK_SECOND);
	last_looks[0] = sockets[0];
	last_looks[0].time_ns = 7 * CLOCK_SECOND;
	last_looks[0].socket.state = TCP_LAST_ACK;
	last_looks[0].socket.snd_una = last_looks[0].socket.snd_nxt;
	last_looks[0].socket.bytes_acked = 10;
	list[0].listed.ended = 2;
	keeps = true;
	run_to(*state, 9 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_int_equal(newest->verdict.cause, PEER_BACK_ACKED);
	assert_int_equal(newest->record->time_ns, 7 * CLOCK_SECOND);
	assert_int_equal(newest->record->socket.state, TCP_LAST_ACK);
	assert_int_equal(newest->record->socket.bytes_acked, 10);
	event_free(newest);
}

/* No look at the end, or one at another connection: nothing true can be said. */
static void test_no_last_look_no_event(void **state)
{
	__u64 none = waits_for(0, 10), other = waits_for(1, 10);

	timeout_of(none, CLOCK_SECOND);
	timeout_of(other, CLOCK_SECOND);
	run_to(*state, 8 * CLOCK_SECOND);
	last_looks[1] = sockets[1];
	last_looks[1].socket.peer_port = 77;
	list[0].listed.ended = list[1].listed.ended = 2;
	run_to(*state, 9 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_int_equal(n_listed, 0);
}

#define FOUND                                                                                                          \
	{                                                                                                              \
		.via = VIA_HOLDER, .process = {.tgid = 7, .start_boot_ns = 70 }                                        \
	}
static const struct owner found = FOUND;

static void owner_of_silence(struct silent_peers *s, __u64 sk, struct owner owner)
{
	struct event *event = event_found(&sockets[sk / 64 - 1], PEER_SILENT_UNACKED);

	event->owner = owner;
	silent_peers_note(s, event);
	event_free(event);
}

/* The owner of the peer_back of a connection that has just ended, whose own search found `owner`. */
static struct owner owner_of_back(struct silent_peers *s, __u64 sk, struct owner owner)
{
	last_looks[sk / 64 - 1] = sockets[sk / 64 - 1];
	list[0].listed.ended = 2;
	keeps = true;
	run_to(s, 9 * CLOCK_SECOND);
	assert_int_equal(newest->verdict.cause, PEER_BACK_ACKED);
	newest->owner = owner;
	silent_peers_note(s, newest);
	owner = newest->owner;
	event_free(newest);
	return owner;
}

static void test_back_has_the_owner_of_the_silence(void **state)
{
	static const struct {
		struct owner then, now;
		__u32 tgid;
		enum owner_unknown unknown;
	} cases[] = {
		{FOUND, {.unknown = UNKNOWN_HOLDER_GONE}, 7, UNKNOWN_NONE},
		{FOUND, {.unknown = UNKNOWN_NOT_SEEN}, 7, UNKNOWN_NONE},
		{FOUND, {.unknown = UNKNOWN_SHARED}, 0, UNKNOWN_SHARED},
		{FOUND, {.via = VIA_CLOSER, .process = {.tgid = 8}}, 8, UNKNOWN_NONE},
		{{.unknown = UNKNOWN_SHARED}, {.unknown = UNKNOWN_HOLDER_GONE}, 0, UNKNOWN_HOLDER_GONE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct owner owner;
		__u64 sk;

		if (i)
			begin(state);
		sk = waits_for(0, 10);
		timeout_of(sk, CLOCK_SECOND);
		run_to(*state, 8 * CLOCK_SECOND);
		owner_of_silence(*state, sk, cases[i].then);
		owner = owner_of_back(*state, sk, cases[i].now);
		assert_int_equal(owner.process.tgid, cases[i].tgid);
		assert_int_equal(owner.unknown, cases[i].unknown);
		assert_int_equal(!owner.via, !cases[i].tgid);
		if (i + 1 < sizeof(cases) / sizeof(*cases))
			silent_peers_free(*state);
	}
}

/* The search for the owner of the silence took longer than the silence. */
static void test_owner_of_the_silence_comes_late(void **state)
{
	__u64 sk = waits_for(0, 10);

	timeout_of(sk, CLOCK_SECOND);
	run_to(*state, 8 * CLOCK_SECOND);
	last_looks[0] = sockets[0];
	list[0].listed.ended = 2;
	keeps = true;
	run_to(*state, 9 * CLOCK_SECOND);
	owner_of_silence(*state, sk, found);
	newest->owner = (struct owner){.unknown = UNKNOWN_HOLDER_GONE};
	silent_peers_note(*state, newest);
	assert_int_equal(newest->owner.process.tgid, 7);
	event_free(newest);
}

static void test_fin_alone_is_no_data(void **state)
{
	__u64 sk = waits_for(0, 1);

	sockets[0].socket.state = TCP_FIN_WAIT1;
	timeout_of(sk, CLOCK_SECOND);
	run_to(*state, 8 * CLOCK_SECOND);
	assert_int_equal(n_reported, 0);
	assert_int_equal(n_listed, 0);
}

static void test_closed_window_that_answers_is_not_silent(void **state)
{
	__u64 sk = waits_for(0, 10);

	sockets[0].socket.snd_wnd = 0;
	sockets[0].socket.heard_ms = 4;
	timeout_of(sk, CLOCK_SECOND);
	run_to(*state, 20 * CLOCK_SECOND);
	assert_int_equal(n_reported, 0);
	sockets[0].socket.heard_ms = 400000;
	run_to(*state, 21 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
}

static void test_lists_sockets_that_waited_before(void **state)
{
	waits_for(0, 10);
	waits_for(1, 10);
	sockets[1].socket.retransmits = 0;
	silent_peers_seed(*state, &sockets[0]);
	silent_peers_seed(*state, &sockets[1]);
	assert_int_equal(n_listed, 1);
	silent_peers_tick(*state, 1);
	assert_true(silent_peers_deadline(*state) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_idle_has_no_deadline),
		TEST(test_reported_once_at_the_threshold),
		TEST(test_recovered_peers_are_forgotten),
		TEST(test_back_and_silent_again),
		TEST(test_listed_anew_before_the_look),
		TEST(test_ends_while_silent),
		TEST(test_last_look_is_told),
		TEST(test_no_last_look_no_event),
		TEST(test_back_has_the_owner_of_the_silence),
		TEST(test_owner_of_the_silence_comes_late),
		TEST(test_fin_alone_is_no_data),
		TEST(test_closed_window_that_answers_is_not_silent),
		TEST(test_lists_sockets_that_waited_before),
	};

	return cmocka_run_group_tests_name("silent", tests, NULL, NULL);
}
