/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Causes on our side: orderly ends, our resets, cases without an event, and the closes that must wait for a RST that
 * may follow. Facts as the hooks saw them on real kernels.
 */
#include "vector.h"

#include <errno.h>

#define CLOSED(phase) .out = {LOCAL_CLOSED_CLOSE, BY_LOCAL, phase, CAUSE_NONE}

static const struct vector local_closed[] = {
	{"closed_and_our_fin_acknowledged", {TCP_FIN_WAIT2, ORPHAN, .err = 0}, CLOSED(PHASE_ORPHANED)},
	{"closed_while_close_lingers", {TCP_FIN_WAIT2, ORPHAN, OWN, .err = 0}, CLOSED(PHASE_ORPHANED)},
	{"closed_and_fin_wait2_ran_out", {TCP_FIN_WAIT2, ORPHAN, .err = 0}, CLOSED(PHASE_ORPHANED)},
	{"closed_subflow", {TCP_FIN_WAIT2, ORPHAN, LP_F_MPTCP | FIN_IN, .err = 0}, CLOSED(PHASE_ORPHANED)},
	{"shut_down_then_the_peer_closed", {TCP_FIN_WAIT2, HELD, FIN_IN, .shut = 3}, CLOSED(PHASE_CLOSING)},
	{"shut_down_then_the_peer_closed_while_locked",
	 {TCP_FIN_WAIT2, HELD, OWN | FIN_IN, .shut = 3},
	 CLOSED(PHASE_CLOSING)},
	{"shut_down_then_the_peer_closed_with_data_unread",
	 {TCP_FIN_WAIT2, HELD, FIN_IN, .shut = 3, .unread = 300},
	 CLOSED(PHASE_CLOSING)},
	{"shut_down_then_the_peer_closed_with_linger2_below_0",
	 {TCP_FIN_WAIT2, HELD, FIN_IN | LP_F_LINGER2, .shut = 3},
	 CLOSED(PHASE_CLOSING)},
	{"both_closed_at_once", {TCP_CLOSING, ORPHAN, FIN_IN, .err = 0}, CLOSED(PHASE_ORPHANED)},
	{"both_closed_at_once_in_process_context",
	 {TCP_CLOSING, ORPHAN, OWN | FIN_IN, .err = 0},
	 CLOSED(PHASE_ORPHANED)},
	{"both_shut_down_at_once", {TCP_CLOSING, HELD, FIN_IN, .shut = 3}, CLOSED(PHASE_CLOSING)},
	{"rst_with_only_our_fin_unacknowledged",
	 {TCP_FIN_WAIT1, ORPHAN, RST_IN, .err = ECONNRESET, .unack = 1},
	 CLOSED(PHASE_ORPHANED)},
	{"rst_in_fin_wait2_of_an_orphan", {TCP_FIN_WAIT2, ORPHAN, RST_IN, .err = ECONNRESET}, CLOSED(PHASE_ORPHANED)},
	{"rst_in_closing",
	 {TCP_CLOSING, ORPHAN, RST_IN | FIN_IN, .err = ECONNRESET, .unack = 1},
	 CLOSED(PHASE_ORPHANED)},
	{"rst_in_closing_still_held",
	 {TCP_CLOSING, HELD, RST_IN | FIN_IN, .err = ECONNRESET, .shut = 3, .unack = 1},
	 CLOSED(PHASE_CLOSING)},
	{"timeout_with_only_our_fin_unacknowledged",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 1, .retr = 8},
	 CLOSED(PHASE_ORPHANED)},
	{"user_timeout_with_only_our_fin_unacknowledged",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 1, .user_timeout_ms = 1500},
	 CLOSED(PHASE_ORPHANED)},
	{"timeout_with_only_our_fin_and_that_unsent",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 1, .unsent = 1, .probes = 3},
	 CLOSED(PHASE_ORPHANED)},
	{"timeout_with_an_icmp_error_and_only_our_fin_unacknowledged",
	 {TCP_FIN_WAIT1, ORPHAN, .err = EHOSTUNREACH, .soft = EHOSTUNREACH, .unack = 1, .retr = 8},
	 CLOSED(PHASE_ORPHANED)},
	{"timeout_in_closing", {TCP_CLOSING, ORPHAN, FIN_IN, .err = ETIMEDOUT, .unack = 1}, CLOSED(PHASE_ORPHANED)},
	{"timeout_in_closing_still_held",
	 {TCP_CLOSING, HELD, FIN_IN, .err = ETIMEDOUT, .shut = 3, .unack = 1},
	 CLOSED(PHASE_CLOSING)},
	/* an ICMP error that IP_RECVERR left unread in sk_err does not end the connection */
	{"closed_with_an_icmp_error_pending",
	 {TCP_FIN_WAIT2, ORPHAN, .err = EHOSTUNREACH, .soft = EHOSTUNREACH},
	 CLOSED(PHASE_ORPHANED)},
	{"orderly_or_data_after_close_without_the_hook",
	 {TCP_FIN_WAIT2, ORPHAN, RST_IN, .err = ECONNRESET},
	 .out = {LOCAL_CLOSED_CLOSE, BY_LOCAL, PHASE_ORPHANED, LOCAL_RESET_DATA_AFTER_CLOSE},
	 .lacks = LACKS_SEND_RESET},
	{"acknowledged_with_data_or_without_where_the_hook_is_missing",
	 {TCP_FIN_WAIT2, ORPHAN, .err = 0},
	 .out = {LOCAL_CLOSED_CLOSE, BY_LOCAL, PHASE_ORPHANED, LOCAL_RESET_DATA_AFTER_CLOSE},
	 .lacks = LACKS_SEND_RESET},
	{"no_data_follows_the_fin_of_the_peer",
	 {TCP_FIN_WAIT2, ORPHAN, FIN_IN, .err = 0},
	 .out = {LOCAL_CLOSED_CLOSE, BY_LOCAL, PHASE_ORPHANED, CAUSE_NONE},
	 .lacks = LACKS_SEND_RESET},
};

