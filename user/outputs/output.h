/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where events go. An output is its operations (one file each) behind a bounded queue with a writer thread of its
 * own, so that a reader who stalls costs only this output's events: what does not fit is counted, and told in the
 * stream itself (events_lost) as soon as there is room.
 */
#ifndef LOSTPEER_OUTPUT_H
#define LOSTPEER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "format.h"

/* Bytes of lines that may wait; about 4,600 JSON lines. Memory is taken only as it is used. */
#define OUTPUT_QUEUE_BYTES (4u << 20)

struct output;

struct output_ops {
	const char *name;
	/* A descriptor-like state in *state; 0 or a negative errno. */
	int (*open)(void **state, const char *target);
	/* Writes whole lines; may block. How many bytes are surely out, and *error: 0 or an errno. */
	size_t (*write)(void *state, const char *lines, size_t length, int *error);
	void (*close)(void *state);
};

extern const struct output_ops output_stdout, output_file, output_null;

struct output_counts {
	__u64 written;
	__u64 output_full;
	__u64 write_failed;
	__u64 stopped;
	__u64 waiting; /* in the queue */
	__u64 untold;  /* of these, what was lost in records that stand for several events (event.h) */
};

/* NULL after a message on stderr; target must outlive it. gone_fd: an eventfd that is written to when the reader has left (EPIPE), or -1. */
struct output *output_open(const struct output_ops *ops, const char *target, format_event *format,
			   const struct format_context *context, int gone_fd);
/* Never blocks. */
void output_put(struct output *output, const struct event *event);
/* Writes what waits, as long as the reader takes anything within `patience_ms`; counts the rest as `stopped`. */
void output_finish(struct output *output, int patience_ms);
/* Of events. events_lost lines are in none; a record that stands for several is not in written or waiting either, and
 * where it is lost, all it stands for is. */
struct output_counts output_counts(struct output *output);
void output_close(struct output *output);

#endif
