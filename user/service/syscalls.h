/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The system calls that lostpeer needs once everything is attached (privilege.h). */
#ifndef LOSTPEER_SYSCALLS_H
#define LOSTPEER_SYSCALLS_H

#include <asm/types.h>

struct syscall_rule {
	const char *name;  /* NULL ends the table */
	unsigned compares; /* 1: only if the argument, under the mask (0: unmasked), equals the value */
	unsigned argument;
	__u64 mask, value;
};

extern const struct syscall_rule syscall_rules[];

#endif
