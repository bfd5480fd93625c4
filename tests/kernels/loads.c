// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Loads the programs that the agent loads on the running kernel with all hooks on, and those of check. Prints the
 * verifier's statistics of each: `NAME INSTRUCTIONS MICROSECONDS`.
 *
 * The agent's own code chooses, loads and attaches: this file includes user/kernel/load.c and user/check/snapshot_bpf.c
 * and replaces only the libbpf call that loads, to ask for statistics. bpf_prog_info has the instructions only since
 * 5.16, and never the time.
 */
#include <bpf/libbpf.h>

static int load_with_statistics(struct bpf_object_skeleton *s);
#define bpf_object__load_skeleton load_with_statistics
#include "kernel/load.c"
#include "check/snapshot_bpf.c"
#undef bpf_object__load_skeleton

#define LOG_STATISTICS 4 /* BPF_LOG_STATS in the kernel's bpf_verifier.h, since 5.2 */
#define PROGRAMS_MAX 64
#define LOG_BYTES (1 << 20) /* some kernels write a line for each call of a global function that they follow */

static char logs[PROGRAMS_MAX][LOG_BYTES];

static int print_statistics(struct bpf_program *program, const char *log)
{
	const char *time = strstr(log, "verification time "), *work = strstr(log, "processed ");
	unsigned long microseconds, instructions;

	if (!time || !work || sscanf(time, "verification time %lu usec", &microseconds) != 1 ||
	    sscanf(work, "processed %lu insns", &instructions) != 1)
		return say(-ENODATA, "%s: the verifier gave no statistics", bpf_program__name(program));
	printf("%s %lu %lu\n", bpf_program__name(program), instructions, microseconds);
	return 0;
}

static int load_with_statistics(struct bpf_object_skeleton *s)
{
	struct bpf_object *object = *s->obj;
	struct bpf_program *program;
	size_t n = 0;
	int err;

	bpf_object__for_each_program(program, object) {
		if (n == PROGRAMS_MAX)
			return say(-E2BIG, "more than %d programs", PROGRAMS_MAX);
		bpf_program__set_log_level(program, LOG_STATISTICS);
		bpf_program__set_log_buf(program, logs[n++], LOG_BYTES);
	}
	err = bpf_object__load_skeleton(s);
	n = 0;
	bpf_object__for_each_program(program, object) {
		if (!err && bpf_program__autoload(program))
			err = print_statistics(program, logs[n]);
		n++;
	}
	return err;
}

int main(void)
{
	const struct kernel_options options = {.connect_hook = true, .accept_hook = true};
	struct snapshot_bpf *source;
	struct kernel *kernel;
	const char *why;
	int err;

	if (kernel_open(&kernel, &options))
		return 1;
	kernel_close(kernel);
	err = snapshot_bpf_open(&source, &why);
	if (err)
		return say(1, "%s", why);
	snapshot_bpf_close(source);
	return 0;
}
