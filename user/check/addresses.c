/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "check/addresses.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check/namespaces.h"
#include "check/netlink.h"
#include "check/snapshot.h"
#include "event/verdicts.h"

struct local {
	struct snapshot *snapshot;
	struct address_prefix *list;
	size_t n, room;
};

/* --- what is local --- */

bool addresses_have(const struct address_prefix *local, size_t n, struct address address)
{
	for (size_t i = 0; i < n; i++) {
		unsigned whole = local[i].bits / 8, rest = local[i].bits % 8;
		__u8 mask = (__u8)(0xff00 >> rest);

		if (!memcmp(local[i].address.bytes, address.bytes, whole) &&
		    (!rest || !((local[i].address.bytes[whole] ^ address.bytes[whole]) & mask)))
			return true;
	}
	return false;
}

static int add(struct local *l, int family, const void *bytes, unsigned bits)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct address_prefix *list = realloc(l->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		l->list = list;
		l->room = room;
	}
	l->list[l->n++] = (struct address_prefix){address_of(family, bytes), family == AF_INET ? bits + 96 : bits};
	return 0;
}

/* The attribute of this type that holds an address of this family; NULL: none. */
static const void *find(const struct nlmsghdr *h, size_t header, unsigned short type, int family)
{
	const char *at = (const char *)(h + 1) + NLMSG_ALIGN(header), *end = (const char *)h + h->nlmsg_len;
	size_t size = sizeof(struct rtattr) + (family == AF_INET ? 4 : 16);
	const struct rtattr *a;

	for (; at + sizeof(*a) <= end; at += RTA_ALIGN(a->rta_len)) {
		a = (const struct rtattr *)at;
		if (a->rta_len < sizeof(*a) || a->rta_len > end - at)
			return NULL;
		if (a->rta_type == type && a->rta_len >= size)
			return a + 1;
	}
	return NULL;
}

static int take_address(struct local *l, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = (const struct ifaddrmsg *)(h + 1);
	/* with a peer on the link, IFA_ADDRESS is the peer's */
	const void *own = find(h, sizeof(*m), IFA_LOCAL, m->ifa_family);

	if (m->ifa_family != AF_INET && m->ifa_family != AF_INET6)
		return 0;
	if (!own)
		own = find(h, sizeof(*m), IFA_ADDRESS, m->ifa_family);
	return own ? add(l, m->ifa_family, own, m->ifa_family == AF_INET ? 32 : 128) : 0;
}

static int take_route(struct local *l, const struct nlmsghdr *h)
{
	const struct rtmsg *m = (const struct rtmsg *)(h + 1);
	const void *to = find(h, sizeof(*m), RTA_DST, m->rtm_family);
	static const __u8 any[16];

	if (m->rtm_type != RTN_LOCAL || (m->rtm_family != AF_INET && m->rtm_family != AF_INET6))
		return 0;
	return add(l, m->rtm_family, to ? to : any, m->rtm_dst_len);
}

static int take_message(void *context, const struct nlmsghdr *h)
{
	if (h->nlmsg_type == RTM_NEWADDR)
		return take_address(context, h);
	return h->nlmsg_type == RTM_NEWROUTE ? take_route(context, h) : 0;
}

#define HEADER(m, type)                                                                                                \
	{                                                                                                              \
		.nlmsg_len = sizeof(m), .nlmsg_type = (type), .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP                \
	}

/* The table of local routes also has prefixes that are local as a whole (AnyIP); a VRF's addresses are not in it. */
static int dump_all(struct local *l, int fd)
{
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg request;
	} addresses = {.header = HEADER(addresses, RTM_GETADDR)};
	struct {
		struct nlmsghdr header;
		struct rtmsg request;
	} routes = {.header = HEADER(routes, RTM_GETROUTE),
		    .request = {.rtm_table = RT_TABLE_LOCAL, .rtm_type = RTN_LOCAL, .rtm_family = AF_INET}};
	int err = netlink_dump(fd, &addresses, sizeof(addresses), take_message, l);

	for (int i = 0; i < 2 && !err; i++) {
		routes.request.rtm_family = i ? AF_INET6 : AF_INET;
		err = netlink_dump(fd, &routes, sizeof(routes), take_message, l);
		if (err == -EOPNOTSUPP || err == -ENOENT) /* without IPv6, or without that table */
			err = 0;
	}
	return err;
}

/* --- the connections --- */

static bool is_at_stake(const struct lp_socket *s)
{
	/* IP_TRANSPARENT: a proxy speaks for addresses of others */
	return verdicts_is_connection(s) && s->state != TCP_CLOSE && !(s->flags & LP_F_TRANSPARENT);
}

static void mark(struct local *l, __u32 netns)
{
	for (size_t i = 0; i < snapshot_count(l->snapshot); i++) {
		const struct lp_socket *s = snapshot_get(l->snapshot, i);

		if (s->netns == netns && is_at_stake(s) &&
		    !addresses_have(l->list, l->n, address_of(s->family, s->local_addr)))
			snapshot_flag(l->snapshot, i, LP_F_ADDRESS_GONE);
	}
}

static int visit(void *context, __u32 netns)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), on = 1, err;
	struct local *l = context;

	if (fd < 0)
		return -errno;
	l->n = 0;
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)); /* lets the kernel filter the routes */
	err = dump_all(l, fd);
	close(fd);
	if (!err)
		mark(l, netns);
	return err;
}

struct noting {
	struct namespaces *namespaces;
	__u32 netns;
	int err;
};

static bool note(void *context, const struct lp_task *task, __u32 fd)
{
	struct noting *n = context;

	(void)fd;
	n->err = namespaces_note(n->namespaces, n->netns, task->tgid);
	return true;
}

/* After the look at the sockets: an address that came meanwhile is seen. */
int addresses_mark(struct snapshot *snapshot)
{
	struct local l = {.snapshot = snapshot};
	struct noting n = {.namespaces = namespaces_new()};
	unsigned unseen;

	n.err = n.namespaces ? 0 : -ENOMEM;
	for (size_t i = 0; !n.err && i < snapshot_count(snapshot); i++) {
		n.netns = snapshot_get(snapshot, i)->netns;
		snapshot_each_holder(snapshot, i, note, &n);
	}
	if (!n.err)
		n.err = namespaces_each(n.namespaces, 0, visit, &l, &unseen);
	namespaces_free(n.namespaces);
	free(l.list);
	return n.err;
}
