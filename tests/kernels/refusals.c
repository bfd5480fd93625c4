// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * refusals: tests that the agent starts without each optional program if the kernel refuses it, and does not start
 * without a needed one. Prints `ok PROGRAM` or `not ok PROGRAM: WHY` for each, and `N passed, N failed, N skipped`.
 *
 * The agent's own code loads: this file includes user/kernel/load.c. The kernel really refuses the program, because of
 * a flag that no kernel knows.
 */
#include <bpf/libbpf.h>

static int load_spoiled(struct bpf_object_skeleton *s);
#define bpf_object__load_skeleton load_spoiled
#include "kernel/load.c"
#include "kernel/hooks.c"
#undef bpf_object__load_skeleton

#define NO_SUCH_FLAG (1u << 30)
#define PROGRAMS_MAX 64

static const char *spoiled;

static int load_spoiled(struct bpf_object_skeleton *s)
{
	struct bpf_program *program = bpf_object__find_program_by_name(*s->obj, spoiled);

	bpf_program__set_flags(program, NO_SUCH_FLAG);
	return bpf_object__load_skeleton(s);
}

/* NULL if right, else the fault. */
static const char *try_without(const char *name)
{
	const struct kernel_options options = {0};
	const struct hook *hook = hooks;
	const char *wrong = NULL;
	struct kernel *kernel;
	bool needed;
	int err;

	while (strcmp(hook->name, name))
		hook++;
	needed = !hook->needs[0];

	spoiled = name;
	err = kernel_open(&kernel, &options);
	if (needed && err)
		return NULL;
	if (needed || err) {
		if (!err)
			kernel_close(kernel);
		return err ? "the agent does not start" : "the agent starts without what it needs";
	}
	if (has(kernel_features(kernel), hook->needs[0]))
		wrong = "the agent believes that it has it";
	if (!wrong && !kernel_skeleton(kernel)->links.set_state)
		wrong = "nothing is attached";
	kernel_close(kernel);
	return wrong;
}

int main(void)
{
	char names[PROGRAMS_MAX][64];
	const struct kernel_options options = {0};
	struct kernel_features features;
	struct lostpeer *skeleton;
	struct bpf_program *program;
	unsigned n = 0, failed = 0;
	const char *wrong;

	if (probe(&features, NULL) || open_programs(&skeleton, &features, &options))
		return 1;
	bpf_object__for_each_program(program, skeleton->obj)
		if (bpf_program__autoload(program) && n < PROGRAMS_MAX)
			snprintf(names[n++], sizeof(names[0]), "%s", bpf_program__name(program));
	lostpeer__destroy(skeleton);
	for (unsigned i = 0; i < n; i++) {
		wrong = try_without(names[i]);
		failed += wrong != NULL;
		printf(wrong ? "not ok %s: %s\n" : "ok %s\n", names[i], wrong);
	}
	printf("%u passed, %u failed, 0 skipped\n", n - failed, failed);
	return failed != 0;
}
