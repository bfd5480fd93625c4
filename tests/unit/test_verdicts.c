/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The verdicts of lostpeer-events(7), each from the fewest facts that give it, and their order of precedence. */
/* vectors override defaults of LOOK() */
#pragma GCC diagnostic ignored "-Woverride-init"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "event/verdicts.h"

#define WITHIN_MS 60000
#define HEARD LP_KNOWN_HEARD
#define HELD (LP_F_SOCKET | LP_F_FILE)

struct check_vector {
	const char *name;
	enum check_verdict verdict;
	struct lp_socket
		in; /* family, ports and descriptor are filled in; unack and unsent are snd_nxt and write_seq */
};

#define LOOK(s, ...)                                                                                                   \
	{                                                                                                              \
		.state = (s), .flags = HELD, .known = HEARD, .heard_ms = 1000, .snd_wnd = 65535, __VA_ARGS__           \
	}
#define HALF(...) LOOK(TCP_CLOSE_WAIT, .known = HEARD | LP_KNOWN_SENT | LP_KNOWN_READS_ON, __VA_ARGS__)
#define WAITS(sent, written) .snd_nxt = (sent), .write_seq = (written)

static const struct check_vector vectors[] = {
	{"error_waits", CHECK_ERRORED, LOOK(TCP_CLOSE, .err = ECONNRESET)},
	{"error_of_a_live_connection", CHECK_ERRORED, LOOK(TCP_ESTABLISHED, .err = EHOSTUNREACH)},
	{"error_outweighs_stalled", CHECK_ERRORED,
	 LOOK(TCP_ESTABLISHED, .err = EHOSTUNREACH, .retransmits = 3, WAITS(9, 9))},
	{"error_of_a_failed_connect", CHECK_ERRORED, LOOK(TCP_CLOSE, .err = ECONNREFUSED, .known = 0)},
	{"error_that_was_taken", CHECK_CLOSED, LOOK(TCP_CLOSE, .err = 0)},
	{"data_sent_again", CHECK_STALLED, LOOK(TCP_ESTABLISHED, .retransmits = 1, WAITS(100, 100))},
	{"data_sent_again_half_closed", CHECK_STALLED, LOOK(TCP_CLOSE_WAIT, .retransmits = 2, WAITS(100, 100))},
	{"data_sent_again_by_an_orphan", CHECK_STALLED,
	 LOOK(TCP_FIN_WAIT1, .flags = LP_F_DEAD, .retransmits = 2, WAITS(101, 101))},
	{"data_in_flight", CHECK_ALIVE, LOOK(TCP_ESTABLISHED, WAITS(100, 100))},
	{"sent_again_once_and_acknowledged", CHECK_ALIVE, LOOK(TCP_ESTABLISHED, .total_retrans = 5)},
	{"fin_sent_again", CHECK_STALLED, LOOK(TCP_FIN_WAIT1, .retransmits = 1, WAITS(1, 1))},
	{"fin_sent_again_by_an_orphan", CHECK_CLOSING,
	 LOOK(TCP_FIN_WAIT1, .flags = LP_F_DEAD, .retransmits = 1, WAITS(1, 1))},
	{"last_fin_sent_again_by_an_orphan", CHECK_CLOSED,
	 LOOK(TCP_LAST_ACK, .flags = LP_F_DEAD, .retransmits = 1, WAITS(1, 1))},
	{"nothing_can_leave", CHECK_STALLED, LOOK(TCP_ESTABLISHED, .probes_out = 1, WAITS(0, 100))},
	{"about_to_be_sent", CHECK_ALIVE, LOOK(TCP_ESTABLISHED, WAITS(0, 100))},
	{"stalled_outweighs_window_closed", CHECK_STALLED,
	 LOOK(TCP_ESTABLISHED, .snd_wnd = 0, .retransmits = 1, WAITS(50, 100))},
	{"window_closed", CHECK_WINDOW_CLOSED, LOOK(TCP_ESTABLISHED, .snd_wnd = 0, WAITS(0, 100))},
	{"window_closed_and_probes_answered", CHECK_WINDOW_CLOSED,
	 LOOK(TCP_ESTABLISHED, .snd_wnd = 0, .probes_out = 1, WAITS(0, 100))},
	{"window_closed_and_probes_unanswered", CHECK_STALLED,
	 LOOK(TCP_ESTABLISHED, .snd_wnd = 0, .probes_out = 2, WAITS(0, 100))},
	{"window_closed_half_closed", CHECK_WINDOW_CLOSED, LOOK(TCP_CLOSE_WAIT, .snd_wnd = 0, WAITS(0, 100))},
	{"window_closed_and_nothing_to_send", CHECK_ALIVE, LOOK(TCP_ESTABLISHED, .snd_wnd = 0)},
	{"window_closed_but_for_the_fin", CHECK_CLOSING, LOOK(TCP_FIN_WAIT1, .snd_wnd = 0, WAITS(0, 1))},
	{"address_gone", CHECK_STALLED, LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_ADDRESS_GONE)},
	{"address_gone_half_closed", CHECK_STALLED, LOOK(TCP_CLOSE_WAIT, .flags = HELD | LP_F_ADDRESS_GONE)},
	{"address_gone_while_connecting", CHECK_CONNECTING,
	 LOOK(TCP_SYN_SENT, .flags = HELD | LP_F_ADDRESS_GONE, .known = 0, WAITS(1, 1))},
	{"address_gone_and_an_error", CHECK_ERRORED,
	 LOOK(TCP_ESTABLISHED, .err = EHOSTUNREACH, .flags = HELD | LP_F_ADDRESS_GONE)},
	{"syn_sent", CHECK_CONNECTING, LOOK(TCP_SYN_SENT, .known = 0, .snd_wnd = 0, WAITS(1, 1))},
	{"syn_sent_again", CHECK_CONNECTING,
	 LOOK(TCP_SYN_SENT, .known = 0, .retransmits = 4, .snd_wnd = 0, WAITS(1, 1))},
	{"syn_with_data_sent_again", CHECK_CONNECTING,
	 LOOK(TCP_SYN_SENT, .retransmits = 1, .snd_wnd = 0, WAITS(101, 101))},
	{"syn_received", CHECK_CONNECTING, LOOK(TCP_SYN_RECV, .retransmits = 1)},
	{"close_wait", CHECK_CLOSED, LOOK(TCP_CLOSE_WAIT, .flags = HELD | LP_F_FIN_IN)},
	{"close_wait_and_the_peer_takes_data", CHECK_ALIVE, HALF(.heard_ms = 1, .sent_ms = 2)},
	{"close_wait_and_the_last_answer_is_under_way", CHECK_ALIVE, HALF(.heard_ms = 900, .sent_ms = 0)},
	{"close_wait_and_the_peer_took_data_long_ago", CHECK_UNPROVEN,
	 HALF(.heard_ms = WITHIN_MS + 1, .sent_ms = WITHIN_MS + 2)},
	{"close_wait_and_only_a_keepalive_probe_was_answered", CHECK_CLOSED, HALF(.heard_ms = 1, .sent_ms = 1100)},
	{"close_wait_and_data_is_sent_again", CHECK_STALLED, HALF(.retransmits = 1, WAITS(9, 9))},
	{"close_wait_and_nothing_was_sent", CHECK_CLOSED, HALF(.known = HEARD | LP_KNOWN_READS_ON, .sent_ms = 0)},
	{"last_ack", CHECK_CLOSED, LOOK(TCP_LAST_ACK, WAITS(1, 1))},
	{"closing_at_once", CHECK_CLOSED, LOOK(TCP_CLOSING, WAITS(1, 1))},
	{"fin_wait1", CHECK_CLOSING, LOOK(TCP_FIN_WAIT1, WAITS(1, 1))},
	{"fin_wait2", CHECK_CLOSING, LOOK(TCP_FIN_WAIT2, .heard_ms = 500000)},
	{"heard_now", CHECK_ALIVE, LOOK(TCP_ESTABLISHED, .heard_ms = 0)},
	{"heard_just_in_time", CHECK_ALIVE, LOOK(TCP_ESTABLISHED, .heard_ms = WITHIN_MS)},
	{"heard_too_long_ago", CHECK_UNPROVEN, LOOK(TCP_ESTABLISHED, .heard_ms = WITHIN_MS + 1)},
	{"nobody_knows_when_heard", CHECK_UNPROVEN, LOOK(TCP_ESTABLISHED, .known = 0, .heard_ms = 0)},
	{"unread_data_is_no_verdict", CHECK_ALIVE, LOOK(TCP_ESTABLISHED, .rcv_nxt = 9000)},
	{"keepalive_unanswered", CHECK_UNPROVEN,
	 LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .probes_out = 2, .heard_ms = 90000)},
};

