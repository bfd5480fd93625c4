/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Looks at sockets from outside, now: what bpf/glance.h reads of each. And what the kernel side has listed to be looked
 * at (bpf/silent.h). */
#ifndef LOSTPEER_GLANCE_H
#define LOSTPEER_GLANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

struct kernel;
struct bpf_program;

/* look->record.kind is 0 for a socket that is gone, or in none of the states asked for (bits of 1 << state). */
typedef void sockets_take(void *context, const struct lp_glance *look);

/* At these, in this order; whose they are is left out. 0 or a negative errno. */
int sockets_look_at(struct kernel *kernel, const __u64 *sockets, size_t n, __u32 states, sockets_take *take,
		    void *context);
/* At all that are remembered and in these states. 0 or a negative errno. */
int sockets_look_at_all(struct kernel *kernel, __u32 states, sockets_take *take, void *context);

/* Whose it is, as far as that is remembered: fills who, task, flags, born_ns and established_ns. */
void sockets_name(struct kernel *kernel, struct lp_record *record);

typedef void sockets_found(void *context, const struct lp_record *end);
/* Looks through the sockets that we remember for those with these ports, local << 16 | peer: `found` gets a record of
 * LP_KIND_END of each. At most LP_ENDS_MAX. 0 or a negative errno. */
int sockets_find_ends(struct kernel *kernel, const __u32 *ports, size_t n, sockets_found *found, void *context);

/* What is listed now, of which so many are copied. 0 or a negative errno. */
struct sockets_listed {
	__u64 sk;
	struct lp_listed listed;
};
int sockets_list_silent(struct kernel *kernel, struct sockets_listed *list, size_t most, size_t *n);
void sockets_add_silent(struct kernel *kernel, __u64 sk, const struct lp_listed *listed);
void sockets_forget_silent(struct kernel *kernel, __u64 sk);

struct sockets_filled {
	__u64 sk;
	struct lp_filled filled;
};
int sockets_list_filled(struct kernel *kernel, struct sockets_filled *list, size_t most, size_t *n);
void sockets_add_filled(struct kernel *kernel, __u64 sk, const struct lp_filled *filled);
void sockets_forget_filled(struct kernel *kernel, __u64 sk);

/* Shared with the kernel side. */
volatile struct lp_alarms *sockets_alarms(struct kernel *kernel);

/* For sockets.c and kernel.c: runs a program over these addresses, with what is remembered of each (values of the map;
 * NULL: nothing); hands all that are remembered to `each`, in batches of at most so many. 0 or a negative errno. */
int sockets_run(struct kernel *kernel, const struct bpf_program *program, const __u64 *sockets, const char *remembered,
		__u32 n);
typedef int sockets_batch(void *context, const __u64 *sockets, const char *remembered, __u32 n);
int sockets_through(struct kernel *kernel, __u32 most, sockets_batch *each, void *context);

#endif
