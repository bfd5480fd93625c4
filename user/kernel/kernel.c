/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/feature.h"
#include "kernel/sockets.h"
#include "kernel/libbpf_log.h"
#include "lostpeer.skel.h"
#include "kernel/iterator.h"

#define PID_NAMESPACE_INIT 0xEFFFFFFC /* include/linux/proc_ns.h: PROC_PID_INIT_INO */

struct kernel {
	struct lostpeer *skeleton;
	struct ring_buffer *ring;
	struct kernel_features features;
	struct wants wants;
	kernel_take *take;
	void *take_context;
	__u64 until_ns; /* of a consume */
	struct reset_reasons reasons;
	__u64 malformed; /* records of another version: cannot happen with one build, and is never hidden */
};

/* --- load and attach --- */

static int say(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int say(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "lostpeer: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	return err;
}

static void choose_programs(struct kernel *k, const struct kernel_options *options)
{
	const struct kernel_features *f = &k->features;
	struct lostpeer *s = k->skeleton;

	bpf_program__set_autoload(s->progs.send_reset, f->send_reset && !f->send_reset_reason);
	bpf_program__set_autoload(s->progs.send_reset_reason, f->send_reset_reason);
	bpf_program__set_autoload(s->progs.error_report, f->error_report);
	bpf_program__set_autoload(s->progs.destroy_sock, f->destroy_sock);
	bpf_program__set_autoload(s->progs.process_fork, f->fork);
	bpf_program__set_autoload(s->progs.retransmit, f->retransmit);
	bpf_program__set_autoload(s->progs.set_state_nested, f->guards_recursion);
	bpf_program__set_autoload(s->progs.set_state_nested_twice, f->guards_recursion && f->preemptible);
	bpf_program__set_autoload(s->progs.destroy_sock_nested,
				  f->destroy_sock && f->guards_recursion && f->preemptible);
	bpf_program__set_autoload(s->progs.cgroup_gone, f->cgroups);
	bpf_program__set_autoload(s->progs.cgroup_made, f->cgroups);
	bpf_program__set_autoload(s->progs.process_exit, options->cgroup_hierarchy != 0);
	bpf_program__set_autoload(s->progs.connect_enter, options->connect_hook);
	bpf_program__set_autoload(s->progs.connect_exit, options->connect_hook);
	bpf_program__set_autoload(s->progs.accept_exit, options->accept_hook);
	bpf_program__set_autoload(s->progs.accept4_exit, options->accept_hook);
	bpf_program__set_autoattach(s->progs.retransmit, false); /* kernel_want() does, if it is wanted */
	/* kernel_take_missed() attaches them */
	bpf_program__set_autoattach(s->progs.set_state_nested, false);
	bpf_program__set_autoattach(s->progs.set_state_nested_twice, false);
	bpf_program__set_autoattach(s->progs.destroy_sock_nested, false);
	/* iterators are run when needed, never attached for good */
	bpf_program__set_autoattach(s->progs.seed_files, false);
	bpf_program__set_autoattach(s->progs.find_holders, false);
	/* run when needed as well */
	bpf_program__set_autoattach(s->progs.look_at_ends, false);
}

static void choose_maps(struct kernel *k, const struct kernel_options *options)
{
	struct lostpeer *s = k->skeleton;

	if (!options->accept_hook)
		bpf_map__set_max_entries(s->maps.acceptors, 1);
	if (!options->connect_hook)
		bpf_map__set_max_entries(s->maps.connects, 1);
	if (!options->cgroup_hierarchy)
		bpf_map__set_max_entries(s->maps.exited, 1);
	if (!options->follow_parent)
		bpf_map__set_max_entries(s->maps.followed, 1);
	if (options->ring_bytes)
		bpf_map__set_max_entries(s->maps.ring, (__u32)options->ring_bytes);
}

/* The slots are shared out; with more CPUs than slots some write to the same. */
static __u32 ended_of_cpu(void)
{
	int cpus = libbpf_num_possible_cpus();
	__u32 each = LP_ENDED;

	while (each > 1 && cpus > 0 && each * (__u32)cpus > LP_ENDED)
		each /= 2;
	return each;
}

static int check_features(const struct kernel_features *f)
{
	if (!f->btf)
		return say(-ENOENT, "this kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF "
				    "and Linux 5.10 or newer");
	if (!f->set_state || !f->receive_reset)
		return say(-ENOTSUP, "this kernel lacks the tracepoint sock:inet_sock_set_state or "
				     "tcp:tcp_receive_reset; `lostpeer doctor` shows what is missing");
	return 0;
}

static int load_error(int err)
{
	if (err == -EPERM || err == -EACCES)
		return say(err,
			   "not permitted to load BPF programs: run as root of the host (not of a user namespace), or "
			   "with CAP_BPF and CAP_PERFMON; `lostpeer doctor` shows what is missing");
	return say(err, "the kernel does not take the BPF programs: %s (LOSTPEER_DEBUG=1 shows why)", strerror(-err));
}

bool kernel_pid_namespace_is_first(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) || st.st_ino == PID_NAMESPACE_INIT;
}

