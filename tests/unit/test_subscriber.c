/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One subscriber: its line, the answer, its buffer and its losses; and packed events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/format_packed.h"
#include "sample.h"
#include "filter/visibility.h"
#include "outputs/subscriber.h"
#include "outputs/subscription.h"

/* --- the line --- */

static struct line why;

static bool parse(const char *text, struct filter *f)
{
	bool right = subscription_parse(text, strlen(text), f, &why);

	line_append(&why, "", 1);
	return right;
}

static void check_wrong(const char *text, const char *message)
{
	struct filter f;

	assert_false(parse(text, &f));
	assert_string_equal(why.text, message);
	filter_free(&f);
}

static void test_a_line_is_the_filters_of_watch(void **state)
{
	struct sample s;
	struct filter f;

	(void)state;
	sample_example(&s);
	assert_true(parse("  --event peer_lost\t--port=5432,6432 --not-cause refused --name checkout \r", &f));
	assert_true(filter_event(&f, &s.event));
	assert_true(filter_owner(&f, &s.event));
	s.event.owner.process.comm[0] = 'x';
	assert_false(filter_owner(&f, &s.event));
	s.event.verdict.cause = PEER_LOST_CANNOT_SEND;
	assert_true(filter_event(&f, &s.event));
	s.event.verdict.cause = PEER_CLOSED_FIN;
	assert_false(filter_event(&f, &s.event));
	filter_free(&f);
}

static void test_an_empty_line_includes_the_peers_closes(void **state)
{
	static const char *const lines[] = {"", "   ", "--port 5432"};
	struct sample s;
	struct filter f;

	(void)state;
	sample_example(&s);
	s.record.socket.peer_port = 5432;
	for (size_t i = 0; i < 3; i++) {
		assert_true(parse(lines[i], &f));
		s.event.verdict.cause = PEER_CLOSED_FIN;
		assert_true(filter_event(&f, &s.event));
		s.event.verdict.cause = LOCAL_CLOSED_CLOSE;
		assert_false(filter_event(&f, &s.event));
		assert_int_equal(filter_wants(&f).classes & LP_CLASSES_ORDERLY, LP_CLASS_PEER_CLOSED);
		filter_free(&f);
	}
	assert_true(parse("--all", &f));
	assert_true(filter_event(&f, &s.event));
	assert_int_equal(filter_wants(&f).classes & LP_CLASSES_ORDERLY, LP_CLASSES_ORDERLY);
	filter_free(&f);
	assert_true(parse("--not-event peer_closed", &f));
	assert_int_equal(filter_wants(&f).classes & LP_CLASSES_ORDERLY, 0);
	filter_free(&f);
}

static void test_errors_are_named(void **state)
{
	(void)state;
	check_wrong("--prot 1", "--prot: no such option");
	check_wrong("--port", "--port: needs a value");
	check_wrong("--port x", "--port 'x': not a port (0 to 65535)");
	check_wrong("--all=1", "--all '1': takes no value");
	check_wrong("--event peer_lost 5432", "5432: no such option");
	check_wrong("--event lost", "--event 'lost': not an event of lostpeer-events(7)");
	check_wrong("-- command", "--: no such option");
	check_wrong("--help", "--help: no such option");
	/* options that are not filters */
	check_wrong("--group 5s", "--group: no such option");
	check_wrong("--rate 5", "--rate: no such option");
	check_wrong("--json", "--json: no such option");
	check_wrong("--output /etc/passwd", "--output: no such option");
	check_wrong("--connect-hook", "--connect-hook: no such option");
}

/* The agent does not use its privileges for a value, nor spend much time on matching it. */
static void test_a_line_cannot_cost_much(void **state)
{
	char line[SUBSCRIPTION_LINE_MAX + 1];
	struct filter f;
	size_t n = 0;

	(void)state;
	check_wrong("--netns /proc/1/ns/net", "--netns '/proc/1/ns/net': a path; here it takes the inode number");
	check_wrong("--not-netns /x", "--not-netns '/x': a path; here it takes the inode number");
	check_wrong("--unit a*", "--unit 'a*': a pattern; here it takes a whole name");
	for (int i = 0; i < FILTER_FOREIGN_MAX; i++)
		n += (size_t)sprintf(line + n, "--port %d ", i);
	assert_true(parse(line, &f));
	filter_free(&f);
	sprintf(line + n, "--pid 1");
	check_wrong(line, "--pid '1': more than 64 values");
	memset(line, ' ', sizeof(line));
	assert_true(subscription_parse(line, SUBSCRIPTION_LINE_MAX - 1, &f, &why));
	filter_free(&f);
	assert_false(subscription_parse(line, SUBSCRIPTION_LINE_MAX, &f, &why));
	filter_free(&f);
	line[10] = '\0';
	assert_false(subscription_parse(line, 100, &f, &why));
	filter_free(&f);
}

