/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of connections and processes, what is wanted, and what was counted: for each map why its size is
 * right, and what happens when it is full. Maps of one mechanism alone are with it: cgroups.h, ended.h, reentry.h,
 * silent.h. */
#ifndef LOSTPEER_BPF_MAPS_H
#define LOSTPEER_BPF_MAPS_H

#include "kernel.h"
#include "record.h"

/* What we remember of a connection from its birth on. */
struct conn {
	struct lp_task birth; /* who connected or listened, or held it when the agent started */
	struct lp_task
		closer; /* who closed it, in process context, while it lived on; before: whom a walk saw hold it */
	__u64 born_ns;
	__u64 established_ns;
	__u64 closed_ns;    /* when its CLOSE was told; 0: not told */
	__u32 flags;        /* enum lp_flag, second group, and CONN_* */
	__u32 reset_reason; /* as in lp_record, of a RST sent before CLOSE */
};

/* conn.flags, beside enum lp_flag's second group. */
enum {
	CONN_LISTENS = 1u << 0,     /* a listener; its children inherit this until their first event */
	CONN_WANTS_RST = 1u << 1,   /* CLOSE was told and is held for the RST that we may send right after */
	CONN_WANTS_OWNER = 1u << 2, /* CLOSE was told without a final owner: tell who destroys it */
	CONN_FIN_FIRST = 1u << 3,   /* we sent our FIN, before the peer's came */
	CONN_FIN_SECOND = 1u << 4,  /* ... after it */
	CONN_SHUT = 1u << 5,        /* both halves are shut: closer closed it, most likely */
	CONN_KEPT = 1u << 6,        /* nobody's: of a destroyed socket, for the next one at its address (conn.h) */
	CONN_STATE = 0xfu << 8,     /* the TCP state that it last came to, as far as that was taken note of */
};

/* Records on their way to the agent. 4 MiB hold 16,900; when full, a record is counted as lost (emit.h).
 * The agent may set another size before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

/* By address of the socket, from its birth to tcp_destroy_sock. Memory is taken as connections come, about 200 bytes
 * each, and 4 MiB for the buckets; when full, counted and remembered as unknown. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 18);
	__type(key, __u64);
	__type(value, struct conn);
} conns SEC(".maps");

/* How many entries of conns this CPU has kept (CONN_KEPT); at most CONNS_KEPT, 200 KiB. */
#define CONNS_KEPT 1024
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} conns_kept SEC(".maps");

/* What was remembered of the socket that this CPU destroyed last. The RST for data that arrived after
 * close goes out right after tcp_destroy_sock, in the same softirq. */
struct destroyed {
	__u64 sk;
	struct conn conn;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct destroyed);
} last_destroyed SEC(".maps");

/* Tasks that are closing a listener, by pid and tgid: the children that die with it find out by whom. As many as
 * tasks that close listeners in the same instant; the oldest gives way, and its children name who listened. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64); /* start_boottime of the task's group leader */
} listener_closers SEC(".maps");

/* When a process last forked a process, by tgid. The oldest gives way: then the agent takes it that the process
 * has not forked, which matters only to a socket that is shared. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u64); /* CLOCK_MONOTONIC, nanoseconds */
} forks SEC(".maps");

/* The command that `watch -- COMMAND` runs, and its descendants: who outlives its pid in the map is told from a
 * later process by its start. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);   /* tgid */
	__type(value, __u64); /* start_boottime */
} followed SEC(".maps");

/* What the agent is looking for. Of holders of a socket: its address, or netns << 16 | port of a listener. Of other ends:
 * their ports, local << 16 | peer. The agent fills and empties it around one run of a program. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LP_SOUGHT_MAX);
	__type(key, __u64);
	__type(value, __u32);
} sought SEC(".maps");

/* Who accepted a socket, with --accept-hook only, by address of the socket; removed at tcp_destroy_sock. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct lp_task);
} acceptors SEC(".maps");

/* Arguments of a connect(2) under way, with --connect-hook only, by pid and tgid. */
struct connecting {
	__u64 addr;
	__u32 fd;
	__u32 len;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct connecting);
} connects SEC(".maps");

/* What is wanted now; the agent writes it while it runs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lp_wants);
} wants SEC(".maps");

/* The same of the sockets of one user: its classes by uid. More than there are subscribers; what finds no room the agent
 * wants of everybody. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LP_WANT_UIDS);
	__type(key, __u32);
	__type(value, __u32);
} want_uids SEC(".maps");

/* Counters, by enum lp_stat. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LP_STAT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps");

static __always_inline void count(__u32 stat)
{
	__u64 *slot = bpf_map_lookup_elem(&stats, &stat);

	if (slot)
		__sync_fetch_and_add(slot, 1); /* a softirq may count in between */
}

#endif
