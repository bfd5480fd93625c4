/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/address.h"
#include "base/number.h"

struct filter_value {
	struct filter_value *next;
	__u64 number;
	char *text;
	struct {
		struct address address;
		unsigned bits;
		bool v4;
	} network;
};

/* Fills one value from its text; NULL, or what is wrong with it. */
typedef const char *parse_value(struct filter_value *value, const char *text);
typedef bool match_value(const struct filter_value *value, const struct event *event);

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

/* As systemctl reads one: a pattern of the shell's, and ".service" may be left out. */
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
	return keep(value, text, n); /* of the root: "" */
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

static const char *parse_peer(struct filter_value *value, const char *text)
{
	static const char wrong[] = "neither an address nor a CIDR";
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	__u64 bits = 0;
	__u8 v4[4];

	if (n >= sizeof(address))
		return wrong;
	memcpy(address, text, n);
	address[n] = '\0';
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

static bool match_event(const struct filter_value *value, const struct event *e)
{
	return value->number == cause_event(e->verdict.cause);
}
static bool match_cause(const struct filter_value *value, const struct event *e)
{
	return !strcmp(value->text, cause_name(e->verdict.cause));
}
static bool match_local_port(const struct filter_value *value, const struct event *e)
{
	return value->number == e->record->socket.local_port;
}
static bool match_peer_port(const struct filter_value *value, const struct event *e)
{
	return value->number == e->record->socket.peer_port;
}
static bool match_port(const struct filter_value *value, const struct event *e)
{
	return match_local_port(value, e) || match_peer_port(value, e);
}
static bool match_netns(const struct filter_value *value, const struct event *e)
{
	return value->number == e->record->socket.netns;
}
/* Any process that is known to hold the socket. */
static bool match_pid(const struct filter_value *value, const struct event *e)
{
	for (unsigned i = 0; i < e->owner.n_holders; i++)
		if (value->number == e->owner.holders[i])
			return true;
	return e->owner.via && value->number == e->owner.process.tgid;
}
static bool match_name(const struct filter_value *value, const struct event *e)
{
	return e->owner.via && !strcmp(value->text, e->owner.process.comm);
}
static bool match_unit(const struct filter_value *value, const struct event *e)
{
	return !fnmatch(value->text, e->place->unit, FNM_NOESCAPE) ||
	       !fnmatch(value->text, e->place->system_unit, FNM_NOESCAPE);
}
/* As docker reads one: the beginning of a hash is enough, a name has to be whole. */
static bool match_container(const struct filter_value *value, const struct event *e)
{
	const char *id = e->place->container;

	return place_is_hash(id) ? !strncmp(id, value->text, strlen(value->text)) : !strcmp(id, value->text);
}
/* That cgroup and all below it. */
static bool match_cgroup(const struct filter_value *value, const struct event *e)
{
	const char *path = place_cgroup_path(e->place->cgroup);
	size_t n = strlen(value->text);

	return path && !strncmp(path, value->text, n) && (!path[n] || path[n] == '/');
}
static bool match_peer(const struct filter_value *value, const struct event *e)
{
	unsigned bits = value->network.bits, whole = bits / 8;
	struct address peer = address_of(e->record->socket.family, e->record->socket.peer_addr);
	const __u8 *bytes = peer.bytes, *wanted = value->network.address.bytes;
	__u8 mask = (__u8)(0xff00u >> (bits % 8));

	if (value->network.v4 != address_is_v4(peer) || memcmp(bytes, wanted, whole))
		return false;
	return !(bits % 8) || !((bytes[whole] ^ wanted[whole]) & mask);
}

static const struct {
	parse_value *parse;
	match_value *match;
} kinds[FILTER_COUNT] = {
	[FILTER_EVENT] = {parse_event, match_event},
	[FILTER_CAUSE] = {parse_cause, match_cause},
	[FILTER_PORT] = {parse_port, match_port},
	[FILTER_LOCAL_PORT] = {parse_port, match_local_port},
	[FILTER_PEER_PORT] = {parse_port, match_peer_port},
	[FILTER_PEER] = {parse_peer, match_peer},
	[FILTER_NETNS] = {parse_netns, match_netns},
	[FILTER_PID] = {parse_pid, match_pid},
	[FILTER_NAME] = {parse_name, match_name},
	[FILTER_UNIT] = {parse_unit, match_unit},
	[FILTER_CONTAINER] = {parse_container, match_container},
	[FILTER_CGROUP] = {parse_cgroup, match_cgroup},
};

void filter_init(struct filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	filter->min_severity = SEVERITY_INFO;
}

static void free_list(struct filter_value *value)
{
	struct filter_value *next;

	for (; value; value = next) {
		next = value->next;
		free(value->text);
		free(value);
	}
}

void filter_free(struct filter *filter)
{
	for (int i = 0; i < FILTER_COUNT; i++) {
		free_list(filter->only[i]);
		free_list(filter->not [i]);
	}
}

/* Somebody else's path would be looked at with our rights, and his pattern matched at our cost. */
static const char *check_foreign(const struct filter *filter, enum filter_kind kind, const char *text)
{
	if (kind == FILTER_NETNS && strchr(text, '/'))
		return "a path; here it takes the inode number";
	if (kind == FILTER_UNIT && strpbrk(text, "*?["))
		return "a pattern; here it takes a whole name";
	return filter->n_values < FILTER_FOREIGN_MAX ? NULL : "more than 64 values";
}

const char *filter_add(struct filter *filter, enum filter_kind kind, bool opposite, const char *text)
{
	struct filter_value **list = opposite ? &filter->not [kind] : &filter->only[kind], *value;
	const char *why = filter->foreign ? check_foreign(filter, kind, text) : NULL;

	if (why)
		return why;
	filter->n_values++;
	value = calloc(1, sizeof(*value));
	if (!value)
		return "out of memory";
	value->next = *list;
	*list = value;
	why = kinds[kind].parse(value, text);
	if (!why && opposite && kind == FILTER_EVENT && value->number == EVENT_EVENTS_LOST)
		return "gaps are always told";
	return why;
}

/* "80, 443": without what is around a value. */
static char *trim(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	n = strlen(text);
	while (n && strchr(" \t", text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

const char *filter_add_list(struct filter *filter, enum filter_kind kind, bool opposite, const char *values)
{
	char copy[1024], *each, *rest = copy;
	const char *why = NULL;

	if (strlen(values) >= sizeof(copy))
		return "too long";
	strcpy(copy, values);
	if (kind == FILTER_NAME || kind == FILTER_CGROUP)
		return filter_add(filter, kind, opposite, values);
	while (!why && (each = strsep(&rest, ",")))
		why = filter_add(filter, kind, opposite, trim(each));
	return why;
}

size_t filter_numbers(const struct filter *filter, enum filter_kind kind, __u64 *numbers, size_t room)
{
	size_t n = 0;

	for (const struct filter_value *v = filter->only[kind]; v; v = v->next, n++)
		if (n < room)
			numbers[n] = v->number;
	return n;
}

bool filter_asks_owner(const struct filter *filter)
{
	for (int kind = FILTER_PID; kind < FILTER_COUNT; kind++)
		if (filter->only[kind])
			return true;
	return false;
}

static bool names_event(const struct filter *f, enum lp_event event)
{
	for (const struct filter_value *v = f->only[FILTER_EVENT]; v; v = v->next)
		if (v->number == event)
			return true;
	return false;
}

static bool names_cause(const struct filter *f, enum lp_cause cause)
{
	for (const struct filter_value *v = f->only[FILTER_CAUSE]; v; v = v->next)
		if (!strcmp(v->text, cause_name(cause)))
			return true;
	return false;
}

/* An orderly end only if somebody asks for it. */
static bool is_asked(const struct filter *f, __u32 class, enum lp_cause cause)
{
	return !(class & LP_CLASSES_ORDERLY) || f->all || (f->peer_closes && cause == PEER_CLOSED_FIN) ||
	       names_event(f, cause_event(cause)) || names_cause(f, cause);
}

static bool any_matches(const struct filter_value *v, enum filter_kind kind, const struct event *e)
{
	for (; v; v = v->next)
		if (kinds[kind].match(v, e))
			return true;
	return false;
}

static bool rejects(const struct filter *f, enum filter_kind kind, const struct event *e)
{
	return any_matches(f->not [kind], kind, e);
}

static bool passes(const struct filter *f, enum filter_kind kind, const struct event *e)
{
	return !rejects(f, kind, e) && (!f->only[kind] || any_matches(f->only[kind], kind, e));
}

/* Whether any event of this cause can pass. */
static bool can_pass(const struct filter *f, enum lp_cause cause)
{
	struct event event = {.verdict = {.cause = cause}};

	return passes(f, FILTER_EVENT, &event) && passes(f, FILTER_CAUSE, &event);
}

struct lp_wants filter_wants(const struct filter *f)
{
	const struct filter_value *netns = f->only[FILTER_NETNS];
	struct lp_wants wants = {.classes = LP_CLASS_LOST};

	for (enum lp_cause cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		if (is_asked(f, cause_class(cause), cause) && can_pass(f, cause))
			wants.classes |= cause_class(cause);
	if (netns && !netns->next)
		wants.netns = (__u32)netns->number;
	return wants;
}

bool filter_event(const struct filter *f, const struct event *e)
{
	if (!e->record) /* a gap concerns whoever reads the stream */
		return true;
	if (e->severity > f->min_severity || !is_asked(f, event_class(e), e->verdict.cause))
		return false;
	for (int kind = 0; kind < FILTER_PID; kind++)
		if (!passes(f, (enum filter_kind)kind, e))
			return false;
	return true;
}

bool filter_owner(const struct filter *f, const struct event *e)
{
	for (int kind = FILTER_PID; kind < FILTER_COUNT; kind++)
		if (!passes(f, (enum filter_kind)kind, e))
			return false;
	return true;
}
