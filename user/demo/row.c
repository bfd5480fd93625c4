/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/row.h"

#include <stdio.h>

/* By default the kernel tries for two minutes to close the connections of an end that was stopped, and keeps the
 * namespace until then. */
#define SHORT_AFTERLIFE "ipv4/tcp_orphan_retries=1"

/* Makes two namespaces, links them, and waits until the ends reach each other. */
static const struct step prologue[] = {
	{.who = B, .run = step_unshare},
	{.who = A, .run = step_unshare},
	{.who = B, .run = step_sysctl, .text = SHORT_AFTERLIFE},
	{.who = A, .run = step_sysctl, .text = SHORT_AFTERLIFE},
	{.who = A, .run = step_make_link},
	{.who = B, .run = step_raise_link},
	{.who = A, .run = step_meet},
};

static const struct step epilogue[] = {
	{.who = A, .run = step_settle},
	{.who = B, .run = step_settle},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t own_step_count(const struct row *row)
{
	size_t n = 0;

	while (n < ROW_STEPS && row->steps[n].run)
		n++;
	return n;
}

size_t row_step_count(const struct row *row)
{
	return COUNT(prologue) + own_step_count(row) + COUNT(epilogue);
}

const struct step *row_step(const struct row *row, size_t index)
{
	size_t own = own_step_count(row);

	if (index < COUNT(prologue))
		return &prologue[index];
	index -= COUNT(prologue);
	return index < own ? &row->steps[index] : &epilogue[index - own];
}

void row_name(const struct row *row, char *name, size_t size)
{
	snprintf(name, size, "%s/%s%s%s", event_name(cause_event(row->cause)), cause_name(row->cause),
		 row->variant ? ":" : "", row->variant ? row->variant : "");
}
