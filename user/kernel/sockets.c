/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/sockets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "lostpeer.skel.h"

#define BATCH 1024 /* entries of a map at a time; no bucket has more */

/* --- programs over addresses --- */

int sockets_run(struct kernel *kernel, const struct bpf_program *program, const __u64 *sockets, const char *remembered,
		__u32 n)
{
	struct lostpeer__bss *shared = kernel_skeleton(kernel)->bss;
	const size_t size = sizeof(shared->looked_at_conns[0]);
	LIBBPF_OPTS(bpf_test_run_opts, run);

	memcpy(shared->looked_at, sockets, n * sizeof(*sockets));
	if (remembered)
		memcpy(shared->looked_at_conns, remembered, n * size);
	else
		memset(shared->looked_at_conns, 0, n * size);
	shared->n_looked_at = n;
	return bpf_prog_test_run_opts(bpf_program__fd(program), &run);
}

/* At LP_GLANCES_MAX at most. Whom they are handed to may look, too. */
static int look_at_some(struct kernel *kernel, const __u64 *sockets, const char *remembered, __u32 n, __u32 states,
			sockets_take *take, void *context)
{
	struct lostpeer *s = kernel_skeleton(kernel);
	struct lp_glance found[LP_GLANCES_MAX];
	int err;

	s->bss->looked_states = states;
	err = sockets_run(kernel, s->progs.glance_at_sockets, sockets, remembered, n);
	if (err)
		return err;
	memcpy(found, s->bss->glances, n * sizeof(*found));
	for (__u32 i = 0; i < n; i++)
		take(context, &found[i]);
	return 0;
}

int sockets_look_at(struct kernel *kernel, const __u64 *sockets, size_t n, __u32 states, sockets_take *take,
		    void *context)
{
	int err = 0;

	for (size_t at = 0; at < n && !err; at += LP_GLANCES_MAX)
		err = look_at_some(kernel, sockets + at, NULL,
				   n - at < LP_GLANCES_MAX ? (__u32)(n - at) : LP_GLANCES_MAX, states, take, context);
	return err;
}

static void take_name(void *context, const struct lp_glance *glance)
{
	struct lp_record *r = context;
	const struct lp_record *named = &glance->record;

	if (!named->kind || named->socket.local_port != r->socket.local_port ||
	    named->socket.peer_port != r->socket.peer_port)
		return;
	r->who = named->who;
	r->task = named->task;
	r->socket.flags |= named->socket.flags;
	r->born_ns = named->born_ns;
	r->established_ns = named->established_ns;
}

void sockets_name(struct kernel *kernel, struct lp_record *r)
{
	const struct lostpeer *s = kernel_skeleton(kernel);
	char remembered[sizeof(s->bss->looked_at_conns[0])];

	if (!bpf_map_lookup_elem(bpf_map__fd(s->maps.conns), &r->socket.sk, remembered))
		look_at_some(kernel, &r->socket.sk, remembered, 1, 1u << r->socket.state, take_name, r);
}

/* --- through a map --- */

struct batch {
	__u64 keys[BATCH];
	char values[];
};

/* Keys are 8 bytes. */
static int through_map(const struct bpf_map *map, int (*each)(void *context, const struct batch *batch, __u32 n),
		       void *context)
{
	struct batch *batch = malloc(sizeof(*batch) + BATCH * (size_t)bpf_map__value_size(map));
	__u32 position, count;
	int err = 0, last = 0;
	bool begun = false;

	if (!batch)
		return -ENOMEM;
	while (!err && !last) {
		count = BATCH;
		last = bpf_map_lookup_batch(bpf_map__fd(map), begun ? &position : NULL, &position, batch->keys,
					    batch->values, &count, NULL);
		begun = true;
		if (last && last != -ENOENT) /* which says that this was all */
			err = last;
		else
			err = each(context, batch, count);
	}
	free(batch);
	return err;
}

struct through {
	size_t size; /* of a value */
	__u32 most;
	sockets_batch *each;
	void *context;
};

static int in_batches(void *context, const struct batch *batch, __u32 n)
{
	const struct through *t = context;
	int err = 0;

	for (__u32 i = 0; i < n && !err; i += t->most)
		err = t->each(t->context, batch->keys + i, batch->values + i * t->size,
			      n - i < t->most ? n - i : t->most);
	return err;
}

