/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer without rights: told by an agent, over its subscription socket, what it then filters, groups and shows
 * itself. */
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
