/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/fields.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "event/verdicts.h"
#include "base/clock.h"
#include "format/format.h"
#include "base/number.h"

/* OpenTelemetry's words for the states (network.connection.state). */
static const char *const state_names[] = {
	[0] = "", /* several */
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

__u8 fields_state(const char *name)
{
	for (__u8 i = 1; i < sizeof(state_names) / sizeof(*state_names); i++)
		if (!strcmp(state_names[i], name))
			return i;
	return 0;
}

/* Whom the fields are handed to. */
struct fields {
	fields_put *put;
	void *to;
};

static void put(const struct fields *to, const char *name, enum field_kind kind, const char *text)
{
	to->put(to->to, &(struct field){.name = name, .kind = kind, .text = text, .of = 1});
}

static void put_string(const struct fields *to, const char *name, const char *value)
{
	if (*value)
		put(to, name, FIELD_STRING, value);
}

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

/* Milliseconds: to the microsecond is as far as they mean anything. */
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
	put_string(to, name, text);
}

static void put_errno(const struct fields *to, const char *name, int error)
{
	const char *word = error ? strerrorname_np(error) : NULL;

	if (word)
		put_string(to, name, word);
}

static void put_verdict(const struct fields *to, const struct event *e)
{
	put_string(to, "event", event_name(cause_event(e->verdict.cause)));
	put_string(to, "cause", cause_name(e->verdict.cause));
	if (!e->repeat.several_bys)
		put_string(to, "by", by_name(e->verdict.by));
	if (e->record && !e->repeat.several_phases)
		put_string(to, "phase", phase_name(e->verdict.phase));
	put_string(to, "severity", severity_name(e->severity));
	if (e->verdict.ambiguous)
		to->put(to->to, &(struct field){.name = "ambiguous",
						.kind = FIELD_STRING,
						.text = cause_name(e->verdict.ambiguous),
						.array = true,
						.of = 1});
}

#define SIGNAL_NAME_LEN 16

/* "SIGKILL", where a signal ended it. */
static bool signal_name(const struct lp_task *task, char name[SIGNAL_NAME_LEN])
{
	const char *word = sigabbrev_np((int)(task->exit_code & 0x7f));

	if (!(task->exit_code & 0x7f) || !word)
		return false;
	snprintf(name, SIGNAL_NAME_LEN, "SIG%s", word);
	return true;
}

static void put_holders(const struct fields *to, const struct owner *o)
{
	struct field field = {.name = "owner.holders", .kind = FIELD_NUMBER, .array = true, .of = o->n_holders};
	char text[16];

	field.text = text;
	for (; field.at < field.of; field.at++) {
		snprintf(text, sizeof(text), "%u", o->holders[field.at]);
		to->put(to->to, &field);
	}
}

static void put_owner(const struct fields *to, const struct event *e)
{
	const struct owner *o = &e->owner;
	char signal[SIGNAL_NAME_LEN];

	if (o->via) {
		put_integer(to, "process.pid", o->process.tgid);
		if (o->process.vpid && o->process.vpid != o->process.tgid)
			put_integer(to, "process.vpid", o->process.vpid);
		put_string(to, "process.name", o->process.comm);
		if (*e->executable)
			put_string(to, "process.executable.path", e->executable);
		if (o->process.start_boot_ns)
			put_time(to, "process.creation.time", clock_wall_from_boot(o->process.start_boot_ns));
		put_integer(to, "process.user.id", o->process.uid);
		if (o->process.exiting)
			put_boolean(to, "process.exiting", true);
		if (o->process.exiting && signal_name(&o->process, signal))
			put_string(to, "process.exit.signal", signal);
		if (o->process.exiting && o->process.oom)
			put_boolean(to, "process.exit.out_of_memory", true);
		if (!e->repeat.several_vias)
			put_string(to, "owner.via", via_name(o->via));
	} else if (e->repeat.processes) {
		put_string(to, "process.name", o->process.comm);
		put_string(to, "process.executable.path", e->executable);
	} else {
		put_string(to, "owner.unknown", unknown_name(o->unknown));
	}
	put_holders(to, o);
}

static void put_place(const struct fields *to, const struct event *e)
{
	put_string(to, "process.linux.cgroup", e->place->cgroup);
	put_string(to, "systemd.unit", e->place->unit);
	put_string(to, "systemd.slice", e->place->slice);
	put_string(to, "container.id", e->place->container);
	put_string(to, "container.runtime.name", place_runtime_name(e->place->runtime));
	put_string(to, "k8s.pod.uid", e->place->pod);
}

static void put_peer(const struct fields *to, const struct lp_task *peer)
{
	if (!peer->tgid)
		return;
	put_integer(to, "peer.process.pid", peer->tgid);
	put_string(to, "peer.process.name", peer->comm);
	if (peer->start_boot_ns)
		put_time(to, "peer.process.creation.time", clock_wall_from_boot(peer->start_boot_ns));
}

