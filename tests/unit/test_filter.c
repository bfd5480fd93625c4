/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Filters: each kind and its opposite, lists, networks, and the classes that the kernel must report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "facts.h"
#include "filter/filter.h"

static struct lp_record record;
static struct event event;
static struct place place;

/* "checkout" (4711) lost its connection to 10.0.0.5:5432 in namespace 4026531840. */
static void make_event(enum lp_cause cause)
{
	record = record_of(&(struct facts){TCP_ESTABLISHED, HELD, LP_F_ACCEPTED, .unack = 512});
	record.socket.netns = 4026531840u;
	event_from_record(&event, &record, (struct verdict){cause, cause_by(cause), PHASE_ESTABLISHED, CAUSE_NONE}, 1);
	event.owner = (struct owner){.via = VIA_ACCEPT, .process = {.tgid = 4711, .comm = "checkout"}};
}

static void set_peer(int family, const char *address)
{
	memset(record.socket.peer_addr, 0, sizeof(record.socket.peer_addr));
	record.socket.family = (__u16)family;
	assert_int_equal(inet_pton(family, address, record.socket.peer_addr), 1);
}

static bool passes(const struct filter *f)
{
	return filter_event(f, &event) && filter_owner(f, &event);
}

static void check(enum filter_kind kind, const char *text, bool matches)
{
	struct filter only, not ;

	filter_init(&only);
	filter_init(&not );
	assert_null(filter_add(&only, kind, false, text));
	assert_null(filter_add(&not, kind, true, text));
	if (passes(&only) != matches)
		fail_msg("'%s' %s", text, matches ? "keeps it out" : "lets it pass");
	if (passes(&not ) == matches)
		fail_msg("not '%s' %s", text, matches ? "lets it pass" : "keeps it out");
	filter_free(&only);
	filter_free(&not );
}

static void test_no_filter_passes_every_drop(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	for (int cause = CAUSE_NONE + 1; cause < EVENTS_LOST_RING_FULL; cause++) {
		make_event((enum lp_cause)cause);
		record.socket.total_retrans = 1;
		assert_int_equal(passes(&f), cause != PEER_CLOSED_FIN && cause != LOCAL_CLOSED_CLOSE);
	}
	filter_free(&f);
}

static void lives_in(const char *path)
{
	make_event(PEER_LOST_RESET);
	place_read(path, &place);
	snprintf(place.cgroup, sizeof(place.cgroup), "9:name=systemd:%s", path);
	event.place = &place;
}

static void test_unit(void **state)
{
	(void)state;
	lives_in("/system.slice/nginx.service");
	check(FILTER_UNIT, "nginx.service", true);
	check(FILTER_UNIT, "nginx", true);
	check(FILTER_UNIT, "ngin", false);
	check(FILTER_UNIT, "ng*", true);
	check(FILTER_UNIT, "ngin?.service", true);
	check(FILTER_UNIT, "*.scope", false);
	lives_in("/user.slice/user-1.slice/user@1.service/app.slice/a.b.service");
	check(FILTER_UNIT, "a.b", true);
	check(FILTER_UNIT, "user@1", true);
	check(FILTER_UNIT, "user@2", false);
	lives_in("/system.slice/a\\x2db.service");
	check(FILTER_UNIT, "a\\x2db.service", true);
	lives_in("/");
	check(FILTER_UNIT, "*", false);
	make_event(PEER_LOST_RESET);
	check(FILTER_UNIT, "nginx", false);
}

static void test_container(void **state)
{
	(void)state;
	lives_in("/docker/8e4f28a0bf1a2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef01234567");
	check(FILTER_CONTAINER, "8e4f28a0bf1a2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef01234567", true);
	check(FILTER_CONTAINER, "8e4f", true);
	check(FILTER_CONTAINER, "e4f2", false);
	lives_in("/lxc.payload.web-1");
	check(FILTER_CONTAINER, "web-1", true);
	check(FILTER_CONTAINER, "web", false);
	lives_in("/");
	check(FILTER_CONTAINER, "8", false);
}

