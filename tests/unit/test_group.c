/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Grouping, on a clock of the test: what is written when, what a group says of its events, what full tables do, and that
 * no event is lost or reported twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "filter/aggregate.h"
#include "grouping.h"

/* --- windows --- */

static void test_the_first_at_once_the_others_at_the_end(void **state)
{
	(void)state;
	assert_int_equal(group_deadline(groups), 0);
	assert_true(take());
	assert_int_equal(group_deadline(groups), now_ns + WINDOW);
	pass(CLOCK_SECOND);
	sample.event.data = (struct data){.unread = 0xffffffff, .unacked = 10, .unsent = 1};
	assert_false(take());
	pass(CLOCK_SECOND);
	sample.event.data = (struct data){.unread = 2, .unacked = 5};
	assert_false(take());
	pass(3 * CLOCK_SECOND - 1);
	assert_int_equal(n_put, 0);
	pass(1);
	assert_int_equal(n_put, 1);
	assert_int_equal(last()->repeat.count, 2);
	assert_int_equal(last()->repeat.last_ns - last()->repeat.first_ns, CLOCK_SECOND);
	assert_int_equal(last()->repeat.processes, 1);
	assert_int_equal(last()->repeat.unread, 0x100000001);
	assert_int_equal(last()->repeat.unacked, 15);
	assert_int_equal(last()->repeat.unsent, 1);
	assert_int_equal(last()->owner.via, VIA_CONNECT);
	assert_int_equal(last()->owner.process.tgid, 4711);
	check_nothing_lost();
	assert_int_equal(n_put, 1); /* not again */
}

static void test_after_a_window_of_nothing_the_next_is_a_first(void **state)
{
	(void)state;
	assert_true(take());
	pass(WINDOW - 1);
	assert_false(take());
	pass(1); /* reports the group; a new window has begun */
	assert_int_equal(n_put, 1);
	assert_int_equal(group_deadline(groups), now_ns + WINDOW);
	pass(WINDOW);
	assert_int_equal(n_put, 1);
	assert_int_equal(group_deadline(groups), 0); /* no timer without events */
	assert_true(take());
	check_nothing_lost();
}

static void test_an_endless_stream_is_reported_every_window(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) { /* 50 s: the first event, and 10 windows */
		assert_int_equal(take(), i == 0);
		pass(50 * CLOCK_MS);
	}
	assert_int_equal(n_put, 10);
	for (unsigned i = 0; i < n_put; i++)
		assert_in_range(put[i].event.repeat.count, 98, 101);
	for (unsigned i = 1; i < n_put; i++)
		assert_true(put[i].event.repeat.first_ns > put[i - 1].event.repeat.last_ns);
	check_nothing_lost();
}

static void test_a_late_tick_changes_no_window(void **state)
{
	(void)state;
	take();
	take();
	now_ns += 3 * WINDOW; /* no tick came */
	assert_false(take()); /* reports the previous window; this event is in the next */
	assert_int_equal(n_put, 1);
	assert_int_equal(last()->repeat.count, 1);
	check_nothing_lost();
}

static void test_events_that_come_out_of_order(void **state)
{
	(void)state;
	take();
	sample.event.wall_ns = 500;
	group_take(groups, &sample.event, now_ns);
	sample.event.wall_ns = 300;
	group_take(groups, &sample.event, now_ns);
	sample.event.wall_ns = 400;
	group_take(groups, &sample.event, now_ns);
	group_finish(groups);
	assert_int_equal(last()->repeat.first_ns, 300);
	assert_int_equal(last()->repeat.last_ns, 500);
}

static void test_off(void **state)
{
	(void)state;
	begin(0, 0);
	for (int i = 0; i < 1000; i++)
		assert_true(take());
	assert_int_equal(group_deadline(groups), 0);
	group_finish(groups);
	assert_int_equal(n_put, 0);
}

/* --- what belongs together --- */

static void test_each_has_a_burst_of_its_own(void **state)
{
	(void)state;
	assert_true(take());
	sample.record.socket.peer_port++;
	assert_true(take());
	sample.record.socket.peer_addr[3]++;
	assert_true(take());
	sample.record.socket.netns++;
	assert_true(take());
	sample.event.verdict.cause = PEER_LOST_KEEPALIVE_TIMEOUT;
	assert_true(take());
	sample.record.socket.family = AF_INET6;
	assert_true(take());
	group_finish(groups);
	assert_int_equal(n_put, 0);
}

