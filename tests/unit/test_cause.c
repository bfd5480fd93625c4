/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Causes of failed connects and lost peers: facts as the hooks saw them on real kernels, and the verdict of
 * lostpeer-events(7). test_cause_local.c has our own resets and closes, and the cases without an event.
 */
#include "vector.h"

#include <errno.h>

#define CONNECTING(cause, by) .out = {cause, by, PHASE_CONNECTING, CAUSE_NONE}

static const struct vector connect_failed[] = {
	{"refused_by_a_rst",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT | RST_IN, .err = ECONNREFUSED, .unack = 1},
	 CONNECTING(CONNECT_FAILED_REFUSED, BY_PEER)},
	{"refused_in_softirq",
	 {TCP_SYN_SENT, HELD, CLIENT | RST_IN, .err = ECONNREFUSED, .unack = 1},
	 CONNECTING(CONNECT_FAILED_REFUSED, BY_PEER)},
	{"refused_with_data_in_the_syn",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT | RST_IN, .err = ECONNREFUSED, .unack = 101},
	 CONNECTING(CONNECT_FAILED_REFUSED, BY_PEER)},
	{"refused_subflow",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT | RST_IN | LP_F_MPTCP, .err = ECONNREFUSED, .unack = 1},
	 CONNECTING(CONNECT_FAILED_REFUSED, BY_PEER)},
	{"refused_after_a_soft_error",
	 {TCP_SYN_SENT, HELD, CLIENT | RST_IN, .err = ECONNREFUSED, .soft = EHOSTUNREACH, .unack = 1, .retr = 1},
	 CONNECTING(CONNECT_FAILED_REFUSED, BY_PEER)},
	{"refused_or_port_unreachable_of_a_socket_not_remembered",
	 {TCP_SYN_SENT, HELD, .err = ECONNREFUSED, .unack = 1, .forgotten = true},
	 .out = {CONNECT_FAILED_REFUSED, BY_PEER, PHASE_CONNECTING, CONNECT_FAILED_UNREACHABLE}},
	{"port_unreachable_is_no_rst",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = ECONNREFUSED, .soft = ECONNREFUSED, .unack = 1, .retr = 1},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"host_unreachable",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = EHOSTUNREACH, .soft = EHOSTUNREACH, .unack = 1, .retr = 1},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"net_unreachable",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = ENETUNREACH, .soft = ENETUNREACH, .unack = 1, .retr = 1},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"protocol_unreachable",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = ENOPROTOOPT, .unack = 1},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"prohibited_by_icmpv6",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = EACCES, .unack = 1, .family = AF_INET6},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"neighbour_never_answered",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = EHOSTUNREACH, .unack = 1, .retr = 3},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"unreachable_while_the_socket_was_locked",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT | LP_F_ICMP_SYN, .err = EHOSTUNREACH, .unack = 1},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"icmp_error_taken_by_so_error_then_closed",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT | LP_F_ICMP_SYN, .unack = 1},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"icmp_error_taken_by_so_error_then_disconnected",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT | LP_F_ICMP_SYN, .unack = 1},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_NETWORK)},
	{"nobody_answered_the_syn",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = ETIMEDOUT, .unack = 1, .retr = 6},
	 CONNECTING(CONNECT_FAILED_TIMEOUT, BY_NETWORK)},
	{"nobody_answered_within_the_user_timeout",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = ETIMEDOUT, .unack = 1, .retr = 1, .user_timeout_ms = 1500},
	 CONNECTING(CONNECT_FAILED_TIMEOUT, BY_NETWORK)},
	{"nobody_answered_data_in_the_syn",
	 {TCP_SYN_SENT, HELD, CLIENT, .err = ETIMEDOUT, .unack = 101, .retr = 1},
	 CONNECTING(CONNECT_FAILED_TIMEOUT, BY_NETWORK)},
	{"killed_while_connecting",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT, .err = ECONNABORTED, .unack = 1},
	 CONNECTING(CONNECT_FAILED_DESTROYED, BY_ADMIN)},
	{"abandoned_by_close",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .unack = 1},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL)},
	{"abandoned_after_the_syn_was_sent_again",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .unack = 1, .retr = 2},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL)},
	{"abandoned_by_disconnect",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT, .unack = 1},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL)},
	{"abandoned_with_data_in_the_syn",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .unack = 101},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL)},
	{"abandoned_before_a_deferred_syn_left",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .unack = 0},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL)},
	{"abandoned_with_an_icmp_error_not_taken",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT | LP_F_ICMP_SYN, .soft = EHOSTUNREACH, .unack = 1},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL)},
	{"abandoned_or_unreachable_without_the_hook",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .unack = 1},
	 .out = {CONNECT_FAILED_ABANDONED, BY_LOCAL, PHASE_CONNECTING, CONNECT_FAILED_UNREACHABLE},
	 .lacks = LACKS_ERROR_REPORT},
	{"abandoned_or_unreachable_of_a_socket_not_remembered",
	 {TCP_SYN_SENT, IN_CLOSE, .unack = 1, .forgotten = true},
	 .out = {CONNECT_FAILED_ABANDONED, BY_LOCAL, PHASE_CONNECTING, CONNECT_FAILED_UNREACHABLE}},
	{"abandoned_for_sure_where_the_icmp_error_is_still_there",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .soft = EHOSTUNREACH, .unack = 1},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL),
	 .lacks = LACKS_ERROR_REPORT},
	/* tcp_v6_err() reports no error of the first SYN while connect(2) holds the socket lock */
	{"abandoned_or_unreachable_on_ipv6",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .unack = 1, .family = AF_INET6},
	 .out = {CONNECT_FAILED_ABANDONED, BY_LOCAL, PHASE_CONNECTING, CONNECT_FAILED_UNREACHABLE}},
	{"abandoned_for_sure_after_a_second_syn_on_ipv6",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .unack = 1, .retr = 1, .family = AF_INET6},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL)},
	{"abandoned_for_sure_with_a_mapped_peer",
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .unack = 1, .mapped = true},
	 CONNECTING(CONNECT_FAILED_ABANDONED, BY_LOCAL)},
	{"no_free_local_port",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT, .no_port = true},
	 CONNECTING(CONNECT_FAILED_NO_PORT, BY_LOCAL)},
	{"the_address_pair_is_taken",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT, .unack = 0},
	 CONNECTING(CONNECT_FAILED_NO_PORT, BY_LOCAL)},
	{"denied_with_eperm",
	 {TCP_CLOSE, HELD, OWN | CLIENT, .err = EPERM, .kind = LP_KIND_NO_CONNECT},
	 CONNECTING(CONNECT_FAILED_DENIED, BY_LOCAL)},
	{"denied_with_eacces",
	 {TCP_CLOSE, HELD, OWN | CLIENT, .err = EACCES, .kind = LP_KIND_NO_CONNECT},
	 CONNECTING(CONNECT_FAILED_DENIED, BY_LOCAL)},
	{"denied_with_einval",
	 {TCP_CLOSE, HELD, OWN | CLIENT, .err = EINVAL, .kind = LP_KIND_NO_CONNECT},
	 CONNECTING(CONNECT_FAILED_DENIED, BY_LOCAL)},
	{"no_route_to_the_net",
	 {TCP_CLOSE, HELD, OWN | CLIENT, .err = ENETUNREACH, .kind = LP_KIND_NO_CONNECT},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_LOCAL)},
	{"no_route_to_the_host",
	 {TCP_CLOSE, HELD, OWN | CLIENT, .err = EHOSTUNREACH, .kind = LP_KIND_NO_CONNECT},
	 CONNECTING(CONNECT_FAILED_UNREACHABLE, BY_LOCAL)},
};

