/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Several events in one: how many, when, from how many processes, the sum of their data, and the other fields where all
 * agree. An event that is added may itself stand for several.
 */
#ifndef LOSTPEER_AGGREGATE_H
#define LOSTPEER_AGGREGATE_H

#include "event/event.h"

/* Processes counted separately, enough for the workers of a large server. With more, the count is "at least" this. */
#define AGGREGATE_PROCESSES_MAX 256

struct aggregate;

/* Adds a copy to *gathered, which is allocated if NULL. false: out of memory, and nothing has changed. */
bool aggregate_add(struct aggregate **gathered, const struct event *event);
/* repeat.count is above 0. Valid until something is added or it is freed. */
const struct event *aggregate_event(const struct aggregate *gathered);
void aggregate_free(struct aggregate *gathered);

#endif
