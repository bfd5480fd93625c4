/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/filter.h"

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

static const struct option_spec keys[] = {
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
const struct option_group filter_keys = OPTION_GROUP(keys);