static int check_pid_namespace(void)
{
	if (kernel_pid_namespace_is_first())
		return 0;
	return say(-ENOTSUP, "this is not the host's pid namespace: start it there (for a container: --pid=host)");
}

/* Whether tracefs is there, as our effective rights see it: 0, -ENOENT, or why it cannot be read. */
int kernel_look_for_tracefs(void)
{
	static const char *const ids[] = {
		"/sys/kernel/tracing/events/syscalls/sys_enter_connect/id",
		"/sys/kernel/debug/tracing/events/syscalls/sys_enter_connect/id",
	};
	int err = -ENOENT;

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		if (!faccessat(AT_FDCWD, ids[i], R_OK, AT_EACCESS))
			return 0;
		if (errno != ENOENT)
			err = -errno;
	}
	return err;
}

/* perf tracepoints are attached by an id that only tracefs gives. Where it is not mounted, mount it where nobody
 * else sees it; *home is then the mount namespace to go back to. */
static int need_tracefs(int *home)
{
	int err = kernel_look_for_tracefs();

	*home = -1;
	if (err == -EACCES)
		return say(err,
			   "--connect-hook and --accept-hook cannot read tracefs (/sys/kernel/tracing): run as root, "
			   "or with CAP_DAC_READ_SEARCH");
	if (!err)
		return 0;
	*home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (*home < 0 || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) || kernel_look_for_tracefs())
		return say(-ENOENT,
			   "--connect-hook and --accept-hook need tracefs mounted on /sys/kernel/tracing, and "
			   "CONFIG_FTRACE_SYSCALLS; mounting it failed: %s",
			   strerror(errno));
	return 0;
}

static void leave_tracefs(int home)
{
	if (home < 0)
		return;
	if (setns(home, CLONE_NEWNS))
		say(-errno, "cannot return to the host's mount namespace: %s", strerror(errno));
	close(home);
}

static int on_ring(void *context, void *data, size_t size)
{
	struct kernel *k = context;
	const struct lp_record *record = data;
	struct lp_record copy;

	if (size < sizeof(*record) || record->version != LP_RECORD_VERSION || record->kind >= LP_KIND_COUNT) {
		k->malformed++;
		return 0;
	}
	if (record->socket.cookie && !k->features.cookie) { /* hidden: the programs ask the kernel itself */
		copy = *record;
		copy.socket.cookie = 0;
		record = &copy;
	}
	k->take(k->take_context, record);
	return record->time_ns > k->until_ns ? -ECANCELED : 0;
}