#define OURS(cause, phase) .out = {LOCAL_RESET_##cause, BY_LOCAL, phase, CAUSE_NONE}
#define OURS_BY(cause, by, phase) .out = {LOCAL_RESET_##cause, by, phase, CAUSE_NONE}

static const struct vector closed_hard[] = {
	{"closed_with_data_unread", {TCP_ESTABLISHED, IN_CLOSE, .unread = 777}, OURS(UNREAD_DATA, PHASE_ESTABLISHED)},
	{"closed_with_data_unread_and_unacked",
	 {TCP_ESTABLISHED, IN_CLOSE, .unread = 1, .unack = 900, .unsent = 500},
	 OURS(UNREAD_DATA, PHASE_ESTABLISHED)},
	{"closed_with_data_unread_and_linger_0",
	 {TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .unread = 500},
	 OURS(UNREAD_DATA, PHASE_ESTABLISHED)},
	{"closed_with_data_unread_after_the_peers_fin",
	 {TCP_CLOSE_WAIT, IN_CLOSE, FIN_IN, .unread = 500},
	 OURS(UNREAD_DATA, PHASE_HALF_CLOSED)},
	{"closed_with_data_unread_after_shutdown",
	 {TCP_FIN_WAIT2, IN_CLOSE, .unread = 300},
	 OURS(UNREAD_DATA, PHASE_CLOSING)},
	{"closed_with_data_unread_before_our_fin_was_acknowledged",
	 {TCP_FIN_WAIT1, IN_CLOSE, .unread = 300, .unack = 1},
	 OURS(UNREAD_DATA, PHASE_CLOSING)},
	{"closed_with_data_unread_in_last_ack",
	 {TCP_LAST_ACK, IN_CLOSE, FIN_IN, .unread = 300, .unack = 1},
	 OURS(UNREAD_DATA, PHASE_CLOSING)},
	{"closed_with_data_unread_by_the_kernel_itself",
	 {TCP_ESTABLISHED, NO_FILE, OWN, .shut = 3, .unread = 300},
	 OURS(UNREAD_DATA, PHASE_ESTABLISHED)},
	{"closed_with_linger_0", {TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .err = 0}, OURS(LINGER, PHASE_ESTABLISHED)},
	{"closed_with_linger_0_and_our_rst_seen",
	 {TCP_FIN_WAIT2, IN_CLOSE, LP_F_LINGER, .err = 0},
	 OURS(LINGER, PHASE_CLOSING),
	 .reset_after = true},
	{"closed_with_linger_0_and_data_unsent",
	 {TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .unack = 46336, .unsent = 40000},
	 OURS(LINGER, PHASE_ESTABLISHED)},
	{"closed_with_linger_0_after_the_peers_fin",
	 {TCP_CLOSE_WAIT, IN_CLOSE, LP_F_LINGER | FIN_IN, .err = 0},
	 OURS(LINGER, PHASE_HALF_CLOSED)},
	{"closed_with_linger_0_after_shutdown",
	 {TCP_FIN_WAIT2, IN_CLOSE, LP_F_LINGER, .err = 0},
	 OURS(LINGER, PHASE_CLOSING)},
	{"closed_with_linger_0_in_fast_open",
	 {TCP_SYN_RECV, IN_CLOSE, LP_F_LINGER | LP_F_ACCEPTED, .err = 0},
	 OURS(LINGER, PHASE_CONNECTING)},
	{"closed_with_linger_0_and_an_icmp_error_pending",
	 {TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .err = EHOSTUNREACH, .soft = EHOSTUNREACH, .unack = 500},
	 OURS(LINGER, PHASE_ESTABLISHED)},
	{"closed_with_data_unread_and_an_icmp_error_pending",
	 {TCP_ESTABLISHED, IN_CLOSE, .err = EHOSTUNREACH, .soft = EHOSTUNREACH, .unread = 500},
	 OURS(UNREAD_DATA, PHASE_ESTABLISHED)},
	{"closed_in_fin_wait2_with_linger2_below_0",
	 {TCP_FIN_WAIT2, ORPHAN, OWN | LP_F_LINGER2, .err = 0},
	 OURS(LINGER2, PHASE_ORPHANED)},
	{"fin_acknowledged_with_linger2_below_0",
	 {TCP_FIN_WAIT2, ORPHAN, LP_F_LINGER2, .err = 0},
	 OURS(LINGER2, PHASE_ORPHANED),
	 .reset_after = true},
	{"disconnected", {TCP_ESTABLISHED, HELD, OWN, .shut = 0}, OURS(DISCONNECT, PHASE_ESTABLISHED)},
	{"disconnected_and_our_rst_seen",
	 {TCP_ESTABLISHED, HELD, OWN, .shut = 0},
	 OURS(DISCONNECT, PHASE_ESTABLISHED),
	 .reset_after = true},
	{"disconnected_with_data_unsent_and_unread",
	 {TCP_ESTABLISHED, HELD, OWN, .unack = 46336, .unsent = 40000, .unread = 9},
	 OURS(DISCONNECT, PHASE_ESTABLISHED)},
	{"disconnected_with_linger_0_set",
	 {TCP_ESTABLISHED, HELD, OWN | LP_F_LINGER, .shut = 0},
	 OURS(DISCONNECT, PHASE_ESTABLISHED)},
	{"disconnected_after_the_peers_fin",
	 {TCP_CLOSE_WAIT, HELD, OWN | FIN_IN, .shut = 1},
	 OURS(DISCONNECT, PHASE_HALF_CLOSED)},
	{"disconnected_after_shutdown_both_ways",
	 {TCP_FIN_WAIT2, HELD, OWN, .shut = 3, .unread = 9},
	 OURS(DISCONNECT, PHASE_CLOSING)},
	{"disconnected_before_our_fin_was_acknowledged",
	 {TCP_FIN_WAIT1, HELD, OWN, .shut = 2, .unack = 1},
	 OURS(DISCONNECT, PHASE_CLOSING)},
};

