/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/ini_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *ini_file_error(int err)
{
	return err == -ENOTSUP ? "built without libinih: give options instead" : strerror(-err);
}

#ifdef HAVE_INIH
#include <ini.h>

struct reading {
	FILE *file;
	const struct ini_file_ops *ops;
	void *context;
	unsigned line;
	bool expects; /* this line should be a key with a value, which libinih has not passed to on_key() yet */
};

static void say(struct reading *r, const char *why)
{
	if (why)
		r->ops->error(r->context, r->line, why);
}

static int on_key(void *context, const char *section, const char *key, const char *value)
{
	struct reading *r = context;

	(void)section; /* libinih cuts long ones; see take_section() */
	r->expects = false;
	say(r, *key ? r->ops->key(r->context, key, value, r->line) : "no key before the =");
	return 1;
}

/* Reduces blanks within the title to one space: "[file audit]". */
static void take_section(struct reading *r, char *text)
{
	char *end = strchr(text, ']'), *from, *to, *title = text + 1;

	if (!end) {
		say(r, "no ] at the end of the section's title");
		return;
	}
	if (end[1 + strspn(end + 1, " \t\r\n")] && !strchr(";#", end[1 + strspn(end + 1, " \t\r\n")])) {
		say(r, "something after the section's title");
		return;
	}
	*end = '\0';
	title += strspn(title, " \t");
	for (from = to = title; *from; from++)
		if (!strchr(" \t", *from) || (from[1] && !strchr(" \t", from[1])))
			*to++ = *from == '\t' ? ' ' : *from;
	*to = '\0';
	say(r, *title ? r->ops->section(r->context, title, r->line) : "a section without a title");
}

/* After a value libinih accepts only ; as a comment, so " # why" would become part of a path. */
static void cut_comment(char *text)
{
	char *at = text;

	while ((at = strchr(at + 1, '#')) != NULL)
		if (at[-1] == ' ' || at[-1] == '\t') {
			strcpy(at, "\n");
			return;
		}
}

/* Removes from the line what libinih must not see. */
static void prepare(struct reading *r, char *text)
{
	memmove(text, text + strspn(text, " \t"), strlen(text + strspn(text, " \t")) + 1);
	if (*text == '[') {
		take_section(r, text);
		strcpy(text, "\n");
	} else if (!strchr(";#\r\n", *text) && *text) {
		r->expects = true;
		cut_comment(text);
	}
}

static void end_line(struct reading *r)
{
	if (r->expects)
		say(r, "neither [SECTION] nor KEY = VALUE");
	r->expects = false;
}

static void skip_line(FILE *file)
{
	int c;

	do
		c = fgetc(file);
	while (c != '\n' && c != EOF);
}

static char *next_line(char *text, int size, void *context)
{
	struct reading *r = context;
	static const char bom[] = "\xef\xbb\xbf";

	end_line(r);
	if (!fgets(text, size, r->file))
		return NULL;
	r->line++;
	if (strlen(text) + 1 == (size_t)size && text[size - 2] != '\n') {
		skip_line(r->file);
		say(r, "too long a line: a list can be given in several, KEY = VALUE each");
		strcpy(text, "\n");
	}
	if (r->line == 1 && !strncmp(text, bom, 3))
		memmove(text, text + 3, strlen(text + 3) + 1);
	prepare(r, text);
	return text;
}

int ini_file_read(const char *path, const struct ini_file_ops *ops, void *context)
{
	struct reading r = {.file = fopen(path, "re"), .ops = ops, .context = context};
	struct stat st;
	int err = 0;

	if (!r.file)
		return -errno;
	if (fstat(fileno(r.file), &st) || S_ISDIR(st.st_mode)) {
		fclose(r.file);
		return -EISDIR;
	}
	ini_parse_stream(next_line, &r, on_key, &r);
	end_line(&r);
	if (ferror(r.file))
		err = -EIO;
	fclose(r.file);
	return err;
}
#else
int ini_file_read(const char *path, const struct ini_file_ops *ops, void *context)
{
	(void)path;
	(void)ops;
	(void)context;
	return -ENOTSUP;
}
#endif
