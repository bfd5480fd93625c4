/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One line on stderr. */
#ifndef LOSTPEER_SAY_H
#define LOSTPEER_SAY_H

/* "lostpeer: MESSAGE". Returns err: return say(-ENOENT, "..."). */
int say(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
