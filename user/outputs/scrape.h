/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers GET /metrics over HTTP, in a thread of its own (libmicrohttpd). Who connects costs himself: connections and
 * their time are bounded, the oldest gives way to a new one, and what is asked for too often waits.
 */
#ifndef LOSTPEER_SCRAPE_H
#define LOSTPEER_SCRAPE_H

#include <stdbool.h>
#include <stdio.h>

struct scrape;
struct endpoint;

/* Writes the text that is answered; in the thread, which is to be waited for once *closing is true. */
typedef void scrape_write(void *context, FILE *to, const bool *closing);

/* Where another one of this process listens already, both do until that is closed, and nobody is refused in between. 0
 * or a negative errno. */
int scrape_open(struct scrape **scrape, const struct endpoint *at, scrape_write *write, void *context);
void scrape_close(struct scrape *scrape);

#endif
