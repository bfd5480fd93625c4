/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the kernel will give up a connection if the peer stays silent: a model of its timers, not exact (tcp_timer.c:
 * tcp_write_timeout, retransmits_timed_out, tcp_probe_timer, tcp_keepalive_timer). Pure functions.
 */
#ifndef LOSTPEER_GIVEUP_H
#define LOSTPEER_GIVEUP_H

#include "socket.h"

/* Milliseconds from the look; negative: never, not known, or the kernel has no reason yet. A reason is a retransmission,
 * an unanswered probe, a SYN, or a closed window with TCP_USER_TIMEOUT. */
long long giveup_ms(const struct lp_socket *socket);

/* Milliseconds from the look to the next keepalive probe; negative: none will be sent. */
long long giveup_next_probe_ms(const struct lp_socket *socket);

#endif
