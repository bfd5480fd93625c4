/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/client.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/loop.h"
#include "format/read_json.h"

#define LINE_BYTES (2 * LINE_MAX_BYTES) /* longer than any event */

struct client {
	const char *path;
	struct loop *loop;
	int agent, gone, timer;
	bool stop, came;
	struct feeds *feeds;
	__u64 events; /* received */
	struct parsed parsed;
	char host[256];
	char bytes[LINE_BYTES];
	size_t have;
};

static int say(const struct client *c, const char *why)
{
	fprintf(stderr, "lostpeer: %s: %s\n", c->path, why);
	return -1;
}

/* --- events --- */

static void full(void *context)
{
	((struct client *)context)->stop = true;
}

static struct feeds_flow flow(const struct client *c)
{
	return (struct feeds_flow){.emitted = c->events};
}

static void take_event(struct client *c, struct json_object *object)
{
	struct event *e = &c->parsed.kept.event;

	if (!read_json_event(object, &c->parsed)) {
		c->events++; /* a later version's event */
		feeds_filter_out(c->feeds, 1);
	} else if (!e->record) {
		feeds_gap(c->feeds, e);
	} else {
		c->events += e->repeat.count ? e->repeat.count : 1;
		feeds_put(c->feeds, e, clock_monotonic_ns());
	}
}

/* The next complete line; the caller owns it. NULL: none yet. */
static struct json_object *next_object(struct client *c)
{
	struct json_object *object;
	char *end = memchr(c->bytes, '\n', c->have);

	if (!end)
		return NULL;
	*end = '\0';
	object = json_tokener_parse(c->bytes);
	c->have -= (size_t)(end + 1 - c->bytes);
	memmove(c->bytes, end + 1, c->have);
	return object ? object : json_object_new_object();
}

/* 0: the agent has ended, or its line is too long. */
static ssize_t read_agent(struct client *c)
{
	ssize_t n;

	if (c->have == sizeof(c->bytes))
		return 0;
	do
		n = recv(c->agent, c->bytes + c->have, sizeof(c->bytes) - c->have, 0);
	while (n < 0 && errno == EINTR);
	c->have += n > 0 ? (size_t)n : 0;
	return n > 0 ? n : 0;
}

static int take(struct client *c)
{
	struct json_object *object;

	if (!read_agent(c))
		return say(c, "the agent has ended");
	while (!c->stop && (object = next_object(c))) {
		take_event(c, object);
		json_object_put(object);
	}
	return 0;
}

/* --- beginning --- */

/* The filters run here, because a subscription line has no quotes. The agent only leaves out whole classes. */
static const char *ask_for(const struct feed_settings *feed)
{
	__u32 orderly = filter_wants(&feed->filter).classes & LP_CLASSES_ORDERLY;

	return !orderly ? "--not-event peer_closed\n" : orderly == LP_CLASS_PEER_CLOSED ? "\n" : "--all\n";
}

static int connect_agent(struct client *c)
{
	struct endpoint at;
	const char *why = endpoint_parse(c->path, 0, &at);

	if (why)
		return say(c, why);
	c->agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->agent < 0 || connect(c->agent, (const struct sockaddr *)&at.address, at.length))
		return say(c, strerror(errno));
	return 0;
}

static int subscribe(struct client *c, const char *line)
{
	struct json_object *answer = NULL, *value;
	int err = 0;

	/* an agent that refuses at once has closed the socket: send() fails then, but the answer has the reason */
	send(c->agent, line, strlen(line), MSG_NOSIGNAL);
	while (!(answer = next_object(c)) && read_agent(c))
		;
	if (!answer)
		return say(c, "the agent has ended");
	if (json_object_object_get_ex(answer, "error", &value))
		err = say(c, json_object_get_string(value));
	else if (!json_object_object_get_ex(answer, "subscribed", NULL))
		err = say(c, "it is not lostpeer that answers");
	json_object_put(answer);
	return err;
}

static void on_agent(void *context, unsigned what)
{
	(void)what;
	((struct client *)context)->came = true;
}

static void on_end(void *context, unsigned what)
{
	(void)what;
	full(context);
}

static int open_loop(struct client *c)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, 0};
	int err;

	signal(SIGPIPE, SIG_IGN);
	c->loop = loop_new();
	if (!c->loop)
		return say(c, strerror(errno));
	if ((err = c->gone = loop_add_event(c->loop, on_end, c)) < 0 ||
	    (err = c->timer = loop_add_timer(c->loop, NULL, NULL)) < 0 ||
	    (err = loop_add_signals(c->loop, ending, on_end, c)) < 0 ||
	    (err = loop_add(c->loop, c->agent, EPOLLIN, on_agent, c)))
		return say(c, strerror(-err));
	return 0;
}

static int open_feed(struct client *c, struct feed_settings *feed)
{
	struct feeds_context context = {
		.format = {.host = c->host, .reset_reason = read_json_reset_reason, .kernel = &c->parsed},
		.agent = {.agent = c},
		.reader_gone_fd = c->gone,
		.full = full,
	};
	struct feeds_flow none = {0};

	c->feeds = feeds_new(&context);
	if (!c->feeds) {
		feed_settings_free(feed);
		return say(c, strerror(ENOMEM));
	}
	return feeds_change(c->feeds, &feed, 1, &none) ?: feeds_start(c->feeds);
}

struct client *client_open(const char *path, struct feed_settings *feed)
{
	struct client *c = calloc(1, sizeof(*c));
	const char *line = ask_for(feed);

	if (c) {
		c->path = path;
		c->agent = -1;
		gethostname(c->host, sizeof(c->host) - 1);
	}
	if (!c || connect_agent(c) || open_loop(c) || subscribe(c, line)) {
		feed_settings_free(feed);
		client_close(c);
		return NULL;
	}
	if (open_feed(c, feed)) {
		client_close(c);
		return NULL;
	}
	return c;
}

/* --- the loop --- */

int client_run(struct client *c, __u64 most_ns)
{
	__u64 until = most_ns ? clock_monotonic_ns() + most_ns : 0;
	int err = 0;

	while (!err && !c->stop && (!until || clock_monotonic_ns() < until)) {
		feeds_wake(c->feeds);
		loop_set_timer(c->timer, clock_earlier(feeds_deadline(c->feeds), until));
		c->came = false;
		err = loop_turn(c->loop);
		if (err)
			return err;
		if (c->came && !c->stop)
			err = take(c);
		feeds_tick(c->feeds, clock_monotonic_ns());
	}
	return err ? -EPIPE : 0;
}

struct ledger client_finish(struct client *c)
{
	struct feeds_flow now = flow(c);

	feeds_finish(c->feeds);
	feeds_flush(c->feeds);
	return feeds_ledger(c->feeds, 0, &now);
}

void client_close(struct client *c)
{
	if (!c)
		return;
	feeds_free(c->feeds);
	loop_free(c->loop);
	if (c->agent >= 0)
		close(c->agent);
	free(c);
}
