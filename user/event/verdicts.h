/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is the peer still there? The verdict on one look at a connection, and what follows from it: pure functions. */
#ifndef LOSTPEER_VERDICTS_H
#define LOSTPEER_VERDICTS_H

#include <stdbool.h>

#include "event/data.h"
#include "event/event.h"
#include "socket.h"

/* The verdicts of lostpeer-events(7). The first that fits applies. */
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
bool verdicts_is_unaccepted(const struct lp_socket *socket); /* still in the accept queue */
bool verdicts_read_closed(const struct lp_socket *socket);
bool verdicts_write_closed(const struct lp_socket *socket);
enum lp_phase verdicts_phase(const struct lp_socket *socket);
/* Milliseconds since the peer's FIN; negative: none came, or the time is not known. */
long long verdicts_fin_ms(const struct lp_socket *socket);

/* What `lostpeer check` reports on a connection. */
struct check {
	const struct lp_socket *socket;
	enum check_verdict verdict;
	__u32 alive_within_ms;
	long long fd;                                 /* in the process; negative: none */
	long long gives_up_ms, next_probe_ms, fin_ms; /* negative: not known */
	struct event event;                           /* its record, error, data, owner and place; not its verdict */
	struct lp_record record;
};

/* Fills all but the owner. */
void verdicts_fill(struct check *check, const struct lp_socket *socket, __u32 alive_within_ms);

#endif
