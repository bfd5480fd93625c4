/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "check/snapshot_diag.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check/namespaces.h"
#include "check/netlink.h"
#include "who/process.h"

/* include/net/tcp_states.h; <netinet/tcp.h> does not go with <linux/tcp.h> */
enum { ESTABLISHED = 1, TIME_WAIT = 6, CLOSE_WAIT = 8, LAST_ACK = 9, LISTEN = 10, CLOSING = 11, NEW_SYN_RECV = 12 };

#define TIMER_KEEPALIVE 2 /* inet_diag_msg.idiag_timer */
#define HAS(info, size, member) ((size) >= offsetof(struct tcp_info, member) + sizeof((info)->member))

/* --- one socket --- */

/* sock_diag gives only differences of sequence numbers. */
static void take_queues(struct lp_socket *s, const struct inet_diag_msg *m, const struct tcp_info *info, size_t size)
{
	__u32 unsent = HAS(info, size, tcpi_notsent_bytes) ? info->tcpi_notsent_bytes : 0;

	s->rcv_nxt = m->idiag_rqueue;
	s->write_seq = m->idiag_wqueue;
	s->snd_nxt = unsent < m->idiag_wqueue ? m->idiag_wqueue - unsent : 0;
}

static void take_info(struct lp_socket *s, const struct inet_diag_msg *m, const struct tcp_info *info, size_t size)
{
	__u32 ack = info->tcpi_last_ack_recv, data = info->tcpi_last_data_recv;

	take_queues(s, m, info, size);
	s->retransmits = info->tcpi_retransmits;
	s->probes_out = info->tcpi_probes;
	s->backoff = info->tcpi_backoff;
	s->rto_ms = info->tcpi_rto / 1000;
	s->srtt_us = info->tcpi_rtt << 3;
	s->total_retrans = info->tcpi_total_retrans;
	s->heard_ms = ack < data ? ack : data;
	s->sent_ms = info->tcpi_last_data_sent;
	s->known |= LP_KNOWN_HEARD;
	if (HAS(info, size, tcpi_data_segs_out))
		s->known |= info->tcpi_data_segs_out ? LP_KNOWN_SENT : LP_KNOWN_NEVER_SENT;
	s->snd_wnd = HAS(info, size, tcpi_snd_wnd) ? info->tcpi_snd_wnd : 1; /* from 5.4 */
}

/* sock_diag shows one timer. If it is another one, keepalive stays unknown; if none runs, keepalive is off. */
static void take_keepalive(struct lp_socket *s, const struct inet_diag_msg *m)
{
	if (m->idiag_timer != 0 && m->idiag_timer != TIMER_KEEPALIVE)
		return;
	s->known |= LP_KNOWN_KEEPALIVE;
	if (m->idiag_timer == TIMER_KEEPALIVE)
		s->flags |= LP_F_KEEPOPEN;
}

/* In the network namespace of the socket. */
static void take_identity(struct lp_socket *s, const struct inet_diag_msg *m)
{
	char name[IF_NAMESIZE];

	s->interface = m->id.idiag_if;
	if (s->interface && if_indextoname(s->interface, name))
		snprintf(s->interface_name, sizeof(s->interface_name), "%s", name);
	s->inode = m->idiag_inode;
	s->cookie = (__u64)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
	memcpy(s->local_addr, m->id.idiag_src, m->idiag_family == AF_INET ? 4 : 16);
	memcpy(s->peer_addr, m->id.idiag_dst, m->idiag_family == AF_INET ? 4 : 16);
	s->local_port = ntohs(m->id.idiag_sport);
	s->peer_port = ntohs(m->id.idiag_dport);
	s->family = m->idiag_family;
	s->state = m->idiag_state;
	s->uid = m->idiag_uid;
	if (s->inode)
		s->flags |= LP_F_SOCKET | LP_F_FILE;
	else if (s->state != ESTABLISHED && s->state != CLOSE_WAIT)
		s->flags |= LP_F_DEAD;
	if (s->state == CLOSE_WAIT || s->state == LAST_ACK || s->state == CLOSING)
		s->flags |= LP_F_FIN_IN;
}

static int take_socket(struct snapshot *snapshot, const struct nlmsghdr *h, __u32 netns)
{
	const struct inet_diag_msg *m = (const struct inet_diag_msg *)(h + 1);
	const struct rtattr {
		unsigned short length, type;
	} *a = (const struct rtattr *)(m + 1);
	const char *end = (const char *)h + h->nlmsg_len;
	struct lp_held held = {.socket = {.netns = netns}};
	struct tcp_info info = {0};
	size_t size = 0;

	for (; (const char *)(a + 1) <= end && a->length >= sizeof(*a) && (const char *)a + a->length <= end;
	     a = (const struct rtattr *)((const char *)a + NLMSG_ALIGN(a->length))) {
		if (a->type == INET_DIAG_SHUTDOWN)
			held.socket.shutdown = *(const __u8 *)(a + 1);
		if (a->type == INET_DIAG_SOCKOPT && ((const struct inet_diag_sockopt *)(a + 1))->transparent)
			held.socket.flags |= LP_F_TRANSPARENT;
		if (a->type != INET_DIAG_INFO)
			continue;
		size = a->length - sizeof(*a) < sizeof(info) ? a->length - sizeof(*a) : sizeof(info);
		memcpy(&info, a + 1, size);
	}
	take_identity(&held.socket, m);
	if (size)
		take_info(&held.socket, m, &info, size);
	take_keepalive(&held.socket, m);
	return snapshot_add(snapshot, &held);
}

