/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/other_end.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/table.h"
#include "event/connection.h"
#include "kernel/remembered.h"
#include "kernel/sockets.h"
#include "who/pending.h"
#include "who/recently_closed.h"

/* On one host both records come within microseconds, but a busy host may take longer for a RST. */
#define RECORD_WAIT_NS (5 * CLOCK_MS)
/* The agent sleeps at least this long before it gives up: processes that it kept from running may run then. */
#define SLEEP_NS (2 * CLOCK_MS)
#define SCAN_INTERVAL_NS (5 * CLOCK_MS) /* a scan takes some 50 us */
#define WALK_INTERVAL_NS (20 * CLOCK_MS)
#define PATIENCE_NS (100 * CLOCK_MS) /* the longest wait of an event that may have no other end here */
#define WALK_SHARE 50                /* walks take at most this part of the time */
#define WAITING_MAX 16384
#define KIND_ALIVE 0 /* lp_record.kind of an end that is no event: a walk found its socket */

enum known { EXPECTED, UNKNOWN, KNOWN };

/* The memory of one socket. */
struct end {
	struct table_link by_initial;
	__u64 sk;
	struct lp_task owner;    /* if KNOWN */
	__u64 owned_ns;          /* ... the time of the record that named it */
	struct waiting *waiting; /* its last event, as long as that waits */
	enum known known;
	bool alive;     /* a walk found its socket, and no record has come since */
	__u64 alive_ns; /* when that walk began; 0: its connection was over then */
	__u64 reset_ns; /* when a RST ended it, and it sent none itself; 0: not so */
	bool used;
};

struct waiting {
	TAILQ_ENTRY(waiting) in_order;
	struct event *event;
	struct end *end;  /* of its socket, as long as it is remembered */
	__u64 until_ns;   /* for the record of the other end */
	__u64 scanned_ns; /* 0: not yet */
	bool walked;
	bool expects; /* the other end is known, pending.h searches for its owner */
};

struct other_ends {
	struct kernel *kernel;
	const struct lp_ended *slots;
	struct pending_list *pending;
	other_end_done *done;
	void *context;
	TAILQ_HEAD(, waiting) waiting; /* oldest first */
	unsigned count;
	__u64 next_scan_ns, next_walk_ns, walk_began_ns;
	unsigned at; /* the next of ends to use */
	struct end ends[OTHER_ENDS_MAX];
	struct table table;
};

/* --- the memory --- */

static struct end *find_socket(struct other_ends *ends, const struct lp_record *r)
{
	struct end *end = table_find(&ends->table, connection_initial(r));

	while (end && end->sk != r->socket.sk)
		end = table_next(end);
	return end;
}

/* When a RST ended it, if it sent none itself (as for data after its close); else 0. */
static __u64 reset_ns(const struct lp_record *r)
{
	bool is_reset = r->kind == LP_KIND_CLOSE && (r->socket.flags & LP_F_RST_IN) && !judge_waits_for_reset(r);

	return is_reset ? r->time_ns : 0;
}

static struct end *remember(struct other_ends *ends, const struct lp_record *r)
{
	struct end *end = find_socket(ends, r);

	if (end) {
		/* an end stays over, whatever a walk saw in between */
		end->alive = end->alive && r->kind == KIND_ALIVE;
		end->reset_ns = clock_later(end->reset_ns, reset_ns(r));
		return end;
	}
	end = &ends->ends[ends->at];
	ends->at = (ends->at + 1) % OTHER_ENDS_MAX;
	if (end->waiting)
		end->waiting->end = NULL;
	if (end->used)
		table_remove(&ends->table, end);
	*end = (struct end){.sk = r->socket.sk, .alive = r->kind == KIND_ALIVE, .reset_ns = reset_ns(r), .used = true};
	if (end->alive && r->socket.state != TCP_CLOSE) /* it may be over, and still held */
		end->alive_ns = ends->walk_began_ns;
	table_add(&ends->table, end, connection_initial(r));
	return end;
}

/* The only socket that fits; NULL: none, or several. */
static struct end *find_other(struct other_ends *ends, const struct lp_record *r)
{
	struct connection_others others = connection_others(r);
	struct end *found = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < others.n; i++) {
		for (struct end *end = table_find(&ends->table, others.initial[i]); end; end = table_next(end)) {
			if (end->sk == r->socket.sk)
				continue;
			found = end;
			n++;
		}
	}
	return n == 1 ? found : NULL;
}

