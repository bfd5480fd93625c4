/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters for Prometheus. A queue entry is a struct counters_entry; scrapers get the sums. */
#include "outputs/counters.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/endpoint.h"
#include "outputs/health.h"
#include "outputs/output.h"
#include "outputs/scrape.h"

struct exporter {
	const struct output_agent *agent;
	struct scrape *scrape;
	pthread_mutex_t lock; /* protects metrics */
	struct counters metrics;
	struct counters copy; /* used by the scraper's thread */
};

static const char *set_address(const struct option_spec *spec, void *at, bool opposite, const char *value)
{
	const char *why = endpoint_set(spec, at, opposite, value);

	if (why)
		return why;
	return endpoint_is_local(at) ? NULL : "neither a loopback address nor a Unix socket";
}

static const struct option_spec keys[] = {
	{"address", "ADDRESS:PORT|PATH", "where to answer: of loopback, or a Unix socket", .set = set_address},
};

static void format_metrics(struct line *line, const struct event *e, const struct format_context *context)
{
	struct counters_entry entry;

	(void)context;
	counters_entry_of(e, &entry);
	line_clear(line);
	line_append(line, (const char *)&entry, sizeof(entry));
}

/* In the scraper's thread. Formatting is slow, so the lock is held only to copy. */
static void write_text(void *context, FILE *to, const bool *closing)
{
	struct exporter *c = context;
	struct health health = {0};
	bool known = c->agent && c->agent->health && c->agent->health(c->agent->agent, &health, closing);

	pthread_mutex_lock(&c->lock);
	c->copy = c->metrics;
	pthread_mutex_unlock(&c->lock);
	counters_write(&c->copy, known ? &health : NULL, to);
}

static int open_metrics(void **state, const void *settings, const struct output_agent *agent)
{
	struct exporter *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->agent = agent;
	pthread_mutex_init(&c->lock, NULL);
	err = scrape_open(&c->scrape, settings, write_text, c);
	if (err) {
		free(c);
		return err;
	}
	*state = c;
	return 0;
}

static size_t write_metrics(void *state, const struct iovec *entries, size_t n, int *error)
{
	struct exporter *c = state;
	struct counters_entry entry;

	(void)error;
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < n; i++) {
		memcpy(&entry, entries[i].iov_base, sizeof(entry));
		counters_count(&c->metrics, &entry);
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}

static void close_metrics(void *state)
{
	struct exporter *c = state;

	scrape_close(c->scrape);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

const struct output_ops output_metrics = {
	.name = "metrics",
	.help = "counters for Prometheus, over HTTP",
	.keys = OPTION_GROUP(keys),
	.settings_size = sizeof(struct endpoint),
	.target = endpoint_target,
	.exclusive = true,
	.check = endpoint_check,
	.format = format_metrics,
	.open = open_metrics,
	.write = write_metrics,
	.close = close_metrics,
};