#define RESET(phase) .out = {PEER_LOST_RESET, BY_PEER, phase, CAUSE_NONE}

static const struct vector reset[] = {
	{"rst_in_established", {TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET}, RESET(PHASE_ESTABLISHED)},
	{"rst_in_established_and_one_of_ours",
	 {TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET, .unack = 9},
	 RESET(PHASE_ESTABLISHED),
	 .reset_after = true},
	{"rst_while_the_socket_is_locked",
	 {TCP_ESTABLISHED, HELD, OWN | RST_IN, .err = ECONNRESET, .unack = 300},
	 RESET(PHASE_ESTABLISHED)},
	{"rst_with_data_unread",
	 {TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET, .unread = 3000},
	 RESET(PHASE_ESTABLISHED)},
	{"rst_while_the_window_is_closed",
	 {TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET, .unack = 41992, .no_window = true},
	 RESET(PHASE_ESTABLISHED)},
	{"rst_answers_a_keepalive_probe",
	 {TCP_ESTABLISHED, HELD, RST_IN | LP_F_KEEPOPEN, .err = ECONNRESET, .probes = 1},
	 RESET(PHASE_ESTABLISHED)},
	{"rst_with_a_user_timeout_set",
	 {TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET, .unack = 10, .user_timeout_ms = 1500},
	 RESET(PHASE_ESTABLISHED)},
	{"rst_after_an_earlier_soft_error",
	 {TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET, .soft = EHOSTUNREACH, .unack = 10},
	 RESET(PHASE_ESTABLISHED)},
	{"rst_of_a_subflow", {TCP_ESTABLISHED, SUBFLOW, RST_IN, .err = ECONNRESET}, RESET(PHASE_ESTABLISHED)},
	{"rst_of_a_socket_not_remembered",
	 {TCP_ESTABLISHED, HELD, .err = ECONNRESET, .unack = 9, .forgotten = true},
	 RESET(PHASE_ESTABLISHED)},
	{"rst_in_close_wait_of_a_socket_not_remembered",
	 {TCP_CLOSE_WAIT, HELD, FIN_IN, .err = EPIPE, .shut = 1, .forgotten = true},
	 RESET(PHASE_HALF_CLOSED)},
	{"rst_in_close_wait_gives_epipe",
	 {TCP_CLOSE_WAIT, HELD, RST_IN | FIN_IN, .err = EPIPE, .shut = 1},
	 RESET(PHASE_HALF_CLOSED)},
	{"rst_answers_a_write_in_close_wait",
	 {TCP_CLOSE_WAIT, HELD, OWN | RST_IN | FIN_IN, .err = EPIPE, .shut = 1, .unack = 40},
	 RESET(PHASE_HALF_CLOSED)},
	{"rst_before_accept",
	 {TCP_ESTABLISHED, QUEUED, RST_IN, .err = ECONNRESET, .unread = 10},
	 RESET(PHASE_UNACCEPTED)},
	{"rst_after_fin_before_accept",
	 {TCP_CLOSE_WAIT, QUEUED, RST_IN | FIN_IN, .err = EPIPE, .shut = 1},
	 RESET(PHASE_UNACCEPTED)},
	{"rst_in_fin_wait1_still_held",
	 {TCP_FIN_WAIT1, HELD, RST_IN, .err = ECONNRESET, .shut = 2, .unack = 1},
	 RESET(PHASE_CLOSING)},
	{"rst_in_fin_wait2_still_held",
	 {TCP_FIN_WAIT2, HELD, RST_IN, .err = ECONNRESET, .shut = 2},
	 RESET(PHASE_CLOSING)},
	{"rst_in_fin_wait1_shut_both_ways",
	 {TCP_FIN_WAIT1, HELD, RST_IN, .err = ECONNRESET, .shut = 3, .unack = 1},
	 RESET(PHASE_CLOSING)},
	{"rst_in_fin_wait1_of_an_orphan_with_payload",
	 {TCP_FIN_WAIT1, ORPHAN, RST_IN, .err = ECONNRESET, .unack = 901},
	 RESET(PHASE_ORPHANED)},
	{"rst_in_fin_wait1_of_an_orphan_with_payload_unsent",
	 {TCP_FIN_WAIT1, ORPHAN, RST_IN, .err = ECONNRESET, .unack = 901, .unsent = 901, .no_window = true},
	 RESET(PHASE_ORPHANED)},
	{"rst_while_close_lingers",
	 {TCP_FIN_WAIT1, IN_CLOSE, RST_IN, .err = ECONNRESET, .unack = 901},
	 RESET(PHASE_CLOSING)},
	{"rst_while_close_lingers_of_a_socket_not_remembered",
	 {TCP_FIN_WAIT1, IN_CLOSE, .err = ECONNRESET, .unack = 901, .forgotten = true},
	 RESET(PHASE_CLOSING)},
	{"rst_in_last_ack_with_payload",
	 {TCP_LAST_ACK, ORPHAN, RST_IN | FIN_IN, .err = ECONNRESET, .unack = 41},
	 RESET(PHASE_ORPHANED)},
	{"rst_in_last_ack_with_payload_still_held",
	 {TCP_LAST_ACK, HELD, RST_IN | FIN_IN, .err = ECONNRESET, .shut = 3, .unack = 41},
	 RESET(PHASE_CLOSING)},
	{"rst_in_closing_with_payload",
	 {TCP_CLOSING, ORPHAN, RST_IN | FIN_IN, .err = ECONNRESET, .unack = 41},
	 RESET(PHASE_ORPHANED)},
	{"rst_in_syn_recv_of_fast_open_accepted",
	 {TCP_SYN_RECV, HELD, RST_IN | LP_F_ACCEPTED, .err = ECONNRESET, .unread = 100},
	 RESET(PHASE_CONNECTING)},
	{"rst_in_syn_recv_of_fast_open_unaccepted",
	 {TCP_SYN_RECV, QUEUED, RST_IN, .err = ECONNRESET, .unread = 100},
	 RESET(PHASE_UNACCEPTED)},
	{"rst_in_syn_recv_of_a_simultaneous_open",
	 {TCP_SYN_RECV, HELD, RST_IN | CLIENT, .err = ECONNRESET, .unack = 1},
	 RESET(PHASE_CONNECTING)},
	{"rst_or_data_after_shutdown_without_the_hook",
	 {TCP_FIN_WAIT2, HELD, RST_IN, .err = ECONNRESET, .shut = 3},
	 .out = {PEER_LOST_RESET, BY_PEER, PHASE_CLOSING, LOCAL_RESET_DATA_AFTER_CLOSE},
	 .lacks = LACKS_SEND_RESET},
	{"rst_or_data_after_close_without_the_hook",
	 {TCP_FIN_WAIT1, ORPHAN, RST_IN, .err = ECONNRESET, .unack = 901},
	 .out = {PEER_LOST_RESET, BY_PEER, PHASE_ORPHANED, LOCAL_RESET_DATA_AFTER_CLOSE},
	 .lacks = LACKS_SEND_RESET},
	{"rst_for_sure_where_we_still_read",
	 {TCP_FIN_WAIT2, HELD, RST_IN, .err = ECONNRESET, .shut = 2},
	 RESET(PHASE_CLOSING),
	 .lacks = LACKS_SEND_RESET},
};

