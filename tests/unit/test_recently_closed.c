/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Recently closed connections: the owner of one that gets data after its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "who/recently_closed.h"

#define NOW 5000000000ULL

static struct lp_ended slots[LP_ENDED];
static struct recently_closed *gone;
static struct {
	unsigned reported;
	struct lp_record stray;
	struct recently_closed_end end;
} out;

static void on_done(void *context, struct event *stray, const struct recently_closed_end *end)
{
	(void)context;
	out.reported++;
	out.stray = *stray->record;
	out.end = *end;
	event_free(stray);
}

static void note(const struct lp_record *end, enum lp_cause cause, const struct lp_task *owner)
{
	struct event event = {.record = end, .verdict = {.cause = cause}};

	if (owner)
		event.owner = (struct owner){.via = VIA_HOLDER, .process = *owner};
	recently_closed_note(gone, &event);
}

static int begin(void **state)
{
	(void)state;
	memset(slots, 0, sizeof(slots));
	memset(&out, 0, sizeof(out));
	gone = recently_closed_new(slots, on_done, NULL);
	return gone ? 0 : -1;
}

static int finish(void **state)
{
	(void)state;
	recently_closed_free(gone);
	return 0;
}

/* A record of the socket at address sk: 192.0.2.1:port to 192.0.2.2:443. */
static struct lp_record record(enum lp_kind kind, __u64 time_ns, __u16 port, __u64 sk)
{
	struct lp_record r = {.kind = (__u8)kind,
			      .time_ns = time_ns,
			      .socket.sk = sk,
			      .socket.family = AF_INET,
			      .socket.local_port = port,
			      .socket.peer_port = 443,
			      .socket.netns = 7,
			      .socket.state = TCP_CLOSE};

	inet_pton(AF_INET, "192.0.2.1", r.socket.local_addr);
	inet_pton(AF_INET, "192.0.2.2", r.socket.peer_addr);
	return r;
}

static struct lp_task task(__u32 tgid)
{
	return (struct lp_task){.tgid = tgid, .start_boot_ns = 1, .comm = "server"};
}

static void fill_slot(struct lp_ended *slot, const struct lp_record *r, __u8 state, __u32 tgid)
{
	*slot = (struct lp_ended){.time_ns = r->time_ns, .socket = r->socket.identity, .owner = task(tgid)};
	slot->socket.state = state;
	slot->socket.flags = LP_F_ACCEPTED;
}

/* Data comes at NOW for the connection that had this port. */
static void stray_comes(__u16 port)
{
	struct lp_record stray = record(LP_KIND_STRAY, NOW, port, 0);

	recently_closed_add(gone, event_new(&stray));
	recently_closed_tick(gone, NOW + RECENTLY_CLOSED_WAIT_NS);
	assert_int_equal(out.reported, 1);
}

static void orderly_end_has_its_closer(void **state)
{
	struct lp_record end = record(LP_KIND_CLOSE, NOW - 10, 1000, 1);

	(void)state;
	fill_slot(&slots[17], &end, TCP_FIN_WAIT2, 42);
	stray_comes(1000);
	assert_int_equal(out.end.ended.owner.tgid, 42);
	assert_int_equal(out.end.cause, LOCAL_CLOSED_CLOSE);
	assert_int_equal(out.end.ended.time_ns, NOW - 10);
	assert_int_equal(out.end.ended.socket.flags, LP_F_ACCEPTED);
	assert_true(recently_closed_is_news(&out.end));
}

static void other_connections_are_not_it(void **state)
{
	struct lp_record end = record(LP_KIND_CLOSE, NOW - 10, 1000, 1), other;

	(void)state;
	other = end;
	other.socket.netns = 8;
	fill_slot(&slots[0], &other, TCP_FIN_WAIT2, 1);
	other = end;
	other.socket.peer_port = 444;
	fill_slot(&slots[1], &other, TCP_FIN_WAIT2, 2);
	other = end;
	inet_pton(AF_INET, "192.0.2.3", other.socket.peer_addr);
	fill_slot(&slots[2], &other, TCP_FIN_WAIT2, 3);
	other = end;
	other.time_ns = NOW + 1; /* ended after the data came */
	fill_slot(&slots[3], &other, TCP_FIN_WAIT2, 4);
	stray_comes(1000);
	assert_int_equal(out.end.ended.time_ns, 0);
	assert_int_equal(out.end.ended.owner.tgid, 0);
	assert_true(recently_closed_is_news(&out.end));
}

