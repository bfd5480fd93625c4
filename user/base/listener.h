/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A listening stream socket. */
#ifndef LOSTPEER_LISTENER_H
#define LOSTPEER_LISTENER_H

struct endpoint;

/* A Unix socket gets `mode`, and replaces a stale one that nobody listens on. Returns the descriptor, or a negative
 * errno: -EADDRINUSE if somebody listens. */
int listener_open(const struct endpoint *at, unsigned mode);

#endif
