/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JSON lines, read back with json-c: the example of lostpeer-events(7) byte for byte, each field, unknown facts that
 * are left out, and hostile names that must not break a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>

#include "sample.h"

static struct line line;
static struct sample sample;
static struct format_context context;

/* The line must be one valid object in UTF-8 without a repeated key. The caller frees it. */
static struct json_object *read_line(void)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object;

	assert_false(line.cut);
	assert_ptr_equal(memchr(line.text, '\n', line.length), line.text + line.length - 1);
	assert_null(memchr(line.text, '\0', line.length));
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, line.text, (int)line.length - 1);
	if (!object)
		fail_msg("%s: %.*s", json_tokener_error_desc(json_tokener_get_error(tokener)), (int)line.length,
			 line.text);
	assert_int_equal(json_tokener_get_parse_end(tokener), line.length - 1);
	json_tokener_free(tokener);
	assert_int_equal(json_object_get_type(object), json_type_object);
	return object;
}

static struct json_object *format(void)
{
	format_json(&line, &sample.event, &context);
	return read_line();
}

static int set_up(void **state)
{
	(void)state;
	context = sample_context();
	sample_example(&sample);
	return 0;
}

/* The next `"key":value` of an object written by format_json, at *at; its length, or 0 at the end. */
static size_t next_piece(const char **at)
{
	const char *from = *at + 1; /* after the brace or comma */
	bool quoted = false;
	int depth = 0;
	size_t n = 0;

	for (; quoted || depth || (from[n] != ',' && from[n] != '}'); n++) {
		if (from[n] == '\\')
			n++;
		else if (from[n] == '"')
			quoted = !quoted;
		else if (!quoted)
			depth += (from[n] == '[') - (from[n] == ']');
	}
	*at = from + n;
	return n;
}

/* The example of lostpeer-events(7). */
static const char example[] =
	"{\"schema\":1,\"time\":\"2026-11-22T12:01:02.123456789Z\",\"host.name\":\"web-3\",\"event\":\"peer_lost\","
	"\"cause\":\"reset\",\"by\":\"peer\",\"phase\":\"established\",\"severity\":\"warning\","
	"\"error.type\":\"ECONNRESET\",\"role\":\"client\",\"process.pid\":4711,\"process.name\":\"checkout\","
	"\"process.creation.time\":\"2026-11-20T08:00:00.010000000Z\",\"owner.via\":\"connect\","
	"\"network.transport\":\"tcp\",\"network.type\":\"ipv4\",\"network.local.address\":\"10.0.0.7\","
	"\"network.local.port\":51820,\"network.peer.address\":\"10.0.0.5\",\"network.peer.port\":5432,"
	"\"network.connection.state\":\"established\",\"tcp.duration_ms\":81234.5,\"data.unacked_bytes\":512}";

/* A full socket always has these; the example leaves them out to be short. */
static bool is_always_known(const char *piece)
{
	static const char *const keys[] = {
		"\"process.user.id\":",    "\"network.netns\":",      "\"tcp.bytes_sent\":",
		"\"tcp.bytes_received\":", "\"tcp.retransmits\":",    "\"data.unread_bytes\":",
		"\"data.unsent_bytes\":",  "\"stream.read_closed\":", "\"stream.write_closed\":",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strncmp(piece, keys[i], strlen(keys[i])))
			return true;
	return false;
}

static void test_the_contracts_example_byte_for_byte(void **state)
{
	const char *theirs = example, *ours, *piece;
	size_t n, m;

	(void)state;
	json_object_put(format());
	ours = line.text;
	while (*ours != '}') {
		n = next_piece(&ours);
		piece = ours - n;
		if (is_always_known(piece))
			continue;
		m = *theirs == '}' ? 0 : next_piece(&theirs);
		if (n != m || memcmp(piece, theirs - m, n))
			fail_msg("%.*s where the example has %.*s", (int)n, piece, (int)m, theirs - m);
	}
	assert_string_equal(theirs, "}");
	assert_memory_equal(ours, "}\n", 2);
}

