/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the journal and syslog share: a socket that sends each entry as one datagram, to a Unix socket or over UDP. The
 * listener may be away and come back: nothing is connected for good, and each datagram that it refuses is an error.
 *
 * A Unix socket takes a datagram or refuses it, so `written` is what the listener has got. Over UDP it is what has
 * left: a refusal is known at once on this host; from another it comes later, if it comes, and the next datagram fails
 * for it.
 */
#ifndef LOSTPEER_DATAGRAM_H
#define LOSTPEER_DATAGRAM_H

#include "base/endpoint.h"
#include "outputs/output.h"

/* As in struct output_ops; the settings are a struct endpoint. That nobody listens is no error of open; write blocks
 * while the listener's queue is full. */
int datagram_open(void **state, const void *settings, const struct output_agent *agent);
size_t datagram_write(void *state, const struct iovec *entries, size_t n, int *error);
void datagram_close(void *state);

#endif
