/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/keys.h"

#include <string.h>

#include "outputs/feed.h"
#include "filter/filter.h"
#include "kernel/kernel.h"
#include "base/number.h"
#include "early/early.h"

/* --- of the agent --- */

/* A ring takes a power of two of bytes, of whole pages. */
static const char *set_ring(const struct option_spec *spec, void *ring_bytes, bool opposite, const char *value)
{
	__u64 kib;

	(void)opposite;
	if (number_parse(value, spec->least, spec->most, &kib) || (kib & (kib - 1)))
		return spec->wrong;
	*(size_t *)ring_bytes = (size_t)kib << 10;
	return NULL;
}

static const struct option_spec of_kernel[] = {
	{"ring", "KIB", "size of the ring buffer, a power of two (4096)", set_ring,
	 OPTION_AT(struct kernel_options, ring_bytes), 64, 1 << 20,
	 .wrong = "not a power of two from 64 to 1048576 (KiB)"},
	{"connect-hook", NULL, "see connects that fail without a packet (no route, denied); slows every system call",
	 option_flag, OPTION_AT(struct kernel_options, connect_hook)},
	{"accept-hook", NULL, "see who accepts, of workers that share a listener; slows every system call", option_flag,
	 OPTION_AT(struct kernel_options, accept_hook)},
};
const struct option_group kernel_keys = OPTION_GROUP(of_kernel);

static const struct option_spec of_warnings[] = {
	{"silent-after", "DURATION",
	 "say peer_silent once data has waited so long for an acknowledgement; 0: never (5s)", option_pause,
	 OPTION_AT(struct early_options, silent_after_ns)},
	{"ignored-after", "DURATION", "say close_ignored so long after the peer's close; 0: never (60s)", option_pause,
	 OPTION_AT(struct early_options, ignored_after_ns)},
};
const struct option_group early_keys = OPTION_GROUP(of_warnings);

/* --- of every output --- */

static const char *set_filter(const struct option_spec *spec, void *filter, bool opposite, const char *value)
{
	return filter_add_list(filter, (enum filter_kind)spec->least, opposite, value);
}

static const char *set_severity(const struct option_spec *spec, void *min_severity, bool opposite, const char *value)
{
	int severity = severity_by_name(value);

	(void)opposite;
	*(enum lp_severity *)min_severity = (enum lp_severity)severity;
	return severity < 0 ? spec->wrong : NULL;
}

#define KIND(kind) .least = FILTER_##kind

static const struct option_spec of_filter[] = {
	{"all", NULL, "the orderly ends too: peer_closed, local_closed, abandoned at once", option_flag,
	 OPTION_AT(struct filter, all)},
	{"event*", "EVENT", "only this event, such as peer_lost", set_filter, KIND(EVENT)},
	{"cause*", "CAUSE", "only this cause, such as reset", set_filter, KIND(CAUSE)},
	{"pid*", "PID", "only connections that this process held", set_filter, KIND(PID)},
	{"name*", "NAME", "only connections of processes of this name", set_filter, KIND(NAME)},
	{"unit*", "UNIT", "only of this systemd unit; * and ? match", set_filter, KIND(UNIT)},
	{"container*", "ID", "only of this container, by the beginning of its id", set_filter, KIND(CONTAINER)},
	{"cgroup*", "PATH", "only of this cgroup and those below it", set_filter, KIND(CGROUP)},
	{"port*", "PORT", "only connections with this port at either end", set_filter, KIND(PORT)},
	{"local-port*", "PORT", "only with this port at our end", set_filter, KIND(LOCAL_PORT)},
	{"peer-port*", "PORT", "only with this port at the peer's end", set_filter, KIND(PEER_PORT)},
	{"peer*", "ADDRESS[/BITS]", "only with a peer of this address or network", set_filter, KIND(PEER)},
	{"netns*", "INODE|PATH", "only in this network namespace", set_filter, KIND(NETNS)},
	{"min-severity", "SEVERITY", "only from this on: error, warning, notice, info", set_severity,
	 OPTION_AT(struct filter, min_severity), .wrong = "neither error, warning, notice nor info"},
};
const struct option_group filter_keys = OPTION_GROUP(of_filter);

static const struct option_spec of_feed[] = {
	{"group", "DURATION", "the like of an event within this time is one record; 0: off", option_pause,
	 OPTION_AT(struct feed_settings, group_ns)},
	{"rate", "N", "events a second of one process, the others are one record; 0: any", option_number,
	 OPTION_AT(struct feed_settings, rate), 0, 1000000, .wrong = "not a number from 0 to 1000000"},
};
const struct option_group feed_keys = OPTION_GROUP(of_feed);
