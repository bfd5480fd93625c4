/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who did it, where the cause alone does not tell: what this host kept back, and which timer fired. */
#include "vector.h"

#include <errno.h>

#include "event/blame.h"

#define LOST(cause, by) .out = {PEER_LOST_##cause, by, PHASE_ESTABLISHED, CAUSE_NONE}
#define CONNECT(cause, by) .out = {CONNECT_FAILED_##cause, by, PHASE_CONNECTING, CAUSE_NONE}
#define IN_FLIGHT TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 70
#define UNSENT TCP_ESTABLISHED, HELD, .err = ETIMEDOUT, .unack = 50, .unsent = 50
#define PROBED TCP_ESTABLISHED, HELD, RST_OUT | LP_F_KEEPOPEN, .err = ETIMEDOUT
#define SYN TCP_SYN_SENT, HELD, CLIENT, .unack = 1
#define HEARD LP_KNOWN_HEARD | LP_KNOWN_RETRANS

static const struct vector timers[] = {
	{"number_of_probes_before_the_user_timeout",
	 {UNSENT, .no_window = true, .probes = 15, .user_timeout_ms = 600000, .probes_ms = 9001},
	 LOST(PROBE_TIMEOUT, BY_NETWORK)},
	{"number_of_probes_of_an_orphan_before_the_user_timeout",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 51, .unsent = 51, .no_window = true, .probes = 8,
	  .user_timeout_ms = 600000, .probes_ms = 9001},
	 .out = {PEER_LOST_PROBE_TIMEOUT, BY_NETWORK, PHASE_ORPHANED, CAUSE_NONE}},
	{"interval_of_probes_of_an_orphan_whose_peer_answers",
	 {TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 51, .unsent = 51, .no_window = true},
	 .out = {PEER_LOST_PROBE_TIMEOUT, BY_PEER, PHASE_ORPHANED, CAUSE_NONE}},
	{"user_timeout_before_the_number_of_probes",
	 {UNSENT, .no_window = true, .probes = 3, .user_timeout_ms = 1500, .probes_ms = 1501},
	 LOST(USER_TIMEOUT, BY_NETWORK)},
	{"user_timeout_a_jiffy_early",
	 {UNSENT, .no_window = true, .probes = 3, .user_timeout_ms = 1500, .probes_ms = 1493},
	 LOST(USER_TIMEOUT, BY_NETWORK)},
	{"user_timeout_or_number_of_probes_where_the_kernel_notes_no_time",
	 {UNSENT, .no_window = true, .probes = 3, .user_timeout_ms = 1500},
	 .out = {PEER_LOST_USER_TIMEOUT, BY_NETWORK, PHASE_ESTABLISHED, PEER_LOST_PROBE_TIMEOUT},
	 .lacks = LACKS_PROBE_TIME},
	{"window_shrunk_with_data_in_flight_before_the_user_timeout",
	 {IN_FLIGHT, .no_window = true, .retr = 9, .user_timeout_ms = 600000, .known = HEARD, .retrans_ms = 240000,
	  .heard_ms = 241000, .resent = 9, .last_try = LP_TRY_LEFT},
	 LOST(RETRANSMIT_TIMEOUT, BY_NETWORK)},
	{"user_timeout_of_data",
	 {IN_FLIGHT, .retr = 3, .user_timeout_ms = 1500, .known = HEARD, .retrans_ms = 1500, .heard_ms = 1700,
	  .resent = 3, .last_try = LP_TRY_LEFT},
	 LOST(USER_TIMEOUT, BY_NETWORK)},
};

