/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The journal's native protocol, read back as journald reads it: the fields of the contract, those of the journal
 * itself, and hostile names, none of which may start a field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>

#include "pairs.h"

static struct line line;
static struct sample sample;
static struct format_context context;
static struct pairs expected, contract, journal; /* from JSON; the LOSTPEER_ fields; the others */

static int set_up(void **state)
{
	(void)state;
	context = sample_context();
	sample_everything(&sample);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pairs_clear(&expected);
	pairs_clear(&contract);
	pairs_clear(&journal);
	return 0;
}

/* journald's rules (journal_field_valid): a client's field name must not start with an underscore or a digit. */
static void check_name(const char *name, size_t n)
{
	assert_in_range(n, 1, 64);
	assert_true(isupper((unsigned char)*name));
	for (size_t i = 0; i < n; i++)
		assert_true(isupper((unsigned char)name[i]) || isdigit((unsigned char)name[i]) || name[i] == '_');
}

/* Every line must have "=": values never use the form with a length. */
static void read_entry(void)
{
	const char *at = line.text, *end = line.text + line.length, *newline, *equals;
	struct pairs *to;
	char name[65];

	pairs_clear(&contract);
	pairs_clear(&journal);
	for (; at < end; at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		assert_non_null(newline);
		equals = memchr(at, '=', (size_t)(newline - at));
		assert_non_null(equals);
		check_name(at, (size_t)(equals - at));
		snprintf(name, sizeof(name), "%.*s", (int)(equals - at), at);
		to = !strncmp(name, "LOSTPEER_", 9) ? &contract : &journal;
		assert_true(newline > equals + 1);
		pairs_add(to, name, equals + 1, (size_t)(newline - equals - 1));
		check_printable(to->fields[to->n - 1].value, (size_t)(newline - equals - 1));
	}
}

static void format(void)
{
	format_journal(&line, &sample.event, &context);
	assert_false(line.cut);
	read_entry();
}

/* The journal's name of a field: "LOSTPEER_" and the dotted name in capitals with "_". */
static void rename_all(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		char dotted[64], *name = pairs->fields[i].name;

		strcpy(dotted, name);
		snprintf(name, sizeof(pairs->fields[i].name), "LOSTPEER_%.50s", dotted);
		for (; *name; name++)
			*name = *name == '.' ? '_' : (char)toupper((unsigned char)*name);
	}
}

static void check_contract(void)
{
	format();
	pairs_of_json(&expected, &sample.event, &context);
	rename_all(&expected);
	pairs_compare(&expected, &contract);
}

static void has(const char *name, const char *value)
{
	assert_non_null(pairs_value(&journal, name));
	assert_string_equal(pairs_value(&journal, name), value);
}

static void test_every_field_of_the_contract(void **state)
{
	(void)state;
	check_contract();
	sample_example(&sample);
	check_contract();
	sample_burst(&sample);
	check_contract();
	sample.event.owner = (struct owner){.unknown = UNKNOWN_SHARED};
	sample.event.ended = (struct ended){.wall_ns = 1, .cause = PEER_LOST_RESET};
	check_contract();
	event_from_loss(&sample.event, EVENTS_LOST_RING_FULL, (struct loss){1, 2, 3});
	check_contract();
}

static void test_each_value_of_an_array_is_a_field(void **state)
{
	size_t at = 0;

	(void)state;
	format();
	assert_string_equal(pairs_next(&contract, "LOSTPEER_OWNER_HOLDERS", &at), "4711");
	assert_string_equal(pairs_next(&contract, "LOSTPEER_OWNER_HOLDERS", &at), "4712");
	assert_null(pairs_next(&contract, "LOSTPEER_OWNER_HOLDERS", &at));
}

static void test_has_the_fields_of_the_journal(void **state)
{
	(void)state;
	sample_example(&sample);
	format();
	has("MESSAGE", "checkout[4711] lost 10.0.0.5:5432 (peer_lost/reset): reset by the peer, after 1m21s "
		       "(ECONNRESET); 512 B unacked; local 10.0.0.7:51820");
	has("PRIORITY", "4");
	has("SYSLOG_FACILITY", "3");
	has("SYSLOG_IDENTIFIER", "lostpeer");
	has("MESSAGE_ID", "4abde428fb0046deb6445144af31db27");
	has("OBJECT_PID", "4711");
	assert_null(pairs_value(&journal, "OBJECT_SYSTEMD_UNIT"));
}

