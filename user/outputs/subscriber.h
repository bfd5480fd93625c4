/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A client of the subscription socket: its filter, and a buffer of SUBSCRIBER_BYTES besides the socket's own. Events
 * that do not fit are lost for this subscriber alone, and its stream reports the gap as soon as there is room. Nothing
 * here blocks.
 */
#ifndef LOSTPEER_SUBSCRIBER_H
#define LOSTPEER_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "event/event.h"
#include "filter/filter.h"
#include "base/line.h"
#include "outputs/subscription.h"

#define SUBSCRIBER_BYTES (1u << 20) /* about 1,100 lines; allocated as needed */

struct format_context;
struct server;

enum subscriber_stage {
	SUBSCRIBER_ASKS,  /* has not sent its line yet */
	SUBSCRIBER_WAITS, /* has sent it; the kernel does not deliver for it yet */
	SUBSCRIBER_READS,
	SUBSCRIBER_LEAVES, /* has left or is to be removed; gets nothing more */
};

struct subscriber {
	int fd;
	__u32 uid;
	struct server *server; /* watches the descriptor */
	enum subscriber_stage stage;
	__u64 line_by_ns; /* CLOCK_MONOTONIC */
	struct filter filter;
	__u64 generation; /* of the first audience that includes it; 0: none yet */
	size_t asked;     /* bytes of its line so far */
	char line[SUBSCRIPTION_LINE_MAX];

	char *bytes; /* `waiting` bytes to send, beginning at `start` */
	size_t start, waiting, size;
	bool slow;        /* its socket is full and the server polls it; set by the server */
	struct loss lost; /* last_ns 0: nothing */
	bool lost_hidden; /* includes a gap whose count it may not see */
};

/* Takes ownership of the descriptor, which must be non-blocking. NULL when out of memory. */
struct subscriber *subscriber_new(int fd, __u32 uid, __u64 line_by_ns);
/* Closes it such that the client can still read what was sent. */
void subscriber_free(struct subscriber *subscriber);

/* Reads what has arrived of its line. false: more is to come. */
bool subscriber_read(struct subscriber *subscriber);
/* Parses the line, which is complete. false: it is wrong; the subscriber was refused. */
bool subscriber_ask(struct subscriber *subscriber);

/* The next three only fill the buffer; subscriber_send() sends it.
 * Puts in an error, after which the subscriber leaves. */
void subscriber_refuse(struct subscriber *subscriber, const char *why, size_t length);
/* Puts in the answer to its line: events that it wants are reported from this time on (CLOCK_REALTIME). */
void subscriber_begin(struct subscriber *subscriber, __u64 wall_ns);
/* Puts in the line of an event, or of a gap that other subscribers see as well. */
void subscriber_put(struct subscriber *subscriber, const struct line *line, const struct event *event,
		    const struct format_context *context);

/* Sends what the socket takes. Returns whether the buffer is empty. */
bool subscriber_send(struct subscriber *subscriber, const struct format_context *context);

#endif
