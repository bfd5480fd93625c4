/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The subscription socket: a client sends one line that asks for events, and gets those that it may see (visibility.h).
 * The writer thread hands out the events from the queue; the server thread (server.h) accepts and serves clients.
 * Neither waits for a client.
 *
 * A client is subscribed once the kernel delivers what it wants: the server thread reports that the audience changed;
 * the agent's loop fetches the audience, configures the kernel, and confirms.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/listener.h"
#include "outputs/server.h"
#include "outputs/subscribers.h"
#include "format/format_packed.h"
#include "who/process.h"
#include "filter/visibility.h"

#define NOBODY (~0u) /* a uid that nobody has */

static struct server *servers; /* the open ones */

/* --- the writer --- */

/* Whether the user whose socket it is may see the current event, and which part of it. Everybody may see a gap. */
static void decide(struct server *s)
{
	const struct event *e = &s->kept.event;
	__u32 uid = e->record ? e->record->socket.uid : NOBODY;
	const struct lp_task *process = visibility_process(uid, e);

	s->own = visibility_allows(uid, e, process ? process_user(process) : uid) ? OWN : NOT_OWN;
	if (s->own == NOT_OWN)
		return;
	event_keep(&s->narrowed, e);
	visibility_narrow(uid, &s->narrowed);
}

static bool is_own(struct server *s, __u32 uid)
{
	if (s->kept.event.record && uid != s->kept.record.socket.uid)
		return false;
	if (s->own == OWN_UNKNOWN)
		decide(s);
	return s->own == OWN;
}

/* The line of the current event for this subscriber; NULL: none. Root's and the owner's line are each made once. */
static const struct line *line_for(struct server *s, const struct subscriber *u, const struct event **e)
{
	bool root = u->uid == VISIBILITY_ROOT;
	struct line *line = root ? &s->line : &s->narrowed_line;

	*e = root ? &s->kept.event : &s->narrowed.event;
	if (!root && !is_own(s, u->uid))
		return NULL;
	if (!filter_event(&u->filter, *e) || ((*e)->record && !filter_owner(&u->filter, *e)))
		return NULL;
	if (!line->length)
		format_json(line, *e, s->agent->format);
	return line;
}

/* Returns how many subscribers wanted it, including those that lost it because they are slow. */
static unsigned hand_out(struct server *s)
{
	const struct event *seen;
	const struct line *line;
	unsigned n = 0;

	s->own = OWN_UNKNOWN;
	line_clear(&s->line);
	line_clear(&s->narrowed_line);
	for (unsigned i = 0; i < AUDIENCE_MAX; i++) {
		if (!s->all[i] || s->all[i]->stage != SUBSCRIBER_READS)
			continue;
		line = line_for(s, s->all[i], &seen);
		if (line)
			subscriber_put(s->all[i], line, seen, s->agent->format);
		n += line != NULL;
	}
	return n;
}

/* Called when output.c has already counted the events of the last write() as written. */
static int note_unwanted(void *state)
{
	struct server *s = state;

	pthread_mutex_lock(&s->audience_lock);
	s->unwanted += s->unheeded;
	pthread_mutex_unlock(&s->audience_lock);
	s->unheeded = 0;
	return 0;
}

