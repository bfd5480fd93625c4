/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdict on a record: cause, by, phase, and what else may have happened. Pure functions; the rules of a close are
 * in cause.c.
 */
#ifndef LOSTPEER_JUDGE_H
#define LOSTPEER_JUDGE_H

#include <stdbool.h>

#include "event/cause.h"
#include "record.h"

/* Which hooks the running kernel has for the verdict. */
struct judge_kernel {
	bool error_report;      /* inet_sk_error_report, since 5.14 */
	bool send_reset;        /* tcp_send_reset is attached */
	bool probe_time;        /* a socket has the time of its first window probe, since 5.10.11 */
	bool retransmit;        /* tcp_retransmit_skb is attached */
	bool retransmit_failed; /* ... and also shows what could not be sent, since 6.18 */
};

struct verdict {
	enum lp_cause cause; /* CAUSE_NONE: no event */
	enum lp_by by;       /* BY_UNKNOWN: no fact decides */
	enum lp_phase phase;
	enum lp_cause ambiguous; /* another cause that fits and that this kernel cannot rule out, or CAUSE_NONE */
};

/* Whether the verdict on a CLOSE depends on a RST that this host may send within a millisecond after it. */
bool judge_waits_for_reset(const struct lp_record *r);

/* reset_after: this host sent that RST. */
struct verdict judge_record(const struct lp_record *r, bool reset_after, const struct judge_kernel *kernel);

/* The verdict on what the agent found by looking: the cause is known, the rest follows from the socket. */
struct verdict judge_found(const struct lp_record *r, enum lp_cause cause);

#endif