/* The same addresses on two links. */
static void twin_of_another_interface_is_not_it(void **state)
{
	struct lp_record one = record(LP_KIND_CLOSE, NOW - 20, 1000, 1), two = record(LP_KIND_CLOSE, NOW - 10, 1000, 2);
	struct lp_record stray = record(LP_KIND_STRAY, NOW, 1000, 0);

	(void)state;
	one.socket.interface = 3;
	two.socket.interface = 4;
	fill_slot(&slots[0], &one, TCP_FIN_WAIT2, 1);
	fill_slot(&slots[1], &two, TCP_FIN_WAIT2, 2);
	stray.socket.interface = 3;
	recently_closed_add(gone, event_new(&stray));
	stray.socket.interface = 5;
	recently_closed_add(gone, event_new(&stray));
	recently_closed_tick(gone, NOW + RECENTLY_CLOSED_WAIT_NS);
	assert_int_equal(out.reported, 2);
	assert_int_equal(out.end.ended.time_ns, 0);
	slots[1].socket.interface = 0; /* it takes what comes by any */
	recently_closed_add(gone, event_new(&stray));
	recently_closed_tick(gone, NOW + RECENTLY_CLOSED_WAIT_NS);
	assert_int_equal(out.end.ended.owner.tgid, 2);
	slots[1].time_ns = 0;
	stray.socket.interface = 3;
	recently_closed_add(gone, event_new(&stray));
	recently_closed_tick(gone, NOW + RECENTLY_CLOSED_WAIT_NS);
	assert_int_equal(out.end.ended.owner.tgid, 1);
}

static void last_of_several_is_named(void **state)
{
	struct lp_record first = record(LP_KIND_CLOSE, NOW - 30, 1000, 1),
			 last = record(LP_KIND_CLOSE, NOW - 10, 1000, 2);

	(void)state;
	fill_slot(&slots[5], &last, TCP_FIN_WAIT2, 2);
	fill_slot(&slots[9], &first, TCP_FIN_WAIT2, 1);
	stray_comes(1000);
	assert_int_equal(out.end.ended.owner.tgid, 2);
}

static void mapped_socket_gets_plain_segments(void **state)
{
	struct lp_record end = record(LP_KIND_CLOSE, NOW - 10, 1000, 1);

	(void)state;
	end.socket.family = AF_INET6;
	inet_pton(AF_INET6, "::ffff:192.0.2.1", end.socket.local_addr);
	inet_pton(AF_INET6, "::ffff:192.0.2.2", end.socket.peer_addr);
	fill_slot(&slots[LP_ENDED - 1], &end, TCP_FIN_WAIT2, 42);
	stray_comes(1000);
	assert_int_equal(out.end.ended.owner.tgid, 42);
}

static void slot_under_way_is_not_read(void **state)
{
	struct lp_record end = record(LP_KIND_CLOSE, NOW - 10, 1000, 1);

	(void)state;
	fill_slot(&slots[0], &end, TCP_FIN_WAIT2, 42);
	slots[0].time_ns = 0;
	stray_comes(1000);
	assert_int_equal(out.end.ended.time_ns, 0);
}

static void judged_end_has_its_cause_and_owner(void **state)
{
	struct lp_record end = record(LP_KIND_CLOSE, NOW - 1000, 1000, 1);
	struct lp_task owner = task(43);

	(void)state;
	fill_slot(&slots[0], &end, TCP_ESTABLISHED, 0);
	slots[0].time_ns += 500; /* the BPF program writes it a little later than the record */
	note(&end, PEER_LOST_RETRANSMIT_TIMEOUT, NULL);
	note(&end, PEER_LOST_RETRANSMIT_TIMEOUT, &owner);
	stray_comes(1000);
	assert_int_equal(out.end.cause, PEER_LOST_RETRANSMIT_TIMEOUT);
	assert_int_equal(out.end.ended.owner.tgid, 43);
	assert_true(recently_closed_is_news(&out.end));
}

/* The slot is another connection's: the same addresses, but it ended long after the judged one. */
static void judged_before_is_another_connection(void **state)
{
	struct lp_record judged = record(LP_KIND_CLOSE, NOW - 3000000000ULL, 1000, 1), end = judged;

	(void)state;
	end.time_ns = NOW - 10;
	note(&judged, LOCAL_RESET_LINGER, NULL);
	fill_slot(&slots[0], &end, TCP_FIN_WAIT2, 42);
	stray_comes(1000);
	assert_int_equal(out.end.cause, LOCAL_CLOSED_CLOSE);
	assert_true(recently_closed_is_news(&out.end));
}

static void data_in_flight_at_a_reset_is_not_reported(void **state)
{
	static const enum lp_cause ends[] = {
		LOCAL_RESET_LINGER,    LOCAL_RESET_UNREAD_DATA, LOCAL_RESET_DATA_AFTER_CLOSE,
		LOCAL_RESET_DESTROYED, PEER_LOST_RESET,         CONNECT_FAILED_REFUSED};

	(void)state;
	for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		struct lp_record end = record(LP_KIND_CLOSE, NOW - 10, (__u16)(1000 + i), i + 1);

		out.reported = 0;
		note(&end, ends[i], NULL);
		stray_comes((__u16)(1000 + i));
		assert_false(recently_closed_is_news(&out.end));
	}
}

