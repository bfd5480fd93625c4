// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * relocs BTF UNAME-R [check]: prints the programs that the agent (or check) would load on a kernel with this BTF,
 * without booting it. Fails if a program can reach an instruction that needs a field, an enumerator or a helper that
 * the kernel lacks, or if it attaches to a tracepoint or an iterator that the kernel lacks.
 *
 * The agent's own code probes and chooses: this file includes user/kernel/probe.c and user/kernel/load.c and gives them
 * the other kernel's BTF. libbpf relocates as always. Where it finds no target, it puts an invalid instruction, which
 * is right in a branch that this kernel never takes. So this walks each program as the verifier would, and decides
 * branches that depend on constants. It stops before the first program is loaded.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "kernel/iterator.h"

static struct btf *other_btf(void);
static int other_uname(struct utsname *name);
static int other_open(struct bpf_object_skeleton *s, const struct bpf_object_open_opts *opts);
static int look_and_end(struct bpf_object_skeleton *s);
#define btf__load_vmlinux_btf other_btf
#define uname(name) other_uname(name)
#define bpf_object__open_skeleton other_open
#define bpf_object__load_skeleton look_and_end
#include "kernel/probe.c"
#include "kernel/load.c"
#include "check/snapshot_bpf.c"
#undef bpf_object__open_skeleton
#undef bpf_object__load_skeleton

#define POISON 0xbad2310 /* the helper number in libbpf's invalid instruction */
#define UNRESOLVED_MAX 4096
#define TEXT_MAX 256
#define REGISTERS 11
#define EARLY_MAX 8

static const char *btf_path, *release;
static int problems;
static bool looked;

/* --- libbpf's log: relocations without a target, by program and instruction, and warnings --- */

static struct unresolved {
	char program[64];
	int instruction;
	char what[TEXT_MAX]; /* "struct sock.sk_err (0:5 @ offset 40)" */
} * unresolved;
static size_t n_unresolved;
static char warnings[EARLY_MAX][TEXT_MAX];
static size_t n_warnings;

static int listen_to_libbpf(enum libbpf_print_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* libbpf logs the name of a relocation before it logs that it put an invalid instruction there. */
static int listen_to_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	static char what[TEXT_MAX];
	struct unresolved *u = &unresolved[n_unresolved];
	char line[2 * TEXT_MAX];

	vsnprintf(line, sizeof(line), format, args);
	if (level == LIBBPF_WARN && n_warnings < EARLY_MAX && !looked)
		snprintf(warnings[n_warnings++], TEXT_MAX, "%.*s", TEXT_MAX - 1, line);
	if (sscanf(line, "libbpf: prog '%*[^']': relo #%*d: <%*[^>]> [%*d] %255[^\n]", what) == 1)
		return 0;
	if (n_unresolved < UNRESOLVED_MAX &&
	    sscanf(line, "libbpf: prog '%63[^']': relo #%*d: substituting insn #%d", u->program, &u->instruction) == 2)
		snprintf(unresolved[n_unresolved++].what, TEXT_MAX, "%s", what);
	return 0;
}

static const char *unresolved_at(const char *program, long instruction)
{
	for (size_t i = 0; i < n_unresolved; i++)
		if (unresolved[i].instruction == instruction && !strcmp(unresolved[i].program, program))
			return unresolved[i].what;
	return "what libbpf did not name";
}

/* --- the walk --- */

struct state {
	bool reached, queued;
	unsigned known; /* bit by register */
	__u64 value[REGISTERS];
};

struct walk {
	const char *program;
	const struct bpf_insn *insns;
	size_t n;
	struct state *states;
	size_t *queue, queued;
	int helpers; /* the kernel has all helpers with a lower number */
};

static void problem(const struct walk *w, size_t at, const char *what)
{
	printf("  %s, instruction %zu: %s\n", w->program, at, what);
	problems++;
}

static void forget(struct state *s, unsigned registers)
{
	s->known &= ~registers;
}

/* Where two paths meet, keeps only the registers that have the same value on both. */
static void go(struct walk *w, const struct state *from, long to)
{
	struct state *s;
	unsigned known;

	if (to < 0 || (size_t)to >= w->n)
		return problem(w, w->n, "jumps out of the program");
	s = &w->states[to];
	known = s->reached ? s->known & from->known : from->known;
	for (unsigned r = 0; s->reached && r < REGISTERS; r++)
		if (known >> r & 1 && s->value[r] != from->value[r])
			known &= ~(1u << r);
	if (s->reached && known == s->known)
		return;
	s->reached = true;
	s->known = known;
	memcpy(s->value, from->value, sizeof(s->value));
	if (!s->queued)
		w->queue[w->queued++] = (size_t)to;
	s->queued = true;
}

