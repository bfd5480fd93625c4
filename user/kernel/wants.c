/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/wants.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "lostpeer.skel.h"

static struct uid_wants *find_uid(const struct uid_wants *uids, size_t n, __u32 uid)
{
	for (size_t i = 0; i < n; i++)
		if (uids[i].uid == uid)
			return (struct uid_wants *)&uids[i];
	return NULL;
}

/* false: there is no room. */
static bool add_uid(struct wants *w, int map, struct uid_wants new)
{
	struct uid_wants *old = find_uid(w->uids, w->n_uids, new.uid);

	if (old && old->classes == new.classes)
		return true;
	if ((!old && w->n_uids == LP_WANT_UIDS) || bpf_map_update_elem(map, &new.uid, &new.classes, BPF_ANY))
		return false;
	*(old ? old : &w->uids[w->n_uids++]) = new;
	return true;
}

static void forget_uids(struct wants *w, int map, const struct uid_wants *uids, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < w->n_uids; i++) {
		if (find_uid(uids, n, w->uids[i].uid))
			w->uids[left++] = w->uids[i];
		else
			bpf_map_delete_elem(map, &w->uids[i].uid);
	}
	w->n_uids = left;
}

/* Lets the hooks raise the alarms of what is wanted; the others stay raised, which keeps the hooks quiet. */
static void set_alarms(struct lp_alarms *alarms, __u32 classes)
{
	alarms->silent = 0;
	alarms->fins = !(classes & LP_CLASS_IGNORED);
	alarms->queues = !(classes & LP_CLASS_QUEUES);
}

void wants_set(struct wants *w, struct lostpeer *s, struct lp_wants all, const struct uid_wants *uids, size_t n)
{
	int map = bpf_map__fd(s->maps.want_uids);
	__u32 zero = 0, classes;

	all.of_uids = 0;
	for (size_t i = 0; i < n; i++) {
		all.of_uids |= uids[i].classes;
		if (!add_uid(w, map, uids[i])) { /* ask for everybody's; each output filters again */
			all.classes |= uids[i].classes;
			all.netns = 0;
		}
	}
	s->bss->remembers_orderly = (all.classes | all.of_uids) & LP_CLASSES_ORDERLY;
	s->bss->wanted_since = clock_monotonic_ns() + CLOCK_MS; /* by then every program knows */
	bpf_map_update_elem(bpf_map__fd(s->maps.wants), &zero, &all, BPF_ANY);
	/* last, so that no event is missed that is wanted before and after */
	forget_uids(w, map, uids, n);
	classes = all.classes | all.of_uids;
	if (!w->asked || classes != w->classes)
		set_alarms(&s->bss->alarms, classes);
	w->classes = classes;
	w->asked = true;
}
