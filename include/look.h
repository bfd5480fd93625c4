/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `lostpeer check` sees of a connection in one look: facts, no verdicts. The programs of bpf/look.bpf.c write it
 * to their iterators' files, one for each descriptor and for each socket without any; user/check/snapshot_diag.c fills the same
 * from sock_diag(7).
 *
 * Host byte order but for the addresses; durations are milliseconds, ages are counted back from the look. A fact that
 * could not be had is 0, and has no bit in `known` where 0 would mean something.
 */
#ifndef LOSTPEER_LOOK_H
#define LOSTPEER_LOOK_H

#include "record.h"

/* lp_look.known: which facts are there. */
enum lp_known {
	LP_KNOWN_ERROR = 1u << 0,      /* err and soft_err */
	LP_KNOWN_HEARD = 1u << 1,      /* heard_ms */
	LP_KNOWN_SENT = 1u << 2,       /* sent_ms: it has sent data */
	LP_KNOWN_RETRANS = 1u << 3,    /* retrans_ms */
	LP_KNOWN_TIMERS = 1u << 4,     /* user_timeout_ms, and what the namespace and the socket allow of retries */
	LP_KNOWN_KEEPALIVE = 1u << 5,  /* whether LP_F_KEEPOPEN is set; with TIMERS also keepalive_* */
	LP_KNOWN_NEVER_SENT = 1u << 6, /* it has never sent data */
};

struct lp_look {
	__u64 sk;            /* address of struct sock, to know it again within this look; never shown. 0: sock_diag */
	__u64 inode;         /* of the socket's file; 0 none */
	__u64 cookie;        /* 0: nobody has asked for it yet */
	__u8 local_addr[16]; /* as in lp_record */
	__u8 peer_addr[16];
	__u16 local_port;
	__u16 peer_port;
	__u32 netns;
	__u16 family;
	__u16 err;
	__u16 soft_err;
	__u8 state;
	__u8 shutdown;
	__u32 flags; /* enum lp_flag: DEAD, FIN_IN, KEEPOPEN, SOCKET, FILE, MPTCP */
	__u32 known; /* enum lp_known */
	__u32 uid;

	__u32 snd_una; /* sequence numbers, as in struct tcp_sock; of sock_diag only their differences are right */
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_wnd;
	__u32 total_retrans;
	__u32 srtt_us; /* as in the kernel: 8 times the smoothed round trip */

	__u32 heard_ms;        /* since an ACK or data last came from the peer */
	__u32 sent_ms;         /* since data was last sent, or sent again */
	__u32 retrans_ms;      /* since the waiting segment was first sent again; of a SYN: since it was first sent */
	__u32 rto_ms;          /* the retransmission timeout as it is now, doubled with each that was in vain */
	__u32 rto_max_ms;      /* what it never exceeds; 0: the kernel's built-in two minutes */
	__u32 user_timeout_ms; /* TCP_USER_TIMEOUT; 0: none */
	__u32 keepalive_time_ms;
	__u32 keepalive_interval_ms;
	__u8 keepalive_probes;
	__u8 retransmits;    /* of the waiting segment, in vain */
	__u8 probes_out;     /* keepalive or window probes unanswered */
	__u8 backoff;        /* how often rto_ms was doubled; of window probes: how often their interval was */
	__u8 retries2;       /* tcp_retries2 */
	__u8 orphan_retries; /* tcp_orphan_retries; 0: the kernel chooses */
	__u8 syn_retries;    /* TCP_SYNCNT or tcp_syn_retries */
	__u8 syn_linear;     /* tcp_syn_linear_timeouts, from 6.5 */
	__u32 probes_ms;     /* since the closed window was first probed; 0: not known */
};

/* One descriptor of a TCP socket; or a socket that has none: then task.tgid is 0. */
struct lp_held {
	struct lp_look look;
	struct lp_task task;
	__u32 fd;
	__u32 pad;
};

/* A task, for the network namespaces there are. */
struct lp_dweller {
	__u32 tid;
	__u32 netns;
};

LP_ASSERT(__builtin_offsetof(struct lp_look, local_addr) == 24, "identity of lp_look");
LP_ASSERT(__builtin_offsetof(struct lp_look, snd_una) == 84, "addresses of lp_look");
LP_ASSERT(__builtin_offsetof(struct lp_look, keepalive_probes) == 148, "ages of lp_look");
LP_ASSERT(sizeof(struct lp_look) == 160, "lp_look has no padding");
LP_ASSERT(sizeof(struct lp_held) == 224, "lp_held has no padding");

#endif