static const struct vector kept_back[] = {
	{"every_keepalive_probe", {PROBED, .probes = 3, .dropped = 4}, LOST(CANNOT_SEND, BY_LOCAL)},
	{"every_keepalive_probe_with_a_user_timeout",
	 {PROBED, .probes = 3, .dropped = 3, .user_timeout_ms = 1500},
	 LOST(CANNOT_SEND, BY_LOCAL)},
	{"one_keepalive_probe_of_three", {PROBED, .probes = 3, .dropped = 1}, LOST(KEEPALIVE_TIMEOUT, BY_UNKNOWN)},
	{"no_keepalive_probe", {PROBED, .probes = 3}, LOST(KEEPALIVE_TIMEOUT, BY_NETWORK)},
	{"every_window_probe", {UNSENT, .no_window = true, .probes = 3, .dropped = 3}, LOST(CANNOT_SEND, BY_LOCAL)},
	{"one_window_probe", {UNSENT, .no_window = true, .probes = 3, .dropped = 1}, LOST(PROBE_TIMEOUT, BY_UNKNOWN)},
	{"every_retransmission",
	 {IN_FLIGHT, .retr = 3, .held_back = 3, .last_try = LP_TRY_FAILED},
	 LOST(RETRANSMIT_TIMEOUT, BY_LOCAL)},
	{"every_retransmission_of_a_seeded_connection",
	 {TCP_ESTABLISHED, HELD, LP_F_SEEDED, .err = ETIMEDOUT, .unack = 70, .retr = 3, .held_back = 3,
	  .last_try = LP_TRY_FAILED},
	 LOST(RETRANSMIT_TIMEOUT, BY_LOCAL)},
	{"every_retransmission_that_was_seen",
	 {TCP_ESTABLISHED, HELD, LP_F_SEEDED, .err = ETIMEDOUT, .unack = 70, .retr = 3, .held_back = 2,
	  .last_try = LP_TRY_FAILED},
	 LOST(RETRANSMIT_TIMEOUT, BY_UNKNOWN)},
	{"every_retransmission_dropped_on_an_older_kernel",
	 {IN_FLIGHT, .retr = 3, .dropped = 3, .last_try = LP_TRY_FAILED},
	 LOST(RETRANSMIT_TIMEOUT, BY_LOCAL),
	 .lacks = LACKS_RETRANSMIT_FAILED},
	{"the_last_retransmissions",
	 {IN_FLIGHT, .retr = 3, .resent = 1, .held_back = 2, .last_try = LP_TRY_FAILED},
	 LOST(RETRANSMIT_TIMEOUT, BY_UNKNOWN)},
	{"the_first_retransmissions",
	 {IN_FLIGHT, .retr = 3, .resent = 1, .held_back = 2, .last_try = LP_TRY_LEFT},
	 LOST(RETRANSMIT_TIMEOUT, BY_NETWORK)},
	{"every_syn", {SYN, .err = ETIMEDOUT, .retr = 2, .dropped = 3}, CONNECT(TIMEOUT, BY_LOCAL)},
	{"every_further_syn",
	 {SYN, .err = ENETUNREACH, .soft = ENETUNREACH, .retr = 2, .held_back = 2, .last_try = LP_TRY_FAILED},
	 CONNECT(UNREACHABLE, BY_LOCAL)},
	{"no_syn",
	 {SYN, .err = ETIMEDOUT, .retr = 2, .resent = 2, .last_try = LP_TRY_LEFT},
	 CONNECT(TIMEOUT, BY_NETWORK)},
};

/* Nothing failed where a hook would see it, and still nothing was sent. */
static const struct vector not_sent[] = {
	{"no_route_on_an_older_kernel",
	 {IN_FLIGHT, .soft = ENETUNREACH, .retr = 3, .known = HEARD, .retrans_ms = 3000, .heard_ms = 3200},
	 LOST(RETRANSMIT_TIMEOUT, BY_LOCAL),
	 .lacks = LACKS_RETRANSMIT_FAILED},
	{"no_route_at_last_on_an_older_kernel",
	 {IN_FLIGHT, .soft = ENETUNREACH, .retr = 4, .resent = 2, .last_try = LP_TRY_LEFT, .known = HEARD,
	  .retrans_ms = 3000, .heard_ms = 3200},
	 LOST(RETRANSMIT_TIMEOUT, BY_UNKNOWN),
	 .lacks = LACKS_RETRANSMIT_FAILED},
	{"no_route_for_the_second_syn_on_an_older_kernel",
	 {SYN, .err = ENETUNREACH, .soft = ENETUNREACH, .retr = 1, .known = LP_KNOWN_RETRANS, .retrans_ms = 3000},
	 CONNECT(UNREACHABLE, BY_LOCAL),
	 .lacks = LACKS_RETRANSMIT_FAILED},
	{"net_unreachable_from_a_router_on_an_older_kernel",
	 {IN_FLIGHT, .soft = ENETUNREACH, .retr = 4, .resent = 4, .last_try = LP_TRY_LEFT, .known = HEARD,
	  .retrans_ms = 3000, .heard_ms = 3200},
	 LOST(RETRANSMIT_TIMEOUT, BY_NETWORK),
	 .lacks = LACKS_RETRANSMIT_FAILED},
	{"address_gone_on_an_older_kernel",
	 {IN_FLIGHT, .soft = EINVAL, .retr = 3, .known = HEARD, .retrans_ms = 3000, .heard_ms = 3200},
	 LOST(RETRANSMIT_TIMEOUT, BY_LOCAL),
	 .lacks = LACKS_RETRANSMIT_FAILED},
	{"no_route_or_no_neighbour_on_an_older_kernel",
	 {IN_FLIGHT, .soft = EHOSTUNREACH, .retr = 3, .known = HEARD, .retrans_ms = 3000, .heard_ms = 3200},
	 LOST(RETRANSMIT_TIMEOUT, BY_UNKNOWN),
	 .lacks = LACKS_RETRANSMIT_FAILED},
	{"still_in_a_queue",
	 {IN_FLIGHT, .retr = 3, .known = HEARD, .retrans_ms = 3000, .heard_ms = 3200},
	 LOST(RETRANSMIT_TIMEOUT, BY_UNKNOWN)},
	{"heard_since_the_last_retransmission",
	 {IN_FLIGHT, .retr = 3, .known = HEARD, .retrans_ms = 3000, .heard_ms = 20},
	 LOST(RETRANSMIT_TIMEOUT, BY_NETWORK)},
	{"not_known_without_the_hook",
	 {IN_FLIGHT, .soft = ENETUNREACH, .retr = 3, .known = HEARD, .retrans_ms = 3000, .heard_ms = 3200},
	 LOST(RETRANSMIT_TIMEOUT, BY_NETWORK),
	 .lacks = LACKS_RETRANSMIT},
	{"not_known_of_a_seeded_connection",
	 {TCP_ESTABLISHED, HELD, LP_F_SEEDED, .err = ETIMEDOUT, .unack = 70, .soft = ENETUNREACH, .retr = 3,
	  .known = HEARD, .retrans_ms = 3000, .heard_ms = 3200},
	 LOST(RETRANSMIT_TIMEOUT, BY_NETWORK),
	 .lacks = LACKS_RETRANSMIT_FAILED},
	{"silent_while_this_host_keeps_back",
	 {TCP_ESTABLISHED, HELD, .kind = LP_KIND_LOOK, .unack = 9, .retr = 3, .held_back = 3,
	  .last_try = LP_TRY_FAILED},
	 .out = {PEER_SILENT_UNACKED, BY_LOCAL, PHASE_ESTABLISHED, CAUSE_NONE}},
};

