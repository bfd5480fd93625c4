/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The network namespaces that there are, and a visit to each. */
#ifndef LOSTPEER_NAMESPACES_H
#define LOSTPEER_NAMESPACES_H

#include <stdbool.h>

#include <asm/types.h>

struct namespaces;

/* Knows our own, and those that are mounted where we see it (`ip netns`). NULL when out of memory. */
struct namespaces *namespaces_new(void);
void namespaces_free(struct namespaces *namespaces);

/* A task (a thread, too) that is in it. 0 or a negative errno. */
int namespaces_note(struct namespaces *namespaces, __u32 netns, __u32 tid);
/* The same of every task in /proc, as far as it lets us read that. */
int namespaces_note_all(struct namespaces *namespaces);

/* Calls in each, or only in this one (0: in each). *unseen is how many could not be entered. 0, or the first error that
 * `visit` gave, after having been to all. */
typedef int namespaces_visit(void *context, __u32 netns);
int namespaces_each(struct namespaces *namespaces, __u32 only, namespaces_visit *visit, void *context,
		    unsigned *unseen);

#endif
