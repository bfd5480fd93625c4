/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Several events in one: how many, when, of how many processes, their data summed, and of all else what they have in
 * common. What is added may itself stand for several.
 */
#ifndef LOSTPEER_AGGREGATE_H
#define LOSTPEER_AGGREGATE_H

#include "event/event.h"

/* Processes that are told apart: the workers of a large server. With more there are "at least" so many. */
#define AGGREGATE_PROCESSES_MAX 256

struct aggregate;

/* Adds a copy to *gathered, which is made if it is NULL. false: out of memory, and nothing has changed. */
bool aggregate_add(struct aggregate **gathered, const struct event *event);
/* With repeat.count above 0; as long as nothing is added and it is not freed. */
const struct event *aggregate_event(const struct aggregate *gathered);
void aggregate_free(struct aggregate *gathered);

#endif
