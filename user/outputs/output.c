/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/output.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define BATCH_BYTES 65536
#define LOSS_ROOM 1024 /* kept for the line that tells of a loss */

/* What a line is, which decides how it is counted. */
enum entry_kind { ENTRY_EVENT, ENTRY_REPEAT, ENTRY_GAP };

/* A line waits as its length, its kind, and its bytes, one after another in a ring of bytes. */
struct entry {
	unsigned length;
	enum entry_kind kind;
	__u64 count; /* of the events that it tells of, or tells the loss of */
};

struct output {
	const struct output_ops *ops;
	const char *target;
	void *state;
	format_event *format;
	struct format_context context;
	int gone_fd;

	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t more;  /* for the writer */
	pthread_cond_t less;  /* for output_finish */
	char *queue;
	size_t head, tail; /* ever growing; bytes put in, bytes taken out */
	bool stop;
	bool idle;
	bool gone;
	bool failing;  /* and said so */
	bool finished; /* what waited is counted as stopped: a write that returns later changes nothing */
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
	pthread_cond_signal(&o->more);
	return true;
}

static void note_loss(struct loss *loss, __u64 count, __u64 first_ns, __u64 last_ns)
{
	if (!loss->count)
		loss->first_ns = first_ns;
	loss->count += count;
	loss->last_ns = last_ns;
}

/* A gap that can be told by now goes in first, so that it stands where it belongs: with room for what follows it,
 * or one gap would become many. */
static void enqueue_loss(struct output *o, struct loss *loss, enum lp_cause place, size_t following)
{
	static __thread struct line line;
	struct event event;

	if (!loss->count || o->gone)
		return;
	event_from_loss(&event, place, *loss);
	o->format(&line, &event, &o->context);
	if (enqueue(o, &line, (struct entry){.kind = ENTRY_GAP, .count = loss->count}, following))
		loss->count = 0;
}

static struct entry entry_of(const struct event *event)
{
	if (!event->record)
		return (struct entry){.kind = ENTRY_GAP, .count = event->loss.count};
	if (event->repeat.count)
		return (struct entry){.kind = ENTRY_REPEAT, .count = event->repeat.count};
	return (struct entry){.kind = ENTRY_EVENT, .count = 1};
}

/* What it stands for is lost; a gap that could not be told stays a gap. */
static void note_full(struct output *o, const struct event *event, struct entry entry)
{
	if (entry.kind == ENTRY_GAP) {
		note_loss(&o->full, entry.count, event->loss.first_ns, event->loss.last_ns);
		return;
	}
	o->counts.output_full += entry.count;
	if (entry.kind == ENTRY_REPEAT) {
		o->counts.untold += entry.count;
		note_loss(&o->full, entry.count, event->repeat.first_ns, event->repeat.last_ns);
	} else {
		note_loss(&o->full, entry.count, event->wall_ns, event->wall_ns);
	}
}

void output_put(struct output *o, const struct event *event)
{
	static __thread struct line line;
	struct entry entry = entry_of(event);

	o->format(&line, event, &o->context);
	pthread_mutex_lock(&o->lock);
	enqueue_loss(o, &o->full, EVENTS_LOST_OUTPUT_FULL, line.length + LOSS_ROOM);
	enqueue_loss(o, &o->failed, EVENTS_LOST_WRITE_FAILED, line.length + LOSS_ROOM);
	if (o->full.count || o->gone || !enqueue(o, &line, entry, LOSS_ROOM))
		note_full(o, event, entry);
	pthread_mutex_unlock(&o->lock);
}

/* As many whole lines as fit; their lengths in `ends`, as offsets of their ends. */
struct batch {
	char bytes[BATCH_BYTES];
	size_t length;
	unsigned n;
	size_t ends[BATCH_BYTES / 64];
	struct entry entries[BATCH_BYTES / 64];
};

static void take_batch(struct output *o, struct batch *batch)
{
	struct entry entry;
	size_t tail;

	batch->length = batch->n = 0;
	while (o->head != o->tail && batch->n < sizeof(batch->entries) / sizeof(*batch->entries)) {
		tail = o->tail;
		copy_out(o, &entry, sizeof(entry));
		if (batch->length + entry.length > BATCH_BYTES) {
			o->tail = tail;
			break;
		}
		copy_out(o, batch->bytes + batch->length, entry.length);
		batch->length += entry.length;
		batch->ends[batch->n] = batch->length;
		batch->entries[batch->n++] = entry;
	}
}

static void count_line(struct output_counts *counts, __u64 *repeats_waiting, const struct entry *entry, bool written)
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