static bool operand(const struct state *s, const struct bpf_insn *i, __u64 *value)
{
	*value = BPF_SRC(i->code) == BPF_X ? s->value[i->src_reg] : (__u64)(__s64)i->imm;
	return BPF_SRC(i->code) == BPF_K || s->known >> i->src_reg & 1;
}

static void calculate(struct state *s, const struct bpf_insn *i)
{
	bool wide = BPF_CLASS(i->code) == BPF_ALU64, known = s->known >> i->dst_reg & 1;
	__u64 *to = &s->value[i->dst_reg], by;

	known = operand(s, i, &by) && (known || BPF_OP(i->code) == BPF_MOV);
	switch (BPF_OP(i->code)) {
	case BPF_MOV:
		*to = by;
		break;
	case BPF_AND:
		*to &= by;
		break;
	case BPF_OR:
		*to |= by;
		break;
	case BPF_XOR:
		*to ^= by;
		break;
	default:
		known = false;
	}
	if (!wide)
		*to = (__u32)*to;
	s->known = known ? s->known | 1u << i->dst_reg : s->known & ~(1u << i->dst_reg);
}

/* 1: taken, 0: not taken, -1: unknown */
static int decide(const struct state *s, const struct bpf_insn *i)
{
	__u64 left = s->value[i->dst_reg], right;

	if (!operand(s, i, &right) || !(s->known >> i->dst_reg & 1))
		return -1;
	if (BPF_CLASS(i->code) == BPF_JMP32) {
		left = (__u32)left;
		right = (__u32)right;
	}
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return left == right;
	case BPF_JNE:
		return left != right;
	case BPF_JSET:
		return (left & right) != 0;
	default:
		return -1;
	}
}

static void call(struct walk *w, struct state *s, long at)
{
	const struct bpf_insn *i = &w->insns[at];
	char what[TEXT_MAX + 64];

	if (i->src_reg == BPF_PSEUDO_CALL) {
		struct state entry = *s;

		forget(&entry, ~0u);
		go(w, &entry, at + 1 + i->imm);
	} else if (i->imm == POISON) {
		snprintf(what, sizeof(what), "needs %s", unresolved_at(w->program, at));
		return problem(w, (size_t)at, what);
	} else if (!i->src_reg && i->imm >= w->helpers) {
		snprintf(what, sizeof(what), "calls helper %d, and the kernel has those below %d", i->imm, w->helpers);
		return problem(w, (size_t)at, what);
	}
	forget(s, 0x3f); /* R0 to R5 */
	go(w, s, at + 1);
}

static void jump(struct walk *w, struct state *s, long at)
{
	const struct bpf_insn *i = &w->insns[at];
	int taken;

	switch (BPF_OP(i->code)) {
	case BPF_EXIT:
		return;
	case BPF_CALL:
		return call(w, s, at);
	case BPF_JA:
		return go(w, s, at + 1 + i->off);
	}
	taken = decide(s, i);
	if (taken != 0)
		go(w, s, at + 1 + i->off);
	if (taken != 1)
		go(w, s, at + 1);
}

static void step(struct walk *w, long at)
{
	const struct bpf_insn *i = &w->insns[at];
	struct state s = w->states[at];

	switch (BPF_CLASS(i->code)) {
	case BPF_JMP:
	case BPF_JMP32:
		return jump(w, &s, at);
	case BPF_ALU:
	case BPF_ALU64:
		calculate(&s, i);
		break;
	case BPF_LD: /* 64 bits in two instructions; with a source register, a map */
		s.value[i->dst_reg] = (__u32)i->imm | (__u64)(__u32)i[1].imm << 32;
		s.known = i->src_reg ? s.known & ~(1u << i->dst_reg) : s.known | 1u << i->dst_reg;
		return go(w, &s, at + 2);
	case BPF_LDX:
		forget(&s, 1u << i->dst_reg);
		break;
	case BPF_STX: /* an atomic operation may return the old value */
		if (BPF_MODE(i->code) == BPF_ATOMIC)
			forget(&s, 1u << i->src_reg | 1);
		break;
	}
	go(w, &s, at + 1);
}

