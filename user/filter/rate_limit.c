/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/rate_limit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/table.h"
#include "filter/aggregate.h"

#define AT_ONCE_NS (10 * CLOCK_SECOND) /* worth of events */

struct owner_limit {
	struct table_link by_tgid; /* 0: owner not known */
	bool used;
	__u64 start_boot_ns;
	__u64 paid_ns; /* each event takes share_ns; may be up to AT_ONCE_NS ahead of time */
	struct aggregate *of[CAUSE_COUNT];
};

struct rate_limit {
	__u64 share_ns;
	rate_limit_put *put;
	void *context;
	__u64 tell_ns; /* 0: nothing is gathered */
	unsigned at;   /* the next slot to use */
	struct table table;
	struct owner_limit slots[RATE_LIMIT_OWNERS_MAX];
};

struct rate_limit *rate_limit_new(unsigned rate, rate_limit_put *put, void *context)
{
	struct rate_limit *l = calloc(1, sizeof(*l)); /* large, but untouched pages take no memory */

	if (!l)
		return NULL;
	l->share_ns = CLOCK_SECOND / rate;
	l->put = put;
	l->context = context;
	return l;
}

void rate_limit_free(struct rate_limit *l)
{
	for (unsigned i = 0; l && i < RATE_LIMIT_OWNERS_MAX && l->slots[i].used; i++)
		for (int cause = 0; cause < CAUSE_COUNT; cause++)
			aggregate_free(l->slots[i].of[cause]);
	free(l);
}

static void put_gathered(struct rate_limit *l, struct owner_limit *o)
{
	for (int cause = 0; cause < CAUSE_COUNT; cause++) {
		if (!o->of[cause])
			continue;
		l->put(l->context, aggregate_event(o->of[cause]));
		aggregate_free(o->of[cause]);
		o->of[cause] = NULL;
	}
}

static struct owner_limit *find(struct rate_limit *l, const struct owner *owner)
{
	struct lp_task task = owner->via         ? owner->process
			      : owner->n_holders ? owner->holders[0] /* of several */
						 : (struct lp_task){0};
	struct owner_limit *o;

	for (o = table_find(&l->table, task.tgid); o; o = table_next(o))
		if (o->start_boot_ns == task.start_boot_ns)
			return o;
	o = &l->slots[l->at];
	l->at = (l->at + 1) % RATE_LIMIT_OWNERS_MAX;
	if (o->used) { /* the oldest */
		put_gathered(l, o);
		table_remove(&l->table, o);
	}
	*o = (struct owner_limit){.start_boot_ns = task.start_boot_ns, .used = true};
	table_add(&l->table, o, task.tgid);
	return o;
}

/* false: the owner has used up its limit. */
static bool pay(const struct rate_limit *l, struct owner_limit *o, __u64 now_ns)
{
	__u64 from = o->paid_ns > now_ns ? o->paid_ns : now_ns;

	if (from + l->share_ns > now_ns + AT_ONCE_NS)
		return false;
	o->paid_ns = from + l->share_ns;
	return true;
}

/* A record of several owners is not limited: it cannot be one application drowning the others. */
static bool is_of_one(const struct event *e)
{
	return !e->repeat.count || e->owner.via || e->owner.unknown;
}

bool rate_limit_take(struct rate_limit *l, const struct event *e, __u64 now_ns)
{
	struct owner_limit *o;

	if (!is_of_one(e))
		return true;
	o = find(l, &e->owner);
	if (pay(l, o, now_ns) || !aggregate_add(&o->of[e->verdict.cause], e))
		return true;
	if (!l->tell_ns)
		l->tell_ns = now_ns + CLOCK_SECOND;
	return false;
}

void rate_limit_finish(struct rate_limit *l)
{
	for (unsigned i = 0; l->tell_ns && i < RATE_LIMIT_OWNERS_MAX && l->slots[i].used; i++)
		put_gathered(l, &l->slots[i]);
	l->tell_ns = 0;
}

void rate_limit_tick(struct rate_limit *l, __u64 now_ns)
{
	if (l->tell_ns && now_ns >= l->tell_ns)
		rate_limit_finish(l);
}

__u64 rate_limit_deadline(const struct rate_limit *l)
{
	return l->tell_ns;
}
