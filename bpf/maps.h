/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps that several mechanisms share. Each says why its size is right and what happens when it is full. A map of
 * one mechanism is beside it: cgroups.h, ended.h, reentry.h, silent.h. */
#ifndef LOSTPEER_BPF_MAPS_H
#define LOSTPEER_BPF_MAPS_H

#include "kernel.h"
#include "record.h"

/* A connection, remembered from its birth on. */
struct conn {
	struct lp_task birth; /* the process that connected or listened, or held it when the agent started */
	/* The process that closed it, in process context, while it lived on. Until then: the holder that a walk saw. */
	struct lp_task closer;
	__u64 born_ns;
	__u64 established_ns;
	__u64 closed_ns;    /* when its CLOSE was reported; 0: not reported */
	__u32 flags;        /* enum lp_flag, second group, and CONN_* */
	__u32 reset_reason; /* as in lp_record, for a RST sent before CLOSE */
	__u64 dropped_ns;   /* when this host last dropped a segment of it (sent.h) */
	__u32 heard;        /* tcp_sock.rcv_tstamp when the counts below began: they end when the peer is heard again */
	__u8 resent, held_back, dropped, last_try; /* as in lp_socket */
};

/* conn.flags, beside enum lp_flag's second group. */
enum {
	CONN_LISTENS = 1u << 0,   /* a listener; its children inherit this until their first event */
	CONN_WANTS_RST = 1u << 1, /* CLOSE was reported; the agent holds it for the RST that we may send right after */
	CONN_WANTS_OWNER = 1u << 2,    /* reported without a final owner: report the task that destroys it */
	CONN_FIN_FIRST = 1u << 3,      /* we sent our FIN, before the peer's came */
	CONN_FIN_SECOND = 1u << 4,     /* ... after it */
	CONN_SHUT = 1u << 5,           /* both halves are shut: `closer` most likely closed it */
	CONN_KEPT = 1u << 6,           /* unused: left by a destroyed socket for the next one at its address (conn.h) */
	CONN_SHUT_BESIDE = 1u << 7,    /* shut down by a process while others held it too (shutter.h) */
	CONN_STATE = 0xfu << 8,        /* the TCP state that was last noted */
	CONN_SHUT_BY_OTHER = 1u << 12, /* ... by another process than the one that opened it */
};

/* Records on their way to the agent. 4 MiB hold 14,100; the agent may set another size before loading. When full, a
 * record is counted as lost (emit.h). */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

/* By address of the socket, from its birth to tcp_destroy_sock. The buckets take 4 MiB, each connection about 200 bytes
 * more when it begins. When full, a new connection is counted and nothing is known of it. */
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

/* The socket that this CPU destroyed last: the RST for data that arrived after close(2) goes out right after
 * tcp_destroy_sock, in the same softirq. */
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

/* Tasks that are closing a listener, by pid and tgid, so that children that die with the listener name the closer. More
 * tasks do not close listeners in the same instant; the oldest gives way, and its children name the process that
 * listened. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64); /* start_boottime of the task's group leader */
} listener_closers SEC(".maps");

/* When a process last forked a process, by tgid. The oldest gives way: then the agent assumes that the process has not
 * forked, which matters only for a shared socket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u64); /* CLOCK_MONOTONIC, nanoseconds */
} forks SEC(".maps");

/* The command that `watch -- COMMAND` runs, and its descendants. A later process with the same pid has another start.
 * The oldest gives way, and is no longer followed. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);   /* tgid */
	__type(value, __u64); /* start_boottime */
} followed SEC(".maps");

/* What the agent searches for: holders, by address of the socket or by netns << 16 | port of a listener; other ends, by
 * lp_initial(). The agent fills and empties it around one run of a program. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LP_SOUGHT_MAX);
	__type(key, __u64);
	__type(value, __u32);
} sought SEC(".maps");

/* The process that accepted a socket, by address of the socket; only with --accept-hook. Removed at tcp_destroy_sock.
 * The oldest gives way: then the acceptor is not known. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct lp_task);
} acceptors SEC(".maps");

/* Arguments of a connect(2) under way, by pid and tgid; only with --connect-hook. The oldest gives way: then its
 * failure is not reported. */
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

/* The classes that are wanted now; the agent changes it while the hooks run. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lp_wants);
} wants SEC(".maps");

/* The classes that are wanted of one user's sockets, by uid. More entries than there are subscribers; when full, the
 * agent requests that user's classes for all users. */
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
