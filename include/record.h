/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What crosses the ring buffer from the BPF programs (bpf/) to the agent (user/): facts about one moment of
 * one socket, no verdicts. Both sides compile this file; a static assertion fixes every offset that matters,
 * and tests/unit compares the layout that clang gave the BPF object with the one the C compiler gave the agent.
 *
 * All integers are in host byte order except the addresses, which are as on the wire. Times are CLOCK_MONOTONIC
 * nanoseconds unless a name says otherwise. A record is zeroed before it is filled, so a fact that could not be
 * had is 0 and its flag is not set.
 */
#ifndef LOSTPEER_RECORD_H
#define LOSTPEER_RECORD_H

#include "socket.h"

#define LP_RECORD_VERSION 1
#define LP_COMM_LEN 16

/* What a record is about. */
enum lp_kind {
	LP_KIND_CLOSE = 1,  /* a full TCP socket entered CLOSE; stands for an event of its own */
	LP_KIND_PEER_FIN,   /* the peer's FIN arrived before ours was sent; an event of its own */
	LP_KIND_NO_CONNECT, /* connect(2) failed without any change of state (--connect-hook); an event of its own */
	LP_KIND_RESET_SENT, /* after a CLOSE: we sent a RST for this socket; joins that CLOSE */
	LP_KIND_OWNER,      /* after a CLOSE: this task destroyed the socket in process context; joins that CLOSE */
	LP_KIND_STRAY, /* we answered data with a RST, and have no full socket for it, or a listener: state; an event of
			     * its own, if the agent takes it for news (user/who/recently_closed.h) */
	LP_KIND_LOOK,  /* not from the ring: what the agent saw when it looked (bpf/agent_look.h) */
	LP_KIND_COUNT
};

#define LP_SOUGHT_MAX 4096 /* sockets looked for in one walk */
#define LP_LOOK_MAX 32     /* sockets looked at in one run of a program */

/* Whom lp_record.task names (DESIGN: the owner rule). */
enum lp_who {
	LP_WHO_NONE,    /* nobody is known */
	LP_WHO_CURRENT, /* the task that had the socket locked: final */
	LP_WHO_CLOSER,  /* an orphan: who closed it: final */
	LP_WHO_LISTENER, /* never accepted: who called listen(), or who closes the listener now (LP_F_LISTENER_CLOSING) */
	LP_WHO_WAITER,   /* who slept in a system call on the socket: a holder for certain, if not the only one */
	LP_WHO_BIRTH,    /* who connected, or whose listener it came from, or who held it at start: a candidate */
	LP_WHO_COUNT
};

/* A process, as at the moment when it was seen. tgid 0: none. */
struct lp_task {
	__u64 start_boot_ns;    /* the thread group leader's start_boottime, CLOCK_BOOTTIME */
	__u64 cgroup_id;        /* of cgroup v2; 0 if not known */
	__u32 tgid;             /* in the initial pid namespace */
	__u32 uid;              /* effective, in the initial user namespace */
	char comm[LP_COMM_LEN]; /* the leader's; may hold any bytes, NUL-terminated */
	__u32 vpid;             /* tgid in its own pid namespace; 0: as tgid */
	__u32 oom;              /* 1: it was exiting, and the out-of-memory killer had chosen it */
	__u32 exiting;          /* 1: it was exiting (PF_EXITING) */
	__u32 exit_code;        /* then: as wait(2) gives it; the low 7 bits are the signal that ended it */
};

struct lp_record {
	__u8 version;       /* LP_RECORD_VERSION */
	__u8 kind;          /* enum lp_kind */
	__u8 who;           /* enum lp_who */
	__u8 waits;         /* references of socket.refs that are held by those who sleep on the socket (recv, poll) */
	__u32 reset_reason; /* enum sk_rst_reason of the running kernel plus 1; 0 none known */
	__u64 time_ns;      /* when the hook ran */
	__u64 born_ns;      /* SYN_SENT, or the child's creation; 0 unknown */
	__u64 established_ns; /* 0 unknown or never */
	struct lp_task task;  /* as lp_record.who says */
	struct lp_socket socket;
};

/* As much of it crosses the ring: room for more records, and nothing to clear that no hook fills. */
#define LP_RECORD_SIZE __builtin_offsetof(struct lp_record, socket.sent_ms)

#define LP_SILENT_MAX 32768

/* A socket that had a retransmission timeout (bpf/silent.h). */
struct lp_listed {
	__u64 since_ns; /* CLOCK_MONOTONIC: what waits does so since about then */
	__u32 snd_una;  /* what it waits for is after this */
	__u32 ports;    /* local << 16 | peer */
	__u32 ended;    /* 1: it was closed since, 2: with all acknowledged */
	__u32 unused;
};

#define LP_QUEUES_MAX 1024

/* A listener whose accept queue was filled (bpf/silent.h). */
struct lp_filled {
	__u64 since_ns; /* CLOCK_MONOTONIC */
	__u32 drops;    /* lp_socket.drops, then */
	__u32 unused;
};

/* What the kernel side has news of for who looks: set there, and the agent woken; cleared by the agent before it looks.
 * One that is set all along keeps the kernel side from telling. */
