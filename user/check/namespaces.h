/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finds the network namespaces of the host, and visits each. */
#ifndef LOSTPEER_NAMESPACES_H
#define LOSTPEER_NAMESPACES_H

#include <stdbool.h>

#include <asm/types.h>

struct namespaces;

/* Begins with our own, and those whose mounts we see (`ip netns`). NULL when out of memory. */
struct namespaces *namespaces_new(void);
void namespaces_free(struct namespaces *namespaces);

/* Notes a task, which may be a thread, of the namespace. 0 or a negative errno. */
int namespaces_note(struct namespaces *namespaces, __u32 netns, __u32 tid);
/* The same for every task in /proc that we may read. */
int namespaces_note_all(struct namespaces *namespaces);

/* Calls `visit` in each namespace, or in `only` unless 0. *unseen is how many could not be entered. Visits all even
 * after an error; returns 0 or the first error of `visit`. */
typedef int namespaces_visit(void *context, __u32 netns);
int namespaces_each(struct namespaces *namespaces, __u32 only, namespaces_visit *visit, void *context,
		    unsigned *unseen);

#endif
