/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parts of an event besides its verdict: severity, error, halves that were closed before, durations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sample.h"

struct severity_vector {
	const char *name;
	enum lp_cause cause;
	enum lp_phase phase;
	struct facts in;
	enum lp_severity severity;
};

static const struct severity_vector severities[] = {
	{"reset_is_a_warning",
	 PEER_LOST_RESET,
	 PHASE_ESTABLISHED,
	 {TCP_ESTABLISHED, HELD, .unack = 9},
	 SEVERITY_WARNING},
	{"reset_without_data_is_a_warning",
	 PEER_LOST_RESET,
	 PHASE_ESTABLISHED,
	 {TCP_ESTABLISHED, HELD, .err = 0},
	 SEVERITY_WARNING},
	{"reset_half_closed_is_a_warning",
	 PEER_LOST_RESET,
	 PHASE_HALF_CLOSED,
	 {TCP_CLOSE_WAIT, HELD, FIN_IN, .err = 0},
	 SEVERITY_WARNING},
	{"connect_timeout_is_a_warning",
	 CONNECT_FAILED_TIMEOUT,
	 PHASE_CONNECTING,
	 {TCP_SYN_SENT, HELD, CLIENT, .err = 0},
	 SEVERITY_WARNING},
	{"no_port_is_a_warning",
	 CONNECT_FAILED_NO_PORT,
	 PHASE_CONNECTING,
	 {TCP_SYN_SENT, HELD, CLIENT, .err = 0},
	 SEVERITY_WARNING},
	{"our_reset_is_a_warning",
	 LOCAL_RESET_UNREAD_DATA,
	 PHASE_ESTABLISHED,
	 {TCP_ESTABLISHED, IN_CLOSE, .unread = 1},
	 SEVERITY_WARNING},
	{"orphan_with_data_is_a_warning",
	 LOCAL_RESET_NO_MEMORY,
	 PHASE_ORPHANED,
	 {TCP_FIN_WAIT1, ORPHAN, .unack = 2},
	 SEVERITY_WARNING},
	{"orphan_with_data_unsent_is_a_warning",
	 PEER_LOST_CANNOT_SEND,
	 PHASE_ORPHANED,
	 {TCP_FIN_WAIT1, ORPHAN, .unack = 2, .unsent = 2},
	 SEVERITY_WARNING},
	{"closing_with_data_unread_is_a_warning",
	 PEER_LOST_RESET,
	 PHASE_CLOSING,
	 {TCP_FIN_WAIT2, HELD, .unread = 1},
	 SEVERITY_WARNING},
	{"peer_silent_is_a_warning",
	 PEER_SILENT_UNACKED,
	 PHASE_ESTABLISHED,
	 {TCP_ESTABLISHED, HELD, .unack = 9},
	 SEVERITY_WARNING},
	{"accept_dropped_is_a_warning",
	 ACCEPT_DROPPED_QUEUE_FULL,
	 PHASE_CONNECTING,
	 {TCP_LISTEN, HELD, .err = 0},
	 SEVERITY_WARNING},
	{"refused_is_a_notice",
	 CONNECT_FAILED_REFUSED,
	 PHASE_CONNECTING,
	 {TCP_SYN_SENT, HELD, CLIENT, .err = 0},
	 SEVERITY_NOTICE},
	{"abandoned_late_is_a_notice",
	 CONNECT_FAILED_ABANDONED,
	 PHASE_CONNECTING,
	 {TCP_SYN_SENT, IN_CLOSE, .retr = 1},
	 SEVERITY_NOTICE},
	{"unaccepted_is_a_notice",
	 PEER_LOST_RESET,
	 PHASE_UNACCEPTED,
	 {TCP_ESTABLISHED, QUEUED, .unread = 10},
	 SEVERITY_NOTICE},
	{"listener_closed_is_a_notice",
	 LOCAL_RESET_LISTENER_CLOSED,
	 PHASE_UNACCEPTED,
	 {TCP_ESTABLISHED, QUEUED, .err = 0},
	 SEVERITY_NOTICE},
	{"abandoned_at_once_is_a_notice",
	 CONNECT_FAILED_ABANDONED,
	 PHASE_CONNECTING,
	 {TCP_SYN_SENT, IN_CLOSE, CLIENT, .err = 0},
	 SEVERITY_NOTICE},
	{"peer_closed_is_info",
	 PEER_CLOSED_FIN,
	 PHASE_ESTABLISHED,
	 {TCP_ESTABLISHED, HELD, FIN_IN, .unread = 9},
	 SEVERITY_INFO},
	{"peer_closed_before_accept_is_info",
	 PEER_CLOSED_FIN,
	 PHASE_UNACCEPTED,
	 {TCP_ESTABLISHED, QUEUED, FIN_IN, .err = 0},
	 SEVERITY_INFO},
	{"local_closed_is_info",
	 LOCAL_CLOSED_CLOSE,
	 PHASE_CLOSING,
	 {TCP_FIN_WAIT2, HELD, FIN_IN, .unread = 300},
	 SEVERITY_INFO},
	{"peer_back_is_info", PEER_BACK_ACKED, PHASE_ESTABLISHED, {TCP_ESTABLISHED, HELD, .err = 0}, SEVERITY_INFO},
	{"closing_without_data_is_info",
	 PEER_LOST_RESET,
	 PHASE_CLOSING,
	 {TCP_FIN_WAIT1, HELD, .unack = 1},
	 SEVERITY_INFO},
	{"orphan_without_data_is_info",
	 LOCAL_RESET_LINGER2,
	 PHASE_ORPHANED,
	 {TCP_FIN_WAIT2, ORPHAN, LP_F_LINGER2, .err = 0},
	 SEVERITY_INFO},
};

