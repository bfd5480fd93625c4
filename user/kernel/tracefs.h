/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* tracefs, which has the ids of the tracepoints of system calls. */
#ifndef LOSTPEER_TRACEFS_H
#define LOSTPEER_TRACEFS_H

/* Whether our effective rights can read it: 0, -ENOENT if it is not mounted, or another negative errno. */
int tracefs_probe(void);

/* Mounts it, if need be, in a mount namespace of our own, which tracefs_leave(*home) leaves again; call that after a
 * failure, too. 0, or a negative errno after a message. */
int tracefs_enter(int *home);
void tracefs_leave(int home);

#endif
