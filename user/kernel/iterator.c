/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/iterator.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int iterator_run(struct bpf_program *program, union bpf_iter_link_info *info, size_t size,
		 void (*each)(void *context, const void *item), void *context)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = info, .link_info_len = info ? sizeof(*info) : 0);
	struct bpf_link *link = bpf_program__attach_iter(program, &opts);
	char buffer[32768]; /* as the kernel's own */
	size_t have = 0, at;
	ssize_t n;
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	bpf_link__destroy(link);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buffer + have, sizeof(buffer) - have)) > 0 || (n < 0 && errno == EAGAIN)) {
		have += n > 0 ? (size_t)n : 0;
		for (at = 0; at + size <= have; at += size)
			each(context, buffer + at);
		memmove(buffer, buffer + at, have - at);
		have -= at;
	}
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}
