/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/remembered.h"

#include <bpf/bpf.h>
#include <string.h>

#include "kernel/kernel.h"
#include "lostpeer.skel.h"

__u64 remembered_last_fork(const struct kernel *k, __u32 tgid)
{
	__u64 when = 0;

	bpf_map_lookup_elem(bpf_map__fd(kernel_skeleton(k)->maps.forks), &tgid, &when);
	return when;
}

bool remembered_past(const struct kernel *k, const struct lp_task *task, struct lp_past *past)
{
	return !bpf_map_lookup_elem(bpf_map__fd(kernel_skeleton(k)->maps.pasts), &task->tgid, past) &&
	       past->start_boot_ns == task->start_boot_ns;
}

/* The address of a socket that is gone may serve another one. */
bool remembered_shutter(const struct kernel *k, const struct lp_record *close, struct lp_shutter *shutter)
{
	return (close->socket.known & LP_KNOWN_SHUTTER) &&
	       !bpf_map_lookup_elem(bpf_map__fd(kernel_skeleton(k)->maps.shutters), &close->socket.sk, shutter) &&
	       shutter->time_ns <= close->time_ns;
}

bool remembered_follows(const struct kernel *k, __u32 tgid, __u64 start_boot_ns)
{
	__u64 start;

	return !bpf_map_lookup_elem(bpf_map__fd(kernel_skeleton(k)->maps.followed), &tgid, &start) &&
	       start == start_boot_ns;
}

bool remembered_won(const struct kernel *k, __u32 tgid, __u16 peer_port, __u64 since_ns)
{
	__u64 since = lp_won_of(tgid, peer_port, since_ns);
	__u64 won = __atomic_load_n(&kernel_skeleton(k)->bss->won[lp_won_slot(since)], __ATOMIC_RELAXED);

	return won >> LP_WON_TIME_BITS == since >> LP_WON_TIME_BITS && ((won - since) & LP_WON_TIME) <= LP_WON_TIME / 2;
}

enum lp_signature remembered_refused(const struct kernel *k, __u64 key, __u64 since_ns)
{
	struct lp_refused last;

	if (bpf_map_lookup_elem(bpf_map__fd(kernel_skeleton(k)->maps.refused), &key, &last))
		return LP_SIGNATURE_NONE;
	return last.time_ns >= since_ns && last.signature < LP_SIGNATURE_COUNT ? (enum lp_signature)last.signature
									       : LP_SIGNATURE_NONE;
}

/* Copies a slot; false: the kernel wrote to it meanwhile. */
static bool copy_cgroup(const struct lp_cgroup *slot, __u64 id, char path[LP_CGROUP_PATH])
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	memcpy(path, slot->path, LP_CGROUP_PATH);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	path[LP_CGROUP_PATH - 1] = '\0';
	return __atomic_load_n(&slot->id, __ATOMIC_ACQUIRE) == id;
}

bool remembered_gone_cgroup(const struct kernel *k, __u64 id, char path[LP_CGROUP_PATH])
{
	const struct lp_cgroup *slots = k ? kernel_skeleton(k)->bss->gone_cgroups : NULL;

	for (size_t i = 0; slots && id && i < LP_GONE_CGROUPS; i++)
		if (__atomic_load_n(&slots[i].id, __ATOMIC_ACQUIRE) == id && copy_cgroup(&slots[i], id, path))
			return true;
	return false;
}

enum lp_maker remembered_cgroup_maker(const struct kernel *k, const char *path, size_t length)
{
	const struct lp_cgroup *slots = k ? kernel_skeleton(k)->bss->made_cgroups : NULL;
	char made[LP_CGROUP_PATH];

	for (size_t i = 0; slots && length < LP_CGROUP_PATH && i < LP_MADE_CGROUPS; i++) {
		__u64 id = __atomic_load_n(&slots[i].id, __ATOMIC_ACQUIRE);
		__u32 maker = slots[i].maker;

		if (!id || memcmp(slots[i].path, path, length) || slots[i].path[length])
			continue;
		if (copy_cgroup(&slots[i], id, made) && strlen(made) == length && !memcmp(made, path, length))
			return maker < LP_MAKER_COUNT ? (enum lp_maker)maker : LP_MAKER_OTHER;
	}
	return LP_MAKER_OTHER;
}

__u64 remembered_exit_cgroup(const struct kernel *k, __u32 tgid, __u64 start_boot_ns)
{
	struct lp_exited exited;

	if (!k || bpf_map_lookup_elem(bpf_map__fd(kernel_skeleton(k)->maps.exited), &tgid, &exited))
		return 0;
	return exited.start_boot_ns == start_boot_ns ? exited.cgroup_id : 0;
}

const struct lp_ended *remembered_ended(const struct kernel *k)
{
	return kernel_skeleton(k)->bss->ended;
}
