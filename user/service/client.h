/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lostpeer watch without rights: an agent sends its events as JSON over the subscription socket; they are read back, and
 * filtered, grouped and formatted here. The agent does none of that for it: text has the reader's time zone (TZ), a
 * filter may hold what a subscriber may not ask for (blanks, patterns of units), and grouping keeps 10 KiB for each of
 * 1,024 bursts, and for each cause of 1,024 processes, where a subscriber costs the agent 1 MiB at most.
 */
#ifndef LOSTPEER_CLIENT_H
#define LOSTPEER_CLIENT_H

#include <stdbool.h>
#include <asm/types.h>

#include "outputs/feed.h"

struct client;

/* Connects to the agent's socket there and asks for what this feed wants, whose settings it takes. NULL after a
 * message on stderr. */
struct client *client_open(const char *path, struct feed_settings *feed);
/* Until SIGINT, SIGTERM or SIGHUP, most_events of the feed, most_ns (0: do not), a reader that left; or the end of the
 * agent, which is an error after a message on stderr. 0 or a negative errno. */
int client_run(struct client *client, __u64 most_ns);
/* Tells what waits, flushes. */
struct ledger client_finish(struct client *client);
void client_close(struct client *client);

#endif