static void put_network(const struct fields *to, const struct lp_record *r, bool several)
{
	char local[FORMAT_ADDRESS_LEN], peer[FORMAT_ADDRESS_LEN];
	bool ipv6 = format_address(r, r->socket.peer_addr, peer);

	format_address(r, r->socket.local_addr, local);
	put_string(to, "network.transport", "tcp");
	if (r->socket.family)
		put_string(to, "network.type", ipv6 ? "ipv6" : "ipv4");
	/* before a route and a port are chosen there is no local end */
	if (r->socket.state == TCP_LISTEN || (strcmp(local, "0.0.0.0") && strcmp(local, "::")))
		put_string(to, "network.local.address", local);
	if (r->socket.local_port)
		put_integer(to, "network.local.port", r->socket.local_port);
	if (!several || event_is_address(r->socket.peer_addr))
		put_string(to, "network.peer.address", peer);
	if (!several || r->socket.peer_port)
		put_integer(to, "network.peer.port", r->socket.peer_port);
	if (r->socket.netns)
		put_integer(to, "network.netns", r->socket.netns);
	put_string(to, "network.connection.state", state_names[r->socket.state]);
}

static void put_tcp(const struct fields *to, const struct event *e, const struct format_context *context)
{
	const struct lp_record *r = e->record;
	const char *reason = context->reset_reason ? context->reset_reason(context->kernel, r->reset_reason) : NULL;

	if (r->socket.cookie)
		put_integer(to, "tcp.cookie", r->socket.cookie);
	if (!event_has_transfer(e))
		return;
	put_ms(to, "tcp.duration_ms", event_duration_ms(e));
	/* whether our SYN is in the kernel's count is known with the role */
	if (r->socket.state != TCP_SYN_SENT && (r->socket.flags & (LP_F_CONNECTED | LP_F_ACCEPTED)))
		put_integer(to, "tcp.bytes_sent", e->data.sent);
	if (r->socket.state != TCP_SYN_SENT)
		put_integer(to, "tcp.bytes_received", e->data.received);
	put_integer(to, "tcp.retransmits", r->socket.total_retrans);
	if (r->socket.srtt_us)
		put_integer(to, "tcp.rtt_us", r->socket.srtt_us >> 3);
	put_ms(to, "tcp.silent_ms", event_silent_ms(e));
	if (r->kind == LP_KIND_SILENT && r->socket.gives_up_ms != LP_NEVER)
		put_integer(to, "tcp.gives_up_in_ms", r->socket.gives_up_ms);
	put_errno(to, "tcp.soft_error", r->socket.soft_err);
	if (r->kind == LP_KIND_CLOSE && reason)
		put_string(to, "tcp.reset_reason", reason);
	if (r->socket.flags & LP_F_MPTCP)
		put_boolean(to, "tcp.mptcp", true);
}

static void put_data(const struct fields *to, const struct event *e)
{
	bool connecting = e->record->socket.state == TCP_SYN_SENT;

	if (!connecting)
		put_integer(to, "data.unread_bytes", e->data.unread);
	put_integer(to, "data.unacked_bytes", e->data.unacked);
	put_integer(to, "data.unsent_bytes", e->data.unsent);
	if (connecting)
		return;
	put_boolean(to, "stream.read_closed", event_read_closed(e));
	put_boolean(to, "stream.write_closed", event_write_closed(e));
}

static void put_transfer(const struct fields *to, const struct event *e, const struct format_context *context)
{
	put_tcp(to, e, context);
	if (event_has_transfer(e))
		put_data(to, e);
}

static void put_ended(const struct fields *to, const struct ended *ended)
{
	if (!ended->wall_ns)
		return;
	put_time(to, "ended.time", ended->wall_ns);
	put_string(to, "ended.event", event_name(cause_event(ended->cause)));
	put_string(to, "ended.cause", cause_name(ended->cause));
}

/* How many wait like this one, for the application to close them, or to accept them. */
static void put_held(const struct fields *to, const struct event *e)
{
	const struct lp_record *r = e->record;

	if (r->kind == LP_KIND_IGNORED && !e->repeat.count)
		put_integer(to, "ignored.connections", r->socket.holds);
	if (r->kind != LP_KIND_QUEUE_FULL)
		return;
	put_integer(to, "listen.queue_length", r->socket.holds);
	put_integer(to, "listen.backlog", r->backlog);
}

/* What each of them had of its own is left out. */
static void put_repeat(const struct fields *to, const struct event *e)
{
	const struct repeat *r = &e->repeat;

	if (event_has_transfer(e)) {
		if (cause_event(e->verdict.cause) != EVENT_CONNECT_FAILED)
			put_integer(to, "data.unread_bytes", r->unread);
		put_integer(to, "data.unacked_bytes", r->unacked);
		put_integer(to, "data.unsent_bytes", r->unsent);
	}
	put_integer(to, "repeat.count", r->count);
	put_time(to, "repeat.first", r->first_ns);
	put_time(to, "repeat.last", r->last_ns);
	if (r->processes)
		put_integer(to, "repeat.processes", r->processes);
}

