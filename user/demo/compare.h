/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The truth beside what lostpeer said of it. */
#ifndef LOSTPEER_DEMO_COMPARE_H
#define LOSTPEER_DEMO_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

struct scene;
struct witness;

enum outcome { OUTCOME_RIGHT, OUTCOME_WRONG, OUTCOME_SKIPPED, OUTCOME_COUNT };

/* Prints a row that was played, and judges it: right if of each end exactly what is expected was said, once. With
 * witness NULL prints the truth alone, and the row is right if the drop was made as intended. */
enum outcome compare_scene(FILE *out, const struct scene *scene, struct witness *witness);

/* Tells of gaps, which explain a row that is wrong but are no fault of their own (the whole host is watched), and of
 * lines that are no JSON objects. Returns whether all were. */
bool compare_lines(FILE *out, const struct witness *witness);

#endif
