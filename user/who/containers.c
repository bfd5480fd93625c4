/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/containers.h"

#include <dirent.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/remembered.h"

/* The BPF programs remember as many of those that start later. Containers beyond that stay unnamed. */
#define CONTAINERS_MAX LP_MADE_CGROUPS

struct containers {
	unsigned count;
	struct {
		char *path;
		enum place_runtime runtime;
	} of[CONTAINERS_MAX];
};

/* Where runc and crun keep the state of a container, if root runs them without --root. */
static const struct {
	enum place_runtime runtime;
	const char *directory, *file;
} stores[] = {
	{RUNTIME_RUNC, "/run/runc", "state.json"},
	{RUNTIME_CRUN, "/run/crun", "status"},
};

/* runc: {"cgroup_paths": {"name=systemd": "/sys/fs/cgroup/systemd/NAME", ...}}, with an empty key for cgroup v2;
 * crun: {"cgroup-path": "/NAME"}. */
static const char *cgroup_of(struct json_object *state, const char *mount)
{
	struct json_object *paths = json_object_object_get(state, "cgroup_paths"), *path;
	const char *text;

	if (json_object_is_type(paths, json_type_object)) {
		path = json_object_object_get(paths, "name=systemd");
		path = path ? path : json_object_object_get(paths, "");
		text = json_object_get_string(path);
		if (!text || !mount || strncmp(text, mount, strlen(mount)))
			return NULL;
		text += strlen(mount);
	} else {
		text = json_object_get_string(json_object_object_get(state, "cgroup-path"));
	}
	return text && *text == '/' ? text : NULL;
}

static void add(struct containers *c, const char *file, enum place_runtime runtime, const char *mount)
{
	struct json_object *state = json_object_from_file(file);
	const char *path = json_object_is_type(state, json_type_object) ? cgroup_of(state, mount) : NULL;

	if (path && c->count < CONTAINERS_MAX) {
		c->of[c->count].runtime = runtime;
		c->of[c->count].path = strdup(path);
		c->count += c->of[c->count].path != NULL;
	}
	json_object_put(state);
}

struct containers *containers_new(const char *mount)
{
	struct containers *c = calloc(1, sizeof(*c));
	char file[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	for (size_t i = 0; c && i < sizeof(stores) / sizeof(*stores); i++) {
		directory = opendir(stores[i].directory);
		while (directory && (entry = readdir(directory))) {
			if (*entry->d_name == '.')
				continue;
			snprintf(file, sizeof(file), "%s/%s/%s", stores[i].directory, entry->d_name, stores[i].file);
			add(c, file, stores[i].runtime, mount);
		}
		if (directory)
			closedir(directory);
	}
	return c;
}

void containers_free(struct containers *c)
{
	for (unsigned i = 0; c && i < c->count; i++)
		free(c->of[i].path);
	free(c);
}

static enum place_runtime runtime_of(const struct containers *c, const struct kernel *kernel, const char *path,
				     size_t length)
{
	static const enum place_runtime runtimes[LP_MAKER_COUNT] = {
		[LP_MAKER_RUNC] = RUNTIME_RUNC,
		[LP_MAKER_CRUN] = RUNTIME_CRUN,
	};
	enum lp_maker maker = remembered_cgroup_maker(kernel, path, length);

	if (maker)
		return runtimes[maker];
	for (unsigned i = 0; i < c->count; i++)
		if (strlen(c->of[i].path) == length && !strncmp(c->of[i].path, path, length))
			return c->of[i].runtime;
	return RUNTIME_NONE;
}

void containers_find(const struct containers *c, const struct kernel *kernel, const char *path, struct place *place)
{
	size_t length = strlen(path);
	const char *name;

	for (; length > 1 && (name = memrchr(path, '/', length)); length = (size_t)(name - path)) {
		place->runtime = runtime_of(c, kernel, path, length);
		if (!place->runtime)
			continue;
		snprintf(place->container, sizeof(place->container), "%.*s", (int)(path + length - name - 1), name + 1);
		return;
	}
}
