/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/output.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/thread.h"
#include "outputs/lines.h"

#define BATCH_BYTES 65536
#define LOSS_ROOM 1024 /* kept free for the line that reports a loss */

/* Decides how an entry is counted. */
enum entry_kind { ENTRY_EVENT, ENTRY_REPEAT, ENTRY_GAP };

/* Header of an entry in the queue, followed by its bytes. */
struct entry {
	unsigned length;
	enum entry_kind kind;
	__u64 count;             /* events that it reports, or reports lost */
	__u64 first_ns, last_ns; /* of these; CLOCK_REALTIME */
};

struct output {
	struct output_options options;
	void *state;
	format_event *format;
	bool started;

	pthread_t thread;
	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t more;  /* for the writer */
	pthread_cond_t less;  /* for output_finish */
	char *queue;
	size_t head, tail; /* total bytes put in and taken out; they never shrink */
	bool stop;
	bool reopen;
	bool idle;
	bool gone;
	bool failing;  /* and the message was printed */
	bool tried;    /* at the end a gap is written only once more if writing fails */
	bool finished; /* the queue was counted as stopped: a write that returns later changes no count */
	__u64 progress;
	__u64 repeats_waiting; /* events in records that stand for several */
	struct output_counts counts;
	struct loss full, failed;
};

static void copy_in(struct output *o, const void *from, size_t n)
{
	size_t at = o->head % OUTPUT_QUEUE_BYTES, first = OUTPUT_QUEUE_BYTES - at;

	first = first < n ? first : n;
	memcpy(o->queue + at, from, first);
	memcpy(o->queue, (const char *)from + first, n - first);
	o->head += n;
}

static void copy_out(struct output *o, void *to, size_t n)
{
	size_t at = o->tail % OUTPUT_QUEUE_BYTES, first = OUTPUT_QUEUE_BYTES - at;

	first = first < n ? first : n;
	memcpy(to, o->queue + at, first);
	memcpy((char *)to + first, o->queue, n - first);
	o->tail += n;
}

static bool enqueue(struct output *o, const struct line *line, struct entry entry, size_t keep_free)
{
	size_t used = o->head - o->tail;

	entry.length = (unsigned)line->length;
	if (used + sizeof(entry) + line->length + keep_free > OUTPUT_QUEUE_BYTES)
		return false;
	copy_in(o, &entry, sizeof(entry));
	copy_in(o, line->text, line->length);
	o->counts.waiting += entry.kind == ENTRY_EVENT;
	o->repeats_waiting += entry.kind == ENTRY_REPEAT ? entry.count : 0;
	if (o->head - o->tail >= BATCH_BYTES)
		pthread_cond_signal(&o->more);
	return true;
}

/* Events are not quite in the order of their times. */
static void note_loss(struct loss *loss, const struct entry *entry)
{
	if (!loss->count || entry->first_ns < loss->first_ns)
		loss->first_ns = entry->first_ns;
	if (!loss->count || entry->last_ns > loss->last_ns)
		loss->last_ns = entry->last_ns;
	loss->count += entry->count;
}

static struct entry entry_of(const struct event *event)
{
	if (!event->record)
		return (struct entry){.kind = ENTRY_GAP,
				      .count = event->loss.count,
				      .first_ns = event->loss.first_ns,
				      .last_ns = event->loss.last_ns};
	if (event->repeat.count)
		return (struct entry){.kind = ENTRY_REPEAT,
				      .count = event->repeat.count,
				      .first_ns = event->repeat.first_ns,
				      .last_ns = event->repeat.last_ns};
	return (struct entry){.kind = ENTRY_EVENT, .count = 1, .first_ns = event->wall_ns, .last_ns = event->wall_ns};
}

/* Queues the gap before the next event, so that it stands at its place in the stream. It needs room for the next event
 * as well (`following`), or one gap would become many. */
static void enqueue_loss(struct output *o, struct loss *loss, enum lp_cause place, size_t following)
{
	static __thread struct line line;
	struct event event;

	if (!loss->count || o->gone)
		return;
	event_from_loss(&event, place, *loss);
	o->format(&line, &event, &o->options.context);
	if (enqueue(o, &line, entry_of(&event), following))
		loss->count = 0;
}

/* Counts all events of the entry as lost. A gap is no event: it only extends the next gap. */
static void note_full(struct output *o, const struct entry *entry)
{
	o->counts.output_full += entry->kind == ENTRY_GAP ? 0 : entry->count;
	o->counts.untold += entry->kind == ENTRY_REPEAT ? entry->count : 0;
	note_loss(&o->full, entry);
}

