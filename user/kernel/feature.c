/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/feature.h"

#include <stdio.h>
#include <string.h>

static const struct feature features[] = {
#define FEATURE(name, probed, within, needed, what, without)                                                           \
	{#name, offsetof(struct kernel_features, name), within, needed, what, without},
#include "kernel/features.def"
};

static const struct feature_limit limits[] = {
#define LIMIT(...) {__VA_ARGS__},
#include "kernel/features.def"
};

const struct feature *feature_all(size_t *n)
{
	*n = sizeof(features) / sizeof(*features);
	return features;
}

static bool *slot(struct kernel_features *have, size_t offset)
{
	return (bool *)((char *)have + offset);
}

bool feature_have(const struct kernel_features *have, const struct feature *feature)
{
	return *(const bool *)((const char *)have + feature->offset);
}

static const struct feature *find(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++)
		if (strlen(features[i].name) == length && !strncmp(features[i].name, name, length))
			return &features[i];
	return NULL;
}

static void lose_parts(struct kernel_features *have)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++)
		if (features[i].within && !feature_have(have, find(features[i].within, strlen(features[i].within))))
			*slot(have, features[i].offset) = false;
}

const char *feature_lose(struct kernel_features *have, size_t offset)
{
	*slot(have, offset) = false;
	lose_parts(have);
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++)
		if (features[i].offset == offset)
			return features[i].without;
	return NULL;
}

const char *feature_hide(struct kernel_features *have, const char *names)
{
	static char wrong[80];
	const struct feature *feature;
	size_t length;

	for (; names && *names; names += names[length] ? length + 1 : length) {
		length = strcspn(names, ",");
		feature = find(names, length);
		if (!feature) {
			snprintf(wrong, sizeof(wrong), "no feature is named '%.*s'", length > 32 ? 32 : (int)length,
				 names);
			return wrong;
		}
		*slot(have, feature->offset) = false;
	}
	lose_parts(have);
	return NULL;
}

const struct feature_limit *feature_limits(size_t *n)
{
	*n = sizeof(limits) / sizeof(*limits);
	return limits;
}

bool feature_limit_holds(const struct kernel_features *have, const struct feature_limit *limit)
{
	return !limit->lacking || !feature_have(have, find(limit->lacking, strlen(limit->lacking)));
}
