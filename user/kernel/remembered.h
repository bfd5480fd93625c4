/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the hooks remember for later: forks, former names, descendants, sockets that ended, cgroups. */
#ifndef LOSTPEER_REMEMBERED_H
#define LOSTPEER_REMEMBERED_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

struct kernel;

/* When this process last forked another one, CLOCK_MONOTONIC; 0: not since the hooks were attached. */
__u64 remembered_last_fork(const struct kernel *kernel, __u32 tgid);
/* Who forked this process, and which names it had before; false: neither is known. */
bool remembered_past(const struct kernel *kernel, const struct lp_task *task, struct lp_past *past);
/* Who shut this connection down while others held it too; false: nobody, or it is forgotten. */
bool remembered_shutter(const struct kernel *kernel, const struct lp_record *close, struct lp_shutter *shutter);
/* Whether this process descends from one that kernel_options.follow_parent forked. */
bool remembered_follows(const struct kernel *kernel, __u32 tgid, __u64 start_boot_ns);
/* Whether this process got a connection to this port of a peer at since_ns (CLOCK_MONOTONIC, at most some hours ago) or
 * later. Connections that it was given by another process do not count. */
bool remembered_won(const struct kernel *kernel, __u32 tgid, __u16 peer_port, __u64 since_ns);
/* Why a segment was dropped for its TCP signature since since_ns (CLOCK_MONOTONIC): the last one by this socket, or that
 * of this lp_segment_of(). LP_SIGNATURE_NONE: none was, or it is forgotten. */
enum lp_signature remembered_refused(const struct kernel *kernel, __u64 socket_or_segment, __u64 since_ns);
/* The sockets that ended, LP_ENDED slots. */
const struct lp_ended *remembered_ended(const struct kernel *kernel);

/* The next three take NULL for the kernel, and then know nothing.
 * The path of a cgroup that was removed not long ago; false: not known. */
bool remembered_gone_cgroup(const struct kernel *kernel, __u64 id, char path[LP_CGROUP_PATH]);
/* Who made the cgroup of this path, if that was a container runtime; or LP_MAKER_OTHER. */
enum lp_maker remembered_cgroup_maker(const struct kernel *kernel, const char *path, size_t length);
/* With a cgroup_hierarchy: the id of the cgroup that this process was in when it exited; 0: not known, or it runs. */
__u64 remembered_exit_cgroup(const struct kernel *kernel, __u32 tgid, __u64 start_boot_ns);

#endif