void output_put(struct output *o, const struct event *event)
{
	static __thread struct line line;
	struct entry entry = entry_of(event);

	o->format(&line, event, &o->options.context);
	pthread_mutex_lock(&o->lock);
	enqueue_loss(o, &o->full, EVENTS_LOST_OUTPUT_FULL, line.length + LOSS_ROOM);
	enqueue_loss(o, &o->failed, EVENTS_LOST_WRITE_FAILED, line.length + LOSS_ROOM);
	if (o->full.count || o->gone || !enqueue(o, &line, entry, LOSS_ROOM))
		note_full(o, &entry);
	pthread_mutex_unlock(&o->lock);
}

void output_wake(struct output *o)
{
	pthread_mutex_lock(&o->lock);
	if (o->head != o->tail)
		pthread_cond_signal(&o->more);
	pthread_mutex_unlock(&o->lock);
}

/* As many whole entries as fit, one after another. */
struct batch {
	char bytes[BATCH_BYTES];
	size_t n;
	struct iovec iov[OUTPUT_BATCH];
	struct entry entries[OUTPUT_BATCH];
};

static void take_batch(struct output *o, struct batch *batch)
{
	size_t length = 0, tail;
	struct entry entry;

	batch->n = 0;
	while (o->head != o->tail && batch->n < OUTPUT_BATCH) {
		tail = o->tail;
		copy_out(o, &entry, sizeof(entry));
		if (length + entry.length > BATCH_BYTES) {
			o->tail = tail;
			break;
		}
		copy_out(o, batch->bytes + length, entry.length);
		batch->iov[batch->n] = (struct iovec){batch->bytes + length, entry.length};
		batch->entries[batch->n++] = entry;
		length += entry.length;
	}
}

static void count_entry(struct output_counts *counts, __u64 *repeats_waiting, const struct entry *entry, bool written)
{
	if (entry->kind == ENTRY_EVENT) {
		counts->waiting--;
		*(written ? &counts->written : &counts->write_failed) += 1;
	} else if (entry->kind == ENTRY_REPEAT) {
		*repeats_waiting -= entry->count;
		counts->write_failed += written ? 0 : entry->count;
		counts->untold += written ? 0 : entry->count;
	}
}

const char *output_target(const struct output_ops *ops, const void *settings)
{
	return ops->target ? ops->target(settings) : NULL;
}

/* "lostpeer: output file audit (/var/log/audit.jsonl): WHAT" */
static void say(const struct output *o, const char *what)
{
	const struct output_ops *ops = o->options.ops;
	const char *target = output_target(ops, o->options.settings);

	fprintf(stderr, "lostpeer: output %s%s%s%s: %s\n", o->options.title, target ? " (" : "", target ? target : "",
		target ? ")" : "", what);
}

static void note_failure(struct output *o, int error)
{
	if (o->options.reader_gone_fd >= 0 && error == EPIPE) {
		if (!o->gone)
			loop_wake(o->options.reader_gone_fd);
		o->gone = true;
	} else if (error && !o->failing) {
		say(o, strerror(error));
	} else if (!error && o->failing && !o->gone) {
		say(o, "can be written again");
	}
	o->failing = error != 0;
}

/* The first `out` entries of a batch are written. */
static void account(struct output *o, const struct batch *batch, size_t out, int error)
{
	for (size_t i = 0; i < batch->n && !o->finished; i++) {
		const struct entry *entry = &batch->entries[i];

		if (i >= out) /* a gap not written extends the next one */
			note_loss(&o->failed, entry);
		count_entry(&o->counts, &o->repeats_waiting, entry, i < out);
	}
	note_failure(o, out < batch->n ? error : 0);
}

/* --- the writer thread: these functions are entered and left with the lock held --- */

static void wait_for_work(struct output *o)
{
	while (o->head == o->tail && !o->stop && !o->reopen) {
		o->idle = true;
		pthread_cond_signal(&o->less);
		pthread_cond_wait(&o->more, &o->lock);
	}
	o->idle = false;
}

/* Calls reopen or flush, which may block, without the lock. */
static void call(struct output *o, int (*operation)(void *state), const char *what)
{
	char text[256];
	int err;

	if (!operation)
		return;
	pthread_mutex_unlock(&o->lock);
	err = operation(o->state);
	if (err) {
		snprintf(text, sizeof(text), "%s: %s", what, strerror(-err));
		say(o, text);
	}
	pthread_mutex_lock(&o->lock);
}

static void write_batch(struct output *o, struct batch *batch)
{
	bool gone = o->gone;
	size_t out = 0;
	int error = EPIPE;

	take_batch(o, batch);
	pthread_mutex_unlock(&o->lock);
	if (!gone) {
		error = EIO; /* if write() sets none */
		out = o->options.ops->write(o->state, batch->iov, batch->n, &error);
	}
	pthread_mutex_lock(&o->lock);
	account(o, batch, out, error);
	if (o->head == o->tail) /* do not wait for the next event, which may never come */
		enqueue_loss(o, &o->full, EVENTS_LOST_OUTPUT_FULL, 0);
	if (o->head == o->tail && !o->gone)
		call(o, o->options.ops->flush, "cannot bring it to the disk");
	o->progress++;
	pthread_cond_signal(&o->less);
}

