/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/place.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER_ID_LEN 64
#define WORD_MAX (PLACE_NAME_LEN - 1)

static const char *const runtime_names[] = {
	[RUNTIME_NONE] = "",      [RUNTIME_DOCKER] = "docker", [RUNTIME_CONTAINERD] = "containerd",
	[RUNTIME_CRIO] = "cri-o", [RUNTIME_PODMAN] = "podman", [RUNTIME_RUNC] = "runc",
	[RUNTIME_CRUN] = "crun",  [RUNTIME_LXC] = "lxc",       [RUNTIME_NSPAWN] = "systemd-nspawn",
};
static_assert(sizeof(runtime_names) / sizeof(*runtime_names) == RUNTIME_COUNT, "a name for each runtime");

const struct place place_unknown;

const char *place_runtime_name(enum place_runtime runtime)
{
	return runtime_names[runtime];
}

/* --- words: the components of a path --- */

struct word {
	const char *text;
	size_t length;
};

/* The next component; length 0 after the last. */
static struct word next_word(const char **path)
{
	struct word word;

	*path += strspn(*path, "/");
	word = (struct word){*path, strcspn(*path, "/")};
	*path += word.length;
	return word;
}

static bool begins(struct word word, const char *prefix)
{
	return word.length >= strlen(prefix) && !strncmp(word.text, prefix, strlen(prefix));
}

static bool ends(struct word word, const char *suffix)
{
	size_t n = strlen(suffix);

	return word.length >= n && !strncmp(word.text + word.length - n, suffix, n);
}

static bool is(struct word word, const char *text)
{
	return word.length == strlen(text) && begins(word, text);
}

static struct word inner(struct word word, const char *prefix, const char *suffix)
{
	return (struct word){word.text + strlen(prefix), word.length - strlen(prefix) - strlen(suffix)};
}

static void keep(char to[PLACE_NAME_LEN], struct word word)
{
	if (word.length <= WORD_MAX)
		snprintf(to, PLACE_NAME_LEN, "%.*s", (int)word.length, word.text);
}

static bool is_hex(struct word word, size_t length)
{
	if (word.length != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isdigit((unsigned char)word.text[i]) && (word.text[i] < 'a' || word.text[i] > 'f'))
			return false;
	return true;
}

/* --- systemd: src/basic/cgroup-util.c, cg_path_get_unit() and its kin --- */

static const char *const unit_types[] = {
	".service", ".socket", ".target", ".device", ".mount", ".automount",
	".swap",    ".timer",  ".path",   ".slice",  ".scope",
};

#define UNIT_TYPES (sizeof(unit_types) / sizeof(*unit_types))

bool place_is_unit_type(const char *suffix)
{
	for (size_t i = 0; i < UNIT_TYPES; i++)
		if (!strcmp(suffix, unit_types[i]))
			return true;
	return false;
}

/* The name of a unit, not of a template. systemd puts "_" before names that the kernel uses itself. */
static bool is_unit(struct word *word)
{
	struct word name = *word;
	const char *at;
	size_t type = 0;

	if (name.length && *name.text == '_')
		name = (struct word){name.text + 1, name.length - 1};
	if (!name.length || name.length > WORD_MAX || *name.text == '@')
		return false;
	while (type < UNIT_TYPES && !ends(name, unit_types[type]))
		type++;
	if (type == UNIT_TYPES || name.length == strlen(unit_types[type]))
		return false;
	for (size_t i = 0; i < name.length; i++)
		if (!isalnum((unsigned char)name.text[i]) && !strchr(":-_.\\@", name.text[i]))
			return false;
	at = memchr(name.text, '@', name.length);
	if (at && at + 1 == name.text + name.length - strlen(unit_types[type]))
		return false;
	*word = name;
	return true;
}

/* The unit after the leading slices of *path, and the last of these slices; *path then points behind the unit. */
static bool read_unit(const char **path, struct word *unit, struct word *slice)
{
	*slice = (struct word){"", 0};
	while ((*unit = next_word(path)).length && is_unit(unit) && ends(*unit, ".slice"))
		*slice = *unit;
	return unit->length && is_unit(unit);
}

