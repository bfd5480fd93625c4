/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Through whose doing a connection ended, beside the cause: whether what this host sent ever left it, and whose RST came
 * in. Pure functions. */
#ifndef LOSTPEER_BLAME_H
#define LOSTPEER_BLAME_H

#include <stdbool.h>

#include "event/cause.h"

struct close_facts;
struct verdict;

/* Nothing is in flight, and this host dropped every probe that it sent since it last heard the peer. */
bool blame_no_probe_left(const struct close_facts *facts);

/* TCP_USER_TIMEOUT is set, and had run out when a timer ended the connection. The timer of window probes ends it by their
 * number or by that time, whichever comes first; so does the timer of retransmissions while the window is closed. */
bool blame_user_timeout_ran_out(const struct close_facts *facts);
/* It may have been their number, on a kernel that does not note when it began to probe. */
bool blame_user_timeout_is_guessed(const struct close_facts *facts);

/* BY_UNKNOWN where no fact decides. */
enum lp_by blame_of(const struct close_facts *facts, enum lp_cause cause);

/* The other end of the connection did not send the RST that came in. */
void blame_clear_peer(struct verdict *verdict);

/* What happened, for people: cause_sentence(), unless that is not true of who did it. */
const char *blame_sentence(enum lp_cause cause, enum lp_by by);

#endif