static void test_severity(void **state)
{
	const struct severity_vector *v = *state;
	struct sample s = {0};

	s.record = record_of(&v->in);
	sample_judge(&s, (struct verdict){v->cause, cause_by(v->cause), v->phase, CAUSE_NONE});
	assert_string_equal(severity_name(s.event.severity), severity_name(v->severity));
}

static void test_the_loser_of_a_race_is_info(void **state)
{
	struct sample s = {0};

	(void)state;
	s.record = record_of(&(struct facts){TCP_SYN_SENT, IN_CLOSE, CLIENT, .err = 0});
	sample_judge(&s, (struct verdict){CONNECT_FAILED_ABANDONED, BY_LOCAL, PHASE_CONNECTING, CAUSE_NONE});
	event_lose_race(&s.event);
	assert_int_equal(s.event.severity, SEVERITY_INFO);
	assert_int_equal(event_class(&s.event), LP_CLASS_ABANDONED);
}

static const struct lp_task mother = {.tgid = 5, .start_boot_ns = 50}, child = {.tgid = 6, .start_boot_ns = 60};

/* Closed in order, by the child's shutdown(2). */
static void shut_down(struct sample *s, enum held held, bool opened, struct owner owner)
{
	const struct lp_shutter shutter = {.task = child, .opened = opened};
	bool dead = held == ORPHAN;

	memset(s, 0, sizeof(*s));
	s->record = record_of(&(struct facts){TCP_FIN_WAIT2, held, FIN_IN, .err = 0, .shut = 3});
	sample_judge(s, (struct verdict){0});
	event_set_shutter(&s->event, &shutter);
	event_judge(&s->event,
		    (struct verdict){LOCAL_CLOSED_CLOSE, BY_LOCAL, dead ? PHASE_ORPHANED : PHASE_CLOSING, CAUSE_NONE});
	assert_int_equal(event_class(&s->event), opened || dead ? LP_CLASS_LOCAL_CLOSED : LP_CLASS_LOST);
	s->event.owner = owner;
	event_compare_shutter(&s->event);
}

static void test_a_shutdown_by_another_is_a_warning(void **state)
{
	struct sample s;

	(void)state;
	shut_down(&s, HELD, false, (struct owner){.via = VIA_CONNECT, .process = mother});
	assert_int_equal(s.event.severity, SEVERITY_WARNING);
	assert_int_equal(event_class(&s.event), LP_CLASS_LOST);
	shut_down(&s, HELD, false,
		  (struct owner){.unknown = UNKNOWN_SHARED, .n_holders = 2, .holders = {child, mother}});
	assert_int_equal(s.event.severity, SEVERITY_WARNING);
	assert_int_equal(s.event.shutter.tgid, child.tgid);
}

