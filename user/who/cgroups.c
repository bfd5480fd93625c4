/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"
#include "who/containers.h"
#include "kernel/remembered.h"
#include "who/process.h"
#include "base/text_cache.h"

#define CGROUP_NAMESPACE_INIT 0xEFFFFFFB /* include/linux/proc_ns.h: PROC_CGROUP_INIT_INO */
#define FILEID_KERNFS 0xfe               /* include/linux/exportfs.h: the id of the kernfs node */

struct cgroups {
	__u32 hierarchy;
	char name[32]; /* "0::", "9:name=systemd:" */
	char *mount;   /* mount point of the hierarchy; NULL: none visible to us */
	int root;      /* descriptor of the mount point; -1: none */
	struct containers *containers;
	struct text_cache by_id, by_process; /* paths */
};

/* --- what this host has --- */

/* A container's cgroup namespace shows other paths. The privilege to watch is enough to leave it. */
static void enter_first_namespace(void)
{
	struct stat st;
	int fd;

	if (stat("/proc/self/ns/cgroup", &st) || st.st_ino == CGROUP_NAMESPACE_INIT)
		return;
	fd = open("/proc/1/ns/cgroup", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && setns(fd, CLONE_NEWCGROUP))
		say(0, "cannot leave this cgroup namespace: %s; cgroups may stay unnamed", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The number of systemd's v1 hierarchy, from the line "9:name=systemd:/path" of /proc/self/cgroup; 0: none. */
static __u32 find_named(void)
{
	char line[4096];
	unsigned number, found = 0;
	int end;
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && fgets(line, sizeof(line), f)) {
		end = 0;
		if (sscanf(line, "%u:name=systemd:%n", &number, &end) == 1 && end)
			found = number;
	}
	if (f)
		fclose(f);
	return found;
}

/* A line of /proc/self/mountinfo: ID PARENT DEVICE ROOT MOUNT OPTIONS... - TYPE SOURCE OPTIONS. */
static char *mount_of(const char *line, bool named)
{
	const char *rest = strstr(line, " - "), *type = named ? " - cgroup " : " - cgroup2 ";
	char root[8], *mount;

	if (!rest || strncmp(rest, type, strlen(type)) || (named && !strstr(rest, "name=systemd")))
		return NULL;
	mount = malloc(strlen(line) + 1);
	if (mount && (sscanf(line, "%*d %*d %*s %7s %s", root, mount) != 2 || strcmp(root, "/"))) {
		free(mount);
		return NULL;
	}
	return mount;
}

static char *find_mount(bool named)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *mount = NULL;
	size_t size = 0;

	while (f && !mount && getline(&line, &size, f) > 0)
		mount = mount_of(line, named);
	free(line);
	if (f)
		fclose(f);
	return mount;
}

struct cgroups *cgroups_new(void)
{
	struct cgroups *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	enter_first_namespace();
	c->hierarchy = find_named();
	snprintf(c->name, sizeof(c->name), c->hierarchy ? "%u:name=systemd:" : "%u::", c->hierarchy);
	c->mount = find_mount(c->hierarchy != 0);
	c->containers = containers_new(c->mount);
	c->root = c->mount ? open(c->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (!c->containers) {
		cgroups_free(c);
		return NULL;
	}
	return c;
}

void cgroups_free(struct cgroups *c)
{
	if (!c)
		return;
	text_cache_clear(&c->by_id);
	text_cache_clear(&c->by_process);
	if (c->root >= 0)
		close(c->root);
	containers_free(c->containers);
	free(c->mount);
	free(c);
}

const char *cgroups_mount(const struct cgroups *c)
{
	return c->mount;
}

__u32 cgroups_hierarchy(const struct cgroups *c)
{
	return c->hierarchy;
}

static bool recall(const struct text_cache *seen, __u64 id, __u64 start_boot_ns, __u64 since_ns,
		   char path[LP_CGROUP_PATH])
{
	const char *kept = text_cache_recall(seen, id, start_boot_ns, since_ns);

	if (kept)
		strcpy(path, kept);
	return kept != NULL;
}

/* --- by id --- */

/* The id of a cgroup is a file handle, such as an NFS server gives to its clients. */
static bool open_by_id(const struct cgroups *c, __u64 id, char path[LP_CGROUP_PATH])
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} h = {.handle = {.handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS}};
	char name[32], full[PATH_MAX];
	size_t mount;
	ssize_t n;
	int fd;

	if (c->root < 0)
		return false;
	memcpy(h.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(c->root, &h.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, full, sizeof(full) - 1);
	close(fd);
	full[n > 0 ? n : 0] = '\0';
	mount = strlen(c->mount);
	if (strncmp(full, c->mount, mount) || (full[mount] != '/' && full[mount]) ||
	    strlen(full + mount) >= LP_CGROUP_PATH || strstr(full, " (deleted)"))
		return false;
	strcpy(path, full[mount] ? full + mount : "/");
	return true;
}

