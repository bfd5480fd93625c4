/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/recently_closed.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/clock.h"

struct recently_closed {
	const struct lp_ended *slots;
	recently_closed_done *done;
	void *context;
	unsigned next;                     /* the next slot of judged to use */
	unsigned first_waiting, n_waiting; /* of the ring `waiting` */
	struct recently_closed_end judged[RECENTLY_CLOSED_JUDGED];
	struct event *waiting[RECENTLY_CLOSED_WAITING]; /* oldest first */
};

struct recently_closed *recently_closed_new(const struct lp_ended *slots, recently_closed_done *done, void *context)
{
	struct recently_closed *gone = calloc(1, sizeof(*gone));

	if (!gone)
		return NULL;
	gone->slots = slots;
	gone->done = done;
	gone->context = context;
	return gone;
}

void recently_closed_free(struct recently_closed *gone)
{
	for (; gone && gone->n_waiting; gone->n_waiting--)
		event_free(gone->waiting[gone->first_waiting++ % RECENTLY_CLOSED_WAITING]);
	free(gone);
}

/* --- the memory --- */

#define LOOPBACK 1 /* index of lo, in each network namespace */

/* A socket that is bound to an interface gets only what comes by that, or from this host itself. */
static bool comes_to(const struct lp_identity *ended, const struct lp_identity *stray)
{
	return !ended->interface || ended->interface == stray->interface || stray->interface == LOOPBACK;
}

/* A mapped socket gets plain IPv4 segments. */
static bool same_connection(const struct lp_identity *a, const struct lp_identity *b)
{
	return comes_to(a, b) && a->netns == b->netns && a->local_port == b->local_port &&
	       a->peer_port == b->peer_port &&
	       address_is_same(address_of(a->family, a->local_addr), address_of(b->family, b->local_addr)) &&
	       address_is_same(address_of(a->family, a->peer_addr), address_of(b->family, b->peer_addr));
}

static struct recently_closed_end *find_judged(struct recently_closed *gone, const struct lp_record *r)
{
	for (unsigned i = 1; i <= RECENTLY_CLOSED_JUDGED; i++) {
		struct recently_closed_end *j = &gone->judged[(gone->next - i) % RECENTLY_CLOSED_JUDGED];

		if (!j->ended.time_ns || j->ended.time_ns < r->time_ns)
			return NULL; /* nearly in order of time: one missed is noted twice, and the later one counts */
		if (j->ended.socket.sk == r->socket.sk && j->ended.time_ns == r->time_ns)
			return j;
	}
	return NULL;
}

void recently_closed_note(struct recently_closed *gone, const struct event *event)
{
	const struct lp_record *r = event->record;
	struct recently_closed_end *j = find_judged(gone, r);

	if (r->kind != LP_KIND_CLOSE)
		return;
	if (!j) {
		j = &gone->judged[gone->next++ % RECENTLY_CLOSED_JUDGED];
		*j = (struct recently_closed_end){.ended = {.time_ns = r->time_ns, .socket = r->socket.identity}};
		j->ended.socket.flags &= LP_F_DEAD | LP_F_CONNECTED | LP_F_ACCEPTED;
	}
	j->cause = event->verdict.cause;
	if (!event->owner.via)
		return;
	j->ended.owner = event->owner.process;
	j->via = event->owner.via;
}

/* A slot is whole if its time is the same before and after. */
bool recently_closed_read(const struct lp_ended *slot, struct lp_ended *copy)
{
	__u64 time = __atomic_load_n(&slot->time_ns, __ATOMIC_ACQUIRE);

	if (!time)
		return false;
	memcpy(copy, slot, sizeof(*copy));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->time_ns, __ATOMIC_RELAXED) == time && copy->time_ns == time;
}

/* An end without a record was orderly if it left one of these states. The cause of the others is in their record. */
static enum lp_cause cause_of_slot(const struct lp_ended *slot)
{
	return slot->socket.state == TCP_FIN_WAIT1 || slot->socket.state == TCP_FIN_WAIT2 ? LOCAL_CLOSED_CLOSE
											  : CAUSE_NONE;
}

