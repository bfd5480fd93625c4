/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An INI file, read by libinih, with what that does not say: in which line each thing stands, and every line
 * that it does not understand. Lines may be indented; # and ; begin a comment, ; after a space too.
 */
#ifndef LOSTPEER_INI_FILE_H
#define LOSTPEER_INI_FILE_H

struct ini_file_ops {
	/* NULL, or what is wrong. */
	const char *(*section)(void *context, const char *title, unsigned line);
	const char *(*key)(void *context, const char *key, const char *value, unsigned line);
	/* Gets what is wrong, of these and of the form. */
	void (*error)(void *context, unsigned line, const char *why);
};

/* 0, or a negative errno: then nothing was read. -ENOTSUP: built without libinih. */
int ini_file_read(const char *path, const struct ini_file_ops *ops, void *context);
const char *ini_file_error(int err);

#endif