int sockets_through(struct kernel *kernel, __u32 most, sockets_batch *each, void *context)
{
	const struct bpf_map *conns = kernel_skeleton(kernel)->maps.conns;
	struct through through = {bpf_map__value_size(conns), most, each, context};

	return through_map(conns, in_batches, &through);
}

struct looking {
	struct kernel *kernel;
	__u32 states;
	sockets_take *take;
	void *context;
};

static void take_found(void *context, const struct lp_glance *look)
{
	const struct looking *looking = context;

	if (look->record.kind)
		looking->take(looking->context, look);
}

static int look_at_batch(void *context, const __u64 *sockets, const char *remembered, __u32 n)
{
	struct looking *looking = context;

	return look_at_some(looking->kernel, sockets, remembered, n, looking->states, take_found, looking);
}

int sockets_look_at_all(struct kernel *kernel, __u32 states, sockets_take *take, void *context)
{
	struct looking looking = {kernel, states, take, context};

	return sockets_through(kernel, LP_GLANCES_MAX, look_at_batch, &looking);
}

/* --- the other ends --- */

struct end_look {
	struct kernel *kernel;
	sockets_found *found;
	void *context;
};

static int look_at_ends(void *context, const __u64 *sockets, const char *remembered, __u32 n)
{
	const struct end_look *look = context;
	struct lostpeer__bss *shared = kernel_skeleton(look->kernel)->bss;
	int err = sockets_run(look->kernel, kernel_skeleton(look->kernel)->progs.look_at_ends, sockets, remembered, n);

	for (__u32 i = 0; !err && i < shared->n_found_ends; i++)
		look->found(look->context, &shared->found_ends[i]);
	return err;
}

int sockets_find_ends(struct kernel *k, const __u32 *ports, size_t n, sockets_found *found, void *context)
{
	struct end_look look = {k, found, context};
	int map = bpf_map__fd(kernel_skeleton(k)->maps.sought_ends);
	__u32 one = 1;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = bpf_map_update_elem(map, &ports[i], &one, BPF_ANY);
	if (!err)
		err = sockets_through(k, LP_LOOK_MAX, look_at_ends, &look);
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(map, &ports[i]);
	return err;
}

/* --- what is listed --- */

struct listing {
	char *items; /* of a key and a value each */
	size_t size, most, n;
};

static int copy_items(void *context, const struct batch *batch, __u32 n)
{
	struct listing *l = context;
	size_t value_size = l->size - sizeof(*batch->keys);

	for (__u32 i = 0; i < n && l->n < l->most; i++, l->n++) {
		memcpy(l->items + l->n * l->size, &batch->keys[i], sizeof(*batch->keys));
		memcpy(l->items + l->n * l->size + sizeof(*batch->keys), batch->values + i * value_size, value_size);
	}
	return 0;
}

static int list(const struct bpf_map *map, void *items, size_t size, size_t most, size_t *n)
{
	struct listing listing = {items, size, most, 0};
	int err = through_map(map, copy_items, &listing);

	*n = listing.n;
	return err;
}

static int add(const struct bpf_map *map, __u64 sk, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), &sk, value, BPF_NOEXIST);
}

int sockets_list_silent(struct kernel *kernel, struct sockets_listed *items, size_t most, size_t *n)
{
	return list(kernel_skeleton(kernel)->maps.silent, items, sizeof(*items), most, n);
}

void sockets_add_silent(struct kernel *kernel, __u64 sk, const struct lp_listed *listed)
{
	add(kernel_skeleton(kernel)->maps.silent, sk, listed);
}

void sockets_forget_silent(struct kernel *kernel, __u64 sk)
{
	bpf_map_delete_elem(bpf_map__fd(kernel_skeleton(kernel)->maps.silent), &sk);
}

int sockets_list_filled(struct kernel *kernel, struct sockets_filled *items, size_t most, size_t *n)
{
	return list(kernel_skeleton(kernel)->maps.filled, items, sizeof(*items), most, n);
}

void sockets_add_filled(struct kernel *kernel, __u64 sk, const struct lp_filled *filled)
{
	add(kernel_skeleton(kernel)->maps.filled, sk, filled);
}

void sockets_forget_filled(struct kernel *kernel, __u64 sk)
{
	bpf_map_delete_elem(bpf_map__fd(kernel_skeleton(kernel)->maps.filled), &sk);
}

volatile struct lp_alarms *sockets_alarms(struct kernel *kernel)
{
	return &kernel_skeleton(kernel)->bss->alarms;
}
