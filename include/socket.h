/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The facts from a look at a TCP socket, by a hook, by `lostpeer check` or by the agent. No verdicts. bpf/look_fill.h
 * reads them; user/check/snapshot_diag.c takes those that sock_diag(7) has.
 *
 * Both sides compile this file. Integers are in host byte order, addresses as on the wire. A missing fact is 0; where 0
 * has a meaning, a bit of `known` is not set either.
 */
#ifndef LOSTPEER_SOCKET_H
#define LOSTPEER_SOCKET_H

#ifdef __bpf__
#include <linux/types.h>
#else
#include <asm/types.h>
#endif

#ifdef __cplusplus
#define LP_ASSERT static_assert
#else
#define LP_ASSERT _Static_assert
#endif

/* lp_socket.flags. The first group is read from the socket, the second is what the hooks have remembered. */
enum lp_flag {
	LP_F_OWNED = 1u << 0,        /* sk_lock.owned: the current task has the socket locked, in process context */
	LP_F_DEAD = 1u << 1,         /* SOCK_DEAD: orphaned */
	LP_F_FIN_IN = 1u << 2,       /* SOCK_DONE: the peer's FIN was received */
	LP_F_KEEPOPEN = 1u << 3,     /* SO_KEEPALIVE */
	LP_F_LINGER = 1u << 4,       /* SO_LINGER of 0: close(2) sends a RST */
	LP_F_SOCKET = 1u << 5,       /* sk_socket is set: neither orphaned nor still in an accept queue */
	LP_F_FILE = 1u << 6,         /* the socket has a struct file: refs is valid */
	LP_F_REPAIR = 1u << 7,       /* TCP_REPAIR */
	LP_F_MPTCP = 1u << 8,        /* a subflow of an MPTCP connection */
	LP_F_NET_DYING = 1u << 9,    /* the network namespace is being torn down */
	LP_F_KTHREAD = 1u << 10,     /* locked, but by a kernel thread */
	LP_F_LINGER2 = 1u << 11,     /* TCP_LINGER2 below 0: no FIN_WAIT2 without a process */
	LP_F_TRANSPARENT = 1u << 12, /* IP_TRANSPARENT: its local address need not be one of this host */
	/* a sockmap or TLS holds data of it, how much is not known */
	LP_F_UNREAD_UNKNOWN = 1u << 14,
	LP_F_UNSENT_UNKNOWN = 1u << 15,
	LP_F_ADDRESS_GONE = 1u << 13, /* check: its local address is none of this host any more */

	LP_F_STATE = 1u << 16,            /* conns has this socket; else the flags below mean nothing */
	LP_F_CONNECTED = 1u << 17,        /* it connected: role client */
	LP_F_ACCEPTED = 1u << 18,         /* it came from a listener: role server */
	LP_F_SEEDED = 1u << 19,           /* it existed before the agent */
	LP_F_RST_IN = 1u << 20,           /* tcp_receive_reset fired for it in this connection */
	LP_F_RST_OUT = 1u << 21,          /* tcp_send_reset fired for it before CLOSE */
	LP_F_RST_AFTER = 1u << 22,        /* tcp_send_reset fired for it after CLOSE, so it is reported late */
	LP_F_ICMP_SYN = 1u << 23,         /* inet_sk_error_report fired in SYN_SENT */
	LP_F_LISTENER_CLOSING = 1u << 24, /* never accepted, and task is closing the listener */
	LP_F_ACCEPT_HOOK = 1u << 25,      /* task accepted it, seen by --accept-hook */
	LP_F_IS_BIRTH = 1u << 26, /* task, though named for another reason, also connected, listened or was seeded */
	LP_F_SHARED = 1u << 27,   /* seeded, and more than one process held it then */
	/* the RST came in by loopback, though the connection leaves by another interface: this host's own firewall */
	LP_F_RST_OWN = 1u << 28,
	LP_F_UNREAD_MORE = 1u << 31, /* it may have been in a sockmap, which has thrown away what it held */
	LP_F_KERNEL = 1u << 29, /* the kernel uses it, for a file system or a disk say; also read from the socket */
	LP_F_RESTORED =
		1u << 30, /* it was made by TCP_REPAIR, without a handshake: no role, and no SYN in bytes_acked */
};

/* lp_socket.last_try. */
enum lp_try { LP_TRY_NONE, LP_TRY_LEFT, LP_TRY_FAILED };

/* lp_socket.known: which facts were read. */
enum lp_known {
	LP_KNOWN_HEARD = 1u << 0,       /* heard_ms */
	LP_KNOWN_SENT = 1u << 1,        /* sent_ms: it has sent data */
	LP_KNOWN_NEVER_SENT = 1u << 2,  /* it has never sent data */
	LP_KNOWN_RETRANS = 1u << 3,     /* retrans_ms */
	LP_KNOWN_TIMERS = 1u << 4,      /* user_timeout_ms, and the limits of retries of the namespace and the socket */
	LP_KNOWN_KEEPALIVE = 1u << 5,   /* whether LP_F_KEEPOPEN is set; with TIMERS also keepalive_* */
	LP_KNOWN_READS_ON = 1u << 6,    /* CLOSE_WAIT: the peer has acknowledged something since its FIN */
	LP_KNOWN_TURNED_AWAY = 1u << 7, /* overflows, syn_drops */
	LP_KNOWN_SHUTTER = 1u << 8,     /* CLOSE: who shut it down while others held it too (lp_shutter) */
};

