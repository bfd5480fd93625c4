/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ini_file.h"

/* Where the user wrote a section or a key: a line of a file, or an option (line 0). */
struct origin {
	const char *file;
	unsigned line;
};

struct entry {
	struct entry *next;
	struct origin origin;
	char *key; /* as the user wrote it */
	char *value;
};

struct section {
	struct section *next;
	struct origin origin;
	char *title;
	struct entry *entries, **last;
};

struct config {
	char *path;
	bool read_wrong; /* the file has an error, which was reported */
	struct section *sections, **last;
	struct section *current; /* of the options */
};

/* --- messages --- */

static void say(struct origin at, const char *title, const char *key, const char *why)
{
	if (at.line)
		fprintf(stderr, "%s:%u: ", at.file, at.line);
	else
		fprintf(stderr, "lostpeer agent: ");
	if (title)
		fprintf(stderr, "[%s]%s", title, key ? " " : ": ");
	if (key)
		fprintf(stderr, "%s: ", key);
	fprintf(stderr, "%s\n", why);
}

/* --- sections and entries --- */

struct config *config_new(void)
{
	struct config *c = calloc(1, sizeof(*c));

	if (c)
		c->last = &c->sections;
	return c;
}

static void free_section(struct section *s)
{
	struct entry *next;

	for (struct entry *e = s->entries; e; e = next) {
		next = e->next;
		free(e->key);
		free(e->value);
		free(e);
	}
	free(s->title);
	free(s);
}

void config_free(struct config *c)
{
	struct section *next;

	if (!c)
		return;
	for (struct section *s = c->sections; s; s = next) {
		next = s->next;
		free_section(s);
	}
	free(c->path);
	free(c);
}

static struct section *find_section(const struct config *c, const char *title)
{
	struct section *s = c->sections;

	while (s && strcmp(s->title, title))
		s = s->next;
	return s;
}

/* NULL when out of memory. */
static struct section *add_section(struct config *c, const char *title, struct origin origin)
{
	struct section *s = calloc(1, sizeof(*s));

	if (s)
		s->title = strdup(title);
	if (!s || !s->title) {
		free(s);
		return NULL;
	}
	s->origin = origin;
	s->last = &s->entries;
	*c->last = s;
	c->last = &s->next;
	return s;
}

static bool add_entry(struct section *s, const char *key, const char *value, struct origin origin)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return false;
	*e = (struct entry){.origin = origin, .key = strdup(key), .value = strdup(value)};
	*s->last = e;
	s->last = &e->next;
	return e->key && e->value;
}

/* --- from a file --- */

static const char *on_section(void *context, const char *title, unsigned line)
{
	struct config *c = context;
	static char why[64];
	struct section *before = find_section(c, title);

	if (before) {
		snprintf(why, sizeof(why), "is there already, in line %u", before->origin.line);
		say((struct origin){c->path, line}, title, NULL, why);
		c->read_wrong = true;
	}
	c->current = add_section(c, title, (struct origin){c->path, line});
	return c->current ? NULL : "out of memory";
}

static const char *on_key(void *context, const char *key, const char *value, unsigned line)
{
	struct config *c = context;

	if (!c->current)
		return "before any section: begin with [agent], or with an output such as [file]";
	return add_entry(c->current, key, value, (struct origin){c->path, line}) ? NULL : "out of memory";
}

static void on_error(void *context, unsigned line, const char *why)
{
	struct config *c = context;

	say((struct origin){c->path, line}, NULL, NULL, why);
	c->read_wrong = true;
}

bool config_read(struct config *c, const char *path)
{
	static const struct ini_file_ops ops = {on_section, on_key, on_error};
	int err;

	c->path = strdup(path);
	if (!c->path)
		return false;
	c->current = NULL;
	err = ini_file_read(path, &ops, c);
	c->current = NULL;
	if (err) {
		fprintf(stderr, "lostpeer agent: %s: %s\n", path, ini_file_error(err));
		c->read_wrong = true;
	}
	return !c->read_wrong;
}

/* --- from options --- */

const char *config_begin(struct config *c, const char *title)
{
	c->current = find_section(c, title);
	if (!c->current)
		c->current = add_section(c, title, (struct origin){0});
	return c->current ? NULL : "out of memory";
}

static bool is_in(const struct option_group *group, const struct option_spec *spec)
{
	return spec >= option_at(group, 0) && spec < option_at(group, group->count);
}

static size_t key_length(const struct option_spec *spec)
{
	size_t n = strlen(spec->name);

	return n - (spec->name[n - 1] == '*');
}

const char *config_set(struct config *c, const struct option_spec *spec, bool opposite, const char *value)
{
	struct section *s = c->current;
	char key[64];

	if (is_in(&kernel_keys, spec) || is_in(&early_keys, spec)) {
		s = find_section(c, "agent");
		s = s ? s : add_section(c, "agent", (struct origin){0});
		if (!s)
			return "out of memory";
	}
	if (!s)
		return "is of an output: --output KIND goes before it";
	snprintf(key, sizeof(key), "%s%.*s", opposite ? "not-" : "", (int)key_length(spec), spec->name);
	return add_entry(s, key, value ? value : "yes", (struct origin){0}) ? NULL : "out of memory";
}

/* --- resolving --- */

/* In a file, an option without an argument has one of these values. */
static int parse_flag(const char *value)
{
	static const char *const words[2][4] = {{"no", "false", "off", "0"}, {"yes", "true", "on", "1"}};

	for (int yes = 0; yes < 2; yes++)
		for (size_t i = 0; i < 4; i++)
			if (!strcmp(value, words[yes][i]))
				return yes;
	return -1;
}