static bool is_user_manager(struct word unit)
{
	struct word uid = inner(unit, "user@", ".service");

	if (!begins(unit, "user@") || !ends(unit, ".service"))
		return false;
	for (size_t i = 0; i < uid.length; i++)
		if (!isdigit((unsigned char)uid.text[i]))
			return false;
	return true;
}

static void read_units(const char *path, struct place *place)
{
	struct word unit, slice;
	bool found = read_unit(&path, &unit, &slice);

	keep(place->slice, slice);
	if (!found)
		return;
	keep(place->system_unit, unit);
	keep(place->unit, unit);
	/* init.scope is the user manager itself: user@1000.service says more */
	if (is_user_manager(unit) && read_unit(&path, &unit, &slice) && !is(unit, "init.scope")) {
		keep(place->unit, unit);
		keep(place->slice, slice);
	}
}

/* --- containers --- */

enum id { ID_HASH, ID_NAME, ID_MACHINE };

static const struct {
	const char *prefix, *suffix;
	enum place_runtime runtime;
	enum id id;
} patterns[] = {
	{"docker-", ".scope", RUNTIME_DOCKER, ID_HASH},
	{"cri-containerd-", ".scope", RUNTIME_CONTAINERD, ID_HASH},
	{"nerdctl-", ".scope", RUNTIME_CONTAINERD, ID_HASH},
	{"crio-", ".scope", RUNTIME_CRIO, ID_HASH}, /* not crio-conmon-ID.scope, its monitor outside */
	{"crio-", "", RUNTIME_CRIO, ID_HASH},
	{"libpod-", ".scope", RUNTIME_PODMAN, ID_HASH},
	{"libpod-", "", RUNTIME_PODMAN, ID_HASH},
	{"libpod-payload-", "", RUNTIME_PODMAN, ID_HASH},
	{"runc-", ".scope", RUNTIME_RUNC, ID_NAME},
	{"crun-", ".scope", RUNTIME_CRUN, ID_NAME},
	{"lxc.payload.", "", RUNTIME_LXC, ID_NAME},
	{"machine-", ".scope", RUNTIME_NSPAWN, ID_MACHINE},
	{"systemd-nspawn@", ".service", RUNTIME_NSPAWN, ID_MACHINE},
};
#define PATTERNS (sizeof(patterns) / sizeof(*patterns))

/* Undoes the escaping of systemd: "-" for "/", and \x2d for "-". */
static void keep_unescaped(char to[PLACE_NAME_LEN], struct word word)
{
	size_t n = 0;

	for (size_t i = 0; i < word.length && n < WORD_MAX; i++) {
		char hex[3] = "";

		if (word.text[i] == '\\' && i + 3 < word.length && word.text[i + 1] == 'x') {
			memcpy(hex, word.text + i + 2, 2);
			i += 3;
			to[n++] = (char)strtol(hex, NULL, 16);
		} else {
			to[n++] = word.text[i] == '-' ? '/' : word.text[i];
		}
	}
	to[n] = '\0';
}

static void keep_container(struct place *place, struct word id, enum place_runtime runtime)
{
	keep(place->container, id);
	place->runtime = runtime;
}

/* False for the machines of libvirt, and for the supervisor of systemd-nspawn, which runs outside the container. */
static bool is_machine(struct word name, struct word child)
{
	return !begins(name, "qemu\\x2d") && !begins(name, "lxc\\x2d") && !is(child, "supervisor");
}

static bool read_pattern(struct word word, struct word child, struct place *place)
{
	struct word id;

	for (size_t i = 0; i < PATTERNS; i++) {
		if (!begins(word, patterns[i].prefix) || !ends(word, patterns[i].suffix) ||
		    word.length <= strlen(patterns[i].prefix) + strlen(patterns[i].suffix))
			continue;
		id = inner(word, patterns[i].prefix, patterns[i].suffix);
		if (patterns[i].id == ID_HASH && !is_hex(id, CONTAINER_ID_LEN))
			continue;
		if (patterns[i].id == ID_MACHINE && !is_machine(id, child))
			return false;
		keep_container(place, id, patterns[i].runtime);
		if (patterns[i].id == ID_MACHINE)
			keep_unescaped(place->container, id);
		return true;
	}
	return false;
}

