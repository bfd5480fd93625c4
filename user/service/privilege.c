/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "service/syscalls.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static int fail(int err, const char *what)
{
	fprintf(stderr, "lostpeer: cannot give up %s: %s\n", what, strerror(-err));
	return err;
}

/* --- capabilities --- */

bool privilege_has(unsigned capability)
{
	unsigned long long mask = 0;
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %llx", &mask) == 1)
			break;
	if (status)
		fclose(status);
	return mask >> capability & 1;
}

bool privilege_may_watch(void)
{
	return privilege_has(CAP_SYS_ADMIN) || (privilege_has(CAP_BPF) && privilege_has(CAP_PERFMON));
}

#ifdef HAVE_CAP_NG
#include <cap-ng.h>

/* SECURITY.md has the reasons. */
static const unsigned kept[] = {CAP_BPF, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};

static int drop_capabilities(bool say)
{
	bool had[sizeof(kept) / sizeof(*kept)], may_bound;

	(void)say;
	if (capng_get_caps_process())
		return fail(-EPERM, "capabilities");
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (had[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, kept[i]);
	if (capng_apply(may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS))
		return fail(-EPERM, "capabilities");
	return 0;
}
#else
static int drop_capabilities(bool say)
{
	if (say)
		fprintf(stderr, "lostpeer: built without libcap-ng: it keeps all capabilities\n");
	return 0;
}
#endif

/* --- system calls --- */

#if defined(HAVE_SECCOMP) && !defined(SANITIZED)
#include <seccomp.h>
#include <ucontext.h>

static unsigned refused;
static int last_refused;

/* Makes the call fail with EPERM. SCMP_ACT_ERRNO would do the same, but without a count. */
static void on_refused(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)number;
#if defined(__x86_64__)
	uc->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	uc->uc_mcontext.regs[0] = (__u64)-EPERM;
#else
#error "which register has the result of a system call?"
#endif
	__atomic_store_n(&last_refused, info->si_syscall, __ATOMIC_RELAXED);
	__atomic_add_fetch(&refused, 1, __ATOMIC_RELEASE);
}

void privilege_report(void)
{
	unsigned times = __atomic_exchange_n(&refused, 0, __ATOMIC_ACQUIRE);
	char *name;

	if (!times)
		return;
	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, __atomic_load_n(&last_refused, __ATOMIC_RELAXED));
	fprintf(stderr, "lostpeer: the filter refused %u system call%s, the last %s: please report it\n", times,
		times == 1 ? "" : "s", name ? name : "an unknown one");
	free(name);
}

static int add_rules(scmp_filter_ctx filter)
{
	int err = 0;

	for (const struct syscall_rule *r = syscall_rules; r->name && !err; r++) {
		int number = seccomp_syscall_resolve_name(r->name);
		struct scmp_arg_cmp argument = {r->argument, r->mask ? SCMP_CMP_MASKED_EQ : SCMP_CMP_EQ,
						r->mask ? r->mask : r->value, r->value};

		if (number == __NR_SCMP_ERROR) /* this libseccomp does not know the call */
			continue;
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, r->compares, &argument);
	}
	/* a filter cannot see the flags of clone3; after ENOSYS glibc uses clone, whose flags it can see */
	return err ? err : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int load_filter(bool say, bool kill)
{
	scmp_filter_ctx filter = seccomp_init(kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_TRAP);
	struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};
	int err;

	if (!filter)
		return fail(-ENOMEM, "system calls");
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree; without it the filter is only slower */
	err = add_rules(filter);
	if (!err && !kill)
		err = sigaction(SIGSYS, &action, NULL) ? -errno : 0;
	if (err) {
		seccomp_release(filter);
		return fail(err, "system calls");
	}
	err = seccomp_load(filter);
	seccomp_release(filter);
	if (err && say) /* not fatal: the filter is a second line of defence */
		fprintf(stderr, "lostpeer: this kernel takes no filter of system calls: %s\n", strerror(-err));
	return 0;
}

static int filter_calls(bool say)
{
	const char *how = getenv("LOSTPEER_SECCOMP");

	if (how && !strcmp(how, "off")) {
		fprintf(stderr, "lostpeer: no filter of system calls, as LOSTPEER_SECCOMP asks\n");
		return 0;
	}
	return load_filter(say, how && !strcmp(how, "kill"));
}
#else
void privilege_report(void)
{
}

static int filter_calls(bool say)
{
#ifdef SANITIZED
	say = true;
#endif
	if (say)
		fprintf(stderr, "lostpeer: built %s: no filter of system calls\n",
#ifdef SANITIZED
			"with a sanitizer"
#else
			"without libseccomp"
#endif
		);
	return 0;
}
#endif

int privilege_drop(bool say)
{
	int err = drop_capabilities(say);

	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(-errno, "new rights by exec");
	return filter_calls(say);
}