static void check_string(struct json_object *o, const char *key, const char *expected)
{
	struct json_object *value = json_object_object_get(o, key);

	if (json_object_get_type(value) != json_type_string || strcmp(json_object_get_string(value), expected))
		fail_msg("%s is %s, not \"%s\"", key, json_object_to_json_string(value), expected);
}

static void check_integer(struct json_object *o, const char *key, int64_t expected)
{
	struct json_object *value = json_object_object_get(o, key);

	if (json_object_get_type(value) != json_type_int || json_object_get_int64(value) != expected)
		fail_msg("%s is %s, not %lld", key, json_object_to_json_string(value), (long long)expected);
}

static void check_number(struct json_object *o, const char *key, double expected)
{
	struct json_object *value = json_object_object_get(o, key);
	double got = json_object_get_double(value);

	if (!value || got > expected + 0.0005 || got < expected - 0.0005)
		fail_msg("%s is %s, not %f", key, json_object_to_json_string(value), expected);
}

static void check_boolean(struct json_object *o, const char *key, bool expected)
{
	struct json_object *value = json_object_object_get(o, key);

	if (json_object_get_type(value) != json_type_boolean || json_object_get_boolean(value) != expected)
		fail_msg("%s is %s", key, json_object_to_json_string(value));
}

static void check_array(struct json_object *o, const char *key, const char *expected)
{
	struct json_object *value = json_object_object_get(o, key);

	assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), expected);
}

static void check_identity(struct json_object *o)
{
	check_integer(o, "process.pid", 4711);
	check_integer(o, "process.vpid", 12);
	check_string(o, "process.name", "checkout");
	check_string(o, "process.executable.path", "/usr/bin/checkout");
	check_boolean(o, "process.exit.out_of_memory", true);
	check_integer(o, "peer.process.pid", 812);
	check_string(o, "peer.process.name", "postgres");
	check_string(o, "peer.process.creation.time", "2026-11-21T07:00:00.000000000Z");
	check_integer(o, "peer.process.vpid", 13);
	check_integer(o, "peer.process.user.id", 999);
	check_boolean(o, "peer.process.exiting", true);
	check_boolean(o, "peer.process.executing", true);
	check_string(o, "peer.process.exit.signal", "SIGABRT");
	check_boolean(o, "peer.process.exit.out_of_memory", true);
	check_string(o, "peer.process.linux.cgroup", "0::" SAMPLE_PEER_CGROUP);
	check_string(o, "peer.systemd.unit", "crio-" SAMPLE_CONTAINER ".scope");
	check_string(o, "peer.systemd.slice", SAMPLE_SLICE);
	check_string(o, "peer.container.id", SAMPLE_CONTAINER);
	check_string(o, "peer.container.runtime.name", "cri-o");
	check_integer(o, "shutdown.process.pid", 4713);
	check_integer(o, "shutdown.process.vpid", 14);
	check_string(o, "shutdown.process.name", "job-child");
	check_string(o, "shutdown.process.creation.time", "2026-11-22T07:00:00.000000000Z");
	check_integer(o, "shutdown.process.user.id", 1001);
	check_string(o, "peer.k8s.pod.uid", "2f5e1a6c-0d3b-4c8e-9a7f-1b2c3d4e5f60");
	check_string(o, "process.linux.cgroup", "0::" SAMPLE_CGROUP);
	check_string(o, "systemd.unit", SAMPLE_UNIT);
	check_string(o, "systemd.slice", SAMPLE_SLICE);
	check_string(o, "container.id", SAMPLE_CONTAINER);
	check_string(o, "container.runtime.name", "containerd");
	check_string(o, "k8s.pod.uid", "2f5e1a6c-0d3b-4c8e-9a7f-1b2c3d4e5f60");
	check_string(o, "process.creation.time", "2026-11-20T08:00:00.010000000Z");
	check_integer(o, "process.user.id", 1000);
	check_boolean(o, "process.exiting", true);
	check_boolean(o, "process.executing", true);
	check_string(o, "process.exit.signal", "SIGKILL");
	check_string(o, "owner.via", "connect");
	check_array(o, "owner.holders", "[4711,4712]");
	check_array(o, "owner.holder_names", "[\"checkout\",\"helper\"]");
	check_array(o, "owner.holder_cgroups", "[\"0::\\/a\",\"0::\\/b\"]");
	check_string(o, "network.transport", "tcp");
	check_string(o, "network.type", "ipv4");
	check_string(o, "network.local.address", "10.0.0.7");
	check_integer(o, "network.local.port", 51820);
	check_string(o, "network.peer.address", "10.0.0.5");
	check_integer(o, "network.peer.port", 5432);
	check_integer(o, "network.netns", 4026531840);
	check_string(o, "network.interface.name", "vrf-blue");
	check_integer(o, "network.interface.index", 3);
	check_string(o, "network.connection.state", "established");
}

