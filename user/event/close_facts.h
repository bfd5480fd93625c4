/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The facts of one close, named as the rules of cause.c speak of them; judge.c takes them out of the record. */
#ifndef LOSTPEER_CLOSE_FACTS_H
#define LOSTPEER_CLOSE_FACTS_H

#include <stdbool.h>

#include "record.h"

struct cause_kernel;

struct close_facts {
	const struct lp_record *r;
	const struct cause_kernel *kernel;
	int old;         /* the TCP state it left */
	int err;         /* sk_err */
	bool owned;      /* process context */
	bool dead;       /* orphaned */
	bool socket;     /* accepted or connected, and still held */
	bool unaccepted; /* in the accept queue */
	bool fin_in;     /* the peer's FIN had come */
	bool remembered; /* without this the next two say nothing */
	bool rst_in;
	bool rst_out; /* before CLOSE */
	bool reset_after;
	bool mptcp;
	bool by_close;     /* the last reference to the file is being dropped: close(2) or exit, not connect(2) */
	bool in_flight;    /* something sent is not acknowledged */
	bool waiting;      /* payload or FIN of ours is not acknowledged, sent or not */
	bool payload_lost; /* payload of ours is not acknowledged, sent or not */
	bool unread;
	bool in_fin_wait; /* FIN_WAIT1 or FIN_WAIT2 */
	bool both_over;   /* LAST_ACK or CLOSING */
};

#endif
