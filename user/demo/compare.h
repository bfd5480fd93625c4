/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compares the truth with the events that lostpeer reported. */
#ifndef LOSTPEER_DEMO_COMPARE_H
#define LOSTPEER_DEMO_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

struct scene;
struct witness;

enum outcome { OUTCOME_RIGHT, OUTCOME_WRONG, OUTCOME_SKIPPED, OUTCOME_COUNT };

/* Prints and judges a row that was played. It is right if lostpeer reported exactly the expected events of each end.
 * With witness NULL, prints only the truth; the row is right if the drop was made as intended. */
enum outcome compare_scene(FILE *out, const struct scene *scene, struct witness *witness);

/* Prints gaps and lines that are not JSON objects. Returns whether every line was a JSON object. A gap may explain a
 * wrong row, but is no fault in itself, because lostpeer watches the whole host. */
bool compare_lines(FILE *out, const struct witness *witness);

#endif
