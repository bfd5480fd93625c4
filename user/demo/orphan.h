/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef LOSTPEER_DEMO_ORPHAN_H
#define LOSTPEER_DEMO_ORPHAN_H

/* Opens the host's tcp_max_orphans and remembers its value; the ends inherit it, for in their own namespaces there
 * is no such file. Returns 0 or negative errno: where we are in a namespace ourselves, there is none here either. */
int orphan_limit_open(void);

/* Puts the value back, if an end did not come to it. */
void orphan_limit_close(void);

#endif
