/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why: the verdict over one record, or over two joined (a CLOSE, and the RST that we sent right after).
 * Pure functions; the causes and their rules are in cause.c.
 */
#ifndef LOSTPEER_JUDGE_H
#define LOSTPEER_JUDGE_H

#include <stdbool.h>

#include "event/cause.h"
#include "record.h"

/* What the running kernel can show. */
struct cause_kernel {
	bool error_report; /* inet_sk_error_report, from 5.14 */
	bool send_reset;   /* tcp_send_reset is attached */
};

struct verdict {
	enum lp_cause cause; /* CAUSE_NONE: no event */
	enum lp_by by;
	enum lp_phase phase;
	enum lp_cause ambiguous; /* the other cause that this kernel cannot rule out, or CAUSE_NONE */
};

/* Whether a CLOSE must wait, a millisecond at most, for the RST that we may send right after it. */
bool cause_waits_for_reset(const struct lp_record *r);

/* reset_after: the RST that we sent after this CLOSE was seen (a joined record, or LP_F_RST_AFTER). */
struct verdict cause_judge(const struct lp_record *r, bool reset_after, const struct cause_kernel *kernel);

#endif
