/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The events that a user may see, the facts removed from them, and the union of an audience. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "filter/audience.h"
#include "sample.h"
#include "filter/visibility.h"

#define MINE 1000u
#define OTHERS 1001u

static void sample_of(struct sample *s, __u32 socket, __u32 owner)
{
	sample_everything(s);
	s->record.socket.uid = socket;
	s->event.owner.process.uid = owner;
	s->event.owner.holders[0].uid = owner;
	s->event.owner.holders[1].uid = OTHERS;
}

/* Narrows a copy of it. */
static const struct event *narrow(__u32 uid, const struct event *event)
{
	static struct kept_event kept;

	event_keep(&kept, event);
	visibility_narrow(uid, &kept);
	return &kept.event;
}

static void test_root_sees_all(void **state)
{
	const struct event *e;
	struct sample s;

	(void)state;
	sample_of(&s, OTHERS, OTHERS);
	assert_true(visibility_allows(VISIBILITY_ROOT, &s.event, OTHERS));
	s.event.owner = (struct owner){.unknown = UNKNOWN_HOLDER_GONE};
	assert_true(visibility_allows(VISIBILITY_ROOT, &s.event, 0));
	s.record.kind = LP_KIND_STRAY;
	assert_true(visibility_allows(VISIBILITY_ROOT, &s.event, 0));
	sample_of(&s, OTHERS, OTHERS);
	e = narrow(VISIBILITY_ROOT, &s.event);
	assert_int_equal(e->peer.tgid, 812);
	assert_string_equal(e->peer_place->cgroup, s.peer_place.cgroup);
	assert_int_equal(e->owner.n_holders, 2);
}

/* All three must be the user's; one or two are not enough. */
static void test_socket_and_owner_must_be_the_users(void **state)
{
	static const __u32 whose[] = {MINE, OTHERS, VISIBILITY_ROOT};
	struct sample s;

	(void)state;
	for (int i = 0; i < 27; i++) {
		__u32 socket = whose[i % 3], owner = whose[i / 3 % 3], now = whose[i / 9];
		bool allowed = socket == MINE && owner == MINE && now == MINE;

		sample_of(&s, socket, owner);
		assert_int_equal(visibility_allows(MINE, &s.event, now), allowed);
	}
}

static void test_without_an_owner_no_user_sees_it(void **state)
{
	struct sample s;

	(void)state;
	for (int why = UNKNOWN_NONE + 1; why < UNKNOWN_COUNT; why++) {
		if (why == UNKNOWN_SHARED) /* the next but one */
			continue;
		sample_of(&s, MINE, MINE);
		s.event.owner.via = VIA_NONE;
		s.event.owner.unknown = (enum owner_unknown)why;
		assert_false(visibility_allows(MINE, &s.event, MINE));
	}
	sample_of(&s, MINE, MINE);
	s.record.kind = LP_KIND_STRAY;
	assert_false(visibility_allows(MINE, &s.event, MINE));
}

static void test_facts_of_other_users_are_removed(void **state)
{
	const struct event *e;
	struct sample s;

	(void)state;
	sample_of(&s, MINE, MINE);
	e = narrow(MINE, &s.event);
	assert_int_equal(e->peer.tgid, 0);
	assert_int_equal(e->shutter.tgid, 0);
	assert_string_equal(e->peer.comm, "");
	assert_ptr_equal(e->peer_place, &place_unknown);
	assert_int_equal(e->owner.n_holders, 1);
	assert_int_equal(e->owner.holders[0].tgid, 4711);
	assert_int_equal(e->owner.process.tgid, 4711);
	assert_string_equal(e->executable, "/usr/bin/checkout");
	assert_string_equal(e->holder_cgroups, "");
	sample_of(&s, MINE, MINE);
	s.event.owner.holders[0].uid = OTHERS;
	s.event.owner.holders[1].uid = MINE;
	e = narrow(MINE, &s.event);
	assert_int_equal(e->owner.n_holders, 1);
	assert_int_equal(e->owner.holders[0].tgid, 4712);
}

/* "checkout" of one user and "helper" of another, each in a cgroup of its own, and none of them is the owner. */
static void test_a_holder_sees_what_is_its_own(void **state)
{
	const struct event *e;
	struct sample s;

	(void)state;
	for (unsigned mine = 0; mine < 2; mine++) {
		sample_of(&s, MINE, OTHERS);
		memset(&s.place, 0, sizeof(s.place));
		s.event.owner.via = VIA_NONE;
		s.event.owner.unknown = UNKNOWN_SHARED;
		s.event.owner.process = (struct lp_task){0};
		assert_null(visibility_process(MINE, &s.event));
		assert_false(visibility_allows(MINE, &s.event, MINE));
		s.event.owner.holders[mine].uid = MINE;
		assert_ptr_equal(visibility_process(MINE, &s.event), &s.event.owner.holders[mine]);
		assert_true(visibility_allows(MINE, &s.event, MINE));
		assert_false(visibility_allows(MINE, &s.event, OTHERS));
		e = narrow(MINE, &s.event);
		assert_int_equal(e->owner.n_holders, 1);
		assert_int_equal(e->owner.holders[0].tgid, 4711 + mine);
		assert_int_equal(e->owner.process.tgid, 0);
		assert_string_equal(e->owner.process.comm, mine ? "helper" : "checkout");
		assert_string_equal(e->place->cgroup, mine ? "0::/b" : "0::/a");
		assert_string_equal(e->holder_cgroups, "");
		s.record.socket.uid = OTHERS;
		assert_false(visibility_allows(MINE, &s.event, MINE));
	}
}

