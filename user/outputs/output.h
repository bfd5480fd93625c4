/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An output is a set of operations behind a bounded queue with its own writer thread, so that an output that stalls or
 * fails loses only its own events. Lost events are counted, and reported in the stream (events_lost) as soon as there
 * is room.
 *
 * A new output takes one file with its operations, a line in outputs.def, and a section in lostpeer.conf(5).
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
#define FEEDS_MAX 32      /* outputs at once, far more than anybody needs */
#define FEED_TITLE_LEN 64 /* "file audit" */

/* The most entries in one write(). */
#define OUTPUT_BATCH 1024

struct output;
struct health;

/* The agent, as outputs see it. */
struct output_agent {
	void *agent;
	/* For any thread but the agent's own, between open and close. Waits for the agent until *given_up becomes true,
	 * which must happen before close() joins that thread. Returns false if there was no answer. NULL: there is no
	 * agent. */
	bool (*health)(void *agent, struct health *health, const bool *given_up);
	/* For any thread: the audience of an output has changed. The agent soon asks for it. */
	void (*audience_changed)(void *agent);
	const struct format_context *format; /* for formatting outside format() */
};

/*
 * One kind of output. settings: ops->settings_size bytes, zeroed, then filled by the keys' set(). They live as long as
 * the output and own no memory, since nothing in them is freed.
 *
 * write, reopen and flush run in the writer thread, one at a time; open and close run in the main thread while the
 * writer does not run. The writer blocks all signals but SIGSYS, and has no privilege that open lacked (SECURITY.md).
 */
struct output_ops {
	const char *name; /* the first word of its section's title, as in "[syslog far]" */
	const char *help; /* one line */

	/* Its own keys, besides those of every output (feed.h): filters, all, group, rate. set() gets the settings as
	 * its context, and value NULL for a key without argument. */
	struct option_group keys;
	size_t settings_size;
	/* The destination, for messages. NULL: the name is enough. */
	const char *(*target)(const void *settings);
	bool exclusive; /* two outputs must not share a target */
	/* Called after all keys are set. Returns NULL, or what is wrong ("needs a path"). NULL: nothing to check. */
	const char *(*check)(void *settings);
	/* Makes a queue entry, not necessarily text. NULL: chosen by the settings, which begin with lines_settings. */
	format_event *format;
	/* The defaults of these keys. */
	__u64 group_ns;
	unsigned rate;

	/* Sets *state. 0 or a negative errno. */
	int (*open)(void **state, const void *settings, const struct output_agent *agent);
	/* Writes entries in order; may block. Returns how many were certainly written whole. If not all, sets *error to
	 * an errno, and the rest is lost: counted as write_failed, and reported when writing works again. The entries
	 * are contiguous in memory, beginning at entries[0].iov_base. */
	size_t (*write)(void *state, const struct iovec *entries, size_t n, int *error);
	/* After SIGHUP. 0, or a negative errno with the old state still in use. NULL: nothing to reopen. */
	int (*reopen)(void *state);
	/* Called when the queue is empty: writes what write() has buffered, or syncs it to disk. 0 or a negative errno,
	 * which is only printed. NULL: nothing to do. */
	int (*flush)(void *state);
	void (*close)(void *state);
};

/* Ends with NULL. */
extern const struct output_ops *const output_list[];
/* NULL if there is none of this name. */
const struct output_ops *output_ops_by_name(const char *name, size_t length);
/* Why there is none. */
const char *output_why_unknown(const char *name, size_t length);
/* The destination of an output with these settings; NULL: the name is enough. */
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
	__u64 untold;  /* of the lost: those in records that stand for several events (event.h) */
};

struct output_options {
	const struct output_ops *ops;
	const void *settings;
	const char *title; /* for messages: "file audit" */
	const struct output_agent *agent;
	struct format_context context;
	int reader_gone_fd; /* eventfd to signal when the reader has left (EPIPE), after which nothing more is written;
			       -1: EPIPE is an error like any other */
};

/* Opens, without starting the thread. NULL after a message on stderr. All that the options point to must outlive it. */
struct output *output_open(const struct output_options *options);
/* Starts the writer thread; events put earlier wait for it. 0 or a negative errno. */
int output_start(struct output *output);
/* Never blocks. The writer sleeps until a batch is full or output_wake(), since a wake-up costs more than an event. */
void output_put(struct output *output, const struct event *event);
void output_wake(struct output *output);
/* The state that open() set. */
void *output_state(struct output *output);
/* The writer reopens between two writes. */
void output_reopen(struct output *output);
/* Queues the last reports of losses, and returns whether all is written. Nothing may be put after it. */
bool output_is_done(struct output *output);
/* Writes the queue, as long as the reader takes something within `patience_ms`; counts the rest as `stopped`. */
void output_finish(struct output *output, int patience_ms);
/* Counts events. events_lost are not counted. A record that stands for several events is not in written or waiting;
 * if it is lost, all its events are. */
struct output_counts output_counts(struct output *output);
/* false: the writer is stuck in a write() that may never return; all that the options point to must then stay valid. */
bool output_close(struct output *output);

#endif