static void test_every_field_of_an_event(void **state)
{
	struct json_object *o;

	(void)state;
	sample_everything(&sample);
	o = format();
	check_integer(o, "schema", 1);
	check_string(o, "time", "2026-11-22T12:01:02.123456789Z");
	check_string(o, "host.name", "web-3");
	check_string(o, "event", "peer_lost");
	check_string(o, "cause", "reset");
	check_string(o, "by", "peer");
	check_string(o, "phase", "established");
	check_string(o, "severity", "warning");
	check_array(o, "ambiguous", "[\"data_after_close\"]");
	check_string(o, "error.type", "ECONNRESET");
	check_string(o, "role", "client");
	check_identity(o);
	check_integer(o, "tcp.cookie", 77);
	check_number(o, "tcp.duration_ms", 81234.5);
	check_integer(o, "tcp.bytes_sent", 1000);
	check_integer(o, "tcp.bytes_received", 70);
	check_integer(o, "tcp.retransmits", 4);
	check_integer(o, "tcp.rtt_us", 250);
	check_number(o, "tcp.silent_ms", 12);
	check_string(o, "tcp.soft_error", "EHOSTUNREACH");
	check_string(o, "tcp.reset_reason", "ABORT_ON_DATA");
	check_boolean(o, "tcp.mptcp", true);
	check_integer(o, "data.unread_bytes", 6);
	check_integer(o, "data.unacked_bytes", 512);
	check_integer(o, "data.unsent_bytes", 10);
	check_boolean(o, "stream.read_closed", false);
	check_boolean(o, "stream.write_closed", false);
	check_string(o, "signature.fault", "wrong");
	check_string(o, "signature.dropped_by", "peer");
	assert_int_equal(json_object_object_length(o), 78);
	json_object_put(o);
}

/* Formats, and checks that the line has none of the keys (NULL-terminated). */
static void leaves_out(const char *const keys[])
{
	struct json_object *o = format();

	for (; *keys; keys++)
		if (json_object_object_get_ex(o, *keys, NULL))
			fail_msg("%s is %s", *keys, json_object_to_json_string(json_object_object_get(o, *keys)));
	json_object_put(o);
}

#define LEAVES_OUT(...) leaves_out((const char *const[]){__VA_ARGS__, NULL})

static void test_leaves_out_unknown_facts_of_the_socket(void **state)
{
	(void)state;
	memset(&sample.record.socket.local_addr, 0, sizeof(sample.record.socket.local_addr));
	sample.record.socket.local_port = 0;
	sample.record.socket.netns = 0;
	sample.record.established_ns = 0;
	sample.record.socket.flags &= ~(__u32)LP_F_CONNECTED;
	sample.record.socket.soft_err = 9999; /* not an errno of this C library */
	sample.event.error = 9999;
	sample.record.reset_reason = 5;
	context.reset_reason = NULL;
	LEAVES_OUT("ambiguous", "error.type", "role", "network.local.address", "network.local.port", "network.netns",
		   "tcp.cookie", "tcp.duration_ms", "tcp.rtt_us", "tcp.silent_ms", "tcp.soft_error", "tcp.reset_reason",
		   "tcp.mptcp", "lost.count", "lost.first", "lost.last");
}