static void test_verdict(void **state)
{
	const struct check_vector *v = *state;
	struct lp_socket look = v->in;

	look.family = AF_INET;
	look.local_port = 1000;
	look.peer_port = 2000;
	assert_string_equal(verdicts_name(verdicts_judge(&look, WITHIN_MS)), verdicts_name(v->verdict));
}

static void test_lost(void **state)
{
	static const enum check_verdict lost[] = {CHECK_ERRORED, CHECK_STALLED, CHECK_CLOSED};

	(void)state;
	for (int v = 0, n = 0; v < CHECK_COUNT; v++) {
		bool is = n < 3 && lost[n] == (enum check_verdict)v;

		assert_int_equal(verdicts_is_lost((enum check_verdict)v), is);
		assert_true(is == (verdicts_rank((enum check_verdict)v) < 3)); /* lost connections come first */
		n += is;
	}
}

static void test_is_connection(void **state)
{
	struct lp_socket listener = LOOK(TCP_LISTEN, .local_port = 1), fresh = LOOK(TCP_CLOSE, .local_port = 1),
			 one = LOOK(TCP_CLOSE, .local_port = 1, .peer_port = 2);

	(void)state;
	assert_false(verdicts_is_connection(&listener));
	assert_false(verdicts_is_connection(&fresh));
	assert_true(verdicts_is_connection(&one));
}