/* --- the queue --- */

struct other_ends *other_end_new(struct kernel *kernel, struct pending_list *pending, other_end_done *done,
				 void *context)
{
	struct other_ends *ends = calloc(1, sizeof(*ends));

	if (!ends)
		return NULL;
	ends->kernel = kernel;
	ends->slots = remembered_ended(kernel);
	ends->pending = pending;
	ends->done = done;
	ends->context = context;
	TAILQ_INIT(&ends->waiting);
	return ends;
}

/* The caller owns the event from here on. */
static void take_out(struct other_ends *ends, struct waiting *w)
{
	TAILQ_REMOVE(&ends->waiting, w, in_order);
	if (w->end && w->end->waiting == w)
		w->end->waiting = NULL;
	ends->count--;
	free(w);
}

void other_end_free(struct other_ends *ends)
{
	struct waiting *w;

	while (ends && (w = TAILQ_FIRST(&ends->waiting))) {
		event_free(w->event);
		take_out(ends, w);
	}
	free(ends);
}

/* A later exit says nothing about this event, unless what has come from the other end was its end. */
static void name_peer(struct event *e, const struct lp_task *peer, __u64 ended_ns)
{
	const struct lp_record *r = e->record;

	e->peer = *peer;
	if (ended_ns <= r->time_ns || r->kind == LP_KIND_PEER_FIN || (r->socket.flags & (LP_F_FIN_IN | LP_F_RST_IN)))
		return;
	e->peer.exiting = e->peer.executing = e->peer.oom = 0;
	e->peer.exit_code = 0;
}

static void hand_back(struct other_ends *ends, struct waiting *w)
{
	struct event *event = w->event;

	take_out(ends, w);
	ends->done(ends->context, event);
}

/* When to report the event without its other end, if nothing is found until then. It waits for a walk if that is soon; a
 * drop on loopback, whose other end is on this host for certain, waits for it anyway. If walks are rare and the peer
 * reset the connection, the peer's record has come already, if there is one. Otherwise the peer may still have to hear
 * that its connection is over: on a busy host, or for want of an acknowledgement, that takes a while. */
static __u64 last_moment(const struct other_ends *ends, const struct waiting *w)
{
	const struct lp_record *r = w->event->record;
	__u64 patience = w->until_ns + PATIENCE_NS;

	if (w->walked)
		return w->until_ns;
	if (ends->next_walk_ns <= patience || (connection_is_loopback(r) && r->kind == LP_KIND_CLOSE))
		return clock_later(w->until_ns, ends->next_walk_ns);
	return r->socket.err || r->kind == LP_KIND_LOOK ? w->until_ns : patience;
}

/* A first scan when the wait for a record is over, another one at the last moment. */
static bool needs_scan(const struct other_ends *ends, const struct waiting *w)
{
	return !w->scanned_ns || w->scanned_ns + SCAN_INTERVAL_NS < last_moment(ends, w);
}

static __u64 next_step(const struct other_ends *ends, const struct waiting *w)
{
	__u64 at = w->scanned_ns ? last_moment(ends, w) : w->until_ns;

	return needs_scan(ends, w) ? clock_later(at, ends->next_scan_ns) : at;
}

static bool is_over(const struct other_ends *ends, const struct waiting *w, __u64 now_ns)
{
	return now_ns >= last_moment(ends, w) && !needs_scan(ends, w) && (w->walked || now_ns < ends->next_walk_ns);
}

/* An end that lives on sent no RST; nor did one that got a RST itself, later than this one did. */
static bool sent_no_reset(const struct lp_record *r, const struct end *other)
{
	return (other->alive && other->alive_ns > r->time_ns) || other->reset_ns > r->time_ns;
}

static void settle(struct other_ends *ends, struct waiting *w, __u64 now_ns)
{
	const struct end *other = find_other(ends, w->event->record);

	if (other && sent_no_reset(w->event->record, other))
		w->event->peer_sent_no_reset = true;
	w->expects = other && other->known == EXPECTED;
	if (other && other->known == KNOWN)
		name_peer(w->event, &other->owner, other->owned_ns);
	if (w->event->peer.tgid || (other ? other->known == UNKNOWN && w->scanned_ns : is_over(ends, w, now_ns)))
		hand_back(ends, w);
}

static void settle_all(struct other_ends *ends, __u64 now_ns)
{
	struct waiting *w, *next;

	for (w = TAILQ_FIRST(&ends->waiting); w; w = next) {
		next = TAILQ_NEXT(w, in_order);
		settle(ends, w, now_ns);
	}
}

