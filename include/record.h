/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records that cross the ring buffer from the BPF programs (bpf/) to the agent (user/): facts about one moment of
 * one socket, no verdicts. Both sides compile this file; static assertions fix every offset that matters, and
 * tests/unit compares the layouts of the BPF object and of the agent.
 *
 * Integers are in host byte order, addresses as on the wire. Times are CLOCK_MONOTONIC nanoseconds unless a name says
 * otherwise. A record is zeroed before it is filled, so a missing fact is 0 and its flag is not set.
 */
#ifndef LOSTPEER_RECORD_H
#define LOSTPEER_RECORD_H

#include "socket.h"

#define LP_RECORD_VERSION 1
#define LP_COMM_LEN 16

enum lp_kind {
	LP_KIND_CLOSE = 1,  /* a full TCP socket entered CLOSE; an event of its own */
	LP_KIND_PEER_FIN,   /* the peer's FIN arrived before ours was sent; an event of its own */
	LP_KIND_NO_CONNECT, /* connect(2) failed without a change of state (--connect-hook); an event of its own */
	LP_KIND_RESET_SENT, /* after a CLOSE: we sent a RST for this socket; joins that CLOSE */
	LP_KIND_OWNER,      /* after a CLOSE: this task destroyed the socket in process context; joins that CLOSE */
	/* we answered data for a listener or for no full socket (socket.state) with a RST; an event if the agent judges so */
	LP_KIND_STRAY,
	LP_KIND_LOOK, /* not from the ring: the agent looked at a socket (bpf/agent_look.h) */
	LP_KIND_COUNT
};

#define LP_SOUGHT_MAX 4096 /* sockets searched for in one walk */
#define LP_LOOK_MAX 32     /* sockets looked at in one run of a program */

/* Which process lp_record.task is (DESIGN: the owner rule). */
enum lp_who {
	LP_WHO_NONE,    /* not known */
	LP_WHO_CURRENT, /* the task that had the socket locked: final */
	LP_WHO_CLOSER,  /* the process that closed an orphan: final */
	LP_WHO_LISTENER, /* never accepted: the process that listened, or closes the listener now (LP_F_LISTENER_CLOSING) */
	LP_WHO_WAITER, /* it sleeps in a system call on the socket: certainly a holder, but there may be others */
	LP_WHO_BIRTH,  /* it connected, or listened, or held the socket at start: a candidate */
	LP_WHO_COUNT
};

/* A process at one moment. tgid 0: none. */
struct lp_task {
	__u64 start_boot_ns;    /* the thread group leader's start_boottime, CLOCK_BOOTTIME */
	__u64 cgroup_id;        /* of cgroup v2; 0 if not known */
	__u32 tgid;             /* in the initial pid namespace */
	__u32 uid;              /* effective, in the initial user namespace */
	char comm[LP_COMM_LEN]; /* the leader's; may hold any bytes, NUL-terminated */
	__u32 vpid;             /* tgid in its own pid namespace; 0: the same as tgid */
	__u8 oom;               /* 1: it was exiting, and the out-of-memory killer had chosen it */
	__u8 exiting;           /* 1: it was exiting (PF_EXITING) */
	__u8 executing;         /* 1: it was in execve(2), which closed the socket; comm is the name before that */
	__u8 forked;            /* 1: forked, and had not executed a program since (PF_FORKNOEXEC) */
	__u32 exit_code;        /* if exiting, as from wait(2): the low 7 bits are the signal that ended it */
	__u32 unused;
};

#define LP_PAST_EXECS 2 /* a power of two */

/* What a process was before: the process that forked it, and its names before it executed other programs. */
struct lp_past {
	__u64 start_boot_ns;   /* as in lp_task */
	struct lp_task forker; /* at the fork; tgid 0: not seen */
	__u64 exec_after_ns;   /* how long it had lived at its first exec, without its waits for a CPU */
	struct {
		__u64 time_ns;          /* CLOCK_MONOTONIC */
		char comm[LP_COMM_LEN]; /* before it */
	} execs[LP_PAST_EXECS];         /* the last ones; number n, from 0 on, is at n % LP_PAST_EXECS */
	__u32 n_execs;
	__u32 shares_memory; /* 1: with its forker, until its first exec: by vfork(2), posix_spawn(3) and the like */
};

/* The process that shut a connection down while others held it too (bpf/shutter.h). */
struct lp_shutter {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	struct lp_task task;
	__u32 opened; /* 1: it had opened the connection, or listened for it, itself */
	__u32 unused;
};