static void put_connection(const struct fields *to, const struct event *e, const struct format_context *context)
{
	const struct lp_record *r = e->record;

	put_errno(to, "error.type", e->error);
	if (r->socket.flags & (LP_F_CONNECTED | LP_F_ACCEPTED))
		put_string(to, "role", r->socket.flags & LP_F_CONNECTED ? "client" : "server");
	put_owner(to, e);
	put_place(to, e);
	put_peer(to, &e->peer);
	put_network(to, r, e->repeat.count > 0);
	if (e->repeat.count)
		put_repeat(to, e);
	else
		put_transfer(to, e, context);
	put_ended(to, &e->ended);
	put_held(to, e);
}

void fields_of(const struct event *e, const struct format_context *context, fields_put *put_one, void *whom)
{
	const struct fields fields = {put_one, whom}, *to = &fields;

	put_integer(to, "schema", 1);
	put_time(to, "time", e->wall_ns);
	put_string(to, "host.name", context->host);
	put_verdict(to, e);
	if (e->record)
		put_connection(to, e, context);
	if (e->loss.count) {
		if (!e->loss_hidden)
			put_integer(to, "lost.count", e->loss.count);
		put_time(to, "lost.first", e->loss.first_ns);
		put_time(to, "lost.last", e->loss.last_ns);
	}
}

/* --- lostpeer check --- */

static void put_check_process(const struct fields *to, const struct check *c)
{
	put_owner(to, &c->event);
	if (c->fd >= 0)
		put_integer(to, "process.fd", (__u64)c->fd);
	put_place(to, &c->event);
}

static void put_check_data(const struct fields *to, const struct check *c)
{
	const struct lp_socket *s = c->socket;
	bool connecting = c->verdict == CHECK_CONNECTING || s->state == TCP_SYN_SENT;

	if (!connecting)
		put_integer(to, "data.unread_bytes", c->event.data.unread);
	if (s->state != TCP_CLOSE) { /* then nobody can tell any more what of it was payload */
		put_integer(to, "data.unacked_bytes", c->event.data.unacked);
		put_integer(to, "data.unsent_bytes", c->event.data.unsent);
	}
	if (connecting)
		return;
	put_boolean(to, "stream.read_closed", verdicts_read_closed(s));
	put_boolean(to, "stream.write_closed", verdicts_write_closed(s));
	put_ms(to, "stream.read_closed_ms", (double)c->fin_ms);
}

static void put_check_tcp(const struct fields *to, const struct check *c)
{
	const struct lp_socket *s = c->socket;
	bool idle = s->snd_una == s->write_seq;

	if (s->cookie)
		put_integer(to, "tcp.cookie", s->cookie);
	put_integer(to, "tcp.retransmits", s->total_retrans);
	if (s->srtt_us)
		put_integer(to, "tcp.rtt_us", s->srtt_us >> 3);
	if ((s->known & LP_KNOWN_HEARD) && s->state != TCP_SYN_SENT)
		put_ms(to, "tcp.silent_ms", (double)s->heard_ms);
	put_errno(to, "tcp.soft_error", s->soft_err);
	if (s->flags & LP_F_MPTCP)
		put_boolean(to, "tcp.mptcp", true);
	if (s->known & LP_KNOWN_KEEPALIVE)
		put_boolean(to, "tcp.keepalive", s->flags & LP_F_KEEPOPEN);
	put_ms(to, "tcp.keepalive_next_ms", (double)c->next_probe_ms);
	if (s->probes_out && s->state != TCP_CLOSE)
		put_integer(to, idle ? "tcp.keepalive_unanswered" : "tcp.probes_unanswered", s->probes_out);
	if (s->retransmits && s->state != TCP_CLOSE)
		put_integer(to, "tcp.retransmission", s->retransmits);
	if (c->gives_up_ms >= 0)
		put_integer(to, "tcp.gives_up_in_ms", (__u64)c->gives_up_ms);
}

void fields_of_check(const struct check *c, const char *host, __u64 wall_ns, fields_put *put_one, void *whom)
{
	const struct fields fields = {put_one, whom}, *to = &fields;

	put_integer(to, "schema", 1);
	put_time(to, "time", wall_ns);
	put_string(to, "host.name", host);
	put_string(to, "verdict", verdicts_name(c->verdict));
	put_integer(to, "alive_within_ms", c->alive_within_ms);
	if (c->socket->state != TCP_CLOSE) /* it is over, and nobody can tell any more what it was before */
		put_string(to, "phase", phase_name(verdicts_phase(c->socket)));
	put_errno(to, "error.type", c->event.error);
	put_check_process(to, c);
	put_network(to, &c->record, false);
	put_check_tcp(to, c);
	put_check_data(to, c);
}
