/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "format_check.h"

/* OpenTelemetry's words for the states (network.connection.state). */
static const char *const state_names[] = {
	[0] = "", /* several */
	[TCP_ESTABLISHED] = "established", [TCP_SYN_SENT] = "syn_sent",     [TCP_SYN_RECV] = "syn_received",
	[TCP_FIN_WAIT1] = "fin_wait_1",    [TCP_FIN_WAIT2] = "fin_wait_2",  [TCP_TIME_WAIT] = "time_wait",
	[TCP_CLOSE] = "closed",            [TCP_CLOSE_WAIT] = "close_wait", [TCP_LAST_ACK] = "last_ack",
	[TCP_LISTEN] = "listen",           [TCP_CLOSING] = "closing",
};

bool format_address(const struct lp_record *r, const __u8 bytes[16], char text[FORMAT_ADDRESS_LEN])
{
	bool mapped = data_is_mapped(r);

	if (r->family == AF_INET)
		inet_ntop(AF_INET, bytes, text, FORMAT_ADDRESS_LEN);
	else if (mapped)
		inet_ntop(AF_INET, bytes + 12, text, FORMAT_ADDRESS_LEN);
	else
		inet_ntop(AF_INET6, bytes, text, FORMAT_ADDRESS_LEN);
	return r->family == AF_INET6 && !mapped;
}

static void key(struct line *line, const char *name)
{
	if (line->length > 1)
		line_append(line, ",", 1);
	line_append(line, "\"", 1);
	line_append(line, name, strlen(name));
	line_append(line, "\":", 2);
}

static void put_string(struct line *line, const char *name, const char *value)
{
	if (!*value)
		return;
	key(line, name);
	line_append(line, "\"", 1);
	line_json_string(line, value);
	line_append(line, "\"", 1);
}

static void put_integer(struct line *line, const char *name, __u64 value)
{
	key(line, name);
	line_printf(line, "%llu", value);
}

static void put_boolean(struct line *line, const char *name, bool value)
{
	key(line, name);
	line_printf(line, value ? "true" : "false");
}

/* Milliseconds: to the microsecond is as far as they mean anything. */
static void put_ms(struct line *line, const char *name, double value)
{
	if (value < 0)
		return;
	key(line, name);
	line_printf(line, "%.3f", value);
	while (line->text[line->length - 1] == '0')
		line->length--;
	if (line->text[line->length - 1] == '.')
		line->length--;
}

static void put_time(struct line *line, const char *name, __u64 realtime_ns)
{
	char text[CLOCK_TEXT_LEN];

	clock_format_utc(realtime_ns, text);
	put_string(line, name, text);
}

static void put_errno(struct line *line, const char *name, int error)
{
	const char *word = error ? strerrorname_np(error) : NULL;

	if (word)
		put_string(line, name, word);
}

static void put_verdict(struct line *line, const struct event *e)
{
	put_string(line, "event", event_name(cause_event(e->verdict.cause)));
	put_string(line, "cause", cause_name(e->verdict.cause));
	if (!e->repeat.several_bys)
		put_string(line, "by", by_name(e->verdict.by));
	if (e->record && !e->repeat.several_phases)
		put_string(line, "phase", phase_name(e->verdict.phase));
	put_string(line, "severity", severity_name(e->severity));
	if (e->verdict.ambiguous) {
		key(line, "ambiguous");
		line_printf(line, "[\"%s\"]", cause_name(e->verdict.ambiguous));
	}
}

/* "SIGKILL", where a signal ended it. */
static const char *signal_name(const struct lp_task *task)
{
	static char name[16];
	const char *word = sigabbrev_np((int)(task->exit_code & 0x7f));

	if (!(task->exit_code & 0x7f) || !word)
		return NULL;
	snprintf(name, sizeof(name), "SIG%s", word);
	return name;
}