#define LOST(cause, phase) .out = {PEER_LOST_##cause, BY_NETWORK, phase, CAUSE_NONE}
#define LOST_BY(cause, by, phase) .out = {PEER_LOST_##cause, by, phase, CAUSE_NONE}

static const struct vector timeouts[] = {
	{"data_never_acknowledged",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 5000, .retr = 15},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ESTABLISHED)},
	{"data_never_acknowledged_host_unreachable",
	 {TCP_ESTABLISHED, HELD, .err = EHOSTUNREACH, .soft = EHOSTUNREACH, .unack = 5000, .retr = 15},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ESTABLISHED)},
	{"data_never_acknowledged_net_unreachable",
	 {TCP_ESTABLISHED, HELD, .err = ENETUNREACH, .soft = ENETUNREACH, .unack = 5000, .retr = 15},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ESTABLISHED)},
	{"data_never_acknowledged_and_more_unsent",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 5000, .unsent = 4000, .retr = 15},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ESTABLISHED)},
	{"data_in_flight_when_the_window_closed",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 5000, .retr = 15, .no_window = true},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ESTABLISHED)},
	{"data_never_acknowledged_in_close_wait",
	 {TCP_CLOSE_WAIT, HELD, FIN_IN, .err = ETIMEDOUT, .shut = 1, .unack = 100, .retr = 4},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_HALF_CLOSED)},
	/* if the socket is locked, release_sock() runs the timer; newer kernels still hold the lock then */
	{"data_never_acknowledged_while_close_lingers",
	 {TCP_FIN_WAIT1, IN_CLOSE, .err = ETIMEDOUT, .unack = 901, .retr = 8},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_CLOSING)},
	{"data_of_the_kernel_itself_never_acknowledged",
	 {TCP_FIN_WAIT1, NO_FILE, OWN, .shut = 3, .err = ETIMEDOUT, .unack = 901, .retr = 8},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_CLOSING)},
	{"fin_never_acknowledged_while_held",
	 {TCP_FIN_WAIT1, HELD, .err = ETIMEDOUT, .shut = 2, .unack = 1, .retr = 4},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_CLOSING)},
	{"data_of_an_orphan_never_acknowledged",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 2001, .retr = 3},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ORPHANED)},
	{"data_in_last_ack_never_acknowledged",
	 {TCP_LAST_ACK, ORPHAN, FIN_IN, .err = ETIMEDOUT, .unack = 41, .retr = 3},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ORPHANED)},
	{"data_in_last_ack_never_acknowledged_while_held",
	 {TCP_LAST_ACK, HELD, FIN_IN, .err = ETIMEDOUT, .shut = 3, .unack = 41, .retr = 3},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_CLOSING)},
	{"data_in_closing_never_acknowledged",
	 {TCP_CLOSING, ORPHAN, FIN_IN, .err = ETIMEDOUT, .unack = 41, .retr = 3},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ORPHANED)},
	{"data_of_a_subflow_never_acknowledged",
	 {TCP_ESTABLISHED, SUBFLOW, .err = ETIMEDOUT, .unack = 5000, .retr = 4},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_ESTABLISHED)},
	{"data_never_acknowledged_before_accept",
	 {TCP_ESTABLISHED, QUEUED, .err = ETIMEDOUT, .unack = 10, .retr = 4},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_UNACCEPTED)},
	{"syn_ack_of_fast_open_never_answered",
	 {TCP_SYN_RECV, HELD, LP_F_ACCEPTED, .err = ETIMEDOUT, .retr = 2},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_CONNECTING)},
	{"syn_ack_of_fast_open_never_answered_unaccepted",
	 {TCP_SYN_RECV, QUEUED, .err = ETIMEDOUT, .retr = 2},
	 LOST(RETRANSMIT_TIMEOUT, PHASE_UNACCEPTED)},

	{"keepalive_probes_unanswered",
	 {TCP_ESTABLISHED, HELD, RST_OUT | LP_F_KEEPOPEN, .err = ETIMEDOUT, .probes = 2},
	 LOST(KEEPALIVE_TIMEOUT, PHASE_ESTABLISHED)},
	{"keepalive_probes_unanswered_where_our_rst_is_not_seen",
	 {TCP_ESTABLISHED, HELD, LP_F_KEEPOPEN, .err = ETIMEDOUT, .probes = 9},
	 LOST(KEEPALIVE_TIMEOUT, PHASE_ESTABLISHED),
	 .lacks = LACKS_SEND_RESET},
	{"keepalive_probes_answered_by_icmp",
	 {TCP_ESTABLISHED, HELD, RST_OUT | LP_F_KEEPOPEN, .err = EHOSTUNREACH, .soft = EHOSTUNREACH, .probes = 2},
	 LOST(KEEPALIVE_TIMEOUT, PHASE_ESTABLISHED)},
	{"keepalive_probes_unanswered_in_close_wait",
	 {TCP_CLOSE_WAIT, HELD, RST_OUT | LP_F_KEEPOPEN | FIN_IN, .err = ETIMEDOUT, .shut = 1, .probes = 2},
	 LOST(KEEPALIVE_TIMEOUT, PHASE_HALF_CLOSED)},
	{"keepalive_probes_unanswered_in_fin_wait2",
	 {TCP_FIN_WAIT2, HELD, RST_OUT | LP_F_KEEPOPEN, .err = ETIMEDOUT, .shut = 2, .probes = 2},
	 LOST(KEEPALIVE_TIMEOUT, PHASE_CLOSING)},
	{"keepalive_probes_unanswered_before_accept",
	 {TCP_ESTABLISHED, QUEUED, RST_OUT | LP_F_KEEPOPEN, .err = ETIMEDOUT, .unread = 10, .probes = 2},
	 LOST(KEEPALIVE_TIMEOUT, PHASE_UNACCEPTED)},

	{"user_timeout_of_data",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 5000, .retr = 3, .user_timeout_ms = 1500},
	 LOST(USER_TIMEOUT, PHASE_ESTABLISHED)},
	{"user_timeout_after_a_soft_error",
	 {TCP_ESTABLISHED, HELD, .err = EHOSTUNREACH, .soft = EHOSTUNREACH, .unack = 50, .user_timeout_ms = 1500},
	 LOST(USER_TIMEOUT, PHASE_ESTABLISHED)},
	{"user_timeout_noticed_by_keepalive",
	 {TCP_ESTABLISHED, HELD, RST_OUT | LP_F_KEEPOPEN, .err = ETIMEDOUT, .probes = 2, .user_timeout_ms = 2500},
	 LOST(USER_TIMEOUT, PHASE_ESTABLISHED)},
	{"user_timeout_while_nothing_could_leave",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 50, .unsent = 50, .probes = 3, .user_timeout_ms = 1500},
	 LOST_BY(CANNOT_SEND, BY_LOCAL, PHASE_ESTABLISHED)},
	{"user_timeout_in_close_wait",
	 {TCP_CLOSE_WAIT, HELD, FIN_IN, .err = ETIMEDOUT, .shut = 1, .unack = 50, .user_timeout_ms = 1500},
	 LOST(USER_TIMEOUT, PHASE_HALF_CLOSED)},
	{"user_timeout_of_an_orphan_with_payload",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 51, .user_timeout_ms = 1500},
	 LOST(USER_TIMEOUT, PHASE_ORPHANED)},
	{"user_timeout_against_a_closed_window_of_a_live_peer",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 4344, .unsent = 4344, .user_timeout_ms = 1500,
	  .probes_ms = 1501, .no_window = true},
	 LOST_BY(USER_TIMEOUT, BY_PEER, PHASE_ESTABLISHED)},
	/* a peer answers at most two probes a second */
	{"user_timeout_against_a_closed_window_with_one_probe_out",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 4344, .unsent = 4344, .user_timeout_ms = 1500,
	  .probes_ms = 1501, .no_window = true, .probes = 1},
	 LOST_BY(USER_TIMEOUT, BY_PEER, PHASE_ESTABLISHED)},
	{"user_timeout_against_a_closed_window_and_no_answer",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 4344, .unsent = 4344, .user_timeout_ms = 1500,
	  .probes_ms = 1501, .no_window = true, .probes = 3},
	 LOST(USER_TIMEOUT, PHASE_ESTABLISHED)},

	{"window_probes_unanswered",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 43440, .unsent = 43440, .no_window = true, .probes = 3},
	 LOST(PROBE_TIMEOUT, PHASE_ESTABLISHED)},
	{"window_probes_unanswered_with_keepalive_on",
	 {TCP_ESTABLISHED, HELD, LP_F_KEEPOPEN, .err = ETIMEDOUT, .unack = 9, .unsent = 9, .no_window = true,
	  .probes = 3},
	 LOST(PROBE_TIMEOUT, PHASE_ESTABLISHED)},
	{"window_probes_unanswered_in_close_wait",
	 {TCP_CLOSE_WAIT, HELD, FIN_IN, .err = ETIMEDOUT, .shut = 1, .unack = 9, .unsent = 9, .no_window = true,
	  .probes = 3},
	 LOST(PROBE_TIMEOUT, PHASE_HALF_CLOSED)},
	{"window_probes_of_an_orphan_unanswered",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 10, .unsent = 10, .no_window = true, .probes = 3},
	 LOST(PROBE_TIMEOUT, PHASE_ORPHANED)},

	{"nothing_could_leave",
	 {TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 5000, .unsent = 5000, .probes = 3},
	 LOST_BY(CANNOT_SEND, BY_LOCAL, PHASE_ESTABLISHED)},
	{"nothing_could_leave_without_a_route",
	 {TCP_ESTABLISHED, HELD, .err = EHOSTUNREACH, .soft = EHOSTUNREACH, .unack = 50, .unsent = 50, .probes = 3},
	 LOST_BY(CANNOT_SEND, BY_LOCAL, PHASE_ESTABLISHED)},
	{"nothing_could_leave_in_close_wait",
	 {TCP_CLOSE_WAIT, HELD, FIN_IN, .err = ETIMEDOUT, .shut = 1, .unack = 50, .unsent = 50, .probes = 3},
	 LOST_BY(CANNOT_SEND, BY_LOCAL, PHASE_HALF_CLOSED)},
	{"our_fin_could_not_leave_while_held",
	 {TCP_FIN_WAIT1, HELD, .err = ETIMEDOUT, .shut = 2, .unack = 1, .unsent = 1, .probes = 3},
	 LOST_BY(CANNOT_SEND, BY_LOCAL, PHASE_CLOSING)},
	{"nothing_of_an_orphan_could_leave",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 51, .unsent = 51, .probes = 3},
	 LOST_BY(CANNOT_SEND, BY_LOCAL, PHASE_ORPHANED)},
};

