/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts numbered events into an output and reads its stream back. An event's number is its time of day in nanoseconds
 * and its pid, so the times of a gap show which events it stands for.
 */
#ifndef TESTS_UNIT_STREAM_H
#define TESTS_UNIT_STREAM_H

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "outputs/output.h"
#include "sample.h"

struct stream {
	unsigned events, last; /* numbers must grow */
	unsigned gaps;         /* adjacent events_lost lines count as one */
	bool in_gap;
	__u64 lost;
	char place[32]; /* of the last gap */
	unsigned before_gap, after_gap;
	unsigned lost_first, lost_last;
};

/* Opens and starts an output. The settings must outlive it. Returns NULL if it cannot be opened. */
static inline struct output *stream_open(const struct output_ops *ops, const void *settings, int reader_gone_fd)
{
	struct output_options options = {
		.ops = ops,
		.settings = settings,
		.title = ops->name,
		.context = sample_context(),
		.reader_gone_fd = reader_gone_fd,
	};
	struct output *output = output_open(&options);

	if (output)
		assert_int_equal(output_start(output), 0);
	return output;
}

static inline void stream_sample(struct sample *s, unsigned number)
{
	s->event.wall_ns = sample_wall_ns(22, 0, 0, 0, number);
	s->event.owner.process.tgid = number;
}

static inline void stream_put(struct output *output, unsigned first, unsigned last)
{
	struct sample s;

	sample_example(&s);
	for (unsigned i = first; i <= last; i++) {
		stream_sample(&s, i);
		output_put(output, &s.event);
	}
	output_wake(output);
}

/* The length of these events' lines in bytes. */
static inline size_t stream_line_length(unsigned first, unsigned last)
{
	struct format_context context = sample_context();
	static __thread struct line line;
	struct sample s;
	size_t length = 0;

	sample_example(&s);
	for (unsigned i = first; i <= last; i++) {
		stream_sample(&s, i);
		format_json(&line, &s.event, &context);
		length += line.length;
	}
	return length;
}

static inline void stream_wait_empty(struct output *output)
{
	const struct timespec pause = {0, 1000000};

	for (int i = 0; i < 10000; i++) {
		if (!output_counts(output).waiting)
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("the queue does not empty");
}

static inline const char *stream_word(struct json_object *o, const char *key)
{
	const char *word = json_object_get_string(json_object_object_get(o, key));

	assert_non_null(word);
	return word;
}

/* The number of an event, from its time: ".000000042Z". */
static inline unsigned stream_number(struct json_object *o, const char *key)
{
	return (unsigned)strtoul(strchr(stream_word(o, key), '.') + 1, NULL, 10);
}

static inline void stream_take(struct stream *s, struct json_object *o)
{
	unsigned number;

	if (!strcmp(stream_word(o, "event"), "events_lost")) {
		if (!s->in_gap) {
			s->gaps++;
			s->before_gap = s->last;
			s->lost_first = stream_number(o, "lost.first");
		}
		s->in_gap = true;
		s->lost += (__u64)json_object_get_int64(json_object_object_get(o, "lost.count"));
		s->lost_last = stream_number(o, "lost.last");
		snprintf(s->place, sizeof(s->place), "%s", stream_word(o, "cause"));
		return;
	}
	number = (unsigned)json_object_get_int64(json_object_object_get(o, "process.pid"));
	assert_int_equal(number, stream_number(o, "time"));
	assert_true(number > s->last);
	s->last = number;
	s->events++;
	if (s->in_gap)
		s->after_gap = number;
	s->in_gap = false;
}

/* Every line must be whole: one object and a newline. */
static inline struct stream stream_read(const char *text, size_t length)
{
	struct json_tokener *tokener = json_tokener_new();
	const char *end = text + length, *newline;
	struct stream s = {0};
	struct json_object *o;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	for (; text < end; text = newline + 1) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline)
			fail_msg("a line without its end: %.*s", (int)(end - text), text);
		json_tokener_reset(tokener);
		o = json_tokener_parse_ex(tokener, text, (int)(newline - text));
		if (!o || json_tokener_get_parse_end(tokener) != (size_t)(newline - text))
			fail_msg("not one object: %.*s", (int)(newline - text), text);
		stream_take(&s, o);
		json_object_put(o);
	}
	json_tokener_free(tokener);
	return s;
}

#endif