void other_end_add(struct other_ends *ends, struct event *event)
{
	struct waiting *w = connection_has_other(event->record) ? calloc(1, sizeof(*w)) : NULL;

	if (!w) { /* or out of memory: better without its other end than not at all */
		ends->done(ends->context, event);
		return;
	}
	if (ends->count == WAITING_MAX)
		hand_back(ends, TAILQ_FIRST(&ends->waiting));
	w->event = event;
	w->until_ns = clock_later(event->record->time_ns + RECORD_WAIT_NS, clock_monotonic_ns() + SLEEP_NS);
	w->end = find_socket(ends, event->record);
	if (w->end)
		w->end->waiting = w;
	TAILQ_INSERT_TAIL(&ends->waiting, w, in_order);
	ends->count++;
	settle(ends, w, 0);
}

void other_end_expect(struct other_ends *ends, struct event *event)
{
	struct end *end = connection_has_other(event->record) ? remember(ends, event->record) : NULL;
	const struct end *other = end ? find_other(ends, event->record) : NULL;

	if (end && end->known != KNOWN)
		end->known = EXPECTED;
	if (other && other->known == KNOWN) /* it may be forgotten when the search for this one's owner is over */
		name_peer(event, &other->owner, other->owned_ns);
}

/* The event that waited for this end goes on at once. */
void other_end_note(struct other_ends *ends, const struct event *event)
{
	const struct lp_record *r = event->record;
	struct end *end = connection_has_other(r) ? remember(ends, r) : NULL;
	const struct end *other;

	if (!end)
		return;
	if (event->owner.via) {
		end->known = KNOWN;
		end->owner = event->owner.process;
		end->owned_ns = r->time_ns;
	} else if (end->known != KNOWN && (r->kind != KIND_ALIVE || end->alive)) {
		/* otherwise it ended after the walk, and another search for its owner is under way */
		end->known = UNKNOWN;
	}
	other = find_other(ends, r);
	if (!other || !other->waiting)
		return;
	if (end->known == UNKNOWN) /* it may have ended during the search, and is remembered by now */
		other->waiting->scanned_ns = 0;
	settle(ends, other->waiting, 0);
}

bool other_end_is_awaited(struct other_ends *ends, const struct lp_record *record)
{
	const struct end *other = connection_has_other(record) ? find_other(ends, record) : NULL;

	return other && (other->waiting || (other->known == EXPECTED && !other->alive));
}

static void note_asked(void *context, struct event *end)
{
	other_end_note(context, end);
	event_free(end);
}

void other_end_ask(struct other_ends *ends, const struct lp_record *record)
{
	struct event *end = event_new(record);

	if (!end)
		return;
	other_end_expect(ends, end);
	pending_add(ends->pending, end, note_asked, ends);
}

/* --- the search: among the ends that the BPF programs remember, then among living sockets --- */

/* One event that searches. */
struct seeker {
	struct waiting *waiting;
	unsigned n_found;
	struct lp_record found; /* the last one; of an end that is over: its owner */
};

struct sought {
	struct table_link by_initial;
	struct seeker *seeker;
};

struct search {
	size_t n_seekers, n_sought;
	struct table table;
	__u64 initials[LP_SOUGHT_MAX]; /* of sought */
	struct sought sought[LP_SOUGHT_MAX];
	struct seeker seekers[LP_SOUGHT_MAX];
};

static void gather_one(struct search *s, struct waiting *w)
{
	struct connection_others others = connection_others(w->event->record);
	struct seeker *seeker = &s->seekers[s->n_seekers++];

	seeker->waiting = w;
	seeker->n_found = 0;
	for (unsigned i = 0; i < others.n; i++) {
		s->sought[s->n_sought].seeker = seeker;
		table_add(&s->table, &s->sought[s->n_sought], others.initial[i]);
		s->initials[s->n_sought++] = others.initial[i];
	}
}

/* Events whose other end is not in the memory. */
static void gather(struct other_ends *ends, struct search *s, bool walks, __u64 now_ns)
{
	struct waiting *w;

	memset(&s->table, 0, sizeof(s->table));
	s->n_seekers = s->n_sought = 0;
	TAILQ_FOREACH(w, &ends->waiting, in_order) {
		const struct end *other;

		if (s->n_sought + 2 > LP_SOUGHT_MAX)
			break;
		if (now_ns < w->until_ns || (walks ? w->walked : now_ns < next_step(ends, w) || !needs_scan(ends, w)))
			continue;
		other = find_other(ends, w->event->record);
		if (other && (walks || other->known != UNKNOWN))
			continue;
		if (walks)
			w->walked = true;
		else
			w->scanned_ns = now_ns;
		gather_one(s, w);
	}
}

