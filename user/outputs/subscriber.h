/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One who connected to the subscription socket: what he asks for, and what waits for him to read it. He gets a buffer
 * of SUBSCRIBER_BYTES beside the socket's own; what does not fit is lost to him alone, and told in his stream as soon
 * as there is room. Nothing here waits.
 */
#ifndef LOSTPEER_SUBSCRIBER_H
#define LOSTPEER_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "event/event.h"
#include "filter/filter.h"
#include "base/line.h"
#include "outputs/subscription.h"

#define SUBSCRIBER_BYTES (1u << 20) /* some 1100 lines; taken as it is used */

struct format_context;
struct server;

enum subscriber_stage {
	SUBSCRIBER_ASKS,  /* his line is waited for */
	SUBSCRIBER_WAITS, /* ... and is there: the kernel is to be asked */
	SUBSCRIBER_READS,
	SUBSCRIBER_LEAVES, /* he has, or is to: nothing is told to him any more */
};

struct subscriber {
	int fd;
	__u32 uid;
	struct server *server; /* which watches the descriptor */
	enum subscriber_stage stage;
	__u64 line_by_ns; /* CLOCK_MONOTONIC */
	struct filter filter;
	__u64 generation; /* of the audience that he is in */
	size_t asked;     /* bytes of his line by now */
	char line[SUBSCRIPTION_LINE_MAX];

	char *bytes; /* from `start` on so many wait */
	size_t start, waiting, size;
	bool slow;        /* it is waited for that his socket takes more; for whoever does */
	struct loss lost; /* last_ns 0: nothing */
	bool lost_hidden; /* some of it in a gap: of how many, he is not to know */
};

/* Takes the descriptor, which does not block. NULL when out of memory. */
struct subscriber *subscriber_new(int fd, __u32 uid, __u64 line_by_ns);
/* Closes it, so that what was sent can still be read. */
void subscriber_free(struct subscriber *subscriber);

/* Reads of his line what is there. false: there is more to come. */
bool subscriber_read(struct subscriber *subscriber);
/* It is all there will be: understands it. false: he was told what is wrong, and leaves. */
bool subscriber_ask(struct subscriber *subscriber);

/* Those that follow put in what is to be sent.
 * What is wrong; he leaves. */
void subscriber_refuse(struct subscriber *subscriber, const char *why, size_t length);
/* From this time on (CLOCK_REALTIME) what he asked for is told. */
void subscriber_begin(struct subscriber *subscriber, __u64 wall_ns);
/* A line, of an event of that time; or a gap that others see as well. */
void subscriber_put(struct subscriber *subscriber, const struct line *line, const struct event *event,
		    const struct format_context *context);

/* Sends what the socket takes. Whether nothing waits any more. */
bool subscriber_send(struct subscriber *subscriber, const struct format_context *context);

#endif
