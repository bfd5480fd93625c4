/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/probe.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/say.h"

#define PID_NAMESPACE_INIT 0xEFFFFFFC /* include/linux/proc_ns.h: PROC_PID_INIT_INO */

/* Arguments of a tracepoint, 0 if there is none: btf_trace_NAME is a pointer to a function whose first argument
 * is the context. */
static int tracepoint_args(const struct btf *btf, const char *name)
{
	char type_name[64];
	const struct btf_type *type;
	int id;

	snprintf(type_name, sizeof(type_name), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, type_name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return 0;
	type = btf__type_by_id(btf, btf__type_by_id(btf, (__u32)id)->type);
	type = btf__type_by_id(btf, type->type);
	return btf_vlen(type) - 1;
}

static bool has_helper(const struct btf *btf, const char *enumerator)
{
	int id = btf__find_by_name_kind(btf, "bpf_func_id", BTF_KIND_ENUM);
	const struct btf_type *type;
	const struct btf_enum *e;

	if (id < 0)
		return false;
	type = btf__type_by_id(btf, (__u32)id);
	e = btf_enum(type);
	for (int i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, e[i].name_off), enumerator))
			return true;
	return false;
}

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

static bool has_member(const struct btf *btf, const char *type_name, const char *member)
{
	int id = btf__find_by_name_kind(btf, type_name, BTF_KIND_STRUCT);
	const struct btf_type *type;

	if (id < 0)
		return false;
	type = btf__type_by_id(btf, (__u32)id);
	for (int i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), member))
			return true;
	return false;
}

/* Of an enum without a name; 0: there is none. */
static int enumerator_of(const struct btf *btf, const char *name)
{
	__u32 n = btf__type_cnt(btf);

	for (__u32 id = 1; id < n; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const struct btf_enum *e = btf_enum(type);

		if (!btf_is_enum(type) || type->name_off)
			continue;
		for (int i = 0; i < btf_vlen(type); i++)
			if (!strcmp(btf__name_by_offset(btf, e[i].name_off), name))
				return e[i].val;
	}
	return 0;
}

/* BTF does not show it. Only the number of copies of a program depends on it, so the release will do. */
static bool is_preemptible(void)
{
	struct utsname name;

	return !uname(&name) && atoi(name.release) >= 7;
}

static struct kernel_features features_of(const struct btf *btf)
{
	return (struct kernel_features){
#define FEATURE(name, probed, ...) .name = probed,
#define DETAIL(name, probed) .name = probed,
#include "kernel/features.def"
	};
}

/* Kernels number the reasons differently, but agree on the names. */
static void read_reasons(const struct btf *btf, struct reset_reasons *reasons)
{
	static const char prefix[] = "SK_RST_REASON_";
	int id = btf__find_by_name_kind(btf, "sk_rst_reason", BTF_KIND_ENUM);
	const struct btf_type *type;
	const struct btf_enum *e;
	const char *name;

	if (id < 0)
		return;
	type = btf__type_by_id(btf, (__u32)id);
	e = btf_enum(type);
	for (int i = 0; i < btf_vlen(type); i++) {
		name = btf__name_by_offset(btf, e[i].name_off);
		if (e[i].val >= 0 && e[i].val < RESET_REASONS_MAX && !strncmp(name, prefix, strlen(prefix)))
			snprintf(reasons->names[e[i].val], sizeof(reasons->names[0]), "%s", name + strlen(prefix));
	}
}

/* LOSTPEER_WITHOUT=send_reset,cookie: for tests, as if this kernel lacked them. */
static int hide(struct kernel_features *features)
{
	const char *names = getenv("LOSTPEER_WITHOUT"), *wrong = feature_hide(features, names);

	if (wrong)
		return say(-EINVAL, "LOSTPEER_WITHOUT: %s", wrong);
	return names && *names ? say(0, "without %s, as LOSTPEER_WITHOUT asks", names) : 0;
}

int probe(struct kernel_features *features, struct reset_reasons *reasons)
{
	struct btf *btf = btf__load_vmlinux_btf();

	memset(features, 0, sizeof(*features));
	if (btf)
		*features = features_of(btf);
	if (btf && reasons) {
		read_reasons(btf, reasons);
		reasons->mib_overflows = enumerator_of(btf, "LINUX_MIB_LISTENOVERFLOWS");
		reasons->mib_drops = enumerator_of(btf, "LINUX_MIB_LISTENDROPS");
	}
	btf__free(btf); /* some MiB, of no further use */
	return hide(features);
}

bool probe_pid_namespace_is_first(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) || st.st_ino == PID_NAMESPACE_INIT;
}

bool probe_sees_every_process(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	bool sees = true;
	char path[300];
	struct stat st;

	while (proc && sees && (entry = readdir(proc))) {
		if (*entry->d_name < '1' || *entry->d_name > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		sees = !stat(path, &st) || (errno != EACCES && errno != EPERM);
	}
	if (proc)
		closedir(proc);
	return sees;
}
