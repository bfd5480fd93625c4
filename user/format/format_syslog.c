/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A message of RFC 5424, without a newline at its end (a datagram needs none):
 *
 *	<28>1 2026-11-22T12:01:02.123456Z web-3 lostpeer - peer_lost [lostpeer@32473 event="peer_lost" ...] SENTENCE
 *
 * 32473 is the enterprise number for examples (RFC 5612); lostpeer has none. The sentence is UTF-8 without a byte order
 * mark, like that of other senders: a log file would have the mark in the middle of each line.
 */
#include "format/format.h"

#include <string.h>

#include "base/clock.h"
#include "format/fields.h"

#define SD_ID "lostpeer@32473"
#define DAEMON 3        /* facility */
#define HOST_MAX 255    /* RFC 5424, 6 */
#define OMITTED_ROOM 64 /* of the parameter `omitted` */

static const char omitted_name[] = "omitted";

/* Longer values, which are names, come last. All shorter ones fit, so no name displaces a fact. */
#define SHORT_VALUE 64

struct message {
	struct line *line;
	size_t limit; /* for the line with all parameters */
	bool longer;  /* the second round, of the longer values */
	char omitted[OMITTED_ROOM - sizeof(" omitted=\"\"")];
};

/* A time of RFC 5424 ends at microseconds; the parameter `time` has the nanoseconds. */
static void put_time(struct line *line, __u64 wall_ns)
{
	char text[CLOCK_TEXT_LEN];

	clock_format_utc(wall_ns, text);
	line_printf(line, "%.26sZ", text);
}

/* Printable ASCII without spaces; "-" without a name. */
static void put_host(struct line *line, const char *host)
{
	size_t n = strnlen(host, HOST_MAX);
	char c;

	if (!n)
		line_append(line, "-", 1);
	for (size_t i = 0; i < n; i++) {
		c = host[i] > ' ' && host[i] < 0x7f ? host[i] : '?';
		line_append(line, &c, 1);
	}
}

/* Escapes the end of the line, from `from` on, as the value of a parameter. */
static void escape_value(struct line *line, size_t from)
{
	static const char escaped[] = "\"\\]";
	size_t more = 0, n = line->length;

	for (size_t i = from; i < n; i++)
		more += strchr(escaped, line->text[i]) != NULL;
	if (more > sizeof(line->text) - n) {
		line->cut = true;
		return;
	}
	line->length += more;
	for (size_t i = n; i-- > from && more;) {
		line->text[i + more] = line->text[i];
		if (strchr(escaped, line->text[i]))
			line->text[i + --more] = '\\';
	}
}

static void put_parameter(struct line *line, const char *name, const char *untrusted)
{
	size_t from;

	line_printf(line, " %s=\"", name);
	from = line->length;
	line_plain(line, untrusted);
	escape_value(line, from);
	line_append(line, "\"", 1);
}

/* The whole field or nothing. RFC 5424 has no arrays: each value is a parameter. */
static void put(void *to, const struct field *field)
{
	struct message *message = to;
	struct line *line = message->line;
	size_t before = line->length, used = strlen(message->omitted);

	if ((strlen(field->text) > SHORT_VALUE) != message->longer)
		return;
	put_parameter(line, field->name, field->text);
	if (!line->cut && line->length <= message->limit)
		return;
	line->length = before;
	line->cut = false;
	if (used + strlen(field->name) + 2 <= sizeof(message->omitted)) {
		strcpy(message->omitted + used, used ? "," : "");
		strcat(message->omitted, field->name);
	}
}

void format_syslog(struct line *line, const struct event *e, const struct format_context *context)
{
	static __thread struct line sentence;
	struct message message = {.line = line};

	line_clear(&sentence);
	format_sentence(&sentence, e);
	line_clear(line);
	line_printf(line, "<%d>1 ", DAEMON * 8 + severity_syslog(e->severity));
	put_time(line, e->wall_ns);
	line_append(line, " ", 1);
	put_host(line, context->host);
	line_printf(line, " lostpeer - %s [" SD_ID, event_name(cause_event(e->verdict.cause)));
	message.limit = FORMAT_SYSLOG_MAX - OMITTED_ROOM - strlen("] ") - sentence.length;
	fields_of(e, context, put, &message);
	message.longer = true;
	fields_of(e, context, put, &message);
	if (*message.omitted)
		put_parameter(line, omitted_name, message.omitted);
	line_append(line, "] ", 2);
	line_append(line, sentence.text, sentence.length);
}
