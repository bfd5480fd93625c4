/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A record made of named facts, so that a test shows only what the kernel saw. Sequence numbers start just below the
 * 32-bit wrap: all arithmetic on them must survive it.
 */
#ifndef TESTS_UNIT_FACTS_H
#define TESTS_UNIT_FACTS_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "record.h"

/* The holder of the socket at that moment. */
enum held {
	HELD,     /* connected or accepted, and a process has its file */
	IN_CLOSE, /* close(2) or exit is closing its last descriptor */
	ORPHAN,
	QUEUED,  /* in an accept queue */
	SUBFLOW, /* of MPTCP: it has no file, but is not an orphan */
	NO_FILE, /* a socket of the kernel */
};

struct facts {
	int state; /* the state that it left */
	enum held held;
	__u32 flags; /* besides those from `held` */
	__u16 err, soft;
	__u16 shut;     /* IN_CLOSE and ORPHAN: 3 */
	__u32 unack;    /* write_seq - snd_una, which counts our SYN and FIN */
	__u32 unsent;   /* the part of them that was never sent */
	__u32 unread;   /* payload; LP_F_FIN_IN adds the peer's FIN */
	bool no_window; /* the peer's window is closed */
	__u8 probes;
	__u8 retr;
	__u32 user_timeout_ms;
	__u32 known;
	__s64 heard_ms, retrans_ms, probes_ms;
	__u8 resent, held_back, dropped, last_try;
	int family;     /* 0: AF_INET */
	bool mapped;    /* an IPv4 peer on an IPv6 socket */
	bool no_port;   /* the socket never got a local port */
	bool forgotten; /* the map had no room for the socket: earlier findings of the hooks are unknown */
	int kind;       /* 0: LP_KIND_CLOSE */
};

/* Short names for the flags that the tables use most. */
#define OWN LP_F_OWNED
#define FIN_IN LP_F_FIN_IN
#define RST_IN LP_F_RST_IN
#define RST_OUT LP_F_RST_OUT
#define CLIENT LP_F_CONNECTED

static inline __u32 flags_of_held(enum held held)
{
	switch (held) {
	case HELD:
		return LP_F_SOCKET | LP_F_FILE;
	case IN_CLOSE:
		return LP_F_SOCKET | LP_F_FILE | LP_F_OWNED;
	case ORPHAN:
		return LP_F_DEAD;
	case QUEUED:
		return LP_F_ACCEPTED;
	case SUBFLOW:
		return LP_F_MPTCP;
	case NO_FILE:
		return LP_F_SOCKET;
	}
	return 0;
}

static inline void fill_addresses(struct lp_record *r, const struct facts *f)
{
	static const __u8 local[4] = {10, 0, 0, 7}, peer[4] = {10, 0, 0, 5};
	static const __u8 prefix[12] = {[10] = 0xff, [11] = 0xff};

	r->socket.family = (__u16)(f->mapped ? AF_INET6 : f->family ? f->family : AF_INET);
	r->socket.local_port = f->no_port ? 0 : 51820;
	r->socket.peer_port = 5432;
	if (r->socket.family == AF_INET) {
		memcpy(r->socket.local_addr, local, 4);
		memcpy(r->socket.peer_addr, peer, 4);
	} else if (f->mapped) {
		memcpy(r->socket.local_addr, prefix, 12);
		memcpy(r->socket.local_addr + 12, local, 4);
		memcpy(r->socket.peer_addr, prefix, 12);
		memcpy(r->socket.peer_addr + 12, peer, 4);
	} else {
		r->socket.local_addr[0] = r->socket.peer_addr[0] = 0xfd;
		r->socket.local_addr[15] = 7;
		r->socket.peer_addr[15] = 5;
	}
}

static inline struct lp_record record_of(const struct facts *f)
{
	struct lp_record r = {
		.version = LP_RECORD_VERSION,
		.kind = (__u8)(f->kind ? f->kind : LP_KIND_CLOSE),
		.socket.state = (__u8)f->state,
		.socket.flags = (f->forgotten ? 0 : LP_F_STATE) | flags_of_held(f->held) | f->flags,
		.socket.err = f->err,
		.socket.soft_err = f->soft,
		.socket.shutdown = (__u8)(f->held == IN_CLOSE || f->held == ORPHAN ? 3 : f->shut),
		.socket.refs = f->held == HELD ? 1 : 0,
		.socket.snd_una = 0xffffff00u,
		.socket.snd_wnd = f->no_window ? 0 : 64240,
		.socket.copied_seq = 0xfffffff0u,
		.socket.total_retrans = f->retr,
		.socket.retransmits = f->retr,
		.socket.probes_out = f->probes,
		.socket.user_timeout_ms = f->user_timeout_ms,
		.socket.known = f->known,
		.socket.heard_ms = f->heard_ms,
		.socket.retrans_ms = f->retrans_ms,
		.socket.probes_ms = f->probes_ms,
		.socket.resent = f->resent,
		.socket.held_back = f->held_back,
		.socket.dropped = f->dropped,
		.socket.last_try = f->last_try,
	};

	r.socket.write_seq = r.socket.snd_una + f->unack;
	r.socket.snd_nxt = r.socket.write_seq - f->unsent;
	r.socket.rcv_nxt = r.socket.copied_seq + f->unread + ((f->flags & LP_F_FIN_IN) ? 1 : 0);
	fill_addresses(&r, f);
	return r;
}

#endif