/* A server's clients have different ports, and so have the connections of a client. */
static void test_the_port_that_does_not_matter(void **state)
{
	(void)state;
	take();
	sample.record.socket.local_port++;
	assert_false(take());
	sample.record.socket.flags = (sample.record.socket.flags & ~(__u32)LP_F_CONNECTED) | LP_F_ACCEPTED;
	assert_true(take());
	sample.record.socket.peer_port++;
	assert_false(take());
	sample.record.socket.peer_port++;
	assert_false(take());
	group_finish(groups);
	assert_int_equal(n_put, 2);
	assert_int_equal(last()->record->socket.peer_port, 0);
	assert_int_equal(last()->record->socket.local_port, sample.record.socket.local_port);
}

/* The role in a connection older than the agent is unknown. */
static void test_the_port_that_does_not_matter_of_an_old_connection(void **state)
{
	(void)state;
	sample.record.socket.flags &= ~(__u32)(LP_F_CONNECTED | LP_F_ACCEPTED);
	take(); /* 51820 to 5432 */
	sample.record.socket.local_port++;
	assert_false(take());
	sample.record.socket.flags |= LP_F_CONNECTED;
	assert_false(take());
	sample.record.socket.flags &= ~(__u32)LP_F_CONNECTED;
	sample.record.socket.local_port = 80;
	sample.record.socket.peer_port = 40000;
	assert_true(take());
	sample.record.socket.peer_port++;
	assert_false(take());
	sample.record.socket.flags |= LP_F_ACCEPTED;
	assert_false(take());
	sample.record.socket.flags &= ~(__u32)LP_F_ACCEPTED;
	sample.record.socket.peer_port = 443;
	sample.record.socket.local_port = 0; /* no port yet */
	assert_true(take());
	sample.record.socket.local_port = 50000;
	assert_false(take());
	for (int i = 0; i < 20; i++) { /* whichever end has the lower port */
		sample.record.socket.local_port = (__u16)(40000 + i);
		sample.record.socket.peer_port = 40010;
		assert_int_equal(take(), i == 0);
	}
	group_finish(groups);
	assert_int_equal(n_put, 4);
	assert_int_equal(last()->record->socket.peer_port, 40010);
	assert_int_equal(put[0].record.socket.flags & LP_F_CONNECTED, 0); /* unknown for some */
}

static void test_an_ipv4_peer_is_the_same_on_an_ipv6_socket(void **state)
{
	struct lp_record plain = sample.record,
			 mapped = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .mapped = true});

	(void)state;
	take();
	sample.record.socket.family = mapped.socket.family;
	memcpy(sample.record.socket.peer_addr, mapped.socket.peer_addr, sizeof(mapped.socket.peer_addr));
	memcpy(sample.record.socket.local_addr, mapped.socket.local_addr, sizeof(mapped.socket.local_addr));
	assert_false(take());
	sample.record = plain;
	assert_false(take());
	group_finish(groups);
	assert_int_equal(last()->record->socket.family, AF_INET);
	assert_memory_equal(last()->record->socket.peer_addr, plain.socket.peer_addr, sizeof(plain.socket.peer_addr));
	assert_memory_equal(last()->record->socket.local_addr, plain.socket.local_addr,
			    sizeof(plain.socket.local_addr));
}

/* If a process ended before its executable was read, its name identifies the application. */
static void test_kind_of_a_dead_owner(void **state)
{
	(void)state;
	assert_true(take());
	of_process(4712);
	sample.executable[0] = '\0';
	assert_false(take());
	strcpy(sample.event.owner.process.comm, "other");
	assert_true(take());
	strcpy(sample.executable, "/usr/bin/other");
	assert_false(take());
}

static void test_kinds(void **state)
{
	(void)state;
	assert_true(take());
	of_process(4712); /* another worker */
	assert_false(take());
	strcpy(sample.event.owner.process.comm, "other");
	assert_true(take());
	strcpy(sample.executable, "/usr/bin/other");
	assert_true(take());
	strcpy(sample.place.unit, "other.service");
	assert_true(take());
	strcpy(sample.place.container, SAMPLE_CONTAINER);
	assert_true(take());
	strcpy(sample.place.unit, "the container is the same.scope");
	assert_false(take());
	sample.event.owner = (struct owner){.unknown = UNKNOWN_HOLDER_GONE};
	assert_true(take());
	assert_false(take());
	group_finish(groups);
	assert_int_equal(n_put, 1); /* for the whole burst */
	assert_int_equal(last()->repeat.count, 3);
	assert_int_equal(last()->repeat.processes, 1); /* 4712, twice; and an unknown one */
	assert_int_equal(last()->owner.via, VIA_NONE);
	assert_int_equal(last()->owner.unknown, UNKNOWN_NONE);
}

