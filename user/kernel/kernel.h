/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side, as the agent sees it: load the BPF object with the programs that this kernel can run, attach,
 * read the ring, set what is wanted, ask who holds a socket. Nothing is pinned: when the process ends, however it
 * ends, the kernel drops it all.
 */
#ifndef LOSTPEER_KERNEL_H
#define LOSTPEER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/probe.h"
#include "record.h"
#include "kernel/wants.h"

struct kernel;

struct kernel_options {
	size_t ring_bytes; /* a power of two and a multiple of the page size; 0: as built */
	bool connect_hook;
	bool accept_hook;
	__u32 follow_parent;    /* follow the descendants of what this process forks; 0: nobody */
	__u32 cgroup_hierarchy; /* the one that tells where a process is: 0 is cgroup v2 */
};

/* The kernel numbers processes as its first pid namespace does; in another one every pid would be wrong. */
bool kernel_pid_namespace_is_first(void);
/* Whether the syscall hooks can be attached: 0, -ENOENT (tracefs is not mounted), -EACCES. */
int kernel_look_for_tracefs(void);

/* 0, or a negative errno after one message on stderr that says what is missing and what to do. */
int kernel_open(struct kernel **kernel, const struct kernel_options *options);
void kernel_close(struct kernel *kernel);
/* Stops the hooks; what is in the ring can still be read. */
void kernel_detach(struct kernel *kernel);

const struct kernel_features *kernel_features(const struct kernel *kernel);

/* Remembers what exists already. Counts connections, and the processes that hold them. */
int kernel_seed(struct kernel *kernel, unsigned *connections, unsigned *processes);

/* What is wanted from now on, once it returns: of all, and of users beside that. What is orderly takes the missed, too.
 * wants.of_uids is not read. */
void kernel_want(struct kernel *kernel, struct lp_wants wants, const struct uid_wants *uids, size_t n);

/* The BPF object itself, for sockets.c. */
struct lostpeer *kernel_skeleton(const struct kernel *kernel);

/* For epoll with EPOLLET: readable when the kernel asks for attention. */
int kernel_ring_fd(const struct kernel *kernel);
/* Hands the records in the ring to `take`, up to the first that is younger than until_ns (CLOCK_MONOTONIC). */
void kernel_consume(struct kernel *kernel, __u64 until_ns);
/* Whether the kernel shall ask for attention: else the ring is looked at soon anyway. */
void kernel_wake_me(struct kernel *kernel, bool wake);
typedef void kernel_take(void *context, const struct lp_record *record);
void kernel_on_record(struct kernel *kernel, kernel_take *take, void *context);

/* What the kernel side remembers of sockets that ended, LP_ENDED slots; NULL: nothing. */
const struct lp_ended *kernel_ended(const struct kernel *kernel);

/* Sums over all CPUs, by enum lp_stat. */
void kernel_stats(const struct kernel *kernel, __u64 stats[LP_STAT_COUNT]);
void kernel_ring_use(const struct kernel *kernel, __u64 *bytes, __u64 *used);
/* How often our programs have run, and for how long: 0 unless kernel.bpf_stats_enabled is 1. */
void kernel_cost(const struct kernel *kernel, __u64 *runs, __u64 *ns);
/* Attaches what takes the transitions that are missed while a program is under way (bpf/reentry.h), if this kernel
 * misses any and it is not attached yet. */
void kernel_take_missed(struct kernel *kernel);
/* Times that the kernel skipped one of our programs because it was running already on that CPU (from 5.12), and
 * no other of ours took its place. */
__u64 kernel_missed(const struct kernel *kernel);

#define KERNEL_SOUGHT_MAX 4096
static inline __u64 kernel_listener_key(__u32 netns, __u16 port)
{
	return (__u64)netns << 16 | port;
}
typedef void kernel_found(void *context, const struct lp_holder *holder);
/* Looks through the open files of process tgid (0: of all) for the sockets named by keys: lp_record.sk, or a
 * kernel_listener_key(). At most KERNEL_SOUGHT_MAX keys. 0 or a negative errno. */
int kernel_find_holders(struct kernel *kernel, __u32 tgid, const __u64 *keys, size_t n, kernel_found *found,
			void *context);

/* CLOCK_MONOTONIC of the last time that this process forked a process while we watched; 0: never. */
__u64 kernel_last_fork(const struct kernel *kernel, __u32 tgid);
/* Whether this process descends from one that follow_parent forked. */
bool kernel_follows(const struct kernel *kernel, __u32 tgid, __u64 start_boot_ns);

/* The next three may be asked without a kernel (NULL), and know nothing then.
 * The path of a cgroup that was removed not long ago; false: not known. */
bool kernel_gone_cgroup(const struct kernel *kernel, __u64 id, char path[LP_CGROUP_PATH]);
/* Who made the cgroup of this path, if that was a container runtime; or LP_MAKER_OTHER. */
enum lp_maker kernel_cgroup_maker(const struct kernel *kernel, const char *path, size_t length);
/* With a cgroup_hierarchy: the id of the cgroup that this process was in when it exited; 0: it has not, or too long
 * ago. */
__u64 kernel_exit_cgroup(const struct kernel *kernel, __u32 tgid, __u64 start_boot_ns);

/* The kernel's name for lp_record.reset_reason, without its prefix; NULL if it has none. */
const char *kernel_reset_reason(const struct kernel *kernel, __u32 reason);

#endif