/* A v2 cgroup keeps its path for life and its id is never reused; a v1 cgroup can be renamed. The BPF programs are
 * asked twice: they note a removed cgroup right after the file system forgets it, which may happen between the two
 * lookups. */
static bool find_by_id(struct cgroups *c, const struct kernel *kernel, __u64 id, __u64 since_ns,
		       char path[LP_CGROUP_PATH])
{
	__u64 now = clock_monotonic_ns();

	if (!id)
		return false;
	if (recall(&c->by_id, id, 0, c->hierarchy ? since_ns : 0, path))
		return true;
	if (!remembered_gone_cgroup(kernel, id, path) && !open_by_id(c, id, path) &&
	    !remembered_gone_cgroup(kernel, id, path))
		return false;
	text_cache_remember(&c->by_id, id, 0, now, path);
	return true;
}

/* --- by process --- */

/* Reads the line of this hierarchy in /proc/PID/cgroup. It counts only if the process still lives: v1 shows "/" for an
 * exiting process. */
static bool read_proc(const struct cgroups *c, const struct lp_task *task, char path[LP_CGROUP_PATH])
{
	char name[40], *line = NULL, *end;
	size_t size = 0, known = strlen(c->name);
	bool found = false;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%u/cgroup", task->tgid);
	f = fopen(name, "re");
	while (f && !found && getline(&line, &size, f) > 0) {
		end = strchr(line, '\n');
		if (strncmp(line, c->name, known) || !end || end - line - (ptrdiff_t)known >= LP_CGROUP_PATH)
			continue;
		*end = '\0';
		strcpy(path, line + known);
		found = true;
	}
	free(line);
	if (f)
		fclose(f);
	/* "/.." is outside our namespace's root: we could not enter the first namespace */
	return found && strncmp(path, "/..", 3) && process_lives(task);
}

static bool find_by_process(struct cgroups *c, const struct lp_task *task, __u64 since_ns, char path[LP_CGROUP_PATH])
{
	__u64 now = clock_monotonic_ns();

	if (recall(&c->by_process, task->tgid, task->start_boot_ns, since_ns, path))
		return true;
	if (!read_proc(c, task, path))
		return false;
	text_cache_remember(&c->by_process, task->tgid, task->start_boot_ns, now, path);
	return true;
}

static bool find_path(struct cgroups *c, const struct kernel *kernel, const struct lp_task *task, __u64 since_ns,
		      char path[LP_CGROUP_PATH])
{
	if (!c->hierarchy)
		return find_by_id(c, kernel, task->cgroup_id, since_ns, path) ||
		       find_by_process(c, task, since_ns, path);
	if (recall(&c->by_process, task->tgid, task->start_boot_ns, since_ns, path))
		return true;
	/* again, because the process may exit between the two lookups */
	for (int i = 0; i < 2; i++)
		if (find_by_id(c, kernel, remembered_exit_cgroup(kernel, task->tgid, task->start_boot_ns), since_ns,
			       path) ||
		    find_by_process(c, task, since_ns, path))
			return true;
	return false;
}

bool cgroups_find(struct cgroups *c, const struct kernel *kernel, const struct lp_task *task, __u64 since_ns,
		  struct place *place)
{
	char path[LP_CGROUP_PATH];

	memset(place, 0, sizeof(*place));
	if (!find_path(c, kernel, task, since_ns, path))
		return false;
	place_read(path, place);
	snprintf(place->cgroup, sizeof(place->cgroup), "%s%s", c->name, path);
	if (!place->runtime && !*place->container)
		containers_find(c->containers, kernel, path, place);
	return true;
}
