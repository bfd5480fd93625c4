/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs a BPF iterator. */
#ifndef LOSTPEER_ITERATOR_H
#define LOSTPEER_ITERATOR_H

#include <stddef.h>

struct bpf_program;
union bpf_iter_link_info;

/* Runs the program over what `info` selects (NULL: everything) and calls `each` for every item of this size that it
 * writes; the item may be unaligned. 0 or a negative errno. */
int iterator_run(struct bpf_program *program, union bpf_iter_link_info *info, size_t size,
		 void (*each)(void *context, const void *item), void *context);

#endif