static void test_a_shutdown_that_harms_nobody_is_info(void **state)
{
	const struct owner owner = {.via = VIA_CONNECT, .process = mother};
	struct sample s;

	(void)state;
	shut_down(&s, HELD, false, (struct owner){.via = VIA_HOLDER, .process = child}); /* its own by now */
	assert_int_equal(s.event.severity, SEVERITY_INFO);
	assert_int_equal(event_class(&s.event), LP_CLASS_LOCAL_CLOSED);
	assert_int_equal(s.event.shutter.tgid, 0);
	shut_down(&s, HELD, true, owner); /* by the one that opened it */
	assert_int_equal(s.event.severity, SEVERITY_INFO);
	assert_int_equal(s.event.shutter.tgid, child.tgid);
	shut_down(&s, ORPHAN, false, owner); /* its holder closed it as well */
	assert_int_equal(s.event.severity, SEVERITY_INFO);
	assert_int_equal(s.event.shutter.tgid, child.tgid);
	shut_down(&s, HELD, false, (struct owner){.unknown = UNKNOWN_HOLDER_GONE}); /* perhaps its own */
	assert_int_equal(s.event.severity, SEVERITY_INFO);
	assert_int_equal(event_class(&s.event), LP_CLASS_LOCAL_CLOSED);
}

static struct event *unanswered(struct sample *s, enum lp_cause cause, const struct facts *facts)
{
	s->record = record_of(facts);
	sample_judge(s, (struct verdict){cause, cause_by(cause), PHASE_CONNECTING, CAUSE_NONE});
	return &s->event;
}

static void test_a_bad_signature_takes_the_blame_for_a_timeout(void **state)
{
	const struct facts syn = {TCP_SYN_SENT, IN_CLOSE, CLIENT, .err = ETIMEDOUT};
	struct sample s = {0};
	struct event *e = unanswered(&s, CONNECT_FAILED_TIMEOUT, &syn);

	(void)state;
	event_refuse(e, (struct refused){LP_SIGNATURE_NONE, BY_PEER});
	assert_int_equal(e->verdict.by, BY_NETWORK);
	event_refuse(e, (struct refused){LP_SIGNATURE_WRONG, BY_PEER});
	assert_int_equal(e->verdict.by, BY_PEER);
	e = unanswered(&s, CONNECT_FAILED_ABANDONED, &syn);
	event_refuse(e, (struct refused){LP_SIGNATURE_WRONG, BY_PEER});
	assert_int_equal(e->verdict.by, BY_LOCAL);
	assert_true(event_is_unanswered(e));
	assert_false(event_is_unanswered(unanswered(&s, CONNECT_FAILED_REFUSED, &syn)));
}

/* What came before the last answer, or of another connection, is no reason. */
static void test_unanswered_since(void **state)
{
	const struct facts held = {TCP_ESTABLISHED, HELD, CLIENT, .err = ETIMEDOUT};
	struct sample s = {0};
	struct event *e = unanswered(&s, PEER_LOST_RETRANSMIT_TIMEOUT, &held);

	(void)state;
	s.record.time_ns = 100 * CLOCK_SECOND;
	s.record.born_ns = 10 * CLOCK_SECOND;
	s.record.established_ns = 0;
	s.record.socket.known = 0;
	assert_int_equal(event_unanswered_since(e), 10 * CLOCK_SECOND);
	s.record.established_ns = 11 * CLOCK_SECOND;
	assert_int_equal(event_unanswered_since(e), 11 * CLOCK_SECOND);
	s.record.socket.known = LP_KNOWN_HEARD;
	s.record.socket.heard_ms = 30000;
	assert_int_equal(event_unanswered_since(e), 70 * CLOCK_SECOND - 10 * CLOCK_MS);
	s.record.socket.heard_ms = 89995; /* a jiffy is longer than that */
	assert_int_equal(event_unanswered_since(e), 11 * CLOCK_SECOND);
}

static void test_a_gap_is_an_error(void **state)
{
	struct sample s;

	(void)state;
	for (int place = EVENTS_LOST_RING_FULL; place < CAUSE_COUNT; place++) {
		event_from_loss(&s.event, (enum lp_cause)place, (struct loss){1, 2, 3});
		assert_int_equal(s.event.severity, SEVERITY_ERROR);
		assert_int_equal(s.event.verdict.by, BY_AGENT);
		assert_int_equal(s.event.wall_ns, 3);
		assert_null(s.event.record);
		assert_false(event_has_transfer(&s.event));
	}
}

