/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The text format: one line for each event, aligned columns, and no control characters except our colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "sample.h"

static struct line line;
static struct sample sample;
static struct format_context context;

static int set_up(void **state)
{
	(void)state;
	context = sample_context();
	sample_example(&sample);
	return 0;
}

/* The line without its newline. */
static const char *format(void)
{
	format_text(&line, &sample.event, &context);
	assert_false(line.cut);
	assert_ptr_equal(memchr(line.text, '\n', line.length), line.text + line.length - 1);
	line.text[line.length - 1] = '\0';
	assert_int_equal(strlen(line.text), line.length - 1);
	assert_null(strstr(line.text, "(null)"));
	return line.text;
}

/* C0, DEL and C1, in UTF-8 and as a single byte. */
static void check_no_control(const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		assert_true(*s >= 0x20 && *s != 0x7f);
		assert_false(*s == 0xc2 && s[1] < 0xa0);
	}
}

static void says(const char *part)
{
	if (!strstr(format(), part))
		fail_msg("no '%s' in '%s'", part, line.text);
}

static void does_not_say(const char *part)
{
	if (strstr(format(), part))
		fail_msg("'%s' in '%s'", part, line.text);
}

static void test_the_example(void **state)
{
	(void)state;
	assert_string_equal(format(), "12:01:02.123 checkout[4711]                  10.0.0.5:5432           "
				      "peer_lost/reset               reset by the peer, after 1m21s (ECONNRESET); "
				      "512 B unacked; local 10.0.0.7:51820");
}

static size_t column_of(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	assert_non_null(at);
	return (size_t)(at - text);
}

static void test_columns_stand_under_their_names(void **state)
{
	static struct line header;
	const char *text = format();

	(void)state;
	format_text_header(&header);
	assert_int_equal(header.text[header.length - 1], '\n');
	header.text[header.length - 1] = '\0';
	check_no_control(header.text);
	assert_int_equal(column_of(header.text, "TIME"), 0);
	assert_int_equal(column_of(header.text, "WHO"), column_of(text, "checkout"));
	assert_int_equal(column_of(header.text, "LOST"), column_of(text, "10.0.0.5"));
	assert_int_equal(column_of(header.text, "EVENT/CAUSE"), column_of(text, "peer_lost/reset"));
	assert_int_equal(column_of(header.text, "WHAT HAPPENED"), column_of(text, "reset by the peer"));
}

static void test_columns_stay_apart_when_one_is_too_wide(void **state)
{
	(void)state;
	strcpy(sample.event.owner.process.comm, "fifteen letters");
	sample.event.owner.process.tgid = 4194304;
	says(" fifteen letters[4194304]        10.0.0.5:5432 ");
	place_read("/system.slice/nginx.service", &sample.place);
	says(" fifteen letters[4194304]@nginx  10.0.0.5:5432 ");
	place_read("/system.slice/quite-long.service", &sample.place);
	says(" fifteen letters[4194304]@quite-long 10.0.0.5:5432 ");
	sample.record = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .family = AF_INET6});
	memset(sample.record.socket.peer_addr, 0xfd, 16);
	says(" [fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:5432 peer_lost/reset ");
}

/* Which fe80::1 it is only the link tells. */
static void test_a_link_local_address_has_its_zone(void **state)
{
	(void)state;
	sample.record = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .family = AF_INET6});
	sample.record.socket.interface = 7;
	does_not_say("%");
	does_not_say(" on ");
	memset(sample.record.socket.peer_addr, 0, 16);
	sample.record.socket.peer_addr[0] = 0xfe;
	sample.record.socket.peer_addr[1] = 0x80;
	sample.record.socket.peer_addr[15] = 1;
	says(" [fe80::1%7]:5432 ");
	strcpy(sample.record.socket.interface_name, "eth1");
	says(" [fe80::1%eth1]:5432 ");
	says("; local [fd00::7]:51820 on eth1");
	strcpy(sample.record.socket.interface_name, "\033[7m");
	says(" [fe80::1%\\x1b[7m]:5432 ");
	check_no_control(line.text);
}

/* Each cause has a different sentence. */
static void test_every_cause_has_a_sentence(void **state)
{
	static char seen[CAUSE_COUNT][256];
	char row[64];

	(void)state;
	for (int cause = CAUSE_NONE + 1; cause < EVENTS_LOST_RING_FULL; cause++) {
		sample_judge(&sample, (struct verdict){(enum lp_cause)cause, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE});
		snprintf(row, sizeof(row), "%s/%s ", event_name(cause_event((enum lp_cause)cause)),
			 cause_name((enum lp_cause)cause));
		says(row);
		snprintf(seen[cause], sizeof(seen[cause]), "%s", strstr(line.text, row) + strlen(row));
		check_no_control(line.text);
		for (int other = CAUSE_NONE + 1; other < cause; other++)
			assert_string_not_equal(seen[other], seen[cause]);
	}
}

