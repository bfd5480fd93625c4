/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/group.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/table.h"
#include "filter/aggregate.h"
#include "filter/rate_limit.h"

#define HIGH_PORT 32768 /* the default beginning of net.ipv4.ip_local_port_range */

/* Which end is the service. */
enum service { SERVICE_UNKNOWN, SERVICE_OURS, SERVICE_THEIRS };

/* Identifies a burst. No padding, because it is compared as bytes. */
struct key {
	struct address peer;
	__u32 netns;
	__u16 port;    /* the service's, at either end */
	__u16 service; /* enum service */
	__u16 cause;
	__u16 by;
};
_Static_assert(sizeof(struct key) == 28, "no padding in a key");

/* An application: hashes of its name and place, and of its executable (0: not known). */
struct kind {
	__u64 name;
	__u64 executable;
};

struct burst {
	struct table_link by_key;
	TAILQ_ENTRY(burst) by_end; /* in the order in which windows end */
	struct key key;
	__u64 until_ns;
	struct aggregate *gathered;
	unsigned n_kinds;
	struct kind kinds[GROUP_KINDS_MAX];
};

struct groups {
	__u64 window_ns;
	group_put *put;
	void *context;
	struct rate_limit *rate_limit; /* NULL: none */
	unsigned count;
	TAILQ_HEAD(, burst) bursts;
	struct table table;
};

/* --- which events belong together --- */

static __u64 hash(__u64 seed, const void *bytes, size_t n) /* FNV-1a */
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < n; i++)
		seed = (seed ^ b[i]) * 0x100000001b3ULL;
	return seed;
}

#define HASH_SEED 0xcbf29ce484222325ULL

static __u64 hash_text(__u64 seed, const char *text)
{
	return hash(seed, text, strlen(text) + 1);
}

/* If nobody saw which end connected, for example because the connection is older than the agent, a low port is taken
 * for the service's: the kernel gives high ports to the connecting end. */
static enum service service_of(const struct lp_record *r)
{
	bool ours_is_high = !r->socket.local_port || r->socket.local_port >= HIGH_PORT,
	     theirs_is_high = r->socket.peer_port >= HIGH_PORT;

	if (r->socket.flags & (LP_F_CONNECTED | LP_F_ACCEPTED))
		return r->socket.flags & LP_F_ACCEPTED ? SERVICE_OURS : SERVICE_THEIRS;
	if (ours_is_high == theirs_is_high)
		return SERVICE_UNKNOWN;
	return ours_is_high ? SERVICE_THEIRS : SERVICE_OURS;
}

static struct key key_of(const struct event *e)
{
	const struct lp_record *r = e->record;
	struct key key = {
		.peer = address_of(r->socket.family, r->socket.peer_addr),
		.netns = r->socket.netns,
		.service = (__u16)service_of(r),
	};

	if (key.service != SERVICE_UNKNOWN) /* else the port is ignored */
		key.port = key.service == SERVICE_OURS ? r->socket.local_port : r->socket.peer_port;
	key.cause = (__u16)e->verdict.cause;
	key.by = (__u16)e->verdict.by;
	return key;
}

static struct kind kind_of(const struct event *e)
{
	const struct owner *o = &e->owner;
	struct kind kind = {.name = hash(HASH_SEED, &o->unknown, sizeof(o->unknown))};

	if (!o->via && !o->n_holders)
		return kind;
	kind.name = hash_text(kind.name, o->process.comm);
	for (unsigned i = 0; !o->via && i < o->n_holders; i++)
		kind.name = hash_text(kind.name, o->holders[i].comm);
	kind.name = hash_text(kind.name, *e->place->container ? e->place->container : e->place->unit);
	if (*e->executable)
		kind.executable = hash_text(HASH_SEED, e->executable);
	return kind;
}

/* The executable is unknown if the process was gone too soon; then the name decides. */
static bool same_kind(struct kind a, struct kind b)
{
	return a.name == b.name && (a.executable == b.executable || !a.executable || !b.executable);
}

/* Whether the burst already had an event of this kind; notes the kind. */
static bool knows_kind(struct burst *b, struct kind kind)
{
	for (unsigned i = 0; i < b->n_kinds; i++)
		if (same_kind(b->kinds[i], kind))
			return true;
	if (b->n_kinds == GROUP_KINDS_MAX)
		return true;
	b->kinds[b->n_kinds++] = kind;
	return false;
}

