/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Looks at connections for the tests of `lostpeer check`. */
#ifndef TESTS_UNIT_CHECK_SAMPLE_H
#define TESTS_UNIT_CHECK_SAMPLE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "event/verdicts.h"

struct check_sample {
	struct lp_socket socket;
	struct check check;
};

#define CHECK_SAMPLE_KNOWN (LP_KNOWN_HEARD | LP_KNOWN_SENT | LP_KNOWN_RETRANS | LP_KNOWN_TIMERS | LP_KNOWN_KEEPALIVE)

/* Judges the look as it is now and keeps its holders. */
static inline void check_sample_fill(struct check_sample *s)
{
	verdicts_fill(&s->check, &s->socket, 60000);
}

static inline void check_sample_make(struct check_sample *s)
{
	memset(s, 0, sizeof(*s));
	s->socket = (struct lp_socket){
		.cookie = 77,
		.local_port = 51820,
		.peer_port = 5432,
		.netns = 4026531840u,
		.family = AF_INET,
		.state = TCP_ESTABLISHED,
		.flags = LP_F_SOCKET | LP_F_FILE,
		.known = CHECK_SAMPLE_KNOWN,
		.snd_wnd = 65535,
		.srtt_us = 8 * 210,
		.heard_ms = 1500,
		.sent_ms = 2000,
		.rto_ms = 204,
		.retries2 = 15,
		.keepalive_time_ms = 7200000,
		.keepalive_interval_ms = 75000,
		.keepalive_probes = 9,
	};
	inet_pton(AF_INET, "10.0.0.7", s->socket.local_addr);
	inet_pton(AF_INET, "10.0.0.5", s->socket.peer_addr);
	s->check.fd = 12;
	s->check.event.owner = (struct owner){
		.via = VIA_HOLDER, .process = {.tgid = 4711, .uid = 1000, .start_boot_ns = 1, .comm = "checkout"}};
	s->check.event.executable = "/usr/bin/checkout";
	s->check.event.holder_cgroups = "";
	s->check.event.place = &place_unknown;
	check_sample_fill(s);
}

/* The fourth retransmission, on a socket that a process shares with others. */
static inline void check_sample_stalled(struct check_sample *s)
{
	check_sample_make(s);
	s->socket.snd_nxt = s->socket.write_seq = 512;
	s->socket.retransmits = 4;
	s->socket.total_retrans = 4;
	s->socket.rto_ms = 3264;
	s->socket.retrans_ms = 3000;
	s->socket.sent_ms = 200;
	s->socket.heard_ms = 12300;
	s->socket.soft_err = EHOSTUNREACH;
	s->socket.flags |= LP_F_MPTCP;
	check_sample_fill(s);
}

/* The peer closed its half long ago and does not answer keepalive probes. */
static inline void check_sample_idle(struct check_sample *s)
{
	check_sample_make(s);
	s->socket.state = TCP_CLOSE_WAIT;
	s->socket.known = (CHECK_SAMPLE_KNOWN & ~(__u32)LP_KNOWN_SENT) | LP_KNOWN_NEVER_SENT;
	s->socket.heard_ms = 90000;
	s->socket.rcv_nxt = 5;
	check_sample_fill(s);
	s->socket.flags |= LP_F_KEEPOPEN;
	s->socket.probes_out = 1;
	s->check.next_probe_ms = 5000;
}

#endif
