/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All that one look at the host saw: sockets, each once, and who holds them. */
#ifndef LOSTPEER_SNAPSHOT_H
#define LOSTPEER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

/* Sockets that are kept, each 230 bytes with its descriptor; more are counted as not seen. */
#define SNAPSHOT_MAX 1000000

/* What a look did not see. */
struct unseen {
	const char *why;      /* the kernel's programs cannot be used; NULL: they can */
	unsigned namespaces;  /* network namespaces that could not be entered: sockets without a descriptor there */
	unsigned processes;   /* whose descriptors could not be read */
	unsigned unconnected; /* TCP sockets that sock_diag does not show: not connected, or lost already */
	size_t sockets;       /* for which there was no room */
	bool failed;          /* a walk broke off; said on stderr */
};

struct snapshot;

struct snapshot *snapshot_new(void); /* NULL when out of memory */
void snapshot_free(struct snapshot *snapshot);
void snapshot_clear(struct snapshot *snapshot);

/* Adds a socket, or what is new of one that is there, and its descriptor if it has one. 0 or a negative errno. */
int snapshot_add(struct snapshot *snapshot, const struct lp_held *held);
/* Adds a descriptor of a socket by its inode, if that is there. *known is whether it is. 0 or a negative errno. */
int snapshot_hold(struct snapshot *snapshot, __u64 inode, const struct lp_task *task, __u32 fd, bool *known);

size_t snapshot_count(const struct snapshot *snapshot);
/* Sockets for which there was no room. */
size_t snapshot_left_out(const struct snapshot *snapshot);
const struct lp_socket *snapshot_get(const struct snapshot *snapshot, size_t i);

/* Calls for each descriptor of the socket; true from it ends the search, and is the result. */
typedef bool snapshot_holder(void *context, const struct lp_task *task, __u32 fd);
bool snapshot_each_holder(const struct snapshot *snapshot, size_t i, snapshot_holder *each, void *context);
/* The socket whose descriptors are those that matter: itself, or, of one that is not yet accepted, its listener. */
size_t snapshot_held_by(const struct snapshot *snapshot, size_t i);

#endif