/* runc without systemd uses the form of systemd as a name: "SLICE:PREFIX:ID". */
static bool read_triple(struct word word, struct place *place)
{
	const char *first = memchr(word.text, ':', word.length), *second;
	struct word id, prefix;

	second = first ? memchr(first + 1, ':', word.length - (size_t)(first + 1 - word.text)) : NULL;
	if (!second)
		return false;
	prefix = (struct word){first + 1, (size_t)(second - first - 1)};
	id = (struct word){second + 1, word.length - (size_t)(second + 1 - word.text)};
	if (!is_hex(id, CONTAINER_ID_LEN))
		return false;
	keep_container(place, id, RUNTIME_NONE);
	for (size_t i = 0; i < PATTERNS; i++)
		if (strlen(patterns[i].prefix) == prefix.length + 1 &&
		    !strncmp(patterns[i].prefix, prefix.text, prefix.length))
			place->runtime = patterns[i].runtime;
	return true;
}

bool place_is_hash(const char *container)
{
	return is_hex((struct word){container, strlen(container)}, CONTAINER_ID_LEN);
}

static void read_container(struct word parent, struct word word, struct word child, struct place *place)
{
	if (read_pattern(word, child, place) || read_triple(word, place))
		return;
	if (is_hex(word, CONTAINER_ID_LEN)) /* the cgroupfs driver of Kubernetes does not show the runtime */
		keep_container(place, word, is(parent, "docker") ? RUNTIME_DOCKER : RUNTIME_NONE);
	else if (is(parent, "lxc") || is(parent, "lxc.payload"))
		keep_container(place, word, RUNTIME_LXC);
}

/* --- Kubernetes --- */

/* A UUID, with "_" for "-" in the name of a slice, or 32 digits for a static pod. */
static void keep_pod(struct place *place, struct word uid)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	char text[sizeof(form)];

	if (is_hex(uid, 32)) {
		snprintf(place->pod, sizeof(place->pod), "%.*s", (int)uid.length, uid.text);
		return;
	}
	if (uid.length != strlen(form))
		return;
	for (size_t i = 0; i <= uid.length; i++)
		text[i] = i == uid.length ? '\0' : uid.text[i] == '_' ? '-' : uid.text[i];
	for (size_t i = 0; i < uid.length; i++)
		if (form[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return;
	strcpy(place->pod, text);
}

/* "pod" UID below kubepods (cgroupfs), or kubepods-burstable-pod UID.slice (systemd). */
static void read_pod(struct word word, bool in_kubepods, struct place *place)
{
	struct word rest = word;

	if (in_kubepods && begins(word, "pod")) {
		keep_pod(place, inner(word, "pod", ""));
		return;
	}
	if (!in_kubepods || !ends(word, ".slice"))
		return;
	for (; rest.length > strlen("-pod"); rest.text++, rest.length--)
		if (begins(rest, "-pod"))
			keep_pod(place, inner(rest, "-pod", ".slice"));
}

static bool is_kubepods(struct word word)
{
	return memmem(word.text, word.length, "kubepods", strlen("kubepods")) != NULL;
}

const char *place_cgroup_path(const char *line)
{
	return strchr(line, '/');
}

void place_read(const char *path, struct place *place)
{
	struct word parent = {"", 0}, word, child;
	bool in_kubepods = false;

	memset(place, 0, sizeof(*place));
	read_units(path, place);
	for (word = next_word(&path); word.length; parent = word, word = child) {
		child = next_word(&path);
		in_kubepods = in_kubepods || is_kubepods(word);
		read_pod(word, in_kubepods, place);
		read_container(parent, word, child, place);
	}
}
