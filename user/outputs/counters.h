/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts of events, as Prometheus reads them: by cause and application, the latter bounded, and the agent's own health
 * beside them. A plain value: who shares it between threads locks it.
 */
#ifndef LOSTPEER_COUNTERS_H
#define LOSTPEER_COUNTERS_H

#include <stdio.h>

#include "event/event.h"

struct health;

/* Applications that are told apart; those that come later are "other". A host with a few hundred services has about 50
 * that ever lose a peer; who makes up names gets no more than these. */
#define COUNTERS_APPS_MAX 200
#define COUNTERS_APP_LEN 128

/* What is counted of an event, or of a record that stands for several. */
struct counters_entry {
	enum lp_cause cause;
	char app[COUNTERS_APP_LEN]; /* printable */
	__u64 count;                /* 0: events_lost, which is counted where it was lost */
	__u64 unread, unacked;      /* bytes, of what ends a connection */
};

struct counters {
	unsigned n_apps;
	char apps[COUNTERS_APPS_MAX][COUNTERS_APP_LEN];
	__u64 events[COUNTERS_APPS_MAX + 1][CAUSE_COUNT]; /* the last of all others */
	__u64 unread, unacked;
};

/* Who it is to monitoring: its service, else the name of its executable, else the process's name, else "unknown". A
 * container's scope, a login session and the like are no service: each has another name every time. */
void counters_entry_of(const struct event *event, struct counters_entry *entry);
void counters_count(struct counters *metrics, const struct counters_entry *entry);

/* Text in version 0.0.4 of Prometheus' format. health: NULL where it is not known, and left out. */
void counters_write(const struct counters *metrics, const struct health *health, FILE *to);

#endif
