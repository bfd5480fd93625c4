/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which events are wanted. Values of one option are alternatives, different options all apply, and each --OPTION
 * has its --not-OPTION. Nobody is told of the orderly ends unless somebody asks: --all, --event, --cause.
 */
#ifndef LOSTPEER_FILTER_H
#define LOSTPEER_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/options.h"
#include "event/event.h"
#include "record.h"

/* In the order of --help. `lostpeer check` has those from FILTER_PID on: the two before need an event. */
enum filter_kind {
	FILTER_EVENT,
	FILTER_CAUSE,
	FILTER_PID,
	FILTER_NAME,
	FILTER_UNIT,
	FILTER_CONTAINER,
	FILTER_CGROUP,
	FILTER_PORT, /* either end */
	FILTER_LOCAL_PORT,
	FILTER_PEER_PORT,
	FILTER_PEER, /* address or CIDR */
	FILTER_NETNS,
	FILTER_COUNT
};

#define FILTER_FOREIGN_MAX 64 /* values */

struct filter_value;

struct filter {
	bool all;         /* the orderly ends too */
	bool peer_closes; /* of these, peer_closed too */
	bool foreign; /* its values are somebody else's: no file is looked at for them, and what they cost is bounded */
	unsigned n_values;
	enum lp_severity min_severity;
	struct filter_value *only[FILTER_COUNT]; /* lists; NULL: any */
	struct filter_value * not [FILTER_COUNT];
};

/* Options of `watch` and keys of every output in the configuration; their context is a struct filter. */
extern const struct option_group filter_keys;
/* The same for check, in two parts: its --fd comes between them. */
extern const struct option_group filter_pid_now, filter_others_now;

void filter_init(struct filter *filter);
void filter_free(struct filter *filter);

/* Adds one value. NULL, or what is wrong with it ("not a port (0 to 65535)"). */
const char *filter_add(struct filter *filter, enum filter_kind kind, bool opposite, const char *value);

/* The same of several values with commas between, but for the kinds whose values may hold one (name, cgroup). */
const char *filter_add_list(struct filter *filter, enum filter_kind kind, bool opposite, const char *values);

/* The numbers that one kind is narrowed to (of ports, pids and namespaces), as far as there is room; how many there are. */
size_t filter_numbers(const struct filter *filter, enum filter_kind kind, __u64 *numbers, size_t room);
/* Whether who holds a connection decides. */
bool filter_asks_owner(const struct filter *filter);

/* What the kernel must tell for this filter. */
struct lp_wants filter_wants(const struct filter *filter);

/* All that can be decided before the owner is known, and what only the owner decides. */
bool filter_event(const struct filter *filter, const struct event *event);
bool filter_owner(const struct filter *filter, const struct event *event);

#endif
