/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What lostpeer uses of a kernel, by name; what gets worse without each; and what a kernel can therefore not show, or
 * not tell apart. doctor prints it, as text and as JSON, and tests/scenarios compares it with what agents report.
 */
#ifndef LOSTPEER_FEATURE_H
#define LOSTPEER_FEATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "event/cause.h"

/* What this kernel has. */
struct kernel_features {
#define FEATURE(name, ...) bool name;
#define DETAIL(name, ...) bool name;
#include "kernel/features.def"
};

struct feature {
	const char *name;   /* part of the contract: in JSON, and in LOSTPEER_WITHOUT */
	size_t offset;      /* of its bool in struct kernel_features */
	const char *within; /* the feature that it is a part of, NULL: of none */
	bool needed;        /* nothing works without */
	const char *what;
	const char *without; /* what gets worse without it */
};

const struct feature *feature_all(size_t *n);
bool feature_have(const struct kernel_features *have, const struct feature *feature);

/* Clears the features of this list of names, separated by commas, and their parts; NULL: an empty list. Tests use it to
 * see the answers of another kernel. Returns NULL, or what is wrong with the list, in static memory. */
const char *feature_hide(struct kernel_features *have, const char *names);

/* The same for one, by its offset. Returns what gets worse; NULL if doctor does not report it. */
const char *feature_lose(struct kernel_features *have, size_t offset);

enum limit_kind {
	LIMIT_ABSENT_FIELD, /* `field` is left out */
	LIMIT_ABSENT_EVENT, /* `said` is not reported */
	LIMIT_AMBIGUOUS,    /* `said` may be `other`, and is marked ambiguous */
};

struct feature_limit {
	enum limit_kind kind;
	const char *lacking; /* the feature that would lift it; NULL: every kernel has this limit */
	const char *field;
	enum lp_cause said, other;
	const char *type; /* network.type; NULL: any */
	const char *when; /* NULL: always */
};

const struct feature_limit *feature_limits(size_t *n);
/* Whether a kernel with these features has this limit. */
bool feature_limit_holds(const struct kernel_features *have, const struct feature_limit *limit);

#endif
