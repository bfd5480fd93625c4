/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What lostpeer uses of a kernel, by name; what is worse where one is missing; and what a kernel can therefore not
 * show, or not tell apart. doctor says it, as text and as JSON, and tests/scenarios compares it with what is seen.
 */
#ifndef LOSTPEER_FEATURE_H
#define LOSTPEER_FEATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "event/cause.h"

/* What this kernel has; what it lacks makes answers worse, as doctor says. */
struct kernel_features {
#define FEATURE(name, ...) bool name;
#define DETAIL(name, ...) bool name;
#include "kernel/features.inc"
};

struct feature {
	const char *name;   /* for ever: in JSON, and in LOSTPEER_WITHOUT */
	size_t offset;      /* of its bool in struct kernel_features */
	const char *within; /* the feature that it is a part of, NULL: of none */
	bool needed;        /* nothing works without */
	const char *what;
	const char *without; /* what is worse without it */
};

const struct feature *feature_all(size_t *n);
bool feature_have(const struct kernel_features *have, const struct feature *feature);

/* Does as if the kernel lacked the features of this list, names with commas between; NULL: of none. NULL, or what is
 * wrong with the list, in static memory. Tests see so what the answers of another kernel are. */
const char *feature_hide(struct kernel_features *have, const char *names);

/* The same for one, by its offset. What is worse then; NULL: nothing that doctor reports. */
const char *feature_lose(struct kernel_features *have, size_t offset);

enum limit_kind {
	LIMIT_ABSENT_FIELD, /* `field` is left out */
	LIMIT_ABSENT_EVENT, /* what would be `said` is not */
	LIMIT_AMBIGUOUS,    /* `said` may be `other`, and is marked so */
};

struct feature_limit {
	enum limit_kind kind;
	const char *lacking; /* the feature whose want is the reason; NULL: so it is on every kernel */
	const char *field;
	enum lp_cause said, other;
	const char *type; /* only of this network.type; NULL: of any */
	const char *when; /* not always, but then; NULL: always */
};

const struct feature_limit *feature_limits(size_t *n);
/* Whether it is one of a kernel that has these. */
bool feature_limit_holds(const struct kernel_features *have, const struct feature_limit *limit);

#endif