static void *writer(void *context)
{
	struct output *o = context;
	struct batch *batch = malloc(sizeof(*batch));

	pthread_mutex_lock(&o->lock);
	while (batch) {
		wait_for_work(o);
		if (o->reopen) {
			o->reopen = false;
			call(o, o->options.ops->reopen, "cannot be opened again, and goes on as before");
		} else if (o->head != o->tail) {
			write_batch(o, batch);
		} else {
			break;
		}
	}
	o->idle = true;
	pthread_cond_signal(&o->less);
	pthread_mutex_unlock(&o->lock);
	free(batch);
	return NULL;
}

/* --- from outside --- */

static void free_output(struct output *o)
{
	if (o->queue != MAP_FAILED)
		munmap(o->queue, OUTPUT_QUEUE_BYTES);
	free(o);
}

struct output *output_open(const struct output_options *options)
{
	struct output *o = calloc(1, sizeof(*o));
	pthread_condattr_t monotonic;
	int err = -ENOMEM;

	if (!o) {
		fprintf(stderr, "lostpeer: output %s: out of memory\n", options->title);
		return NULL;
	}
	*o = (struct output){.options = *options, .idle = true};
	o->format = options->ops->format ?: lines_format(options->settings);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->more, NULL);
	pthread_cond_init(&o->less, &monotonic);
	o->queue = mmap(NULL, OUTPUT_QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (o->queue != MAP_FAILED)
		err = options->ops->open(&o->state, options->settings, options->agent);
	if (!err)
		return o;
	say(o, strerror(-err));
	free_output(o);
	return NULL;
}

int output_start(struct output *o)
{
	int err = thread_start(&o->thread, writer, o);

	o->started = !err;
	if (err)
		say(o, strerror(-err));
	return err;
}

void *output_state(struct output *o)
{
	return o->state;
}

void output_reopen(struct output *o)
{
	pthread_mutex_lock(&o->lock);
	o->reopen = true;
	pthread_cond_signal(&o->more);
	pthread_mutex_unlock(&o->lock);
}

/* false: no progress within patience_ms. */
static bool wait_for_progress(struct output *o, int patience_ms)
{
	__u64 progress = o->progress;
	struct timespec until = clock_until(clock_monotonic_ns() + (__u64)patience_ms * CLOCK_MS);

	while (!o->idle && o->progress == progress)
		if (pthread_cond_timedwait(&o->less, &o->lock, &until))
			return false;
	return true;
}

static void enqueue_last_losses(struct output *o)
{
	enqueue_loss(o, &o->full, EVENTS_LOST_OUTPUT_FULL, 0);
	if (o->failed.count && !o->tried) {
		enqueue_loss(o, &o->failed, EVENTS_LOST_WRITE_FAILED, 0);
		o->tried = o->failing;
	}
	if (o->head != o->tail) {
		o->idle = false;
		pthread_cond_signal(&o->more);
	}
}

bool output_is_done(struct output *o)
{
	bool done;

	pthread_mutex_lock(&o->lock);
	enqueue_last_losses(o);
	done = o->idle;
	pthread_mutex_unlock(&o->lock);
	return done;
}

void output_finish(struct output *o, int patience_ms)
{
	pthread_mutex_lock(&o->lock);
	do
		enqueue_last_losses(o);
	while (!o->idle && wait_for_progress(o, patience_ms));
	o->counts.stopped += o->counts.waiting + o->repeats_waiting;
	o->counts.untold += o->repeats_waiting;
	o->counts.waiting = o->repeats_waiting = 0;
	o->finished = true;
	pthread_mutex_unlock(&o->lock);
}

struct output_counts output_counts(struct output *o)
{
	struct output_counts counts;

	pthread_mutex_lock(&o->lock);
	counts = o->counts;
	pthread_mutex_unlock(&o->lock);
	return counts;
}

bool output_close(struct output *o)
{
	bool stuck;

	if (!o)
		return true;
	pthread_mutex_lock(&o->lock);
	o->stop = true;
	stuck = o->started && !o->idle;
	pthread_cond_signal(&o->more);
	pthread_mutex_unlock(&o->lock);
	if (stuck) { /* its write may never return: leave the thread until the process exits */
		pthread_detach(o->thread);
		return false;
	}
	if (o->started)
		pthread_join(o->thread, NULL);
	o->options.ops->close(o->state);
	free_output(o);
	return true;
}
