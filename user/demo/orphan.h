/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef LOSTPEER_DEMO_ORPHAN_H
#define LOSTPEER_DEMO_ORPHAN_H

/* Opens the host's tcp_max_orphans and remembers its value. The ends inherit the descriptor, because the file exists
 * only in the initial network namespace. Returns 0 or negative errno. */
int orphan_limit_open(void);

/* Restores the value, in case an end died before it could. */
void orphan_limit_close(void);

#endif
