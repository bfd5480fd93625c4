/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The data at stake: bytes of payload, from the sequence numbers of struct tcp_sock. */
#ifndef LOSTPEER_DATA_H
#define LOSTPEER_DATA_H

#include <stdbool.h>

#include "socket.h"

/* Bytes; SYN and FIN are never counted. */
struct data {
	__u32 unread;  /* received and acknowledged, not yet read by the application */
	__u32 unacked; /* sent, not acknowledged by the peer */
	__u32 unsent;  /* written by the application, never sent */
	__u32 waiting; /* unacked + unsent + 1 for an unacknowledged FIN of ours */
	__u64 sent;    /* and acknowledged, since the connection began */
	__u64 received;
	bool unread_unknown, unsent_unknown; /* how much a sockmap or TLS holds of it is not known */
};

/* An IPv4 peer on an IPv6 socket. */
bool data_is_mapped(const struct lp_socket *socket);

/* close(2) or exit drops the last reference to the file; false for connect(2), shutdown(2) and a softirq. */
bool data_closing_now(const struct lp_socket *socket);

struct data data_of(const struct lp_socket *socket);

#endif