static void test_leaves_out_unknown_facts_of_the_process(void **state)
{
	(void)state;
	sample.event.owner.process = (struct lp_task){.tgid = 4711};
	LEAVES_OUT("process.name", "process.executable.path", "process.vpid", "process.creation.time",
		   "process.exiting", "process.executing", "process.exit.signal", "owner.unknown", "owner.holders");
	sample.event.owner.process.vpid = 4711; /* only if it differs */
	LEAVES_OUT("process.vpid");
	sample.event.owner.process.exit_code = 9; /* without meaning while the process does not exit */
	LEAVES_OUT("process.exit.signal");
	sample.event.owner.process.exiting = 1;
	sample.event.owner.process.exit_code = 0x300; /* exit(3) */
	LEAVES_OUT("process.exit.signal");
}

static void test_leaves_out_an_unknown_process(void **state)
{
	struct json_object *o;

	(void)state;
	for (int unknown = UNKNOWN_NONE + 1; unknown < UNKNOWN_COUNT; unknown++) {
		sample.event.owner =
			(struct owner){.unknown = (enum owner_unknown)unknown, .process = {.tgid = 9, .comm = "x"}};
		LEAVES_OUT("process.pid", "process.vpid", "process.name", "process.executable.path",
			   "process.creation.time", "process.user.id", "process.exiting", "process.exit.signal",
			   "owner.via", "owner.holders");
		o = format();
		check_string(o, "owner.unknown", unknown_name((enum owner_unknown)unknown));
		json_object_put(o);
	}
}

static void test_leaves_out_a_host_without_a_name(void **state)
{
	(void)state;
	context.host = "";
	LEAVES_OUT("host.name");
}

static void test_leaves_out_facts_that_a_connecting_socket_lacks(void **state)
{
	(void)state;
	sample.record = record_of(&(struct facts){TCP_SYN_SENT, HELD, CLIENT, .err = ETIMEDOUT, .unack = 1, .retr = 2});
	sample_judge(&sample, (struct verdict){CONNECT_FAILED_TIMEOUT, BY_NETWORK, PHASE_CONNECTING, CAUSE_NONE});
	LEAVES_OUT("tcp.bytes_sent", "tcp.bytes_received", "tcp.silent_ms", "data.unread_bytes", "stream.read_closed",
		   "stream.write_closed");
}

static void test_leaves_out_all_of_tcp_before_a_connect(void **state)
{
	(void)state;
	sample.record =
		record_of(&(struct facts){TCP_CLOSE, NO_FILE, OWN | CLIENT, .err = EACCES, .kind = LP_KIND_NO_CONNECT});
	sample_judge(&sample, (struct verdict){CONNECT_FAILED_DENIED, BY_LOCAL, PHASE_CONNECTING, CAUSE_NONE});
	LEAVES_OUT("tcp.duration_ms", "tcp.bytes_sent", "tcp.bytes_received", "tcp.retransmits", "tcp.silent_ms",
		   "data.unread_bytes", "data.unacked_bytes", "data.unsent_bytes", "stream.read_closed",
		   "stream.write_closed");
}

/* bytes_acked includes our SYN if we connected, which is unknown for a connection older than the agent. */
static void test_leaves_out_bytes_sent_where_a_syn_may_be_in_them(void **state)
{
	(void)state;
	sample.record = record_of(&(struct facts){TCP_ESTABLISHED, HELD, LP_F_SEEDED | RST_IN, .err = ECONNRESET});
	sample.record.socket.bytes_acked = 1;
	sample_judge(&sample, (struct verdict){PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE});
	LEAVES_OUT("tcp.bytes_sent");
}

static void test_each_family_and_state(void **state)
{
	static const char *const states[] = {
		[TCP_ESTABLISHED] = "established",
		[TCP_SYN_SENT] = "syn_sent",
		[TCP_SYN_RECV] = "syn_received",
		[TCP_FIN_WAIT1] = "fin_wait_1",
		[TCP_FIN_WAIT2] = "fin_wait_2",
		[TCP_TIME_WAIT] = "time_wait",
		[TCP_CLOSE] = "closed",
		[TCP_CLOSE_WAIT] = "close_wait",
		[TCP_LAST_ACK] = "last_ack",
		[TCP_LISTEN] = "listen",
		[TCP_CLOSING] = "closing",
	};
	struct json_object *o;

	(void)state;
	for (int i = TCP_ESTABLISHED; i <= TCP_CLOSING; i++) {
		sample.record.socket.state = (__u8)i;
		o = format();
		check_string(o, "network.connection.state", states[i]);
		json_object_put(o);
	}
	sample.record = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .family = AF_INET6});
	o = format();
	check_string(o, "network.type", "ipv6");
	check_string(o, "network.local.address", "fd00::7");
	check_string(o, "network.peer.address", "fd00::5");
	json_object_put(o);
	sample.record = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .mapped = true});
	o = format();
	check_string(o, "network.type", "ipv4");
	check_string(o, "network.local.address", "10.0.0.7");
	check_string(o, "network.peer.address", "10.0.0.5");
	json_object_put(o);
}