static void walk_program(const struct bpf_program *program, int helpers)
{
	struct walk w = {.program = bpf_program__name(program),
			 .insns = bpf_program__insns(program),
			 .n = bpf_program__insn_cnt(program),
			 .helpers = helpers};
	const struct state nothing = {0};

	w.states = calloc(w.n, sizeof(*w.states));
	w.queue = calloc(w.n, sizeof(*w.queue));
	if (!w.states || !w.queue)
		exit(2);
	go(&w, &nothing, 0);
	while (w.queued) {
		size_t at = w.queue[--w.queued];

		w.states[at].queued = false;
		step(&w, (long)at);
	}
	free(w.states);
	free(w.queue);
}

/* --- the hooks of the programs --- */

static bool has_target(const struct btf *btf, const char *section)
{
	char name[128];

	if (sscanf(section, "tp_btf/%100s", name) == 1 || sscanf(section, "raw_tp/%100s", name) == 1)
		return tracepoint_args(btf, name) > 0;
	if (!strncmp(section, "iter/", 5)) {
		snprintf(name, sizeof(name), "bpf_iter_%s", section + 5);
		return has_function(btf, name);
	}
	if (!strcmp(section, "raw_tp"))
		return true; /* attached to nothing: the agent runs it */
	/* BTF does not show these, but every kernel has the ones that we use. */
	return !strncmp(section, "tp/syscalls/", 12);
}

static int helper_count(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "bpf_func_id", BTF_KIND_ENUM);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_enum(type)[i].name_off), "__BPF_FUNC_MAX_ID"))
			return btf_enum(type)[i].val;
	return 0;
}

static void look_at(const struct bpf_object *object)
{
	struct btf *btf = other_btf();
	struct bpf_program *program;
	int helpers = helper_count(btf), before;

	bpf_object__for_each_program(program, object) {
		if (!bpf_program__autoload(program))
			continue;
		before = problems;
		if (!has_target(btf, bpf_program__section_name(program))) {
			printf("  %s: nothing to hang on: %s\n", bpf_program__name(program),
			       bpf_program__section_name(program));
			problems++;
		}
		walk_program(program, helpers);
		printf("%s %s\n", before == problems ? "ok" : "not ok", bpf_program__name(program));
	}
	btf__free(btf);
}

/* --- replacements for functions that the agent's code calls --- */

static struct btf *other_btf(void)
{
	return btf__parse_raw(btf_path);
}

static int other_uname(struct utsname *name)
{
	*name = (struct utsname){0};
	snprintf(name->release, sizeof(name->release), "%s", release);
	return 0;
}

void libbpf_log_hush(void)
{
	libbpf_set_print(listen_to_libbpf);
}

static struct bpf_object *opened;

/* libbpf relocates all programs before it loads the first. */
static int before_load(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	(void)program, (void)opts, (void)cookie;
	if (!looked)
		look_at(opened);
	looked = true;
	return -ECANCELED;
}

static int other_open(struct bpf_object_skeleton *s, const struct bpf_object_open_opts *unused)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf_path);
	LIBBPF_OPTS(libbpf_prog_handler_opts, handler, .prog_prepare_load_fn = before_load);

	(void)unused;
	if (libbpf_register_prog_handler("tp_btf/", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, &handler) < 0 ||
	    libbpf_register_prog_handler("raw_tp+", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, &handler) < 0 ||
	    libbpf_register_prog_handler("iter/", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, &handler) < 0 ||
	    libbpf_register_prog_handler("tp/", BPF_PROG_TYPE_TRACEPOINT, 0, &handler) < 0)
		return -EINVAL;
	return bpf_object__open_skeleton(s, &opts);
}

static int look_and_end(struct bpf_object_skeleton *s)
{
	int err;

	opened = *s->obj;
	err = bpf_object__load_skeleton(s);
	if (!looked) {
		printf("  not relocated: %s\n", strerror(-err));
		for (size_t i = 0; i < n_warnings; i++)
			printf("  %s", warnings[i]);
	}
	exit(problems || !looked);
}

int main(int argc, char **argv)
{
	const struct kernel_options options = {.connect_hook = true, .accept_hook = true};
	struct snapshot_bpf *source;
	struct kernel *kernel;
	const char *why;

	if (argc != 3 && (argc != 4 || strcmp(argv[3], "check"))) {
		fprintf(stderr, "usage: relocs BTF UNAME-R [check]\n");
		return 2;
	}
	btf_path = argv[1];
	release = argv[2];
	unresolved = calloc(UNRESOLVED_MAX + 1, sizeof(*unresolved));
	if (!unresolved)
		return 2;
	/* These return only if the agent would not even try to load on this kernel. */
	if (argc == 3)
		kernel_open(&kernel, &options); /* prints why */
	else if (snapshot_bpf_open(&source, &why))
		printf("  %s\n", why);
	return 1;
}
