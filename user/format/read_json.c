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

/* --- values; a missing one is "" or 0 --- */

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

/* NULL: the array has no such element, or is not an array. */
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

/* The index of the name that is the word; 0: none is. */
#define INDEX_OF(word, name, count)                                                                                    \
	({                                                                                                             \
		const char *word_ = (word);                                                                            \
		int i_ = *word_ ? (count) : 0;                                                                         \
		while (i_ && --i_ && strcmp(name(i_) ?: "", word_))                                                    \
			;                                                                                              \
		i_;                                                                                                    \
	})

static __u64 boot_ns(struct json_object *o, const char *name)
{
	__u64 wall = wall_ns(o, name);

	return wall ? wall - clock_wall_from_boot(0) : 0;
}

/* --- the rows of fields.def that are members; a missing one does not change --- */

#define take_integer(o, name, to) ((to) = (typeof(to))number(o, name))
#define take_boolean(o, name, to) ((to) = flag(o, name))
#define take_text(o, name, to) copy(o, name, to, sizeof(to))
#define take_time(o, name, to) ((to) = wall_ns(o, name))
#define take_boot_time(o, name, to) ((to) = boot_ns(o, name))
#define take_word(o, name, to, names, count) ((to) = (typeof(to))INDEX_OF(text(o, name), names, count))
#define take_error(o, name, to) take_word(o, name, to, strerrorname_np, ERRNO_MAX)
#define take_signal(o, name, to) ((to) = (typeof(to))signal_of(text(o, name)))
#define take_pids(o, name, to, n) ((n) = read_pids(o, name, to))
#define take_names(o, name, to, n) read_names(o, name, to, n)

static unsigned read_pids(struct json_object *o, const char *name, struct lp_task to[OWNER_HOLDERS_MAX])
{
	struct json_object *each;
	unsigned n = 0;

	for (; n < OWNER_HOLDERS_MAX && (each = element(o, name, n)); n++)
		to[n] = (struct lp_task){.tgid = (__u32)json_object_get_uint64(each)};
	return n;
}

static void read_names(struct json_object *o, const char *name, struct lp_task *to, unsigned n)
{
	struct json_object *each;

	for (unsigned i = 0; i < n && (each = element(o, name, i)); i++)
		snprintf(to[i].comm, sizeof(to[i].comm), "%s", json_object_get_string(each));
}

static int signal_of(const char *word)
{
	return strncmp(word, "SIG", 3) ? 0 : INDEX_OF(word + 3, sigabbrev_np, SIGNAL_MAX);
}

static void read_members(struct json_object *json, struct kept_event *kept)
{
	struct event *e = &kept->event;
	struct verdict *v = &e->verdict;
	struct owner *o = &e->owner;
	struct lp_task *p = &o->process, *other = &e->peer, *shutter = &e->shutter;
	struct repeat *repeat = &e->repeat;
	struct lp_socket *socket = &kept->record.socket;
	struct place *place = &kept->place, *peer_place = &kept->peer_place;

#define FIELD(...)
#define MEMBER(what_has_it, name, type, when, ...)                                                                     \
	if (has(json, name))                                                                                           \
		take_##type(json, name, __VA_ARGS__);
#include "format/fields.def"
}

/* --- the other fields --- */

/* event "": any event. */
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
	struct verdict v = {.cause = cause_of(text(o, "event"), text(o, "cause")), .by = BY_UNKNOWN};
	const char *ambiguous = json_object_get_string(element(o, "ambiguous", 0));

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
	char address[INET6_ADDRSTRLEN];

	snprintf(address, sizeof(address), "%.*s", (int)strcspn(text(o, name), "%"),
		 text(o, name)); /* without a zone */
	if (inet_pton(AF_INET, address, bytes) != 1)
		inet_pton(AF_INET6, address, bytes);
}

static void read_network(struct json_object *o, struct lp_record *r)
{
	read_address(o, "network.local.address", r->socket.local_addr);
	read_address(o, "network.peer.address", r->socket.peer_addr);
	r->socket.family = !strcmp(text(o, "network.type"), "ipv6") ? AF_INET6 : has(o, "network.type") ? AF_INET : 0;
}

static void read_flags(struct json_object *o, enum lp_phase phase, struct lp_record *r)
{
	const char *role = text(o, "role");

	r->socket.flags = LP_F_SOCKET | LP_F_FILE | LP_F_STATE;
	if (*role)
		r->socket.flags |= strcmp(role, "client") ? LP_F_ACCEPTED : LP_F_CONNECTED;
	if (phase == PHASE_ORPHANED)
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

	r->time_ns = from + (__u64)(real(o, "tcp.duration_ms") * 1e6 + 0.5);
	if (has(o, "tcp.duration_ms"))
		*(event == EVENT_CONNECT_FAILED ? &r->born_ns : &r->established_ns) = from;
	r->socket.srtt_us = (__u32)number(o, "tcp.rtt_us") << 3;
	r->socket.known = has(o, "tcp.silent_ms") ? LP_KNOWN_HEARD : 0;
	r->socket.heard_ms = (__s64)(real(o, "tcp.silent_ms") + 0.5);
	copy(o, "tcp.reset_reason", p->reset_reason, sizeof(p->reset_reason));
	r->reset_reason = *p->reset_reason != '\0';
}

