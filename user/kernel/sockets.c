/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/sockets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernel/kernel.h"
#include "kernel/sought.h"
#include "lostpeer.skel.h"

#define BATCH 1024 /* entries of a map at a time; no bucket has more */

/* --- looks --- */

struct look {
	struct kernel *kernel;
	__u32 states;
	bool sought; /* only those that are sought */
	bool unseen; /* only those whose end was not seen */
	bool absent; /* take() gets those that are gone, too */
	sockets_take *take;
	void *context;
};

/* n: LP_LOOK_MAX at most. remembered: their values in `conns`; NULL: none. */
static int look_at_some(void *context, const __u64 *sockets, const char *remembered, __u32 n)
{
	const struct look *look = context;
	struct lostpeer *s = kernel_skeleton(look->kernel);
	struct lp_record seen[LP_LOOK_MAX]; /* a copy, because take() may look as well */
	const size_t size = sizeof(s->bss->looked_at_conns[0]);
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int err;

	memcpy(s->bss->looked_at, sockets, n * sizeof(*sockets));
	if (remembered)
		memcpy(s->bss->looked_at_conns, remembered, n * size);
	else
		memset(s->bss->looked_at_conns, 0, n * size);
	s->bss->n_looked_at = n;
	s->bss->looked_states = look->states;
	s->bss->looks_for_sought = look->sought;
	s->bss->looked_unseen = look->unseen;
	err = bpf_prog_test_run_opts(bpf_program__fd(s->progs.look_at_sockets), &run);
	if (err)
		return err;
	for (__u32 i = 0; i < n; i++)
		if ((seen[i].kind = s->bss->seen[i].kind))
			seen[i] = s->bss->seen[i];
	for (__u32 i = 0; i < n; i++)
		if (seen[i].kind || look->absent)
			look->take(look->context, &seen[i]);
	return 0;
}

int sockets_look_at(struct kernel *kernel, const __u64 *sockets, size_t n, __u32 states, sockets_take *take,
		    void *context)
{
	struct look look = {.kernel = kernel, .states = states, .absent = true, .take = take, .context = context};
	int err = 0;

	for (size_t at = 0; at < n && !err; at += LP_LOOK_MAX)
		err = look_at_some(&look, sockets + at, NULL, n - at < LP_LOOK_MAX ? (__u32)(n - at) : LP_LOOK_MAX);
	return err;
}

static void take_name(void *context, const struct lp_record *named)
{
	struct lp_record *r = context;

	if (named->socket.local_port != r->socket.local_port || named->socket.peer_port != r->socket.peer_port)
		return;
	r->who = named->who;
	r->task = named->task;
	r->socket.flags |= named->socket.flags;
	r->socket.resent = named->socket.resent;
	r->socket.held_back = named->socket.held_back;
	r->socket.dropped = named->socket.dropped;
	r->socket.last_try = named->socket.last_try;
	r->born_ns = named->born_ns;
	r->established_ns = named->established_ns;
}

void sockets_name(struct kernel *kernel, struct lp_record *r)
{
	const struct lostpeer *s = kernel_skeleton(kernel);
	char remembered[sizeof(s->bss->looked_at_conns[0])];
	struct look look = {.kernel = kernel, .states = 1u << r->socket.state, .take = take_name, .context = r};

	if (!bpf_map_lookup_elem(bpf_map__fd(s->maps.conns), &r->socket.sk, remembered))
		look_at_some(&look, &r->socket.sk, remembered, 1);
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
		if (last && last != -ENOENT) /* the end of the map */
			err = last;
		else
			err = each(context, batch, count);
	}
	free(batch);
	return err;
}

static int look_at_batch(void *context, const struct batch *batch, __u32 n)
{
	const struct look *look = context;
	const size_t size = sizeof(kernel_skeleton(look->kernel)->bss->looked_at_conns[0]);
	int err = 0;

	for (__u32 i = 0; i < n && !err; i += LP_LOOK_MAX)
		err = look_at_some(context, batch->keys + i, batch->values + i * size,
				   n - i < LP_LOOK_MAX ? n - i : LP_LOOK_MAX);
	return err;
}

