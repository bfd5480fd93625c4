/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Appends to a file, mode 0640, and reopens it by name after rotation. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outputs/file.h"
#include "outputs/lines.h"

struct file {
	struct lines lines;
	const struct file_settings *settings;
};

static const char *set_path(const struct option_spec *spec, void *path, bool opposite, const char *value)
{
	(void)opposite;
	if (!*value)
		return "empty";
	if (strlen(value) >= spec->size)
		return "too long for a path";
	strcpy(path, value);
	return NULL;
}

static const struct option_spec keys[] = {
	{"path", "FILE", "the file to append to", set_path, OPTION_AT(struct file_settings, path)},
	LINES_FORMAT,
	{"fsync", NULL, "bring it to the disk whenever nothing more waits", option_flag,
	 OPTION_AT(struct file_settings, fsync)},
};

static const char *target(const void *settings)
{
	return ((const struct file_settings *)settings)->path;
}

static const char *check(void *settings)
{
	const struct file_settings *s = settings;

	return *s->path ? NULL : "needs a path";
}

static int open_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

	return fd < 0 ? -errno : fd;
}

/* "Permission denied" alone would puzzle an administrator who runs this as root. */
static void explain(int err)
{
	if (err == -EACCES && !geteuid())
		fprintf(stderr,
			"lostpeer: without its former rights root writes to its own directories and files alone: see "
			"[file] in lostpeer.conf(5)\n");
}

static int open_file(void **state, const void *settings, const struct output_agent *agent)
{
	struct file *f = calloc(1, sizeof(*f));

	(void)agent;
	if (!f)
		return -ENOMEM;
	f->settings = settings;
	f->lines.fd = open_path(f->settings->path);
	if (f->lines.fd < 0) {
		int err = f->lines.fd;

		explain(err);
		free(f);
		return err;
	}
	*state = f;
	return 0;
}

static size_t write_file(void *state, const struct iovec *entries, size_t n, int *error)
{
	struct file *f = state;

	return lines_write(&f->lines, entries, n, error);
}

/* The rest of a line that began in the old file is dropped: it would make no sense in the new one. */
static int reopen_file(void *state)
{
	struct file *f = state;
	int fd = open_path(f->settings->path);

	if (fd < 0) {
		explain(fd);
		return fd;
	}
	close(f->lines.fd);
	f->lines.fd = fd;
	f->lines.rest_length = 0;
	return 0;
}

static int flush_file(void *state)
{
	struct file *f = state;

	if (!f->settings->fsync || !fdatasync(f->lines.fd) || errno == EINVAL) /* EINVAL: not on a disk */
		return 0;
	return -errno;
}

static void close_file(void *state)
{
	struct file *f = state;

	close(f->lines.fd);
	free(f);
}

const struct output_ops output_file = {
	.name = "file",
	.help = "appends lines to a file",
	.keys = OPTION_GROUP(keys),
	.settings_size = sizeof(struct file_settings),
	.target = target,
	.exclusive = true,
	.check = check,
	.open = open_file,
	.write = write_file,
	.reopen = reopen_file,
	.flush = flush_file,
	.close = close_file,
};