/* --- the table --- */

static __u64 hash_key(const struct key *key)
{
	return hash(HASH_SEED, key, sizeof(*key));
}

static void forget(struct groups *g, struct burst *b)
{
	table_remove(&g->table, b);
	TAILQ_REMOVE(&g->bursts, b, by_end);
	g->count--;
	aggregate_free(b->gathered);
	free(b);
}

static struct burst *find(struct groups *g, const struct key *key)
{
	struct burst *b = table_find(&g->table, hash_key(key));

	while (b && memcmp(&b->key, key, sizeof(*key)))
		b = table_next(b);
	return b;
}

/* --- putting out --- */

static bool passes_limit(struct groups *g, const struct event *e, __u64 now_ns)
{
	return !g->rate_limit || rate_limit_take(g->rate_limit, e, now_ns);
}

static void put_gathered(struct groups *g, struct burst *b, __u64 now_ns)
{
	if (!b->gathered)
		return;
	if (passes_limit(g, aggregate_event(b->gathered), now_ns))
		g->put(g->context, aggregate_event(b->gathered));
	aggregate_free(b->gathered);
	b->gathered = NULL;
}

/* NULL when out of memory. */
static struct burst *begin(struct groups *g, const struct key *key, __u64 now_ns)
{
	struct burst *b = calloc(1, sizeof(*b)), *oldest = TAILQ_FIRST(&g->bursts);

	if (!b)
		return NULL;
	if (g->count == GROUP_BURSTS_MAX) {
		put_gathered(g, oldest, now_ns);
		forget(g, oldest);
	}
	b->key = *key;
	b->until_ns = now_ns + g->window_ns;
	table_add(&g->table, b, hash_key(key));
	TAILQ_INSERT_TAIL(&g->bursts, b, by_end);
	g->count++;
	return b;
}

/* --- from outside --- */

struct groups *group_new(__u64 window_ns, unsigned rate, group_put *put, void *context)
{
	struct groups *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->window_ns = window_ns;
	g->put = put;
	g->context = context;
	TAILQ_INIT(&g->bursts);
	g->rate_limit = rate ? rate_limit_new(rate, put, context) : NULL;
	if (rate && !g->rate_limit) {
		free(g);
		return NULL;
	}
	return g;
}

void group_free(struct groups *g)
{
	struct burst *b;

	if (!g)
		return;
	while ((b = TAILQ_FIRST(&g->bursts)))
		forget(g, b);
	rate_limit_free(g->rate_limit);
	free(g);
}

/* An event that cannot be gathered for lack of memory is shown. */
static bool is_shown(struct groups *g, const struct event *e, __u64 now_ns)
{
	struct key key = key_of(e);
	struct burst *b = find(g, &key);

	if (!b)
		b = begin(g, &key, now_ns);
	return !b || !knows_kind(b, kind_of(e)) || !aggregate_add(&b->gathered, e);
}

bool group_take(struct groups *g, const struct event *e, __u64 now_ns)
{
	group_tick(g, now_ns);
	return (!g->window_ns || is_shown(g, e, now_ns)) && passes_limit(g, e, now_ns);
}

void group_tick(struct groups *g, __u64 now_ns)
{
	struct burst *b;

	while ((b = TAILQ_FIRST(&g->bursts)) && b->until_ns <= now_ns) {
		if (!b->gathered) {
			forget(g, b);
			continue;
		}
		put_gathered(g, b, now_ns);
		b->until_ns = now_ns + g->window_ns;
		TAILQ_REMOVE(&g->bursts, b, by_end);
		TAILQ_INSERT_TAIL(&g->bursts, b, by_end);
	}
	if (g->rate_limit)
		rate_limit_tick(g->rate_limit, now_ns);
}

void group_finish(struct groups *g)
{
	struct burst *b;

	TAILQ_FOREACH(b, &g->bursts, by_end) {
		if (!b->gathered)
			continue;
		g->put(g->context, aggregate_event(b->gathered));
		aggregate_free(b->gathered);
		b->gathered = NULL;
	}
	if (g->rate_limit)
		rate_limit_finish(g->rate_limit);
}

__u64 group_deadline(const struct groups *g)
{
	const struct burst *oldest = TAILQ_FIRST(&g->bursts);

	return clock_earlier(oldest ? oldest->until_ns : 0, g->rate_limit ? rate_limit_deadline(g->rate_limit) : 0);
}
