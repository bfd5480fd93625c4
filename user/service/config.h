/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration of `lostpeer agent`: sections of KEY = VALUE, from a file (INI, by libinih) and then from options.
 * A section is [agent] or the kind of an output, with a name if there are several: [file], [file audit]. Every error
 * goes to stderr, as FILE:LINE: [SECTION] KEY: WHY.
 */
#ifndef LOSTPEER_CONFIG_H
#define LOSTPEER_CONFIG_H

#include <stdbool.h>

#include "outputs/feed.h"
#include "kernel/kernel.h"
#include "base/options.h"
#include "early/early.h"

#define CONFIG_DEFAULT_PATH "/etc/lostpeer/lostpeer.conf"

struct config;

/* A configuration that was checked. */
struct config_result {
	struct kernel_options kernel;
	struct early_options early;
	struct feed_settings *feeds[FEEDS_MAX];
	size_t n_feeds;
};

/* NULL when out of memory. */
struct config *config_new(void);
void config_free(struct config *config);

/* Reads a file. False after messages on stderr. */
bool config_read(struct config *config, const char *path);
/* For options: config_begin() begins or continues a section, config_set() sets a key in it; a key of [agent] always
 * goes to [agent]. NULL, or what is wrong. */
const char *config_begin(struct config *config, const char *title);
const char *config_set(struct config *config, const struct option_spec *spec, bool opposite, const char *value);

/* Checks everything and fills *result, which the caller frees with config_clear(). False after messages on stderr. */
bool config_resolve(const struct config *config, struct config_result *result);
/* Frees the feeds that are still in it. */
void config_clear(struct config_result *result);

#endif