static void test_a_gap(void **state)
{
	__u64 first = sample_wall_ns(22, 12, 0, 0, 0), last = sample_wall_ns(22, 12, 0, 1, 500000000);

	(void)state;
	for (int place = EVENTS_LOST_RING_FULL; place < CAUSE_COUNT; place++) {
		event_from_loss(&sample.event, (enum lp_cause)place, (struct loss){7, first, last});
		says("LOST 7 EVENTS between 12:00:00.000 and 12:00:01.500: ");
		check_no_control(line.text);
		assert_true(line.text[line.length - 2] != ' '); /* it has a place */
	}
}

static void check_colour(enum lp_severity severity, const char *before, const char *after)
{
	size_t n = strlen(before), m = strlen(after);

	sample.event.severity = severity;
	context.colour = true;
	format();
	assert_true(line.length > n + m);
	assert_memory_equal(line.text, before, n);
	assert_string_equal(line.text + strlen(line.text) - m, after);
	line.text[strlen(line.text) - m] = '\0';
	check_no_control(line.text + n);
	context.colour = false;
	check_no_control(format());
}

static void test_colours_only_when_asked(void **state)
{
	(void)state;
	check_colour(SEVERITY_ERROR, "\033[1;31m", "\033[0m");
	check_colour(SEVERITY_WARNING, "\033[33m", "\033[0m");
	check_colour(SEVERITY_NOTICE, "", "");
	check_colour(SEVERITY_INFO, "\033[2m", "\033[0m");
}

static void test_no_name_reaches_the_terminal_raw(void **state)
{
	static const struct {
		const char *name, *shown;
	} names[] = {
		{"a\nb", "a\\x0ab["},
		{"\033[2J\007", "\\x1b[2J\\x07["},
		{"\x7f", "\\x7f["},
		{"\xc2\x9b"
		 "31m",
		 "\\x9b31m["},
		{"\x9b"
		 "31m",
		 "\xef\xbf\xbd"
		 "31m["},
		{"\xe2\x80\xae"
		 "gnp",
		 "\xef\xbf\xbd"
		 "gnp["},
		{"%s%n", "%s%n["},
		{"caf\xc3\xa9", "caf\xc3\xa9["},
		{"", "?["},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		strcpy(sample.event.owner.process.comm, names[i].name);
		says(names[i].shown);
		check_no_control(line.text);
	}
}

static void check_where(const char *cgroup, const char *shown)
{
	place_read(cgroup, &sample.place);
	says(shown);
	check_no_control(line.text);
}

static void test_shows_the_place_of_the_process(void **state)
{
	(void)state;
	check_where("/", " checkout[4711] ");
	check_where("/system.slice/shop.service", " checkout[4711]@shop ");
	check_where("/user.slice/user-1.slice/session-3.scope", " checkout[4711]@session-3.scope ");
	check_where(SAMPLE_CGROUP, " checkout[4711]@8e4f28a0bf1a ");
	check_where("/lxc.payload.web-1", " checkout[4711]@web-1 ");
	check_where("/lxc.payload.we\nb\x1b[2J", " checkout[4711]@we\\x0ab\\x1b[2J ");
	sample.event.owner = (struct owner){.unknown = UNKNOWN_SHARED};
	does_not_say("web");
}

static void test_shows_why_the_owner_is_unknown(void **state)
{
	(void)state;
	for (int unknown = UNKNOWN_NONE + 1; unknown < UNKNOWN_COUNT; unknown++) {
		sample.event.owner = (struct owner){.unknown = (enum owner_unknown)unknown};
		says(unknown_name((enum owner_unknown)unknown));
		does_not_say("[0]");
	}
}

static void test_lists_the_holders_of_an_unknown_owner(void **state)
{
	(void)state;
	sample.event.owner = (struct owner){.unknown = UNKNOWN_SHARED,
					    .n_holders = 2,
					    .holders = {{.tgid = 8, .comm = "sh"}, {.tgid = 9, .comm = "sleep"}}};
	says("sh[8],sleep[9] ");
	sample.event.owner = (struct owner){
		.unknown = UNKNOWN_SHARED,
		.n_holders = 6,
		.holders = {{.tgid = 1}, {.tgid = 2}, {.tgid = 3}, {.tgid = 4}, {.tgid = 5}, {.tgid = 6}},
		.process = {.comm = "nginx"}};
	says("nginx[1,2,3,4,\xe2\x80\xa6] ");
	sample.event.owner =
		(struct owner){.unknown = UNKNOWN_HOLDER_GONE, .n_holders = 1, .holders = {{.tgid = 8, .comm = "sh"}}};
	says("holder gone, of sh[8] ");
}

