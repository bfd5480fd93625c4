/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "base/say.h"
#include "kernel/kernel.h"
#include "lostpeer.skel.h"

enum option { ALWAYS, FOR_CONNECT, FOR_ACCEPT, FOR_PLACE };

struct hook {
	const char *name;
	size_t program, link;  /* in struct lostpeer */
	size_t needs[3];       /* in struct kernel_features; if the kernel refuses the program, the first is cleared */
	size_t unless;         /* a kernel with this feature gets another program for it; 0: all get this one */
	enum option option;    /* loaded only with it */
	__u32 classes;         /* attached when one of these is first wanted; 0: with the others */
	bool is_run, is_quiet; /* run when needed, never attached; a run that the kernel skips loses no event */
};

#define PROGRAM(is)                                                                                                    \
	.name = #is, .program = offsetof(struct lostpeer, progs.is), .link = offsetof(struct lostpeer, links.is)
#define HAS(name) offsetof(struct kernel_features, name)
#define REFUSAL .classes = LP_CLASS_QUEUES | LP_CLASS_SILENT | LP_CLASS_LOST, .is_quiet = true
#define COPY .classes = LP_CLASSES_ORDERLY, .is_quiet = true

static const struct hook hooks[] = {
	{PROGRAM(set_state)},
	{PROGRAM(receive_reset)},
	{PROGRAM(send_reset), .needs = {HAS(send_reset)}, .unless = HAS(send_reset_reason)},
	{PROGRAM(send_reset_reason), .needs = {HAS(send_reset_reason)}},
	{PROGRAM(error_report), .needs = {HAS(error_report)}},
	{PROGRAM(destroy_sock), .needs = {HAS(destroy_sock)}},
	/* attached in this order (bpf/reentry.h); what one of them misses another one takes, or set_state counts */
	{PROGRAM(set_state_nested), .needs = {HAS(guards_recursion)}, COPY},
	{PROGRAM(set_state_nested_twice), .needs = {HAS(guards_recursion), HAS(preemptible)}, COPY},
	{PROGRAM(destroy_sock_nested), .needs = {HAS(guards_recursion), HAS(preemptible), HAS(destroy_sock)}, COPY},
	{PROGRAM(receive_reset_nested), .needs = {HAS(guards_recursion), HAS(preemptible)}, .is_quiet = true},
	{PROGRAM(retransmit), .needs = {HAS(retransmit)}, .unless = HAS(retransmit_failed),
	 .classes = LP_CLASS_SILENT | LP_CLASS_LOST, .is_quiet = true},
	{PROGRAM(retransmit_result), .needs = {HAS(retransmit_failed)}, .classes = LP_CLASS_SILENT | LP_CLASS_LOST,
	 .is_quiet = true},
	{PROGRAM(own_drop), .needs = {HAS(own_drop)}, .classes = LP_CLASS_SILENT | LP_CLASS_LOST, .is_quiet = true},
	{PROGRAM(retransmit_synack), .needs = {HAS(retransmit_synack)}, .classes = LP_CLASS_QUEUES, .is_quiet = true},
	{PROGRAM(hash_bad_header), .needs = {HAS(signature)}, REFUSAL},
	{PROGRAM(hash_md5_mismatch), .needs = {HAS(signature)}, REFUSAL},
	{PROGRAM(hash_md5_required), .needs = {HAS(signature)}, REFUSAL},
	{PROGRAM(hash_md5_unexpected), .needs = {HAS(signature)}, REFUSAL},
	{PROGRAM(hash_ao_required), .needs = {HAS(signature)}, REFUSAL},
	{PROGRAM(ao_handshake_failure), .needs = {HAS(signature), HAS(signature_ao)}, REFUSAL},
	{PROGRAM(ao_wrong_maclen), .needs = {HAS(signature), HAS(signature_ao)}, REFUSAL},
	{PROGRAM(ao_mismatch), .needs = {HAS(signature), HAS(signature_ao)}, REFUSAL},
	{PROGRAM(ao_key_not_found), .needs = {HAS(signature), HAS(signature_ao)}, REFUSAL},
	{PROGRAM(process_fork), .needs = {HAS(fork)}, .is_quiet = true},
	{PROGRAM(task_renamed), .needs = {HAS(exec)}, .is_quiet = true},
	{PROGRAM(process_exit), .option = FOR_PLACE, .is_quiet = true},
	{PROGRAM(cgroup_gone), .needs = {HAS(cgroups)}, .is_quiet = true},
	{PROGRAM(cgroup_made), .needs = {HAS(cgroups)}, .is_quiet = true},
	{PROGRAM(connect_enter), .option = FOR_CONNECT},
	{PROGRAM(connect_exit), .option = FOR_CONNECT},
	{PROGRAM(accept_exit), .option = FOR_ACCEPT},
	{PROGRAM(accept4_exit), .option = FOR_ACCEPT},
	{PROGRAM(seed_files), .is_run = true},
	{PROGRAM(find_holders), .is_run = true},
	{PROGRAM(look_at_sockets), .is_run = true},
	{PROGRAM(note_cpu), .needs = {HAS(turned_away)}, .is_run = true},
};

