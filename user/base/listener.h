/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A socket that listens for streams. */
#ifndef LOSTPEER_LISTENER_H
#define LOSTPEER_LISTENER_H

struct endpoint;

/* Listens there. A Unix socket gets `mode`, and takes the place of one that nobody listens at any more. The descriptor,
 * or a negative errno: -EADDRINUSE if somebody does. */
int listener_open(const struct endpoint *at, unsigned mode);

#endif
