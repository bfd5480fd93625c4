/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A connection of `lostpeer check` as one line. */
#ifndef LOSTPEER_FORMAT_CHECK_H
#define LOSTPEER_FORMAT_CHECK_H

#include <stdbool.h>

#include "event/verdicts.h"
#include "base/line.h"

/* One JSON object: lostpeer-events(7). */
void format_check_json(struct line *line, const struct check *check, const char *host, __u64 wall_ns);

/* Of the columns without a fixed width; characters. */
struct check_widths {
	size_t who, fd, local, peer;
};

/* Makes the columns wide enough for this connection. */
void format_check_widen(struct check_widths *widths, const struct check *check);
void format_check_header(struct line *line, const struct check_widths *widths);
void format_check_text(struct line *line, const struct check *check, const struct check_widths *widths, bool colour);

#endif
