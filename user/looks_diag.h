/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A look without BPF, by sock_diag(7) and /proc: as far as this user may. */
#ifndef LOSTPEER_LOOKS_DIAG_H
#define LOSTPEER_LOOKS_DIAG_H

#include "looks.h"

/* netns: only this namespace, 0: all that can be entered. pids: only these processes' descriptors, none: everybody's.
 * 0, or a negative errno after a message on stderr. */
int looks_diag_look(struct looks *looks, __u32 netns, const __u64 *pids, size_t n_pids, struct unseen *unseen);

#endif
