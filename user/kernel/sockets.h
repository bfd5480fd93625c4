/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Looks at sockets when the agent asks (bpf/agent_look.h), and the lists of those that the hooks want it to look at
 * (bpf/silent.h). */
#ifndef LOSTPEER_SOCKETS_H
#define LOSTPEER_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

struct kernel;

/* kind: LP_KIND_LOOK; or 0, and all else is unset: the socket is gone, or in none of the states. */
typedef void sockets_take(void *context, const struct lp_record *seen);

#define SOCKETS_EVERY_STATE 0xffffffffu /* states: bits of 1 << state */

/* At these, in this order, including those that are gone; their owners are left out. 0 or a negative errno. */
int sockets_look_at(struct kernel *kernel, const __u64 *sockets, size_t n, __u32 states, sockets_take *take,
		    void *context);
/* At all that are remembered and in these states. 0 or a negative errno. */
int sockets_look_at_all(struct kernel *kernel, __u32 states, sockets_take *take, void *context);
/* At all that are remembered and have one of these lp_initial(), at most LP_SOUGHT_MAX. 0 or a negative errno. */
int sockets_find(struct kernel *kernel, const __u64 *initials, size_t n, sockets_take *take, void *context);

/* How many of those remembered have ended without a program that saw it, and are not counted by kernel_unseen() yet.
 * *since_ns: as there. */
__u64 sockets_unseen(struct kernel *kernel, __u64 *since_ns);

/* Fills who, task, flags, born_ns and established_ns as far as the hooks remember them. */
void sockets_name(struct kernel *kernel, struct lp_record *record);

/* Copies the list, up to `most` items. 0 or a negative errno. */
struct sockets_listed {
	__u64 sk;
	struct lp_listed listed;
};
int sockets_list_silent(struct kernel *kernel, struct sockets_listed *list, size_t most, size_t *n);
void sockets_add_silent(struct kernel *kernel, __u64 sk, const struct lp_listed *listed);
void sockets_forget_silent(struct kernel *kernel, __u64 sk);

/* Keeps a look at a listed socket for the time when it ends. */
void sockets_keep_last(struct kernel *kernel, __u64 sk);
/* Takes that look, which is not kept any more. false: it has not ended, or there was no room. */
bool sockets_take_last(struct kernel *kernel, __u64 sk, struct lp_record *last);

struct sockets_filled {
	__u64 sk;
	struct lp_filled filled;
};
int sockets_list_filled(struct kernel *kernel, struct sockets_filled *list, size_t most, size_t *n);
void sockets_add_filled(struct kernel *kernel, __u64 sk, const struct lp_filled *filled);
void sockets_forget_filled(struct kernel *kernel, __u64 sk);

/* Makes the programs count whom listeners turn away, by this kernel's numbers of two counters. */
void sockets_count_turned_away(struct kernel *kernel, __u32 mib_overflows, __u32 mib_drops);
/* What was seen so far of a network namespace. false: nothing. */
bool sockets_turned_away(struct kernel *kernel, __u32 netns, struct lp_turned_away *seen);
void sockets_set_turned_away(struct kernel *kernel, __u32 netns, const struct lp_turned_away *seen);

/* Shared with the hooks. */
volatile struct lp_alarms *sockets_alarms(struct kernel *kernel);

#endif