/* What a program is for, of those that an agent can do without. */
static const char *feature_of(const char *program)
{
	static const char *const all[][2] = {
		{"send_reset", "send_reset"},     {"send_reset_reason", "send_reset_reason"},
		{"error_report", "error_report"}, {"destroy_sock", "destroy_sock"},
		{"process_fork", "fork"},         {"retransmit", "retransmit"},
		{"cgroup_gone", "cgroups"},       {"cgroup_made", "cgroups"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(all[i][0], program))
			return all[i][1];
	return NULL;
}

static bool is_copy(const char *program)
{
	return !strncmp(program, "set_state_nested", strlen("set_state_nested")) ||
	       !strcmp(program, "destroy_sock_nested");
}

/* Whether to try without the program that the kernel has just refused: said, as every worse answer is. */
static bool do_without(struct kernel *k, const char *program, int err)
{
	const char *feature = feature_of(program);

	if (is_copy(program)) { /* what is missed then is told as lost */
		k->features.guards_recursion = false;
		say(0, "this kernel refuses the BPF program %s (%s)", program, strerror(-err));
		return true;
	}
	if (!feature)
		return false;
	say(0, "this kernel refuses the BPF program %s (%s); without it: %s", program, strerror(-err),
	    feature_without(feature));
	feature_hide(&k->features, feature);
	return true;
}

static int open_skeleton(struct kernel *k, const struct kernel_options *options)
{
	k->skeleton = lostpeer__open();
	if (!k->skeleton)
		return -errno;
	choose_programs(k, options);
	choose_maps(k, options);
	k->skeleton->rodata->agent_tgid = (__u32)getpid();
	k->skeleton->rodata->kernel_casts = k->features.casts;
	k->skeleton->rodata->connect_hook = options->connect_hook;
	k->skeleton->rodata->accept_hook = options->accept_hook;
	k->skeleton->rodata->follow_parent = options->follow_parent;
	k->skeleton->rodata->remembers_ended = k->features.send_reset_reason;
	k->skeleton->rodata->ended_of_cpu = ended_of_cpu();
	k->skeleton->rodata->place_hierarchy = options->cgroup_hierarchy;
	k->skeleton->rodata->jiffy_ns = (__u64)(clock_jiffy_ms() * 1e6);
	return 0;
}

static int check(const struct kernel *k, const struct kernel_options *options)
{
	int err = check_features(&k->features);

	if (err)
		return err;
	if (options->follow_parent && !k->features.fork)
		return say(-ENOTSUP,
			   "cannot follow a command: this kernel lacks the tracepoint sched:sched_process_fork");
	return check_pid_namespace();
}

/* Loads and attaches what the kernel takes. */
static int load_skeleton(struct kernel *k, const struct kernel_options *options)
{
	const char *refused;
	int err;

	do {
		lostpeer__destroy(k->skeleton);
		k->skeleton = NULL;
		err = check(k, options);
		if (err)
			return err;
		libbpf_log_begin();
		err = open_skeleton(k, options);
		if (!err)
			err = lostpeer__load(k->skeleton);
		if (!err)
			err = lostpeer__attach(k->skeleton);
		refused = libbpf_log_program();
	} while (err && *refused && do_without(k, refused, err));
	return err ? load_error(err) : 0;
}

static int load(struct kernel *k, const struct kernel_options *options)
{
	int err, home = -1;

	err = probe(&k->features, &k->reasons);
	if (!err)
		err = check(k, options);
	if (!err && (options->connect_hook || options->accept_hook))
		err = need_tracefs(&home);
	if (err)
		return err;
	err = load_skeleton(k, options);
	leave_tracefs(home);
	if (err)
		return err;
	k->ring = ring_buffer__new(bpf_map__fd(k->skeleton->maps.ring), on_ring, k, NULL);
	if (!k->ring)
		return say(-errno, "cannot map the ring buffer: %s", strerror(errno));
	/* a drop that is missed can be told by what comes after it, if that comes after it and is not missed as well */
	if (k->features.preemptible || !k->features.error_report || !k->features.reports_after)
		kernel_take_missed(k);
	malloc_trim(0); /* loading took ten times what staying takes */
	return 0;
}

int kernel_open(struct kernel **kernel, const struct kernel_options *options)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return say(-ENOMEM, "out of memory");
	libbpf_log_hush();
	err = load(k, options);
	if (err) {
		kernel_close(k);
		return err;
	}
	*kernel = k;
	return 0;
}

void kernel_detach(struct kernel *k)
{
	lostpeer__detach(k->skeleton);
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	ring_buffer__free(k->ring);
	lostpeer__destroy(k->skeleton);
	free(k);
}

const struct kernel_features *kernel_features(const struct kernel *k)
{
	return &k->features;
}

struct lostpeer *kernel_skeleton(const struct kernel *k)
{
	return k->skeleton;
}

/* --- the ring and what is wanted --- */

int kernel_ring_fd(const struct kernel *k)
{
	return ring_buffer__epoll_fd(k->ring);
}

void kernel_on_record(struct kernel *k, kernel_take *take, void *context)
{
	k->take = take;
	k->take_context = context;
}

void kernel_consume(struct kernel *k, __u64 until_ns)
{
	k->until_ns = until_ns;
	ring_buffer__consume(k->ring);
}

void kernel_wake_me(struct kernel *k, bool wake)
{
	__atomic_store_n(&k->skeleton->bss->agent_sleeps, wake, __ATOMIC_SEQ_CST);
}