static void test_each_cause_has_the_words_of_its_row(void **state)
{
	struct json_object *o;

	(void)state;
	for (int cause = CAUSE_NONE + 1; cause < EVENTS_LOST_RING_FULL; cause++) {
		sample_judge(&sample,
			     (struct verdict){(enum lp_cause)cause, cause_by((enum lp_cause)cause), PHASE_CLOSING, 0});
		o = format();
		check_string(o, "event", event_name(cause_event((enum lp_cause)cause)));
		check_string(o, "cause", cause_name((enum lp_cause)cause));
		check_string(o, "by", by_name(cause_by((enum lp_cause)cause)));
		if (cause == LOCAL_RESET_NO_CONNECTION)
			assert_null(json_object_object_get(o, "phase"));
		else
			check_string(o, "phase", "closing");
		check_string(o, "severity", severity_name(sample.event.severity));
		json_object_put(o);
	}
}

static void test_a_gap(void **state)
{
	__u64 first = sample_wall_ns(22, 12, 0, 0, 1), last = sample_wall_ns(22, 12, 0, 1, 999999999);
	struct json_object *o;

	(void)state;
	for (int place = EVENTS_LOST_RING_FULL; place < CAUSE_COUNT; place++) {
		event_from_loss(&sample.event, (enum lp_cause)place, (struct loss){5000000000, first, last});
		o = format();
		check_integer(o, "schema", 1);
		check_string(o, "time", "2026-11-22T12:00:01.999999999Z");
		check_string(o, "host.name", "web-3");
		check_string(o, "event", "events_lost");
		check_string(o, "cause", cause_name((enum lp_cause)place));
		check_string(o, "by", "agent");
		check_string(o, "severity", "error");
		check_integer(o, "lost.count", 5000000000);
		check_string(o, "lost.first", "2026-11-22T12:00:00.000000001Z");
		check_string(o, "lost.last", "2026-11-22T12:00:01.999999999Z");
		assert_int_equal(json_object_object_length(o), 10);
		json_object_put(o);
	}
}

static const char burst[] =
	"{\"schema\":1,\"time\":\"2026-11-22T12:01:02.123456789Z\",\"host.name\":\"web-3\",\"event\":\"peer_lost\","
	"\"cause\":\"reset\",\"by\":\"peer\",\"phase\":\"established\",\"severity\":\"warning\","
	"\"error.type\":\"ECONNRESET\",\"role\":\"client\","
	"\"process.name\":\"checkout\",\"process.executable.path\":\"/usr/bin/checkout\","
	"\"systemd.unit\":\"shop.service\",\"systemd.slice\":\"system.slice\","
	"\"network.transport\":\"tcp\",\"network.type\":\"ipv4\",\"network.local.address\":\"10.0.0.7\","
	"\"network.peer.address\":\"10.0.0.5\",\"network.peer.port\":5432,\"network.netns\":4026531840,"
	"\"network.connection.state\":\"established\","
	"\"data.unread_bytes\":5000000000,\"data.unacked_bytes\":153088,\"data.unsent_bytes\":0,"
	"\"repeat.count\":299,\"repeat.first\":\"2026-11-22T12:01:02.038456789Z\","
	"\"repeat.last\":\"2026-11-22T12:01:02.123456789Z\",\"repeat.processes\":4}\n";

static void test_a_burst(void **state)
{
	(void)state;
	sample_burst(&sample);
	json_object_put(format());
	line_append(&line, "", 1);
	assert_string_equal(line.text, burst);
}

