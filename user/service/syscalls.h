/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The system calls that are still made once all is attached (privilege.h). */
#ifndef LOSTPEER_SYSCALLS_H
#define LOSTPEER_SYSCALLS_H

#include <asm/types.h>

struct syscall_rule {
	const char *name;  /* NULL ends the table */
	unsigned compares; /* 1: only where that argument, under the mask (0: all of it), has this value */
	unsigned argument;
	__u64 mask, value;
};

extern const struct syscall_rule syscall_rules[];

#endif