/* --- all of a namespace --- */

struct diag {
	struct snapshot *snapshot;
	__u32 netns;
};

static int take_message(void *context, const struct nlmsghdr *h)
{
	const struct diag *diag = context;

	return take_socket(diag->snapshot, h, diag->netns);
}

static int dump(struct diag *diag, int fd, int family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} m = {
		.header = {.nlmsg_len = sizeof(m),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = (__u8)family,
			    .sdiag_protocol = IPPROTO_TCP,
			    .idiag_ext = 1 << (INET_DIAG_INFO - 1),
			    .idiag_states = ~(1U << TIME_WAIT | 1U << NEW_SYN_RECV | 1U << 3)},
	};

	return netlink_dump(fd, &m, sizeof(m), take_message, diag);
}

static int visit(void *context, __u32 netns)
{
	struct diag diag = {context, netns};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), err;

	if (fd < 0)
		return -errno;
	err = dump(&diag, fd, AF_INET);
	if (!err)
		err = dump(&diag, fd, AF_INET6);
	close(fd);
	return err;
}

/* --- who holds them: /proc/PID/fd --- */

struct search {
	const struct snapshot_diag_scope *scope;
	struct snapshot *snapshot;
	struct unseen *unseen;
	struct lp_task task; /* owner of the descriptors being read; itself read at the first TCP descriptor */
};

static bool is_tcp(int directory, const char *name)
{
	char path[300], protocol[16];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", directory, name);
	n = getxattr(path, "system.sockprotoname", protocol, sizeof(protocol) - 1);
	protocol[n > 0 ? n : 0] = '\0';
	return !strcmp(protocol, "TCP") || !strcmp(protocol, "TCPv6");
}

static int read_descriptor(struct search *s, int directory, const char *name, __u32 pid)
{
	char link[64];
	ssize_t n = readlinkat(directory, name, link, sizeof(link) - 1);
	unsigned long long inode;
	bool known;
	int err;

	if (s->scope->fd >= 0 && s->scope->fd != atoll(name))
		return 0;
	link[n > 0 ? n : 0] = '\0';
	if (sscanf(link, "socket:[%llu]", &inode) != 1)
		return 0;
	if (s->task.tgid != pid && !process_read(pid, &s->task))
		return 0;
	err = snapshot_hold(s->snapshot, inode, &s->task, (__u32)atoi(name), &known);
	if (!known && is_tcp(directory, name))
		s->unseen->unconnected++;
	return err;
}

static int read_process(struct search *s, int proc, const char *name)
{
	char path[280];
	struct dirent *each;
	DIR *directory;
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/fd", name);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		s->unseen->processes += errno == EACCES || errno == EPERM;
		return 0;
	}
	while (!err && (each = readdir(directory)))
		if (isdigit((unsigned char)*each->d_name))
			err = read_descriptor(s, dirfd(directory), each->d_name, (__u32)atoi(name));
	closedir(directory);
	return err;
}

static int find_all_holders(struct search *search, DIR *proc)
{
	struct dirent *each;
	int err = 0;

	while (!err && (each = readdir(proc)))
		if (isdigit((unsigned char)*each->d_name))
			err = read_process(search, dirfd(proc), each->d_name);
	return err;
}

static int find_holders(struct snapshot *snapshot, const struct snapshot_diag_scope *scope, struct unseen *unseen)
{
	struct search search = {.scope = scope, .snapshot = snapshot, .unseen = unseen};
	DIR *proc = opendir("/proc");
	char name[24];
	int err = 0;

	if (!proc)
		return -errno;
	if (!scope->n_pids)
		err = find_all_holders(&search, proc);
	for (size_t i = 0; !err && i < scope->n_pids; i++) {
		snprintf(name, sizeof(name), "%llu", scope->pids[i]);
		err = read_process(&search, dirfd(proc), name);
	}
	closedir(proc);
	return err;
}

int snapshot_diag_take(struct snapshot *snapshot, const struct snapshot_diag_scope *scope, struct unseen *unseen)
{
	struct namespaces *namespaces = namespaces_new();
	int err = namespaces ? namespaces_note_all(namespaces) : -ENOMEM;

	if (!err)
		err = namespaces_each(namespaces, scope->netns, visit, snapshot, &unseen->namespaces);
	namespaces_free(namespaces);
	if (!err)
		err = find_holders(snapshot, scope, unseen);
	unseen->sockets = snapshot_left_out(snapshot);
	if (err)
		fprintf(stderr, "lostpeer check: looking at the sockets of this host failed: %s\n", strerror(-err));
	return err;
}
