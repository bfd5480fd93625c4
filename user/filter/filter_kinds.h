/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What each kind of filter is, in one row: its option, how its values are read, and what they match. */
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
	} network;
};

struct filter_row {
	struct option_spec option;
	const char *help_now; /* of check, which looks at connections that are there; NULL: the same */
	/* Fills a value from its text; NULL, or what is wrong with it. */
	const char *(*parse)(struct filter_value *value, const char *text);
	bool (*match)(const struct filter_value *value, const struct event *event);
	bool of_owner;   /* only the owner decides */
	bool has_commas; /* a value may have one, so that there are no lists */
};

extern const struct filter_row *const filter_kinds; /* by enum filter_kind */

#endif
