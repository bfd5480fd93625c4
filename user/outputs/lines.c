/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const lines_formats[] = {"json", "text", NULL};

format_event *lines_format(const void *settings)
{
	const struct lines_settings *s = settings;

	return s->text ? format_text : format_json;
}

/* Returns how many bytes were written; if not all, sets *error. */
static size_t write_all(int fd, const char *bytes, size_t length, int *error)
{
	struct pollfd full = {.fd = fd, .events = POLLOUT};
	size_t out = 0;
	ssize_t n;

	while (out < length) {
		n = write(fd, bytes + out, length - out);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && poll(&full, 1, -1) >= 0)
			continue; /* another process sharing this file made it non-blocking; this thread may block */
		if (n < 0) {
			*error = errno;
			break;
		}
		out += (size_t)n;
	}
	return out;
}

/* Removes the last `length` bytes that we wrote, unless others have appended to the file since. */
static bool take_back(int fd, size_t length)
{
	off_t end = lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size != end || end < (off_t)length)
		return false;
	return !ftruncate(fd, end - (off_t)length) && lseek(fd, -(off_t)length, SEEK_CUR) >= 0;
}

static bool finish_rest(struct lines *lines, int *error)
{
	size_t out = write_all(lines->fd, lines->rest, lines->rest_length, error);

	lines->rest_length -= out;
	memmove(lines->rest, lines->rest + out, lines->rest_length);
	return !lines->rest_length;
}

size_t lines_write(struct lines *lines, const struct iovec *entries, size_t n, int *error)
{
	size_t length = 0, out, whole = 0, i = 0;

	if (!finish_rest(lines, error))
		return 0;
	for (size_t each = 0; each < n; each++)
		length += entries[each].iov_len;
	out = write_all(lines->fd, entries[0].iov_base, length, error);
	while (i < n && whole + entries[i].iov_len <= out)
		whole += entries[i++].iov_len;
	if (out == whole || take_back(lines->fd, out - whole))
		return i;
	lines->rest_length = entries[i].iov_len - (out - whole);
	memcpy(lines->rest, (const char *)entries[i].iov_base + (out - whole), lines->rest_length);
	return i + 1;
}
