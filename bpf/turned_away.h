/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many peers the listeners of a network namespace turned away, by the kernel's own counters, which are kept for each
 * CPU: ListenOverflows and ListenDrops of /proc/net/netstat. */
#ifndef LOSTPEER_BPF_TURNED_AWAY_H
#define LOSTPEER_BPF_TURNED_AWAY_H

#include "maps.h"

/* Where each CPU's copy of a per-CPU variable is, from its address, plus 1; 0: not known. The agent runs note_cpu on
 * every CPU, then sets this kernel's numbers of the two counters: until then, and where the kernel does not show them,
 * nothing is counted. */
__u64 cpu_offset[LP_CPUS_MAX];
__u32 mib_overflows, mib_drops;

/* Set by the agent before loading, so that the verifier follows a loop over these alone. 0: more than LP_CPUS_MAX. */
const volatile __u32 n_cpus = LP_CPUS_MAX;

/* What the agent has seen so far, by inode of the network namespace; at first what was counted before its first
 * listener. More namespaces do not listen; the one not used longest gives way, and its next count begins at that time. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct lp_turned_away);
} turned_away SEC(".maps");

/* A map of ours has both: the address of its value for this CPU, and that of the per-CPU variable. Never attached: the
 * agent runs it (from 5.10 on a CPU of its choice). */
SEC("raw_tp")
int note_cpu(void *ctx)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	void *here = bpf_map_lookup_elem(&conns_kept, &zero);
	__u64 map = as_number(&conns_kept), variable = 0;

	if (!here || cpu >= LP_CPUS_MAX)
		return 0;
	if (!bpf_probe_read_kernel(&variable, sizeof(variable),
				   (void *)(map + bpf_core_field_offset(struct bpf_array, pptrs))))
		cpu_offset[cpu] = (as_number(here) - variable) | 1;
	return 0;
}

/* Of one counter, over all CPUs. */
__noinline __u64 sum_mib(__u64 mibs, __u32 number)
{
	__u64 sum = 0, value;

	for (__u32 cpu = 0; cpu < LP_CPUS_MAX && cpu < n_cpus; cpu++) {
		__u64 offset = cpu_offset[cpu];

		value = 0;
		if (offset)
			bpf_probe_read_kernel(&value, sizeof(value), (void *)(mibs + offset - 1 + number * 8ULL));
		sum += value;
	}
	return sum;
}

/* false: not known. */
static __always_inline _Bool count_turned_away(struct lp_turned_away *away, struct net *net)
{
	__u64 mibs = (__u64)BPF_CORE_READ(net, mib.net_statistics);

	if (!mib_drops || !n_cpus || !mibs)
		return 0;
	away->count[LP_QUEUE_ACCEPT] = sum_mib(mibs, mib_overflows);
	away->count[LP_QUEUE_SYN] = sum_mib(mibs, mib_drops) - away->count[LP_QUEUE_ACCEPT];
	return 1;
}

/* A listener begins, perhaps in a new namespace that has the inode of an old one. */
__noinline int note_listens(__u64 key)
{
	struct net *net = (struct net *)key;
	__u32 netns = BPF_CORE_READ(net, ns.inum);
	struct lp_turned_away now = {}, *before = bpf_map_lookup_elem(&turned_away, &netns);

	if (!count_turned_away(&now, net))
		return 0;
	if (!before || before->count[LP_QUEUE_ACCEPT] > now.count[LP_QUEUE_ACCEPT] ||
	    before->count[LP_QUEUE_SYN] > now.count[LP_QUEUE_SYN])
		bpf_map_update_elem(&turned_away, &netns, &now, BPF_ANY);
	return 0;
}

#endif