static void read_data(struct json_object *o, struct event *e)
{
	__u64 unread = number(o, "data.unread_bytes"), unacked = number(o, "data.unacked_bytes");
	__u64 unsent = number(o, "data.unsent_bytes");
	struct repeat *repeat = &e->repeat;

	e->data.unread = (__u32)unread;
	e->data.unacked = (__u32)unacked;
	e->data.unsent = (__u32)unsent;
	e->data.unread_unknown = !has(o, "data.unread_bytes");
	e->data.unsent_unknown = !has(o, "data.unsent_bytes");
	if (!repeat->count)
		return;
	repeat->unread = unread;
	repeat->unacked = unacked;
	repeat->unsent = unsent;
	repeat->unread_unknown = e->data.unread_unknown;
	repeat->unsent_unknown = e->data.unsent_unknown;
	repeat->several_phases = !has(o, "phase");
	repeat->several_bys = !has(o, "by");
	repeat->several_vias = !has(o, "owner.via");
}

static void read_cgroups(struct json_object *o, struct kept_event *kept)
{
	size_t length = 0, n;
	struct json_object *each;

	*kept->holder_cgroups = '\0';
	kept->event.holder_cgroups = kept->holder_cgroups;
	for (size_t i = 0; (each = element(o, "owner.holder_cgroups", i)); i++) {
		n = strlen(json_object_get_string(each));
		if (length + n + 2 > sizeof(kept->holder_cgroups))
			break;
		memcpy(kept->holder_cgroups + length, json_object_get_string(each), n);
		strcpy(kept->holder_cgroups + length + n, "\n");
		length += n + 1;
	}
}

static void read_owner(struct json_object *o, struct kept_event *kept)
{
	const char *path = place_cgroup_path(text(o, "process.linux.cgroup"));
	struct place of_path;

	/* the unit of the system manager has no field */
	place_read(path ? path : "", &of_path);
	kept->place = place_unknown;
	strcpy(kept->place.system_unit, of_path.system_unit);
	kept->event.place = &kept->place;
	kept->peer_place = place_unknown;
	kept->event.peer_place = &kept->peer_place;
	copy(o, "process.executable.path", kept->executable, sizeof(kept->executable));
	kept->event.executable = kept->executable;
	read_cgroups(o, kept);
}

static bool read_loss(struct json_object *o, struct kept_event *kept, enum lp_cause place)
{
	struct event *e = &kept->event;

	event_from_loss(e, place, (struct loss){0});
	read_members(o, kept);
	e->wall_ns = wall_ns(o, "time");
	e->loss_hidden = !has(o, "lost.count");
	if (e->loss_hidden)
		e->loss.count = 1; /* or more */
	return e->wall_ns != 0;
}

bool read_json_event(struct json_object *o, struct parsed *p)
{
	struct event *e = &p->kept.event;
	struct lp_record *r = &p->kept.record;
	struct verdict verdict = verdict_of(o);
	enum lp_event event = cause_event(verdict.cause);

	if (number(o, "schema") != 1 || !verdict.cause)
		return false;
	if (event == EVENT_EVENTS_LOST)
		return read_loss(o, &p->kept, verdict.cause);
	*r = (struct lp_record){.version = LP_RECORD_VERSION, .kind = kind_of(o, event)};
	event_from_record(e, r, verdict, wall_ns(o, "time"));
	e->error = 0;
	e->data = (struct data){0};
	e->owner.unknown = UNKNOWN_NONE;
	read_owner(o, &p->kept);
	read_members(o, &p->kept);
	read_network(o, r);
	read_flags(o, e->verdict.phase, r);
	read_tcp(o, p, event);
	read_data(o, e);
	e->shut_by_another = verdict.cause == LOCAL_CLOSED_CLOSE && e->severity == SEVERITY_WARNING;
	e->raced = verdict.cause == CONNECT_FAILED_ABANDONED && e->severity == SEVERITY_INFO;
	r->socket.err = (__u16)e->error;
	e->gives_up_ms = has(o, "tcp.gives_up_in_ms") ? (long long)number(o, "tcp.gives_up_in_ms") : -1;
	e->ended.cause = cause_of(text(o, "ended.event"), text(o, "ended.cause"));
	return e->wall_ns && severity_by_name(text(o, "severity")) >= 0;
}

const char *read_json_reset_reason(void *parsed, __u32 reason)
{
	return reason == 1 ? ((const struct parsed *)parsed)->reset_reason : NULL;
}