/* The socket, its connection and its network namespace. */
struct lp_identity {
	__u64 sk;            /* address of struct sock: joins records of one socket, never shown; 0: of sock_diag */
	__u64 cookie;        /* 0: not made yet; in records of the hooks: before 5.12 */
	__u8 local_addr[16]; /* IPv4 in the first 4 bytes when family is AF_INET */
	__u8 peer_addr[16];
	__u16 local_port;
	__u16 peer_port;
	__u32 netns;   /* inode of the network namespace */
	__u16 family;  /* AF_INET or AF_INET6, of the socket: v4-mapped addresses are not yet unmapped */
	__u8 state;    /* the TCP state it is in; in a record of CLOSE or PEER_FIN: the one it left */
	__u8 shutdown; /* sk_shutdown: 1 RCV, 2 SEND */
	__u32 flags;   /* enum lp_flag */
	/* Index of the interface that it is bound to, by SO_BINDTODEVICE, a VRF or the zone of a link-local address; 0:
	 * none. Of a segment: the interface that it came by. */
	__u32 interface;
	__u32 pad;
};

#define LP_INTERFACE_LEN 16

struct lp_socket {
	union { /* its members by their names (-fms-extensions), or all of them */
		struct lp_identity;
		struct lp_identity identity;
	};
	char interface_name[LP_INTERFACE_LEN]; /* in its network namespace; "": not known */
	__u64 inode;                           /* of the socket's file; 0 none */
	__u32 known;                           /* enum lp_known */
	__u32 uid;                             /* of the user who made the socket */
	__u32 refs;     /* references of the struct file; 0 while its last one is being dropped */
	__u16 err;      /* sk_err, positive errno; NO_CONNECT: what connect(2) returned */
	__u16 soft_err; /* sk_err_soft */

	__u32 snd_una; /* sequence numbers, as in struct tcp_sock; of sock_diag only their differences are right */
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_wnd;
	__u32 total_retrans;
	__u32 srtt_us;     /* as in the kernel: 8 times the smoothed round trip */
	__u64 bytes_acked; /* may count our SYN and FIN: see data.c */
	__u64 bytes_received;
	__s64 heard_ms;        /* since an ACK or data last came from the peer */
	__u32 user_timeout_ms; /* TCP_USER_TIMEOUT; 0: none */
	__u8 retransmits;      /* of the segment now waiting, unanswered */
	__u8 probes_out;       /* keepalive or window probes unanswered */
	__u8 backoff;          /* how often rto_ms was doubled, or the interval of window probes */
	__u8 keepalive_probes; /* how many may go unanswered */
	__s64 retrans_ms;      /* since the waiting segment was first sent again; of a SYN: since it was first sent */
	__s64 probes_ms;       /* since the closed window was first probed, plus 1; 0: not known */
	/* What became of our segments since the peer was last heard; 255: as many or more (bpf/sent.h). */
	__u8 resent;    /* sent again by a timer, and it left this host */
	__u8 held_back; /* a timer could not send it again: no route, or this host dropped it (from 6.18) */
	__u8 dropped;   /* this host dropped it while it was being sent */
	__u8 last_try;  /* enum lp_try: of the latest of these */
	__u32 aside; /* bytes received and not read that are not between copied_seq and rcv_nxt: a sockmap has them */

	/* No hook fills these (LP_RECORD_SIZE). */
	__s64 sent_ms;    /* since data was last sent, or sent again */
	__u32 rto_ms;     /* the current retransmission timeout, doubled at each timeout */
	__u32 rto_max_ms; /* its limit; 0: the kernel's built-in two minutes */
	__u32 keepalive_time_ms;
	__u32 keepalive_interval_ms;
	__u8 retries2;         /* tcp_retries2 */
	__u8 orphan_retries;   /* tcp_orphan_retries; 0: the kernel chooses */
	__u8 syn_retries;      /* TCP_SYNCNT or tcp_syn_retries */
	__u8 syn_linear;       /* tcp_syn_linear_timeouts, from 6.5 */
	__u32 ack_backlog;     /* of a listener: the length of its accept queue */
	__u32 max_ack_backlog; /* ... its limit, which it may exceed by one */
	__u32 drops;           /* ... sk_drops: the segments that it dropped, some of them twice */
	__u64 overflows;       /* ... of its namespace, ListenOverflows: turned away by full accept queues */
	__u64 syn_drops;       /* ... ListenDrops without those */
};

/*
 * Both initial sequence numbers of a connection as one end counts them: its own above, its peer's below. They stay the
 * same whatever is sent, and whatever becomes of addresses and ports on the way, and both ends count the same numbers,
 * but for the SYN of the one that connected (lp_initial_there). 0: the peer's SYN has not come yet.
 */
static inline __u64 lp_initial(__u32 snd_una, __u64 bytes_acked, __u32 rcv_nxt, __u64 bytes_received)
{
	__u32 ours = snd_una - (__u32)bytes_acked, theirs = rcv_nxt - (__u32)bytes_received;

	return rcv_nxt ? (__u64)ours << 32 | theirs : 0;
}

/* As the other end counts them, if this one connected, or else accepted: bytes_acked counts the SYN of who connects. */
static inline __u64 lp_initial_there(__u64 initial, int connected)
{
	__u32 ours = (__u32)(initial >> 32), theirs = (__u32)initial;

	return connected ? (__u64)theirs << 32 | (ours + 1) : (__u64)(theirs - 1) << 32 | ours;
}

/* The agent sets the programs' jiffy_ms to the milliseconds of a jiffy times this. */
#define LP_JIFFY_SCALE (1u << 24)

LP_ASSERT(__builtin_offsetof(struct lp_socket, snd_una) == 112, "identity of lp_socket");
LP_ASSERT(__builtin_offsetof(struct lp_socket, sent_ms) == 200, "lp_socket of a hook");
LP_ASSERT(sizeof(struct lp_socket) == 256, "lp_socket has no padding");

#endif
