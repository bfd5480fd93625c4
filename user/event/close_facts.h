/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One close in the words of the rules in cause.c. judge.c derives it from the record. */
#ifndef LOSTPEER_CLOSE_FACTS_H
#define LOSTPEER_CLOSE_FACTS_H

#include <stdbool.h>

#include "record.h"

struct judge_kernel;

struct close_facts {
	const struct lp_record *r;
	const struct judge_kernel *kernel;
	int old;         /* the TCP state before CLOSE */
	int err;         /* sk_err */
	bool owned;      /* process context */
	bool dead;       /* orphaned */
	bool socket;     /* accepted or connected, and not orphaned */
	bool unaccepted; /* in the accept queue */
	bool fin_in;     /* the peer's FIN was received */
	bool remembered; /* false: rst_in and rst_out are unknown */
	bool rst_in;
	bool rst_out; /* before CLOSE; reset_after: after it */
	bool reset_after;
	bool mptcp;
	bool by_close;     /* close(2) or exit drops the last reference to the file; false for connect(2) */
	bool in_flight;    /* the peer has not acknowledged all that was sent */
	bool waiting;      /* the same of payload and FIN, sent or not */
	bool payload_lost; /* the same of payload, sent or not */
	bool unread;
	bool in_fin_wait; /* FIN_WAIT1 or FIN_WAIT2 */
	bool both_over;   /* LAST_ACK or CLOSING */
};

#endif
