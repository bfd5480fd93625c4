/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Least privilege once everything is attached: only the capabilities that are still needed, no new ones by exec, and a
 * filter of system calls. SECURITY.md lists what is kept and why; a test compares the list with the code.
 *
 * A system call that the filter refuses fails with EPERM; privilege_report() reports it. For tests,
 * LOSTPEER_SECCOMP=kill ends the process at the first refused call, and LOSTPEER_SECCOMP=off leaves the filter out.
 */
#ifndef LOSTPEER_PRIVILEGE_H
#define LOSTPEER_PRIVILEGE_H

#include <stdbool.h>

/* Whether this capability (CAP_* of linux/capability.h) is effective. */
bool privilege_has(unsigned capability);
/* Whether the effective capabilities are enough to watch. */
bool privilege_may_watch(void);

/* Call it before any thread starts, because each thread has its own privileges. say: also report what this build or
 * kernel cannot do. 0, or a negative errno after a message on stderr. */
int privilege_drop(bool say);
/* Reports on stderr the system calls that were refused since the last report. */
void privilege_report(void);

#endif