static const struct vector resets[] = {
	{"rst_of_our_own_firewall",
	 {TCP_ESTABLISHED, HELD, OWN | RST_IN | LP_F_RST_OWN, .err = ECONNRESET, .unack = 80, .unsent = 80},
	 LOST(RESET, BY_LOCAL)},
	{"syn_refused_by_our_own_firewall",
	 {TCP_SYN_SENT, HELD, OWN | CLIENT | RST_IN | LP_F_RST_OWN, .err = ECONNREFUSED, .unack = 1},
	 CONNECT(REFUSED, BY_LOCAL)},
};

static void test_a_peer_that_lives_on_is_cleared(void **state)
{
	struct verdict reset = {PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE};
	struct verdict own = {PEER_LOST_RESET, BY_LOCAL, PHASE_ESTABLISHED, CAUSE_NONE};
	struct verdict closed = {PEER_CLOSED_FIN, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE};

	(void)state;
	blame_clear_peer(&reset);
	blame_clear_peer(&own);
	blame_clear_peer(&closed);
	assert_int_equal(reset.by, BY_UNKNOWN);
	assert_int_equal(own.by, BY_LOCAL);
	assert_int_equal(closed.by, BY_PEER);
}

/* No sentence is said of two causes, or of two who did it. */
static void test_sentences_differ(void **state)
{
	(void)state;
	for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		for (int by = 0; by < BY_COUNT; by++)
			for (int other = cause + 1; other < CAUSE_COUNT; other++)
				assert_string_not_equal(blame_sentence((enum lp_cause)cause, (enum lp_by)by),
							blame_sentence((enum lp_cause)other, (enum lp_by)by));
	assert_string_equal(blame_sentence(PEER_LOST_RESET, BY_PEER), cause_sentence(PEER_LOST_RESET));
	assert_string_equal(blame_sentence(PEER_LOST_RESET, BY_LOCAL), "reset by this host's own firewall");
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

int main(void)
{
	struct CMUnitTest tests[VECTORS_MAX] = {
		cmocka_unit_test(test_a_peer_that_lives_on_is_cleared),
		cmocka_unit_test(test_sentences_differ),
	};
	size_t n = 2;

	add_vectors(tests, &n, timers, COUNT(timers));
	add_vectors(tests, &n, kept_back, COUNT(kept_back));
	add_vectors(tests, &n, not_sent, COUNT(not_sent));
	add_vectors(tests, &n, resets, COUNT(resets));
	return _cmocka_run_group_tests("blame", tests, n, NULL, NULL);
}
