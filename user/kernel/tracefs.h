/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file system that gives the ids of the tracepoints of system calls. */
#ifndef LOSTPEER_TRACEFS_H
#define LOSTPEER_TRACEFS_H

/* Whether it is there, as our effective rights see it: 0, -ENOENT (it is not mounted), or why it cannot be read. */
int tracefs_look(void);

/* Mounts it where nobody else sees it, if need be. *home is then to be handed to tracefs_leave(), which goes back to
 * where we were. 0, or a negative errno after a message; *home is to be handed back then as well. */
int tracefs_enter(int *home);
void tracefs_leave(int home);

#endif