static void test_cgroup(void **state)
{
	(void)state;
	lives_in("/a.slice/b.service/c");
	check(FILTER_CGROUP, "/a.slice/b.service/c", true);
	check(FILTER_CGROUP, "/a.slice/b.service", true);
	check(FILTER_CGROUP, "/a.slice/", true);
	check(FILTER_CGROUP, "/", true);
	check(FILTER_CGROUP, "/a", false);
	check(FILTER_CGROUP, "/a.slice/b.service/c/d", false);
	lives_in("/");
	check(FILTER_CGROUP, "/", true);
	check(FILTER_CGROUP, "/a", false);
	make_event(PEER_LOST_RESET);
	check(FILTER_CGROUP, "/", false);
}

static void test_event_and_cause(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	check(FILTER_EVENT, "peer_lost", true);
	check(FILTER_EVENT, "local_reset", false);
	check(FILTER_CAUSE, "reset", true);
	check(FILTER_CAUSE, "refused", false);
	make_event(LOCAL_RESET_DESTROYED);
	check(FILTER_CAUSE, "destroyed", true);
	make_event(CONNECT_FAILED_DESTROYED);
	check(FILTER_CAUSE, "destroyed", true);
}

static void test_ports(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	check(FILTER_PORT, "5432", true);
	check(FILTER_PORT, "51820", true);
	check(FILTER_PORT, "80", false);
	check(FILTER_LOCAL_PORT, "51820", true);
	check(FILTER_LOCAL_PORT, "5432", false);
	check(FILTER_PEER_PORT, "5432", true);
	check(FILTER_PEER_PORT, "51820", false);
	record.socket.local_port = 65535;
	check(FILTER_PORT, "65535", true);
}

static void test_process(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	check(FILTER_PID, "4711", true);
	check(FILTER_PID, "471", false);
	check(FILTER_NAME, "checkout", true);
	check(FILTER_NAME, "check", false);
}

/* Whether the event passes with these values of a kind, separated by commas. */
static bool passes_with(enum filter_kind kind, bool opposite, const char *values)
{
	struct filter f;
	bool passed;

	filter_init(&f);
	assert_null(filter_add_list(&f, kind, opposite, values));
	passed = passes(&f);
	filter_free(&f);
	return passed;
}

/* "sh" (8) in /a.slice/one.service and "sleep" (9) in /b.slice/two.service. */
static void two_hold_it(void)
{
	event.owner.n_holders = 2;
	event.owner.holders[0] = (struct lp_task){.tgid = 8, .comm = "sh"};
	event.owner.holders[1] = (struct lp_task){.tgid = 9, .comm = "sleep"};
	event.holder_cgroups = "0::/a.slice/one.service\n0::/b.slice/two.service\n";
}

/* Any holder lets an event pass; only all of them keep it out. */
static void check_holders(enum filter_kind kind, const char *one, const char *other, const char *third)
{
	assert_true(passes_with(kind, false, one));
	assert_true(passes_with(kind, false, other));
	assert_false(passes_with(kind, false, third));
	assert_true(passes_with(kind, true, one));
	assert_true(passes_with(kind, true, other));
	assert_true(passes_with(kind, true, third));
}

static void test_any_holder_matches(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	event.owner = (struct owner){.unknown = UNKNOWN_SHARED};
	two_hold_it();
	check_holders(FILTER_PID, "8", "9", "4711");
	check_holders(FILTER_NAME, "sh", "sleep", "checkout");
	check_holders(FILTER_UNIT, "one", "two", "three");
	check_holders(FILTER_CGROUP, "/a.slice", "/b.slice/two.service", "/c.slice");
	assert_false(passes_with(FILTER_PID, true, "8,9"));
	assert_false(passes_with(FILTER_UNIT, true, "one,two"));
	assert_false(passes_with(FILTER_CGROUP, true, "/"));
}

static void test_a_named_owner_is_one_of_the_holders(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	two_hold_it();
	check_holders(FILTER_PID, "4711", "9", "10");
	check_holders(FILTER_NAME, "checkout", "sh", "bash");
	assert_true(passes_with(FILTER_PID, true, "8,9"));
	assert_false(passes_with(FILTER_PID, true, "8,9,4711"));
}

