/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is looked for, rather than told by a hook: peers that are silent, closes that are ignored, accept queues that are
 * full. As far as it is wanted. */
#ifndef LOSTPEER_WARNINGS_H
#define LOSTPEER_WARNINGS_H

#include "event/event.h"
#include "record.h"

struct kernel;
struct warnings;

struct warnings_options {
	__u64 silent_after_ns;  /* 0: nobody is silent */
	__u64 ignored_after_ns; /* 0: no close is ignored */
};

struct warnings_calls {
	/* A record whose owner is not known yet. */
	void (*found)(void *context, const struct lp_record *record);
	/* Who holds this? The answer is for warnings_note(). False: nobody wants to know. */
	bool (*ask)(void *context, const struct lp_record *record);
	/* A record whose owner is known. */
	void (*tell)(void *context, const struct lp_record *record, const struct owner *owner);
	void *context;
};

/* What is wanted of these classes with these options. */
__u32 warnings_classes(__u32 classes, const struct warnings_options *options);

/* Sockets that exist must be remembered already, and kernel_want() called. NULL when out of memory. */
struct warnings *warnings_new(struct kernel *kernel, __u32 classes, const struct warnings_options *options,
			      const struct warnings_calls *calls);
void warnings_free(struct warnings *warnings);
/* More is wanted from now on, or less: what is not wanted any more is still looked for. 0 or -ENOMEM. */
int warnings_want(struct warnings *warnings, __u32 classes);

void warnings_note(struct warnings *warnings, const struct lp_record *record, const struct owner *owner);
/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void warnings_tick(struct warnings *warnings, __u64 now_ns);
__u64 warnings_deadline(const struct warnings *warnings); /* CLOCK_MONOTONIC; 0: there is nothing to look at */
/* Connections that found no room here. */
__u64 warnings_lost(const struct warnings *warnings);
/* Connections whose peer is silent, and whose close is ignored, by now; -1: they are not looked for. */
void warnings_count(const struct warnings *warnings, long long *silent, long long *ignored);

#endif