static void put_owner(struct line *line, const struct event *e)
{
	const struct owner *o = &e->owner;

	if (o->via) {
		put_integer(line, "process.pid", o->process.tgid);
		if (o->process.vpid && o->process.vpid != o->process.tgid)
			put_integer(line, "process.vpid", o->process.vpid);
		put_string(line, "process.name", o->process.comm);
		if (*e->executable)
			put_string(line, "process.executable.path", e->executable);
		if (o->process.start_boot_ns)
			put_time(line, "process.creation.time", clock_wall_from_boot(o->process.start_boot_ns));
		put_integer(line, "process.user.id", o->process.uid);
		if (o->process.exiting)
			put_boolean(line, "process.exiting", true);
		if (o->process.exiting && signal_name(&o->process))
			put_string(line, "process.exit.signal", signal_name(&o->process));
		if (o->process.exiting && o->process.oom)
			put_boolean(line, "process.exit.out_of_memory", true);
		if (!e->repeat.several_vias)
			put_string(line, "owner.via", via_name(o->via));
	} else if (e->repeat.processes) {
		put_string(line, "process.name", o->process.comm);
		put_string(line, "process.executable.path", e->executable);
	} else {
		put_string(line, "owner.unknown", unknown_name(o->unknown));
	}
	if (!o->n_holders)
		return;
	key(line, "owner.holders");
	for (unsigned i = 0; i < o->n_holders; i++)
		line_printf(line, "%c%u", i ? ',' : '[', o->holders[i]);
	line_append(line, "]", 1);
}

static void put_place(struct line *line, const struct event *e)
{
	put_string(line, "process.linux.cgroup", e->cgroup);
	put_string(line, "systemd.unit", e->place.unit);
	put_string(line, "systemd.slice", e->place.slice);
	put_string(line, "container.id", e->place.container);
	put_string(line, "container.runtime.name", place_runtime_name(e->place.runtime));
	put_string(line, "k8s.pod.uid", e->place.pod);
}

static void put_peer(struct line *line, const struct lp_task *peer)
{
	if (!peer->tgid)
		return;
	put_integer(line, "peer.process.pid", peer->tgid);
	put_string(line, "peer.process.name", peer->comm);
	if (peer->start_boot_ns)
		put_time(line, "peer.process.creation.time", clock_wall_from_boot(peer->start_boot_ns));
}

static void put_network(struct line *line, const struct lp_record *r, bool several)
{
	char local[FORMAT_ADDRESS_LEN], peer[FORMAT_ADDRESS_LEN];
	bool ipv6 = format_address(r, r->peer_addr, peer);

	format_address(r, r->local_addr, local);
	put_string(line, "network.transport", "tcp");
	if (r->family)
		put_string(line, "network.type", ipv6 ? "ipv6" : "ipv4");
	/* before a route and a port are chosen there is no local end */
	if (r->state == TCP_LISTEN || (strcmp(local, "0.0.0.0") && strcmp(local, "::")))
		put_string(line, "network.local.address", local);
	if (r->local_port)
		put_integer(line, "network.local.port", r->local_port);
	if (!several || event_is_address(r->peer_addr))
		put_string(line, "network.peer.address", peer);
	if (!several || r->peer_port)
		put_integer(line, "network.peer.port", r->peer_port);
	if (r->netns)
		put_integer(line, "network.netns", r->netns);
	put_string(line, "network.connection.state", state_names[r->state]);
}

