/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event: a record, its verdict and its owner. Filters read it, outputs write it. */
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
	UNKNOWN_UNSUPPORTED,
	UNKNOWN_COUNT
};

#define OWNER_HOLDERS_MAX 32

/* The process that held the connection. Exactly one of via and unknown is not NONE. */
struct owner {
	enum owner_via via;
	enum owner_unknown unknown;
	struct lp_task process; /* without via: only what all holders share, such as the name; see shared.h */
	unsigned n_holders;     /* of holders[]; 0: `process` alone, or the holders are not known */
	bool more_holders;      /* there are more than fit */
	struct lp_task holders[OWNER_HOLDERS_MAX];
};

/* A gap: events that were lost. */
struct loss {
	__u64 count;
	__u64 first_ns; /* CLOCK_REALTIME */
	__u64 last_ns;
};

/* How a connection had ended that the peer then sent data for. */
struct ended {
	__u64 wall_ns;       /* CLOCK_REALTIME; 0: not known */
	enum lp_cause cause; /* CAUSE_NONE: not known */
};

/* A TCP signature (MD5, AO) for which the kernel dropped a segment of the connection. */
struct refused {
	enum lp_signature signature; /* LP_SIGNATURE_NONE: not known of any */
	enum lp_by by;               /* who dropped it: BY_LOCAL, this end; BY_PEER, the other one, on this host */
};

/* An event that stands for several (group.h). Its other members hold what they have in common; what differs among them
 * is marked as not known. */
struct repeat {
	__u64 count;    /* 0: it stands for itself alone */
	__u64 first_ns; /* CLOCK_REALTIME */
	__u64 last_ns;
	unsigned processes;            /* known owners; 0: none */
	bool more_processes;           /* there may be further owners */
	bool several_phases;           /* verdict.phase is that of one of them */
	bool several_bys;              /* the same of verdict.by */
	bool several_vias;             /* the same of owner.via */
	__u64 unread, unacked, unsent; /* bytes, the sum */
	bool unread_unknown, unsent_unknown;
};

struct event {
	const struct lp_record *record; /* NULL for events_lost */
	bool reset_after;               /* for judge_record(): this host sent a RST after the record */
	struct verdict verdict;
	enum lp_severity severity;
	__u64 wall_ns; /* CLOCK_REALTIME */
	int error;     /* errno that the application gets; 0: none, or no process holds the socket */
	struct data data;
	struct owner owner;
	const char *executable;     /* of the owner, or what all holders share; "" if not known */
	const struct place *place;  /* unit and container of the owner, or what all holders share */
	const char *holder_cgroups; /* where they differ: for each holder the line of its cgroup, or "\n"; else "" */
	struct lp_task peer;        /* the other end, if it is on this host and known; else tgid is 0 */
	bool peer_sent_no_reset;    /* the other end is on this host, and did not send the RST that came in */
	const struct place *peer_place;
	/* Who shut our half down with shutdown(2) while others held the socket too; tgid 0: nobody did that. */
	struct lp_task shutter;
	bool shut_by_another; /* ... and this ended the connection of a process that had nothing to do with it */
	struct ended ended;
	struct refused refused;
	bool raced; /* abandoned: the same process got another connection to that port, or still tries one */
	struct loss loss;
	long long gives_up_ms; /* peer_silent: when the kernel will give up, about; negative: not known */
	unsigned connections;  /* close_ignored: how many the owner ignores */
	bool loss_hidden;      /* the reader may not see the count (visibility.h) */
	struct repeat repeat;
};

#define HOLDER_CGROUPS_LEN 1536 /* more is left out */

/* An event that holds what it points to. */
struct kept_event {
	struct event event;
	struct lp_record record;
	struct place place, peer_place;
	char executable[PATH_MAX];
	char holder_cgroups[HOLDER_CGROUPS_LEN];
};

const char *severity_name(enum lp_severity severity);
int severity_by_name(const char *name);         /* -1: no severity has this name */
int severity_syslog(enum lp_severity severity); /* the number in RFC 5424: 3 is error, 6 is info */
const char *via_name(enum owner_via via);
const char *unknown_name(enum owner_unknown unknown);
const char *signature_name(enum lp_signature signature);

/* The enum lp_class that readers ask for to get this event; 0: it is a gap. */
__u32 event_class(const struct event *event);

/* An event that travels, with its own copy of the record and no verdict yet. The holder of the pointer owns the event: it
 * passes it on or frees it. NULL: out of memory. */
struct event *event_new(const struct lp_record *record);
void event_free(struct event *event);
/* The record of an event of event_new(), to add what is found out later. */
struct lp_record *event_record(struct event *event);
void event_set_executable(struct event *event, const char *path);
/* Fills what follows from the verdict: severity, time and data. */
void event_judge(struct event *event, struct verdict verdict);
/* Nobody answered: whether a bad TCP signature can be why. */
bool event_is_unanswered(const struct event *event);
/* When the peer was last heard, or the attempt began; CLOCK_MONOTONIC. */
__u64 event_unanswered_since(const struct event *event);
/* Then it is: who dropped the segment gets the blame for a timeout. */
void event_refuse(struct event *event, struct refused refused);
/* An abandoned attempt lost a race: this changes its class and severity. */
void event_lose_race(struct event *event);
/* Before event_judge(). */
void event_set_shutter(struct event *event, const struct lp_shutter *shutter);
/* The owner is known: it may be the process that shut the connection down. This may change the class and severity. */
void event_compare_shutter(struct event *event);
/* event_new() with a verdict: for what the agent found by looking, whose cause is known. */
struct event *event_found(const struct lp_record *record, enum lp_cause cause);

/* All of it in one call. The record is not copied; the owner, the other end and `ended` are not known yet. */
void event_from_record(struct event *event, const struct lp_record *record, struct verdict verdict, __u64 wall_ns);
void event_from_loss(struct event *event, enum lp_cause place, struct loss loss);

void event_keep(struct kept_event *kept, const struct event *event);

/* Of an event with a record. */
bool event_has_transfer(const struct event *event); /* false: it has no data and no streams; a gap too */
bool event_is_address(const __u8 bytes[16]);        /* false: not known, or different among several events */
bool event_read_closed(const struct event *event);
bool event_write_closed(const struct event *event);
double event_duration_ms(const struct event *event); /* negative: not known */
double event_silent_ms(const struct event *event);   /* negative: not known */

#endif
