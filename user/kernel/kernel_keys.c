/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/kernel_keys.h"

#include "base/number.h"
#include "kernel/kernel.h"

/* A ring takes a power of two of bytes, of whole pages. */
static const char *set_ring(const struct option_spec *spec, void *ring_bytes, bool opposite, const char *value)
{
	__u64 kib;

	(void)opposite;
	if (number_parse(value, spec->least, spec->most, &kib) || (kib & (kib - 1)))
		return spec->wrong;
	*(size_t *)ring_bytes = (size_t)kib << 10;
	return NULL;
}

static const struct option_spec of_kernel[] = {
	{"ring", "KIB", "size of the ring buffer, a power of two (4096)", set_ring,
	 OPTION_AT(struct kernel_options, ring_bytes), 64, 1 << 20,
	 .wrong = "not a power of two from 64 to 1048576 (KiB)"},
	{"connect-hook", NULL, "see connects that fail without a packet (no route, denied); slows every system call",
	 option_flag, OPTION_AT(struct kernel_options, connect_hook)},
	{"accept-hook", NULL, "see who accepts, of workers that share a listener; slows every system call", option_flag,
	 OPTION_AT(struct kernel_options, accept_hook)},
};
const struct option_group kernel_keys = OPTION_GROUP(of_kernel);