static const struct vector done_to_us[] = {
	{"killed",
	 {TCP_ESTABLISHED, HELD, OWN | RST_OUT, .err = ECONNABORTED},
	 OURS_BY(DESTROYED, BY_ADMIN, PHASE_ESTABLISHED)},
	{"killed_without_the_hook",
	 {TCP_ESTABLISHED, HELD, OWN, .err = ECONNABORTED, .unack = 9},
	 OURS_BY(DESTROYED, BY_ADMIN, PHASE_ESTABLISHED)},
	{"killed_after_the_peers_fin",
	 {TCP_CLOSE_WAIT, HELD, OWN | RST_OUT | FIN_IN, .err = ECONNABORTED, .shut = 1},
	 OURS_BY(DESTROYED, BY_ADMIN, PHASE_HALF_CLOSED)},
	{"killed_in_fin_wait2",
	 {TCP_FIN_WAIT2, HELD, OWN | RST_OUT, .err = ECONNABORTED, .shut = 2},
	 OURS_BY(DESTROYED, BY_ADMIN, PHASE_CLOSING)},
	{"killed_orphan",
	 {TCP_FIN_WAIT1, ORPHAN, OWN | RST_OUT, .err = ECONNABORTED, .unack = 41993, .no_window = true},
	 OURS_BY(DESTROYED, BY_ADMIN, PHASE_ORPHANED)},
	{"killed_in_last_ack",
	 {TCP_LAST_ACK, ORPHAN, OWN | FIN_IN, .err = ECONNABORTED, .unack = 1},
	 OURS_BY(DESTROYED, BY_ADMIN, PHASE_ORPHANED)},
	{"killed_before_accept",
	 {TCP_ESTABLISHED, QUEUED, OWN | RST_OUT, .err = ECONNABORTED},
	 OURS_BY(DESTROYED, BY_ADMIN, PHASE_UNACCEPTED)},
	{"killed_with_data_unread_and_linger_0",
	 {TCP_ESTABLISHED, HELD, OWN | LP_F_LINGER, .err = ECONNABORTED, .unread = 9},
	 OURS_BY(DESTROYED, BY_ADMIN, PHASE_ESTABLISHED)},
	{"data_after_shutdown_both_ways",
	 {TCP_FIN_WAIT2, HELD, RST_IN, .err = ECONNRESET, .shut = 3},
	 OURS(DATA_AFTER_CLOSE, PHASE_CLOSING),
	 .reset_after = true},
	{"data_after_close_with_payload_unacknowledged",
	 {TCP_FIN_WAIT1, ORPHAN, RST_IN, .err = ECONNRESET, .unack = 41993, .no_window = true},
	 OURS(DATA_AFTER_CLOSE, PHASE_ORPHANED),
	 .reset_after = true},
	{"data_after_close_with_only_our_fin_unacknowledged",
	 {TCP_FIN_WAIT1, ORPHAN, RST_IN, .err = ECONNRESET, .unack = 1},
	 OURS(DATA_AFTER_CLOSE, PHASE_ORPHANED),
	 .reset_after = true},
	{"data_after_close_in_fin_wait2",
	 {TCP_FIN_WAIT2, ORPHAN, RST_IN, .err = ECONNRESET},
	 OURS(DATA_AFTER_CLOSE, PHASE_ORPHANED),
	 .reset_after = true},
	{"data_with_the_acknowledgement_of_our_fin",
	 {TCP_FIN_WAIT2, ORPHAN, .err = 0},
	 OURS(DATA_AFTER_CLOSE, PHASE_ORPHANED),
	 .reset_after = true},
	{"data_after_an_end_that_was_ours",
	 {TCP_CLOSE, ORPHAN, .kind = LP_KIND_STRAY},
	 OURS(DATA_AFTER_CLOSE, PHASE_ORPHANED)},
	{"data_for_what_is_left_of_it",
	 {TCP_TIME_WAIT, ORPHAN, .kind = LP_KIND_STRAY},
	 OURS(DATA_AFTER_CLOSE, PHASE_ORPHANED)},
	{"data_for_no_connection",
	 {TCP_CLOSE, QUEUED, .kind = LP_KIND_STRAY},
	 OURS_BY(NO_CONNECTION, BY_KERNEL, PHASE_CONNECTING)},
	{"listener_closed", {TCP_ESTABLISHED, QUEUED, .unread = 10}, OURS(LISTENER_CLOSED, PHASE_UNACCEPTED)},
	{"listener_closed_after_the_peers_fin",
	 {TCP_CLOSE_WAIT, QUEUED, FIN_IN, .shut = 1},
	 OURS(LISTENER_CLOSED, PHASE_UNACCEPTED)},
	{"listener_closed_with_a_fast_open_child",
	 {TCP_SYN_RECV, QUEUED, .unread = 100},
	 OURS(LISTENER_CLOSED, PHASE_UNACCEPTED)},
	{"too_many_orphans_at_close",
	 {TCP_FIN_WAIT1, ORPHAN, OWN, .unack = 46337},
	 OURS_BY(NO_MEMORY, BY_KERNEL, PHASE_ORPHANED),
	 .reset_after = true},
	{"too_many_orphans_at_a_timer",
	 {TCP_FIN_WAIT1, ORPHAN, .unack = 1, .retr = 2},
	 OURS_BY(NO_MEMORY, BY_KERNEL, PHASE_ORPHANED)},
	{"too_many_orphans_in_last_ack",
	 {TCP_LAST_ACK, ORPHAN, FIN_IN, .unack = 1},
	 OURS_BY(NO_MEMORY, BY_KERNEL, PHASE_ORPHANED)},
	{"too_many_orphans_in_last_ack_with_payload",
	 {TCP_LAST_ACK, ORPHAN, FIN_IN, .unack = 41},
	 OURS_BY(NO_MEMORY, BY_KERNEL, PHASE_ORPHANED),
	 .reset_after = true},
	{"too_many_orphans_in_closing",
	 {TCP_CLOSING, ORPHAN, FIN_IN, .unack = 1},
	 OURS_BY(NO_MEMORY, BY_KERNEL, PHASE_ORPHANED),
	 .reset_after = true},
};