/* The same holder must pass all options. */
static void test_options_apply_to_one_holder(void **state)
{
	struct filter f;

	(void)state;
	make_event(PEER_LOST_RESET);
	event.owner = (struct owner){.unknown = UNKNOWN_SHARED};
	two_hold_it();
	filter_init(&f);
	assert_null(filter_add(&f, FILTER_NAME, false, "sh"));
	assert_null(filter_add(&f, FILTER_PID, false, "8"));
	assert_true(passes(&f));
	assert_null(filter_add(&f, FILTER_UNIT, true, "two"));
	assert_true(passes(&f));
	assert_null(filter_add(&f, FILTER_UNIT, true, "one"));
	assert_false(passes(&f));
	filter_free(&f);
}

static void test_holders_in_one_place(void **state)
{
	(void)state;
	lives_in("/a.slice/one.service");
	event.owner = (struct owner){.unknown = UNKNOWN_SHARED};
	two_hold_it();
	event.holder_cgroups = "";
	check(FILTER_UNIT, "one", true);
	check(FILTER_UNIT, "two", false);
}

/* A holder that is gone may have been any process. */
static void test_a_holder_that_is_gone_is_not_excluded(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	event.owner =
		(struct owner){.unknown = UNKNOWN_HOLDER_GONE, .n_holders = 1, .holders = {{.tgid = 8, .comm = "sh"}}};
	assert_true(passes_with(FILTER_NAME, false, "sh"));
	assert_true(passes_with(FILTER_NAME, true, "sh"));
	event.owner = (struct owner){.unknown = UNKNOWN_SHARED, .n_holders = 1, .holders = {{.tgid = 8, .comm = "sh"}}};
	assert_false(passes_with(FILTER_NAME, true, "sh"));
	event.owner.more_holders = true;
	assert_true(passes_with(FILTER_NAME, true, "sh"));
	strcpy(event.owner.process.comm, "sh"); /* the name of those too */
	assert_false(passes_with(FILTER_NAME, true, "sh"));
	assert_false(passes_with(FILTER_NAME, false, "sleep"));
}

static void test_an_owner_that_is_not_known_matches_nothing(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	event.owner = (struct owner){.unknown = UNKNOWN_NOT_SEEN};
	check(FILTER_NAME, "checkout", false);
	check(FILTER_PID, "4711", false);
	check(FILTER_UNIT, "checkout", false);
}

static void test_a_long_name_is_compared_as_the_kernel_keeps_it(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	strcpy(event.owner.process.comm, "systemd-resolve");
	check(FILTER_NAME, "systemd-resolved", true);
	check(FILTER_NAME, "systemd-resolve", true);
	check(FILTER_NAME, "systemd-resolv", false);
	strcpy(event.owner.process.comm, "a, b");
	check(FILTER_NAME, "a, b", true);
}

static void test_netns(void **state)
{
	struct stat st;
	char inode[32];

	(void)state;
	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	snprintf(inode, sizeof(inode), "%llu", (unsigned long long)st.st_ino);
	make_event(PEER_LOST_RESET);
	check(FILTER_NETNS, "4026531840", true);
	check(FILTER_NETNS, "4026531839", false);
	record.socket.netns = (__u32)st.st_ino;
	check(FILTER_NETNS, "/proc/self/ns/net", true);
	check(FILTER_NETNS, inode, true);
	record.socket.netns = 1;
	check(FILTER_NETNS, "/proc/self/ns/net", false);
}

struct network {
	const char *text;
	int family;
	const char *peer;
	bool matches;
};

