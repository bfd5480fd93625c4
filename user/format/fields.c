/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/fields.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "event/shared.h"
#include "event/verdicts.h"
#include "base/clock.h"
#include "format/format.h"
#include "base/number.h"

/* The values of network.connection.state in OpenTelemetry. */
static const char *const state_names[] = {
	[0] = "", /* different among several events */
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
static_assert(sizeof(state_names) / sizeof(*state_names) == FIELDS_STATES, "a name for each state");

const char *fields_state_name(int state)
{
	return state_names[state];
}

/* Takes the fields. */
struct fields {
	fields_put *put;
	void *to;
};

static void put(const struct fields *to, const char *name, enum field_kind kind, const char *text)
{
	to->put(to->to, &(struct field){.name = name, .kind = kind, .text = text, .of = 1});
}

static void put_text(const struct fields *to, const char *name, const char *value)
{
	if (*value)
		put(to, name, FIELD_STRING, value);
}

#define put_word(to, name, value, names, count) put_text(to, name, names(value))

static void put_integer(const struct fields *to, const char *name, __u64 value)
{
	char text[NUMBER_TEXT_LEN];

	number_format(value, text);
	put(to, name, FIELD_NUMBER, text);
}

static void put_boolean(const struct fields *to, const char *name, bool value)
{
	put(to, name, FIELD_BOOLEAN, value ? "true" : "false");
}

/* To the microsecond: below that they mean nothing. */
static void put_ms(const struct fields *to, const char *name, double value)
{
	char text[NUMBER_TEXT_LEN + 1];
	__u64 us;
	size_t n;

	if (value < 0)
		return;
	us = (__u64)(value * 1000 + 0.5);
	n = number_format(us / 1000, text);
	if (us % 1000) {
		number_format(1000 + us % 1000, text + n);
		text[n] = '.';
		for (n += 3; text[n] == '0'; n--)
			;
		text[n + 1] = '\0';
	}
	put(to, name, FIELD_NUMBER, text);
}

static void put_time(const struct fields *to, const char *name, __u64 realtime_ns)
{
	char text[CLOCK_TEXT_LEN];

	clock_format_utc(realtime_ns, text);
	put(to, name, FIELD_STRING, text);
}

static void put_boot_time(const struct fields *to, const char *name, __u64 boot_ns)
{
	if (boot_ns)
		put_time(to, name, clock_wall_from_boot(boot_ns));
}

static void put_error(const struct fields *to, const char *name, int error)
{
	const char *word = error ? strerrorname_np(error) : NULL;

	if (word)
		put(to, name, FIELD_STRING, word);
}

#define SIGNAL_NAME_LEN 16

/* "SIGKILL", if a signal ended the process. */
static void put_signal(const struct fields *to, const char *name, __u32 exit_code)
{
	const char *word = sigabbrev_np((int)(exit_code & 0x7f)); /* NULL for 0 */
	char text[SIGNAL_NAME_LEN];

	if (!word)
		return;
	snprintf(text, sizeof(text), "SIG%s", word);
	put(to, name, FIELD_STRING, text);
}

/* An array of one; no field has more texts. */
static void put_texts(const struct fields *to, const char *name, const char *text)
{
	to->put(to->to, &(struct field){.name = name, .kind = FIELD_STRING, .text = text, .array = true, .of = 1});
}

static void put_pids(const struct fields *to, const char *name, const struct lp_task *tasks, unsigned n)
{
	char text[NUMBER_TEXT_LEN];
	struct field field = {.name = name, .kind = FIELD_NUMBER, .text = text, .array = true, .of = n};

	for (; field.at < n; field.at++) {
		number_format(tasks[field.at].tgid, text);
		to->put(to->to, &field);
	}
}

/* An element has no empty text, which the journal could not hold. */
static void put_names(const struct fields *to, const char *name, const struct lp_task *tasks, unsigned n)
{
	struct field field = {.name = name, .kind = FIELD_STRING, .array = true, .of = n};

	for (; field.at < n; field.at++) {
		field.text = *tasks[field.at].comm ? tasks[field.at].comm : "?";
		to->put(to->to, &field);
	}
}

/* Nothing if one of them is empty. */
static void put_lines(const struct fields *to, const char *name, const char *lines)
{
	char line[CGROUP_LINE_LEN];
	struct field field = {.name = name, .kind = FIELD_STRING, .text = line, .array = true};

	if (*lines == '\n' || strstr(lines, "\n\n"))
		return;
	for (const char *s = lines; (s = strchr(s, '\n')); s++)
		field.of++;
	for (; field.at < field.of; field.at++) {
		shared_cgroup(lines, field.at, line);
		to->put(to->to, &field);
	}
}

/* An event or a check, and what its struct does not hold. */
struct subject {
	unsigned what; /* one of enum field_of */
	const struct event *event;
	const struct check *check; /* NULL: an event or a gap */
	__u64 wall_ns;
	const char *host;
	const char *reset_reason; /* "": not known */
};

static bool is_connecting(const struct subject *s, const struct lp_record *r)
{
	if (s->event->repeat.count)
		return cause_event(s->event->verdict.cause) == EVENT_CONNECT_FAILED;
	return r->socket.state == TCP_SYN_SENT || (s->check && s->check->verdict == CHECK_CONNECTING);
}

/* Passes on every field that is known. The variables are for the rows of fields.def. */
static void walk(const struct fields *to, const struct subject *s)
{
	static const struct lp_record gap;
	static const struct check no_check;
	const struct event *e = s->event;
	const struct verdict *v = &e->verdict;
	const struct owner *o = &e->owner;
	const struct lp_task *p = &o->process;
	const struct lp_task *other = &e->peer, *shutter = &e->shutter;
	const struct place *place = e->place, *peer_place = e->peer_place;
	const struct repeat *repeat = &e->repeat;
	const struct lp_record *r = e->record ? e->record : &gap;
	const struct check *c = s->check ? s->check : &no_check;
	const struct lp_socket *socket = s->check ? c->socket : &r->socket;
	bool has_role = socket->flags & (LP_F_CONNECTED | LP_F_ACCEPTED);
	bool named = o->via || o->n_holders || repeat->processes; /* several may share a name */
	bool transfer = event_has_transfer(e);
	bool single = transfer && !repeat->count; /* of one connection, not of several */
	bool connecting = is_connecting(s, r);
	bool over = s->check && socket->state == TCP_CLOSE; /* CLOSE no longer shows which bytes were payload */
	bool idle = socket->snd_una == socket->write_seq;
	char local[FORMAT_ADDRESS_LEN], peer[FORMAT_ADDRESS_LEN];
	bool ipv6 = format_address(socket, socket->peer_addr, peer);

	format_address(socket, socket->local_addr, local);
#define FIELD(what_has_it, name, type, when, ...)                                                                      \
	if (s->what & (what_has_it) && (when))                                                                         \
		put_##type(to, name, __VA_ARGS__);
#include "format/fields.def"
}

void fields_of(const struct event *e, const struct format_context *context, fields_put *put_one, void *to)
{
	const struct fields fields = {put_one, to};
	struct subject s = {e->record ? OF_EVENT : OF_GAP, e, NULL, e->wall_ns, context->host, ""};
	const char *reason = NULL;

	if (e->record && context->reset_reason)
		reason = context->reset_reason(context->kernel, e->record->reset_reason);
	if (reason)
		s.reset_reason = reason;
	walk(&fields, &s);
}

void fields_of_check(const struct check *c, const char *host, __u64 wall_ns, fields_put *put_one, void *to)
{
	walk(&(struct fields){put_one, to}, &(struct subject){OF_CHECK, &c->event, c, wall_ns, host, ""});
}
