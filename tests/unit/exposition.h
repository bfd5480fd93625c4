/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A reader of Prometheus' text format 0.0.4 that checks its rules: each family once, HELP and TYPE before the samples,
 * valid names, labels and escapes, no sample twice. */
#ifndef TESTS_UNIT_EXPOSITION_H
#define TESTS_UNIT_EXPOSITION_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 8192
#define LABELS_MAX 4

struct exposition_sample {
	char name[64];
	size_t n_labels;
	struct {
		char name[16];
		char value[256];
	} labels[LABELS_MAX];
	double value;
};

static struct exposition_sample *samples;
static size_t n_samples, n_families;
static char families[64][64];

static inline const char *exposition_name(const char *at, const char *more, char *to, size_t most)
{
	size_t n = 0;

	assert_false(isdigit((unsigned char)*at));
	while (isalnum((unsigned char)at[n]) || (at[n] && strchr(more, at[n])))
		n++;
	assert_in_range(n, 1, most - 1);
	memcpy(to, at, n);
	to[n] = '\0';
	return at + n;
}

/* A value in quotes; \\, \" and \n are the only escapes. */
static inline const char *exposition_label(const char *at, char *to, size_t most)
{
	size_t n = 0;

	assert_int_equal(*at++, '"');
	for (; *at != '"'; at++) {
		assert_true(*at != '\0' && *at != '\n');
		if (*at == '\\' && *++at != '\\' && *at != '"')
			assert_int_equal(*at, 'n');
		assert_in_range(n, 0, most - 2);
		to[n++] = *at == 'n' && at[-1] == '\\' ? '\n' : *at;
	}
	to[n] = '\0';
	return at + 1;
}

static inline void exposition_sample(const char *at)
{
	struct exposition_sample *s = &samples[n_samples++];
	char *end;

	assert_in_range(n_samples, 1, SAMPLES_MAX);
	at = exposition_name(at, "_:", s->name, sizeof(s->name));
	assert_string_equal(s->name, families[n_families - 1]);
	if (*at == '{') {
		do {
			assert_in_range(s->n_labels, 0, LABELS_MAX - 1);
			at = exposition_name(at + 1, "_", s->labels[s->n_labels].name, sizeof(s->labels->name));
			assert_int_equal(*at, '=');
			at = exposition_label(at + 1, s->labels[s->n_labels++].value, sizeof(s->labels->value));
		} while (*at == ',');
		assert_int_equal(*at++, '}');
	}
	assert_int_equal(*at, ' ');
	s->value = strtod(at + 1, &end);
	assert_int_equal(*end, '\n');
}

/* "# HELP name text" starts a family, "# TYPE name type" follows. */
static inline const char *exposition_family(const char *at)
{
	char name[64], type[16], line[128];
	const char *rest;

	rest = exposition_name(at + strlen("# HELP "), "_:", name, sizeof(name));
	assert_int_equal(*rest, ' ');
	for (size_t i = 0; i < n_families; i++)
		assert_string_not_equal(families[i], name);
	assert_in_range(n_families, 0, 63);
	strcpy(families[n_families++], name);
	at = strchr(at, '\n') + 1;
	snprintf(line, sizeof(line), "# TYPE %s ", name);
	assert_memory_equal(at, line, strlen(line));
	rest = exposition_name(at + strlen(line), "", type, sizeof(type));
	assert_int_equal(*rest, '\n');
	assert_true(!strcmp(type, "gauge") || !strcmp(type, "counter"));
	assert_int_equal(!strcmp(type, "counter"), strlen(name) > 6 && !strcmp(name + strlen(name) - 6, "_total"));
	return rest;
}

static inline bool exposition_is_same(const struct exposition_sample *one, const struct exposition_sample *other)
{
	if (strcmp(one->name, other->name) || one->n_labels != other->n_labels)
		return false;
	for (size_t i = 0; i < one->n_labels; i++)
		if (strcmp(one->labels[i].name, other->labels[i].name) ||
		    strcmp(one->labels[i].value, other->labels[i].value))
			return false;
	return true;
}

/* text: NUL-terminated. */
static inline void exposition_read(const char *text)
{
	n_samples = n_families = 0;
	free(samples);
	samples = calloc(SAMPLES_MAX, sizeof(*samples));
	assert_non_null(samples);
	for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
		assert_non_null(strchr(at, '\n'));
		if (*at == '#')
			at = exposition_family(at);
		else
			exposition_sample(at);
	}
	for (size_t i = 0; i < n_samples; i++)
		for (size_t j = 0; j < i && n_samples < 1000; j++)
			assert_false(exposition_is_same(&samples[i], &samples[j]));
}

/* The sum of the samples with that name and label (NULL: any label); -1 if there is none. */
static inline double exposition_sum(const char *name, const char *label, const char *value)
{
	double sum = -1;

	for (size_t i = 0; i < n_samples; i++) {
		bool fits = !label && !strcmp(samples[i].name, name);

		for (size_t j = 0; label && j < samples[i].n_labels; j++)
			fits = fits || (!strcmp(samples[i].name, name) && !strcmp(samples[i].labels[j].name, label) &&
					!strcmp(samples[i].labels[j].value, value));
		if (fits)
			sum = (sum < 0 ? 0 : sum) + samples[i].value;
	}
	return sum;
}

#endif
