/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event as an entry of an output: a line with its newline, or a datagram. Which format an output has is one
 * function pointer. */
#ifndef LOSTPEER_FORMAT_H
#define LOSTPEER_FORMAT_H

#include "event/event.h"
#include "base/line.h"

/* What formats need besides the event. */
struct format_context {
	const char *host;
	bool colour;
	const char *(*reset_reason)(void *kernel, __u32 reason); /* NULL: none are known */
	void *kernel;
};

typedef void format_event(struct line *line, const struct event *event, const struct format_context *context);

/* One JSON object, exactly as lostpeer-events(7) says. */
format_event format_json;
/* Aligned columns for people: when, who, whom, what, and a sentence. */
format_event format_text;
/* The names of its columns. */
void format_text_header(struct line *line);
/* Appends the same as one sentence, for readers who have the time and the fields beside it. Printable, on one line. */
void format_sentence(struct line *line, const struct event *event);
/* An entry of systemd's journal, in its native protocol: fields of FIELD=value, and no newline in a value. */
format_event format_journal;
/* A message of RFC 5424 with structured data, without a newline. rsyslog takes as much as that unless it is told
 * otherwise; a long name for which there is no room is left out whole, and its field named in `omitted`. */
#define FORMAT_SYSLOG_MAX 8192
format_event format_syslog;

/* The peer's and our own address as text; v4-mapped as IPv4. true: IPv6. */
#define FORMAT_ADDRESS_LEN 48
bool format_address(const struct lp_record *record, const __u8 bytes[16], char text[FORMAT_ADDRESS_LEN]);

/* Cells of text: who it is, an address with its port, "1m21s". */
void format_who(struct line *line, const struct event *event);
void format_socket(struct line *line, const struct lp_record *record, const __u8 bytes[16], unsigned port);
void format_duration(struct line *line, double ms);

#endif
