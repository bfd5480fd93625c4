/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/other_end.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/table.h"
#include "kernel/sockets.h"
#include "who/pending.h"

/* On one host both records come within microseconds, but a busy host may take longer for a RST. */
#define RECORD_WAIT_NS (5 * CLOCK_MS)
/* The agent sleeps at least this long before it gives up: processes that it kept from running may run then. */
#define SLEEP_NS (2 * CLOCK_MS)
#define WALK_INTERVAL_NS (20 * CLOCK_MS)
#define PATIENCE_NS (100 * CLOCK_MS) /* the longest wait of an event that may have no other end here */
#define WALK_SHARE 50                /* walks take at most this part of the time */
#define WAITING_MAX 16384
/* An end that is over sends no more, so its sequence numbers fit those of its other end for good, but for a FIN. An end
 * that got the peer's FIN goes on sending: by the next look it may be SENT_SINCE bytes further. A larger slack would
 * match connections with the same addresses and ports in other namespaces: their initial numbers differ by one for each
 * 64 ns between them. */
#define FIN_SLACK 1u
#define SENT_SINCE (1u << 16)
#define STRANGERS UINT32_MAX
#define KIND_ALIVE 0 /* lp_record.kind of an end that is no event: a walk found it alive */

enum known { EXPECTED, UNKNOWN, KNOWN };

/* The memory of one socket. */
struct end {
	struct table_link by_ports;
	struct lp_record record;
	struct lp_task owner;    /* if KNOWN */
	struct waiting *waiting; /* its last event, as long as that waits */
	enum known known;
	bool used;
};

struct waiting {
	TAILQ_ENTRY(waiting) in_order;
	struct event *event;
	struct end *end; /* of its socket, as long as it is remembered */
	__u64 until_ns;  /* for the record of the other end */
	bool walked;
	bool expects; /* the other end is known, pending.h searches for its owner */
};

struct other_ends {
	struct kernel *kernel;
	struct pending_list *pending;
	other_end_done *done;
	void *context;
	TAILQ_HEAD(, waiting) waiting; /* oldest first */
	unsigned count;
	__u64 next_walk_ns;
	unsigned at; /* the next slot to use */
	struct end slots[OTHER_ENDS_MAX];
	struct table table;
};

/* --- matching two ends --- */

static struct address local_of(const struct lp_record *r)
{
	return address_of(r->socket.family, r->socket.local_addr);
}

static struct address peer_of(const struct lp_record *r)
{
	return address_of(r->socket.family, r->socket.peer_addr);
}

/* The connection never leaves its network namespace: 127.0.0.0/8, ::1, or both ends have the same address. */
static bool is_loopback(const struct lp_record *r)
{
	static const struct address one = {{[15] = 1}};
	struct address peer = peer_of(r);

	return address_is_same(local_of(r), peer) || address_is_same(peer, one) ||
	       (address_is_v4(peer) && peer.bytes[12] == 127);
}

/* A socket can be used again for another connection. */
static bool same_socket(const struct lp_record *a, const struct lp_record *b)
{
	return a->socket.sk == b->socket.sk && a->socket.cookie == b->socket.cookie &&
	       a->socket.local_port == b->socket.local_port && a->socket.peer_port == b->socket.peer_port &&
	       a->born_ns == b->born_ns && a->established_ns == b->established_ns;
}

static bool has_ended_before(const struct lp_record *r, const struct lp_record *other)
{
	__u64 born = other->born_ns ? other->born_ns : other->established_ns;

	return r->kind == LP_KIND_CLOSE && born && r->time_ns < born;
}

/* The connection went on after this record. */
static bool has_gone_on(const struct lp_record *r)
{
	return r->kind == LP_KIND_PEER_FIN || r->kind == LP_KIND_LOOK;
}

/* How far the receiver's rcv_nxt lies outside of the sender's range from snd_una to snd_nxt. */
static __u32 distance(const struct lp_record *sender, const struct lp_record *receiver)
{
	bool goes_on = has_gone_on(sender) || has_gone_on(receiver);
	__u32 slack = goes_on ? SENT_SINCE : FIN_SLACK;

	if (receiver->socket.rcv_nxt - sender->socket.snd_una <= sender->socket.snd_nxt - sender->socket.snd_una)
		return 0;
	if (receiver->socket.rcv_nxt - sender->socket.snd_nxt <= slack)
		return receiver->socket.rcv_nxt - sender->socket.snd_nxt;
	if (sender->socket.snd_una - receiver->socket.rcv_nxt <= slack)
		return sender->socket.snd_una - receiver->socket.rcv_nxt;
	return STRANGERS;
}

__u32 other_end_distance(const struct lp_record *a, const struct lp_record *b)
{
	__u32 there, back;

	if (a->socket.local_port != b->socket.peer_port || a->socket.peer_port != b->socket.local_port ||
	    a->socket.sk == b->socket.sk)
		return STRANGERS;
	if (!address_is_same(local_of(a), peer_of(b)) || !address_is_same(peer_of(a), local_of(b)))
		return STRANGERS;
	if (is_loopback(a) && a->socket.netns != b->socket.netns)
		return STRANGERS;
	if (has_ended_before(a, b) || has_ended_before(b, a))
		return STRANGERS;
	if (!a->socket.rcv_nxt || !b->socket.rcv_nxt) /* nothing to compare before the peer's SYN */
		return STRANGERS;
	there = distance(a, b);
	back = distance(b, a);
	return there > back ? there : back;
}