static void take_found(struct search *s, __u64 initial, const struct lp_record *found)
{
	for (struct sought *sought = table_find(&s->table, initial); sought; sought = table_next(sought)) {
		struct seeker *seeker = sought->seeker;

		if (seeker->waiting->event->record->socket.sk == found->socket.sk)
			continue;
		seeker->found = *found;
		if (!found->time_ns) /* it lives on; who held it then? That is some milliseconds ago: no wait */
			seeker->found.time_ns = seeker->waiting->event->record->time_ns;
		seeker->n_found++;
	}
}

static void scan(struct other_ends *ends, struct search *s, __u64 now_ns)
{
	const struct lineage lineage = pending_lineage(ends->pending);
	struct lp_ended slot;

	gather(ends, s, false, now_ns);
	if (!s->n_seekers)
		return;
	ends->next_scan_ns = now_ns + SCAN_INTERVAL_NS;
	for (unsigned i = 0; i < LP_ENDED; i++)
		if (table_find(&s->table, ends->slots[i].initial) && recently_closed_read(&ends->slots[i], &slot))
			take_found(s, slot.initial,
				   &(struct lp_record){
					   .time_ns = slot.time_ns, .task = slot.owner, .socket.sk = slot.socket.sk});
	for (struct seeker *k = s->seekers; k < s->seekers + s->n_seekers; k++)
		if (k->n_found == 1 && k->found.task.tgid &&
		    lineage_closer(&lineage, &k->found.task, k->waiting->event->record->born_ns, now_ns)) {
			name_peer(k->waiting->event, &k->found.task, k->found.time_ns);
			hand_back(ends, k->waiting);
		}
}

static void take_living(void *context, const struct lp_record *record)
{
	struct lp_record end = *record;

	end.kind = KIND_ALIVE;
	end.time_ns = 0;
	take_found(context, connection_initial(record), &end);
}

static void walk(struct other_ends *ends, struct search *s, __u64 now_ns)
{
	__u64 began, took;

	gather(ends, s, true, now_ns);
	if (!s->n_seekers)
		return;
	ends->walk_began_ns = clock_monotonic_ns();
	began = clock_cpu_ns(); /* on a busy host other tasks run meanwhile */
	sockets_find(ends->kernel, s->initials, s->n_sought, take_living, s);
	took = clock_cpu_ns() - began;
	ends->next_walk_ns = now_ns + clock_later(took * WALK_SHARE, WALK_INTERVAL_NS);
	for (size_t i = 0; i < s->n_seekers; i++)
		if (s->seekers[i].n_found == 1)
			other_end_ask(ends, &s->seekers[i].found);
}

static void search(struct other_ends *ends, __u64 now_ns)
{
	bool scans = now_ns >= ends->next_scan_ns, walks = now_ns >= ends->next_walk_ns;
	struct search *s = TAILQ_EMPTY(&ends->waiting) || !(scans || walks) ? NULL : malloc(sizeof(*s));

	if (s && scans) /* two MiB, of which only the used part is touched */
		scan(ends, s, now_ns);
	if (s && walks)
		walk(ends, s, now_ns);
	free(s);
}

void other_end_tick(struct other_ends *ends, __u64 now_ns)
{
	settle_all(ends, now_ns);
	search(ends, now_ns);
	settle_all(ends, now_ns);
}

void other_end_finish(struct other_ends *ends)
{
	struct waiting *w;

	while ((w = TAILQ_FIRST(&ends->waiting))) {
		const struct end *other = find_other(ends, w->event->record);

		if (other && other->known == KNOWN)
			name_peer(w->event, &other->owner, other->owned_ns);
		hand_back(ends, w);
	}
}

__u64 other_end_deadline(const struct other_ends *ends)
{
	const struct waiting *w;
	__u64 earliest = 0;

	TAILQ_FOREACH(w, &ends->waiting, in_order)
		if (!w->expects) /* otherwise pending.h has a deadline for it */
			earliest = clock_earlier(earliest, next_step(ends, w));
	return earliest;
}

unsigned other_end_count(const struct other_ends *ends)
{
	return ends->count;
}