static void test_halves(void **state)
{
	static const struct {
		__u8 state, shutdown;
		bool read, write;
	} vector[] = {
		{TCP_ESTABLISHED, 0, false, false}, {TCP_ESTABLISHED, 1, true, false}, {TCP_CLOSE_WAIT, 1, true, false},
		{TCP_FIN_WAIT1, 2, false, true},    {TCP_FIN_WAIT2, 3, true, true},    {TCP_LAST_ACK, 3, true, true},
		{TCP_CLOSING, 3, true, true},       {TCP_CLOSE, 3, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
		struct lp_socket look = LOOK(vector[i].state, .shutdown = vector[i].shutdown);

		assert_int_equal(verdicts_read_closed(&look), vector[i].read);
		assert_int_equal(verdicts_write_closed(&look), vector[i].write);
	}
}

static void test_phase(void **state)
{
	static const struct {
		__u8 state;
		__u32 flags;
		enum lp_phase phase;
	} vector[] = {
		{TCP_SYN_SENT, HELD, PHASE_CONNECTING},
		{TCP_SYN_RECV, HELD, PHASE_CONNECTING},
		{TCP_SYN_RECV, 0, PHASE_UNACCEPTED},
		{TCP_ESTABLISHED, 0, PHASE_UNACCEPTED},
		{TCP_CLOSE_WAIT, 0, PHASE_UNACCEPTED},
		{TCP_FIN_WAIT1, LP_F_DEAD, PHASE_ORPHANED},
		{TCP_LAST_ACK, LP_F_DEAD, PHASE_ORPHANED},
		{TCP_FIN_WAIT2, HELD, PHASE_CLOSING},
		{TCP_CLOSE_WAIT, HELD, PHASE_HALF_CLOSED},
		{TCP_ESTABLISHED, HELD, PHASE_ESTABLISHED},
		{TCP_ESTABLISHED, LP_F_MPTCP, PHASE_ESTABLISHED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
		struct lp_socket look = LOOK(vector[i].state, .flags = vector[i].flags);

		assert_string_equal(phase_name(verdicts_phase(&look)), phase_name(vector[i].phase));
	}
}

#define KNOWS (HEARD | LP_KNOWN_KEEPALIVE)

/* The time of the FIN is known only if the last segment can have been nothing else. */
static void test_since_the_fin(void **state)
{
	static const struct {
		long long ms;
		struct lp_socket in;
	} vector[] = {
		{7000, LOOK(TCP_CLOSE_WAIT, .known = KNOWS | LP_KNOWN_NEVER_SENT, .heard_ms = 7000)},
		{7000, LOOK(TCP_CLOSE_WAIT, .known = KNOWS | LP_KNOWN_SENT, .heard_ms = 7000, .sent_ms = 9000)},
		{-1, LOOK(TCP_CLOSE_WAIT, .known = KNOWS | LP_KNOWN_SENT, .heard_ms = 7000, .sent_ms = 7100)},
		{-1, LOOK(TCP_CLOSE_WAIT, .known = KNOWS | LP_KNOWN_SENT, .heard_ms = 7000, .sent_ms = 9000,
			  .rto_ms = 3000)},
		{-1, LOOK(TCP_CLOSE_WAIT, .known = KNOWS | LP_KNOWN_SENT, .heard_ms = 7000, .sent_ms = 100)},
		{-1, LOOK(TCP_CLOSE_WAIT, .known = KNOWS | LP_KNOWN_NEVER_SENT, .heard_ms = 7000, WAITS(5, 5))},
		{-1, LOOK(TCP_CLOSE_WAIT, .known = KNOWS | LP_KNOWN_NEVER_SENT, .heard_ms = 7000,
			  .flags = HELD | LP_F_KEEPOPEN)},
		{-1, LOOK(TCP_CLOSE_WAIT, .known = HEARD | LP_KNOWN_NEVER_SENT, .heard_ms = 7000)},
		{-1, LOOK(TCP_CLOSE_WAIT, .known = KNOWS, .heard_ms = 7000)},
		{-1, LOOK(TCP_ESTABLISHED, .known = KNOWS | LP_KNOWN_NEVER_SENT, .heard_ms = 7000)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++)
		assert_int_equal(verdicts_fin_ms(&vector[i].in), vector[i].ms);
}

/* SYN and FIN never count; in CLOSE only the unread data is known. */
static void test_data(void **state)
{
	struct lp_socket fin = LOOK(TCP_FIN_WAIT1, WAITS(900, 901)),
			 over = LOOK(TCP_CLOSE, .flags = HELD | LP_F_FIN_IN, .rcv_nxt = 51, WAITS(900, 901));
	static struct check check;

	(void)state;
	verdicts_fill(&check, &fin, WITHIN_MS);
	assert_int_equal(check.event.data.unacked, 900);
	assert_int_equal(check.event.data.unsent, 0);
	verdicts_fill(&check, &over, WITHIN_MS);
	assert_int_equal(check.event.data.unread, 50);
	assert_int_equal(check.event.data.unacked + check.event.data.unsent, 0);
}

int main(void)
{
	static const size_t count = sizeof(vectors) / sizeof(*vectors);
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_lost),  cmocka_unit_test(test_is_connection), cmocka_unit_test(test_halves),
		cmocka_unit_test(test_phase), cmocka_unit_test(test_since_the_fin), cmocka_unit_test(test_data),
	};
	static struct CMUnitTest tests[sizeof(vectors) / sizeof(*vectors) + sizeof(others) / sizeof(*others)];

	for (size_t i = 0; i < count; i++)
		tests[i] =
			(struct CMUnitTest){vectors[i].name, test_verdict, NULL, NULL, (void *)(uintptr_t)&vectors[i]};
	memcpy(tests + count, others, sizeof(others));
	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