static void check_duration(__u64 ms, const char *shown)
{
	sample.record.time_ns = 1000000000000000ULL;
	sample.record.established_ns = sample.record.time_ns - ms * 1000000;
	says(shown);
}

static void test_says_how_long_nobody_answered(void **state)
{
	(void)state;
	sample.event.verdict.cause = CONNECT_FAILED_ABANDONED;
	sample.record.time_ns = 1000000000000000ULL;
	sample.record.born_ns = sample.record.time_ns - 252 * CLOCK_MS;
	sample.record.socket.soft_err = 0;
	says("given up by the application while connecting, unanswered for 252 ms");
	sample.record.socket.soft_err = EHOSTUNREACH; /* an ICMP error did answer */
	does_not_say("unanswered");
}

static void test_durations_are_short(void **state)
{
	(void)state;
	check_duration(0, ", after 0 ms ");
	check_duration(999, ", after 999 ms ");
	check_duration(1000, ", after 1.0 s ");
	check_duration(59900, ", after 59.9 s ");
	check_duration(60000, ", after 1m00s ");
	check_duration(3599999, ", after 59m59s ");
	check_duration(3600000, ", after 1h00m ");
	check_duration(86399999, ", after 23h59m ");
	check_duration(90000000, ", after 1d01h ");
	check_duration(864000000, ", after 10d00h ");
	sample.record.established_ns = 0;
	does_not_say("after");
}

/* 59,999.9 ms must not round to 60.0 s, which is a minute. */
static void test_durations_do_not_round_into_the_next_unit(void **state)
{
	(void)state;
	sample.record.time_ns = 1000000000000ULL;
	sample.record.established_ns = sample.record.time_ns - 59999900000ULL;
	does_not_say("60.0 s");
	sample.record.established_ns = sample.record.time_ns - 999900000ULL;
	does_not_say("1000 ms");
}

static void test_shows_the_data_at_stake(void **state)
{
	(void)state;
	sample.record.socket.rcv_nxt += 3000;
	sample.record.socket.write_seq += 20;
	sample_judge(&sample, sample.event.verdict);
	says("; 3000 B unread; 512 B unacked; 20 B unsent;");
}

static void test_shows_other_possible_causes(void **state)
{
	(void)state;
	sample.event.verdict.ambiguous = LOCAL_RESET_DATA_AFTER_CLOSE;
	says("; or data_after_close");
}

static void test_shows_an_earlier_error_once(void **state)
{
	(void)state;
	sample.record.socket.soft_err = EHOSTUNREACH;
	says("(ECONNRESET); earlier EHOSTUNREACH");
	sample.record.socket.err = EHOSTUNREACH;
	sample_judge(&sample, sample.event.verdict);
	says("(EHOSTUNREACH)");
	does_not_say("earlier");
	/* the application of an orphan gets no error, but the kernel had one */
	sample.record.socket.flags |= LP_F_DEAD;
	sample_judge(&sample, sample.event.verdict);
	says("; earlier EHOSTUNREACH");
	sample.record.socket.soft_err = 9999; /* not an errno of this C library */
	does_not_say("(null)");
}

static void test_shows_a_bad_signature_and_who_dropped_it(void **state)
{
	(void)state;
	sample_judge(&sample, (struct verdict){PEER_LOST_RETRANSMIT_TIMEOUT, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE});
	does_not_say("signature");
	sample.event.refused = (struct refused){LP_SIGNATURE_MISSING, BY_PEER};
	says("; the peer dropped what we sent: the TCP signature (MD5, AO) was missing");
	sample.event.refused = (struct refused){LP_SIGNATURE_WRONG, BY_LOCAL};
	sample.event.verdict.by = BY_LOCAL;
	says("sent data was never acknowledged");
	says("; this host dropped what the peer sent: the TCP signature (MD5, AO) was wrong");
	does_not_say("kept back");
}

