/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A cache of the processes' executables, so that many events at one moment read /proc once. */
#ifndef LOSTPEER_EXECUTABLES_H
#define LOSTPEER_EXECUTABLES_H

#include "record.h"

struct executables;

/* NULL when out of memory. */
struct executables *executables_new(void);
void executables_free(struct executables *executables);

/* The path that process_executable() read at since_ns (CLOCK_MONOTONIC) or later; valid until the next call. */
const char *executables_find(struct executables *executables, const struct lp_task *task, __u64 since_ns);

#endif