static void only_a_remembered_close_is_ours(void **state)
{
	static const struct {
		enum lp_cause cause;
		__u8 slot_state; /* 0: none */
		__u32 flags;
		bool judged, by_us;
	} ends[] = {
		{CAUSE_NONE, TCP_FIN_WAIT2, 0, false, true},
		{CAUSE_NONE, TCP_ESTABLISHED, 0, false, false}, /* TCP_REPAIR, or its record is forgotten */
		{CAUSE_NONE, TCP_CLOSE_WAIT, LP_F_DEAD, false, true},
		{LOCAL_CLOSED_CLOSE, 0, 0, true, true},
		{PEER_LOST_RETRANSMIT_TIMEOUT, TCP_ESTABLISHED, 0, true, false}, /* a process held it */
		{PEER_LOST_RETRANSMIT_TIMEOUT, 0, LP_F_DEAD, true, true},        /* an orphan */
		{PEER_LOST_KEEPALIVE_TIMEOUT, 0, 0, true, false},
		{CAUSE_NONE, 0, 0, false, false}, /* nothing is remembered */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		struct lp_record end = record(LP_KIND_CLOSE, NOW - 10, (__u16)(1000 + i), i + 1);
		struct lp_task owner = task(43);

		if (ends[i].slot_state) {
			fill_slot(&slots[i], &end, ends[i].slot_state, 42);
			slots[i].socket.flags |= ends[i].flags;
		}
		end.socket.flags = ends[i].flags | LP_F_SOCKET;
		if (ends[i].judged)
			note(&end, ends[i].cause, &owner);
		out.reported = 0;
		stray_comes((__u16)(1000 + i));
		assert_int_equal(recently_closed_by_us(&out.end), ends[i].by_us);
		assert_true(recently_closed_is_news(&out.end));
		if (ends[i].judged)
			assert_int_equal(out.end.via, VIA_HOLDER);
		else if (ends[i].slot_state)
			assert_int_equal(out.end.via, VIA_CLOSER);
	}
}

static void stray_waits_for_pending_judgements(void **state)
{
	struct lp_record stray = record(LP_KIND_STRAY, NOW, 1000, 0), end = record(LP_KIND_CLOSE, NOW - 10, 1000, 1);

	(void)state;
	recently_closed_add(gone, event_new(&stray));
	assert_int_equal(recently_closed_deadline(gone), NOW + RECENTLY_CLOSED_WAIT_NS);
	recently_closed_tick(gone, NOW + RECENTLY_CLOSED_WAIT_NS - 1);
	assert_int_equal(out.reported, 0);
	assert_int_equal(recently_closed_count(gone), 1);
	note(&end, LOCAL_RESET_LINGER, NULL);
	recently_closed_tick(gone, NOW + RECENTLY_CLOSED_WAIT_NS);
	assert_int_equal(out.reported, 1);
	assert_int_equal(out.end.cause, LOCAL_RESET_LINGER);
	assert_int_equal(recently_closed_deadline(gone), 0);
}

static void full_queue_reports_the_oldest(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RECENTLY_CLOSED_WAITING + 2; i++) {
		struct lp_record stray = record(LP_KIND_STRAY, NOW + i, (__u16)(1 + i), 0);

		recently_closed_add(gone, event_new(&stray));
	}
	assert_int_equal(out.reported, 2);
	assert_int_equal(out.stray.socket.local_port, 2);
	recently_closed_finish(gone);
	assert_int_equal(out.reported, RECENTLY_CLOSED_WAITING + 2);
	assert_int_equal(recently_closed_count(gone), 0);
}

static void oldest_judged_gives_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= RECENTLY_CLOSED_JUDGED; i++) {
		struct lp_record end = record(LP_KIND_CLOSE, 1000 + i, (__u16)(1 + i), i + 1);

		note(&end, PEER_LOST_KEEPALIVE_TIMEOUT, NULL);
	}
	stray_comes(1);
	assert_int_equal(out.end.ended.time_ns, 0);
	out.reported = 0;
	stray_comes(2);
	assert_int_equal(out.end.cause, PEER_LOST_KEEPALIVE_TIMEOUT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	const struct CMUnitTest tests[] = {
		TEST(orderly_end_has_its_closer),
		TEST(other_connections_are_not_it),
		TEST(twin_of_another_interface_is_not_it),
		TEST(last_of_several_is_named),
		TEST(mapped_socket_gets_plain_segments),
		TEST(slot_under_way_is_not_read),
		TEST(judged_end_has_its_cause_and_owner),
		TEST(judged_before_is_another_connection),
		TEST(data_in_flight_at_a_reset_is_not_reported),
		TEST(only_a_remembered_close_is_ours),
		TEST(stray_waits_for_pending_judgements),
		TEST(full_queue_reports_the_oldest),
		TEST(oldest_judged_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
