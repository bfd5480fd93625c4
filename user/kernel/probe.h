/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which of the features that lostpeer uses the running kernel has, by its BTF. */
#ifndef LOSTPEER_PROBE_H
#define LOSTPEER_PROBE_H

#include "kernel/feature.h"

#define RESET_REASONS_MAX 128

/* Numbers of this kernel. */
struct reset_reasons {
	char names[RESET_REASONS_MAX][40]; /* by number in its enum sk_rst_reason; "" where it has none */
	int mib_overflows, mib_drops;      /* LINUX_MIB_LISTENOVERFLOWS, LINUX_MIB_LISTENDROPS; 0: not shown */
};

/* Without those that LOSTPEER_WITHOUT names; `reasons` may be NULL. 0, or -EINVAL after a message on stderr. */
int probe(struct kernel_features *features, struct reset_reasons *reasons);

/* BPF programs see the pids of the first pid namespace; in another one every pid would be wrong. */
bool probe_pid_namespace_is_first(void);

/* Some sandboxes shield a process even from root; BPF programs then do not run in an interrupt that hits it. Only root,
 * or with CAP_SYS_PTRACE. */
bool probe_sees_every_process(void);

#endif
