/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "check/snapshot.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "event/verdicts.h"

struct descriptor {
	__u32 task; /* index */
	__u32 fd;
	__u32 next; /* index + 1 of the socket's next descriptor; 0: none */
};

struct array {
	void *items;
	size_t n, room;
};

struct snapshot {
	struct array sockets;     /* struct lp_socket */
	struct array first;       /* of each socket: index + 1 of its first descriptor */
	struct array descriptors; /* struct descriptor */
	struct array tasks;       /* struct lp_task; descriptors come process by process */
	struct array listeners;   /* __u32: indices of sockets */
	__u32 *slots;             /* by key: index + 1 of a socket; 0: empty */
	size_t n_slots;           /* a power of two, more than twice the sockets */
	size_t left_out;
};

struct snapshot *snapshot_new(void)
{
	/* lets large arrays grow in place; memory freed after loading BPF has made malloc copy them instead */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	return calloc(1, sizeof(struct snapshot));
}

void snapshot_free(struct snapshot *l)
{
	if (!l)
		return;
	free(l->sockets.items);
	free(l->first.items);
	free(l->descriptors.items);
	free(l->tasks.items);
	free(l->listeners.items);
	free(l->slots);
	free(l);
}

void snapshot_clear(struct snapshot *l)
{
	l->sockets.n = l->first.n = l->descriptors.n = l->tasks.n = l->listeners.n = l->left_out = 0;
	if (l->slots)
		memset(l->slots, 0, l->n_slots * sizeof(*l->slots));
}

static int append(struct array *a, const void *item, size_t size)
{
	if (a->n == a->room) {
		size_t room = a->room ? a->room + a->room / 2 : 256;
		void *items = realloc(a->items, room * size);

		if (!items)
			return -ENOMEM;
		a->items = items;
		a->room = room;
	}
	memcpy((char *)a->items + a->n++ * size, item, size);
	return 0;
}

/* --- by key: the socket's address, or sock_diag's substitute --- */

static __u64 key_of(const struct lp_socket *socket)
{
	return socket->sk ? socket->sk : socket->inode;
}

static __u32 *slot_of(const struct snapshot *l, __u64 key)
{
	size_t at = (size_t)(key * 0x9E3779B97F4A7C15ULL >> 32) & (l->n_slots - 1);

	while (l->slots[at] && key_of(snapshot_get(l, l->slots[at] - 1)) != key)
		at = (at + 1) & (l->n_slots - 1);
	return &l->slots[at];
}

static int make_slots(struct snapshot *l)
{
	size_t n = l->n_slots ? 2 * l->n_slots : 1024;

	if (l->n_slots > 2 * (l->sockets.n + 1))
		return 0;
	free(l->slots);
	l->slots = calloc(n, sizeof(*l->slots));
	l->n_slots = l->slots ? n : 0;
	if (!l->slots)
		return -ENOMEM;
	for (size_t i = 0; i < l->sockets.n; i++)
		if (key_of(snapshot_get(l, i)))
			*slot_of(l, key_of(snapshot_get(l, i))) = (__u32)i + 1;
	return 0;
}

static int add_socket(struct snapshot *l, const struct lp_socket *socket, __u32 *index)
{
	const __u32 none = 0;
	__u32 at = (__u32)l->sockets.n;

	if (l->sockets.n == SNAPSHOT_MAX) {
		l->left_out++;
		return -ENOSPC;
	}
	if (append(&l->sockets, socket, sizeof(*socket)) || append(&l->first, &none, sizeof(none)))
		return -ENOMEM;
	if (socket->state == TCP_LISTEN && append(&l->listeners, &at, sizeof(at)))
		return -ENOMEM;
	*index = at;
	return 0;
}

static int add_descriptor(struct snapshot *l, __u32 socket, const struct lp_task *task, __u32 fd)
{
	struct lp_task *tasks = l->tasks.items;
	__u32 *first = (__u32 *)l->first.items + socket;
	struct descriptor d = {.fd = fd, .next = *first};

	if (!l->tasks.n || tasks[l->tasks.n - 1].tgid != task->tgid)
		if (append(&l->tasks, task, sizeof(*task)))
			return -ENOMEM;
	d.task = (__u32)l->tasks.n - 1;
	if (append(&l->descriptors, &d, sizeof(d)))
		return -ENOMEM;
	*first = (__u32)l->descriptors.n;
	return 0;
}