static void test_severities_are_found_by_name(void **state)
{
	(void)state;
	for (int i = 0; i < SEVERITY_COUNT; i++)
		assert_int_equal(severity_by_name(severity_name((enum lp_severity)i)), i);
	assert_int_equal(severity_by_name(""), -1);
	assert_int_equal(severity_by_name("warn"), -1);
	assert_int_equal(severity_by_name("Error"), -1);
}

struct half_vector {
	const char *name;
	struct facts in;
	bool read_closed, write_closed;
};

/* A FIN or close that is the event itself does not count as a half closed before. */
static const struct half_vector halves[] = {
	{"both_open", {TCP_ESTABLISHED, HELD, RST_IN, .err = 0}, false, false},
	{"both_open_before_accept", {TCP_ESTABLISHED, QUEUED, RST_IN, .err = 0}, false, false},
	{"both_open_in_syn_recv", {TCP_SYN_RECV, HELD, RST_IN, .err = 0}, false, false},
	{"both_open_until_we_close", {TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .err = 0}, false, false},
	{"both_open_until_the_kernel_closes_its_own",
	 {TCP_ESTABLISHED, NO_FILE, OWN, .shut = 3, .unread = 3},
	 false,
	 false},
	{"both_open_until_the_peers_fin",
	 {TCP_ESTABLISHED, HELD, FIN_IN, .shut = 1, .kind = LP_KIND_PEER_FIN},
	 false,
	 false},
	{"peer_closed_before", {TCP_CLOSE_WAIT, HELD, FIN_IN | RST_IN, .shut = 1}, true, false},
	{"peer_closed_before_we_reset", {TCP_CLOSE_WAIT, IN_CLOSE, FIN_IN, .unread = 5}, true, false},
	{"peer_closed_before_accept", {TCP_CLOSE_WAIT, QUEUED, FIN_IN | RST_IN, .shut = 1}, true, false},
	{"we_shut_down_writing", {TCP_FIN_WAIT1, HELD, RST_IN, .shut = 2}, false, true},
	{"we_shut_down_writing_long_ago", {TCP_FIN_WAIT2, HELD, RST_IN, .shut = 2}, false, true},
	{"we_shut_down_writing_and_close_now", {TCP_FIN_WAIT2, IN_CLOSE, .unread = 5}, false, true},
	{"we_shut_down_writing_until_the_peers_fin", {TCP_FIN_WAIT2, HELD, FIN_IN, .shut = 3}, false, true},
	{"we_shut_down_both_ways", {TCP_FIN_WAIT2, HELD, RST_IN, .shut = 3}, true, true},
	{"we_shut_down_reading", {TCP_ESTABLISHED, HELD, RST_IN, .shut = 1}, true, false},
	{"we_closed", {TCP_FIN_WAIT1, ORPHAN, RST_IN, .err = 0}, true, true},
	{"we_closed_long_ago", {TCP_FIN_WAIT2, ORPHAN, .err = 0}, true, true},
	{"both_closed", {TCP_CLOSING, ORPHAN, FIN_IN | RST_IN, .err = 0}, true, true},
	{"both_shut_down", {TCP_LAST_ACK, HELD, FIN_IN | RST_IN, .shut = 3}, true, true},
};

static void test_halves(void **state)
{
	const struct half_vector *v = *state;
	struct sample s = {0};

	s.record = record_of(&v->in);
	sample_judge(&s, (struct verdict){PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE});
	assert_int_equal(event_read_closed(&s.event), v->read_closed);
	assert_int_equal(event_write_closed(&s.event), v->write_closed);
}

static int error_of(enum lp_cause cause, struct facts facts)
{
	struct sample s = {0};

	s.record = record_of(&facts);
	sample_judge(&s, (struct verdict){cause, cause_by(cause), PHASE_ESTABLISHED, CAUSE_NONE});
	return s.event.error;
}

