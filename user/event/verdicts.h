/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is the peer still there? The verdict on one look at a connection, and what else it tells: pure functions. */
#ifndef LOSTPEER_VERDICTS_H
#define LOSTPEER_VERDICTS_H

#include <stdbool.h>

#include "event/data.h"
#include "event/event.h"
#include "socket.h"

/* The verdicts of lostpeer-events(7): the first that fits. */
enum check_verdict {
	CHECK_ERRORED,
	CHECK_STALLED,
	CHECK_WINDOW_CLOSED,
	CHECK_CONNECTING,
	CHECK_CLOSED,
	CHECK_CLOSING,
	CHECK_ALIVE,
	CHECK_UNPROVEN,
	CHECK_COUNT
};

const char *verdicts_name(enum check_verdict verdict);
enum check_verdict verdicts_judge(const struct lp_socket *socket, __u32 alive_within_ms);
bool verdicts_is_lost(enum check_verdict verdict);
/* 0 is the worst. */
unsigned verdicts_rank(enum check_verdict verdict);

bool verdicts_is_connection(const struct lp_socket *socket); /* not a listener, not one that never connected */
bool verdicts_is_unaccepted(const struct lp_socket *socket); /* in its listener's queue still */
bool verdicts_read_closed(const struct lp_socket *socket);
bool verdicts_write_closed(const struct lp_socket *socket);
/* As lostpeer-events(7) has it: where the connection is. */
enum lp_phase verdicts_phase(const struct lp_socket *socket);
/* Since the peer's FIN came, in milliseconds; negative: it has not, or nobody knows when. */
long long verdicts_fin_ms(const struct lp_socket *socket);

/* All that is said of a connection. */
struct check {
	const struct lp_socket *socket;
	enum check_verdict verdict;
	__u32 alive_within_ms;
	long long fd;                                 /* of the process; negative: none */
	long long gives_up_ms, next_probe_ms, fin_ms; /* negative: not known */
	struct event event;                           /* record, data, owner, place; not the verdict on an event */
	struct lp_record record;
};

/* Fills all but the owner. */
void verdicts_fill(struct check *check, const struct lp_socket *socket, __u32 alive_within_ms);

#endif
