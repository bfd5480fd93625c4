/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is looked for, rather than told by a hook: peers that are silent, closes that are ignored, accept queues that are
 * full. As far as it is wanted. */
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
	__u64 silent_after_ns;  /* 0: nobody is silent */
	__u64 ignored_after_ns; /* 0: no close is ignored */
};

#define EARLY_OPTIONS_DEFAULT                                                                                          \
	{                                                                                                              \
		5 * CLOCK_SECOND, 60 * CLOCK_SECOND                                                                    \
	}
/* Options of `watch` and keys of [agent] in the configuration. */
extern const struct option_group early_keys;

/* To whom it is handed; must outlive it. */
struct early_calls {
	/* Takes an event whose owner is not known yet. */
	void (*found)(void *context, struct event *event);
	/* Takes one whose owner is known. */
	void (*tell)(void *context, struct event *event);
	/* Whether anybody wants such an event. */
	bool (*wants)(void *context, const struct event *event);
	void *context;
	struct pending_list *pending; /* which is asked for owners */
};

/* What is wanted of these classes with these options. */
__u32 early_classes(__u32 classes, const struct early_options *options);

/* Sockets that exist must be remembered already, and kernel_want() called. NULL when out of memory. */
struct early *early_new(struct kernel *kernel, __u32 classes, const struct early_options *options,
			const struct early_calls *calls);
void early_free(struct early *early);
/* More is wanted from now on, or less: what is not wanted any more is still looked for. 0 or -ENOMEM. */
int early_want(struct early *early, __u32 classes);

/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void early_tick(struct early *early, __u64 now_ns);
__u64 early_deadline(const struct early *early); /* CLOCK_MONOTONIC; 0: there is nothing to look at */
/* Connections that found no room here. */
__u64 early_lost(const struct early *early);
/* Connections whose peer is silent, and whose close is ignored, by now; -1: they are not looked for. */
void early_count(const struct early *early, long long *silent, long long *ignored);

#endif