static const struct network networks[] = {
	{"10.0.0.5", AF_INET, "10.0.0.5", true},
	{"10.0.0.5", AF_INET, "10.0.0.4", false},
	{"10.0.0.5/32", AF_INET, "10.0.0.5", true},
	{"10.0.0.5/32", AF_INET, "10.0.0.4", false},
	{"10.0.0.4/31", AF_INET, "10.0.0.5", true},
	{"10.0.0.4/31", AF_INET, "10.0.0.6", false},
	{"10.0.0.0/8", AF_INET, "10.255.0.1", true},
	{"10.0.0.0/8", AF_INET, "11.0.0.1", false},
	{"10.9.8.7/8", AF_INET, "10.1.2.3", true},
	{"172.16.0.0/12", AF_INET, "172.31.255.255", true},
	{"172.16.0.0/12", AF_INET, "172.32.0.0", false},
	{"128.0.0.0/1", AF_INET, "255.0.0.1", true},
	{"128.0.0.0/1", AF_INET, "127.0.0.1", false},
	{"0.0.0.0/0", AF_INET, "192.0.2.1", true},
	{"0.0.0.0/0", AF_INET6, "2001:db8::1", false},
	{"10.0.0.0/8", AF_INET6, "2001:db8::1", false},
	/* an IPv4 peer matches on any socket and in either notation */
	{"10.0.0.0/8", AF_INET6, "::ffff:10.1.2.3", true},
	{"10.0.0.5", AF_INET6, "::ffff:10.0.0.5", true},
	{"0.0.0.0/0", AF_INET6, "::ffff:10.0.0.5", true},
	{"::ffff:10.0.0.5", AF_INET, "10.0.0.5", true},
	{"::ffff:10.0.0.0/104", AF_INET, "10.9.9.9", true},
	{"::ffff:10.0.0.0/104", AF_INET, "11.9.9.9", false},
	{"::ffff:0:0/96", AF_INET, "11.9.9.9", true},
	{"::10.0.0.5", AF_INET, "10.0.0.5", false},
	{"2001:db8::1", AF_INET6, "2001:db8::1", true},
	{"2001:db8::1", AF_INET6, "2001:db8::2", false},
	{"2001:DB8:0::1/128", AF_INET6, "2001:db8::1", true},
	{"2001:db8::1/128", AF_INET6, "2001:db8::", false},
	{"2001:db8::/127", AF_INET6, "2001:db8::1", true},
	{"2001:db8::/127", AF_INET6, "2001:db8::2", false},
	{"2001:db8::/33", AF_INET6, "2001:db8:7fff::1", true},
	{"2001:db8::/33", AF_INET6, "2001:db8:8000::1", false},
	{"2001:db8::/32", AF_INET6, "2001:db9::1", false},
	{"2001:db8::/32", AF_INET, "10.0.0.5", false},
	{"::/0", AF_INET6, "2001:db8::1", true},
	/* a filter for all of IPv6 does not mean IPv4 */
	{"::/0", AF_INET, "10.0.0.5", false},
	{"::/64", AF_INET, "10.0.0.5", false},
	{"::/0", AF_INET6, "::ffff:10.0.0.5", false},
};

static void test_network(void **state)
{
	const struct network *n = *state;

	make_event(PEER_LOST_RESET);
	set_peer(n->family, n->peer);
	check(FILTER_PEER, n->text, n->matches);
}

static void test_a_zone_is_an_interface(void **state)
{
	(void)state;
	make_event(PEER_LOST_RESET);
	set_peer(AF_INET6, "fe80::1");
	record.socket.interface = 7;
	strcpy(record.socket.interface_name, "eth1");
	check(FILTER_PEER, "fe80::1", true);
	check(FILTER_PEER, "fe80::1%eth1", true);
	check(FILTER_PEER, "fe80::1%7", true);
	check(FILTER_PEER, "fe80::1%eth0", false);
	check(FILTER_PEER, "fe80::1%8", false);
	check(FILTER_PEER, "fe80::2%eth1", false);
	check(FILTER_PEER, "fe80::%eth1/10", true);
	check(FILTER_PEER, "fe80::%eth0/10", false);
	*record.socket.interface_name = '\0'; /* not known */
	check(FILTER_PEER, "fe80::1%eth1", false);
	check(FILTER_PEER, "fe80::1%7", true);
}