static void find_in_slots(const struct recently_closed *gone, const struct lp_record *stray,
			  struct recently_closed_end *end)
{
	struct lp_ended slot;

	for (unsigned i = 0; i < LP_ENDED; i++)
		if (same_connection(&gone->slots[i].socket, &stray->socket.identity) &&
		    recently_closed_read(&gone->slots[i], &slot) &&
		    same_connection(&slot.socket, &stray->socket.identity) && slot.time_ns <= stray->time_ns &&
		    slot.time_ns > end->ended.time_ns)
			*end = (struct recently_closed_end){slot, cause_of_slot(&slot), VIA_CLOSER};
}

/* The BPF programs and the agent note the same end with times this close. */
#define SAME_NS CLOCK_MS

/* The record of the same end has its cause, and often its owner. */
static void find_in_judged(const struct recently_closed *gone, const struct lp_record *stray,
			   struct recently_closed_end *end)
{
	const __u64 sk = end->ended.socket.sk;

	for (unsigned i = 0; i < RECENTLY_CLOSED_JUDGED; i++) {
		const struct lp_ended *judged = &gone->judged[i].ended;

		if (!judged->time_ns || judged->time_ns > stray->time_ns ||
		    !same_connection(&judged->socket, &stray->socket.identity))
			continue;
		if (end->ended.time_ns && judged->socket.sk == sk && judged->time_ns + SAME_NS > end->ended.time_ns &&
		    judged->time_ns < end->ended.time_ns + SAME_NS) {
			end->cause = gone->judged[i].cause;
			end->ended.socket.cookie = judged->socket.cookie;
			if (judged->owner.tgid) {
				end->ended.owner = judged->owner;
				end->via = gone->judged[i].via;
			}
		} else if (judged->time_ns > end->ended.time_ns) {
			*end = gone->judged[i];
		}
	}
}

/* --- the queue --- */

static void hand_back_first(struct recently_closed *gone)
{
	struct event *stray = gone->waiting[gone->first_waiting];
	struct recently_closed_end end = {0};

	gone->first_waiting = (gone->first_waiting + 1) % RECENTLY_CLOSED_WAITING;
	gone->n_waiting--;
	find_in_slots(gone, stray->record, &end);
	find_in_judged(gone, stray->record, &end);
	gone->done(gone->context, stray, &end);
}

void recently_closed_add(struct recently_closed *gone, struct event *stray)
{
	if (gone->n_waiting == RECENTLY_CLOSED_WAITING)
		hand_back_first(gone);
	gone->waiting[(gone->first_waiting + gone->n_waiting++) % RECENTLY_CLOSED_WAITING] = stray;
}

void recently_closed_tick(struct recently_closed *gone, __u64 now_ns)
{
	while (gone->n_waiting && recently_closed_deadline(gone) <= now_ns)
		hand_back_first(gone);
}

void recently_closed_finish(struct recently_closed *gone)
{
	while (gone->n_waiting)
		hand_back_first(gone);
}

__u64 recently_closed_deadline(const struct recently_closed *gone)
{
	return gone->n_waiting ? gone->waiting[gone->first_waiting]->record->time_ns + RECENTLY_CLOSED_WAIT_NS : 0;
}

unsigned recently_closed_count(const struct recently_closed *gone)
{
	return gone->n_waiting;
}

bool recently_closed_is_news(const struct recently_closed_end *end)
{
	enum lp_event event = cause_event(end->cause);

	return event != EVENT_LOCAL_RESET && event != EVENT_CONNECT_FAILED && end->cause != PEER_LOST_RESET;
}

bool recently_closed_by_us(const struct recently_closed_end *end)
{
	return end->cause == LOCAL_CLOSED_CLOSE || (end->ended.socket.flags & LP_F_DEAD);
}
