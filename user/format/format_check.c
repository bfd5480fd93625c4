/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/format_check.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "format/format.h"
#include "base/number.h"

#define VERDICT_COLUMN 14
#define HALF_COLUMN 7
#define BYTES_COLUMN 8
#define GAP 2

/* --- columns --- */

static void put_fd(struct line *line, const struct check *c)
{
	if (c->fd >= 0)
		line_number(line, (unsigned long long)c->fd);
	else
		line_text(line, "-");
}

static void put_local(struct line *line, const struct check *c)
{
	format_socket(line, &c->record.socket, c->record.socket.local_addr, c->record.socket.local_port);
}

static void put_peer(struct line *line, const struct check *c)
{
	format_socket(line, &c->record.socket, c->record.socket.peer_addr, c->record.socket.peer_port);
}

static void put_who(struct line *line, const struct check *c)
{
	format_who(line, &c->event);
}

static void widen(size_t *width, void (*put)(struct line *line, const struct check *c), const struct check *c)
{
	static struct line cell;
	size_t n = 0;

	line_clear(&cell);
	put(&cell, c);
	for (size_t i = 0; i < cell.length; i++)
		n += (cell.text[i] & 0xc0) != 0x80; /* characters, not bytes */
	if (*width < n)
		*width = n;
}

void format_check_widen(struct check_widths *w, const struct check *c)
{
	widen(&w->who, put_who, c);
	widen(&w->fd, put_fd, c);
	widen(&w->local, put_local, c);
	widen(&w->peer, put_peer, c);
}

static void put_cell(struct line *line, size_t width, void (*put)(struct line *line, const struct check *c),
		     const struct check *c)
{
	size_t from = line->length;

	put(line, c);
	line_pad(line, from, width + GAP);
}

static void put_half(struct line *line, bool closed)
{
	size_t from = line->length;

	line_text(line, closed ? "closed" : "open");
	line_pad(line, from, HALF_COLUMN);
}

/* "-" for 0 and for what is not known, so that data at stake stands out. */
static void put_bytes(struct line *line, __u32 bytes, bool unknown)
{
	char text[NUMBER_TEXT_LEN] = "-";
	size_t n = bytes && !unknown ? number_format(bytes, text) : 1;

	if (unknown)
		*text = '?';
	line_spaces(line, n < BYTES_COLUMN ? BYTES_COLUMN - n : 0);
	line_append(line, text, n);
}

/* --- evidence --- */

static void put_heard(struct line *line, const struct check *c, const char *before, const char *after)
{
	if (!(c->socket->known & LP_KNOWN_HEARD))
		return;
	line_text(line, before);
	format_duration(line, (double)c->socket->heard_ms);
	line_text(line, after);
}

static const char *ordinal(unsigned n)
{
	static const char *const ends[] = {"th", "st", "nd", "rd"};

	return n % 10 <= 3 && n / 10 % 10 != 1 ? ends[n % 10] : "th";
}

static void put_retransmission(struct line *line, const struct check *c)
{
	unsigned n = c->socket->retransmits;

	if (n)
		line_printf(line, ", sent again in vain for the %u%s time", n, ordinal(n));
}

static void say_errored(struct line *line, const struct check *c)
{
	const char *name = strerrorname_np(c->socket->err);

	line_printf(line, "%s waits for the application", name ? name : "an error");
}

static void say_stalled(struct line *line, const struct check *c)
{
	if (c->socket->flags & LP_F_ADDRESS_GONE)
		line_printf(line, "our address is gone from this host");
	else if (c->socket->snd_nxt == c->socket->snd_una && !c->socket->snd_wnd)
		line_printf(line, "the peer takes no data, %u probes unanswered", c->socket->probes_out);
	else if (c->socket->snd_nxt == c->socket->snd_una)
		line_printf(line, "nothing can leave this host, tried %u time%s", c->socket->probes_out,
			    c->socket->probes_out == 1 ? "" : "s");
	else
		line_printf(line, "%s not acknowledged", c->event.data.unacked ? "data" : "our FIN");
	put_retransmission(line, c);
	put_heard(line, c, "; nothing heard for ", "");
}

static void say_window_closed(struct line *line, const struct check *c)
{
	unsigned probes = c->socket->probes_out;

	line_printf(line, "the peer takes no data");
	if (probes)
		line_printf(line, ", %u probe%s unanswered", probes, probes == 1 ? "" : "s");
	put_heard(line, c, probes ? "; nothing heard for " : "; heard ", probes ? "" : " ago");
}

static void say_connecting(struct line *line, const struct check *c)
{
	line_printf(line, c->socket->state == TCP_SYN_SENT ? "no answer to the SYN" : "not yet established");
	put_retransmission(line, c);
}

static void say_closed(struct line *line, const struct check *c)
{
	if (c->socket->state == TCP_CLOSE) {
		line_printf(line, "over; the application has been told and keeps the descriptor");
		return;
	}
	line_printf(line, "the peer has closed");
	if (c->fin_ms >= 0) {
		line_printf(line, ", ");
		format_duration(line, (double)c->fin_ms);
		line_printf(line, " ago");
	}
	if (c->socket->state != TCP_CLOSE_WAIT)
		line_printf(line, "; our FIN not acknowledged");
	put_retransmission(line, c);
}

