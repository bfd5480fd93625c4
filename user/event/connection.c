/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/connection.h"

#include <netinet/tcp.h>

#include "base/address.h"

__u64 connection_initial(const struct lp_record *r)
{
	return lp_initial(r->socket.snd_una, r->socket.bytes_acked, r->socket.rcv_nxt, r->socket.bytes_received);
}

/* Closed in repair mode, a socket says nothing to the peer, whose other end is from then on another one, here or on
 * another host. */
static bool was_moved(const struct lp_record *r)
{
	return r->kind == LP_KIND_CLOSE && (r->socket.flags & LP_F_REPAIR);
}

bool connection_has_other(const struct lp_record *r)
{
	return !was_moved(r) && r->kind != LP_KIND_NO_CONNECT && r->kind != LP_KIND_STRAY &&
	       r->socket.state != TCP_LISTEN && r->socket.state != TCP_SYN_SENT && connection_initial(r);
}

struct connection_others connection_others(const struct lp_record *r)
{
	struct connection_others others = {0};

	if (!(r->socket.flags & LP_F_ACCEPTED))
		others.initial[others.n++] = lp_initial_there(connection_initial(r), true);
	if (!(r->socket.flags & LP_F_CONNECTED))
		others.initial[others.n++] = lp_initial_there(connection_initial(r), false);
	return others;
}

bool connection_is_loopback(const struct lp_record *r)
{
	static const struct address one = {{[15] = 1}};
	struct address local = address_of(r->socket.family, r->socket.local_addr);
	struct address peer = address_of(r->socket.family, r->socket.peer_addr);

	return address_is_same(local, peer) || address_is_same(peer, one) ||
	       (address_is_v4(peer) && peer.bytes[12] == 127);
}
