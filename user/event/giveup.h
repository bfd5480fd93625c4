/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the kernel will give a connection up, if nothing more is heard from the peer: a model of its timers (tcp_timer.c:
 * tcp_write_timeout, retransmits_timed_out, tcp_probe_timer, tcp_keepalive_timer), so "about". Pure functions.
 */
#ifndef LOSTPEER_GIVEUP_H
#define LOSTPEER_GIVEUP_H

#include "socket.h"

/* Milliseconds from the look; negative: not known, or it waits for ever, or it has no reason yet. A reason is a
 * retransmission, an unanswered probe, a SYN, or a closed window with TCP_USER_TIMEOUT. */
long long giveup_ms(const struct lp_socket *socket);

/* Milliseconds until the next keepalive probe; negative: none is due. */
long long giveup_next_probe_ms(const struct lp_socket *socket);

#endif
