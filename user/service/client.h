/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lostpeer watch without privileges: an agent sends its events as JSON over the subscription socket, and the client
 * filters, groups and formats them. The agent cannot do that: text needs the reader's time zone (TZ); a filter may
 * contain what a subscriber may not ask for (blanks, patterns of units); and grouping keeps 10 KiB for each of 1,024
 * bursts and for each cause of 1,024 processes, while a subscriber may cost the agent 1 MiB at most.
 */
#ifndef LOSTPEER_CLIENT_H
#define LOSTPEER_CLIENT_H

#include <stdbool.h>
#include <asm/types.h>

#include "outputs/feed.h"

struct client;

/* Connects to the agent's socket at this path and subscribes to the events that the feed wants. Takes the feed's
 * settings. NULL after a message on stderr. */
struct client *client_open(const char *path, struct feed_settings *feed);
/* Runs until SIGINT, SIGTERM or SIGHUP, most_events of the feed, most_ns (0: no limit), or until the reader leaves. The
 * end of the agent is an error, with a message on stderr. 0 or a negative errno. */
int client_run(struct client *client, __u64 most_ns);
/* Reports the events that wait, flushes. */
struct ledger client_finish(struct client *client);
void client_close(struct client *client);

#endif
