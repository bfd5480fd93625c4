/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/filter_kinds.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/number.h"

/* --- values and their matchers --- */

static const char *keep(struct filter_value *value, const char *text, size_t n)
{
	value->text = strndup(text, n);
	return value->text ? NULL : "out of memory";
}

static const char *parse_event(struct filter_value *value, const char *text)
{
	value->number = event_by_name(text);
	return value->number ? NULL : "not an event of lostpeer-events(7)";
}

static const char *parse_cause(struct filter_value *value, const char *text)
{
	return cause_name_exists(text) ? keep(value, text, strlen(text)) : "not a cause of lostpeer-events(7)";
}

static const char *parse_port(struct filter_value *value, const char *text)
{
	return number_parse(text, 0, 65535, &value->number) ? "not a port (0 to 65535)" : NULL;
}

static const char *parse_pid(struct filter_value *value, const char *text)
{
	return number_parse(text, 1, 4194304, &value->number) ? "not a process id" : NULL;
}

static const char *parse_name(struct filter_value *value, const char *text)
{
	return *text ? keep(value, text, LP_COMM_LEN - 1) : "empty"; /* the kernel keeps no more of a name */
}

/* As in systemctl: shell patterns are allowed, and ".service" may be left out. */
static const char *parse_unit(struct filter_value *value, const char *text)
{
	const char *dot = strrchr(text, '.');

	if (!*text || strchr(text, '/'))
		return "not the name of a unit";
	if (dot && place_is_unit_type(dot))
		return keep(value, text, strlen(text));
	if (asprintf(&value->text, "%s.service", text) < 0)
		value->text = NULL;
	return value->text ? NULL : "out of memory";
}

static const char *parse_container(struct filter_value *value, const char *text)
{
	return *text && !strchr(text, '/') ? keep(value, text, strlen(text)) : "not the id of a container";
}

static const char *parse_cgroup(struct filter_value *value, const char *text)
{
	size_t n = strlen(text);

	if (*text != '/')
		return "not a path in the hierarchy, such as /system.slice/nginx.service";
	while (n && text[n - 1] == '/')
		n--;
	return keep(value, text, n); /* the root: "" */
}

/* An inode, or a path such as /run/netns/NAME or /proc/PID/ns/net. */
static const char *parse_netns(struct filter_value *value, const char *text)
{
	struct stat st;

	if (!strchr(text, '/'))
		return number_parse(text, 1, UINT32_MAX, &value->number) ? "neither an inode nor a path" : NULL;
	if (stat(text, &st))
		return strerror(errno);
	value->number = st.st_ino;
	return NULL;
}

/* ADDRESS, ADDRESS%ZONE, and either with /BITS (RFC 4007, 11.7). */
static const char *parse_peer(struct filter_value *value, const char *text)
{
	static const char wrong[] = "neither an address nor a CIDR";
	char address[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "%/"), zone = text[n] == '%' ? strcspn(text + n + 1, "/") : 0;
	const char *slash = strchr(text + n, '/');
	__u64 bits = 0;
	__u8 v4[4];

	if (n >= sizeof(address))
		return wrong;
	if (text[n] == '%' && (!zone || zone >= sizeof(value->network.zone)))
		return "not the name of an interface after the %";
	memcpy(address, text, n);
	address[n] = '\0';
	snprintf(value->network.zone, sizeof(value->network.zone), "%.*s", (int)zone, text + n + !!zone);
	if (inet_pton(AF_INET, address, v4) == 1) {
		value->network.address = address_of(AF_INET, v4);
		if (slash && number_parse(slash + 1, 0, 32, &bits))
			return wrong;
		value->network.bits = slash ? 96 + (unsigned)bits : 128;
		value->network.v4 = true;
	} else if (inet_pton(AF_INET6, address, value->network.address.bytes) == 1) {
		if (slash && number_parse(slash + 1, 0, 128, &bits))
			return wrong;
		value->network.bits = slash ? (unsigned)bits : 128;
		value->network.v4 = value->network.bits >= 96 && address_is_v4(value->network.address);
	} else {
		return wrong;
	}
	return NULL;
}

