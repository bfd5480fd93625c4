/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Options of `watch`, and keys of [agent] in the configuration, that set a struct kernel_options. */
#ifndef LOSTPEER_KERNEL_KEYS_H
#define LOSTPEER_KERNEL_KEYS_H

#include "base/options.h"

extern const struct option_group kernel_keys;

#endif
