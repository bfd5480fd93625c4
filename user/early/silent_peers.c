/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "early/silent_peers.h"

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/table.h"
#include "early/early.h"
#include "event/data.h"
#include "event/giveup.h"
#include "kernel/sockets.h"

/* As long as anything is listed, so that peer_silent and peer_back are less than a second late. */
#define LOOK_NS (500 * CLOCK_MS)
#define CROWD_NS (100 * CLOCK_MS) /* more peers are silent than REPORTED_AT_ONCE */
#define REPORTED_AT_ONCE 4096     /* a quarter of PENDING_MAX */

/* The states in which data can wait: as can_wait() of bpf/silent.h has them. */
#define STATES                                                                                                         \
	(1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT | 1u << TCP_FIN_WAIT1 | 1u << TCP_CLOSING | 1u << TCP_LAST_ACK)

/* A socket that had its peer_silent. */
struct reported {
	struct table_link by_sk;
	LIST_ENTRY(reported) in_all;
	struct lp_record record;
	enum owner_via via; /* of its peer_silent; VIA_NONE: not known */
	struct lp_task owner;
};

struct silent_peers {
	struct kernel *kernel;
	__u64 after_ns;
	const struct early_calls *calls;
	__u64 next_ns; /* 0: nothing is listed */
	unsigned n_reported;
	LIST_HEAD(, reported) all;
	LIST_HEAD(, reported) back; /* their peer_back waits for its owner */
	struct table table;
};

/* One round of looks, at the listed sockets that are due. */
struct round {
	struct silent_peers *silent;
	__u64 now_ns;
	__u64 next_ns; /* 0: nothing is listed */
	unsigned found;
	size_t n, at;
	struct sockets_listed *due;
};

/* --- reported sockets --- */

static void take_out(struct silent_peers *s, struct reported *reported)
{
	table_remove(&s->table, reported);
	LIST_REMOVE(reported, in_all);
	s->n_reported--;
}

static void forget_reported(struct silent_peers *s, struct reported *reported)
{
	struct lp_record last;

	sockets_take_last(s->kernel, reported->record.socket.sk, &last);
	take_out(s, reported);
	free(reported);
}

/* False when out of memory. */
static bool remember_reported(struct silent_peers *s, const struct lp_record *record)
{
	struct reported *reported = malloc(sizeof(*reported));

	if (!reported)
		return false;
	reported->record = *record;
	reported->via = VIA_NONE;
	sockets_keep_last(s->kernel, record->socket.sk);
	table_add(&s->table, reported, record->socket.sk);
	LIST_INSERT_HEAD(&s->all, reported, in_all);
	s->n_reported++;
	return true;
}

/* --- one look --- */

static void look_again(struct round *round, __u64 at_ns)
{
	if (!round->next_ns || at_ns < round->next_ns)
		round->next_ns = at_ns;
}

static bool is_same(const struct sockets_listed *item, const struct lp_record *r)
{
	return r->kind && item->listed.ports == ((__u32)r->socket.local_port << 16 | r->socket.peer_port);
}

/* A peer that has closed its window but answers is not silent: the kernel sends window probes then. */
static bool answers(const struct lp_socket *s, __u64 after_ns)
{
	return !s->snd_wnd && (s->known & LP_KNOWN_HEARD) && (__u64)s->heard_ms * CLOCK_MS < after_ns;
}

static bool waits(const struct lp_socket *s)
{
	return s->retransmits && data_of(s).unacked;
}

static void report_back(struct silent_peers *s, struct reported *reported, const struct lp_record *look)
{
	struct event *event = event_found(look, PEER_BACK_ACKED);

	take_out(s, reported);
	if (event && s->calls->wants(s->calls->context, event))
		LIST_INSERT_HEAD(&s->back, reported, in_all);
	else
		free(reported);
	if (event)
		s->calls->found(s->calls->context, event);
}

/* The connection lives. Its owner is that of the peer_silent: the BPF programs may not know it any more. */
static void report_acked(struct silent_peers *s, struct reported *reported, const struct lp_record *look)
{
	struct lp_record last, named = *look;
	const struct lp_record *before = &reported->record;

	named.who = before->who;
	named.task = before->task;
	named.socket.flags |= before->socket.flags &
			      (LP_F_STATE | LP_F_CONNECTED | LP_F_ACCEPTED | LP_F_SEEDED | LP_F_SHARED | LP_F_RESTORED);
	named.born_ns = before->born_ns;
	named.established_ns = before->established_ns;
	if (before->who != LP_WHO_CLOSER) /* the application may have closed it since */
		sockets_name(s->kernel, &named);
	sockets_take_last(s->kernel, look->socket.sk, &last);
	report_back(s, reported, &named);
}