#define NOTHING .out = {CAUSE_NONE, 0, 0, CAUSE_NONE}

static const struct vector no_event[] = {
	{"peer_first_and_then_we", {TCP_LAST_ACK, ORPHAN, OWN | FIN_IN, .err = 0}, NOTHING},
	{"peer_first_and_then_we_in_softirq", {TCP_LAST_ACK, ORPHAN, FIN_IN, .err = 0}, NOTHING},
	{"peer_first_and_then_our_shutdown", {TCP_LAST_ACK, HELD, FIN_IN, .shut = 3}, NOTHING},
	{"peer_first_of_a_subflow", {TCP_LAST_ACK, SUBFLOW, FIN_IN, .shut = 1}, NOTHING},
	{"peer_first_with_data_unread", {TCP_LAST_ACK, HELD, FIN_IN, .shut = 3, .unread = 300}, NOTHING},
	{"rst_in_last_ack", {TCP_LAST_ACK, ORPHAN, RST_IN | FIN_IN, .err = ECONNRESET, .unack = 1}, NOTHING},
	{"rst_in_last_ack_while_locked",
	 {TCP_LAST_ACK, ORPHAN, OWN | RST_IN | FIN_IN, .err = ECONNRESET, .unack = 1},
	 NOTHING},
	{"rst_in_last_ack_still_held",
	 {TCP_LAST_ACK, HELD, RST_IN | FIN_IN, .err = ECONNRESET, .shut = 3, .unack = 1},
	 NOTHING},
	{"timeout_in_last_ack", {TCP_LAST_ACK, ORPHAN, FIN_IN, .err = ETIMEDOUT, .unack = 1, .retr = 3}, NOTHING},
	{"timeout_in_last_ack_still_held",
	 {TCP_LAST_ACK, HELD, FIN_IN, .err = ETIMEDOUT, .shut = 3, .unack = 1},
	 NOTHING},
	{"user_timeout_in_last_ack",
	 {TCP_LAST_ACK, ORPHAN, FIN_IN, .err = ETIMEDOUT, .unack = 1, .user_timeout_ms = 1500},
	 NOTHING},
	{"repair_close", {TCP_ESTABLISHED, IN_CLOSE, LP_F_REPAIR, .unread = 9}, NOTHING},
	{"repair_close_with_linger_0", {TCP_ESTABLISHED, IN_CLOSE, LP_F_REPAIR | LP_F_LINGER, .unack = 9}, NOTHING},
	{"half_open_request_dies", {TCP_SYN_RECV, ORPHAN, .err = 0}, NOTHING},
	{"namespace_gone_with_its_orphans", {TCP_FIN_WAIT1, ORPHAN, LP_F_NET_DYING, .unack = 901}, NOTHING},
	{"namespace_gone_in_last_ack", {TCP_LAST_ACK, ORPHAN, LP_F_NET_DYING | FIN_IN, .unack = 1}, NOTHING},
	/* an end without a known cause is not reported */
	{"error_with_nothing_waiting", {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT}, NOTHING},
	{"error_with_keepalive_on_and_no_probe_out", {TCP_ESTABLISHED, HELD, LP_F_KEEPOPEN, .err = ETIMEDOUT}, NOTHING},
	{"subflow_ended_by_its_connection", {TCP_ESTABLISHED, SUBFLOW, OWN | RST_OUT, .err = 0}, NOTHING},
	{"listener_closes", {TCP_LISTEN, IN_CLOSE, .err = 0}, NOTHING},
	{"listener_closes_with_linger_0", {TCP_LISTEN, IN_CLOSE, LP_F_LINGER, .err = 0}, NOTHING},
	{"listener_shut_down", {TCP_LISTEN, HELD, OWN, .shut = 1}, NOTHING},
	{"listener_killed", {TCP_LISTEN, HELD, OWN, .err = ECONNABORTED}, NOTHING},
};

