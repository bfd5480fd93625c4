/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Prints every name that the program uses, for contract.py: its enumerations, and what is read back from its own output:
 * the fields of events that have everything, the journal's message ids, the metrics and their labels.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "check_sample.h"
#include "format/format_check.h"
#include "outputs/health.h"
#include "outputs/counters.h"
#include "sample.h"

#define FIELDS_MAX 128

static char fields[FIELDS_MAX][2][64];
static size_t n_fields;
static size_t n_event_fields; /* the first; what follows only `lostpeer check` says */

static const char *type_of(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		return "boolean";
	case json_type_double:
		return "number";
	case json_type_int:
		return "integer";
	case json_type_string:
		return "string";
	case json_type_array:
		return json_object_is_type(json_object_array_get_idx(value, 0), json_type_int) ? "array-of-integer"
											       : "array-of-string";
	default:
		return "unknown";
	}
}

/* Each once; the same name with another type is another field, which contract.py then reports. */
static void note_field(const char *name, const char *type)
{
	for (size_t i = 0; i < n_fields; i++)
		if (!strcmp(fields[i][0], name) && !strcmp(fields[i][1], type))
			return;
	if (n_fields == FIELDS_MAX)
		exit(1);
	snprintf(fields[n_fields][0], sizeof(fields[n_fields][0]), "%s", name);
	snprintf(fields[n_fields++][1], sizeof(fields[0][1]), "%s", type);
}

static int note_line(struct line *line)
{
	struct json_object *object;

	line_append(line, "", 1);
	object = json_tokener_parse(line->text);
	if (!object)
		return -1;
	json_object_object_foreach(object, name, value)
		note_field(name, type_of(value));
	json_object_put(object);
	return 0;
}

static int note_event(const struct event *event)
{
	struct format_context context = sample_context();
	static struct line line;

	format_json(&line, event, &context);
	return note_line(&line);
}

/* Looks that have everything. */
static int note_check(void)
{
	static struct check_sample s;
	static struct line line;
	int err;

	n_event_fields = n_fields;
	check_sample_stalled(&s);
	format_check_json(&line, &s.check, "web-3", 1);
	err = note_line(&line);
	check_sample_idle(&s);
	format_check_json(&line, &s.check, "web-3", 1);
	err |= note_line(&line);
	s.look.snd_wnd = 0;
	s.look.write_seq = s.look.snd_nxt + 1;
	format_check_json(&line, &s.check, "web-3", 1);
	return err | note_line(&line);
}

/* An event of each kind that has fields of its own. */
static int note_fields(void)
{
	static struct sample s;
	int err;

	sample_everything(&s);
	err = note_event(&s.event);
	s.event.owner = (struct owner){.unknown = UNKNOWN_SHARED, .n_holders = 1, .holders = {1}};
	s.event.ended = (struct ended){.wall_ns = 1, .cause = PEER_LOST_RETRANSMIT_TIMEOUT};
	err |= note_event(&s.event);
	s.event.repeat = (struct repeat){.count = 2, .first_ns = 1, .last_ns = 2, .processes = 2};
	err |= note_event(&s.event);
	for (enum lp_kind kind = LP_KIND_SILENT; kind <= LP_KIND_QUEUE_FULL; kind++) {
		s.record = (struct lp_record){.kind = (__u8)kind,
					      .socket.dropped = 2,
					      .socket.holds = 1,
					      .backlog = 1,
					      .socket.gives_up_ms = 1};
		sample_judge(&s, cause_judge(&s.record, false, &(struct cause_kernel){true, true}));
		err |= note_event(&s.event);
	}
	event_from_loss(&s.event, EVENTS_LOST_RING_FULL, (struct loss){1, 2, 3});
	err |= note_event(&s.event);
	return err | note_check();
}

static void print_fields(void)
{
	for (size_t i = 0; i < n_fields; i++)
		printf("%s %s %s\n", i < n_event_fields ? "field" : "check", fields[i][0], fields[i][1]);
}

static void print_enumerations(void)
{
	for (int i = EVENT_NONE + 1; i < EVENT_COUNT; i++)
		printf("event %s\n", event_name((enum lp_event)i));
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		printf("cause %s %s %s\n", event_name(cause_event((enum lp_cause)i)), cause_name((enum lp_cause)i),
		       by_name(cause_by((enum lp_cause)i)));
	for (int i = 0; i < PHASE_COUNT; i++)
		printf("phase %s\n", phase_name((enum lp_phase)i));
	for (int i = 0; i < SEVERITY_COUNT; i++)
		printf("severity %s\n", severity_name((enum lp_severity)i));
	for (int i = VIA_NONE + 1; i < VIA_COUNT; i++)
		printf("via %s\n", via_name((enum owner_via)i));
	for (int i = UNKNOWN_NONE + 1; i < UNKNOWN_COUNT; i++)
		printf("unknown %s\n", unknown_name((enum owner_unknown)i));
	for (int i = 0; i < CHECK_COUNT; i++)
		printf("verdict %s\n", verdicts_name((enum check_verdict)i));
}

static void print_message_ids(void)
{
	struct format_context context = sample_context();
	enum lp_event last = EVENT_NONE, event;
	static struct line line;
	struct sample s;

	sample_example(&s);
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++, last = event) {
		event = cause_event((enum lp_cause)i);
		s.event.verdict.cause = (enum lp_cause)i;
		format_journal(&line, &s.event, &context);
		line_append(&line, "", 1);
		if (event != last)
			printf("message_id %s %.32s\n", event_name(event), strstr(line.text, "MESSAGE_ID=") + 11);
	}
}

/* Labels of a sample as "one,other", or "-": no value of these samples has a quote in it. */
static void labels_of(const char *sample, char labels[64])
{
	const char *end = strchr(sample, '\n');
	size_t n = 0;

	for (const char *at = strpbrk(sample, "{\n"); at < end && *at != '}';
	     at = strchr(strchr(at, '"') + 1, '"') + 1) {
		if (n)
			labels[n++] = ',';
		while (*++at != '=')
			labels[n++] = *at;
	}
	strcpy(labels + n, n ? "" : "-");
}

/* A family's samples need not have the same labels: those of the sample that has most. */
static void print_metrics(const char *text)
{
	char labels[64], most[64];

	for (const char *at = text; (at = strstr(at, "# TYPE "));) {
		printf("metric %.*s ", (int)strcspn(at + 7, " "), at + 7);
		*most = '\0';
		while (*(at = strchr(at, '\n') + 1) && *at != '#') {
			labels_of(at, labels);
			if (strlen(labels) > strlen(most))
				strcpy(most, labels);
		}
		printf("%s\n", most);
	}
}

static int note_metrics(void)
{
	struct health health = {.n_outputs = 1, .outputs = {{.title = "file"}}, .bpf_runs = 1};
	static struct counters metrics;
	struct counters_entry entry;
	struct sample s;
	char *text;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	if (!to)
		return -1;
	sample_example(&s);
	counters_entry_of(&s.event, &entry);
	counters_count(&metrics, &entry);
	counters_write(&metrics, &health, to);
	if (fclose(to))
		return -1;
	print_metrics(text);
	free(text);
	return 0;
}

int main(void)
{
	print_enumerations();
	print_message_ids();
	if (note_metrics())
		return 1;
	if (note_fields()) {
		fprintf(stderr, "names: an event is no JSON object\n");
		return 1;
	}
	print_fields();
	return 0;
}
