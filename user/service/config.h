/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration of `lostpeer agent`: sections of KEY = VALUE, from a file (INI, by libinih) and from
 * options, which come after it. A section is [agent], or the kind of an output with a name of its own if
 * there are several: [file], [file audit]. What is wrong is said on stderr, all of it, as FILE:LINE:
 * [SECTION] KEY: WHY.
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

/* What a configuration comes to. */
struct config_result {
	struct kernel_options kernel;
	struct early_options early;
	struct feed_settings *feeds[FEEDS_MAX];
	size_t n_feeds;
};

/* NULL when out of memory. */
struct config *config_new(void);
void config_free(struct config *config);

/* Reads a file into it. false: something was wrong, and was said. */
bool config_read(struct config *config, const char *path);
/* Options: begins a section, or goes on with it; and sets a key in it (of a struct option_spec that belongs
 * there, or is of [agent]). NULL, or what is wrong. */
const char *config_begin(struct config *config, const char *title);
const char *config_set(struct config *config, const struct option_spec *spec, bool opposite, const char *value);

/* Checks all of it and fills *result, which is the caller's then (config_clear). false: something is wrong,
 * and was said. */
bool config_resolve(const struct config *config, struct config_result *result);
/* Frees what is still in it. */
void config_clear(struct config_result *result);

#endif
