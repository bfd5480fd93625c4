/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/counters.h"

#include <stddef.h>
#include <string.h>

#include "outputs/health.h"
#include "base/line.h"
#include "base/self_usage.h"

static const char others[] = "other", unknown[] = "unknown";

/* --- what is counted --- */

static bool is_service(const char *unit)
{
	size_t n = strlen(unit), suffix = strlen(".service");

	return n > suffix && !strcmp(unit + n - suffix, ".service");
}

/* The different names of the holders, in their order, separated by commas; "" without holders. */
static const char *names_of(const struct owner *o)
{
	static __thread char names[OWNER_HOLDERS_MAX * LP_COMM_LEN];
	char *to = names;
	unsigned before;

	*names = '\0';
	for (unsigned i = 0; i < o->n_holders; i++) {
		for (before = 0; before < i && strcmp(o->holders[before].comm, o->holders[i].comm);)
			before++;
		if (before == i && *o->holders[i].comm)
			to = stpcpy(stpcpy(to, to == names ? "" : ","), o->holders[i].comm);
	}
	return names;
}

static const char *app_of(const struct event *e)
{
	const char *slash = strrchr(e->executable, '/');

	if (!*e->place->container && is_service(e->place->unit))
		return e->place->unit;
	if (slash && slash[1])
		return slash + 1;
	if (*e->owner.process.comm)
		return e->owner.process.comm;
	if (e->owner.unknown == UNKNOWN_SHARED && *names_of(&e->owner))
		return names_of(&e->owner);
	return unknown;
}

/* Printable and cut between two characters. Without " (deleted)", so that an update of the file keeps the name. */
static void put_app(char app[COUNTERS_APP_LEN], const char *untrusted)
{
	static const char deleted[] = " (deleted)";
	static __thread struct line line;
	size_t n;

	line_clear(&line);
	line_plain(&line, untrusted);
	n = sizeof(deleted) - 1;
	if (line.length > n && !memcmp(line.text + line.length - n, deleted, n))
		line.length -= n;
	n = line.length < COUNTERS_APP_LEN ? line.length : COUNTERS_APP_LEN - 1;
	while (n < line.length && n && (line.text[n] & 0xc0) == 0x80)
		n--;
	memcpy(app, line.text, n);
	app[n] = '\0';
}

/* Data is lost when a connection ends. A silent peer may still come back. */
static bool is_end(enum lp_event event)
{
	return event == EVENT_CONNECT_FAILED || event == EVENT_PEER_LOST || event == EVENT_LOCAL_CLOSED ||
	       event == EVENT_LOCAL_RESET;
}

void counters_entry_of(const struct event *e, struct counters_entry *entry)
{
	const struct repeat *r = &e->repeat;

	memset(entry, 0, sizeof(*entry));
	entry->cause = e->verdict.cause;
	if (!e->record)
		return;
	entry->count = r->count ? r->count : 1;
	put_app(entry->app, app_of(e));
	if (!is_end(cause_event(entry->cause)) || !event_has_transfer(e))
		return;
	entry->unread = r->count ? r->unread : e->data.unread;
	entry->unacked = r->count ? r->unacked : e->data.unacked;
}

static unsigned slot_of(struct counters *m, const char *app)
{
	unsigned i = 0;

	if (!strcmp(app, others))
		return COUNTERS_APPS_MAX;
	while (i < m->n_apps && strcmp(m->apps[i], app))
		i++;
	if (i == m->n_apps && i < COUNTERS_APPS_MAX)
		strcpy(m->apps[m->n_apps++], app);
	return i;
}

void counters_count(struct counters *m, const struct counters_entry *entry)
{
	if (!entry->count)
		return;
	m->events[slot_of(m, entry->app)][entry->cause] += entry->count;
	m->unread += entry->unread;
	m->unacked += entry->unacked;
}

/* --- as text --- */

static void put_family(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_quoted(FILE *to, const char *value)
{
	fputc('"', to);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fputc('\\', to);
		if (*value == '\n')
			fputs("\\n", to);
		else
			fputc(*value, to);
	}
	fputc('"', to);
}

static void put_events(const struct counters *m, FILE *to)
{
	put_family(to, "lostpeer_events_total", "counter", "What was said: by event, cause and application.");
	for (unsigned app = 0; app <= COUNTERS_APPS_MAX; app++) {
		for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++) {
			if (!m->events[app][cause])
				continue;
			fprintf(to, "lostpeer_events_total{event=\"%s\",cause=\"%s\",app=",
				event_name(cause_event((enum lp_cause)cause)), cause_name((enum lp_cause)cause));
			put_quoted(to, app < COUNTERS_APPS_MAX ? m->apps[app] : others);
			fprintf(to, "} %llu\n", m->events[app][cause]);
		}
	}
}

