/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An entry of the systemd journal in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): lines of FIELD=value.
 * No value holds a newline or another control character. So the protocol's form for such values is not needed, and the
 * name of a process cannot start a field.
 */
#include "format/format.h"

#include <ctype.h>
#include <string.h>

#include "format/fields.h"

#define DAEMON 3 /* the facility, as in syslog */

static void put_text(struct line *line, const char *name, const char *untrusted)
{
	if (!*untrusted)
		return;
	line_printf(line, "%s=", name);
	line_plain(line, untrusted);
	line_append(line, "\n", 1);
}

/* "data.unread_bytes" becomes LOSTPEER_DATA_UNREAD_BYTES; an array, one field of that name for each value. */
static void put(void *to, const struct field *field)
{
	struct line *line = to;
	char c;

	line_printf(line, "LOSTPEER_");
	for (const char *s = field->name; *s; s++) {
		c = *s == '.' ? '_' : (char)toupper((unsigned char)*s);
		line_append(line, &c, 1);
	}
	put_text(line, "", field->text);
}

/* With these `journalctl -u UNIT` shows what the unit lost. journald accepts them from root only. */
static void put_object(struct line *line, const struct event *e)
{
	if (e->owner.via)
		line_printf(line, "OBJECT_PID=%u\n", e->owner.process.tgid);
	put_text(line, "OBJECT_SYSTEMD_UNIT", e->place->system_unit);
	if (strcmp(e->place->unit, e->place->system_unit))
		put_text(line, "OBJECT_SYSTEMD_USER_UNIT", e->place->unit);
}

void format_journal(struct line *line, const struct event *e, const struct format_context *context)
{
	line_clear(line);
	line_printf(line, "MESSAGE=");
	format_sentence(line, e);
	line_printf(line, "\nMESSAGE_ID=%s\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=lostpeer\n",
		    event_message_id(cause_event(e->verdict.cause)), severity_syslog(e->severity), DAEMON);
	if (e->record)
		put_object(line, e);
	fields_of(e, context, put, line);
}
