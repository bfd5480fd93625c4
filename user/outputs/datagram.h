/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the journal and syslog: sends each entry as one datagram, to a Unix socket or over UDP. The listener may
 * stop and come back. Each datagram that it refuses is an error.
 *
 * A Unix socket accepts or refuses a datagram, so `written` counts what the listener got. Over UDP it counts what was
 * sent: a listener on this host refuses at once; a refusal from another host comes later, if at all, and fails the
 * next datagram.
 */
#ifndef LOSTPEER_DATAGRAM_H
#define LOSTPEER_DATAGRAM_H

#include "base/endpoint.h"
#include "outputs/output.h"

/* For struct output_ops; the settings are a struct endpoint. open succeeds even if nobody listens. write blocks while
 * the listener's queue is full. */
int datagram_open(void **state, const void *settings, const struct output_agent *agent);
size_t datagram_write(void *state, const struct iovec *entries, size_t n, int *error);
void datagram_close(void *state);

#endif
