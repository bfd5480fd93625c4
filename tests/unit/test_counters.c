/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters of events, their bound on names, and their text, read back by Prometheus' rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exposition.h"
#include "outputs/health.h"
#include "outputs/counters.h"
#include "pairs.h"

static struct counters metrics;
static struct counters_entry entry;
static struct sample sample;
static struct health health;

static int set_up(void **state)
{
	(void)state;
	memset(&metrics, 0, sizeof(metrics));
	memset(&health, 0, sizeof(health));
	sample_example(&sample);
	return 0;
}

static void count(void)
{
	counters_entry_of(&sample.event, &entry);
	counters_count(&metrics, &entry);
}

static void write_and_read(void)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	counters_write(&metrics, &health, to);
	fclose(to);
	exposition_read(text);
	free(text);
}

static double of_app(const char *app)
{
	write_and_read();
	return exposition_sum("lostpeer_events_total", "app", app);
}

static void test_counts_by_event_cause_and_app(void **state)
{
	const struct exposition_sample *s;

	(void)state;
	count();
	count();
	sample.event.verdict.cause = PEER_LOST_KEEPALIVE_TIMEOUT;
	count();
	write_and_read();
	assert_int_equal(exposition_sum("lostpeer_events_total", "event", "peer_lost"), 3);
	assert_int_equal(exposition_sum("lostpeer_events_total", "cause", "reset"), 2);
	assert_int_equal(exposition_sum("lostpeer_events_total", "cause", "keepalive_timeout"), 1);
	assert_int_equal(exposition_sum("lostpeer_events_total", "app", "checkout"), 3);
	for (s = samples; strcmp(s->name, "lostpeer_events_total"); s++)
		;
	assert_int_equal(s->n_labels, 3);
	assert_int_equal(exposition_sum("lostpeer_build_info", "version", VERSION), 1);
}

static void test_an_app_is_its_service_or_its_program(void **state)
{
	(void)state;
	sample.event.owner = (struct owner){.unknown = UNKNOWN_HOLDER_GONE};
	count();
	assert_int_equal(of_app("unknown"), 1);
	sample.event.owner = (struct owner){.via = VIA_CONNECT, .process = {.tgid = 1, .comm = "worker"}};
	count();
	assert_int_equal(of_app("worker"), 1);
	strcpy(sample.executable, "/usr/sbin/nginx");
	count();
	assert_int_equal(of_app("nginx"), 1);
	strcpy(sample.executable, "/usr/sbin/nginx (deleted)");
	count();
	assert_int_equal(of_app("nginx"), 2);
	place_read("/user.slice/user-0.slice/session-3.scope", &sample.place);
	count();
	assert_int_equal(of_app("nginx"), 3);
	place_read("/system.slice/docker-" SAMPLE_CONTAINER ".scope", &sample.place);
	count();
	assert_int_equal(of_app("nginx"), 4);
	place_read("/system.slice/nginx.service", &sample.place);
	count();
	assert_int_equal(of_app("nginx.service"), 1);
	strcpy(sample.place.unit, "");
	sample.executable[0] = '\0';
	sample.event.owner = (struct owner){
		.unknown = UNKNOWN_SHARED,
		.n_holders = 3,
		.holders = {{.tgid = 8, .comm = "sh"}, {.tgid = 9, .comm = "sleep"}, {.tgid = 10, .comm = "sh"}},
	};
	count();
	assert_int_equal(of_app("sh,sleep"), 1);
	strcpy(sample.event.owner.process.comm, "sh"); /* if all share it */
	count();
	assert_int_equal(of_app("sh"), 1);
}

static void test_a_group_counts_all_its_events(void **state)
{
	(void)state;
	sample_burst(&sample);
	count();
	assert_int_equal(of_app("shop.service"), 299);
	assert_int_equal(exposition_sum("lostpeer_unread_bytes_total", NULL, NULL), 5000000000);
	assert_int_equal(exposition_sum("lostpeer_unacked_bytes_total", NULL, NULL), 153088);
}

