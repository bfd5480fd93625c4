/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers GET /metrics over HTTP, in its own thread (libmicrohttpd). Clients can cost the agent little: the number of
 * connections and their idle time are bounded, a new connection replaces the oldest, and too frequent requests wait.
 */
#ifndef LOSTPEER_SCRAPE_H
#define LOSTPEER_SCRAPE_H

#include <stdbool.h>
#include <stdio.h>

struct scrape;
struct endpoint;

/* Writes the answer, in the thread. Must return soon once *closing is true: scrape_close() waits for it. */
typedef void scrape_write(void *context, FILE *to, const bool *closing);

/* If this process already listens there, both share the socket until the older closes, so that no client is refused in
 * between. 0 or a negative errno. */
int scrape_open(struct scrape **scrape, const struct endpoint *at, scrape_write *write, void *context);
void scrape_close(struct scrape *scrape);

#endif