static void report_silent(struct silent_peers *s, const struct lp_record *look)
{
	struct lp_record named = *look;
	struct event *event;

	sockets_name(s->kernel, &named);
	event = event_found(&named, PEER_SILENT_UNACKED);
	if (!event || !remember_reported(s, &named)) {
		event_free(event);
		return;
	}
	event->gives_up_ms = giveup_ms(&named.socket);
	s->calls->found(s->calls->context, event);
}

/* A socket without peer_silent. */
static void judge(struct round *round, const struct sockets_listed *item, const struct lp_record *look)
{
	struct silent_peers *s = round->silent;

	if (!is_same(item, look) || look->socket.snd_una != item->listed.snd_una || !waits(&look->socket)) {
		sockets_forget_silent(s->kernel, item->sk);
	} else if (answers(&look->socket, s->after_ns)) {
		look_again(round, round->now_ns + LOOK_NS);
	} else if (round->found == REPORTED_AT_ONCE) {
		look_again(round, round->now_ns + CROWD_NS);
	} else {
		round->found++;
		report_silent(s, look);
		look_again(round, round->now_ns + LOOK_NS);
	}
}

/* A socket with peer_silent. If the peer acknowledged, and data waits again, it is listed anew. */
static void judge_reported(struct round *round, const struct sockets_listed *item, const struct lp_record *look,
			   struct reported *reported)
{
	struct silent_peers *s = round->silent;

	if (!is_same(item, look)) {
		forget_reported(s, reported);
		sockets_forget_silent(s->kernel, item->sk);
	} else if (look->socket.snd_una == reported->record.socket.snd_una) {
		look_again(round, round->now_ns + LOOK_NS);
	} else {
		report_acked(s, reported, look);
		if (look->socket.snd_una != item->listed.snd_una)
			sockets_forget_silent(s->kernel, item->sk);
		else
			look_again(round, round->now_ns + LOOK_NS);
	}
}

static void take_look(void *context, const struct lp_record *look)
{
	struct round *round = context;
	const struct sockets_listed *item = &round->due[round->at++];
	struct reported *reported = table_find(&round->silent->table, item->sk);

	if (reported)
		judge_reported(round, item, look, reported);
	else
		judge(round, item, look);
}

/* --- a round --- */

/* The connection is over. If everything was acknowledged, the peer came back before. */
static void end(struct silent_peers *s, const struct sockets_listed *item)
{
	struct reported *reported = table_find(&s->table, item->sk);
	struct lp_record last;

	sockets_forget_silent(s->kernel, item->sk);
	if (!reported)
		return;
	if (item->listed.ended == 2 && sockets_take_last(s->kernel, item->sk, &last) && is_same(item, &last))
		report_back(s, reported, &last);
	else
		forget_reported(s, reported);
}

/* Leaves the sockets to look at. */
static void choose_due(struct round *round)
{
	struct silent_peers *s = round->silent;
	size_t n = 0;

	for (size_t i = 0; i < round->n; i++) {
		struct sockets_listed *item = &round->due[i];
		__u64 due = item->listed.since_ns + s->after_ns;

		if (item->listed.ended)
			end(s, item);
		else if (due <= round->now_ns || table_find(&s->table, item->sk))
			round->due[n++] = *item;
		else
			look_again(round, due < round->now_ns + LOOK_NS ? due : round->now_ns + LOOK_NS);
	}
	round->n = n;
}

static void look_round(struct round *round)
{
	__u64 *sockets = malloc(round->n * sizeof(*sockets));

	if (!sockets) {
		look_again(round, round->now_ns + LOOK_NS);
		return;
	}
	for (size_t i = 0; i < round->n; i++)
		sockets[i] = round->due[i].sk;
	sockets_look_at(round->silent->kernel, sockets, round->n, STATES, take_look, round);
	free(sockets);
}