struct lp_record {
	__u8 version;         /* LP_RECORD_VERSION */
	__u8 kind;            /* enum lp_kind */
	__u8 who;             /* enum lp_who */
	__u8 waits;           /* how many of socket.refs the sleepers on the socket hold (recv, poll) */
	__u32 reset_reason;   /* enum sk_rst_reason of the running kernel plus 1; 0: not known */
	__u64 time_ns;        /* when the hook ran */
	__u64 born_ns;        /* SYN_SENT, or the child's creation; 0: not known */
	__u64 established_ns; /* 0: not known, or never */
	struct lp_task task;  /* its role is in `who` */
	struct lp_socket socket;
};

/* Only this much crosses the ring, since no hook fills the rest: more records fit, and there is less to clear. */
#define LP_RECORD_SIZE __builtin_offsetof(struct lp_record, socket.sent_ms)

#define LP_SILENT_MAX 32768

/* A socket that had a retransmission timeout (bpf/silent.h). */
struct lp_listed {
	__u64 since_ns; /* CLOCK_MONOTONIC: about when the oldest unacknowledged data began to wait */
	__u32 snd_una;  /* the data that waits begins here */
	__u32 ports;    /* local << 16 | peer */
	__u32 ended;    /* 1: it has closed; 2: and everything was acknowledged */
	__u32 unused;
};

#define LP_QUEUES_MAX 1024

/* The queues of a listener, as bits 1 << QUEUE; and what turns peers away before any queue. */
enum lp_queue {
	LP_QUEUE_ACCEPT,
	LP_QUEUE_SYN,
	LP_QUEUE_COUNT,
	LP_QUEUE_SIGNATURE = LP_QUEUE_COUNT, /* none: a bad TCP signature */
	LP_QUEUE_REASONS
};

/* Why a segment was dropped for its TCP signature: it had a wrong one, none, or one that no key here is for. */
enum lp_signature {
	LP_SIGNATURE_NONE, /* it was not */
	LP_SIGNATURE_WRONG,
	LP_SIGNATURE_MISSING,
	LP_SIGNATURE_UNEXPECTED,
	LP_SIGNATURE_COUNT
};

/* A listener that had a full queue (bpf/queues.h), or dropped a segment for its signature (bpf/signature.h). */
struct lp_filled {
	__u64 since_ns;        /* CLOCK_MONOTONIC */
	__u32 drops;           /* lp_socket.drops at that time */
	__u32 queues;          /* bits of enum lp_queue */
	__u32 refused;         /* how many segments it dropped for their signature */
	__u16 signatures;      /* why: bits of enum lp_signature */
	__u16 several_sources; /* 1: they came from several addresses */
	__u8 source_addr[16];  /* of the first one, in the family of the listener */
};

/* The last segment that a socket dropped for its signature, or the last drop of this segment (lp_segment_of). */
struct lp_refused {
	__u64 time_ns;   /* CLOCK_MONOTONIC */
	__u32 signature; /* enum lp_signature */
	__u32 unused;
};

/* Names a segment to both ends of a connection, whatever was dropped of it. */
static inline __u64 lp_segment_of(__u32 seq, __u16 source_port, __u16 destination_port)
{
	return (__u64)seq << 32 | (__u32)source_port << 16 | destination_port;
}

/* What a network namespace had counted at some time: lp_socket.overflows and syn_drops, by enum lp_queue. */
struct lp_turned_away {
	__u64 count[LP_QUEUE_COUNT];
};

#define LP_CPUS_MAX 1024

/* The reasons for the agent to look. The kernel side sets one and wakes the agent; the agent clears it before it looks.
 * One that stays set keeps the kernel side from waking the agent. */
struct lp_alarms {
	__u32 silent; /* a socket was listed */
	__u32 fins;   /* a peer closed */
	__u32 queues; /* a listener was listed */
};

/* One holder of a socket, as the holder iterator writes it to its file. */
struct lp_holder {
	__u64 key;   /* as in `sought`: an address of struct sock, or netns << 16 | port of a listener */
	__u64 inode; /* of the socket's file: another socket may have the address since */
	struct lp_task task;
	__u32 fd;
	__u32 listening; /* 1: found by netns and port */
};

/* The program that made a cgroup. */
enum lp_maker { LP_MAKER_OTHER, LP_MAKER_RUNC, LP_MAKER_CRUN, LP_MAKER_COUNT };

#define LP_CGROUP_PATH 500 /* Kubernetes has paths of 190 characters */

/* A cgroup that is gone, or that a container runtime made. The agent reads a slot while the kernel side may write it:
 * the slot is whole if its id is the same before and after. */
struct lp_cgroup {
	__u64 id;                  /* of its kernfs node; 0: empty */
	__u32 maker;               /* enum lp_maker */
	char path[LP_CGROUP_PATH]; /* in its hierarchy, NUL-terminated; a longer one is not kept */
};

/* The cgroup of a process that exited, on a host with cgroup v1. */
struct lp_exited {
	__u64 start_boot_ns; /* as in lp_task */
	__u64 cgroup_id;     /* in the hierarchy whose paths the agent reports; 0: not known */
};

#define LP_ENDED 4096 /* a power of two */