void kernel_stats(const struct kernel *k, __u64 stats[LP_STAT_COUNT])
{
	int n = libbpf_num_possible_cpus();
	__u64 values[n > 0 ? n : 1];

	for (__u32 stat = 0; stat < LP_STAT_COUNT; stat++) {
		stats[stat] = 0;
		if (n <= 0 || bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.stats), &stat, values))
			continue;
		for (int cpu = 0; cpu < n; cpu++)
			stats[stat] += values[cpu];
	}
}

/* The positions are the first words of the ring's first two pages, which libbpf keeps to itself. */
void kernel_ring_use(const struct kernel *k, __u64 *bytes, __u64 *used)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, bpf_map__fd(k->skeleton->maps.ring), 0);
	unsigned long consumed, produced;

	*bytes = bpf_map__max_entries(k->skeleton->maps.ring);
	*used = 0;
	if (map == MAP_FAILED)
		return;
	consumed = __atomic_load_n((unsigned long *)map, __ATOMIC_ACQUIRE);
	produced = __atomic_load_n((unsigned long *)(map + page), __ATOMIC_ACQUIRE);
	*used = produced - consumed;
	munmap(map, 2 * page);
}

/* false: it is not loaded. */
static bool read_info(const struct bpf_program *program, struct bpf_prog_info *info)
{
	__u32 size = sizeof(*info);
	int fd = bpf_program__fd(program);

	memset(info, 0, sizeof(*info));
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, info, &size);
}

void kernel_cost(const struct kernel *k, __u64 *runs, __u64 *ns)
{
	struct bpf_program *program;
	struct bpf_prog_info info;

	*runs = *ns = 0;
	bpf_object__for_each_program(program, k->skeleton->obj) {
		if (!read_info(program, &info))
			continue;
		*runs += info.run_cnt;
		*ns += info.run_time_ns;
	}
}

static void attach_late(struct bpf_program *program, struct bpf_link **link)
{
	if (bpf_program__autoload(program) && !*link)
		*link = bpf_program__attach(program);
}

void kernel_take_missed(struct kernel *k)
{
	struct lostpeer *s = k->skeleton;

	attach_late(s->progs.set_state_nested, &s->links.set_state_nested);
	attach_late(s->progs.set_state_nested_twice, &s->links.set_state_nested_twice);
	attach_late(s->progs.destroy_sock_nested, &s->links.destroy_sock_nested);
	s->bss->copies_attached = s->links.set_state_nested != NULL;
}

void kernel_want(struct kernel *k, struct lp_wants wants, const struct uid_wants *uids, size_t n)
{
	struct lostpeer *s = k->skeleton;

	wants_set(&k->wants, s, wants, uids, n);
	if (k->wants.classes & LP_CLASSES_ORDERLY)
		kernel_take_missed(k);
	if (k->wants.classes & LP_CLASS_SILENT)
		attach_late(s->progs.retransmit, &s->links.retransmit);
}