static void test_data_counts_where_the_connection_ends(void **state)
{
	(void)state;
	sample.event.verdict.cause = PEER_SILENT_UNACKED;
	count();
	sample.event.verdict.cause = PEER_CLOSED_FIN;
	count();
	write_and_read();
	assert_int_equal(exposition_sum("lostpeer_unacked_bytes_total", NULL, NULL), 0);
	sample.event.verdict.cause = PEER_LOST_RESET;
	count();
	count();
	write_and_read();
	assert_int_equal(exposition_sum("lostpeer_unacked_bytes_total", NULL, NULL), 1024);
}

static void test_a_loss_is_no_event(void **state)
{
	(void)state;
	event_from_loss(&sample.event, EVENTS_LOST_RING_FULL, (struct loss){5, 1, 2});
	count();
	write_and_read();
	assert_true(exposition_sum("lostpeer_events_total", NULL, NULL) < 0);
}

static void test_apps_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < COUNTERS_APPS_MAX + 50; i++) {
		snprintf(sample.event.owner.process.comm, sizeof(sample.event.owner.process.comm), "app%d", i);
		count();
		count();
	}
	assert_int_equal(of_app("app0"), 2);
	assert_int_equal(of_app("app199"), 2);
	assert_true(of_app("app200") < 0);
	assert_int_equal(of_app("other"), 100);
	strcpy(sample.event.owner.process.comm, "app7"); /* known names stay known */
	count();
	assert_int_equal(of_app("app7"), 3);
}

/* Otherwise two samples would have the same labels. */
static void test_an_app_named_other_is_one_of_them(void **state)
{
	(void)state;
	strcpy(sample.event.owner.process.comm, "other");
	count();
	for (int i = 0; i < COUNTERS_APPS_MAX + 1; i++) {
		snprintf(sample.event.owner.process.comm, sizeof(sample.event.owner.process.comm), "app%d", i);
		count();
	}
	assert_int_equal(of_app("other"), 2);
	assert_int_equal(exposition_sum("lostpeer_events_total", NULL, NULL), COUNTERS_APPS_MAX + 2);
}

/* The text of a full registry fits into this, with every sample. */
static void test_all_causes_of_all_apps_fit(void **state)
{
	char *text = NULL;
	size_t length;
	FILE *to;

	(void)state;
	for (int i = 0; i <= COUNTERS_APPS_MAX; i++) {
		memset(&entry, 0, sizeof(entry));
		memset(entry.app, '"', sizeof(entry.app) - 1);
		snprintf(entry.app, sizeof(entry.app) - 8, "%d", i);
		entry.app[strlen(entry.app)] = '"';
		entry.count = 1;
		for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++) {
			entry.cause = (enum lp_cause)cause;
			counters_count(&metrics, &entry);
		}
	}
	to = open_memstream(&text, &length);
	counters_write(&metrics, &health, to);
	fclose(to);
	exposition_read(text);
	assert_int_equal(exposition_sum("lostpeer_events_total", NULL, NULL),
			 (COUNTERS_APPS_MAX + 1) * (CAUSE_COUNT - 1));
	assert_in_range(length, 1, 3 << 20);
	free(text);
}

static void test_no_name_ends_a_label(void **state)
{
	static struct line plain;

	(void)state;
	for (size_t i = 0; i < HOSTILE_NAMES; i++) {
		memset(&metrics, 0, sizeof(metrics));
		strcpy(sample.event.owner.process.comm, hostile_names[i]);
		count();
		write_and_read();
		line_clear(&plain);
		line_plain(&plain, hostile_names[i]);
		line_append(&plain, "", 1);
		assert_int_equal(exposition_sum("lostpeer_events_total", "app", plain.text), 1);
		assert_int_equal(exposition_sum("lostpeer_events_total", NULL, NULL), 1);
	}
}

static void test_a_long_name_is_cut_between_characters(void **state)
{
	(void)state;
	strcpy(sample.executable, "/");
	for (int i = 0; i < 100; i++)
		strcat(sample.executable, "\xc3\xa9"); /* é; byte 127 is in the middle of one */
	counters_entry_of(&sample.event, &entry);
	assert_int_equal(strlen(entry.app), COUNTERS_APP_LEN - 2);
	check_printable(entry.app, strlen(entry.app));
}

