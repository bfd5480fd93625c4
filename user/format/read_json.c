/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/read_json.h"

#include <arpa/inet.h>
#include <json-c/json.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "format/fields.h"

#define ERRNO_MAX 134
#define SIGNAL_MAX 65

/* --- values; what is missing is "" or 0 --- */

static const char *text(struct json_object *o, const char *name)
{
	struct json_object *value = json_object_object_get(o, name);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static bool has(struct json_object *o, const char *name)
{
	return json_object_object_get_ex(o, name, NULL);
}

static __u64 number(struct json_object *o, const char *name)
{
	return json_object_get_uint64(json_object_object_get(o, name));
}

static double real(struct json_object *o, const char *name)
{
	return json_object_get_double(json_object_object_get(o, name));
}

static bool flag(struct json_object *o, const char *name)
{
	return json_object_get_boolean(json_object_object_get(o, name));
}

/* NULL: the array has no more, or is none. */
static struct json_object *element(struct json_object *o, const char *name, size_t i)
{
	struct json_object *value = json_object_object_get(o, name);

	return json_object_is_type(value, json_type_array) ? json_object_array_get_idx(value, i) : NULL;
}

static void copy(struct json_object *o, const char *name, char *to, size_t size)
{
	snprintf(to, size, "%s", text(o, name));
}

/* CLOCK_REALTIME; 0: none. */
static __u64 wall_ns(struct json_object *o, const char *name)
{
	struct tm tm = {0};
	unsigned long long ns = 0;
	const char *rest = strptime(text(o, name), "%Y-%m-%dT%H:%M:%S", &tm);

	if (!rest || sscanf(rest, ".%9lluZ", &ns) != 1)
		return 0;
	return (__u64)timegm(&tm) * CLOCK_SECOND + ns;
}

/* Which of the names it is; 0: none of them. */
#define INDEX_OF(word, name, count)                                                                                    \
	({                                                                                                             \
		const char *word_ = (word);                                                                            \
		int i_ = *word_ ? (count) : 0;                                                                         \
		while (i_ && --i_ && strcmp(name(i_) ?: "", word_))                                                    \
			;                                                                                              \
		i_;                                                                                                    \
	})

static __u16 errno_of(struct json_object *o, const char *name)
{
	return (__u16)INDEX_OF(text(o, name), strerrorname_np, ERRNO_MAX);
}

/* event "": of whichever. */
static enum lp_cause cause_of(const char *event, const char *cause)
{
	for (int i = 1; i < CAUSE_COUNT; i++)
		if (!strcmp(cause_name((enum lp_cause)i), cause) &&
		    (!*event || !strcmp(event_name(cause_event((enum lp_cause)i)), event)))
			return (enum lp_cause)i;
	return CAUSE_NONE;
}

static struct verdict verdict_of(struct json_object *o)
{
	struct verdict v = {.cause = cause_of(text(o, "event"), text(o, "cause"))};
	const char *ambiguous = json_object_get_string(element(o, "ambiguous", 0));

	v.by = INDEX_OF(text(o, "by"), by_name, BY_COUNT);
	v.phase = INDEX_OF(text(o, "phase"), phase_name, PHASE_COUNT);
	if (ambiguous)
		v.ambiguous = cause_of("", ambiguous);
	return v;
}

/* --- the record --- */

static __u8 kind_of(struct json_object *o, enum lp_event event)
{
	switch (event) {
	case EVENT_PEER_CLOSED:
		return LP_KIND_PEER_FIN;
	case EVENT_PEER_SILENT:
	case EVENT_PEER_BACK:
	case EVENT_CLOSE_IGNORED:
	case EVENT_ACCEPT_DROPPED:
		return LP_KIND_LOOK;
	default:
		break;
	}
	if (has(o, "tcp.retransmits") || has(o, "repeat.count"))
		return LP_KIND_CLOSE;
	return event == EVENT_CONNECT_FAILED ? LP_KIND_NO_CONNECT : LP_KIND_STRAY;
}

static void read_address(struct json_object *o, const char *name, __u8 bytes[16])
{
	const char *address = text(o, name);

	if (inet_pton(AF_INET, address, bytes) != 1)
		inet_pton(AF_INET6, address, bytes);
}

static void read_network(struct json_object *o, struct lp_record *r)
{
	read_address(o, "network.local.address", r->socket.local_addr);
	read_address(o, "network.peer.address", r->socket.peer_addr);
	r->socket.family = !strcmp(text(o, "network.type"), "ipv6") ? AF_INET6 : has(o, "network.type") ? AF_INET : 0;
	r->socket.local_port = (__u16)number(o, "network.local.port");
	r->socket.peer_port = (__u16)number(o, "network.peer.port");
	r->socket.netns = (__u32)number(o, "network.netns");
	r->socket.state = fields_state(text(o, "network.connection.state"));
}

static void read_flags(struct json_object *o, const struct verdict *v, struct lp_record *r)
{
	const char *role = text(o, "role");

	r->socket.flags = LP_F_SOCKET | LP_F_FILE | LP_F_STATE;
	if (*role)
		r->socket.flags |= strcmp(role, "client") ? LP_F_ACCEPTED : LP_F_CONNECTED;
	if (v->phase == PHASE_ORPHANED)
		r->socket.flags |= LP_F_DEAD;
	if (flag(o, "tcp.mptcp"))
		r->socket.flags |= LP_F_MPTCP;
	if (flag(o, "stream.read_closed"))
		r->socket.shutdown |= 1;
}

static void read_tcp(struct json_object *o, struct parsed *p, enum lp_event event)
{
	struct lp_record *r = &p->kept.record;
	__u64 from = 1;

	r->socket.cookie = number(o, "tcp.cookie");
	r->time_ns = from + (__u64)(real(o, "tcp.duration_ms") * 1e6 + 0.5);
	if (has(o, "tcp.duration_ms"))
		*(event == EVENT_CONNECT_FAILED ? &r->born_ns : &r->established_ns) = from;
	r->socket.total_retrans = (__u32)number(o, "tcp.retransmits");
	r->socket.srtt_us = (__u32)number(o, "tcp.rtt_us") << 3;
	r->socket.known = has(o, "tcp.silent_ms") ? LP_KNOWN_HEARD : 0;
	r->socket.heard_ms = (__s64)(real(o, "tcp.silent_ms") + 0.5);
	r->socket.soft_err = errno_of(o, "tcp.soft_error");
	copy(o, "tcp.reset_reason", p->reset_reason, sizeof(p->reset_reason));
	r->reset_reason = *p->reset_reason != '\0';
	r->socket.ack_backlog = (__u32)number(o, "listen.queue_length");
	r->socket.max_ack_backlog = (__u32)number(o, "listen.backlog");
}

/* --- who, and where --- */

static __u64 boot_ns(struct json_object *o, const char *name)
{
	__u64 wall = wall_ns(o, name);

	return wall ? wall - clock_wall_from_boot(0) : 0;
}

static void read_owner(struct json_object *o, struct kept_event *kept)
{
	struct owner *owner = &kept->event.owner;
	struct lp_task *p = &owner->process;
	const char *signal = text(o, "process.exit.signal");
	struct json_object *holder;

	owner->via = INDEX_OF(text(o, "owner.via"), via_name, VIA_COUNT);
	owner->unknown = INDEX_OF(text(o, "owner.unknown"), unknown_name, UNKNOWN_COUNT);
	p->tgid = (__u32)number(o, "process.pid");
	p->vpid = (__u32)number(o, "process.vpid");
	p->uid = (__u32)number(o, "process.user.id");
	p->start_boot_ns = boot_ns(o, "process.creation.time");
	copy(o, "process.name", p->comm, sizeof(p->comm));
	copy(o, "process.executable.path", kept->executable, sizeof(kept->executable));
	kept->event.executable = kept->executable;
	p->exiting = flag(o, "process.exiting");
	p->oom = flag(o, "process.exit.out_of_memory");
	if (!strncmp(signal, "SIG", 3))
		p->exit_code = (__u32)INDEX_OF(signal + 3, sigabbrev_np, SIGNAL_MAX);
	for (size_t i = 0; i < OWNER_HOLDERS_MAX && (holder = element(o, "owner.holders", i)); i++)
		owner->holders[owner->n_holders++] = (__u32)json_object_get_int64(holder);
}

static void read_place(struct json_object *o, struct kept_event *kept)
{
	struct place *place = &kept->place;
	const char *line = text(o, "process.linux.cgroup"), *path = place_cgroup_path(line);

	place_read(path ? path : "", place); /* for the unit of the host's manager, which has no field */
	kept->event.place = place;
	copy(o, "process.linux.cgroup", place->cgroup, sizeof(place->cgroup));
	copy(o, "systemd.unit", place->unit, sizeof(place->unit));
	copy(o, "systemd.slice", place->slice, sizeof(place->slice));
	copy(o, "container.id", place->container, sizeof(place->container));
	copy(o, "k8s.pod.uid", place->pod, sizeof(place->pod));
	place->runtime = INDEX_OF(text(o, "container.runtime.name"), place_runtime_name, RUNTIME_COUNT);
}

static void read_peer(struct json_object *o, struct lp_task *peer)
{
	peer->tgid = (__u32)number(o, "peer.process.pid");
	peer->start_boot_ns = boot_ns(o, "peer.process.creation.time");
	copy(o, "peer.process.name", peer->comm, sizeof(peer->comm));
}

/* --- all of it --- */

static void read_data(struct json_object *o, struct event *e)
{
	struct repeat *repeat = &e->repeat;
	struct data data = {
		.unread = (__u32)number(o, "data.unread_bytes"),
		.unacked = (__u32)number(o, "data.unacked_bytes"),
		.unsent = (__u32)number(o, "data.unsent_bytes"),
		.sent = number(o, "tcp.bytes_sent"),
		.received = number(o, "tcp.bytes_received"),
	};

	e->data = data;
	if (!has(o, "repeat.count"))
		return;
	*repeat = (struct repeat){
		.count = number(o, "repeat.count"),
		.first_ns = wall_ns(o, "repeat.first"),
		.last_ns = wall_ns(o, "repeat.last"),
		.processes = (unsigned)number(o, "repeat.processes"),
		.several_phases = !has(o, "phase"),
		.several_bys = !has(o, "by"),
		.several_vias = !has(o, "owner.via"),
		.unread = number(o, "data.unread_bytes"),
		.unacked = number(o, "data.unacked_bytes"),
		.unsent = number(o, "data.unsent_bytes"),
	};
}

static bool read_loss(struct json_object *o, struct event *e, enum lp_cause place)
{
	__u64 wall = wall_ns(o, "time");
	struct loss loss = {number(o, "lost.count"), wall_ns(o, "lost.first"), wall_ns(o, "lost.last")};

	event_from_loss(e, place, loss);
	e->wall_ns = wall;
	e->loss_hidden = !has(o, "lost.count");
	e->loss.count = e->loss_hidden ? 1 : loss.count; /* at least */
	return wall != 0;
}

bool read_json_event(struct json_object *o, struct parsed *p)
{
	struct event *e = &p->kept.event;
	struct verdict verdict = verdict_of(o);
	enum lp_event event = cause_event(verdict.cause);

	if (number(o, "schema") != 1 || !verdict.cause)
		return false;
	if (event == EVENT_EVENTS_LOST)
		return read_loss(o, e, verdict.cause);
	memset(&p->kept.record, 0, sizeof(p->kept.record));
	p->kept.record.version = LP_RECORD_VERSION;
	p->kept.record.kind = kind_of(o, event);
	read_network(o, &p->kept.record);
	read_flags(o, &verdict, &p->kept.record);
	read_tcp(o, p, event);
	p->kept.record.socket.err = errno_of(o, "error.type");
	event_from_record(e, &p->kept.record, verdict, wall_ns(o, "time"));
	e->error = p->kept.record.socket.err;
	e->severity = (enum lp_severity)severity_by_name(text(o, "severity"));
	memset(&e->owner, 0, sizeof(e->owner));
	read_owner(o, &p->kept);
	read_place(o, &p->kept);
	read_peer(o, &e->peer);
	read_data(o, e);
	e->gives_up_ms = has(o, "tcp.gives_up_in_ms") ? (long long)number(o, "tcp.gives_up_in_ms") : -1;
	e->connections = (unsigned)number(o, "ignored.connections");
	if (has(o, "ended.time"))
		e->ended = (struct ended){wall_ns(o, "ended.time"),
					  cause_of(text(o, "ended.event"), text(o, "ended.cause"))};
	return e->wall_ns && (int)e->severity >= 0;
}

const char *read_json_reset_reason(void *parsed, __u32 reason)
{
	return reason == 1 ? ((const struct parsed *)parsed)->reset_reason : NULL;
}
