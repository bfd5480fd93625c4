/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef LOSTPEER_FILE_H
#define LOSTPEER_FILE_H

#include <limits.h>

#include "outputs/lines.h"

struct file_settings {
	struct lines_settings lines;
	char path[PATH_MAX];
	bool fsync;
};

#endif