static void test_shows_whose_signature_a_listener_refused(void **state)
{
	(void)state;
	sample.record.socket.err = 0;
	sample_judge(&sample, (struct verdict){ACCEPT_DROPPED_BAD_SIGNATURE, BY_LOCAL, PHASE_CONNECTING, CAUSE_NONE});
	sample.event.refused = (struct refused){LP_SIGNATURE_UNEXPECTED, BY_LOCAL};
	sample.event.repeat =
		(struct repeat){.count = 3, .first_ns = 1, .last_ns = 1 + 2 * CLOCK_SECOND, .processes = 1};
	sample.record.socket.peer_port = 0;
	says(" 10.0.0.5  ");
	says("no valid TCP signature, 3 turned away in 2.0 s; the TCP signature (MD5, AO) was not expected");
	line_clear(&line);
	format_sentence(&line, &sample.event);
	line_append(&line, "", 1);
	assert_non_null(strstr(line.text, "turned connections away from 10.0.0.5 (accept_dropped/bad_signature)"));
}

static void test_shows_how_the_process_ended(void **state)
{
	(void)state;
	sample.event.owner.process.exiting = 1;
	sample.event.owner.process.exit_code = 9;
	says("SIGKILL");
	sample.event.owner.process.exit_code = 11;
	says("SIGSEGV");
	sample.event.owner.process.exit_code = 9;
	sample.event.owner.process.oom = 1;
	says("killed for want of memory");
	sample.event.owner.process.oom = 0;
	sample.event.owner.process.exit_code = 0x300;
	says("exited");
	does_not_say("SIG");
}

static void test_shows_that_the_process_executed_another_program(void **state)
{
	(void)state;
	does_not_say("executed");
	sample.event.owner.process.executing = 1;
	says(", as it executed another program");
}

static void test_shows_the_other_end(void **state)
{
	(void)state;
	does_not_say("; peer ");
	sample.event.peer = (struct lp_task){.tgid = 812, .comm = "post\ngres"};
	says("; local 10.0.0.7:51820; peer post\\x0agres[812]");
	place_read("/system.slice/postgresql.service", &sample.peer_place);
	says("; peer post\\x0agres[812]@postgresql");
	sample.event.peer.exiting = 1;
	sample.event.peer.exit_code = 9;
	says("[812]@postgresql, as it died of SIGKILL");
	check_no_control(line.text);
}

static void test_shows_who_shut_the_connection_down(void **state)
{
	(void)state;
	sample.event.shutter = (struct lp_task){.tgid = 9, .comm = "job\nchild"};
	sample.event.verdict.phase = PHASE_CLOSING;
	says(" reset by the peer (our half was closed), shut down by job\\x0achild[9], after ");
	sample.event.verdict.cause = LOCAL_CLOSED_CLOSE;
	says(" shut down by job\\x0achild[9], after ");
	does_not_say("closed by us");
	sample.event.verdict.phase = PHASE_ORPHANED;
	says(" closed by us, shut down by job\\x0achild[9], after ");
}

static void test_shows_the_local_address_without_a_port(void **state)
{
	(void)state;
	sample.record.socket.local_port = 0;
	does_not_say("local");
	says("10.0.0.5:5432");
}

static void test_a_burst(void **state)
{
	(void)state;
	sample_burst(&sample);
	assert_string_equal(format(), "12:01:02.123 checkout[4 processes]@shop      10.0.0.5:5432           "
				      "peer_lost/reset               reset by the peer, 299 more connections of "
				      "4 processes in 85 ms (ECONNRESET); 5000000000 B unread; 153088 B unacked");
	sample.event.owner.process.comm[0] = '\0';
	memset(&sample.place, 0, sizeof(sample.place));
	sample.event.repeat.processes = 256;
	sample.event.repeat.more_processes = true;
	says("12:01:02.123 256+ processes                  10.0.0.5:5432 ");
	says(", 299 more connections of 256 or more processes in 85 ms (");
}

static void test_a_repeat_of_one_process(void **state)
{
	(void)state;
	sample.event.repeat = (struct repeat){.count = 37, .first_ns = 1, .last_ns = 4200000001, .processes = 1};
	assert_string_equal(format(), "12:01:02.123 checkout[4711]                  10.0.0.5:5432           "
				      "peer_lost/reset               reset by the peer, again 37 times in 4.2 s "
				      "(ECONNRESET); local 10.0.0.7:51820");
	sample.event.repeat.count = 1;
	says("reset by the peer, again once (ECONNRESET)");
	sample.event.owner = (struct owner){0};
	sample.event.repeat.processes = 0;
	says("12:01:02.123 ? (several) ");
	sample.event.owner.unknown = UNKNOWN_SHARED;
	says("12:01:02.123 ? (shared) ");
}

