/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/data.h"

#include <netinet/tcp.h>

#include "base/address.h"

bool data_is_mapped(const struct lp_socket *s)
{
	return s->family == AF_INET6 && address_is_v4(address_of(AF_INET6, s->peer_addr));
}

bool data_closing_now(const struct lp_socket *s)
{
	if (!(s->flags & LP_F_OWNED))
		return false;
	/* close(2) runs with no reference left; a socket of the kernel has no file, but sk_shutdown */
	return (s->flags & LP_F_FILE) ? s->refs == 0 : s->shutdown == 3;
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

/* Bytes from one sequence number to another; 0 if that is behind, as where a look reads the two one after the other. */
static __u32 span(__u32 from, __u32 to)
{
	return (__s32)(to - from) > 0 ? to - from : 0;
}

struct data data_of(const struct lp_socket *s)
{
	bool connecting = s->state == TCP_SYN_SENT || s->state == TCP_SYN_RECV;
	struct data d = {
		.unread = span(s->copied_seq, s->rcv_nxt),
		.unacked = span(s->snd_una, s->snd_nxt),
		.unsent = span(s->snd_nxt, s->write_seq),
		.waiting = span(s->snd_una, s->write_seq),
		.sent = s->bytes_acked,
		.received = s->bytes_received,
	};

	if (s->state == TCP_CLOSE) /* only the state before CLOSE tells whether SYN or FIN are among these */
		d.unacked = d.unsent = d.waiting = 0;
	/* rcv_nxt includes the peer's FIN */
	if (s->flags & LP_F_FIN_IN)
		d.unread = less(d.unread, 1);
	if (s->state == TCP_SYN_SENT)
		d.unread = 0; /* the sequence numbers of the peer are not known yet */
	d.unread += s->aside;
	d.unread_unknown = (s->flags & LP_F_UNREAD_UNKNOWN) || ((s->flags & LP_F_UNREAD_MORE) && !d.unread);
	d.unsent_unknown = s->flags & LP_F_UNSENT_UNKNOWN;
	/* snd_una of a child is after its SYN: tcp_create_openreq_child() */
	if (s->state == TCP_SYN_SENT || (connecting && (s->flags & LP_F_CONNECTED)))
		d.unacked = less(d.unacked, 1);
	if (fin_queued(s->state) && d.waiting > 0) {
		if (d.unsent)
			d.unsent--;
		else
			d.unacked = less(d.unacked, 1);
	}
	/* bytes_acked counts the SYN of a client, and our acknowledged FIN */
	if ((s->flags & LP_F_CONNECTED) && s->state != TCP_SYN_SENT)
		d.sent = d.sent ? d.sent - 1 : 0;
	if (d.sent && (fin_acked(s->state) || (fin_queued(s->state) && d.waiting == 0)))
		d.sent--;
	/* bytes_received counts the peer's FIN (tcp_rcv_nxt_update) */
	if ((s->flags & LP_F_FIN_IN) && d.received)
		d.received--;
	return d;
}
