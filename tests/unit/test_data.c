/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Payload computed from sequence numbers: it never includes SYN and FIN, in any state and across the 32-bit wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "event/data.h"
#include "facts.h"

struct queue_vector {
	const char *name;
	struct facts in;
	__u32 unread, unacked, unsent, waiting;
};

/* `unack` and `unsent` of the facts count SYN and FIN as the kernel's sequence numbers do. */
static const struct queue_vector queues[] = {
	{"nothing_at_stake", {TCP_ESTABLISHED, HELD, .err = 0}, 0, 0, 0, 0},
	{"established", {TCP_ESTABLISHED, HELD, .unack = 900, .unsent = 500, .unread = 70}, 70, 400, 500, 900},
	{"established_all_in_flight", {TCP_ESTABLISHED, HELD, .unack = 900}, 0, 900, 0, 900},
	{"established_nothing_sent_yet", {TCP_ESTABLISHED, HELD, .unack = 900, .unsent = 900}, 0, 0, 900, 900},
	{"close_wait", {TCP_CLOSE_WAIT, HELD, FIN_IN, .unack = 40, .unread = 500}, 500, 40, 0, 40},
	{"close_wait_all_read", {TCP_CLOSE_WAIT, HELD, FIN_IN, .unread = 0}, 0, 0, 0, 0},
	{"fin_just_arrived", {TCP_ESTABLISHED, HELD, FIN_IN, .unread = 10, .kind = LP_KIND_PEER_FIN}, 10, 0, 0, 0},
	{"fin_just_arrived_alone", {TCP_ESTABLISHED, HELD, FIN_IN, .kind = LP_KIND_PEER_FIN}, 0, 0, 0, 0},
	{"syn_sent", {TCP_SYN_SENT, HELD, CLIENT, .unack = 1}, 0, 0, 0, 0},
	{"syn_sent_with_fast_open_data", {TCP_SYN_SENT, HELD, CLIENT, .unack = 101}, 0, 100, 0, 100},
	{"syn_never_sent", {TCP_SYN_SENT, HELD, CLIENT, .unack = 0}, 0, 0, 0, 0},
	{"syn_sent_by_a_socket_not_remembered", {TCP_SYN_SENT, HELD, .unack = 1}, 0, 0, 0, 0},
	{"syn_sent_before_the_agent", {TCP_SYN_SENT, HELD, LP_F_SEEDED, .unack = 1}, 0, 0, 0, 0},
	{"syn_recv_of_a_simultaneous_open", {TCP_SYN_RECV, HELD, CLIENT, .unack = 1}, 0, 0, 0, 0},
	{"syn_recv_of_fast_open", {TCP_SYN_RECV, HELD, LP_F_ACCEPTED, .unack = 50, .unread = 100}, 100, 50, 0, 50},
	{"syn_recv_of_fast_open_unaccepted", {TCP_SYN_RECV, QUEUED, .unread = 100}, 100, 0, 0, 0},
	{"fin_wait1", {TCP_FIN_WAIT1, ORPHAN, .unack = 901}, 0, 900, 0, 901},
	{"fin_wait1_only_the_fin", {TCP_FIN_WAIT1, HELD, .shut = 2, .unack = 1}, 0, 0, 0, 1},
	{"fin_wait1_only_the_fin_unsent", {TCP_FIN_WAIT1, HELD, .shut = 2, .unack = 1, .unsent = 1}, 0, 0, 0, 1},
	{"fin_wait1_the_fin_unsent", {TCP_FIN_WAIT1, ORPHAN, .unack = 901, .unsent = 501}, 0, 400, 500, 901},
	{"fin_wait1_only_the_fin_unsent_behind_data",
	 {TCP_FIN_WAIT1, ORPHAN, .unack = 401, .unsent = 1},
	 0,
	 400,
	 0,
	 401},
	{"fin_wait2", {TCP_FIN_WAIT2, ORPHAN, .unack = 0}, 0, 0, 0, 0},
	{"fin_wait2_with_data_unread", {TCP_FIN_WAIT2, HELD, FIN_IN, .shut = 3, .unread = 300}, 300, 0, 0, 0},
	{"closing_only_the_fin", {TCP_CLOSING, ORPHAN, FIN_IN, .unack = 1}, 0, 0, 0, 1},
	{"closing_with_payload", {TCP_CLOSING, ORPHAN, FIN_IN, .unack = 41, .unread = 7}, 7, 40, 0, 41},
	{"closing_done", {TCP_CLOSING, ORPHAN, FIN_IN, .unack = 0}, 0, 0, 0, 0},
	{"last_ack_only_the_fin", {TCP_LAST_ACK, ORPHAN, FIN_IN, .unack = 1}, 0, 0, 0, 1},
	{"last_ack_with_payload_unsent", {TCP_LAST_ACK, ORPHAN, FIN_IN, .unack = 41, .unsent = 11}, 0, 30, 10, 41},
	{"last_ack_done", {TCP_LAST_ACK, ORPHAN, FIN_IN, .unack = 0}, 0, 0, 0, 0},
	{"across_the_wrap",
	 {TCP_ESTABLISHED, HELD, .unack = 0x300, .unsent = 0x180, .unread = 0x80},
	 0x80,
	 0x180,
	 0x180,
	 0x300},
};