/* The ledger's names in lostpeer-events(7). */
static const struct {
	const char *name;
	size_t offset;
} results[] =
	{
		{"emitted", offsetof(struct ledger, emitted)},
		{"written", offsetof(struct ledger, written)},
		{"filtered", offsetof(struct ledger, filtered)},
		{"grouped", offsetof(struct ledger, grouped)},
},
  places[] = {
	  {"ring_full", offsetof(struct ledger, ring_full)},
	  {"output_full", offsetof(struct ledger, output_full)},
	  {"write_failed", offsetof(struct ledger, write_failed)},
	  {"stopped", offsetof(struct ledger, stopped)},
};
#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static __u64 count_at(const struct ledger *ledger, size_t offset)
{
	return *(const __u64 *)((const char *)ledger + offset);
}

static void put_ledgers(const struct health *health, FILE *to)
{
	put_family(to, "lostpeer_agent_records_total", "counter",
		   "The ledger of each output: emitted = written + filtered + grouped + lost + pending.");
	for (unsigned i = 0; i < health->n_outputs; i++) {
		for (size_t j = 0; j < COUNT(results); j++) {
			fprintf(to, "lostpeer_agent_records_total{result=\"%s\",output=", results[j].name);
			put_quoted(to, health->outputs[i].title);
			fprintf(to, "} %llu\n", count_at(&health->outputs[i].ledger, results[j].offset));
		}
	}
	put_family(to, "lostpeer_agent_pending_records", "gauge", "Those on their way to an output.");
	for (unsigned i = 0; i < health->n_outputs; i++) {
		fprintf(to, "lostpeer_agent_pending_records{output=");
		put_quoted(to, health->outputs[i].title);
		fprintf(to, "} %llu\n", health->outputs[i].ledger.pending);
	}
}

/* state_full and program_missed are lost before any output, so they carry no output label. */
static void put_losses(const struct health *health, FILE *to)
{
	put_family(to, "lostpeer_agent_lost_total", "counter", "Records that were lost, by where.");
	fprintf(to, "lostpeer_agent_lost_total{place=\"state_full\"} %llu\n", health->state_full);
	fprintf(to, "lostpeer_agent_lost_total{place=\"program_missed\"} %llu\n", health->program_missed);
	for (unsigned i = 0; i < health->n_outputs; i++) {
		for (size_t j = 0; j < COUNT(places); j++) {
			fprintf(to, "lostpeer_agent_lost_total{place=\"%s\",output=", places[j].name);
			put_quoted(to, health->outputs[i].title);
			fprintf(to, "} %llu\n", count_at(&health->outputs[i].ledger, places[j].offset));
		}
	}
}

static void put_one(FILE *to, const char *name, const char *type, const char *help, double value)
{
	put_family(to, name, type, help);
	fprintf(to, "%s %.17g\n", name, value);
}

/* Current numbers, over all connections that the agent sees. */
static void put_warnings(const struct health *health, FILE *to)
{
	if (health->silent_connections >= 0)
		put_one(to, "lostpeer_silent_connections", "gauge", "Connections whose peer does not acknowledge.",
			(double)health->silent_connections);
	if (health->ignored_closes >= 0)
		put_one(to, "lostpeer_ignored_closes", "gauge",
			"Connections that the peer closed long ago, and the application has not.",
			(double)health->ignored_closes);
}

static void put_costs(const struct health *health, FILE *to)
{
	put_one(to, "lostpeer_agent_ring_bytes", "gauge", "Size of the ring buffer.", (double)health->ring_bytes);
	put_one(to, "lostpeer_agent_ring_used_bytes", "gauge", "What waits in it.", (double)health->ring_used);
	if (!health->bpf_runs) /* not counted by the kernel */
		return;
	put_one(to, "lostpeer_agent_bpf_runs_total", "counter", "Runs of the BPF programs.", (double)health->bpf_runs);
	put_one(to, "lostpeer_agent_bpf_seconds_total", "counter", "Time that they took.",
		(double)health->bpf_ns / 1e9);
}

/* The names are those of Prometheus' own client libraries. */
static void put_process(FILE *to)
{
	struct self_usage usage;

	if (self_usage_read(&usage))
		return;
	put_one(to, "process_cpu_seconds_total", "counter", "CPU time of the agent.", usage.cpu_seconds);
	put_one(to, "process_resident_memory_bytes", "gauge", "Memory of the agent.", (double)usage.resident_bytes);
	put_one(to, "process_start_time_seconds", "gauge", "Start of the agent.", (double)usage.start_ns / 1e9);
}

void counters_write(const struct counters *m, const struct health *health, FILE *to)
{
	put_family(to, "lostpeer_build_info", "gauge", "Always 1.");
	fprintf(to, "lostpeer_build_info{version=\"%s\"} 1\n", VERSION);
	put_events(m, to);
	put_one(to, "lostpeer_unacked_bytes_total", "counter",
		"Bytes sent and not acknowledged when their connection ended.", (double)m->unacked);
	put_one(to, "lostpeer_unread_bytes_total", "counter",
		"Bytes received and not read when their connection ended.", (double)m->unread);
	if (health) {
		put_ledgers(health, to);
		put_losses(health, to);
		put_warnings(health, to);
		put_costs(health, to);
	}
	put_process(to);
}
