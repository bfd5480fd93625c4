/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Least privilege, once all is attached: the capabilities that are still used, no new ones by exec, and a
 * filter of system calls. SECURITY.md says what is kept and why, and a test compares.
 *
 * A call that the filter refuses fails with EPERM, is counted, and is said by privilege_report(). For tests
 * LOSTPEER_SECCOMP=kill ends the process at the first one; off leaves the filter out.
 */
#ifndef LOSTPEER_PRIVILEGE_H
#define LOSTPEER_PRIVILEGE_H

#include <stdbool.h>

/* Whether this capability (CAP_* of linux/capability.h) is effective. */
bool privilege_has(unsigned capability);
/* Whether they are enough to watch. */
bool privilege_may_watch(void);

/* Before any thread is started: rights are a thread's own. say: what cannot be done on this build or kernel,
 * too. 0, or a negative errno after a message on stderr. */
int privilege_drop(bool say);
/* Says on stderr which system calls have been refused since it was called last. */
void privilege_report(void);

#endif