static const struct hook *const hooks_end = hooks + sizeof(hooks) / sizeof(*hooks);

static struct bpf_program *program_of(const struct lostpeer *s, const struct hook *hook)
{
	return *(struct bpf_program *const *)((const char *)s + hook->program);
}

static bool has(const struct kernel_features *f, size_t feature)
{
	return *(const bool *)((const char *)f + feature);
}

void hooks_choose(struct lostpeer *s, const struct kernel_features *f, const struct kernel_options *o)
{
	const bool asked[] = {
		[ALWAYS] = true,
		[FOR_CONNECT] = o->connect_hook,
		[FOR_ACCEPT] = o->accept_hook,
		[FOR_PLACE] = o->cgroup_hierarchy != 0,
	};

	for (const struct hook *hook = hooks; hook < hooks_end; hook++) {
		bool load = asked[hook->option] && !(hook->unless && has(f, hook->unless));

		for (size_t i = 0; i < sizeof(hook->needs) / sizeof(*hook->needs); i++)
			load = load && has(f, hook->needs[i]); /* 0 is BTF, which every program needs */
		bpf_program__set_autoload(program_of(s, hook), load);
		bpf_program__set_autoattach(program_of(s, hook), !hook->classes && !hook->is_run);
	}
}

void hooks_attach(struct lostpeer *s, __u32 classes)
{
	for (const struct hook *hook = hooks; hook < hooks_end; hook++) {
		struct bpf_link **link = (struct bpf_link **)((char *)s + hook->link);

		if ((hook->classes & classes) && bpf_program__autoload(program_of(s, hook)) && !*link)
			*link = bpf_program__attach(program_of(s, hook));
	}
	s->bss->copies_attached = s->links.set_state_nested != NULL;
}

bool hooks_do_without(const char *program, struct kernel_features *f, int err)
{
	const char *without;

	for (const struct hook *hook = hooks; hook < hooks_end; hook++) {
		if (strcmp(hook->name, program) || !hook->needs[0])
			continue;
		without = feature_lose(f, hook->needs[0]);
		say(0, "this kernel refuses the BPF program %s (%s)%s%s", program, strerror(-err),
		    without ? "; without it: " : "", without ? without : "");
		return true;
	}
	return false;
}

struct hooks_usage hooks_usage(const struct lostpeer *s)
{
	struct hooks_usage usage = {0};

	for (const struct hook *hook = hooks; hook < hooks_end; hook++) {
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);
		int fd = bpf_program__fd(program_of(s, hook));

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size)) /* it is not loaded */
			continue;
		usage.runs += info.run_cnt;
		usage.ns += info.run_time_ns;
		usage.missed += hook->is_quiet ? 0 : info.recursion_misses;
	}
	return usage;
}
