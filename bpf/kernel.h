/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, with only the fields that we read. CO-RE relocates them when the object is loaded, so that
 * nothing here depends on the kernel of the machine that builds or runs. A field that some kernels from 5.10 on lack
 * says so, and is read behind bpf_core_field_exists().
 */
#ifndef LOSTPEER_BPF_KERNEL_H
#define LOSTPEER_BPF_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define ECONNABORTED 103
#define RCV_SHUTDOWN 1
#define SEND_SHUTDOWN 2
#define SHUTDOWN_MASK 3

/* The bit of a gfp_t by which an allocation may call into file systems, the same from 5.10 on. Every socket of a process
 * has it, and no system call takes it away. */
#define GFP_FS 0x80

/* enum sock_flags of include/net/sock.h: bits of skc_flags, the same from 5.10 on */
enum {
	SOCK_DEAD,
	SOCK_DONE,
	SOCK_URGINLINE,
	SOCK_KEEPOPEN,
	SOCK_LINGER,
};

#define INET_FLAGS_TRANSPARENT 15 /* include/net/inet_sock.h: a bit of inet_flags */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;
typedef struct {
	__s64 counter;
} atomic64_t;
typedef struct {
	atomic64_t refcnt;
} file_ref_t;
typedef struct {
	__u32 val;
} kuid_t;
typedef struct {
	atomic_t refs;
} refcount_t;

struct ns_common {
	unsigned int inum;
	refcount_t count;    /* 5.11 to 6.17 */
	refcount_t __ns_ref; /* the name since 6.18 */
};

struct netns_ipv4 { /* int until 5.12 or later, then __u8: read like bit fields */
	__u8 sysctl_tcp_retries2;
	__u8 sysctl_tcp_orphan_retries;
	__u8 sysctl_tcp_syn_retries;
	__u8 sysctl_tcp_syn_linear_timeouts; /* from 6.5 */
	__u8 sysctl_tcp_keepalive_probes;
	__u8 sysctl_tcp_syncookies; /* read like a bit field too */
	int sysctl_max_syn_backlog;
	int sysctl_tcp_keepalive_time; /* jiffies */
	int sysctl_tcp_keepalive_intvl;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};
struct hlist_head {
	struct hlist_node *first;
};

struct linux_mib; /* an array of counters for each CPU */
struct netns_mib {
	struct linux_mib *net_statistics;
};

struct net {
	struct netns_mib mib;
	struct ns_common ns;
	refcount_t count; /* 5.10 */
	struct hlist_head *dev_index_head;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
	refcount_t skc_refcnt;
};

typedef struct {
	int owned;
} socket_lock_t;

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct qstr {
	const unsigned char *name;
};
struct dentry {
	struct qstr d_name;
};
struct path {
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
	atomic64_t f_count; /* atomic_long_t until 6.12 */
	file_ref_t f_ref;   /* from 6.13; ONEREF is 0 */
};

struct list_head {
	struct list_head *next;
};
typedef struct wait_queue_head {
	struct list_head head;
} wait_queue_head_t;
typedef struct wait_queue_entry {
	void *private;
	struct list_head entry;
} wait_queue_entry_t;
struct socket_wq {
	wait_queue_head_t wait;
};
struct poll_table_entry { /* poll(2), select(2): one for each file */
	struct file *filp;
	wait_queue_entry_t wait;
};
struct poll_wqueues {
	struct task_struct *polling_task;
};

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
};
struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct sk_buff_head {
	__u32 qlen;
};
struct timer_list {
	struct hlist_node entry;
};

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct socket *sk_socket;
	struct dst_entry *sk_dst_cache;
	struct socket_wq *sk_wq;
	kuid_t sk_uid;
	int sk_err;
	int sk_err_soft;
	__u16 sk_type;
	__u16 sk_protocol;
	__u8 sk_kern_sock : 1;
	struct proto *sk_prot_creator;
	struct sk_buff_head sk_receive_queue;
	struct timer_list sk_timer;
	struct timer_list tcp_retransmit_timer; /* from 7.0 */
	unsigned int sk_allocation;
	void *sk_user_data;
	unsigned long sk_lingertime;
	__u8 sk_shutdown;
	__u32 sk_ack_backlog; /* length of the accept queue, then its limit; a child has a copy of its listener's */
	__u32 sk_max_ack_backlog;
	atomic_t sk_drops;
};

struct inet_sock {
	struct sock sk;
	unsigned long inet_flags; /* from 6.6 */
	__u8 transparent : 1;     /* until 6.5 */
	__be16 inet_sport;
};

struct icsk_ack_fields {
	__u32 lrcvtime;
};