static void run_round(struct silent_peers *s, __u64 now_ns)
{
	struct round round = {.silent = s, .now_ns = now_ns};
	volatile struct lp_alarms *alarms = sockets_alarms(s->kernel);

	round.due = malloc(LP_SILENT_MAX * sizeof(*round.due)); /* only the used part is touched */
	if (!round.due)
		return;
	alarms->silent = 0; /* from here on a timeout wakes the agent again */
	sockets_list_silent(s->kernel, round.due, LP_SILENT_MAX, &round.n);
	choose_due(&round);
	if (round.n)
		look_round(&round);
	free(round.due);
	s->next_ns = round.next_ns;
	if (s->next_ns) /* the deadline wakes the agent anyway */
		alarms->silent = 1;
}

/* --- from outside --- */

struct silent_peers *silent_peers_new(struct kernel *kernel, __u64 after_ns, const struct early_calls *calls)
{
	struct silent_peers *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->kernel = kernel;
	s->after_ns = after_ns;
	s->calls = calls;
	return s;
}

void silent_peers_free(struct silent_peers *s)
{
	struct reported *reported;

	while (s && !LIST_EMPTY(&s->all))
		forget_reported(s, LIST_FIRST(&s->all));
	while (s && (reported = LIST_FIRST(&s->back))) {
		LIST_REMOVE(reported, in_all);
		free(reported);
	}
	free(s);
}

/* The wait of the data counts only the timers that ran out. The running one, the longest, is unknown. */
void silent_peers_seed(struct silent_peers *s, const struct lp_record *look)
{
	const struct lp_socket *socket = &look->socket;
	double waited_ms = socket->rto_ms * (1 - 1.0 / (double)(1ULL << (socket->backoff < 63 ? socket->backoff : 63)));
	struct lp_listed listed = {
		.since_ns = look->time_ns - (__u64)(waited_ms * 1e6),
		.snd_una = socket->snd_una,
		.ports = (__u32)socket->local_port << 16 | socket->peer_port,
	};

	if (!(STATES & 1u << socket->state) || !waits(socket))
		return;
	sockets_add_silent(s->kernel, socket->sk, &listed);
	sockets_alarms(s->kernel)->silent = 1;
}

void silent_peers_tick(struct silent_peers *s, __u64 now_ns)
{
	if (s->next_ns ? now_ns >= s->next_ns : sockets_alarms(s->kernel)->silent != 0)
		run_round(s, now_ns);
}

__u64 silent_peers_deadline(const struct silent_peers *s)
{
	return s->next_ns;
}

/* Nobody was found to hold it; several holders, of whom none is known to be the owner, are another matter. */
static bool is_not_found(const struct owner *owner)
{
	return owner->unknown == UNKNOWN_HOLDER_GONE || owner->unknown == UNKNOWN_NOT_SEEN ||
	       owner->unknown == UNKNOWN_SOCKET_GONE;
}

static bool is_of(const struct reported *reported, const struct lp_record *r)
{
	const struct lp_socket *s = &reported->record.socket;

	return s->sk == r->socket.sk && s->local_port == r->socket.local_port && s->peer_port == r->socket.peer_port;
}

static struct reported *find_back(const struct silent_peers *s, const struct lp_record *r)
{
	struct reported *reported;

	LIST_FOREACH(reported, &s->back, in_all)
		if (is_of(reported, r))
			break;
	return reported;
}

static void note_back(struct silent_peers *s, struct event *event)
{
	struct reported *reported = find_back(s, event->record);

	if (!reported)
		return;
	if (reported->via && is_not_found(&event->owner))
		event->owner = (struct owner){.via = reported->via, .process = reported->owner};
	LIST_REMOVE(reported, in_all);
	free(reported);
}

static void note_silent(struct silent_peers *s, const struct event *event)
{
	struct reported *reported = table_find(&s->table, event->record->socket.sk);

	if (!reported || !is_of(reported, event->record))
		reported = find_back(s, event->record);
	if (!reported)
		return;
	reported->via = event->owner.via;
	reported->owner = event->owner.process;
}

void silent_peers_note(struct silent_peers *s, struct event *event)
{
	if (event->verdict.cause == PEER_BACK_ACKED)
		note_back(s, event);
	else if (event->verdict.cause == PEER_SILENT_UNACKED)
		note_silent(s, event);
}

unsigned silent_peers_count(const struct silent_peers *s)
{
	return s->n_reported;
}