/* The choice among several sockets: one that fits exactly is preferred. */
struct choice {
	unsigned exact, loose;
};

/* Whether this one is the best so far. */
static bool choose(struct choice *choice, __u32 distance)
{
	if (distance == STRANGERS)
		return false;
	*(distance ? &choice->loose : &choice->exact) += 1;
	return !distance || !choice->exact;
}

static bool is_chosen(const struct choice *choice)
{
	return choice->exact == 1 || (!choice->exact && choice->loose == 1);
}

/* --- the memory --- */

/* The same key for both ends. */
static __u64 key_of(const struct lp_record *r)
{
	__u16 one = r->socket.local_port, other = r->socket.peer_port;

	return one < other ? sockets_ports(one, other) : sockets_ports(other, one);
}

static struct end *find_socket(struct other_ends *ends, const struct lp_record *r)
{
	struct end *end = table_find(&ends->table, key_of(r));

	while (end && !same_socket(&end->record, r))
		end = table_next(end);
	return end;
}

static struct end *remember(struct other_ends *ends, const struct lp_record *r)
{
	struct end *end = find_socket(ends, r);

	if (end) {
		/* an end stays over, whatever a walk saw in between */
		if (r->kind != KIND_ALIVE || end->record.kind == KIND_ALIVE)
			end->record = *r;
		return end;
	}
	end = &ends->slots[ends->at];
	ends->at = (ends->at + 1) % OTHER_ENDS_MAX;
	if (end->waiting)
		end->waiting->end = NULL;
	if (end->used)
		table_remove(&ends->table, end);
	*end = (struct end){.record = *r, .used = true};
	table_add(&ends->table, end, key_of(r));
	return end;
}

/* The only socket that fits; NULL: none, or several fit equally well. */
static struct end *find_other(struct other_ends *ends, const struct lp_record *r)
{
	struct choice choice = {0};
	struct end *found = NULL;

	for (struct end *end = table_find(&ends->table, key_of(r)); end; end = table_next(end))
		if (choose(&choice, other_end_distance(r, &end->record)))
			found = end;
	return is_chosen(&choice) ? found : NULL;
}

/* --- the queue --- */

