/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Both ends of one connection. */
#ifndef TESTS_UNIT_ENDS_H
#define TESTS_UNIT_ENDS_H

#include <arpa/inet.h>
#include <errno.h>

#include "base/clock.h"
#include "facts.h"

static struct lp_record a, b; /* a client, and its server, which received 1000 bytes and resets it */

static inline struct lp_record ends_one(__u64 sk, const char *local, __u16 local_port, const char *peer,
					__u16 peer_port, __u64 now_ns)
{
	struct lp_record r = record_of(&(struct facts){TCP_ESTABLISHED, HELD, .err = ECONNRESET});

	inet_pton(AF_INET, local, r.socket.local_addr);
	inet_pton(AF_INET, peer, r.socket.peer_addr);
	r.socket.local_port = local_port;
	r.socket.peer_port = peer_port;
	r.socket.sk = sk;
	r.socket.cookie = sk + 1;
	r.socket.netns = 1;
	r.born_ns = now_ns - 10 * CLOCK_MS;
	r.time_ns = now_ns;
	r.socket.snd_wnd = 0;
	r.socket.bytes_acked = r.socket.bytes_received = 0;
	return r;
}

/* The handshake of a and b, with these initial sequence numbers: it counts the SYN of a alone. */
static inline void ends_connect(__u32 of_a, __u32 of_b)
{
	a.socket.snd_una = a.socket.snd_nxt = b.socket.rcv_nxt = of_a + 1;
	a.socket.bytes_acked = 1;
	b.socket.snd_una = b.socket.snd_nxt = a.socket.rcv_nxt = of_b + 1;
	b.socket.bytes_acked = a.socket.bytes_received = b.socket.bytes_received = 0;
}

/* From a to b, which acknowledges all but the last one. */
static inline void ends_send(__u32 n)
{
	a.socket.snd_nxt += n;
	a.socket.snd_una += n - 1;
	a.socket.bytes_acked += n - 1;
	b.socket.rcv_nxt += n;
	b.socket.bytes_received += n;
}

static inline void ends_begin(__u64 now_ns)
{
	a = ends_one(64, "10.0.0.1", 4000, "10.0.0.2", 80, now_ns);
	b = ends_one(128, "10.0.0.2", 80, "10.0.0.1", 4000, now_ns);
	a.socket.flags |= LP_F_CONNECTED;
	b.socket.flags |= LP_F_ACCEPTED;
	ends_connect(0xfffffe00u, 6999); /* sequence numbers wrap */
	ends_send(1000);
	b.socket.netns = 2;
}

#endif
