/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/sought.h"

#include <bpf/bpf.h>

#include "kernel/kernel.h"
#include "lostpeer.skel.h"

int sought_add(struct kernel *k, const __u64 *keys, size_t n)
{
	const __u32 one = 1;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = bpf_map_update_elem(bpf_map__fd(kernel_skeleton(k)->maps.sought), &keys[i], &one, BPF_ANY);
	return err;
}

void sought_remove(struct kernel *k, const __u64 *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(bpf_map__fd(kernel_skeleton(k)->maps.sought), &keys[i]);
}
