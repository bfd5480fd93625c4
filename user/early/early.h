/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Early warnings, which the agent finds by looking at sockets rather than by a hook: silent peers, ignored closes, full
 * accept queues. It looks only for what the outputs want. */
#ifndef LOSTPEER_EARLY_H
#define LOSTPEER_EARLY_H

#include "base/clock.h"
#include "base/options.h"
#include "event/event.h"
#include "record.h"

struct early;
struct kernel;
struct pending_list;

struct early_options {
	__u64 silent_after_ns;  /* 0: do not look for silent peers */
	__u64 ignored_after_ns; /* 0: do not look for ignored closes */
};

#define EARLY_OPTIONS_DEFAULT                                                                                          \
	{                                                                                                              \
		5 * CLOCK_SECOND, 60 * CLOCK_SECOND                                                                    \
	}
/* Options of `watch` and keys of [agent] in the configuration. */
extern const struct option_group early_keys;

/* Where the events go. Must outlive struct early. */
struct early_calls {
	/* Takes an event, and finds its owner. */
	void (*found)(void *context, struct event *event);
	/* Takes an event that has its owner. */
	void (*tell)(void *context, struct event *event);
	/* Whether any output wants such an event. */
	bool (*wants)(void *context, const struct event *event);
	void *context;
	struct pending_list *pending; /* finds owners */
};

/* These classes without those that the options switch off. */
__u32 early_classes(__u32 classes, const struct early_options *options);

/* It looks for nothing yet. NULL when out of memory. */
struct early *early_new(struct kernel *kernel, const struct early_options *options, const struct early_calls *calls);
void early_free(struct early *early);
/* The classes that are wanted from now on, with those that were wanted before. After kernel_want(), and after existing
 * sockets are remembered. 0 or -ENOMEM. */
int early_want(struct early *early, __u32 classes);

/* The search for the owner of an event is over, which may be one of found(). */
void early_note(struct early *early, struct event *event);
/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void early_tick(struct early *early, __u64 now_ns);
__u64 early_deadline(const struct early *early); /* CLOCK_MONOTONIC; 0: nothing to look at */
/* Connections for which there was no room. */
__u64 early_lost(const struct early *early);
/* How many peers are silent and how many closes ignored at the moment; -1: not looked for. */
void early_count(const struct early *early, long long *silent, long long *ignored);

#endif
