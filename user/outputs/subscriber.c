/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/subscriber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "format/format.h"

#define FIRST_BYTES 4096
#define GAP_ROOM 1024 /* kept free for the line that reports a loss */

struct subscriber *subscriber_new(int fd, __u32 uid, __u64 line_by_ns)
{
	struct subscriber *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = fd;
	s->uid = uid;
	s->line_by_ns = line_by_ns;
	filter_init(&s->filter);
	return s;
}

/* Closing a socket with unread bytes resets the connection, and the client would not get our error message. */
static void drain(int fd)
{
	char bytes[16384];

	for (int i = 0; i < 64 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0; i++)
		;
}

void subscriber_free(struct subscriber *s)
{
	shutdown(s->fd, SHUT_RDWR);
	drain(s->fd);
	close(s->fd);
	filter_free(&s->filter);
	free(s->bytes);
	free(s);
}

/* --- its line --- */

bool subscriber_read(struct subscriber *s)
{
	size_t room = sizeof(s->line) - s->asked;
	ssize_t n = recv(s->fd, s->line + s->asked, room, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		s->stage = SUBSCRIBER_LEAVES;
	if (n <= 0) /* no more to come */
		return true;
	s->asked += (size_t)n;
	return s->asked == sizeof(s->line) || memchr(s->line + s->asked - n, '\n', (size_t)n);
}

bool subscriber_ask(struct subscriber *s)
{
	static __thread struct line why;
	const char *end = memchr(s->line, '\n', s->asked);
	size_t length = end ? (size_t)(end - s->line) : s->asked;

	if (subscription_parse(s->line, length, &s->filter, &why)) {
		s->stage = SUBSCRIBER_WAITS;
		return true;
	}
	subscriber_refuse(s, why.text, why.length);
	return false;
}

/* --- its buffer --- */

/* Makes room for `length` more bytes at the end. false: there is none. */
static bool make_room(struct subscriber *s, size_t length)
{
	size_t size = s->size ? s->size : FIRST_BYTES;
	char *bytes;

	if (s->waiting + length > SUBSCRIBER_BYTES)
		return false;
	if (s->start + s->waiting + length > s->size && s->start) {
		memmove(s->bytes, s->bytes + s->start, s->waiting);
		s->start = 0;
	}
	while (size < s->waiting + length)
		size *= 2;
	if (size == s->size)
		return true;
	bytes = realloc(s->bytes, size);
	if (!bytes)
		return false;
	s->bytes = bytes;
	s->size = size;
	return true;
}

static bool put(struct subscriber *s, const struct line *line, size_t keep_free)
{
	if (!make_room(s, line->length + keep_free))
		return false;
	memcpy(s->bytes + s->start + s->waiting, line->text, line->length);
	s->waiting += line->length;
	return true;
}

void subscriber_refuse(struct subscriber *s, const char *why, size_t length)
{
	static __thread struct line line;
	char text[SUBSCRIPTION_LINE_MAX + 256];

	length = length < sizeof(text) ? length : sizeof(text) - 1;
	memcpy(text, why, length);
	text[length] = '\0';
	line_clear(&line);
	line_printf(&line, "{\"error\":\"");
	line_json_string(&line, text);
	line_printf(&line, "\"}\n");
	put(s, &line, 0);
	s->stage = SUBSCRIBER_LEAVES;
}

void subscriber_begin(struct subscriber *s, __u64 wall_ns)
{
	static __thread struct line line;
	char time[CLOCK_TEXT_LEN];

	clock_format_utc(wall_ns, time);
	line_clear(&line);
	line_printf(&line, "{\"schema\":1,\"subscribed\":true,\"time\":\"%s\"}\n", time);
	s->stage = put(s, &line, 0) ? SUBSCRIBER_READS : SUBSCRIBER_LEAVES;
}

/* Puts in the gap before the next event. It needs room for that event as well (`following`), or one gap would become
 * many. */
static void put_loss(struct subscriber *s, const struct format_context *context, size_t following)
{
	static __thread struct line line;
	struct event gap;

	if (!s->lost.last_ns)
		return;
	event_from_loss(&gap, EVENTS_LOST_OUTPUT_FULL, s->lost);
	gap.loss_hidden = s->lost_hidden;
	format_json(&line, &gap, context);
	if (!put(s, &line, following))
		return;
	s->lost = (struct loss){0};
	s->lost_hidden = false;
}

static void lose(struct subscriber *s, const struct event *e)
{
	const struct loss gap = e->loss;
	__u64 first = e->record ? e->wall_ns : gap.first_ns, last = e->record ? e->wall_ns : gap.last_ns;

	if (!s->lost.last_ns)
		s->lost.first_ns = first;
	s->lost.last_ns = last;
	s->lost.count += e->record ? 1 : gap.count;
	s->lost_hidden |= e->loss_hidden;
}

void subscriber_put(struct subscriber *s, const struct line *line, const struct event *e,
		    const struct format_context *context)
{
	put_loss(s, context, line->length + GAP_ROOM);
	if (s->lost.last_ns || !put(s, line, GAP_ROOM))
		lose(s, e);
}

static void send_waiting(struct subscriber *s)
{
	ssize_t n;

	while (s->waiting) {
		n = send(s->fd, s->bytes + s->start, s->waiting, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN) {
				s->stage = SUBSCRIBER_LEAVES;
				s->waiting = 0;
			}
			return;
		}
		s->start += (size_t)n;
		s->waiting -= (size_t)n;
	}
	s->start = 0;
}

bool subscriber_send(struct subscriber *s, const struct format_context *context)
{
	send_waiting(s);
	/* it reads again; report the loss only with half the buffer free, or one gap would become many */
	if (s->stage == SUBSCRIBER_READS && s->lost.last_ns && s->waiting < SUBSCRIBER_BYTES / 2) {
		put_loss(s, context, 0);
		send_waiting(s);
	}
	return !s->waiting;
}