static void test_values_of_one_option_are_alternatives(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	make_event(PEER_LOST_RESET);
	filter_add(&f, FILTER_PEER_PORT, false, "80");
	assert_false(passes(&f));
	filter_add(&f, FILTER_PEER_PORT, false, "5432");
	filter_add(&f, FILTER_PEER_PORT, false, "443");
	assert_true(passes(&f));
	filter_add(&f, FILTER_PEER, true, "192.0.2.0/24");
	filter_add(&f, FILTER_PEER, true, "10.0.0.5");
	assert_false(passes(&f));
	filter_free(&f);
}

static void test_different_options_all_apply(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	make_event(PEER_LOST_RESET);
	filter_add(&f, FILTER_EVENT, false, "peer_lost");
	filter_add(&f, FILTER_PORT, false, "5432");
	filter_add(&f, FILTER_NAME, false, "checkout");
	assert_true(passes(&f));
	filter_add(&f, FILTER_PID, false, "1");
	assert_false(passes(&f));
	filter_free(&f);
}

/* Until the owner is known only the filters that do not need it decide. */
static void test_filters_by_owner_wait_for_the_owner(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	make_event(PEER_LOST_RESET);
	event.owner = (struct owner){.unknown = UNKNOWN_NOT_SEEN};
	filter_add(&f, FILTER_PID, false, "4711");
	filter_add(&f, FILTER_NAME, false, "checkout");
	assert_true(filter_event(&f, &event));
	assert_false(filter_owner(&f, &event));
	filter_free(&f);
}

static void test_min_severity(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	make_event(PEER_LOST_RESET);
	for (int least = SEVERITY_ERROR; least < SEVERITY_COUNT; least++) {
		f.min_severity = (enum lp_severity)least;
		for (int severity = SEVERITY_ERROR; severity < SEVERITY_COUNT; severity++) {
			event.severity = (enum lp_severity)severity;
			assert_int_equal(passes(&f), severity <= least);
		}
	}
	filter_free(&f);
}

static void check_asked(const struct filter *f, enum lp_cause cause, bool raced, bool passing)
{
	make_event(cause);
	event.raced = raced;
	assert_int_equal(passes(f), passing);
}

static void test_orderly_ends_pass_only_when_enabled(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	check_asked(&f, PEER_CLOSED_FIN, false, false);
	check_asked(&f, LOCAL_CLOSED_CLOSE, false, false);
	check_asked(&f, CONNECT_FAILED_ABANDONED, true, false);
	check_asked(&f, CONNECT_FAILED_ABANDONED, false, true);
	filter_add(&f, FILTER_EVENT, true, "local_closed"); /* excluding it does not enable it */
	check_asked(&f, PEER_CLOSED_FIN, false, false);
	f.all = true;
	check_asked(&f, PEER_CLOSED_FIN, false, true);
	check_asked(&f, LOCAL_CLOSED_CLOSE, false, false);
	check_asked(&f, CONNECT_FAILED_ABANDONED, true, true);
	filter_free(&f);
}

static void test_naming_an_orderly_end_enables_it(void **state)
{
	static const struct {
		enum filter_kind kind;
		const char *text;
		enum lp_cause cause;
		__u32 class;
	} asked[] = {
		{FILTER_EVENT, "peer_closed", PEER_CLOSED_FIN, LP_CLASS_PEER_CLOSED},
		{FILTER_CAUSE, "fin", PEER_CLOSED_FIN, LP_CLASS_PEER_CLOSED},
		{FILTER_EVENT, "local_closed", LOCAL_CLOSED_CLOSE, LP_CLASS_LOCAL_CLOSED},
		{FILTER_CAUSE, "close", LOCAL_CLOSED_CLOSE, LP_CLASS_LOCAL_CLOSED},
		{FILTER_EVENT, "connect_failed", CONNECT_FAILED_ABANDONED, LP_CLASS_ABANDONED},
		{FILTER_CAUSE, "abandoned", CONNECT_FAILED_ABANDONED, LP_CLASS_ABANDONED},
	};
	struct filter f;

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		filter_init(&f);
		filter_add(&f, asked[i].kind, false, asked[i].text);
		check_asked(&f, asked[i].cause, asked[i].class == LP_CLASS_ABANDONED, true);
		assert_int_equal(filter_wants(&f).classes, LP_CLASS_LOST | asked[i].class);
		filter_free(&f);
	}
}