static void test_a_gap_shows_only_its_existence(void **state)
{
	struct format_context context = sample_context();
	static struct line line;
	const struct event *seen;
	struct event gap;

	(void)state;
	event_from_loss(&gap, EVENTS_LOST_RING_FULL, (struct loss){123456, 1, 2});
	assert_true(visibility_allows(MINE, &gap, 0));
	seen = narrow(VISIBILITY_ROOT, &gap);
	format_json(&line, seen, &context);
	line_append(&line, "", 1);
	assert_non_null(strstr(line.text, "\"lost.count\":123456,"));
	seen = narrow(MINE, &gap);
	format_json(&line, seen, &context);
	line_append(&line, "", 1);
	assert_null(strstr(line.text, "123456"));
	assert_non_null(strstr(line.text, "\"lost.first\":"));
	assert_non_null(strstr(line.text, "\"lost.last\":"));
	format_text(&line, seen, &context);
	line_append(&line, "", 1);
	assert_null(strstr(line.text, "123456"));
}

/* --- the audience --- */

static void add(struct audience *a, __u32 uid, enum filter_kind kind, const char *value)
{
	struct filter f;

	filter_init(&f);
	if (value)
		assert_null(filter_add(&f, kind, false, value));
	audience_add(a, uid, &f);
	filter_free(&f);
}

static void test_an_audience_is_the_union_of_each_uid(void **state)
{
	struct audience a = {0};

	(void)state;
	add(&a, MINE, FILTER_EVENT, "peer_closed");
	add(&a, OTHERS, FILTER_EVENT, "peer_lost");
	add(&a, MINE, FILTER_EVENT, "local_closed");
	assert_int_equal(a.n, 2);
	assert_int_equal(a.uids[0].uid, MINE);
	assert_int_equal(a.uids[0].classes, LP_CLASS_LOST | LP_CLASS_PEER_CLOSED | LP_CLASS_LOCAL_CLOSED);
	assert_int_equal(a.uids[1].classes, LP_CLASS_LOST);
	assert_int_equal(a.of_root.classes, 0);
	add(&a, VISIBILITY_ROOT, FILTER_NETNS, "17");
	assert_int_equal(a.of_root.netns, 17);
	add(&a, VISIBILITY_ROOT, FILTER_NETNS, "18");
	assert_int_equal(a.of_root.netns, 0);
	assert_true(a.of_root.classes & LP_CLASS_LOST);
	assert_int_equal(a.n, 2);
}

static void test_an_audience_wants_events_that_a_member_may_see(void **state)
{
	struct audience a = {0};
	struct sample s;

	(void)state;
	sample_of(&s, MINE, MINE);
	assert_false(audience_wants(&a, &s.event));
	add(&a, OTHERS, FILTER_EVENT, NULL);
	assert_false(audience_wants(&a, &s.event));
	add(&a, MINE, FILTER_EVENT, NULL);
	assert_true(audience_wants(&a, &s.event));
	s.event.verdict.cause = PEER_CLOSED_FIN;
	assert_false(audience_wants(&a, &s.event));
	add(&a, OTHERS, FILTER_EVENT, "peer_closed");
	assert_false(audience_wants(&a, &s.event));
	add(&a, MINE, FILTER_EVENT, "peer_closed");
	assert_true(audience_wants(&a, &s.event));
	s.record.socket.uid = 4;
	assert_false(audience_wants(&a, &s.event));
	add(&a, VISIBILITY_ROOT, FILTER_EVENT, "peer_closed");
	assert_true(audience_wants(&a, &s.event));
	audience_clear(&a);
	assert_false(audience_wants(&a, &s.event));
}

static void test_every_event_has_the_class_that_readers_ask_for(void **state)
{
	static const struct {
		enum lp_cause cause;
		__u32 class;
	} rows[] = {
		{PEER_LOST_RESET, LP_CLASS_LOST},
		{LOCAL_RESET_LINGER, LP_CLASS_LOST},
		{CONNECT_FAILED_REFUSED, LP_CLASS_LOST},
		{PEER_CLOSED_FIN, LP_CLASS_PEER_CLOSED},
		{LOCAL_CLOSED_CLOSE, LP_CLASS_LOCAL_CLOSED},
		{CONNECT_FAILED_ABANDONED, LP_CLASS_LOST},
		{PEER_SILENT_UNACKED, LP_CLASS_SILENT},
		{PEER_BACK_ACKED, LP_CLASS_SILENT},
		{CLOSE_IGNORED_CLOSE_WAIT, LP_CLASS_IGNORED},
		{ACCEPT_DROPPED_QUEUE_FULL, LP_CLASS_QUEUES},
	};
	struct sample s;

	(void)state;
	sample_example(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		s.event.verdict.cause = rows[i].cause;
		assert_int_equal(event_class(&s.event), rows[i].class);
	}
	s.event.verdict.cause = CONNECT_FAILED_ABANDONED;
	s.event.raced = true;
	assert_int_equal(event_class(&s.event), LP_CLASS_ABANDONED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_sees_all),
		cmocka_unit_test(test_socket_and_owner_must_be_the_users),
		cmocka_unit_test(test_without_an_owner_no_user_sees_it),
		cmocka_unit_test(test_facts_of_other_users_are_removed),
		cmocka_unit_test(test_a_holder_sees_what_is_its_own),
		cmocka_unit_test(test_a_gap_shows_only_its_existence),
		cmocka_unit_test(test_an_audience_is_the_union_of_each_uid),
		cmocka_unit_test(test_an_audience_wants_events_that_a_member_may_see),
		cmocka_unit_test(test_every_event_has_the_class_that_readers_ask_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
