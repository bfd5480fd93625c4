/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads an INI file with libinih, and adds what libinih lacks: line numbers, and an error for every line that it does
 * not understand. Lines may be indented. # and ; begin a comment, also after a value and a space.
 */
#ifndef LOSTPEER_INI_FILE_H
#define LOSTPEER_INI_FILE_H

struct ini_file_ops {
	/* These return NULL, or what is wrong. */
	const char *(*section)(void *context, const char *title, unsigned line);
	const char *(*key)(void *context, const char *key, const char *value, unsigned line);
	/* Called with every error, from the functions above or of syntax. */
	void (*error)(void *context, unsigned line, const char *why);
};

/* 0, or a negative errno if nothing was read. -ENOTSUP: built without libinih. */
int ini_file_read(const char *path, const struct ini_file_ops *ops, void *context);
const char *ini_file_error(int err);

#endif
