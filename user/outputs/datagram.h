/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A socket that sends each entry as one datagram, to a Unix socket or over UDP: what the journal and syslog share. The
 * listener may be away and come back: nothing is connected for good, and each datagram that it refuses is an error.
 *
 * A Unix socket takes a datagram or refuses it, so `written` is what the listener has got. Over UDP it is what has left:
 * a refusal is known at once on this host; from another it comes later, if it comes, and the next datagram fails for it.
 */
#ifndef LOSTPEER_DATAGRAM_H
#define LOSTPEER_DATAGRAM_H

#include <stddef.h>
#include <sys/uio.h>

struct datagram;
struct endpoint;

/* `to` is copied. 0 or a negative errno; that nobody listens there is none. */
int datagram_open(struct datagram **datagram, const struct endpoint *to);
/* Blocks while the listener's queue is full. As the write() of struct output_ops. */
size_t datagram_write(struct datagram *datagram, const struct iovec *entries, size_t n, int *error);
void datagram_close(struct datagram *datagram);

#endif