static bool match_event(const struct filter_value *value, const struct filter_subject *s)
{
	return value->number == cause_event(s->event->verdict.cause);
}
static bool match_cause(const struct filter_value *value, const struct filter_subject *s)
{
	return !strcmp(value->text, cause_name(s->event->verdict.cause));
}
static bool match_local_port(const struct filter_value *value, const struct filter_subject *s)
{
	return value->number == s->event->record->socket.local_port;
}
static bool match_peer_port(const struct filter_value *value, const struct filter_subject *s)
{
	return value->number == s->event->record->socket.peer_port;
}
static bool match_port(const struct filter_value *value, const struct filter_subject *s)
{
	return match_local_port(value, s) || match_peer_port(value, s);
}
static bool match_netns(const struct filter_value *value, const struct filter_subject *s)
{
	return value->number == s->event->record->socket.netns;
}
static bool match_pid(const struct filter_value *value, const struct filter_subject *s)
{
	return value->number == s->pid;
}
static bool match_name(const struct filter_value *value, const struct filter_subject *s)
{
	return !strcmp(value->text, s->name);
}
static bool match_unit(const struct filter_value *value, const struct filter_subject *s)
{
	return !fnmatch(value->text, s->place->unit, FNM_NOESCAPE) ||
	       !fnmatch(value->text, s->place->system_unit, FNM_NOESCAPE);
}
/* As in docker: the beginning of a hash is enough, but a name must be complete. */
static bool match_container(const struct filter_value *value, const struct filter_subject *s)
{
	const char *id = s->place->container;

	return place_is_hash(id) ? !strncmp(id, value->text, strlen(value->text)) : !strcmp(id, value->text);
}
/* That cgroup and all below it. */
static bool match_cgroup(const struct filter_value *value, const struct filter_subject *s)
{
	const char *path = place_cgroup_path(s->place->cgroup);
	size_t n = strlen(value->text);

	return path && !strncmp(path, value->text, n) && (!path[n] || path[n] == '/');
}
static bool match_zone(const char *zone, const struct lp_socket *s)
{
	__u64 index;

	if (!*zone || !strcmp(zone, s->interface_name))
		return true;
	return !number_parse(zone, 1, UINT32_MAX, &index) && index == s->interface;
}
static bool match_peer(const struct filter_value *value, const struct filter_subject *s)
{
	unsigned bits = value->network.bits, whole = bits / 8;
	struct address peer = address_of(s->event->record->socket.family, s->event->record->socket.peer_addr);
	const __u8 *bytes = peer.bytes, *wanted = value->network.address.bytes;
	__u8 mask = (__u8)(0xff00u >> (bits % 8));

	if (value->network.v4 != address_is_v4(peer) || memcmp(bytes, wanted, whole) ||
	    !match_zone(value->network.zone, &s->event->record->socket))
		return false;
	return !(bits % 8) || !((bytes[whole] ^ wanted[whole]) & mask);
}

/* --- options --- */

static const char *add(const struct option_spec *spec, void *filter, bool opposite, const char *values)
{
	const struct filter_row *row = (const struct filter_row *)spec;

	return filter_add_list(filter, (enum filter_kind)(row - filter_kinds), opposite, values);
}

static const char *set_severity(const struct option_spec *spec, void *min_severity, bool opposite, const char *value)
{
	int severity = severity_by_name(value);

	(void)opposite;
	*(enum lp_severity *)min_severity = (enum lp_severity)severity;
	return severity < 0 ? spec->wrong : NULL;
}

#define KIND(kind, name, argument, help, ...)                                                                          \
	[1 + FILTER_##kind] = {{name "*", argument, help, .set = add}, __VA_ARGS__}

/* In the order of --help. */
static const struct filter_row rows[] = {
	{.option = {"all", NULL, "the orderly ends too: peer_closed, local_closed, abandoned at once", option_flag,
		    OPTION_AT(struct filter, all)}},
	KIND(EVENT, "event", "EVENT", "only this event, such as peer_lost", NULL, parse_event, match_event),
	KIND(CAUSE, "cause", "CAUSE", "only this cause, such as reset", NULL, parse_cause, match_cause),
	KIND(PID, "pid", "PID", "only connections that this process held", "only connections that this process holds",
	     parse_pid, match_pid, .of_owner = true),
	KIND(NAME, "name", "NAME", "only connections of processes of this name",
	     "only of processes of this name (comm)", parse_name, match_name, .of_owner = true, .has_commas = true),
	KIND(UNIT, "unit", "UNIT", "only of this systemd unit; * and ? match", "only of processes in this systemd unit",
	     parse_unit, match_unit, .of_owner = true),
	KIND(CONTAINER, "container", "ID", "only of this container, by the beginning of its id",
	     "only of this container", parse_container, match_container, .of_owner = true),
	KIND(CGROUP, "cgroup", "PATH", "only of this cgroup and those below it", NULL, parse_cgroup, match_cgroup,
	     .of_owner = true, .has_commas = true),
	KIND(PORT, "port", "PORT", "only connections with this port at either end", "only with this port at either end",
	     parse_port, match_port),
	KIND(LOCAL_PORT, "local-port", "PORT", "only with this port at our end", NULL, parse_port, match_local_port),
	KIND(PEER_PORT, "peer-port", "PORT", "only with this port at the peer's end", NULL, parse_port,
	     match_peer_port),
	KIND(PEER, "peer", "ADDRESS[/BITS]", "only with a peer of this address or network", NULL, parse_peer,
	     match_peer),
	KIND(NETNS, "netns", "INODE|PATH", "only in this network namespace", NULL, parse_netns, match_netns),
	{.option = {"min-severity", "SEVERITY", "only from this on: error, warning, notice, info", set_severity,
		    OPTION_AT(struct filter, min_severity), .wrong = "neither error, warning, notice nor info"}},
};
static_assert(sizeof(rows) / sizeof(*rows) == FILTER_COUNT + 2, "a row for each kind, and two more");

const struct filter_row *const filter_kinds = rows + 1;

#define ROWS_NOW(from, count)                                                                                          \
	{                                                                                                              \
		rows + 1 + (from), count, sizeof(*rows), offsetof(struct filter_row, help_now)                         \
	}

const struct option_group filter_keys = OPTION_GROUP(rows);
const struct option_group filter_pid_now = ROWS_NOW(FILTER_PID, 1);
const struct option_group filter_others_now = ROWS_NOW(FILTER_PID + 1, FILTER_COUNT - FILTER_PID - 1);
