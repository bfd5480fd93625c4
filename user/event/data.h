/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What data was at stake: sequence numbers of struct tcp_sock turned into bytes of payload. */
#ifndef LOSTPEER_DATA_H
#define LOSTPEER_DATA_H

#include <stdbool.h>

#include "socket.h"

/* Bytes; SYN and FIN are never counted. */
struct data {
	__u32 unread;  /* received and acknowledged, not yet read by the application */
	__u32 unacked; /* sent, not acknowledged */
	__u32 unsent;  /* written by the application, never sent */
	__u32 waiting; /* unacked + unsent + a FIN of ours that is not acknowledged */
	__u64 sent;    /* acknowledged over its life */
	__u64 received;
};

/* An IPv4 peer on an IPv6 socket. */
bool data_is_mapped(const struct lp_socket *socket);

/* close(2) or exit is dropping the last reference: not connect(2), shutdown(2) or a softirq. */
bool data_closing_now(const struct lp_socket *socket);

struct data data_of(const struct lp_socket *socket);

#endif
