/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sockets that a walk in the kernel looks for: keys of the map `sought`, as long as the walk takes. */
#ifndef LOSTPEER_SOUGHT_H
#define LOSTPEER_SOUGHT_H

#include <asm/types.h>
#include <stddef.h>

struct kernel;

/* At most LP_SOUGHT_MAX. A negative errno: some were not added. */
int sought_add(struct kernel *kernel, const __u64 *keys, size_t n);
void sought_remove(struct kernel *kernel, const __u64 *keys, size_t n);

#endif