#define FIN(phase) .out = {PEER_CLOSED_FIN, BY_PEER, phase, CAUSE_NONE}

static const struct vector peer_closed[] = {
	{"fin_in_established",
	 {TCP_ESTABLISHED, HELD, FIN_IN, .shut = 1, .kind = LP_KIND_PEER_FIN},
	 FIN(PHASE_ESTABLISHED)},
	{"fin_with_data_unread_and_unacked",
	 {TCP_ESTABLISHED, HELD, OWN | FIN_IN, .shut = 1, .unread = 500, .unack = 9, .kind = LP_KIND_PEER_FIN},
	 FIN(PHASE_ESTABLISHED)},
	{"fin_before_accept",
	 {TCP_ESTABLISHED, QUEUED, FIN_IN, .shut = 1, .unread = 10, .kind = LP_KIND_PEER_FIN},
	 FIN(PHASE_UNACCEPTED)},
	{"fin_in_syn_recv_of_fast_open",
	 {TCP_SYN_RECV, HELD, FIN_IN | LP_F_ACCEPTED, .shut = 1, .kind = LP_KIND_PEER_FIN},
	 FIN(PHASE_CONNECTING)},
	{"fin_of_a_subflow",
	 {TCP_ESTABLISHED, SUBFLOW, FIN_IN, .shut = 1, .kind = LP_KIND_PEER_FIN},
	 FIN(PHASE_ESTABLISHED)},
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void test_every_connect_failed_is_made(void **state)
{
	(void)state;
	check_all_made(EVENT_CONNECT_FAILED, connect_failed, COUNT(connect_failed));
}

static void test_every_peer_lost_is_made(void **state)
{
	struct vector all[COUNT(reset) + COUNT(timeouts)];

	(void)state;
	memcpy(all, reset, sizeof(reset));
	memcpy(all + COUNT(reset), timeouts, sizeof(timeouts));
	check_all_made(EVENT_PEER_LOST, all, COUNT(all));
}

static void test_every_peer_closed_is_made(void **state)
{
	(void)state;
	check_all_made(EVENT_PEER_CLOSED, peer_closed, COUNT(peer_closed));
}

static void test_names_are_found_again(void **state)
{
	(void)state;
	for (int i = EVENT_NONE + 1; i < EVENT_COUNT; i++)
		assert_int_equal(event_by_name(event_name((enum lp_event)i)), i);
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		assert_true(cause_name_exists(cause_name((enum lp_cause)i)));
	assert_int_equal(event_by_name(""), EVENT_NONE);
	assert_int_equal(event_by_name("reset"), EVENT_NONE);
	assert_false(cause_name_exists(""));
	assert_false(cause_name_exists("peer_lost"));
}

/* Class and severity of a cause follow from its event, with two exceptions. */
static const struct {
	enum lp_event event;
	__u32 class;
	enum lp_severity severity;
} kinds[] = {
	{EVENT_CONNECT_FAILED, LP_CLASS_LOST, SEVERITY_WARNING},
	{EVENT_PEER_LOST, LP_CLASS_LOST, SEVERITY_WARNING},
	{EVENT_PEER_CLOSED, LP_CLASS_PEER_CLOSED, SEVERITY_INFO},
	{EVENT_LOCAL_CLOSED, LP_CLASS_LOCAL_CLOSED, SEVERITY_INFO},
	{EVENT_LOCAL_RESET, LP_CLASS_LOST, SEVERITY_WARNING},
	{EVENT_ACCEPT_DROPPED, LP_CLASS_QUEUES, SEVERITY_WARNING},
	{EVENT_PEER_SILENT, LP_CLASS_SILENT, SEVERITY_WARNING},
	{EVENT_PEER_BACK, LP_CLASS_SILENT, SEVERITY_INFO},
	{EVENT_CLOSE_IGNORED, LP_CLASS_IGNORED, SEVERITY_WARNING},
	{EVENT_EVENTS_LOST, 0, SEVERITY_ERROR},
};

static void test_every_row_has_its_class_and_severity(void **state)
{
	(void)state;
	assert_int_equal(COUNT(kinds), EVENT_COUNT - 1);
	for (enum lp_cause cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++) {
		size_t i = 0;

		while (kinds[i].event != cause_event(cause))
			assert_true(++i < COUNT(kinds));
		assert_int_equal(cause_class(cause),
				 cause == CONNECT_FAILED_ABANDONED ? LP_CLASS_ABANDONED : kinds[i].class);
		assert_int_equal(cause_severity(cause), cause == CONNECT_FAILED_ABANDONED ||
									cause == CONNECT_FAILED_REFUSED ||
									cause == LOCAL_RESET_NO_CONNECTION
								? SEVERITY_NOTICE
								: kinds[i].severity);
	}
}

/* A forgotten cell is NULL. */
static void test_every_row_has_its_words(void **state)
{
	(void)state;
	for (enum lp_cause cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++) {
		assert_non_null(cause_name(cause));
		assert_string_not_equal(cause_name(cause), "");
		assert_non_null(cause_sentence(cause));
		assert_string_not_equal(cause_sentence(cause), "");
		for (enum lp_cause other = CAUSE_NONE + 1; other < cause; other++) {
			assert_string_not_equal(cause_sentence(other), cause_sentence(cause));
			assert_true(cause_event(other) != cause_event(cause) ||
				    strcmp(cause_name(other), cause_name(cause)));
		}
	}
	assert_string_equal(cause_sentence(CAUSE_NONE), "");
}

/* Early warnings have their cause already: only the phase is judged. */
static const struct vector warnings[] = {
	{"silent",
	 {TCP_ESTABLISHED, HELD, .kind = LP_KIND_LOOK, .unack = 9, .retr = 3},
	 .out = {PEER_SILENT_UNACKED, BY_NETWORK, PHASE_ESTABLISHED, CAUSE_NONE}},
	{"silent_orphan",
	 {TCP_FIN_WAIT1, ORPHAN, .kind = LP_KIND_LOOK, .unack = 9, .retr = 3},
	 .out = {PEER_SILENT_UNACKED, BY_NETWORK, PHASE_ORPHANED, CAUSE_NONE}},
	{"silent_after_the_peers_close",
	 {TCP_CLOSE_WAIT, HELD, FIN_IN, .kind = LP_KIND_LOOK, .unack = 9, .retr = 3},
	 .out = {PEER_SILENT_UNACKED, BY_NETWORK, PHASE_HALF_CLOSED, CAUSE_NONE}},
	{"silent_after_our_close",
	 {TCP_FIN_WAIT1, HELD, .kind = LP_KIND_LOOK, .shut = 2, .unack = 9, .retr = 3},
	 .out = {PEER_SILENT_UNACKED, BY_NETWORK, PHASE_CLOSING, CAUSE_NONE}},
	{"back",
	 {TCP_ESTABLISHED, HELD, .kind = LP_KIND_LOOK},
	 .out = {PEER_BACK_ACKED, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE}},
	{"ignored",
	 {TCP_CLOSE_WAIT, HELD, FIN_IN, .kind = LP_KIND_LOOK, .unread = 9},
	 .out = {CLOSE_IGNORED_CLOSE_WAIT, BY_LOCAL, PHASE_HALF_CLOSED, CAUSE_NONE}},
	{"ignored_in_the_accept_queue",
	 {TCP_CLOSE_WAIT, QUEUED, FIN_IN, .kind = LP_KIND_LOOK},
	 .out = {CLOSE_IGNORED_CLOSE_WAIT, BY_LOCAL, PHASE_UNACCEPTED, CAUSE_NONE}},
	{"queue_full",
	 {TCP_LISTEN, HELD, .kind = LP_KIND_LOOK},
	 .out = {ACCEPT_DROPPED_QUEUE_FULL, BY_LOCAL, PHASE_CONNECTING, CAUSE_NONE}},
};

int main(void)
{
	struct CMUnitTest tests[VECTORS_MAX] = {
		cmocka_unit_test(test_names_are_found_again),
		cmocka_unit_test(test_every_row_has_its_words),
		cmocka_unit_test(test_every_row_has_its_class_and_severity),
		cmocka_unit_test(test_every_connect_failed_is_made),
		cmocka_unit_test(test_every_peer_lost_is_made),
		cmocka_unit_test(test_every_peer_closed_is_made),
	};
	size_t n = 6;

	add_vectors(tests, &n, connect_failed, COUNT(connect_failed));
	add_vectors(tests, &n, reset, COUNT(reset));
	add_vectors(tests, &n, timeouts, COUNT(timeouts));
	add_vectors(tests, &n, peer_closed, COUNT(peer_closed));
	add_vectors(tests, &n, warnings, COUNT(warnings));
	return _cmocka_run_group_tests("cause", tests, n, NULL, NULL);
}
