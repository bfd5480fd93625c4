/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where events go. An output is its operations (one file each) behind a bounded queue with a writer thread of its
 * own, so that one who stalls or fails costs only this output's events: what does not fit is counted, and told in the
 * stream itself (events_lost) as soon as there is room.
 *
 * A new output is one file with its operations, a line in outputs.def, and its section in lostpeer.conf(5).
 */
#ifndef LOSTPEER_OUTPUT_H
#define LOSTPEER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "format/format.h"
#include "base/options.h"

/* Bytes of entries that may wait; about 4,600 JSON lines. Memory is taken only as it is used. */
#define OUTPUT_QUEUE_BYTES (4u << 20)
#define FEEDS_MAX 32      /* outputs at once: far more than anybody reads */
#define FEED_TITLE_LEN 64 /* "file audit" */

/* The most entries that one write() gets. */
#define OUTPUT_BATCH 1024

struct output;
struct health;

/* What an output may ask of the agent. */
struct output_agent {
	void *agent;
	/* Any thread but the agent's own, between open and close; waits for the agent, unless *given_up is or becomes true,
	 * as it must before close() waits for that thread. false: not known. NULL: nobody is there to be asked. */
	bool (*health)(void *agent, struct health *health, const bool *given_up);
	/* Any thread: an output has another audience than before, for which it is soon asked. */
	void (*audience_changed)(void *agent);
	const struct format_context *format; /* for what is formatted later than in format() */
};

/*
 * What one kind of output is. settings: ops->settings_size bytes, zeroed and then filled by the keys' set(); they hold
 * no pointer (nobody frees them) and live as long as the output.
 *
 * write, reopen and flush run in the writer thread, one at a time; open and close in the main thread, while that does
 * not run. The writer has no signal but SIGSYS unblocked, and no right that open did not have (lostpeer agent; SECURITY.md).
 */
struct output_ops {
	const char *name; /* the first word of its section's title, as in "[syslog far]" */
	const char *help; /* a line: what it is */

	/* Its own keys, beside those that every output has (feed.h): filters, all, group, rate. set() gets settings as its
	 * context; value NULL for a key without argument. */
	struct option_group keys;
	size_t settings_size;
	/* Where it goes, for messages; NULL: its name says it. */
	const char *(*target)(const void *settings);
	bool exclusive; /* two that go to the same place would get in each other's way */
	/* After all keys are set: NULL, or what is wrong with them together ("needs a path"). NULL: nothing can be. */
	const char *(*check)(void *settings);
	/* Makes an entry of the queue, which need not be text. NULL: the settings choose; they begin with a struct
	 * lines_settings. */
	format_event *format;
	/* Where the configuration does not say. */
	__u64 group_ns;
	unsigned rate;

	/* A state in *state; 0 or a negative errno. */
	int (*open)(void **state, const void *settings, const struct output_agent *agent);
	/* Writes entries, in their order; may block. How many are surely out whole; if not all, *error is the errno, and the
	 * rest is lost: counted as write_failed and told when writing works again. The entries lie one after the other in
	 * memory: from entries[0].iov_base on they are one text. */
	size_t (*write)(void *state, const struct iovec *entries, size_t n, int *error);
	/* SIGHUP: 0 or a negative errno, and then it goes on with what it has. NULL: there is nothing to open again. */
	int (*reopen)(void *state);
	/* Nothing waits any more: brings out what write() has kept, or to the disk. 0 or a negative errno, which is only said.
	 * NULL: nothing to do. */
	int (*flush)(void *state);
	void (*close)(void *state);
};

/* All there are, ended by NULL. */
extern const struct output_ops *const output_list[];
/* NULL: there is none of this name. */
const struct output_ops *output_ops_by_name(const char *name, size_t length);
/* Then: why not. */
const char *output_why_unknown(const char *name, size_t length);
/* Where an output of these settings goes; NULL: its name says it. */
const char *output_target(const struct output_ops *ops, const void *settings);

#define OUTPUT(name) extern const struct output_ops output_##name;
#include "outputs/outputs.def"
#undef OUTPUT

struct output_counts {
	__u64 written;
	__u64 output_full;
	__u64 write_failed;
	__u64 stopped;
	__u64 waiting; /* in the queue */
	__u64 untold;  /* of these, what was lost in records that stand for several events (event.h) */
};

struct output_options {
	const struct output_ops *ops;
	const void *settings;
	const char *title; /* for messages: "file audit" */
	const struct output_agent *agent;
	struct format_context context;
	int reader_gone_fd; /* an eventfd that is written to when the reader has left (EPIPE), after which nothing more is written;
			-1: that is an error like any other */
};

/* Opens, without a thread as yet. NULL after a message on stderr; what options point to must outlive it. */
struct output *output_open(const struct output_options *options);
/* What was put waits until then. 0 or a negative errno. */
int output_start(struct output *output);
/* Never blocks. The writer sleeps on until there is a whole batch, or output_wake: waking it costs more than an event. */
void output_put(struct output *output, const struct event *event);
void output_wake(struct output *output);
/* As open() returned it. */
void *output_state(struct output *output);
/* Soon: the writer does it between two writes. */
void output_reopen(struct output *output);
/* Puts in what is to be told of losses; nothing more is put after it. Whether all is written. */
bool output_is_done(struct output *output);
/* Writes what waits, as long as the reader takes anything within `patience_ms`; counts the rest as `stopped`. */
void output_finish(struct output *output, int patience_ms);
/* Of events. events_lost are in none; a record that stands for several is not in written or waiting either, and
 * where it is lost, all it stands for is. */
struct output_counts output_counts(struct output *output);
/* false: its writer is stuck in a write() that may never return, and what the options point to must live on. */
bool output_close(struct output *output);

#endif
