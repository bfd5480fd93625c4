/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Options of `watch` that are keys of the agent's configuration as well: one table each. */
#ifndef LOSTPEER_KEYS_H
#define LOSTPEER_KEYS_H

#include "base/clock.h"
#include "base/options.h"

/* Of the agent as a whole; they set a struct kernel_options. */
extern const struct option_group kernel_keys;

/* Of the agent, too; they set a struct early_options. */
extern const struct option_group early_keys;
#define EARLY_OPTIONS_DEFAULT                                                                                          \
	{                                                                                                              \
		5 * CLOCK_SECOND, 60 * CLOCK_SECOND                                                                    \
	}

/* Of every output: what passes, which they set in a struct filter; and in what measure, in a struct feed_settings. */
extern const struct option_group filter_keys, feed_keys;

#endif
