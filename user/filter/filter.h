/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which events are wanted. The values of one option are alternatives, different options all apply, and each --OPTION
 * has its --not-OPTION. Orderly ends are reported only on request: --all, --event, --cause.
 */
#ifndef LOSTPEER_FILTER_H
#define LOSTPEER_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/options.h"
#include "event/event.h"
#include "record.h"

/* In the order of --help. `lostpeer check` has those from FILTER_PID on; the two before need an event. */
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
struct line;

struct filter {
	bool all;         /* the orderly ends too */
	bool peer_closes; /* of these, peer_closed too */
	bool foreign;     /* the values come from another user: look at no file for them, and bound their cost */
	unsigned n_values;
	enum lp_severity min_severity;
	struct filter_value *only[FILTER_COUNT]; /* lists; NULL: any */
	struct filter_value * not [FILTER_COUNT];
};

/* Options of `watch` and keys of every output in the configuration; their context is a struct filter. */
extern const struct option_group filter_keys;
/* The same for check, in two parts, since its --fd comes between them. */
extern const struct option_group filter_pid_now, filter_others_now;

void filter_init(struct filter *filter);
void filter_free(struct filter *filter);

/* Adds one value. NULL, or what is wrong with it ("not a port (0 to 65535)"). */
const char *filter_add(struct filter *filter, enum filter_kind kind, bool opposite, const char *value);

/* Adds several values separated by commas, or one value of the kinds that may contain a comma (name, cgroup). */
const char *filter_add_list(struct filter *filter, enum filter_kind kind, bool opposite, const char *values);

/* Fills in up to `room` numbers that a kind is limited to (ports, pids, namespaces). Returns how many there are. */
size_t filter_numbers(const struct filter *filter, enum filter_kind kind, __u64 *numbers, size_t room);
/* Appends what the connections are limited to, as on a command line: "--port 80,443 --not-name nginx". */
void filter_say(const struct filter *filter, struct line *line);
/* Whether it depends on the owner. */
bool filter_asks_owner(const struct filter *filter);

/* The events that the kernel must report for this filter. */
struct lp_wants filter_wants(const struct filter *filter);

/* An event must pass both. filter_event() needs no owner; filter_owner() checks the options that do. */
bool filter_event(const struct filter *filter, const struct event *event);
bool filter_owner(const struct filter *filter, const struct event *event);

#endif