static void say_closing(struct line *line, const struct check *c)
{
	line_printf(line, c->socket->state == TCP_FIN_WAIT1 ? "we have closed, our FIN not acknowledged"
							    : "we have closed, the peer has not");
	put_retransmission(line, c);
	put_heard(line, c, "; heard ", " ago");
}

static void say_alive(struct line *line, const struct check *c)
{
	if (c->socket->state == TCP_CLOSE_WAIT)
		line_text(line, "the peer has closed its half, and takes data; ");
	put_heard(line, c, "heard ", " ago");
}

static void say_unproven(struct line *line, const struct check *c)
{
	line_text(line, c->socket->state == TCP_CLOSE_WAIT ? "the peer has closed its half, and took data" : "idle");
	put_heard(line, c, ", nothing heard for ", "");
}

static void (*const sentences[])(struct line *line, const struct check *c) = {
	[CHECK_ERRORED] = say_errored,       [CHECK_STALLED] = say_stalled,   [CHECK_WINDOW_CLOSED] = say_window_closed,
	[CHECK_CONNECTING] = say_connecting, [CHECK_CLOSED] = say_closed,     [CHECK_CLOSING] = say_closing,
	[CHECK_ALIVE] = say_alive,           [CHECK_UNPROVEN] = say_unproven,
};
static_assert(sizeof(sentences) / sizeof(*sentences) == CHECK_COUNT, "a sentence for each verdict");

static void put_keepalive(struct line *line, const struct check *c)
{
	const struct lp_socket *s = c->socket;
	bool idle = s->snd_una == s->write_seq;

	if (c->verdict < CHECK_CLOSED || !(s->known & LP_KNOWN_KEEPALIVE) || s->state == TCP_CLOSE ||
	    (s->flags & LP_F_DEAD))
		return;
	if (!(s->flags & LP_F_KEEPOPEN)) {
		line_text(line, "; keepalive off");
		return;
	}
	line_text(line, "; keepalive");
	if (idle && s->probes_out)
		line_printf(line, ", %u unanswered", s->probes_out);
	if (c->next_probe_ms >= 0) {
		line_printf(line, ", next probe in about ");
		format_duration(line, (double)c->next_probe_ms);
	}
}

static void put_evidence(struct line *line, const struct check *c)
{
	const struct lp_socket *s = c->socket;

	sentences[c->verdict](line, c);
	put_keepalive(line, c);
	if (c->gives_up_ms >= 0) {
		line_printf(line, "; the kernel gives up in about ");
		format_duration(line, (double)c->gives_up_ms);
	}
	if (s->soft_err && s->soft_err != s->err && strerrorname_np(s->soft_err))
		line_printf(line, "; earlier %s", strerrorname_np(s->soft_err));
	if (c->verdict != CHECK_CONNECTING && verdicts_phase(s) == PHASE_UNACCEPTED)
		line_printf(line, "; not yet accepted");
	else if (verdicts_phase(s) == PHASE_ORPHANED)
		line_printf(line, "; no process holds it");
}

/* --- lines --- */

static const char *const colours[] = {
	[CHECK_ERRORED] = "\033[1;31m", [CHECK_STALLED] = "\033[1;31m", [CHECK_WINDOW_CLOSED] = "\033[33m",
	[CHECK_CONNECTING] = "",        [CHECK_CLOSED] = "\033[33m",    [CHECK_CLOSING] = "",
	[CHECK_ALIVE] = "\033[2m",      [CHECK_UNPROVEN] = "",
};
static_assert(sizeof(colours) / sizeof(*colours) == CHECK_COUNT, "a colour for each verdict");

void format_check_header(struct line *line, const struct check_widths *w)
{
	line_clear(line);
	line_printf(line, "%-*s%-*s%-*s%-*s%-*s%-*s%-*s%*s%*s%*s  %s\n", VERDICT_COLUMN, "VERDICT", (int)w->who + GAP,
		    "WHO", (int)w->fd + GAP, "FD", (int)w->local + GAP, "LOCAL", (int)w->peer + GAP, "PEER",
		    HALF_COLUMN, "READ", HALF_COLUMN, "WRITE", BYTES_COLUMN, "UNREAD", BYTES_COLUMN, "UNACKED",
		    BYTES_COLUMN, "UNSENT", "EVIDENCE");
}

void format_check_text(struct line *line, const struct check *c, const struct check_widths *w, bool colour)
{
	const char *begin = colour ? colours[c->verdict] : "";
	size_t from;

	line_clear(line);
	line_text(line, begin);
	from = line->length;
	line_text(line, verdicts_name(c->verdict));
	line_pad(line, from, VERDICT_COLUMN);
	put_cell(line, w->who, put_who, c);
	put_cell(line, w->fd, put_fd, c);
	put_cell(line, w->local, put_local, c);
	put_cell(line, w->peer, put_peer, c);
	put_half(line, verdicts_read_closed(c->socket));
	put_half(line, verdicts_write_closed(c->socket));
	put_bytes(line, c->event.data.unread, c->event.data.unread_unknown);
	put_bytes(line, c->event.data.unacked, false);
	put_bytes(line, c->event.data.unsent, c->event.data.unsent_unknown);
	line_spaces(line, GAP);
	put_evidence(line, c);
	line_text(line, *begin ? "\033[0m\n" : "\n");
}