static void put_tcp(struct line *line, const struct event *e, const struct format_context *context)
{
	const struct lp_record *r = e->record;
	const char *reason = context->reset_reason ? context->reset_reason(context->kernel, r->reset_reason) : NULL;

	if (r->cookie)
		put_integer(line, "tcp.cookie", r->cookie);
	if (!event_has_transfer(e))
		return;
	put_ms(line, "tcp.duration_ms", event_duration_ms(e));
	/* whether our SYN is in the kernel's count is known with the role */
	if (r->state != TCP_SYN_SENT && (r->flags & (LP_F_CONNECTED | LP_F_ACCEPTED)))
		put_integer(line, "tcp.bytes_sent", e->data.sent);
	if (r->state != TCP_SYN_SENT)
		put_integer(line, "tcp.bytes_received", e->data.received);
	put_integer(line, "tcp.retransmits", r->total_retrans);
	if (r->srtt_us)
		put_integer(line, "tcp.rtt_us", r->srtt_us >> 3);
	put_ms(line, "tcp.silent_ms", event_silent_ms(e));
	if (r->kind == LP_KIND_SILENT && r->gives_up_ms != LP_NEVER)
		put_integer(line, "tcp.gives_up_in_ms", r->gives_up_ms);
	put_errno(line, "tcp.soft_error", r->soft_err);
	if (r->kind == LP_KIND_CLOSE && reason)
		put_string(line, "tcp.reset_reason", reason);
	if (r->flags & LP_F_MPTCP)
		put_boolean(line, "tcp.mptcp", true);
}

static void put_data(struct line *line, const struct event *e)
{
	bool connecting = e->record->state == TCP_SYN_SENT;

	if (!connecting)
		put_integer(line, "data.unread_bytes", e->data.unread);
	put_integer(line, "data.unacked_bytes", e->data.unacked);
	put_integer(line, "data.unsent_bytes", e->data.unsent);
	if (connecting)
		return;
	put_boolean(line, "stream.read_closed", event_read_closed(e));
	put_boolean(line, "stream.write_closed", event_write_closed(e));
}

static void put_transfer(struct line *line, const struct event *e, const struct format_context *context)
{
	put_tcp(line, e, context);
	if (event_has_transfer(e))
		put_data(line, e);
}

static void put_ended(struct line *line, const struct ended *ended)
{
	if (!ended->wall_ns)
		return;
	put_time(line, "ended.time", ended->wall_ns);
	put_string(line, "ended.event", event_name(cause_event(ended->cause)));
	put_string(line, "ended.cause", cause_name(ended->cause));
}

/* How many wait like this one, for the application to close them, or to accept them. */
static void put_held(struct line *line, const struct event *e)
{
	const struct lp_record *r = e->record;

	if (r->kind == LP_KIND_IGNORED && !e->repeat.count)
		put_integer(line, "ignored.connections", r->holds);
	if (r->kind != LP_KIND_QUEUE_FULL)
		return;
	put_integer(line, "listen.queue_length", r->holds);
	put_integer(line, "listen.backlog", r->backlog);
}

/* What each of them had of its own is left out. */
static void put_repeat(struct line *line, const struct event *e)
{
	const struct repeat *r = &e->repeat;

	if (event_has_transfer(e)) {
		if (cause_event(e->verdict.cause) != EVENT_CONNECT_FAILED)
			put_integer(line, "data.unread_bytes", r->unread);
		put_integer(line, "data.unacked_bytes", r->unacked);
		put_integer(line, "data.unsent_bytes", r->unsent);
	}
	put_integer(line, "repeat.count", r->count);
	put_time(line, "repeat.first", r->first_ns);
	put_time(line, "repeat.last", r->last_ns);
	if (r->processes)
		put_integer(line, "repeat.processes", r->processes);
}

static void put_connection(struct line *line, const struct event *e, const struct format_context *context)
{
	const struct lp_record *r = e->record;

	put_errno(line, "error.type", e->error);
	if (r->flags & (LP_F_CONNECTED | LP_F_ACCEPTED))
		put_string(line, "role", r->flags & LP_F_CONNECTED ? "client" : "server");
	put_owner(line, e);
	put_place(line, e);
	put_peer(line, &e->peer);
	put_network(line, r, e->repeat.count > 0);
	if (e->repeat.count)
		put_repeat(line, e);
	else
		put_transfer(line, e, context);
	put_ended(line, &e->ended);
	put_held(line, e);
}