/* What a copy of set_state missed another one took, or set_state counts; what the others note is no event. */
static bool misses_events(const struct kernel *k, const struct bpf_program *program)
{
	const struct bpf_program *others[] = {
		k->skeleton->progs.set_state_nested,    k->skeleton->progs.set_state_nested_twice,
		k->skeleton->progs.destroy_sock_nested, k->skeleton->progs.process_fork,
		k->skeleton->progs.process_exit,        k->skeleton->progs.cgroup_gone,
		k->skeleton->progs.cgroup_made,         k->skeleton->progs.retransmit,
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (program == others[i])
			return false;
	return true;
}

const struct lp_ended *kernel_ended(const struct kernel *k)
{
	return k->features.send_reset_reason ? k->skeleton->bss->ended : NULL;
}

__u64 kernel_missed(const struct kernel *k)
{
	struct bpf_program *program;
	__u64 missed = k->malformed, stats[LP_STAT_COUNT];

	bpf_object__for_each_program(program, k->skeleton->obj) {
		struct bpf_prog_info info;

		if (misses_events(k, program) && read_info(program, &info))
			missed += info.recursion_misses;
	}
	kernel_stats(k, stats);
	return missed > stats[LP_STAT_NESTED] ? missed - stats[LP_STAT_NESTED] : 0;
}

/* --- iterators --- */

struct seeding {
	unsigned connections;
	unsigned processes;
	__u32 last;
};

/* Files come process by process. */
static void count_seed(void *context, const void *item)
{
	struct seeding *seeding = context;
	__u32 tgid;

	memcpy(&tgid, item, sizeof(tgid));
	seeding->connections++;
	if (tgid != seeding->last)
		seeding->processes++;
	seeding->last = tgid;
}

int kernel_seed(struct kernel *k, unsigned *connections, unsigned *processes)
{
	struct seeding seeding = {0};
	int err = iterator_run(k->skeleton->progs.seed_files, NULL, sizeof(__u32), count_seed, &seeding);

	*connections = seeding.connections;
	*processes = seeding.processes;
	return err ? say(err, "cannot look at what is open already: %s", strerror(-err)) : 0;
}

struct finding {
	kernel_found *found;
	void *context;
};

static void pass_holder(void *context, const void *item)
{
	const struct finding *finding = context;
	struct lp_holder holder;

	memcpy(&holder, item, sizeof(holder));
	finding->found(finding->context, &holder);
}

int kernel_find_holders(struct kernel *k, __u32 tgid, const __u64 *keys, size_t n, kernel_found *found, void *context)
{
	struct finding finding = {found, context};
	union bpf_iter_link_info of_one = {.task = {.pid = tgid}};
	int map = bpf_map__fd(k->skeleton->maps.sought);
	__u32 one = 1;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = bpf_map_update_elem(map, &keys[i], &one, BPF_ANY);
	if (!err)
		err = iterator_run(k->skeleton->progs.find_holders, tgid ? &of_one : NULL, sizeof(struct lp_holder),
				   pass_holder, &finding);
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(map, &keys[i]);
	return err;
}

/* --- what the hooks keep --- */

__u64 kernel_last_fork(const struct kernel *k, __u32 tgid)
{
	__u64 when = 0;

	bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.forks), &tgid, &when);
	return when;
}

bool kernel_follows(const struct kernel *k, __u32 tgid, __u64 start_boot_ns)
{
	__u64 start;

	return !bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.followed), &tgid, &start) && start == start_boot_ns;
}

/* Copies a slot that the kernel may be writing; false: it was. */
static bool copy_cgroup(const struct lp_cgroup *slot, __u64 id, char path[LP_CGROUP_PATH])
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	memcpy(path, slot->path, LP_CGROUP_PATH);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	path[LP_CGROUP_PATH - 1] = '\0';
	return __atomic_load_n(&slot->id, __ATOMIC_ACQUIRE) == id;
}

bool kernel_gone_cgroup(const struct kernel *k, __u64 id, char path[LP_CGROUP_PATH])
{
	const struct lp_cgroup *slots = k ? k->skeleton->bss->gone_cgroups : NULL;

	for (size_t i = 0; slots && id && i < LP_GONE_CGROUPS; i++)
		if (__atomic_load_n(&slots[i].id, __ATOMIC_ACQUIRE) == id && copy_cgroup(&slots[i], id, path))
			return true;
	return false;
}

enum lp_maker kernel_cgroup_maker(const struct kernel *k, const char *path, size_t length)
{
	const struct lp_cgroup *slots = k ? k->skeleton->bss->made_cgroups : NULL;
	char made[LP_CGROUP_PATH];

	for (size_t i = 0; slots && length < LP_CGROUP_PATH && i < LP_MADE_CGROUPS; i++) {
		__u64 id = __atomic_load_n(&slots[i].id, __ATOMIC_ACQUIRE);
		__u32 maker = slots[i].maker;

		if (!id || memcmp(slots[i].path, path, length) || slots[i].path[length])
			continue;
		if (copy_cgroup(&slots[i], id, made) && strlen(made) == length && !memcmp(made, path, length))
			return maker < LP_MAKER_COUNT ? (enum lp_maker)maker : LP_MAKER_OTHER;
	}
	return LP_MAKER_OTHER;
}

__u64 kernel_exit_cgroup(const struct kernel *k, __u32 tgid, __u64 start_boot_ns)
{
	struct {
		__u64 start_boot_ns;
		__u64 cgroup_id;
	} exited; /* bpf/cgroups.h */

	if (!k || bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.exited), &tgid, &exited))
		return 0;
	return exited.start_boot_ns == start_boot_ns ? exited.cgroup_id : 0;
}

const char *kernel_reset_reason(const struct kernel *k, __u32 reason)
{
	return reason && reason <= RESET_REASONS_MAX && *k->reasons.names[reason - 1] ? k->reasons.names[reason - 1]
										      : NULL;
}