static void test_queue(void **state)
{
	const struct queue_vector *v = *state;
	struct lp_record r = record_of(&v->in);
	struct data d = data_of(&r.socket);

	assert_int_equal(d.unread, v->unread);
	assert_int_equal(d.unacked, v->unacked);
	assert_int_equal(d.unsent, v->unsent);
	if (v->in.state != TCP_SYN_SENT &&
	    v->in.state != TCP_SYN_RECV) /* in SYN_RECV it does not matter whether the SYN counts as waiting */
		assert_int_equal(d.waiting, v->waiting);
}

struct total_vector {
	const char *name;
	struct facts in;
	__u64 acked, received; /* the kernel's counts */
	__u64 sent_bytes, received_bytes;
};

static const struct total_vector totals[] = {
	/* bytes_acked includes the acknowledgement of our SYN but not of our SYN-ACK */
	{"client", {TCP_ESTABLISHED, HELD, CLIENT, .err = 0}, 1001, 70, 1000, 70},
	{"restored", {TCP_ESTABLISHED, HELD, LP_F_RESTORED, .err = 0}, 13, 70, 13, 70},
	{"client_that_sent_nothing", {TCP_ESTABLISHED, HELD, CLIENT, .err = 0}, 1, 0, 0, 0},
	{"server", {TCP_ESTABLISHED, HELD, LP_F_ACCEPTED, .err = 0}, 1000, 70, 1000, 70},
	{"server_that_sent_nothing", {TCP_ESTABLISHED, HELD, LP_F_ACCEPTED, .err = 0}, 0, 70, 0, 70},
	{"client_past_4_gib",
	 {TCP_ESTABLISHED, HELD, CLIENT, .err = 0},
	 5000000001,
	 6000000000,
	 5000000000,
	 6000000000},
	{"client_after_the_peers_fin", {TCP_CLOSE_WAIT, HELD, CLIENT | FIN_IN, .shut = 1}, 1001, 71, 1000, 70},
	{"server_after_the_peers_fin", {TCP_CLOSE_WAIT, HELD, LP_F_ACCEPTED | FIN_IN, .shut = 1}, 1000, 71, 1000, 70},
	{"client_our_fin_in_flight", {TCP_FIN_WAIT1, ORPHAN, CLIENT, .unack = 1}, 1001, 70, 1000, 70},
	{"client_our_fin_acknowledged", {TCP_FIN_WAIT2, ORPHAN, CLIENT, .err = 0}, 1002, 70, 1000, 70},
	{"server_our_fin_acknowledged", {TCP_FIN_WAIT2, ORPHAN, LP_F_ACCEPTED, .err = 0}, 1001, 70, 1000, 70},
	{"server_our_fin_acknowledged_and_nothing_sent", {TCP_FIN_WAIT2, ORPHAN, LP_F_ACCEPTED, .err = 0}, 1, 0, 0, 0},
	{"client_our_fin_acknowledged_and_nothing_sent", {TCP_FIN_WAIT2, ORPHAN, CLIENT, .err = 0}, 2, 0, 0, 0},
	{"both_fins", {TCP_FIN_WAIT2, HELD, CLIENT | FIN_IN, .shut = 3}, 1002, 71, 1000, 70},
	{"closing_our_fin_in_flight", {TCP_CLOSING, ORPHAN, CLIENT | FIN_IN, .unack = 1}, 1001, 71, 1000, 70},
	{"closing_our_fin_acknowledged", {TCP_CLOSING, ORPHAN, CLIENT | FIN_IN, .unack = 0}, 1002, 71, 1000, 70},
	{"last_ack_our_fin_in_flight", {TCP_LAST_ACK, ORPHAN, LP_F_ACCEPTED | FIN_IN, .unack = 1}, 1000, 71, 1000, 70},
	{"last_ack_our_fin_acknowledged",
	 {TCP_LAST_ACK, ORPHAN, LP_F_ACCEPTED | FIN_IN, .unack = 0},
	 1001,
	 71,
	 1000,
	 70},
	{"syn_recv_of_fast_open", {TCP_SYN_RECV, HELD, LP_F_ACCEPTED, .unread = 100}, 0, 100, 0, 100},
};

