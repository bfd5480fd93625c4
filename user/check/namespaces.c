/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "check/namespaces.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIDS 4 /* tasks per namespace, because one may exit or deny us access */

struct namespace
{
	__u32 netns;
	__u32 tids[TIDS];
	unsigned n;
	char *path; /* its mount; NULL: none */
};

struct namespaces {
	struct namespace *list;
	size_t n, room, last;
	int home; /* descriptor of our own */
	__u32 home_netns;
};

/* Finds or adds the entry of this namespace; NULL when out of memory. */
static struct namespace *entry(struct namespaces *s, __u32 netns)
{
	if (s->last < s->n && s->list[s->last].netns == netns)
		return &s->list[s->last];
	for (s->last = 0; s->last < s->n; s->last++)
		if (s->list[s->last].netns == netns)
			return &s->list[s->last];
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct namespace *list = realloc(s->list, room * sizeof(*list));

		if (!list)
			return NULL;
		s->list = list;
		s->room = room;
	}
	s->list[s->n] = (struct namespace){.netns = netns};
	return &s->list[s->n++];
}

int namespaces_note(struct namespaces *s, __u32 netns, __u32 tid)
{
	struct namespace *found = entry(s, netns);

	if (!found)
		return -ENOMEM;
	if (found->n < TIDS)
		found->tids[found->n++] = tid;
	return 0;
}

/* mountinfo writes a space as "\040". */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '\\' && isdigit((unsigned char)text[1]) && isdigit((unsigned char)text[2]) &&
		    isdigit((unsigned char)text[3])) {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0');
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* A line of mountinfo: ID PARENT DEVICE net:[INODE] PATH ... */
static int note_mount(struct namespaces *s, const char *line)
{
	char *path = malloc(strlen(line) + 1);
	struct namespace *found;
	unsigned netns;
	int err = 0;

	if (!path)
		return -ENOMEM;
	if (sscanf(line, "%*d %*d %*s net:[%u] %s", &netns, path) == 2) {
		unescape(path);
		found = entry(s, netns);
		if (!found)
			err = -ENOMEM;
		else if (!found->path)
			found->path = strdup(path);
	}
	free(path);
	return err;
}

static int note_mounts(struct namespaces *s)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	while (f && !err && getline(&line, &size, f) > 0)
		err = note_mount(s, line);
	free(line);
	if (f)
		fclose(f);
	return err;
}

struct namespaces *namespaces_new(void)
{
	struct namespaces *s = calloc(1, sizeof(*s));
	struct stat st;

	if (!s)
		return NULL;
	s->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (s->home >= 0 && !fstat(s->home, &st))
		s->home_netns = (__u32)st.st_ino;
	if (!entry(s, s->home_netns) || note_mounts(s)) {
		namespaces_free(s);
		return NULL;
	}
	return s;
}

void namespaces_free(struct namespaces *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->list[i].path);
	if (s->home >= 0)
		close(s->home);
	free(s->list);
	free(s);
}

/* --- /proc --- */

static int note_tasks(struct namespaces *s, DIR *process)
{
	int fd = openat(dirfd(process), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *tasks = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *each;
	char name[280];
	struct stat st;

	while (tasks && !err && (each = readdir(tasks))) {
		snprintf(name, sizeof(name), "%s/ns/net", each->d_name);
		if (isdigit((unsigned char)*each->d_name) && !fstatat(dirfd(tasks), name, &st, 0))
			err = namespaces_note(s, (__u32)st.st_ino, (__u32)atoi(each->d_name));
	}
	if (tasks)
		closedir(tasks);
	return err;
}

int namespaces_note_all(struct namespaces *s)
{
	DIR *proc = opendir("/proc"), *process;
	struct dirent *each;
	int err = 0, fd;

	while (proc && !err && (each = readdir(proc))) {
		if (!isdigit((unsigned char)*each->d_name))
			continue;
		fd = openat(dirfd(proc), each->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		process = fd >= 0 ? fdopendir(fd) : NULL;
		if (!process)
			continue;
		err = note_tasks(s, process);
		closedir(process);
	}
	if (proc)
		closedir(proc);
	return err;
}

/* --- visits --- */

static bool enter_path(const char *path, __u32 netns)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool entered = fd >= 0 && !fstat(fd, &st) && (__u32)st.st_ino == netns && !setns(fd, CLONE_NEWNET);

	if (fd >= 0)
		close(fd);
	return entered;
}

static bool enter(const struct namespaces *s, const struct namespace *to)
{
	char path[48];

	if (to->netns == s->home_netns)
		return true;
	for (unsigned i = 0; i < to->n; i++) {
		snprintf(path, sizeof(path), "/proc/%u/ns/net", to->tids[i]);
		if (enter_path(path, to->netns))
			return true;
	}
	return to->path && enter_path(to->path, to->netns);
}

/* An unvisited namespace that has become empty does not count as unseen: its tasks exited or moved meanwhile. */
static bool is_gone(const struct namespace *to)
{
	char path[48];
	struct stat st;

	for (unsigned i = 0; i < to->n; i++) {
		snprintf(path, sizeof(path), "/proc/%u/ns/net", to->tids[i]);
		if (!stat(path, &st) ? (__u32)st.st_ino == to->netns : errno == EACCES || errno == EPERM)
			return false;
	}
	return !to->path;
}

int namespaces_each(struct namespaces *s, __u32 only, namespaces_visit *visit, void *context, unsigned *unseen)
{
	int err = 0, result;

	*unseen = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct namespace *to = &s->list[i];

		if (only && to->netns != only)
			continue;
		if (!enter(s, to)) {
			*unseen += !is_gone(to);
			continue;
		}
		result = visit(context, to->netns);
		err = err ? err : result;
		if (to->netns != s->home_netns && setns(s->home, CLONE_NEWNET))
			return -errno;
	}
	return err;
}
