/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The TCP sockets of the host at one moment, each once, and their holders. */
#ifndef LOSTPEER_SNAPSHOT_H
#define LOSTPEER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

/* The most sockets kept, each 230 bytes with its descriptor. Further ones are counted as not seen. */
#define SNAPSHOT_MAX 1000000

/* Counts what the snapshot missed. */
struct unseen {
	const char *why;      /* why BPF cannot be used; NULL: it can */
	unsigned namespaces;  /* that could not be entered; their sockets without a descriptor are missing */
	unsigned processes;   /* whose descriptors could not be read */
	unsigned unconnected; /* TCP sockets that sock_diag does not show: not connected, or already lost */
	size_t sockets;       /* beyond SNAPSHOT_MAX */
	bool failed;          /* a walk failed, after a message on stderr */
};

struct snapshot;

struct snapshot *snapshot_new(void); /* NULL when out of memory */
void snapshot_free(struct snapshot *snapshot);
void snapshot_clear(struct snapshot *snapshot);

/* Adds or updates a socket, and adds its descriptor if it has one. 0 or a negative errno. */
int snapshot_add(struct snapshot *snapshot, const struct lp_held *held);
/* Adds a descriptor of the socket with this inode; *known is whether there is one. 0 or a negative errno. */
int snapshot_hold(struct snapshot *snapshot, __u64 inode, const struct lp_task *task, __u32 fd, bool *known);

/* Finds the socket that this is, with the same file; *i is its index. */
bool snapshot_find(const struct snapshot *snapshot, const struct lp_socket *socket, size_t *i);

size_t snapshot_count(const struct snapshot *snapshot);
/* The number of sockets beyond SNAPSHOT_MAX. */
size_t snapshot_left_out(const struct snapshot *snapshot);
const struct lp_socket *snapshot_get(const struct snapshot *snapshot, size_t i);
void snapshot_flag(struct snapshot *snapshot, size_t i, __u32 flags); /* sets these too */

/* Whether it has a file, but no descriptor was added. */
bool snapshot_is_unheld(const struct snapshot *snapshot, size_t i);

/* Calls `each` for each descriptor of the socket until it returns true. Returns whether it did. */
typedef bool snapshot_holder(void *context, const struct lp_task *task, __u32 fd);
bool snapshot_each_holder(const struct snapshot *snapshot, size_t i, snapshot_holder *each, void *context);
/* The socket whose descriptors matter: the listener for a socket not yet accepted, else the socket itself. */
size_t snapshot_held_by(const struct snapshot *snapshot, size_t i);

#endif