static void test_wants_of_no_filter_and_of_all(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	assert_int_equal(filter_wants(&f).classes, LP_CLASS_LOST | LP_CLASSES_LOOKED);
	assert_int_equal(filter_wants(&f).netns, 0);
	f.all = true;
	assert_int_equal(filter_wants(&f).classes, LP_CLASS_LOST | LP_CLASSES_LOOKED | LP_CLASSES_ORDERLY);
	filter_add(&f, FILTER_EVENT, true, "peer_lost");
	filter_add(&f, FILTER_CAUSE, true, "fin"); /* then the kernel need not report it */
	assert_int_equal(filter_wants(&f).classes,
			 LP_CLASS_LOST | LP_CLASSES_LOOKED | LP_CLASS_LOCAL_CLOSED | LP_CLASS_ABANDONED);
	filter_add(&f, FILTER_EVENT, false, "local_reset");
	assert_int_equal(filter_wants(&f).classes, LP_CLASS_LOST);
	f.all = false;
	assert_int_equal(filter_wants(&f).classes, LP_CLASS_LOST);
	filter_free(&f);
}

/* The agent filters by port, peer and owner: these filters do not change the classes that the kernel reports. */
static void test_other_filters_want_nothing_special(void **state)
{
	static const struct {
		enum filter_kind kind;
		const char *text;
	} others[] = {
		{FILTER_EVENT, "peer_lost"}, {FILTER_CAUSE, "reset"},   {FILTER_PORT, "443"},
		{FILTER_LOCAL_PORT, "443"},  {FILTER_PEER_PORT, "443"}, {FILTER_PEER, "10.0.0.0/8"},
		{FILTER_PID, "1"},           {FILTER_NAME, "nginx"},
	};
	struct filter f;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		for (int opposite = 0; opposite < 2; opposite++) {
			bool narrow = !opposite && (others[i].kind == FILTER_EVENT || others[i].kind == FILTER_CAUSE);

			filter_init(&f);
			assert_null(filter_add(&f, others[i].kind, opposite, others[i].text));
			assert_int_equal(filter_wants(&f).classes, LP_CLASS_LOST | (narrow ? 0 : LP_CLASSES_LOOKED));
			assert_int_equal(filter_wants(&f).netns, 0);
			filter_free(&f);
		}
	}
}

/* The agent searches for early warnings only if they can pass. */
static void test_looks_only_for_events_that_pass(void **state)
{
	static const struct {
		enum filter_kind kind;
		const char *text;
		__u32 class;
	} asked[] = {
		{FILTER_EVENT, "peer_silent", LP_CLASS_SILENT},    {FILTER_CAUSE, "unacked", LP_CLASS_SILENT},
		{FILTER_EVENT, "peer_back", LP_CLASS_SILENT},      {FILTER_CAUSE, "acked", LP_CLASS_SILENT},
		{FILTER_EVENT, "close_ignored", LP_CLASS_IGNORED}, {FILTER_CAUSE, "close_wait", LP_CLASS_IGNORED},
		{FILTER_EVENT, "accept_dropped", LP_CLASS_QUEUES}, {FILTER_CAUSE, "queue_full", LP_CLASS_QUEUES},
	};
	struct filter f;

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		filter_init(&f);
		assert_null(filter_add(&f, asked[i].kind, false, asked[i].text));
		assert_int_equal(filter_wants(&f).classes, LP_CLASS_LOST | asked[i].class);
		filter_free(&f);
	}
	filter_init(&f);
	assert_null(filter_add(&f, FILTER_EVENT, true, "peer_silent"));
	assert_null(filter_add(&f, FILTER_CAUSE, true, "acked"));
	assert_null(filter_add(&f, FILTER_EVENT, true, "close_ignored"));
	assert_int_equal(filter_wants(&f).classes, LP_CLASS_LOST | LP_CLASS_QUEUES);
	filter_free(&f);
}