static void check_waits(const struct facts *facts, bool expected)
{
	struct lp_record r = record_of(facts);

	assert_int_equal(judge_waits_for_reset(&r), expected);
	r.socket.flags |= LP_F_RST_AFTER; /* the RST has come already */
	assert_false(judge_waits_for_reset(&r));
}

static void test_waits_where_the_kernel_may_have_sent_the_rst(void **state)
{
	static const struct facts waiting[] = {
		{TCP_FIN_WAIT1, HELD, RST_IN, .err = ECONNRESET, .shut = 3, .unack = 1},
		{TCP_FIN_WAIT1, ORPHAN, RST_IN, .err = ECONNRESET, .unack = 901},
		{TCP_FIN_WAIT2, HELD, RST_IN, .err = ECONNRESET, .shut = 3},
		{TCP_FIN_WAIT2, ORPHAN, RST_IN, .err = ECONNRESET},
		{TCP_FIN_WAIT2, ORPHAN, .err = 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(waiting) / sizeof(*waiting); i++)
		check_waits(&waiting[i], true);
}

static void test_does_not_wait_elsewhere(void **state)
{
	static const struct facts settled[] = {
		{TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET},
		{TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .err = 0},
		{TCP_CLOSE_WAIT, HELD, RST_IN | FIN_IN, .err = EPIPE, .shut = 1},
		{TCP_FIN_WAIT1, HELD, RST_IN, .err = ECONNRESET, .shut = 2, .unack = 1},
		{TCP_FIN_WAIT2, HELD, RST_IN, .err = ECONNRESET, .shut = 2},
		{TCP_FIN_WAIT2, HELD, FIN_IN, .shut = 3},
		{TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 901},
		{TCP_FIN_WAIT1, ORPHAN, OWN, .unack = 901},
		{TCP_LAST_ACK, ORPHAN, RST_IN | FIN_IN, .err = ECONNRESET, .unack = 41},
		{TCP_SYN_SENT, HELD, RST_IN | CLIENT, .err = ECONNREFUSED, .unack = 1},
		{TCP_ESTABLISHED, HELD, FIN_IN, .kind = LP_KIND_PEER_FIN},
		{TCP_CLOSE, HELD, OWN, .err = EACCES, .kind = LP_KIND_NO_CONNECT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(settled) / sizeof(*settled); i++)
		check_waits(&settled[i], false);
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void test_every_local_closed_is_made(void **state)
{
	(void)state;
	check_all_made(EVENT_LOCAL_CLOSED, local_closed, COUNT(local_closed));
}

static void test_every_local_reset_is_made(void **state)
{
	struct vector all[COUNT(closed_hard) + COUNT(done_to_us)];

	(void)state;
	memcpy(all, closed_hard, sizeof(closed_hard));
	memcpy(all + COUNT(closed_hard), done_to_us, sizeof(done_to_us));
	check_all_made(EVENT_LOCAL_RESET, all, COUNT(all));
}

int main(void)
{
	struct CMUnitTest tests[VECTORS_MAX] = {
		cmocka_unit_test(test_every_local_closed_is_made),
		cmocka_unit_test(test_every_local_reset_is_made),
		cmocka_unit_test(test_waits_where_the_kernel_may_have_sent_the_rst),
		cmocka_unit_test(test_does_not_wait_elsewhere),
	};
	size_t n = 4;

	add_vectors(tests, &n, local_closed, COUNT(local_closed));
	add_vectors(tests, &n, closed_hard, COUNT(closed_hard));
	add_vectors(tests, &n, done_to_us, COUNT(done_to_us));
	add_vectors(tests, &n, no_event, COUNT(no_event));
	return _cmocka_run_group_tests("cause_local", tests, n, NULL, NULL);
}
