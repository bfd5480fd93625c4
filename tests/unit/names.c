/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Prints every name that the program uses, for contract.py: its enumerations and fields, and from its own output the
 * journal's message ids and the metrics with their labels.
 */
#include <stdio.h>
#include <stdlib.h>

#include "event/verdicts.h"
#include "field_rows.h"
#include "outputs/health.h"
#include "outputs/counters.h"
#include "sample.h"

/* The same name with another type is a second field, which contract.py reports. */
static bool is_first(size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (!strcmp(field_rows[i].name, field_rows[row].name) &&
		    !strcmp(field_rows[i].type, field_rows[row].type))
			return false;
	return true;
}

static void print_fields(void)
{
	for (size_t i = 0; i < FIELD_ROWS; i++)
		if (is_first(i))
			printf("%s %s %s\n", field_rows[i].of == OF_CHECK ? "check" : "field", field_rows[i].name,
			       field_rows[i].type);
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

/* Labels of a sample as "one,other", or "-". No value of these samples contains a quote. */
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

/* The samples of a family may have different labels: print those of the sample with the most. */
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
	print_fields();
	return 0;
}