struct sk_msg_sg {
	__u32 size;
};
struct sk_msg {
	struct sk_msg_sg sg;
	struct list_head list;
};
struct sk_psock_progs {
	struct bpf_prog *stream_parser; /* from 5.13, as all of these */
	struct bpf_prog *stream_verdict;
	struct bpf_prog *skb_verdict; /* in 5.10 this is the verdict on a stream */
};
struct strparser {
	struct sk_buff *skb_head;
};
struct sk_psock { /* of a socket in a sockmap: sk_user_data, but for flags in its lowest bits */
	struct sock *sk;
	struct proto *sk_proto;
	struct sk_msg *cork;
	struct sk_psock_progs progs;
	struct strparser strp; /* from 5.13 */
	struct sk_buff_head ingress_skb;
	struct list_head ingress_msg;
	__u32 msg_tot_len; /* of ingress_msg; from 6.19, and some before */
};
#define USER_DATA_FLAGS 7ul

struct tcp_ulp_ops {
	char name[16];
};

struct request_sock_queue {
	atomic_t qlen;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	const struct tcp_ulp_ops *icsk_ulp_ops;
	void *icsk_ulp_data;
	struct timer_list icsk_retransmit_timer; /* until 6.19 */
	struct timer_list icsk_delack_timer;
	struct timer_list icsk_keepalive_timer; /* from 7.0, in place of sk_timer */
	struct request_sock_queue icsk_accept_queue;
	__u8 icsk_retransmits;
	__u8 icsk_probes_out;
	__u8 icsk_backoff;
	__u8 icsk_syn_retries;
	__u32 icsk_rto;
	__u32 icsk_rto_max;       /* from 6.15 */
	__u32 icsk_probes_tstamp; /* jiffies; from 5.11 */
	__u32 icsk_user_timeout;
	struct icsk_ack_fields icsk_ack;
};

struct hrtimer {
	__u8 state; /* until 6.19 */
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	struct hrtimer pacing_timer;
	struct hrtimer compressed_ack_timer;
	struct list_head tsorted_sent_queue;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 snd_wnd;
	__u32 snd_wl1;
	__u32 rcv_tstamp;
	__u32 lsndtime;
	__u32 retrans_stamp;  /* CLOCK_MONOTONIC, in milliseconds, or with tcp_usec_ts in microseconds */
	__u8 tcp_usec_ts : 1; /* from 6.7 */
	__u32 data_segs_out;
	unsigned int keepalive_time; /* jiffies; 0: the namespace's */
	unsigned int keepalive_intvl;
	__u8 keepalive_probes;
	__u64 tcp_mstamp;
	__u32 srtt_us;
	__u32 total_retrans;
	__u64 bytes_received;
	__u64 bytes_acked;
	int linger2;
	__u8 repair : 1;
	__u8 syn_smc : 1;
	_Bool is_mptcp; /* only with CONFIG_MPTCP */
};

/* The same socket by a plain pointer. From 6.3 on the verifier searches all of the kernel's types whenever a pointer is
 * loaded from a trusted one, such as a program's argument; that is most of the time that loading takes. */
static __always_inline struct sock *tcp_as_sock(struct tcp_sock *tp)
{
	return &tp->inet_conn.icsk_inet.sk;
}

struct net_device {
	possible_net_t nd_net;
	char name[16];
	int ifindex;
	struct hlist_node index_hlist;
};
struct dst_entry {
	struct net_device *dev;
};
struct sk_buff {
	struct sock *sk;
	int skb_iif;
	__s64 tstamp; /* of what TCP sends: when, by CLOCK_MONOTONIC */
	struct net_device *dev;
	unsigned int len;
	__u16 transport_header;
	__u16 network_header;
	unsigned char *head;
	unsigned char *data;
};

struct bpf_array {
	void *pptrs[0];
};

#pragma clang attribute pop

/* The beginning of struct tcphdr, on the wire. */
struct tcphdr_words {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	__u8 offset; /* in its upper half: 4-byte words of the header */
	__u8 flags;
};
#define TCP_SYN 0x02
#define TCP_RST 0x04

/* Turns a pointer into a plain number. Rare work is in global functions, which the verifier walks only once, and those
 * take only numbers. */
static __always_inline __u64 as_number(const void *pointer)
{
	__u64 address = (__u64)pointer, number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &address);
	return number;
}

/*
 * Two releases added helpers that tracing programs need here. The enumerators of helpers show whether the kernel has
 * them, and the verifier never walks the branch that is not taken:
 * 5.11: bpf_get_current_task_btf (3ca1032ab7ab), a task by direct loads;
 * 5.12: bpf_get_socket_cookie in tracing programs (c5dbb89fc2ac); bpf_check_mtu came with the same release.
 */
static __always_inline _Bool kernel_has_task(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

static __always_inline _Bool kernel_has_cookie(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_check_mtu);
}

#endif