static const char *set_flag(const struct option_spec *spec, void *target, const char *value)
{
	int yes = parse_flag(value);

	if (yes < 0)
		return "neither yes nor no";
	return yes ? options_set(spec, target, false, NULL) : NULL;
}

static const char *apply(const struct option_spec *spec, bool opposite, void *target, const char *value)
{
	if (!spec->argument)
		return set_flag(spec, target, value);
	return *value ? options_set(spec, target, opposite, value) : "has no value";
}

static const struct entry *earlier_in_file(const struct section *s, const struct entry *entry)
{
	for (const struct entry *e = s->entries; e != entry; e = e->next)
		if (e->origin.line && !strcmp(e->key, entry->key))
			return e;
	return NULL;
}

/* A file may set a key only once, unless the key is a list. */
static const char *check_once(const struct section *s, const struct entry *e, const struct option_spec *spec)
{
	static char why[64];
	const struct entry *before = earlier_in_file(s, e);

	if (!e->origin.line || !before || spec->name[strlen(spec->name) - 1] == '*')
		return NULL;
	snprintf(why, sizeof(why), "is set already, in line %u", before->origin.line);
	return why;
}

/* A group of keys, and the struct that they set. */
struct table {
	const struct option_group *group;
	void *target;
};

static bool set_entry(const struct section *s, const struct entry *e, const struct table *tables, size_t n)
{
	const struct option_spec *spec = NULL;
	const char *why = "no such key here; see lostpeer.conf(5)";
	bool opposite;

	for (size_t i = 0; i < n && !spec; i++) {
		spec = options_find(tables[i].group, e->key, strlen(e->key), &opposite);
		if (!spec)
			continue;
		why = check_once(s, e, spec);
		why = why ? why : apply(spec, opposite, tables[i].target, e->value);
	}
	if (why)
		say(e->origin, s->title, e->key, why);
	return !why;
}

static bool set_all(const struct section *s, const struct table *tables, size_t n)
{
	bool right = true;

	for (const struct entry *e = s->entries; e; e = e->next)
		right &= set_entry(s, e, tables, n);
	return right;
}

/* The section's entries as one text, to compare with a later configuration. NULL when out of memory: differs from
 * any. */
static char *source_of(const struct section *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (const struct entry *e = s->entries; e; e = e->next)
		fprintf(f, "%s = %s\n", e->key, e->value);
	fclose(f);
	return text;
}

static const char *target_of(const struct feed_settings *settings)
{
	const char *target = output_target(settings->ops, settings->output);

	return target ? target : "";
}

/* NULL, or a message that names the other output with the same target. */
static const char *check_target(const struct feed_settings *settings, const struct config_result *result)
{
	static char why[FEED_TITLE_LEN + 64];

	for (size_t i = 0; settings->ops->exclusive && i < result->n_feeds; i++) {
		if (result->feeds[i]->ops != settings->ops || strcmp(target_of(result->feeds[i]), target_of(settings)))
			continue;
		snprintf(why, sizeof(why), "goes where [%s] goes, and they would get in each other's way",
			 result->feeds[i]->title);
		return why;
	}
	return NULL;
}

static bool resolve_output(const struct section *s, struct config_result *result)
{
	size_t kind = strcspn(s->title, " ");
	const struct output_ops *ops = output_ops_by_name(s->title, kind);
	struct feed_settings *settings;
	const char *why;
	bool right;

	if (!ops || strlen(s->title) >= FEED_TITLE_LEN || result->n_feeds == FEEDS_MAX) {
		say(s->origin, s->title, NULL,
		    !ops                          ? output_why_unknown(s->title, kind)
		    : result->n_feeds < FEEDS_MAX ? "too long a name"
						  : "one output too many");
		return false;
	}
	settings = feed_settings_new(s->title);
	if (!settings || feed_settings_output(settings, ops)) {
		feed_settings_free(settings);
		say(s->origin, s->title, NULL, "out of memory");
		return false;
	}
	settings->source = source_of(s);
	settings->group_ns = ops->group_ns;
	settings->rate = ops->rate;
	right = set_all(s,
			(struct table[]){{&ops->keys, settings->output},
					 {&filter_keys, &settings->filter},
					 {&feed_keys, settings}},
			3);
	why = right ? feed_settings_check(settings) : NULL;
	if (right && !why)
		why = check_target(settings, result);
	if (why)
		say(s->origin, s->title, NULL, why);
	result->feeds[result->n_feeds++] = settings;
	return right && !why;
}

bool config_resolve(const struct config *c, struct config_result *result)
{
	bool right = !c->read_wrong;

	*result = (struct config_result){.early = EARLY_OPTIONS_DEFAULT};
	for (const struct section *s = c->sections; s; s = s->next) {
		if (!strcmp(s->title, "agent"))
			right &= set_all(
				s, (struct table[]){{&kernel_keys, &result->kernel}, {&early_keys, &result->early}}, 2);
		else
			right &= resolve_output(s, result);
	}
	if (right && !result->n_feeds) {
		fprintf(stderr, "lostpeer agent: %s%sno output: give it a section such as [file], or --output\n",
			c->path ? c->path : "", c->path ? ": " : "");
		right = false;
	}
	if (!right)
		config_clear(result);
	return right;
}

void config_clear(struct config_result *result)
{
	for (size_t i = 0; i < result->n_feeds; i++)
		feed_settings_free(result->feeds[i]);
	result->n_feeds = 0;
}
