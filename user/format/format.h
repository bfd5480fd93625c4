/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event as an entry of an output: a line with its newline, or a datagram. An output has its format as one function
 * pointer. */
#ifndef LOSTPEER_FORMAT_H
#define LOSTPEER_FORMAT_H

#include "event/event.h"
#include "base/line.h"

/* What a format needs besides the event. */
struct format_context {
	const char *host;
	bool colour;
	const char *(*reset_reason)(void *kernel, __u32 reason); /* NULL: no reason is known */
	void *kernel;
};

typedef void format_event(struct line *line, const struct event *event, const struct format_context *context);

/* One JSON object: lostpeer-events(7). */
format_event format_json;
/* Aligned columns for people: time, owner, peer, cause, and a sentence. */
format_event format_text;
/* The names of these columns. */
void format_text_header(struct line *line);
/* Appends the same as one sentence without the time, printable and on one line: the message for journal and syslog. */
void format_sentence(struct line *line, const struct event *event);
/* An entry of the systemd journal in its native protocol: lines of FIELD=value. */
format_event format_journal;
/* A message of RFC 5424 with structured data, without a newline, and no longer than rsyslog accepts by default. A field
 * that does not fit is left out, and the parameter `omitted` names it. */
#define FORMAT_SYSLOG_MAX 8192
format_event format_syslog;

/* An address of the socket as text; v4-mapped as IPv4; a link-local one with its zone. true: IPv6. */
#define FORMAT_ADDRESS_LEN 64
bool format_address(const struct lp_socket *socket, const __u8 bytes[16], char text[FORMAT_ADDRESS_LEN]);

/* Cells of format_text: the owner, an address with its port, "1m21s". */
void format_who(struct line *line, const struct event *event);
void format_socket(struct line *line, const struct lp_socket *socket, const __u8 bytes[16], unsigned port);
void format_duration(struct line *line, double ms);

#endif