static void test_300_connections_of_4_processes(void **state)
{
	(void)state;
	for (__u32 i = 0; i < 300; i++) {
		of_process(100 + i % 4);
		sample.record.socket.local_port = (__u16)(40000 + i);
		assert_int_equal(take(), i == 0);
		pass(CLOCK_MS);
	}
	pass(WINDOW);
	assert_int_equal(n_put, 1);
	assert_int_equal(last()->repeat.count, 299);
	assert_int_equal(last()->repeat.processes, 4);
	assert_false(last()->repeat.more_processes);
	assert_int_equal(last()->repeat.unacked, 299 * 512);
	assert_int_equal(last()->owner.via, VIA_NONE);
	assert_string_equal(last()->owner.process.comm, "checkout");
	assert_int_equal(last()->record->socket.local_port, 0);
	assert_int_equal(last()->record->socket.peer_port, 5432);
	check_nothing_lost();
}

/* --- what they have in common --- */

static const struct event *of_two(const struct event *one, const struct event *other)
{
	static struct aggregate *g;

	aggregate_free(g);
	g = NULL;
	assert_true(aggregate_add(&g, one));
	assert_true(aggregate_add(&g, other));
	return aggregate_event(g);
}

static void test_keeps_common_facts(void **state)
{
	const struct event *e;

	(void)state;
	sample_everything(&sample);
	sample.event.ended = (struct ended){5, LOCAL_CLOSED_CLOSE};
	e = of_two(&sample.event, &sample.event);
	assert_int_equal(e->error, ECONNRESET);
	assert_int_equal(e->verdict.ambiguous, LOCAL_RESET_DATA_AFTER_CLOSE);
	assert_int_equal(e->owner.n_holders, 2);
	assert_string_equal(e->holder_cgroups, sample.holder_cgroups);
	assert_int_equal(e->owner.process.exiting, 1);
	assert_int_equal(e->peer.tgid, 812);
	assert_int_equal(e->ended.wall_ns, 5);
	assert_string_equal(e->executable, sample.executable);
	assert_string_equal(e->place->cgroup, sample.place.cgroup);
	assert_memory_equal(e->place, &sample.place, sizeof(*e->place));
	assert_int_equal(e->record->socket.local_port, 51820);
	assert_false(e->repeat.several_phases || e->repeat.several_bys || e->repeat.several_vias);
}

static void test_leaves_out_differing_facts(void **state)
{
	static struct sample other;
	const struct event *e;

	(void)state;
	sample_everything(&sample);
	sample_everything(&other);
	other.event.verdict = (struct verdict){PEER_LOST_RESET, BY_NETWORK, PHASE_HALF_CLOSED, CAUSE_NONE};
	other.event.severity = SEVERITY_ERROR;
	other.event.error = EPIPE;
	other.record.socket.local_addr[0]++;
	other.record.socket.netns++;
	other.record.socket.state = TCP_CLOSE_WAIT;
	other.event.owner.via = VIA_CLOSER;
	other.event.owner.n_holders = 1;
	other.event.owner.process.exiting = 0;
	strcpy(other.executable, "/usr/bin/other");
	strcpy(other.place.unit, "other.service");
	other.event.peer.tgid++;
	strcpy(other.peer_place.unit, "other.service");
	sample.event.ended = other.event.ended = (struct ended){5, LOCAL_CLOSED_CLOSE};
	other.event.ended.wall_ns++;
	e = of_two(&sample.event, &other.event);
	assert_true(e->repeat.several_phases && e->repeat.several_bys && e->repeat.several_vias);
	assert_int_equal(e->severity, SEVERITY_ERROR); /* the worst */
	assert_int_equal(e->verdict.ambiguous, CAUSE_NONE);
	assert_int_equal(e->error, 0);
	assert_false(event_is_address(e->record->socket.local_addr));
	assert_true(event_is_address(e->record->socket.peer_addr));
	assert_int_equal(e->record->socket.netns, 0);
	assert_int_equal(e->record->socket.state, 0);
	assert_int_equal(e->owner.process.tgid, 4711); /* the same owner, known in two ways */
	assert_int_equal(e->owner.n_holders, 0);
	assert_string_equal(e->holder_cgroups, "");
	assert_int_equal(e->owner.process.exiting, 0);
	assert_string_equal(e->executable, "");
	assert_string_equal(e->place->unit, "");
	assert_string_equal(e->place->pod, sample.place.pod);
	assert_int_equal(e->peer.tgid, 0);
	assert_string_equal(e->peer_place->unit, "");
	assert_string_equal(e->peer_place->pod, sample.peer_place.pod);
	assert_int_equal(e->ended.wall_ns, 0);
}