static void test_wants_one_namespace_or_all(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	filter_add(&f, FILTER_NETNS, true, "5");
	assert_int_equal(filter_wants(&f).netns, 0);
	filter_add(&f, FILTER_NETNS, false, "4026531840");
	assert_true(filter_wants(&f).netns == 4026531840u);
	filter_add(&f, FILTER_NETNS, false, "4026531841");
	assert_int_equal(filter_wants(&f).netns, 0);
	filter_free(&f);
}

/* A gap concerns every reader, whatever the filter. */
static void test_gaps_always_pass(void **state)
{
	struct filter f;

	(void)state;
	filter_init(&f);
	f.min_severity = SEVERITY_ERROR;
	filter_add(&f, FILTER_EVENT, false, "peer_lost");
	filter_add(&f, FILTER_PORT, false, "443");
	filter_add(&f, FILTER_PEER, false, "10.0.0.5");
	filter_add(&f, FILTER_NETNS, false, "7");
	event_from_loss(&event, EVENTS_LOST_RING_FULL, (struct loss){3, 1, 2});
	assert_true(filter_event(&f, &event));
	filter_add(&f, FILTER_EVENT, true, "events_lost");
	assert_true(filter_event(&f, &event));
	filter_free(&f);
}

static void test_refuses_wrong_values(void **state)
{
	static const struct {
		enum filter_kind kind;
		const char *text;
	} wrong[] = {
		{FILTER_EVENT, ""},
		{FILTER_EVENT, "reset"},
		{FILTER_EVENT, "peer_lost "},
		{FILTER_EVENT, "Peer_Lost"},
		{FILTER_CAUSE, ""},
		{FILTER_CAUSE, "peer_lost"},
		{FILTER_CAUSE, "rese"},
		{FILTER_PORT, ""},
		{FILTER_PORT, "65536"},
		{FILTER_PORT, "-1"},
		{FILTER_PORT, "http"},
		{FILTER_LOCAL_PORT, " 80"},
		{FILTER_PEER_PORT, "80x"},
		{FILTER_PEER, "fe80::1%"},
		{FILTER_PEER, "fe80::1%/64"},
		{FILTER_PEER, "fe80::1%sixteen-letters-"},
		{FILTER_PEER, "fe80::1/64%eth0"},
		{FILTER_PID, "0"},
		{FILTER_PID, "4194305"},
		{FILTER_UNIT, ""},
		{FILTER_UNIT, "a/b.service"},
		{FILTER_CONTAINER, ""},
		{FILTER_CONTAINER, "/docker/1"},
		{FILTER_CGROUP, "system.slice"},
		{FILTER_CGROUP, ""},
		{FILTER_PID, "self"},
		{FILTER_NAME, ""},
		{FILTER_NETNS, "0"},
		{FILTER_NETNS, "x"},
		{FILTER_NETNS, "4294967296"},
		{FILTER_NETNS, "/proc/none/such"},
		{FILTER_NETNS, ""},
		{FILTER_PEER, ""},
		{FILTER_PEER, "localhost"},
		{FILTER_PEER, "10.0.0"},
		{FILTER_PEER, "10.0.0.256"},
		{FILTER_PEER, "10.0.0.5/33"},
		{FILTER_PEER, "10.0.0.5/"},
		{FILTER_PEER, "10.0.0.5/-1"},
		{FILTER_PEER, "10.0.0.0/8/8"},
		{FILTER_PEER, "/8"},
		{FILTER_PEER, "2001:db8::/129"},
		{FILTER_PEER, "2001:db8::g"},
		{FILTER_PEER, "[::1]"},
		{FILTER_PEER, "10.0.0.5:80"},
		{FILTER_PEER, "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"},
	};
	struct filter f;

	(void)state;
	filter_init(&f);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (!filter_add(&f, wrong[i].kind, false, wrong[i].text))
			fail_msg("'%s' was taken", wrong[i].text);
	filter_free(&f);
}

static bool no_memory;

