/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events for the tests of formats and outputs: the example of lostpeer-events(7), and one with every field. */
#ifndef TESTS_UNIT_SAMPLE_H
#define TESTS_UNIT_SAMPLE_H

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "event/event.h"
#include "facts.h"
#include "format/format.h"

#define SAMPLE_CONTAINER "8e4f28a0bf1a2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef01234567"
#define SAMPLE_SLICE "kubepods-burstable-pod2f5e1a6c_0d3b_4c8e_9a7f_1b2c3d4e5f60.slice"
#define SAMPLE_UNIT "cri-containerd-" SAMPLE_CONTAINER ".scope"
#define SAMPLE_CGROUP "/kubepods.slice/kubepods-burstable.slice/" SAMPLE_SLICE "/" SAMPLE_UNIT
#define SAMPLE_PEER_CGROUP "/kubepods.slice/" SAMPLE_SLICE "/crio-" SAMPLE_CONTAINER ".scope"

struct sample {
	struct lp_record record;
	struct event event;
	struct place place, peer_place;
	char executable[PATH_MAX];
	char holder_cgroups[HOLDER_CGROUPS_LEN];
};

/* UTC, on CLOCK_REALTIME. */
static inline __u64 sample_wall_ns(int day, int hour, int minute, int second, __u64 ns)
{
	struct tm tm = {
		.tm_year = 126, .tm_mon = 10, .tm_mday = day, .tm_hour = hour, .tm_min = minute, .tm_sec = second};

	return (__u64)timegm(&tm) * 1000000000ULL + ns;
}

/* The start time since boot that is printed as this wall time. */
static inline __u64 sample_boot_ns(__u64 wall_ns)
{
	return wall_ns - clock_wall_from_boot(0);
}

static inline void sample_judge(struct sample *s, struct verdict verdict)
{
	struct owner owner = s->event.owner;

	event_from_record(&s->event, &s->record, verdict, sample_wall_ns(22, 12, 1, 2, 123456789));
	s->event.owner = owner;
	s->event.place = &s->place;
	s->event.peer_place = &s->peer_place;
	s->event.executable = s->executable;
	s->event.holder_cgroups = s->holder_cgroups;
	memset(&s->place, 0, sizeof(s->place));
	memset(&s->peer_place, 0, sizeof(s->peer_place));
	s->executable[0] = s->holder_cgroups[0] = '\0';
}

/* The example of lostpeer-events(7). Fields that it does not show are unknown wherever they can be. */
static inline void sample_example(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	s->record = record_of(&(struct facts){TCP_ESTABLISHED, HELD, CLIENT | RST_IN, .err = ECONNRESET, .unack = 512});
	s->record.socket.netns = 4026531840u;
	s->record.time_ns = 900000000000ULL;
	s->record.established_ns = s->record.time_ns - 81234500000ULL;
	sample_judge(s, (struct verdict){PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, CAUSE_NONE});
	s->event.owner = (struct owner){
		.via = VIA_CONNECT,
		.process = {.start_boot_ns = sample_boot_ns(sample_wall_ns(20, 8, 0, 0, 10000000)),
			    .tgid = 4711,
			    .uid = 1000,
			    .comm = "checkout"},
	};
}

/* Every field that an event of a socket can have, except owner.unknown. */
static inline void sample_everything(struct sample *s)
{
	sample_example(s);
	s->record.socket.cookie = 77;
	s->record.socket.interface = 3;
	strcpy(s->record.socket.interface_name, "vrf-blue");
	s->record.socket.soft_err = EHOSTUNREACH;
	s->record.socket.srtt_us = 8 * 250;
	s->record.socket.known = LP_KNOWN_HEARD;
	s->record.socket.heard_ms = 12;
	s->record.socket.total_retrans = 4;
	s->record.socket.bytes_acked = 1001;
	s->record.socket.bytes_received = 70;
	s->record.socket.write_seq += 10;
	s->record.socket.rcv_nxt += 6;
	s->record.socket.flags |= LP_F_MPTCP;
	s->record.reset_reason = 5;
	sample_judge(s, (struct verdict){PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, LOCAL_RESET_DATA_AFTER_CLOSE});
	s->event.refused = (struct refused){LP_SIGNATURE_WRONG, BY_PEER};
	s->event.owner.process.vpid = 12;
	s->event.owner.process.exiting = 1;
	s->event.owner.process.exit_code = 9;
	s->event.owner.process.oom = 1;
	s->event.owner.process.executing = 1;
	s->event.owner.n_holders = 2;
	s->event.owner.holders[0] = (struct lp_task){.tgid = 4711, .comm = "checkout"};
	s->event.owner.holders[1] = (struct lp_task){.tgid = 4712, .comm = "helper"};
	strcpy(s->holder_cgroups, "0::/a\n0::/b\n");
	strcpy(s->executable, "/usr/bin/checkout");
	s->event.peer = (struct lp_task){
		.start_boot_ns = sample_boot_ns(sample_wall_ns(21, 7, 0, 0, 0)),
		.tgid = 812,
		.vpid = 13,
		.uid = 999,
		.comm = "postgres",
		.exiting = 1,
		.executing = 1,
		.exit_code = 6,
		.oom = 1,
	};
	s->event.shutter = (struct lp_task){
		.start_boot_ns = sample_boot_ns(sample_wall_ns(22, 7, 0, 0, 0)),
		.tgid = 4713,
		.vpid = 14,
		.uid = 1001,
		.comm = "job-child",
	};
	place_read(SAMPLE_CGROUP, &s->place);
	strcpy(s->place.cgroup, "0::" SAMPLE_CGROUP);
	place_read(SAMPLE_PEER_CGROUP, &s->peer_place);
	strcpy(s->peer_place.cgroup, "0::" SAMPLE_PEER_CGROUP);
}

/* A group of 299 events like the example, from four processes of one name. */
static inline void sample_burst(struct sample *s)
{
	sample_example(s);
	strcpy(s->executable, "/usr/bin/checkout");
	place_read("/system.slice/shop.service", &s->place);
	s->event.owner = (struct owner){.process = {.tgid = 4711, .comm = "checkout"}};
	s->record.socket.local_port = 0;
	s->event.repeat = (struct repeat){
		.count = 299,
		.first_ns = s->event.wall_ns - 85000000,
		.last_ns = s->event.wall_ns,
		.processes = 4,
		.unread = 5000000000,
		.unacked = 153088,
	};
}

static inline const char *sample_reason(void *kernel, __u32 reason)
{
	(void)kernel;
	return reason == 5 ? "ABORT_ON_DATA" : NULL;
}

static inline struct format_context sample_context(void)
{
	return (struct format_context){.host = "web-3", .reset_reason = sample_reason};
}

#endif