static void test_a_repeat_of_one_process(void **state)
{
	struct json_object *o;

	(void)state;
	sample_everything(&sample);
	sample.event.repeat = (struct repeat){.count = 2, .first_ns = 1, .last_ns = 2, .processes = 1};
	o = format();
	check_integer(o, "process.pid", 4711);
	check_string(o, "owner.via", "connect");
	check_integer(o, "repeat.processes", 1);
	json_object_put(o);
	LEAVES_OUT("tcp.cookie", "tcp.duration_ms", "tcp.bytes_sent", "tcp.retransmits", "tcp.rtt_us", "tcp.mptcp",
		   "stream.read_closed", "stream.write_closed");
}

static void test_leaves_out_facts_that_differ_in_a_group(void **state)
{
	(void)state;
	sample_burst(&sample);
	sample.event.owner.process.comm[0] = '\0';
	sample.executable[0] = '\0';
	sample.event.repeat.several_phases = sample.event.repeat.several_bys = true;
	sample.record.socket.family = sample.record.socket.state = 0;
	sample.record.socket.peer_port = 0;
	memset(sample.record.socket.peer_addr, 0, sizeof(sample.record.socket.peer_addr));
	memset(sample.record.socket.local_addr, 0, sizeof(sample.record.socket.local_addr));
	LEAVES_OUT("phase", "by", "process.name", "process.pid", "process.executable.path", "owner.via",
		   "owner.unknown", "network.type", "network.local.address", "network.local.port",
		   "network.peer.address", "network.peer.port", "network.connection.state");
	sample.event.owner.via = VIA_CONNECT;
	sample.event.repeat.processes = 1;
	sample.event.repeat.several_vias = true;
	LEAVES_OUT("owner.via");
	sample.event.owner = (struct owner){0}; /* no owner is known, for several reasons */
	sample.event.repeat.processes = 0;
	LEAVES_OUT("owner.via", "owner.unknown", "repeat.processes");
}

static void test_a_repeat_of_attempts_has_read_nothing(void **state)
{
	(void)state;
	sample_burst(&sample);
	sample.event.verdict.cause = CONNECT_FAILED_REFUSED;
	LEAVES_OUT("data.unread_bytes");
	sample.record.kind = LP_KIND_NO_CONNECT;
	LEAVES_OUT("data.unread_bytes", "data.unacked_bytes", "data.unsent_bytes");
}

struct hostile {
	const char *text, *shown;
};

#define BAD "\xef\xbf\xbd"

static const struct hostile hostiles[] = {
	{"a\"b", "a\"b"},
	{"\",\"event\":\"x", "\",\"event\":\"x"},
	{"back\\", "back\\"},
	{"two\nlines", "two\nlines"},
	{"\r\b\f\t\v", "\r\b\f\t\v"},
	{"\x01\x1b[31m\x1f", "\x01\x1b[31m\x1f"},
	{"del\x7f", "del\x7f"},
	{"c1\xc2\x9b", "c1\xc2\x9b"},
	{"rtl\xe2\x80\xae", "rtl\xe2\x80\xae"},
	{"bad\xff\xc0\xaf", "bad" BAD BAD BAD},
	{"cut off \xe2\x82", "cut off " BAD BAD},
	{"caf\xc3\xa9 \xf0\x9f\x92\xa3", "caf\xc3\xa9 \xf0\x9f\x92\xa3"},
	{"%s%n%x", "%s%n%x"},
	{"{\"a\":[1]}", "{\"a\":[1]}"},
};

static void test_hostile(void **state)
{
	const struct hostile *h = *state;
	struct json_object *o;

	set_up(NULL);
	assert_true(strlen(h->text) < LP_COMM_LEN);
	strcpy(sample.event.owner.process.comm, h->text);
	snprintf(sample.executable, sizeof(sample.executable), "/%s", h->text);
	snprintf(sample.place.cgroup, sizeof(sample.place.cgroup), "0::/%s", h->text);
	strcpy(sample.place.container, h->text);
	context.host = h->text;
	o = format();
	check_string(o, "process.name", h->shown);
	check_string(o, "host.name", h->shown);
	check_string(o, "event", "peer_lost");
	assert_string_equal(json_object_get_string(json_object_object_get(o, "process.executable.path")) + 1, h->shown);
	assert_string_equal(json_object_get_string(json_object_object_get(o, "process.linux.cgroup")) + 4, h->shown);
	check_string(o, "container.id", h->shown);
	json_object_put(o);
	for (size_t i = 0; i + 1 < line.length; i++)
		assert_true((unsigned char)line.text[i] >= 0x20 && line.text[i] != 0x7f);
	assert_null(memmem(line.text, line.length, "\xe2\x80\xae", 3));
	assert_null(memmem(line.text, line.length, "\xc2\x9b", 2));
}

