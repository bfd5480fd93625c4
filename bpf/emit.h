/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The only way into the ring. Counts each record, and decides when to wake the agent. */
#ifndef LOSTPEER_BPF_EMIT_H
#define LOSTPEER_BPF_EMIT_H

#include "maps.h"

/* Set by the agent when it goes to sleep without a timeout. Waking it costs a hundred times as much as a record, so
 * only the first hook that finds it asleep does. A hook may have read this just before it was set, and been interrupted
 * since; so the agent looks once more a while later. */
__u32 agent_sleeps;

static __always_inline struct lp_record *emit_reserve(__u8 kind, __u64 now)
{
	struct lp_record *record = bpf_ringbuf_reserve(&ring, LP_RECORD_SIZE, 0);
	_Bool joins = kind == LP_KIND_RESET_SENT || kind == LP_KIND_OWNER;

	count(joins ? LP_STAT_JOIN_EMITTED : LP_STAT_EMITTED);
	if (!record) {
		count(joins ? LP_STAT_JOIN_LOST : LP_STAT_LOST);
		return record;
	}
	__builtin_memset(record, 0, LP_RECORD_SIZE);
	record->version = LP_RECORD_VERSION;
	record->kind = kind;
	record->time_ns = now;
	return record;
}

/* hurry: a drop wakes the agent; an orderly end waits for its sweep, unless the ring is a quarter full. */
static __always_inline void emit_submit(struct lp_record *record, _Bool hurry)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if ((hurry && agent_sleeps) ||
	    bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 4) {
		agent_sleeps = 0;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(record, flags);
}

/* Without a record. If the ring has no room, the agent is awake already. */
static __always_inline void wake_agent(void)
{
	void *nothing = bpf_ringbuf_reserve(&ring, sizeof(__u64), 0);

	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

#endif
