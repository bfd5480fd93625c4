/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event: a record, its verdict and its owner. What outputs print, and filters look at. */
#ifndef LOSTPEER_EVENT_H
#define LOSTPEER_EVENT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "event/judge.h"
#include "event/data.h"
#include "event/place.h"
#include "record.h"

enum owner_via { VIA_NONE, VIA_CONNECT, VIA_ACCEPT, VIA_SEED, VIA_HOLDER, VIA_CLOSER, VIA_LISTENER, VIA_COUNT };

enum owner_unknown {
	UNKNOWN_NONE,
	UNKNOWN_KERNEL,
	UNKNOWN_HOLDER_GONE,
	UNKNOWN_SHARED,
	UNKNOWN_SOCKET_GONE,
	UNKNOWN_NOT_SEEN,
	UNKNOWN_OTHER_PID_NAMESPACE,
	UNKNOWN_UNSUPPORTED,
	UNKNOWN_COUNT
};

#define OWNER_HOLDERS_MAX 32

/* Who held the connection. Exactly one of via and unknown is not NONE. */
struct owner {
	enum owner_via via;
	enum owner_unknown unknown;
	struct lp_task process; /* valid if via is set */
	unsigned n_holders;     /* processes that hold the socket, where that is not just `process` */
	__u32 holders[OWNER_HOLDERS_MAX];
	__u32 holder_uids[OWNER_HOLDERS_MAX]; /* effective, of each */
};

/* What an events_lost says. */
struct loss {
	__u64 count;
	__u64 first_ns; /* CLOCK_REALTIME */
	__u64 last_ns;
};

/* Of data for a connection that was over already: how that ended. */
struct ended {
	__u64 wall_ns;       /* CLOCK_REALTIME; 0: not remembered */
	enum lp_cause cause; /* CAUSE_NONE: not known */
};

/* What a record says that stands for several events (group.h). Of all else the event holds only what they have in
 * common: what differs is as if it were not known. */
struct repeat {
	__u64 count;    /* 0: the event is one */
	__u64 first_ns; /* CLOCK_REALTIME */
	__u64 last_ns;
	unsigned processes;            /* that are known; 0: none is */
	bool more_processes;           /* there may be more */
	bool several_phases;           /* verdict.phase is only one of them */
	bool several_bys;              /* verdict.by too */
	bool several_vias;             /* owner.via too: the process is known one way or another */
	__u64 unread, unacked, unsent; /* bytes, of all */
};

struct event {
	const struct lp_record *record; /* NULL for events_lost */
	bool reset_after;               /* a RST of ours followed it, as cause_judge() is told */
	struct verdict verdict;
	enum lp_severity severity;
	__u64 wall_ns; /* CLOCK_REALTIME */
	int error;     /* errno that the application is told; 0: none, or nobody is there to be told */
	struct data data;
	struct owner owner;
	const char *executable;    /* of the owner; "" if not known */
	const struct place *place; /* where the owner lives */
	struct lp_task peer;       /* at the other end, where that is on this host and known; else its tgid is 0 */
	struct ended ended;
	struct loss loss;
	bool loss_hidden; /* how many is not for whoever reads this (visibility.h) */
	struct repeat repeat;
};

/* One with room for what it points to. */
struct kept_event {
	struct event event;
	struct lp_record record;
	struct place place;
	char executable[PATH_MAX];
};

const char *severity_name(enum lp_severity severity);
int severity_by_name(const char *name);         /* -1 if there is none */
int severity_syslog(enum lp_severity severity); /* RFC 5424's number: 3 is error, 6 is info */
const char *via_name(enum owner_via via);
const char *unknown_name(enum owner_unknown unknown);

/* Which of what the kernel side is asked for brings it: one of enum lp_class; 0: none, it is a gap. */
__u32 event_class(const struct event *event);

/* One that travels, with a copy of the record, as yet without a verdict. Who is handed it has it: he hands it on or
 * frees it. NULL when out of memory. */
struct event *event_new(const struct lp_record *record);
void event_free(struct event *event);
/* Its record, to note what is found out later. */
struct lp_record *event_record(struct event *event);
void event_set_executable(struct event *event, const char *path);
/* What can be said once there is a verdict: severity, time and data. */
void event_judge(struct event *event, struct verdict verdict, __u64 wall_ns);

/* The same in one, without an owner; the record is not copied. */
void event_from_record(struct event *event, const struct lp_record *record, struct verdict verdict, __u64 wall_ns);
void event_from_loss(struct event *event, enum lp_cause place, struct loss loss);

/* Copies it, and what it points to. */
void event_keep(struct kept_event *kept, const struct event *event);

/* 0 where there is no such thing, which the contract leaves out. */
bool event_has_transfer(const struct event *event); /* data and stream fields make sense */
bool event_is_address(const __u8 bytes[16]);        /* else it is not known; of several events, not the same */
bool event_read_closed(const struct event *event);
bool event_write_closed(const struct event *event);
double event_duration_ms(const struct event *event); /* negative: not known */
double event_silent_ms(const struct event *event);   /* negative: not known */

#endif