/* No names can make the line too long. */
static void test_the_longest_event_is_not_cut(void **state)
{
	static char host[256];
	struct json_object *o;

	(void)state;
	sample_everything(&sample);
	memset(sample.executable, 1, PATH_MAX - 1);
	memset(sample.place.cgroup, 1, sizeof(sample.place.cgroup) - 1);
	memset(sample.place.unit, 1, PLACE_NAME_LEN - 1);
	memset(sample.place.slice, 1, PLACE_NAME_LEN - 1);
	memset(sample.place.container, 1, PLACE_NAME_LEN - 1);
	sample.peer_place = sample.place;
	memset(sample.event.owner.process.comm, 0xff, LP_COMM_LEN - 1);
	memset(host, 0x7f, sizeof(host) - 1);
	context.host = host;
	sample.event.owner.n_holders = OWNER_HOLDERS_MAX;
	for (int i = 0; i < OWNER_HOLDERS_MAX; i++) {
		sample.event.owner.holders[i].tgid = 4194304;
		memset(sample.event.owner.holders[i].comm, 1, LP_COMM_LEN - 1);
	}
	memset(sample.holder_cgroups, 1, HOLDER_CGROUPS_LEN - 1);
	for (int i = 500; i < HOLDER_CGROUPS_LEN; i += 500)
		sample.holder_cgroups[i] = '\n';
	sample.holder_cgroups[HOLDER_CGROUPS_LEN - 2] = '\n';
	o = format();
	assert_int_equal(json_object_get_string_len(json_object_object_get(o, "process.executable.path")),
			 PATH_MAX - 1);
	assert_int_equal(json_object_array_length(json_object_object_get(o, "owner.holders")), OWNER_HOLDERS_MAX);
	assert_int_equal(json_object_array_length(json_object_object_get(o, "owner.holder_names")), OWNER_HOLDERS_MAX);
	assert_int_equal(json_object_array_length(json_object_object_get(o, "owner.holder_cgroups")), 4);
	json_object_put(o);
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_contracts_example_byte_for_byte),
		TEST(test_every_field_of_an_event),
		TEST(test_leaves_out_unknown_facts_of_the_socket),
		TEST(test_leaves_out_unknown_facts_of_the_process),
		TEST(test_leaves_out_an_unknown_process),
		TEST(test_leaves_out_a_host_without_a_name),
		TEST(test_leaves_out_facts_that_a_connecting_socket_lacks),
		TEST(test_leaves_out_all_of_tcp_before_a_connect),
		TEST(test_leaves_out_bytes_sent_where_a_syn_may_be_in_them),
		TEST(test_each_family_and_state),
		TEST(test_each_cause_has_the_words_of_its_row),
		TEST(test_a_gap),
		TEST(test_a_burst),
		TEST(test_a_repeat_of_one_process),
		TEST(test_leaves_out_facts_that_differ_in_a_group),
		TEST(test_a_repeat_of_attempts_has_read_nothing),
		TEST(test_the_longest_event_is_not_cut),
	};
	struct CMUnitTest all[COUNT(tests) + COUNT(hostiles)];
	char names[COUNT(hostiles)][32];

	memcpy(all, tests, sizeof(tests));
	for (size_t i = 0; i < COUNT(hostiles); i++) {
		snprintf(names[i], sizeof(names[i]), "test_hostile_string_%zu", i);
		all[COUNT(tests) + i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = test_hostile,
			.initial_state = (void *)(uintptr_t)&hostiles[i],
		};
	}
	return _cmocka_run_group_tests("format_json", all, COUNT(all), NULL, NULL);
}