static void test_the_ledger_of_each_output(void **state)
{
	(void)state;
	health.n_outputs = 2;
	strcpy(health.outputs[0].title, "file");
	health.outputs[0].ledger = (struct ledger){100, 60, 20, 5, 1, 2, 3, 4, 5};
	strcpy(health.outputs[1].title, "syslog \"far\"\n");
	health.outputs[1].ledger = (struct ledger){.emitted = 100, .written = 100};
	health.state_full = 7;
	health.program_missed = 8;
	health.ring_bytes = 4096;
	health.ring_used = 2048;
	write_and_read();
	assert_int_equal(exposition_sum("lostpeer_agent_records_total", "result", "emitted"), 200);
	assert_int_equal(exposition_sum("lostpeer_agent_records_total", "result", "written"), 160);
	assert_int_equal(exposition_sum("lostpeer_agent_records_total", "output", "syslog \"far\"\n"), 200);
	assert_int_equal(exposition_sum("lostpeer_agent_lost_total", "output", "file"), 10);
	assert_int_equal(exposition_sum("lostpeer_agent_pending_records", "output", "file"), 5);
	assert_int_equal(exposition_sum("lostpeer_agent_lost_total", "place", "ring_full"), 1);
	assert_int_equal(exposition_sum("lostpeer_agent_lost_total", "place", "output_full"), 2);
	assert_int_equal(exposition_sum("lostpeer_agent_lost_total", "place", "write_failed"), 3);
	assert_int_equal(exposition_sum("lostpeer_agent_lost_total", "place", "stopped"), 4);
	assert_int_equal(exposition_sum("lostpeer_agent_lost_total", "place", "state_full"), 7);
	assert_int_equal(exposition_sum("lostpeer_agent_lost_total", "place", "program_missed"), 8);
	assert_int_equal(exposition_sum("lostpeer_agent_ring_used_bytes", NULL, NULL), 2048);
}

static void test_leaves_out_unknown_facts(void **state)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	(void)state;
	count();
	counters_write(&metrics, NULL, to);
	fclose(to);
	exposition_read(text);
	assert_null(strstr(text, "lostpeer_agent_"));
	assert_int_equal(exposition_sum("lostpeer_events_total", NULL, NULL), 1);
	free(text);
}

static void test_pending_counts_are_known_or_left_out(void **state)
{
	(void)state;
	health.silent_connections = 3;
	health.ignored_closes = -1;
	write_and_read();
	assert_int_equal(exposition_sum("lostpeer_silent_connections", NULL, NULL), 3);
	assert_true(exposition_sum("lostpeer_ignored_closes", NULL, NULL) == -1);
	health.ignored_closes = 0;
	write_and_read();
	assert_int_equal(exposition_sum("lostpeer_ignored_closes", NULL, NULL), 0);
}

static void test_the_cost_is_known_or_left_out(void **state)
{
	(void)state;
	write_and_read();
	assert_true(exposition_sum("lostpeer_agent_bpf_runs_total", NULL, NULL) < 0);
	assert_in_range(exposition_sum("process_resident_memory_bytes", NULL, NULL), 100 << 10, 1 << 30);
	assert_in_range(exposition_sum("process_start_time_seconds", NULL, NULL),
			clock_realtime_ns() / 1000000000 - 600, clock_realtime_ns() / 1000000000 + 2);
	health.bpf_runs = 3;
	health.bpf_ns = 1500000000;
	write_and_read();
	assert_int_equal(exposition_sum("lostpeer_agent_bpf_runs_total", NULL, NULL), 3);
	assert_int_equal(exposition_sum("lostpeer_agent_bpf_seconds_total", NULL, NULL) * 10, 15);
}

static int tear_down_all(void **state)
{
	(void)state;
	free(samples);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counts_by_event_cause_and_app),
		TEST(test_an_app_is_its_service_or_its_program),
		TEST(test_a_group_counts_all_its_events),
		TEST(test_data_counts_where_the_connection_ends),
		TEST(test_a_loss_is_no_event),
		TEST(test_apps_are_bounded),
		TEST(test_an_app_named_other_is_one_of_them),
		TEST(test_all_causes_of_all_apps_fit),
		TEST(test_no_name_ends_a_label),
		TEST(test_a_long_name_is_cut_between_characters),
		TEST(test_the_ledger_of_each_output),
		TEST(test_leaves_out_unknown_facts),
		TEST(test_pending_counts_are_known_or_left_out),
		TEST(test_the_cost_is_known_or_left_out),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, tear_down_all);
}
