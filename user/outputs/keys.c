/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/keys.h"

#include <string.h>

#include "outputs/feed.h"
#include "filter/filter.h"
#include "kernel/kernel.h"
#include "base/number.h"
#include "early/early.h"

#define RATE_MAX 1000000

/* --- of the agent --- */

/* A ring takes a power of two of bytes, of whole pages. */
static const char *set_ring(void *context, int tag, bool opposite, const char *value)
{
	struct kernel_options *o = context;
	__u64 kib;

	(void)tag;
	(void)opposite;
	if (number_parse(value, 64, 1 << 20, &kib) || (kib & (kib - 1)))
		return "not a power of two from 64 to 1048576 (KiB)";
	o->ring_bytes = (size_t)kib << 10;
	return NULL;
}

static const char *set_connect_hook(void *context, int tag, bool opposite, const char *value)
{
	struct kernel_options *o = context;

	(void)tag;
	(void)opposite;
	(void)value;
	o->connect_hook = true;
	return NULL;
}

static const char *set_accept_hook(void *context, int tag, bool opposite, const char *value)
{
	struct kernel_options *o = context;

	(void)tag;
	(void)opposite;
	(void)value;
	o->accept_hook = true;
	return NULL;
}

static const struct option_spec of_kernel[] = {
	{"ring", "KIB", "size of the ring buffer, a power of two (4096)", set_ring, 0},
	{"connect-hook", NULL, "see connects that fail without a packet (no route, denied); slows every system call",
	 set_connect_hook, 0},
	{"accept-hook", NULL, "see who accepts, of workers that share a listener; slows every system call",
	 set_accept_hook, 0},
};
const struct option_group kernel_keys = {of_kernel, sizeof(of_kernel) / sizeof(*of_kernel)};

enum after { AFTER_SILENT, AFTER_IGNORED };

static const char *parse_pause(const char *value, __u64 *ns)
{
	*ns = 0;
	if (!strcmp(value, "0"))
		return NULL;
	return number_parse_duration(value, ns) ? "neither 0 nor a duration such as 500ms, 5s or 1m" : NULL;
}

static const char *set_after(void *context, int tag, bool opposite, const char *value)
{
	struct early_options *o = context;

	(void)opposite;
	return parse_pause(value, tag == AFTER_SILENT ? &o->silent_after_ns : &o->ignored_after_ns);
}

static const struct option_spec of_warnings[] = {
	{"silent-after", "DURATION",
	 "say peer_silent once data has waited so long for an acknowledgement; 0: never (5s)", set_after, AFTER_SILENT},
	{"ignored-after", "DURATION", "say close_ignored so long after the peer's close; 0: never (60s)", set_after,
	 AFTER_IGNORED},
};
const struct option_group early_keys = {of_warnings, sizeof(of_warnings) / sizeof(*of_warnings)};

/* --- of every output --- */

static const char *set_all(void *context, int tag, bool opposite, const char *value)
{
	struct filter *f = context;

	(void)tag;
	(void)opposite;
	(void)value;
	f->all = true;
	return NULL;
}

static const char *set_filter(void *context, int tag, bool opposite, const char *value)
{
	return filter_add_list(context, (enum filter_kind)tag, opposite, value);
}

static const char *set_severity(void *context, int tag, bool opposite, const char *value)
{
	struct filter *f = context;
	int severity = severity_by_name(value);

	(void)tag;
	(void)opposite;
	if (severity < 0)
		return "neither error, warning, notice nor info";
	f->min_severity = (enum lp_severity)severity;
	return NULL;
}

static const char *set_group(void *context, int tag, bool opposite, const char *value)
{
	struct feed_settings *s = context;

	(void)tag;
	(void)opposite;
	s->has_group = true;
	return parse_pause(value, &s->group_ns);
}

static const char *set_rate(void *context, int tag, bool opposite, const char *value)
{
	struct feed_settings *s = context;
	__u64 rate;

	(void)tag;
	(void)opposite;
	if (number_parse(value, 0, RATE_MAX, &rate))
		return "not a number from 0 to 1000000";
	s->has_rate = true;
	s->rate = (unsigned)rate;
	return NULL;
}

static const struct option_spec of_filter[] = {
	{"all", NULL, "the orderly ends too: peer_closed, local_closed, abandoned at once", set_all, 0},
	{"event*", "EVENT", "only this event, such as peer_lost", set_filter, FILTER_EVENT},
	{"cause*", "CAUSE", "only this cause, such as reset", set_filter, FILTER_CAUSE},
	{"pid*", "PID", "only connections that this process held", set_filter, FILTER_PID},
	{"name*", "NAME", "only connections of processes of this name", set_filter, FILTER_NAME},
	{"unit*", "UNIT", "only of this systemd unit; * and ? match", set_filter, FILTER_UNIT},
	{"container*", "ID", "only of this container, by the beginning of its id", set_filter, FILTER_CONTAINER},
	{"cgroup*", "PATH", "only of this cgroup and those below it", set_filter, FILTER_CGROUP},
	{"port*", "PORT", "only connections with this port at either end", set_filter, FILTER_PORT},
	{"local-port*", "PORT", "only with this port at our end", set_filter, FILTER_LOCAL_PORT},
	{"peer-port*", "PORT", "only with this port at the peer's end", set_filter, FILTER_PEER_PORT},
	{"peer*", "ADDRESS[/BITS]", "only with a peer of this address or network", set_filter, FILTER_PEER},
	{"netns*", "INODE|PATH", "only in this network namespace", set_filter, FILTER_NETNS},
	{"min-severity", "SEVERITY", "only from this on: error, warning, notice, info", set_severity, 0},
};
const struct option_group filter_keys = {of_filter, sizeof(of_filter) / sizeof(*of_filter)};

static const struct option_spec of_feed[] = {
	{"group", "DURATION", "the like of an event within this time is one record; 0: off", set_group, 0},
	{"rate", "N", "events a second of one process, the others are one record; 0: any", set_rate, 0},
};
const struct option_group feed_keys = {of_feed, sizeof(of_feed) / sizeof(*of_feed)};
