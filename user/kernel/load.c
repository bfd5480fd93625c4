/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/load.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/say.h"
#include "kernel/hooks.h"
#include "kernel/kernel.h"
#include "kernel/libbpf_log.h"
#include "kernel/tracefs.h"
#include "lostpeer.skel.h"

/* A ring takes a power of two of bytes, of whole pages. */
static const char *set_ring(const struct option_spec *spec, void *ring_bytes, bool opposite, const char *value)
{
	__u64 kib;

	(void)opposite;
	if (number_parse(value, spec->least, spec->most, &kib) || (kib & (kib - 1)))
		return spec->wrong;
	*(size_t *)ring_bytes = (size_t)kib << 10;
	return NULL;
}

static const struct option_spec keys[] = {
	{"ring", "KIB", "size of the ring buffer, a power of two (4096)", set_ring,
	 OPTION_AT(struct kernel_options, ring_bytes), 64, 1 << 20,
	 .wrong = "not a power of two from 64 to 1048576 (KiB)"},
	{"connect-hook", NULL, "see connects that fail without a packet (no route, denied); slows every system call",
	 option_flag, OPTION_AT(struct kernel_options, connect_hook)},
	{"accept-hook", NULL, "see who accepts, of workers that share a listener; slows every system call", option_flag,
	 OPTION_AT(struct kernel_options, accept_hook)},
};
const struct option_group kernel_keys = OPTION_GROUP(keys);

static void choose_maps(struct lostpeer *s, const struct kernel_options *options)
{
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

/* The slots are split across CPUs; with more CPUs than slots, some share one. */
static __u32 ended_of_cpu(void)
{
	int cpus = libbpf_num_possible_cpus();
	__u32 each = LP_ENDED;

	while (each > 1 && cpus > 0 && each * (__u32)cpus > LP_ENDED)
		each /= 2;
	return each;
}

static __u32 countable_cpus(void)
{
	int cpus = libbpf_num_possible_cpus();

	return cpus > 0 && cpus <= LP_CPUS_MAX ? (__u32)cpus : 0;
}

static int check(const struct kernel_features *f, const struct kernel_options *options)
{
	if (!f->btf)
		return say(-ENOENT, "this kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF "
				    "and Linux 5.10 or newer");
	if (!f->set_state || !f->receive_reset)
		return say(-ENOTSUP, "this kernel lacks the tracepoint sock:inet_sock_set_state or "
				     "tcp:tcp_receive_reset; `lostpeer doctor` shows what is missing");
	if (options->follow_parent && !f->fork)
		return say(-ENOTSUP,
			   "cannot follow a command: this kernel lacks the tracepoint sched:sched_process_fork");
	if (!probe_pid_namespace_is_first())
		return say(-ENOTSUP,
			   "this is not the host's pid namespace: start it there (for a container: --pid=host)");
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

static int open_programs(struct lostpeer **skeleton, const struct kernel_features *f,
			 const struct kernel_options *options)
{
	struct lostpeer *s = *skeleton = lostpeer__open();

	if (!s)
		return -errno;
	hooks_choose(s, f, options);
	choose_maps(s, options);
	s->rodata->agent_tgid = (__u32)getpid();
	s->rodata->kernel_casts = f->casts;
	s->rodata->knows_cpu_waits = f->cpu_wait;
	s->rodata->connect_hook = options->connect_hook;
	s->rodata->accept_hook = options->accept_hook;
	s->rodata->follow_parent = options->follow_parent;
	s->rodata->ended_of_cpu = ended_of_cpu();
	s->rodata->n_cpus = countable_cpus();
	s->rodata->place_hierarchy = options->cgroup_hierarchy;
	s->rodata->jiffy_ms = (__u32)(clock_jiffy_ms() * LP_JIFFY_SCALE);
	return 0;
}

static int try_programs(struct lostpeer **skeleton, struct kernel_features *f, const struct kernel_options *options)
{
	const char *refused;
	int err;

	do {
		lostpeer__destroy(*skeleton);
		*skeleton = NULL;
		err = check(f, options);
		if (err)
			return err;
		libbpf_log_begin();
		err = open_programs(skeleton, f, options);
		if (!err)
			err = lostpeer__load(*skeleton);
		if (!err)
			err = lostpeer__attach(*skeleton);
		refused = libbpf_log_program();
	} while (err && *refused && hooks_do_without(refused, f, err));
	return err ? load_error(err) : 0;
}

int load_programs(struct lostpeer **skeleton, struct kernel_features *features, const struct kernel_options *options)
{
	int home = -1, err = check(features, options);

	if (!err && (options->connect_hook || options->accept_hook))
		err = tracefs_enter(&home);
	if (!err)
		err = try_programs(skeleton, features, options);
	tracefs_leave(home);
	return err;
}