void format_json(struct line *line, const struct event *e, const struct format_context *context)
{
	line_clear(line);
	line_append(line, "{", 1);
	put_integer(line, "schema", 1);
	put_time(line, "time", e->wall_ns);
	put_string(line, "host.name", context->host);
	put_verdict(line, e);
	if (e->record)
		put_connection(line, e, context);
	if (e->loss.count) {
		put_integer(line, "lost.count", e->loss.count);
		put_time(line, "lost.first", e->loss.first_ns);
		put_time(line, "lost.last", e->loss.last_ns);
	}
	line_append(line, "}\n", 2);
}

/* --- lostpeer check --- */

static void put_check_process(struct line *line, const struct check *c)
{
	put_owner(line, &c->event);
	if (c->fd >= 0)
		put_integer(line, "process.fd", (__u64)c->fd);
	put_place(line, &c->event);
}

static void put_check_data(struct line *line, const struct check *c)
{
	const struct lp_look *l = c->look;
	bool connecting = c->verdict == CHECK_CONNECTING || l->state == TCP_SYN_SENT;

	if (!connecting)
		put_integer(line, "data.unread_bytes", c->event.data.unread);
	if (l->state != TCP_CLOSE) { /* then nobody can tell any more what of it was payload */
		put_integer(line, "data.unacked_bytes", c->event.data.unacked);
		put_integer(line, "data.unsent_bytes", c->event.data.unsent);
	}
	if (connecting)
		return;
	put_boolean(line, "stream.read_closed", check_read_closed(l));
	put_boolean(line, "stream.write_closed", check_write_closed(l));
	put_ms(line, "stream.read_closed_ms", (double)c->fin_ms);
}

static void put_check_tcp(struct line *line, const struct check *c)
{
	const struct lp_look *l = c->look;
	bool idle = l->snd_una == l->write_seq;

	if (l->cookie)
		put_integer(line, "tcp.cookie", l->cookie);
	put_integer(line, "tcp.retransmits", l->total_retrans);
	if (l->srtt_us)
		put_integer(line, "tcp.rtt_us", l->srtt_us >> 3);
	if ((l->known & LP_KNOWN_HEARD) && l->state != TCP_SYN_SENT)
		put_ms(line, "tcp.silent_ms", l->heard_ms);
	put_errno(line, "tcp.soft_error", l->soft_err);
	if (l->flags & LP_F_MPTCP)
		put_boolean(line, "tcp.mptcp", true);
	if (l->known & LP_KNOWN_KEEPALIVE)
		put_boolean(line, "tcp.keepalive", l->flags & LP_F_KEEPOPEN);
	put_ms(line, "tcp.keepalive_next_ms", (double)c->next_probe_ms);
	if (l->probes_out && l->state != TCP_CLOSE)
		put_integer(line, idle ? "tcp.keepalive_unanswered" : "tcp.probes_unanswered", l->probes_out);
	if (l->retransmits && l->state != TCP_CLOSE)
		put_integer(line, "tcp.retransmission", l->retransmits);
	if (c->gives_up_ms >= 0)
		put_integer(line, "tcp.gives_up_in_ms", (__u64)c->gives_up_ms);
}

void format_check_json(struct line *line, const struct check *c, const char *host, __u64 wall_ns)
{
	line_clear(line);
	line_append(line, "{", 1);
	put_integer(line, "schema", 1);
	put_time(line, "time", wall_ns);
	put_string(line, "host.name", host);
	put_string(line, "verdict", check_verdict_name(c->verdict));
	put_integer(line, "alive_within_ms", c->alive_within_ms);
	put_string(line, "phase", phase_name(check_phase(c->look)));
	put_errno(line, "error.type", c->event.error);
	put_check_process(line, c);
	put_network(line, &c->record, false);
	put_check_tcp(line, c);
	put_check_data(line, c);
	line_append(line, "}\n", 2);
}