int sockets_look_at_all(struct kernel *kernel, __u32 states, sockets_take *take, void *context)
{
	struct look look = {.kernel = kernel, .states = states, .take = take, .context = context};

	return through_map(kernel_skeleton(kernel)->maps.conns, look_at_batch, &look);
}

struct unseen {
	struct kernel *kernel;
	__u64 n, since_ns;
};

static void count_unseen(void *context, const struct lp_record *seen)
{
	struct unseen *unseen = context;
	__u64 since_ns = seen->established_ns ? seen->established_ns : seen->born_ns;

	unseen->n++;
	unseen->since_ns = clock_earlier(unseen->since_ns, since_ns);
}

/* The look compared the socket with an older copy of its entry: if it found it gone, the end may have been noted in
 * between. It was not if the entry is the same before and after another look. */
static void look_again(void *context, const struct lp_record *seen)
{
	struct unseen *unseen = context;
	const struct lostpeer *s = kernel_skeleton(unseen->kernel);
	char before[sizeof(s->bss->looked_at_conns[0])], after[sizeof(before)];
	struct unseen found = *unseen;
	struct look look = {.kernel = unseen->kernel, .unseen = true, .take = count_unseen, .context = &found};
	int map = bpf_map__fd(s->maps.conns);

	if (!bpf_map_lookup_elem(map, &seen->socket.sk, before) && !look_at_some(&look, &seen->socket.sk, before, 1) &&
	    !bpf_map_lookup_elem(map, &seen->socket.sk, after) && !memcmp(before, after, sizeof(before)))
		*unseen = found;
}

__u64 sockets_unseen(struct kernel *kernel, __u64 *since_ns)
{
	struct unseen unseen = {.kernel = kernel};
	struct look look = {.kernel = kernel, .unseen = true, .take = look_again, .context = &unseen};

	through_map(kernel_skeleton(kernel)->maps.conns, look_at_batch, &look);
	*since_ns = unseen.since_ns;
	return unseen.n;
}

int sockets_find(struct kernel *kernel, const __u64 *initials, size_t n, sockets_take *take, void *context)
{
	struct look look = {
		.kernel = kernel, .states = SOCKETS_EVERY_STATE, .sought = true, .take = take, .context = context};
	int err = sought_add(kernel, initials, n);

	if (!err)
		err = through_map(kernel_skeleton(kernel)->maps.conns, look_at_batch, &look);
	sought_remove(kernel, initials, n);
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

void sockets_keep_last(struct kernel *kernel, __u64 sk)
{
	static const struct lp_record nothing;

	bpf_map_update_elem(bpf_map__fd(kernel_skeleton(kernel)->maps.last_looks), &sk, &nothing, BPF_ANY);
}

bool sockets_take_last(struct kernel *kernel, __u64 sk, struct lp_record *last)
{
	int map = bpf_map__fd(kernel_skeleton(kernel)->maps.last_looks);
	bool found = !bpf_map_lookup_elem(map, &sk, last) && last->kind;

	bpf_map_delete_elem(map, &sk);
	return found;
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

void sockets_count_turned_away(struct kernel *kernel, __u32 mib_overflows, __u32 mib_drops)
{
	struct lostpeer *s = kernel_skeleton(kernel);

	for (__u32 cpu = 0; cpu < s->rodata->n_cpus; cpu++) { /* fails for one that is offline */
		LIBBPF_OPTS(bpf_test_run_opts, run, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);

		bpf_prog_test_run_opts(bpf_program__fd(s->progs.note_cpu), &run);
	}
	s->bss->mib_overflows = mib_overflows;
	s->bss->mib_drops = mib_drops;
}

bool sockets_turned_away(struct kernel *kernel, __u32 netns, struct lp_turned_away *seen)
{
	return !bpf_map_lookup_elem(bpf_map__fd(kernel_skeleton(kernel)->maps.turned_away), &netns, seen);
}

void sockets_set_turned_away(struct kernel *kernel, __u32 netns, const struct lp_turned_away *seen)
{
	bpf_map_update_elem(bpf_map__fd(kernel_skeleton(kernel)->maps.turned_away), &netns, seen, BPF_ANY);
}

volatile struct lp_alarms *sockets_alarms(struct kernel *kernel)
{
	return &kernel_skeleton(kernel)->bss->alarms;
}
