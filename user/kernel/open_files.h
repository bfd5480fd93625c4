/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Walks over the open files of processes: which sockets they hold. */
#ifndef LOSTPEER_OPEN_FILES_H
#define LOSTPEER_OPEN_FILES_H

#include <stddef.h>

#include "record.h"

struct kernel;

/* Remembers the connections that exist already. Counts them, and the processes that hold them. 0, or a negative errno
 * after a message. */
int open_files_seed(struct kernel *kernel, unsigned *connections, unsigned *processes);

static inline __u64 open_files_listener_key(__u32 netns, __u16 port)
{
	return (__u64)netns << 16 | port;
}
typedef void open_files_found(void *context, const struct lp_holder *holder);
/* Looks through the open files of process tgid (0: of all) for the sockets named by keys: lp_socket.sk, or an
 * open_files_listener_key(). At most LP_SOUGHT_MAX keys. 0 or a negative errno. */
int open_files_find(struct kernel *kernel, __u32 tgid, const __u64 *keys, size_t n, open_files_found *found,
		    void *context);

#endif