static size_t write_subscribers(void *state, const struct iovec *entries, size_t n, int *error)
{
	struct server *s = state;

	(void)error;
	note_unwanted(s);
	for (size_t i = 0; i < n; i++) {
		pthread_mutex_lock(&s->lock);
		server_begin_confirmed(s);
		if (format_packed_open(entries[i].iov_base, entries[i].iov_len, &s->kept) && !hand_out(s) &&
		    s->kept.event.record && !s->kept.event.repeat.count)
			s->unheeded++;
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < AUDIENCE_MAX; i++)
		if (s->all[i] && s->all[i]->stage == SUBSCRIBER_READS && s->all[i]->waiting)
			server_send(s, s->all[i]);
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* --- the agent's loop --- */

const struct audience *subscribers_ask(struct server *s)
{
	pthread_mutex_lock(&s->audience_lock);
	s->asked = s->audience;
	pthread_mutex_unlock(&s->audience_lock);
	return &s->asked;
}

void subscribers_confirm(struct server *s, __u64 generation, __u64 wall_ns)
{
	pthread_mutex_lock(&s->audience_lock);
	s->confirmed = generation;
	s->confirmed_ns = wall_ns;
	pthread_mutex_unlock(&s->audience_lock);
	loop_wake(s->wake);
}

void subscribers_retire(struct server *s)
{
	pthread_mutex_lock(&s->audience_lock);
	s->retired = true;
	pthread_mutex_unlock(&s->audience_lock);
	loop_wake(s->wake);
}

__u64 subscribers_unwanted(struct server *s)
{
	__u64 unwanted;

	pthread_mutex_lock(&s->audience_lock);
	unwanted = s->unwanted;
	pthread_mutex_unlock(&s->audience_lock);
	return unwanted;
}

/* --- beginning and end, in the main thread --- */

static struct server *find_there(const struct endpoint *at)
{
	struct server *s = servers;

	while (s && strcmp(endpoint_path(&s->at), endpoint_path(at)))
		s = s->next;
	return s;
}

/* /run/lostpeer is gone after a reboot; systemd or we create it. */
static int make_directory(const char *path)
{
	char directory[ENDPOINT_TEXT_LEN];
	char *end;

	strcpy(directory, path);
	end = strrchr(directory, '/');
	if (end == directory)
		return 0;
	*end = '\0';
	if (!mkdir(directory, 0755))
		return chmod(directory, 0755) ? -errno : 0; /* mkdir() obeys the umask */
	return errno == EEXIST ? 0 : -errno;
}

/* If this process already listens there, both share the socket, so that no client is refused in between. */
static int open_listener(const struct endpoint *at)
{
	struct server *there = find_there(at);
	int fd, err;

	if (there) {
		fd = fcntl(there->listener, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	err = make_directory(endpoint_path(at));
	return err ? err : listener_open(at, 0666);
}

static void close_all(struct server *s)
{
	loop_free(s->loop);
	if (s->listener >= 0)
		close(s->listener);
	free(s);
}

static int open_subscribers(void **state, const void *settings, const struct output_agent *agent)
{
	struct server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->agent = agent;
	s->at = *(const struct endpoint *)settings;
	s->audience.generation = 1; /* of nobody */
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->audience_lock, NULL);
	s->listener = open_listener(&s->at);
	err = s->listener < 0 ? s->listener : server_start(s);
	if (err) {
		close_all(s);
		return err;
	}
	s->next = servers;
	servers = s;
	*state = s;
	return 0;
}

static void close_subscribers(void *state)
{
	struct server *s = state, **from = &servers;

	pthread_mutex_lock(&s->audience_lock);
	s->stop = true;
	pthread_mutex_unlock(&s->audience_lock);
	loop_wake(s->wake);
	pthread_join(s->thread, NULL);
	for (unsigned i = 0; i < AUDIENCE_MAX; i++) {
		if (!s->all[i])
			continue;
		subscriber_send(s->all[i], s->agent->format);
		subscriber_free(s->all[i]);
	}
	while (*from != s)
		from = &(*from)->next;
	*from = s->next;
	if (!find_there(&s->at))
		unlink(endpoint_path(&s->at));
	close_all(s);
}

/* --- its keys --- */

static const struct option_spec keys[] = {
	{"path", "FILE", "the socket (" SUBSCRIPTION_PATH ")", endpoint_set, .wrong = "not a path from the root"},
};

static const char *check(void *context)
{
	struct endpoint *at = context;

	return at->length ? NULL : endpoint_parse(SUBSCRIPTION_PATH, 0, at);
}

const struct output_ops output_subscribers = {
	.name = "subscribers",
	.help = "tells applications of their own connections, over a socket",
	.keys = OPTION_GROUP(keys),
	.settings_size = sizeof(struct endpoint),
	.target = endpoint_target,
	.exclusive = true,
	.check = check,
	.format = format_pack,
	.open = open_subscribers,
	.write = write_subscribers,
	.flush = note_unwanted,
	.close = close_subscribers,
};
