/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/data.h"

#include <netinet/tcp.h>

#include "base/address.h"

bool data_is_mapped(const struct lp_record *r)
{
	return r->socket.family == AF_INET6 && address_is_v4(address_of(AF_INET6, r->socket.peer_addr));
}

bool data_closing_now(const struct lp_record *r)
{
	if (!(r->socket.flags & LP_F_OWNED))
		return false;
	/* no reference is left then; without a file (a socket of the kernel's own) sk_shutdown must do */
	return (r->socket.flags & LP_F_FILE) ? r->socket.refs == 0 : r->socket.shutdown == 3;
}

static bool fin_queued(int state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

static bool fin_acked(int state)
{
	return state == TCP_FIN_WAIT2 || state == TCP_TIME_WAIT;
}

static __u32 less(__u32 value, __u32 by)
{
	return value > by ? value - by : 0;
}

struct data data_of(const struct lp_record *r)
{
	bool connecting = r->socket.state == TCP_SYN_SENT || r->socket.state == TCP_SYN_RECV;
	struct data d = {
		.unread = r->socket.rcv_nxt - r->socket.copied_seq,
		.unacked = r->socket.snd_nxt - r->socket.snd_una,
		.unsent = r->socket.write_seq - r->socket.snd_nxt,
		.waiting = r->socket.write_seq - r->socket.snd_una,
		.sent = r->socket.bytes_acked,
		.received = r->socket.bytes_received,
	};

	/* the peer's FIN is in rcv_nxt, and is read last */
	if (r->socket.flags & LP_F_FIN_IN)
		d.unread = less(d.unread, 1);
	if (r->socket.state == TCP_SYN_SENT)
		d.unread = 0; /* no sequence number of the peer's is known */
	/* a child's SYN is not in snd_una..snd_nxt: tcp_create_openreq_child() begins after it */
	if (r->socket.state == TCP_SYN_SENT || (connecting && (r->socket.flags & LP_F_CONNECTED)))
		d.unacked = less(d.unacked, 1);
	if (fin_queued(r->socket.state) && d.waiting > 0) {
		if (d.unsent)
			d.unsent--;
		else
			d.unacked = less(d.unacked, 1);
	}
	/* bytes_acked counts our SYN when we connected, and our FIN once it is acknowledged */
	if ((r->socket.flags & LP_F_CONNECTED) && r->socket.state != TCP_SYN_SENT)
		d.sent = d.sent ? d.sent - 1 : 0;
	if (d.sent && (fin_acked(r->socket.state) || (fin_queued(r->socket.state) && d.waiting == 0)))
		d.sent--;
	/* bytes_received counts the peer's FIN (tcp_rcv_nxt_update) */
	if ((r->socket.flags & LP_F_FIN_IN) && d.received)
		d.received--;
	return d;
}