static void test_the_error_is_the_one_that_the_application_gets(void **state)
{
	(void)state;
	assert_int_equal(error_of(PEER_LOST_RESET, (struct facts){TCP_ESTABLISHED, HELD, .err = ECONNRESET}),
			 ECONNRESET);
	assert_int_equal(error_of(PEER_LOST_RESET, (struct facts){TCP_CLOSE_WAIT, HELD, .err = EPIPE}), EPIPE);
	assert_int_equal(error_of(PEER_LOST_RESET, (struct facts){TCP_ESTABLISHED, QUEUED, .err = ECONNRESET}),
			 ECONNRESET);
	assert_int_equal(error_of(CONNECT_FAILED_DENIED, (struct facts){TCP_CLOSE, HELD, .err = EPERM}), EPERM);
	assert_int_equal(error_of(CONNECT_FAILED_NO_PORT, (struct facts){TCP_SYN_SENT, HELD, .err = 0}), EADDRNOTAVAIL);
	assert_int_equal(error_of(LOCAL_RESET_LINGER, (struct facts){TCP_ESTABLISHED, IN_CLOSE, .err = 0}), 0);
	/* no process is left to get the error */
	assert_int_equal(error_of(PEER_LOST_RESET, (struct facts){TCP_FIN_WAIT1, ORPHAN, .err = ECONNRESET}), 0);
}

static void test_durations(void **state)
{
	struct sample s;

	(void)state;
	sample_example(&s);
	s.record.born_ns = s.record.time_ns - 90000000000ULL;
	assert_true(event_duration_ms(&s.event) == 81234.5);
	s.event.verdict.cause = CONNECT_FAILED_TIMEOUT;
	assert_true(event_duration_ms(&s.event) == 90000.0);
	s.record.born_ns = 0;
	assert_true(event_duration_ms(&s.event) < 0);
	s.event.verdict.cause = PEER_LOST_RESET;
	s.record.established_ns = 0; /* it is older than the agent */
	assert_true(event_duration_ms(&s.event) < 0);
	s.record.established_ns = s.record.time_ns + 1;
	assert_true(event_duration_ms(&s.event) < 0);
	s.record.established_ns = s.record.time_ns;
	assert_true(event_duration_ms(&s.event) == 0);
}

static void test_silence(void **state)
{
	struct sample s;

	(void)state;
	sample_example(&s);
	assert_true(event_silent_ms(&s.event) < 0);
	s.record.socket.known = LP_KNOWN_HEARD;
	assert_true(event_silent_ms(&s.event) == 0);
	s.record.socket.heard_ms = 40;
	assert_true(event_silent_ms(&s.event) == 40);
	s.record.socket.state = TCP_SYN_SENT; /* no segment can have come */
	assert_true(event_silent_ms(&s.event) < 0);
}

static void test_an_event_has_only_one_of_via_and_unknown(void **state)
{
	struct lp_record record = record_of(&(struct facts){TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET});
	struct event event;

	(void)state;
	memset(&event, 0xff, sizeof(event));
	event_from_record(&event, &record, (struct verdict){PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE},
			  1);
	assert_int_equal(event.owner.via, VIA_NONE);
	assert_int_equal(event.owner.unknown, UNKNOWN_NOT_SEEN);
	assert_int_equal(event.owner.n_holders, 0);
	assert_string_equal(event.executable, "");
	assert_int_equal(event.loss.count, 0);
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_loser_of_a_race_is_info),
		cmocka_unit_test(test_a_shutdown_by_another_is_a_warning),
		cmocka_unit_test(test_a_shutdown_that_harms_nobody_is_info),
		cmocka_unit_test(test_a_bad_signature_takes_the_blame_for_a_timeout),
		cmocka_unit_test(test_unanswered_since),
		cmocka_unit_test(test_a_gap_is_an_error),
		cmocka_unit_test(test_severities_are_found_by_name),
		cmocka_unit_test(test_the_error_is_the_one_that_the_application_gets),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_an_event_has_only_one_of_via_and_unknown),
	};
	struct CMUnitTest all[COUNT(tests) + COUNT(severities) + COUNT(halves)];
	size_t n = COUNT(tests);

	memcpy(all, tests, sizeof(tests));
	for (size_t i = 0; i < COUNT(severities); i++)
		all[n++] = (struct CMUnitTest){
			.name = severities[i].name,
			.test_func = test_severity,
			.initial_state = (void *)(uintptr_t)&severities[i],
		};
	for (size_t i = 0; i < COUNT(halves); i++)
		all[n++] = (struct CMUnitTest){
			.name = halves[i].name,
			.test_func = test_halves,
			.initial_state = (void *)(uintptr_t)&halves[i],
		};
	return _cmocka_run_group_tests("event", all, n, NULL, NULL);
}