static void test_total(void **state)
{
	const struct total_vector *v = *state;
	struct lp_record r = record_of(&v->in);
	struct data d;

	r.socket.bytes_acked = v->acked;
	r.socket.bytes_received = v->received;
	d = data_of(&r.socket);
	assert_true(d.sent == v->sent_bytes);
	assert_true(d.received == v->received_bytes);
}

static void test_a_mapped_peer_is_ipv4(void **state)
{
	struct lp_record mapped = record_of(&(struct facts){.mapped = true});
	struct lp_record v6 = record_of(&(struct facts){.family = AF_INET6});
	struct lp_record v4 = record_of(&(struct facts){.family = AF_INET});

	(void)state;
	assert_true(data_is_mapped(&mapped.socket));
	assert_false(data_is_mapped(&v6.socket));
	assert_false(data_is_mapped(&v4.socket));
}

/* A look at a socket that lives reads its numbers one after the other. */
static void test_no_span_is_negative(void **state)
{
	struct lp_record r = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .err = 0});
	struct data d;

	(void)state;
	r.socket.copied_seq = r.socket.rcv_nxt + 5;
	r.socket.snd_una = r.socket.snd_nxt + 7;
	r.socket.write_seq = r.socket.snd_nxt - 1;
	d = data_of(&r.socket);
	assert_int_equal(d.unread, 0);
	assert_int_equal(d.unacked, 0);
	assert_int_equal(d.unsent, 0);
	assert_int_equal(d.waiting, 0);
}

static void test_what_lies_aside_is_counted_or_left_out(void **state)
{
	struct lp_record r = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .unread = 30});

	(void)state;
	r.socket.aside = 500;
	assert_int_equal(data_of(&r.socket).unread, 530);
	assert_false(data_of(&r.socket).unread_unknown);
	assert_false(data_of(&r.socket).unsent_unknown);
	r.socket.flags |= LP_F_UNREAD_MORE; /* something else is counted */
	assert_false(data_of(&r.socket).unread_unknown);
	r.socket.aside = 0;
	r.socket.copied_seq = r.socket.rcv_nxt;
	assert_true(data_of(&r.socket).unread_unknown);
	r.socket.flags = LP_F_UNREAD_UNKNOWN | LP_F_UNSENT_UNKNOWN;
	r.socket.aside = 500;
	assert_true(data_of(&r.socket).unread_unknown);
	assert_true(data_of(&r.socket).unsent_unknown);
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

int main(void)
{
	struct CMUnitTest tests[COUNT(queues) + COUNT(totals) + 3] = {
		cmocka_unit_test(test_a_mapped_peer_is_ipv4),
		cmocka_unit_test(test_no_span_is_negative),
		cmocka_unit_test(test_what_lies_aside_is_counted_or_left_out),
	};
	size_t n = 3;

	for (size_t i = 0; i < COUNT(queues); i++)
		tests[n++] = (struct CMUnitTest){
			.name = queues[i].name,
			.test_func = test_queue,
			.initial_state = (void *)(uintptr_t)&queues[i],
		};
	for (size_t i = 0; i < COUNT(totals); i++)
		tests[n++] = (struct CMUnitTest){
			.name = totals[i].name,
			.test_func = test_total,
			.initial_state = (void *)(uintptr_t)&totals[i],
		};
	return _cmocka_run_group_tests("data", tests, n, NULL, NULL);
}
