/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One row for each kind of filter: its option, its parser, and its matcher. */
#ifndef LOSTPEER_FILTER_KINDS_H
#define LOSTPEER_FILTER_KINDS_H

#include "base/address.h"
#include "filter/filter.h"

struct filter_value {
	struct filter_value *next;
	__u64 number;
	char *text;
	struct {
		struct address address;
		unsigned bits;
		bool v4;
		char zone[LP_INTERFACE_LEN]; /* an interface, by its name or index; "": any */
	} network;
};

/* What a filter looks at: the event, and one of the processes that held its connection. */
struct filter_subject {
	const struct event *event;
	__u32 pid;        /* 0: not known */
	const char *name; /* "": not known */
	const struct place *place;
};

struct filter_row {
	struct option_spec option;
	const char *help_now; /* for check, which looks at open connections; NULL: the same help */
	/* Returns NULL, or what is wrong with the text. */
	const char *(*parse)(struct filter_value *value, const char *text);
	bool (*match)(const struct filter_value *value, const struct filter_subject *subject);
	bool of_owner;   /* cannot be decided before the owner is known */
	bool has_commas; /* values may contain commas, so they are not split into a list */
};

extern const struct filter_row *const filter_kinds; /* by enum filter_kind */

#endif