/* One of the last LP_ENDED sockets that ended. Read like lp_cgroup: time_ns is 0 while it is written. */
struct lp_ended {
	__u64 time_ns;             /* CLOCK_MONOTONIC; 0: empty */
	struct lp_identity socket; /* state: the one it left; flags: LP_F_DEAD, LP_F_CONNECTED, _ACCEPTED */
	struct lp_task owner;      /* it closed the socket, or had it locked at the end; tgid 0: not known */
	__u64 initial;             /* lp_initial(); 0: it is nobody's other end */
};

#define LP_GONE_CGROUPS 512 /* powers of two */
#define LP_MADE_CGROUPS 256

/* Classes of events, bits of lp_wants.classes. An event of a class that is not wanted costs no record. */
enum lp_class {
	LP_CLASS_LOST = 1u << 0, /* everything but the orderly ends */
	LP_CLASS_LOCAL_CLOSED = 1u << 1,
	LP_CLASS_PEER_CLOSED = 1u << 2,
	LP_CLASS_ABANDONED = 1u << 3, /* an attempt that lost a race; the agent judges which, so no hook knows it */
	LP_CLASS_SILENT = 1u << 4,    /* peer_silent, peer_back */
	LP_CLASS_IGNORED = 1u << 5,   /* close_ignored */
	LP_CLASS_QUEUES = 1u << 6,    /* accept_dropped */
};

#define LP_CLASSES_LOOKED (LP_CLASS_SILENT | LP_CLASS_IGNORED | LP_CLASS_QUEUES)
#define LP_CLASSES_ORDERLY (LP_CLASS_LOCAL_CLOSED | LP_CLASS_PEER_CLOSED | LP_CLASS_ABANDONED) /* no wake-up */

struct lp_wants {
	__u32 classes; /* enum lp_class */
	__u32 netns;   /* only this network namespace; 0: all */
	__u32 of_uids; /* enum lp_class: all classes that are wanted of some users only; want_uids has each user's */
};

#define LP_WANT_UIDS 1024

#define LP_WON 8192 /* slots; lp_won_slot() has 13 bits */
#define LP_WON_TIME_BITS 26
#define LP_WON_TIME ((1u << LP_WON_TIME_BITS) - 1)

/* A slot of `won`: which process got a connection to which peer port, and when, in one word that is read and written
 * whole. 22 bits of tgid (PID_MAX_LIMIT), 16 of port, 26 of time in units of 2^20 ns (which wrap after 19 hours). */
static inline __u64 lp_won_of(__u32 tgid, __u16 port, __u64 time_ns)
{
	return ((__u64)tgid << 16 | port) << LP_WON_TIME_BITS | (time_ns >> 20 & LP_WON_TIME);
}

/* The index of the slot, from bits that do not depend on the time. */
static inline __u32 lp_won_slot(__u64 won)
{
	return (__u32)((won >> LP_WON_TIME_BITS) * 0x9E3779B97F4A7C15ULL >> 51);
}

/* Counters, one slot each in a per-CPU array. */
enum lp_stat {
	LP_STAT_EMITTED,      /* records with an event of their own that we tried to emit */
	LP_STAT_LOST,         /* ... for which the ring had no room */
	LP_STAT_JOIN_EMITTED, /* the same for records that join another */
	LP_STAT_JOIN_LOST,
	LP_STAT_STATE_FULL, /* sockets that we could not remember */
	LP_STAT_NESTED,     /* calls that a program missed, but a copy of it or a later hook took */
	LP_STAT_UNSEEN,     /* ends for which the kernel ran no program, and counted none as missed */
	LP_STAT_COUNT
};

LP_ASSERT(sizeof(struct lp_task) == 56, "lp_task has no padding");
LP_ASSERT(sizeof(struct lp_past) == 128, "lp_past has no padding");
LP_ASSERT(sizeof(struct lp_shutter) == 72, "lp_shutter has no padding");
LP_ASSERT(__builtin_offsetof(struct lp_record, task) == 32, "header of lp_record");
LP_ASSERT(sizeof(struct lp_record) == 88 + sizeof(struct lp_socket), "lp_record has no padding");
LP_ASSERT(sizeof(struct lp_listed) == 24, "lp_listed has no padding");
LP_ASSERT(sizeof(struct lp_filled) == 40, "lp_filled has no padding");
LP_ASSERT(sizeof(struct lp_refused) == 16, "lp_refused has no padding");
LP_ASSERT(sizeof(struct lp_turned_away) == 16, "lp_turned_away has no padding");
LP_ASSERT(sizeof(struct lp_cgroup) == 512, "lp_cgroup has no padding");
LP_ASSERT(sizeof(struct lp_ended) == 144, "lp_ended has no padding");
LP_ASSERT(sizeof(struct lp_holder) == 80, "lp_holder has no padding");

#endif
