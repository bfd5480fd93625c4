/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts of events for Prometheus, by cause and by a bounded number of applications, together with the agent's own
 * health. Nothing here is locked: callers that share it between threads lock it.
 */
#ifndef LOSTPEER_COUNTERS_H
#define LOSTPEER_COUNTERS_H

#include <stdio.h>

#include "event/event.h"

struct health;

/* Applications counted separately; later ones are "other". Of a few hundred services on a host about 50 ever lose a
 * peer. The bound keeps programs that make up names from filling memory. */
#define COUNTERS_APPS_MAX 200
#define COUNTERS_APP_LEN 128

/* The countable part of an event, or of a record that stands for several. */
struct counters_entry {
	enum lp_cause cause;
	char app[COUNTERS_APP_LEN]; /* printable */
	__u64 count;                /* 0: events_lost, counted where the loss happened */
	__u64 unread, unacked;      /* bytes; 0 unless the event ends a connection */
};

struct counters {
	unsigned n_apps;
	char apps[COUNTERS_APPS_MAX][COUNTERS_APP_LEN];
	__u64 events[COUNTERS_APPS_MAX + 1][CAUSE_COUNT]; /* the last row: all others */
	__u64 unread, unacked;
};

/* The application is the service, else the file name of the executable, else the process's name, else "unknown".
 * Scopes of containers, login sessions and the like do not count as services: their names change every time. */
void counters_entry_of(const struct event *event, struct counters_entry *entry);
void counters_count(struct counters *metrics, const struct counters_entry *entry);

/* Text in version 0.0.4 of Prometheus' format. health: NULL if unknown, then left out. */
void counters_write(const struct counters *metrics, const struct health *health, FILE *to);

#endif