int snapshot_add(struct snapshot *l, const struct lp_held *held)
{
	__u64 key = key_of(&held->socket);
	__u32 *slot, index;
	int err;

	err = make_slots(l);
	if (err)
		return err;
	slot = key ? slot_of(l, key) : NULL;
	if (slot && *slot) {
		index = *slot - 1;
		/* newer: it may have been accepted since */
		((struct lp_socket *)l->sockets.items)[index] = held->socket;
	} else {
		err = add_socket(l, &held->socket, &index);
		if (err)
			return err == -ENOSPC ? 0 : err;
		if (slot)
			*slot = index + 1;
	}
	return held->task.tgid ? add_descriptor(l, index, &held->task, held->fd) : 0;
}

int snapshot_hold(struct snapshot *l, __u64 inode, const struct lp_task *task, __u32 fd, bool *known)
{
	__u32 *slot = l->n_slots ? slot_of(l, inode) : NULL;

	*known = slot && *slot;
	return *known ? add_descriptor(l, *slot - 1, task, fd) : 0;
}

bool snapshot_find(const struct snapshot *l, const struct lp_socket *socket, size_t *i)
{
	__u32 slot = l->n_slots ? *slot_of(l, key_of(socket)) : 0;

	if (!slot)
		return false;
	*i = slot - 1;
	return snapshot_get(l, *i)->inode == socket->inode;
}

/* --- reading --- */

size_t snapshot_count(const struct snapshot *l)
{
	return l->sockets.n;
}

size_t snapshot_left_out(const struct snapshot *l)
{
	return l->left_out;
}

const struct lp_socket *snapshot_get(const struct snapshot *l, size_t i)
{
	return (const struct lp_socket *)l->sockets.items + i;
}

bool snapshot_is_unheld(const struct snapshot *l, size_t i)
{
	return (snapshot_get(l, i)->flags & LP_F_FILE) && !((const __u32 *)l->first.items)[i];
}

void snapshot_flag(struct snapshot *l, size_t i, __u32 flags)
{
	((struct lp_socket *)l->sockets.items)[i].flags |= flags;
}

bool snapshot_each_holder(const struct snapshot *l, size_t i, snapshot_holder *each, void *context)
{
	const struct descriptor *descriptors = l->descriptors.items;
	const struct lp_task *tasks = l->tasks.items;

	for (__u32 at = ((const __u32 *)l->first.items)[i]; at; at = descriptors[at - 1].next)
		if (each(context, &tasks[descriptors[at - 1].task], descriptors[at - 1].fd))
			return true;
	return false;
}

static bool is_any(const struct lp_socket *socket)
{
	static const __u8 none[16];

	return !memcmp(socket->local_addr, none, socket->family == AF_INET ? 4 : 16);
}

static bool listens_for(const struct lp_socket *listener, const struct lp_socket *socket)
{
	if (listener->netns != socket->netns || listener->local_port != socket->local_port)
		return false;
	if (is_any(listener)) /* an IPv6 socket may accept both */
		return listener->family == socket->family || listener->family == AF_INET6;
	return listener->family == socket->family &&
	       !memcmp(listener->local_addr, socket->local_addr, socket->family == AF_INET ? 4 : 16);
}

/* Prefers the listener at the exact address to one at any address. */
size_t snapshot_held_by(const struct snapshot *l, size_t i)
{
	const struct lp_socket *socket = snapshot_get(l, i), *listener;
	const __u32 *listeners = l->listeners.items;
	size_t found = i;

	if (!verdicts_is_unaccepted(socket))
		return i;
	for (size_t n = 0; n < l->listeners.n; n++) {
		listener = snapshot_get(l, listeners[n]);
		if (listens_for(listener, socket) && (found == i || !is_any(listener)))
			found = listeners[n];
	}
	return found;
}