/* --- reading --- */

struct pair {
	struct subscriber *s;
	int peer;
	struct format_context context;
	char bytes[4 << 20];
	size_t n;
};

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fds[2];

	if (!p || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) {
		free(p);
		return -1;
	}
	p->s = subscriber_new(fds[0], 1000, 0);
	p->peer = fds[1];
	p->context = sample_context();
	*state = p;
	return p->s ? 0 : -1;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	subscriber_free(p->s);
	close(p->peer);
	free(p);
	return 0;
}

static void read_all(struct pair *p)
{
	ssize_t n;

	p->n = 0;
	do {
		subscriber_send(p->s, &p->context);
		while ((n = recv(p->peer, p->bytes + p->n, sizeof(p->bytes) - p->n - 1, 0)) > 0)
			p->n += (size_t)n;
	} while (p->s->waiting && p->s->stage != SUBSCRIBER_LEAVES);
	p->bytes[p->n] = '\0';
}

static void say(struct pair *p, const char *text)
{
	assert_int_equal(send(p->peer, text, strlen(text), 0), strlen(text));
}

static void test_a_line_may_come_in_pieces(void **state)
{
	struct pair *p = *state;

	assert_false(subscriber_read(p->s));
	say(p, "--event pe");
	assert_false(subscriber_read(p->s));
	say(p, "er_lost\nwhat follows");
	assert_true(subscriber_read(p->s));
	assert_true(subscriber_ask(p->s));
	assert_int_equal(p->s->stage, SUBSCRIBER_WAITS);
	subscriber_begin(p->s, sample_wall_ns(22, 12, 1, 2, 5));
	assert_int_equal(p->s->stage, SUBSCRIBER_READS);
	read_all(p);
	assert_string_equal(p->bytes,
			    "{\"schema\":1,\"subscribed\":true,\"time\":\"2026-11-22T12:01:02.000000005Z\"}\n");
}

static void test_an_end_of_file_ends_the_line(void **state)
{
	struct pair *p = *state;

	say(p, "--all");
	shutdown(p->peer, SHUT_WR);
	assert_false(subscriber_read(p->s));
	assert_true(subscriber_read(p->s));
	assert_true(subscriber_ask(p->s));
	assert_true(p->s->filter.all);
}

static void check_refused(struct pair *p, const char *message)
{
	struct json_object *object, *error;

	assert_int_equal(p->s->stage, SUBSCRIBER_LEAVES);
	subscriber_send(p->s, &p->context);
	p->n = (size_t)recv(p->peer, p->bytes, sizeof(p->bytes) - 1, 0);
	p->bytes[p->n] = '\0';
	assert_int_equal(p->bytes[p->n - 1], '\n');
	object = json_tokener_parse(p->bytes);
	assert_true(json_object_object_get_ex(object, "error", &error));
	assert_string_equal(json_object_get_string(error), message);
	json_object_put(object);
}

static void test_a_refusal_is_one_line(void **state)
{
	struct pair *p = *state;

	say(p, "--po\"rt\x01\xff\n");
	assert_true(subscriber_read(p->s));
	assert_false(subscriber_ask(p->s));
	check_refused(p, "--po\"rt\x01\xef\xbf\xbd: no such option");
}

static void test_a_line_that_is_too_long(void **state)
{
	struct pair *p = *state;
	bool whole = false;

	for (int i = 0; i < SUBSCRIPTION_LINE_MAX / 8 && !whole; i++) {
		say(p, "--all   ");
		whole = subscriber_read(p->s);
	}
	assert_true(whole);
	assert_false(subscriber_ask(p->s));
	check_refused(p, "a line of more than 4096 bytes");
}

static void put(struct pair *p, unsigned number)
{
	static struct line line;
	struct sample s;

	sample_example(&s);
	s.event.wall_ns = sample_wall_ns(22, 0, 0, 0, number);
	s.event.owner.process.tgid = number;
	format_json(&line, &s.event, &p->context);
	subscriber_put(p->s, &line, &s.event, &p->context);
}

static long long number_of(struct json_object *event, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(event, name, &value) ? json_object_get_int64(value) : -1;
}

/* The number of events, which must be in order; *lost gets the sum of the reported losses. */
static unsigned count(struct pair *p, long long *lost, unsigned *gaps)
{
	struct json_object *event;
	char *at = p->bytes, *end;
	unsigned n = 0;

	*lost = 0;
	*gaps = 0;
	while ((end = strchr(at, '\n'))) {
		*end = '\0';
		event = json_tokener_parse(at);
		assert_non_null(event);
		if (number_of(event, "process.pid") > 0) {
			assert_int_equal(number_of(event, "process.pid"), ++n + *lost);
		} else {
			*lost += number_of(event, "lost.count");
			++*gaps;
		}
		json_object_put(event);
		at = end + 1;
	}
	assert_int_equal(*at, '\0');
	return n;
}