static void test_priority_is_the_severity(void **state)
{
	static const char *const numbers[SEVERITY_COUNT] = {"3", "4", "5", "6"};

	(void)state;
	for (int i = 0; i < SEVERITY_COUNT; i++) {
		sample.event.severity = (enum lp_severity)i;
		format();
		has("PRIORITY", numbers[i]);
	}
}

static void test_the_unit_is_named_for_journalctl(void **state)
{
	(void)state;
	place_read("/system.slice/nginx.service", &sample.place);
	format();
	has("OBJECT_SYSTEMD_UNIT", "nginx.service");
	assert_null(pairs_value(&journal, "OBJECT_SYSTEMD_USER_UNIT"));
	place_read("/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service", &sample.place);
	format();
	has("OBJECT_SYSTEMD_UNIT", "user@1000.service");
	has("OBJECT_SYSTEMD_USER_UNIT", "sync.service");
}

static void test_an_unknown_owner_is_no_object(void **state)
{
	(void)state;
	sample.event.owner = (struct owner){.unknown = UNKNOWN_HOLDER_GONE};
	memset(&sample.place, 0, sizeof(sample.place));
	format();
	assert_null(pairs_value(&journal, "OBJECT_PID"));
	assert_null(pairs_value(&journal, "OBJECT_SYSTEMD_UNIT"));
}

static void test_every_event_has_an_id_of_its_own(void **state)
{
	static char seen[EVENT_COUNT][64];
	int n = 0;

	(void)state;
	sample_example(&sample);
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
		if (i > CAUSE_NONE + 1 && cause_event((enum lp_cause)i) == cause_event((enum lp_cause)(i - 1)))
			continue;
		sample.event.verdict.cause = (enum lp_cause)i;
		if (cause_event((enum lp_cause)i) == EVENT_EVENTS_LOST)
			event_from_loss(&sample.event, (enum lp_cause)i, (struct loss){1, 2, 3});
		format();
		snprintf(seen[n], sizeof(seen[n]), "%s", pairs_value(&journal, "MESSAGE_ID"));
		assert_int_equal(strspn(seen[n], "0123456789abcdef"), 32);
		assert_int_equal(strlen(seen[n]), 32);
		for (int j = 0; j < n; j++)
			assert_string_not_equal(seen[j], seen[n]);
		n++;
	}
	assert_int_equal(n, EVENT_COUNT - 1);
}

static void test_no_name_begins_a_field(void **state)
{
	size_t known, priorities;

	(void)state;
	format();
	known = journal.n + contract.n;
	for (size_t i = 0; i < HOSTILE_NAMES; i++) {
		sample_everything(&sample);
		name_everything(&sample, hostile_names[i]);
		check_contract();
		assert_int_equal(journal.n + contract.n, known + 1); /* the user's unit is another field */
		for (size_t j = priorities = 0; pairs_next(&journal, "PRIORITY", &j); priorities++)
			;
		assert_int_equal(priorities, 1);
		has("PRIORITY", "4");
	}
}

static void test_the_longest_names_fit(void **state)
{
	(void)state;
	memset(sample.executable, 0x01, sizeof(sample.executable) - 1);
	memset(sample.place.cgroup, 0xff, sizeof(sample.place.cgroup) - 1);
	check_contract();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_field_of_the_contract),
		TEST(test_each_value_of_an_array_is_a_field),
		TEST(test_has_the_fields_of_the_journal),
		TEST(test_priority_is_the_severity),
		TEST(test_the_unit_is_named_for_journalctl),
		TEST(test_an_unknown_owner_is_no_object),
		TEST(test_every_event_has_an_id_of_its_own),
		TEST(test_no_name_begins_a_field),
		TEST(test_the_longest_names_fit),
	};

	return cmocka_run_group_tests_name("format_journal", tests, NULL, NULL);
}
