/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer doctor: what this kernel and this user can and cannot do, and what that costs in truth. */
#include "verbs/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel.h"
#include "options.h"

enum weight { NEEDED, BETTER };

struct finding {
	bool found;
	enum weight weight;
	const char *what;
	const char *without; /* what is worse without it */
};

static const struct option_table table = {
	.verb = "doctor",
	.usage = "doctor",
	.summary = "Says what this kernel and this user have of what lostpeer uses, and what is worse without it.\n"
		   "Exit status: 0 all is there, 1 something is missing.",
};

static int print_findings(const struct finding *findings, size_t n)
{
	int missing = 0;

	for (size_t i = 0; i < n; i++) {
		const struct finding *f = &findings[i];

		printf("  %-8s %s\n", f->found ? "yes" : f->weight == NEEDED ? "MISSING" : "no", f->what);
		if (!f->found)
			printf("           without it: %s\n", f->without);
		missing += !f->found;
	}
	return missing;
}

static int check_kernel(const struct kernel_features *k)
{
	const struct finding findings[] = {
		{k->btf, NEEDED, "BTF, /sys/kernel/btf/vmlinux", "nothing works (CONFIG_DEBUG_INFO_BTF, Linux 5.10)"},
		{k->set_state, NEEDED, "tracepoint sock:inet_sock_set_state", "nothing works"},
		{k->receive_reset, NEEDED, "tracepoint tcp:tcp_receive_reset", "nothing works"},
		{k->send_reset, BETTER, "tracepoint tcp:tcp_send_reset",
		 "data_after_close is said as peer_lost/reset, marked ambiguous"},
		{k->send_reset_reason, BETTER, "  ... with a reason (6.10)", "tcp.reset_reason is left out"},
		{k->destroy_sock, BETTER, "tracepoint tcp:tcp_destroy_sock",
		 "a process that exits at once after a drop is not named"},
		{k->error_report, BETTER, "tracepoint sock:inet_sk_error_report (5.14)",
		 "connect_failed/unreachable taken by SO_ERROR is said as abandoned, marked ambiguous"},
		{k->fork, BETTER, "tracepoint sched:sched_process_fork", "no watch -- COMMAND"},
		{k->cookie, BETTER, "socket cookies in tracing programs (5.12)", "tcp.cookie is left out"},
		{k->iterator, NEEDED, "walks over open files (iter/task_file)", "nothing works"},
		{k->iterator_of_one, BETTER, "  ... of one process (6.1)", "holders are looked for among all processes"},
	};

	printf("The kernel:\n");
	return print_findings(findings, sizeof(findings) / sizeof(*findings));
}

/* CapEff of this process. */
static unsigned long long effective_capabilities(void)
{
	unsigned long long mask = 0;
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %llx", &mask) == 1)
			break;
	if (status)
		fclose(status);
	return mask;
}

static int check_rights(void)
{
	unsigned long long caps = effective_capabilities();
	bool admin = caps >> 21 & 1;
	const struct finding findings[] = {
		{caps >> 39 & 1 || admin, NEEDED, "CAP_BPF: load programs", "nothing works: run as root"},
		{caps >> 38 & 1 || admin, NEEDED, "CAP_PERFMON: attach them", "nothing works: run as root"},
		{caps >> 19 & 1, BETTER, "CAP_SYS_PTRACE: executables of other users' processes",
		 "process.executable.path is left out"},
		{kernel_look_for_tracefs() == 0 || (admin && kernel_look_for_tracefs() == -ENOENT), BETTER,
		 "tracefs (/sys/kernel/tracing): mounted and readable, or CAP_SYS_ADMIN to mount it",
		 "no --connect-hook and no --accept-hook; reading it takes root or CAP_DAC_READ_SEARCH"},
		{admin, BETTER, "CAP_SYS_ADMIN: lostpeer demo", "no demo"},
		{kernel_pid_namespace_is_first(), NEEDED, "the host's pid namespace", "nothing works: every pid would be wrong"},
	};

	printf("This user (uid %u):\n", getuid());
	return print_findings(findings, sizeof(findings) / sizeof(*findings));
}

static void print_limits(const struct kernel_features *k)
{
	printf("What cannot be told apart here:\n");
	printf("  peer_lost/reset: the peer, a box between that speaks for it, or a forger\n");
	printf("  retransmit_timeout: a dead peer, or a network that lost everything\n");
	printf("  peer_closed/fin: the peer's application closed, or crashed\n");
	printf("  denied and a missing route change no state: seen with --connect-hook alone\n");
	if (!k->send_reset)
		printf("  data_after_close and peer_lost/reset\n");
	if (!k->error_report)
		printf("  unreachable and abandoned, once the application has read SO_ERROR\n");
}

int doctor_main(int argc, char **argv)
{
	struct kernel_features features;
	struct utsname name;
	int rest, missing;

	switch (options_parse(&table, argc, argv, NULL, &rest)) {
	case OPTIONS_HELPED:
		return EXIT_OK;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	default:
		if (rest < argc) {
			fprintf(stderr, "lostpeer doctor: %s: takes no arguments\n", argv[rest]);
			return EXIT_USAGE;
		}
	}
	uname(&name);
	printf("lostpeer %s on Linux %s, %s\n", VERSION, name.release, name.machine);
	features = kernel_probe();
	missing = check_kernel(&features);
	missing += check_rights();
	print_limits(&features);
	printf(missing ? "%d missing\n" : "all is there\n", missing);
	return missing ? EXIT_RUNTIME : EXIT_OK;
}