char *strndup(const char *text, size_t n)
{
	size_t length = strnlen(text, n);
	char *copy = no_memory ? NULL : malloc(length + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

static void test_reports_that_memory_is_out(void **state)
{
	static const struct {
		enum filter_kind kind;
		const char *text;
	} texts[] = {
		{FILTER_CAUSE, "reset"},    {FILTER_NAME, "nginx"},           {FILTER_UNIT, "nginx.service"},
		{FILTER_CONTAINER, "8f3a"}, {FILTER_CGROUP, "/system.slice"},
	};
	struct filter f;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		filter_init(&f);
		no_memory = true;
		assert_string_equal(filter_add(&f, texts[i].kind, false, texts[i].text), "out of memory");
		no_memory = false;
		filter_free(&f);
	}
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void test_lists_and_numbers(void **state)
{
	struct filter f;
	__u64 numbers[2];

	(void)state;
	filter_init(&f);
	assert_int_equal(filter_numbers(&f, FILTER_PID, numbers, 2), 0);
	assert_false(filter_asks_owner(&f));
	assert_null(filter_add_list(&f, FILTER_PORT, false, "80,443"));
	assert_null(filter_add_list(&f, FILTER_PID, true, "9"));
	assert_false(filter_asks_owner(&f)); /* an opposite wants all other owners */
	assert_null(filter_add_list(&f, FILTER_PID, false, "7,8,12"));
	assert_true(filter_asks_owner(&f));
	assert_int_equal(filter_numbers(&f, FILTER_PID, numbers, 2), 3); /* the total, not the number that fits */
	assert_int_equal(filter_numbers(&f, FILTER_PORT, numbers, 2), 2);
	assert_int_equal(numbers[0] + numbers[1], 523);
	assert_non_null(filter_add_list(&f, FILTER_PORT, false, "80,,443"));
	assert_null(filter_add_list(&f, FILTER_NAME, false, "a,b")); /* one name */
	assert_int_equal(filter_numbers(&f, FILTER_NAME, numbers, 0), 1);
	filter_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_and_numbers),
		cmocka_unit_test(test_no_filter_passes_every_drop),
		cmocka_unit_test(test_event_and_cause),
		cmocka_unit_test(test_unit),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_any_holder_matches),
		cmocka_unit_test(test_a_named_owner_is_one_of_the_holders),
		cmocka_unit_test(test_options_apply_to_one_holder),
		cmocka_unit_test(test_holders_in_one_place),
		cmocka_unit_test(test_a_holder_that_is_gone_is_not_excluded),
		cmocka_unit_test(test_an_owner_that_is_not_known_matches_nothing),
		cmocka_unit_test(test_a_long_name_is_compared_as_the_kernel_keeps_it),
		cmocka_unit_test(test_netns),
		cmocka_unit_test(test_a_zone_is_an_interface),
		cmocka_unit_test(test_values_of_one_option_are_alternatives),
		cmocka_unit_test(test_different_options_all_apply),
		cmocka_unit_test(test_filters_by_owner_wait_for_the_owner),
		cmocka_unit_test(test_min_severity),
		cmocka_unit_test(test_orderly_ends_pass_only_when_enabled),
		cmocka_unit_test(test_naming_an_orderly_end_enables_it),
		cmocka_unit_test(test_wants_of_no_filter_and_of_all),
		cmocka_unit_test(test_other_filters_want_nothing_special),
		cmocka_unit_test(test_looks_only_for_events_that_pass),
		cmocka_unit_test(test_wants_one_namespace_or_all),
		cmocka_unit_test(test_gaps_always_pass),
		cmocka_unit_test(test_refuses_wrong_values),
		cmocka_unit_test(test_reports_that_memory_is_out),
	};
	struct CMUnitTest all[COUNT(tests) + COUNT(networks)];
	char names[COUNT(networks)][96];

	memcpy(all, tests, sizeof(tests));
	for (size_t i = 0; i < COUNT(networks); i++) {
		snprintf(names[i], sizeof(names[i]), "peer_%s_is%s_in_%s", networks[i].peer,
			 networks[i].matches ? "" : "_not", networks[i].text);
		all[COUNT(tests) + i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = test_network,
			.initial_state = (void *)(uintptr_t)&networks[i],
		};
	}
	return _cmocka_run_group_tests("filter", all, COUNT(all), NULL, NULL);
}