struct other_ends *other_end_new(struct kernel *kernel, struct pending_list *pending, other_end_done *done,
				 void *context)
{
	struct other_ends *ends = calloc(1, sizeof(*ends));

	if (!ends)
		return NULL;
	ends->kernel = kernel;
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

static void hand_back(struct other_ends *ends, struct waiting *w, const struct lp_task *peer)
{
	struct event *event = w->event;

	if (peer)
		event->peer = *peer;
	take_out(ends, w);
	ends->done(ends->context, event);
}

/* A connection that was never established has no other end. */
static bool has_other(const struct lp_record *r)
{
	return r->kind != LP_KIND_NO_CONNECT && r->socket.state != TCP_LISTEN && r->socket.state != TCP_SYN_SENT &&
	       r->socket.rcv_nxt;
}

static __u64 later(__u64 one, __u64 other)
{
	return one > other ? one : other;
}

/*
 * When to report the event without its other end. A drop on loopback has its other end on this host and waits for a
 * walk; another one waits only if the walk is soon. If walks are rare and the peer ended the connection, the peer's
 * record has come already, if there is one; if this end ended it, the peer may still have to hear of it, which can take
 * a while on a busy host.
 */
static __u64 last_moment(const struct other_ends *ends, const struct waiting *w)
{
	const struct lp_record *r = w->event->record;
	__u64 patience = w->until_ns + PATIENCE_NS;

	if (w->walked || (!r->socket.err && r->kind != LP_KIND_CLOSE))
		return w->until_ns;
	if (is_loopback(r) || ends->next_walk_ns <= patience)
		return later(w->until_ns, ends->next_walk_ns);
	return r->socket.err ? w->until_ns : patience;
}

static void settle(struct other_ends *ends, struct waiting *w, __u64 now_ns)
{
	const struct end *other = find_other(ends, w->event->record);

	w->expects = other && other->known == EXPECTED;
	if (other && other->known == KNOWN)
		hand_back(ends, w, &other->owner);
	else if (other && other->known == UNKNOWN)
		hand_back(ends, w, NULL);
	else if (!other && now_ns >= last_moment(ends, w) && (w->walked || now_ns < ends->next_walk_ns))
		hand_back(ends, w, NULL);
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
	struct waiting *w = has_other(event->record) ? calloc(1, sizeof(*w)) : NULL;

	if (!w) { /* or out of memory: better without its other end than not at all */
		ends->done(ends->context, event);
		return;
	}
	if (ends->count == WAITING_MAX)
		hand_back(ends, TAILQ_FIRST(&ends->waiting), NULL);
	w->event = event;
	w->until_ns = later(event->record->time_ns + RECORD_WAIT_NS, clock_monotonic_ns() + SLEEP_NS);
	w->end = find_socket(ends, event->record);
	if (w->end)
		w->end->waiting = w;
	TAILQ_INSERT_TAIL(&ends->waiting, w, in_order);
	ends->count++;
	settle(ends, w, 0);
}

void other_end_expect(struct other_ends *ends, const struct event *event)
{
	struct end *end = remember(ends, event->record);

	if (end->known != KNOWN)
		end->known = EXPECTED;
}

/* The event that waited for this end goes on at once. */
void other_end_note(struct other_ends *ends, const struct event *event)
{
	const struct lp_record *r = event->record;
	struct end *end = remember(ends, r);
	const struct end *other;

	if (event->owner.via) {
		end->known = KNOWN;
		end->owner = event->owner.process;
	} else if (end->known != KNOWN && (r->kind != KIND_ALIVE || end->record.kind == KIND_ALIVE)) {
		/* otherwise it ended after the walk, and another search for its owner is under way */
		end->known = UNKNOWN;
	}
	other = find_other(ends, r);
	if (other && other->waiting)
		settle(ends, other->waiting, 0);
}

/* --- the walk --- */

struct walk {
	const struct other_ends *ends;
	struct waiting *asking[LP_SOUGHT_MAX];
	__u64 ports[LP_SOUGHT_MAX];
	struct lp_record found[LP_SOUGHT_MAX]; /* for the event with the same index */
	struct choice choice[LP_SOUGHT_MAX];
	size_t n;
};

static void note_found(void *context, const struct lp_record *record)
{
	struct walk *walk = context;
	struct lp_record end = *record;

	end.kind = KIND_ALIVE;
	end.time_ns = 0; /* long ago: it need not wait for a destroyer */
	for (size_t i = 0; i < walk->n; i++)
		if (choose(&walk->choice[i], other_end_distance(walk->asking[i]->event->record, &end)))
			walk->found[i] = end;
}

static void gather(struct other_ends *ends, struct walk *walk, __u64 now_ns)
{
	struct waiting *w;

	TAILQ_FOREACH(w, &ends->waiting, in_order) {
		const struct lp_socket *socket = &w->event->record->socket;

		if (walk->n == LP_SOUGHT_MAX)
			break;
		if (w->walked || now_ns < w->until_ns || find_other(ends, w->event->record))
			continue;
		w->walked = true;
		walk->asking[walk->n] = w;
		walk->choice[walk->n] = (struct choice){0};
		walk->ports[walk->n++] = sockets_ports(socket->peer_port, socket->local_port);
	}
}

static void note_asked(void *context, struct event *end)
{
	other_end_note(context, end);
	event_free(end);
}

/* Finds out who holds an end that lives on. */
static void ask(struct other_ends *ends, const struct lp_record *record)
{
	struct event *end = event_new(record);

	if (!end)
		return;
	other_end_expect(ends, end);
	pending_add(ends->pending, end, note_asked, ends);
}

static void walk_ends(struct other_ends *ends, __u64 now_ns)
{
	struct walk *walk;
	__u64 began, took;

	if (TAILQ_EMPTY(&ends->waiting) || now_ns < ends->next_walk_ns)
		return;
	walk = malloc(sizeof(*walk)); /* a MiB, of which only the used part is touched */
	if (!walk)
		return;
	walk->n = 0;
	gather(ends, walk, now_ns);
	if (walk->n) {
		began = clock_monotonic_ns();
		sockets_find(ends->kernel, walk->ports, walk->n, note_found, walk);
		took = clock_monotonic_ns() - began;
		ends->next_walk_ns =
			began + (took * WALK_SHARE > WALK_INTERVAL_NS ? took * WALK_SHARE : WALK_INTERVAL_NS);
	}
	for (size_t i = 0; i < walk->n; i++)
		if (is_chosen(&walk->choice[i]))
			ask(ends, &walk->found[i]);
	free(walk);
}

void other_end_tick(struct other_ends *ends, __u64 now_ns)
{
	settle_all(ends, now_ns);
	walk_ends(ends, now_ns);
	settle_all(ends, now_ns);
}

void other_end_finish(struct other_ends *ends)
{
	struct waiting *w;

	while ((w = TAILQ_FIRST(&ends->waiting))) {
		const struct end *other = find_other(ends, w->event->record);

		hand_back(ends, w, other && other->known == KNOWN ? &other->owner : NULL);
	}
}

__u64 other_end_deadline(const struct other_ends *ends)
{
	const struct waiting *w;
	__u64 earliest = 0;

	TAILQ_FOREACH(w, &ends->waiting, in_order)
		if (!w->expects) /* otherwise pending.h has a deadline for it */
			earliest = clock_earlier(earliest, last_moment(ends, w));
	return earliest;
}

unsigned other_end_count(const struct other_ends *ends)
{
	return ends->count;
}