/* --- full tables --- */

static void test_more_processes_than_are_counted(void **state)
{
	(void)state;
	take();
	for (__u32 i = 0; i < AGGREGATE_PROCESSES_MAX; i++) {
		of_process(1000 + i);
		take();
		take();
	}
	group_finish(groups);
	assert_int_equal(last()->repeat.processes, AGGREGATE_PROCESSES_MAX);
	assert_false(last()->repeat.more_processes);
	begin(WINDOW, 0);
	for (__u32 i = 0; i < 1000; i++) {
		of_process(1000 + i);
		take();
	}
	group_finish(groups);
	assert_int_equal(last()->repeat.processes, AGGREGATE_PROCESSES_MAX);
	assert_true(last()->repeat.more_processes);
	assert_int_equal(last()->repeat.count, 999);
}

static void test_more_kinds_than_have_a_line(void **state)
{
	(void)state;
	for (int i = 0; i < GROUP_KINDS_MAX + 10; i++) {
		snprintf(sample.executable, sizeof(sample.executable), "/usr/bin/%d", i);
		assert_int_equal(take(), i < GROUP_KINDS_MAX);
	}
	check_nothing_lost();
	assert_int_equal(n_put, 1);
	assert_int_equal(last()->repeat.count, 10);
}

/* The oldest makes room: its group is reported at once. */
static void test_more_bursts_than_fit(void **state)
{
	(void)state;
	for (int i = 0; i < GROUP_BURSTS_MAX; i++) {
		sample.record.socket.peer_port = (__u16)(1 + i);
		assert_true(take());
		assert_false(take());
		now_ns++;
	}
	assert_int_equal(n_put, 0);
	sample.record.socket.peer_port++;
	assert_true(take());
	assert_int_equal(n_put, 1);
	assert_int_equal(last()->record->socket.peer_port, 1);
	sample.record.socket.peer_port = 2; /* still there */
	assert_false(take());
	sample.record.socket.peer_port = 1;
	assert_true(take());
	assert_int_equal(n_put, 2);
	assert_int_equal(last()->record->socket.peer_port, 2);
	check_nothing_lost();
}

/* --- together --- */

/* With random events each one is shown or in exactly one group. */
static void test_nothing_is_lost_or_reported_twice(void **state)
{
	unsigned seed = 1;

	(void)state;
	begin(100 * CLOCK_MS, 20);
	for (int i = 0; i < 200000; i++) {
		seed = seed * 1103515245 + 12345;
		of_process(1 + (seed >> 8) % 1500);
		sample.record.socket.peer_port = (__u16)((seed >> 16) % 2000);
		sample.event.verdict.cause = seed >> 28 ? PEER_LOST_RESET : CONNECT_FAILED_REFUSED;
		sample.event.owner.via = (seed >> 20) % 7 ? VIA_CONNECT : VIA_NONE;
		sample.event.owner.unknown = sample.event.owner.via ? UNKNOWN_NONE : UNKNOWN_SHARED;
		take();
		now_ns += seed >> 4 & 0xfffff;
		if (group_deadline(groups) && group_deadline(groups) <= now_ns)
			group_tick(groups, now_ns);
	}
	check_nothing_lost();
	assert_true(shown < taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_first_at_once_the_others_at_the_end),
		TEST(test_after_a_window_of_nothing_the_next_is_a_first),
		TEST(test_an_endless_stream_is_reported_every_window),
		TEST(test_a_late_tick_changes_no_window),
		TEST(test_events_that_come_out_of_order),
		TEST(test_off),
		TEST(test_each_has_a_burst_of_its_own),
		TEST(test_the_port_that_does_not_matter),
		TEST(test_the_port_that_does_not_matter_of_an_old_connection),
		TEST(test_an_ipv4_peer_is_the_same_on_an_ipv6_socket),
		TEST(test_kinds),
		TEST(test_kind_of_a_dead_owner),
		TEST(test_300_connections_of_4_processes),
		TEST(test_keeps_common_facts),
		TEST(test_leaves_out_differing_facts),
		TEST(test_more_processes_than_are_counted),
		TEST(test_more_kinds_than_have_a_line),
		TEST(test_more_bursts_than_fit),
		TEST(test_nothing_is_lost_or_reported_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