struct lp_alarms {
	__u32 silent; /* a socket was listed */
	__u32 fins;   /* a peer closed */
	__u32 queues; /* a listener was listed */
};

/* One holder of a socket, as the holder iterator writes it to its file. */
struct lp_holder {
	__u64 key;   /* as it was asked for: an address of struct sock, or netns << 16 | port of a listener */
	__u64 inode; /* of the socket's file: an address alone may be another socket's by now */
	struct lp_task task;
	__u32 fd;
	__u32 listening; /* 1: asked for by netns and port */
};

/* Who made a cgroup, as far as it matters. */
enum lp_maker { LP_MAKER_OTHER, LP_MAKER_RUNC, LP_MAKER_CRUN, LP_MAKER_COUNT };

#define LP_CGROUP_PATH 500 /* Kubernetes has paths of 190 characters */

/* A cgroup that is gone, or was made by a container runtime. The agent reads them where the kernel writes them: a slot
 * is whole if its id is the same before and after. */
struct lp_cgroup {
	__u64 id;                  /* of its kernfs node; 0: empty */
	__u32 maker;               /* enum lp_maker */
	char path[LP_CGROUP_PATH]; /* in its hierarchy, NUL-terminated; a longer one is not kept */
};

/* A process that exited, on a host with cgroup v1: where it was. */
struct lp_exited {
	__u64 start_boot_ns; /* as in lp_task */
	__u64 cgroup_id;     /* in the hierarchy that tells where a process is; 0: not known */
};

#define LP_ENDED 4096 /* a power of two */

/* A socket that ended, for as long as LP_ENDED others have not. Read as lp_cgroup: time_ns is 0 while it is written. */
struct lp_ended {
	__u64 time_ns;       /* CLOCK_MONOTONIC; 0: empty */
	__u64 sk;            /* as in lp_record */
	__u64 cookie;        /* 0: nobody had asked for it */
	__u8 local_addr[16]; /* as in lp_record */
	__u8 peer_addr[16];
	__u16 local_port;
	__u16 peer_port;
	__u16 family;
	__u16 state; /* the TCP state it left */
	__u32 netns;
	__u32 flags;          /* LP_F_CONNECTED, LP_F_ACCEPTED */
	struct lp_task owner; /* who closed it, or had it locked when it ended; tgid 0: not known */
};

#define LP_GONE_CGROUPS 512 /* powers of two */
#define LP_MADE_CGROUPS 256

/* What is wanted of the kernel: bits of lp_wants.classes. What nobody wants costs no record. */
enum lp_class {
	LP_CLASS_LOST = 1u << 0, /* everything but the orderly ends */
	LP_CLASS_LOCAL_CLOSED = 1u << 1,
	LP_CLASS_PEER_CLOSED = 1u << 2,
	LP_CLASS_ABANDONED = 1u << 3, /* abandoned before a SYN was sent again */
	LP_CLASS_SILENT = 1u << 4,    /* what the agent looks for: peer_silent, peer_back */
	LP_CLASS_IGNORED = 1u << 5,   /* close_ignored */
	LP_CLASS_QUEUES = 1u << 6,    /* accept_dropped */
};

#define LP_CLASSES_LOOKED (LP_CLASS_SILENT | LP_CLASS_IGNORED | LP_CLASS_QUEUES)
#define LP_CLASSES_ORDERLY (LP_CLASS_LOCAL_CLOSED | LP_CLASS_PEER_CLOSED | LP_CLASS_ABANDONED) /* wake nobody */

struct lp_wants {
	__u32 classes; /* enum lp_class */
	__u32 netns;   /* only this network namespace; 0: all */
	__u32 of_uids; /* enum lp_class: what is wanted of the sockets of some users, of each as want_uids has it */
};

#define LP_WANT_UIDS 1024

/* Counters, one slot each in a per-CPU array. */
enum lp_stat {
	LP_STAT_EMITTED,      /* records of events of their own that we tried to emit */
	LP_STAT_LOST,         /* ... for which the ring had no room */
	LP_STAT_JOIN_EMITTED, /* the same of records that join another */
	LP_STAT_JOIN_LOST,
	LP_STAT_STATE_FULL, /* sockets that we could not remember */
	LP_STAT_NESTED,     /* what the kernel kept from a program, and a copy of it took */
	LP_STAT_COUNT
};

LP_ASSERT(sizeof(struct lp_task) == 56, "lp_task has no padding");
LP_ASSERT(__builtin_offsetof(struct lp_record, task) == 32, "header of lp_record");
LP_ASSERT(sizeof(struct lp_record) == 88 + sizeof(struct lp_socket), "lp_record has no padding");
LP_ASSERT(sizeof(struct lp_listed) == 24, "lp_listed has no padding");
LP_ASSERT(sizeof(struct lp_filled) == 16, "lp_filled has no padding");
LP_ASSERT(sizeof(struct lp_cgroup) == 512, "lp_cgroup has no padding");
LP_ASSERT(sizeof(struct lp_ended) == 128, "lp_ended has no padding");
LP_ASSERT(sizeof(struct lp_holder) == 80, "lp_holder has no padding");

#endif