static void account(struct output *o, const struct batch *batch, size_t out, int error)
{
	__u64 now = clock_realtime_ns();
	__u64 one = 1;

	for (unsigned i = 0; i < batch->n; i++) {
		const struct entry *entry = &batch->entries[i];
		bool written = batch->ends[i] <= out;

		if (o->finished)
			continue;
		if (!written) /* a gap that could not be told stays a gap */
			note_loss(&o->failed, entry->count, now, now);
		count_line(&o->counts, &o->repeats_waiting, entry, written);
	}
	o->progress++;
	if (error && error != EPIPE && !o->failing)
		fprintf(stderr, "lostpeer: output %s%s%s: %s\n", o->ops->name, o->target ? " " : "",
			o->target ? o->target : "", strerror(error));
	o->failing = error != 0;
	if (error == EPIPE && !o->gone) {
		o->gone = true;
		if (o->gone_fd >= 0 && write(o->gone_fd, &one, sizeof(one)) < 0)
			perror("lostpeer: eventfd");
	}
}

static void *writer(void *context)
{
	struct output *o = context;
	struct batch *batch = malloc(sizeof(*batch));
	size_t out;
	int error;

	pthread_mutex_lock(&o->lock);
	while (batch) {
		while (o->head == o->tail && !o->stop) {
			o->idle = true;
			pthread_cond_signal(&o->less);
			pthread_cond_wait(&o->more, &o->lock);
		}
		o->idle = false;
		if (o->head == o->tail)
			break;
		take_batch(o, batch);
		pthread_mutex_unlock(&o->lock);
		error = 0;
		out = o->gone ? 0 : o->ops->write(o->state, batch->bytes, batch->length, &error);
		pthread_mutex_lock(&o->lock);
		account(o, batch, out, error);
		pthread_cond_signal(&o->less);
	}
	o->idle = true;
	pthread_cond_signal(&o->less);
	pthread_mutex_unlock(&o->lock);
	free(batch);
	return NULL;
}

/* Signals belong to the main thread's signalfd. */
static int start_thread(struct output *o)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&o->thread, NULL, writer, o);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

struct output *output_open(const struct output_ops *ops, const char *target, format_event *format,
			   const struct format_context *context, int gone_fd)
{
	struct output *o = calloc(1, sizeof(*o));
	pthread_condattr_t monotonic;
	int err = -ENOMEM;

	if (!o)
		goto out;
	*o = (struct output){.ops = ops, .target = target, .format = format, .context = *context, .gone_fd = gone_fd, .idle = true};
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->more, NULL);
	pthread_cond_init(&o->less, &monotonic);
	o->queue = mmap(NULL, OUTPUT_QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (o->queue == MAP_FAILED)
		goto out;
	err = ops->open(&o->state, target);
	if (err)
		goto out;
	err = start_thread(o);
	if (!err)
		return o;
	ops->close(o->state);
out:
	fprintf(stderr, "lostpeer: output %s%s%s: %s\n", ops->name, target ? " " : "", target ? target : "",
		strerror(-err));
	if (o && o->queue && o->queue != MAP_FAILED)
		munmap(o->queue, OUTPUT_QUEUE_BYTES);
	free(o);
	return NULL;
}

/* false: nothing moved for that long. */
static bool wait_for_progress(struct output *o, int patience_ms)
{
	__u64 progress = o->progress;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += patience_ms / 1000;
	until.tv_nsec += patience_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	while (!o->idle && o->progress == progress)
		if (pthread_cond_timedwait(&o->less, &o->lock, &until))
			return false;
	return true;
}

void output_finish(struct output *o, int patience_ms)
{
	bool tried = false; /* a gap where writing fails is told once more, no oftener */

	pthread_mutex_lock(&o->lock);
	do {
		enqueue_loss(o, &o->full, EVENTS_LOST_OUTPUT_FULL, 0);
		if (o->failed.count && !tried) {
			enqueue_loss(o, &o->failed, EVENTS_LOST_WRITE_FAILED, 0);
			tried = o->failing;
		}
		if (o->head != o->tail)
			o->idle = false;
	} while (!o->idle && wait_for_progress(o, patience_ms));
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

void output_close(struct output *o)
{
	bool stuck;

	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->stop = true;
	stuck = !o->idle;
	pthread_cond_signal(&o->more);
	pthread_mutex_unlock(&o->lock);
	if (stuck) { /* its write may never return: the process ends with it */
		pthread_detach(o->thread);
		return;
	}
	pthread_join(o->thread, NULL);
	o->ops->close(o->state);
	munmap(o->queue, OUTPUT_QUEUE_BYTES);
	free(o);
}