static void test_a_repeat_at_several_peers(void **state)
{
	(void)state;
	sample_burst(&sample);
	sample.event.repeat.several_phases = true;
	sample.event.verdict.phase = PHASE_ORPHANED;
	sample.record.socket.peer_port = 0;
	says(" 10.0.0.5                peer_lost/reset ");
	memset(sample.record.socket.peer_addr, 0, sizeof(sample.record.socket.peer_addr));
	sample.record.socket.family = 0;
	says(" (several)               peer_lost/reset ");
	sample.record.socket.local_port = 80;
	memset(sample.record.socket.local_addr, 0, sizeof(sample.record.socket.local_addr));
	does_not_say("local");
	does_not_say("closed by us");
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

/* --- the sentence --- */

static const char *sentence(void)
{
	line_clear(&line);
	format_sentence(&line, &sample.event);
	assert_false(line.cut);
	line_append(&line, "", 1);
	assert_int_equal(strlen(line.text), line.length - 1);
	assert_null(strstr(line.text, "(null)"));
	check_no_control(line.text);
	return line.text;
}

static void test_the_sentence_of_the_example(void **state)
{
	(void)state;
	assert_string_equal(sentence(), "checkout[4711] lost 10.0.0.5:5432 (peer_lost/reset): reset by the peer, after "
					"1m21s (ECONNRESET); 512 B unacked; local 10.0.0.7:51820");
}

static void test_a_sentence_for_every_event(void **state)
{
	static char seen[CAUSE_COUNT][256];
	int n = 0;

	(void)state;
	for (int i = CAUSE_NONE + 1; i < EVENTS_LOST_RING_FULL; i++) {
		sample.event.verdict.cause = (enum lp_cause)i;
		snprintf(seen[n], sizeof(seen[n]), "%s", sentence());
		assert_null(strstr(seen[n], "  "));
		for (int j = 0; j < n; j++)
			assert_string_not_equal(seen[j], seen[n]);
		n++;
	}
}

static void test_the_sentence_of_an_unknown_owner(void **state)
{
	(void)state;
	sample.event.owner = (struct owner){.unknown = UNKNOWN_HOLDER_GONE};
	assert_ptr_equal(strstr(sentence(), "an unknown process (holder_gone) lost 10.0.0.5:5432 "), line.text);
}

static void test_the_sentence_of_a_loss(void **state)
{
	(void)state;
	event_from_loss(&sample.event, EVENTS_LOST_WRITE_FAILED,
			(struct loss){3, sample_wall_ns(22, 12, 1, 0, 0), sample_wall_ns(22, 12, 1, 2, 5000000)});
	assert_string_equal(sentence(), "LOST 3 EVENTS between 12:01:00.000 and 12:01:02.005: writing failed");
}

static void test_a_sentence_stays_one_line(void **state)
{
	(void)state;
	strcpy(sample.event.owner.process.comm, "a\nb\033[2J\r");
	assert_ptr_equal(strstr(sentence(), "a\\x0ab\\x1b[2J\\x0d[4711] lost "), line.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_example),
		TEST(test_columns_stand_under_their_names),
		TEST(test_columns_stay_apart_when_one_is_too_wide),
		TEST(test_a_link_local_address_has_its_zone),
		TEST(test_every_cause_has_a_sentence),
		TEST(test_a_gap),
		TEST(test_colours_only_when_asked),
		TEST(test_no_name_reaches_the_terminal_raw),
		TEST(test_shows_the_place_of_the_process),
		TEST(test_shows_why_the_owner_is_unknown),
		TEST(test_lists_the_holders_of_an_unknown_owner),
		TEST(test_says_how_long_nobody_answered),
		TEST(test_durations_are_short),
		TEST(test_durations_do_not_round_into_the_next_unit),
		TEST(test_shows_the_data_at_stake),
		TEST(test_shows_other_possible_causes),
		TEST(test_shows_an_earlier_error_once),
		TEST(test_shows_a_bad_signature_and_who_dropped_it),
		TEST(test_shows_whose_signature_a_listener_refused),
		TEST(test_shows_how_the_process_ended),
		TEST(test_shows_that_the_process_executed_another_program),
		TEST(test_shows_the_other_end),
		TEST(test_shows_who_shut_the_connection_down),
		TEST(test_shows_the_local_address_without_a_port),
		TEST(test_a_burst),
		TEST(test_a_repeat_of_one_process),
		TEST(test_a_repeat_at_several_peers),
		TEST(test_the_sentence_of_the_example),
		TEST(test_a_sentence_for_every_event),
		TEST(test_the_sentence_of_an_unknown_owner),
		TEST(test_the_sentence_of_a_loss),
		TEST(test_a_sentence_stays_one_line),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests_name("format_text", tests, NULL, NULL);
}