static void test_a_slow_reader_learns_how_many_it_lost(void **state)
{
	struct pair *p = *state;
	unsigned n, gaps, all = 6000;
	long long lost;

	p->s->stage = SUBSCRIBER_READS;
	for (unsigned i = 1; i <= all; i++) {
		put(p, i);
		if (i % 64 == 0)
			subscriber_send(p->s, &p->context);
		assert_true(p->s->waiting <= SUBSCRIBER_BYTES && p->s->size <= SUBSCRIBER_BYTES);
	}
	assert_true(p->s->lost.count > 0);
	read_all(p);
	n = count(p, &lost, &gaps);
	assert_int_equal(n + lost, all);
	assert_int_equal(gaps, 1);
	assert_int_equal(p->s->lost.last_ns, 0);
	put(p, all + 1);
	read_all(p);
	assert_non_null(strstr(p->bytes, "\"process.pid\":6001,"));
}

/* If a gap of the whole agent does not fit, its count stays hidden too. */
static void test_a_gap_that_is_lost_hides_the_count(void **state)
{
	struct pair *p = *state;
	static struct line line;
	static struct kept_event gap;

	p->s->stage = SUBSCRIBER_READS;
	for (unsigned i = 1; !p->s->lost.count; i++)
		put(p, i);
	event_from_loss(&gap.event, EVENTS_LOST_RING_FULL, (struct loss){987654, 1, 2});
	visibility_narrow(1000, &gap);
	format_json(&line, &gap.event, &p->context);
	for (__u64 lost = p->s->lost.count; p->s->lost.count == lost;)
		subscriber_put(p->s, &line, &gap.event, &p->context);
	read_all(p);
	assert_non_null(strstr(p->bytes, "\"cause\":\"output_full\""));
	assert_null(strstr(p->bytes, "98765"));
	assert_null(strstr(p->bytes, "lost.count"));
}

static void test_a_reader_that_left_is_not_waited_for(void **state)
{
	struct pair *p = *state;

	p->s->stage = SUBSCRIBER_READS;
	put(p, 1);
	close(p->peer);
	p->peer = -1;
	subscriber_send(p->s, &p->context);
	assert_int_equal(p->s->stage, SUBSCRIBER_LEAVES);
	assert_int_equal(p->s->waiting, 0);
}

/* --- packed events --- */

static void check_packed(const struct event *e)
{
	struct format_context context = sample_context();
	static struct line packed, before, after;
	static struct kept_event opened;

	format_pack(&packed, e, &context);
	assert_false(packed.cut);
	memset(&opened, 0xee, sizeof(opened));
	assert_true(format_packed_open(packed.text, packed.length, &opened));
	format_json(&before, e, &context);
	format_json(&after, &opened.event, &context);
	assert_int_equal(before.length, after.length);
	assert_memory_equal(before.text, after.text, before.length);
	assert_string_equal(e->place->system_unit, opened.place.system_unit);
	for (size_t n = 0; n < packed.length; n++)
		assert_false(format_packed_open(packed.text, n, &opened));
	line_append(&packed, "x", 1);
	assert_false(format_packed_open(packed.text, packed.length, &opened));
}

static void test_an_event_as_bytes_is_that_event(void **state)
{
	struct sample s;
	struct event gap;

	(void)state;
	sample_example(&s);
	check_packed(&s.event);
	sample_everything(&s);
	check_packed(&s.event);
	memset(s.executable, 'x', sizeof(s.executable) - 1);
	memset(s.place.container, 'c', sizeof(s.place.container) - 1);
	check_packed(&s.event);
	sample_burst(&s);
	check_packed(&s.event);
	event_from_loss(&gap, EVENTS_LOST_RING_FULL, (struct loss){3, 1, 2});
	check_packed(&gap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_is_the_filters_of_watch),
		cmocka_unit_test(test_an_empty_line_includes_the_peers_closes),
		cmocka_unit_test(test_errors_are_named),
		cmocka_unit_test(test_a_line_cannot_cost_much),
		cmocka_unit_test_setup_teardown(test_a_line_may_come_in_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_end_of_file_ends_the_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_refusal_is_one_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_line_that_is_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_slow_reader_learns_how_many_it_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_gap_that_is_lost_hides_the_count, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_reader_that_left_is_not_waited_for, set_up, tear_down),
		cmocka_unit_test(test_an_event_as_bytes_is_that_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
