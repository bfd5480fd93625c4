/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer doctor: reports what this kernel and this user can and cannot do, and how that affects the reports. */
#include "verbs/verbs.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "who/cgroups.h"
#include "kernel/feature.h"
#include "kernel/probe.h"
#include "kernel/tracefs.h"
#include "base/line.h"
#include "base/options.h"
#include "service/privilege.h"

#define FINDINGS_MAX 32

struct finding {
	const char *name;
	bool found;
	bool needed;
	bool is_part; /* of the previous one */
	const char *what;
	const char *without; /* the consequence of lacking it */
};

struct findings {
	struct finding list[FINDINGS_MAX];
	size_t n, missing;
};

struct diagnosis {
	struct utsname system;
	struct kernel_features have;
	struct findings kernel, user;
};

static const struct option_spec options[] = {
	{"json", NULL, "one JSON object", option_flag, .size = sizeof(bool)},
};

static const struct option_table table = {
	.verb = "doctor",
	.usage = "doctor [--json]",
	.summary = "Says what this kernel and this user have of what lostpeer uses, and what is worse without it.\n"
		   "Exit status: 0 all is there, 1 something is missing.",
	.own = OPTION_GROUP(options),
};

/* Cases that no kernel can distinguish. */
static const char *const unknowable[] = {
	"peer_lost/reset: the peer, a box between that speaks for it, or a forger",
	"retransmit_timeout: a dead peer, or a network that lost everything",
	"peer_closed/fin: the peer's application closed, or crashed",
};

static void add(struct findings *findings, struct finding finding)
{
	if (findings->n == FINDINGS_MAX)
		return;
	findings->list[findings->n++] = finding;
	findings->missing += !finding.found;
}

static void check_kernel(struct findings *findings, const struct kernel_features *have)
{
	size_t n;
	const struct feature *features = feature_all(&n);

	for (size_t i = 0; i < n; i++) {
		const struct feature *f = &features[i];

		add(findings,
		    (struct finding){f->name, feature_have(have, f), f->needed, f->within, f->what, f->without});
	}
}

/* Whether the cgroup hierarchy can be read, which tells where a process runs. *what names it. */
static bool finds_cgroups(const char **what)
{
	struct cgroups *cgroups = cgroups_new();
	bool finds = cgroups && cgroups_mount(cgroups);

	*what = cgroups && cgroups_hierarchy(cgroups) ? "units and containers, by systemd's hierarchy of cgroup v1"
						      : "units and containers, by cgroup v2";
	cgroups_free(cgroups);
	return finds;
}

static void check_user(struct findings *findings)
{
	const char *cgroups;
	bool has_cgroups = finds_cgroups(&cgroups);
	int tracefs = tracefs_probe();
	bool admin = privilege_has(CAP_SYS_ADMIN);
	const struct finding rights[] = {
		{"cap_bpf", privilege_has(CAP_BPF) || admin, true, false, "CAP_BPF: load programs",
		 "nothing works: run as root"},
		{"cap_perfmon", privilege_has(CAP_PERFMON) || admin, true, false, "CAP_PERFMON: attach them",
		 "nothing works: run as root"},
		{"cap_sys_ptrace", privilege_has(CAP_SYS_PTRACE), false, false,
		 "CAP_SYS_PTRACE: executables of other users' processes", "process.executable.path is left out"},
		{"cgroup_hierarchy", has_cgroups, false, false, cgroups,
		 "the hierarchy is not mounted here as a whole: only what /proc tells"},
		{"cap_dac_read_search", privilege_has(CAP_DAC_READ_SEARCH), false, false,
		 "CAP_DAC_READ_SEARCH: find a cgroup by its number (v2)",
		 "where a process lived is known only while it lives"},
		{"tracefs", tracefs == 0 || (admin && tracefs == -ENOENT), false, false,
		 "tracefs (/sys/kernel/tracing): mounted and readable, or CAP_SYS_ADMIN to mount it",
		 "no --connect-hook and no --accept-hook; reading it takes root or CAP_DAC_READ_SEARCH"},
		{"cap_sys_admin", admin, false, false,
		 "CAP_SYS_ADMIN: lostpeer demo, and check in every network namespace",
		 "no demo; check does not see elsewhere what no process holds"},
		{"every_process", !privilege_has(CAP_SYS_PTRACE) || probe_sees_every_process(), false, false,
		 "every process can be seen: no sandbox shields one",
		 "an event in an interrupt of a shielded process may be missed: events_lost/program_missed"},
		{"first_pid_namespace", probe_pid_namespace_is_first(), true, false, "the host's pid namespace",
		 "nothing works: every pid would be wrong"},
	};

	for (size_t i = 0; i < sizeof(rights) / sizeof(*rights); i++)
		add(findings, rights[i]);
}

/* --- as text --- */

static void print_findings(const struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *f = &findings->list[i];

		printf("  %-8s %s%s\n",
		       f->found    ? "yes"
		       : f->needed ? "MISSING"
				   : "no",
		       f->is_part ? "  ... " : "", f->what);
		if (!f->found)
			printf("           without it: %s\n", f->without);
	}
}

static const char *cause_words(enum lp_cause cause, char text[64])
{
	snprintf(text, 64, "%s/%s", event_name(cause_event(cause)), cause_name(cause));
	return text;
}

static void print_limit(const struct feature_limit *limit)
{
	char said[64], other[64];

	if (limit->kind == LIMIT_ABSENT_FIELD)
		printf("  %s", limit->field);
	else
		printf("  %s", cause_words(limit->said, said));
	if (limit->kind == LIMIT_AMBIGUOUS)
		printf(" may be %s, and is marked so", cause_words(limit->other, other));
	printf("%s%s", limit->type ? ", over " : "", limit->type ? limit->type : "");
	printf("%s%s\n", limit->when ? ", " : "", limit->when ? limit->when : "");
}

static void print_limits(const struct kernel_features *have, bool ambiguous)
{
	size_t n;
	const struct feature_limit *limits = feature_limits(&n);

	for (size_t i = 0; i < n; i++)
		if ((limits[i].kind == LIMIT_AMBIGUOUS) == ambiguous && feature_limit_holds(have, &limits[i]))
			print_limit(&limits[i]);
}

static void print_text(const struct diagnosis *d)
{
	size_t missing = d->kernel.missing + d->user.missing;

	printf("lostpeer %s on Linux %s, %s\n", VERSION, d->system.release, d->system.machine);
	printf("The kernel:\n");
	print_findings(&d->kernel);
	printf("This user (uid %u):\n", getuid());
	print_findings(&d->user);
	printf("What is not said here:\n");
	print_limits(&d->have, false);
	printf("What cannot be told apart here:\n");
	for (size_t i = 0; i < sizeof(unknowable) / sizeof(*unknowable); i++)
		printf("  %s\n", unknowable[i]);
	print_limits(&d->have, true);
	if (missing)
		printf("%zu missing\n", missing);
	else
		printf("all is there\n");
}

/* --- as JSON --- */

static void put_string(struct line *line, const char *before, const char *text)
{
	line_printf(line, "%s\"", before);
	line_json_string(line, text);
	line_append(line, "\"", 1);
}

static void put_findings(struct line *line, const char *name, const struct findings *findings)
{
	line_printf(line, ",\"%s\":{", name);
	for (size_t i = 0; i < findings->n; i++)
		line_printf(line, "%s\"%s\":%s", i ? "," : "", findings->list[i].name,
			    findings->list[i].found ? "true" : "false");
	line_append(line, "}", 1);
}

static void put_limit(struct line *line, const struct feature_limit *limit)
{
	char words[64];

	if (limit->kind == LIMIT_ABSENT_FIELD)
		put_string(line, "{\"field\":", limit->field);
	else
		put_string(line, limit->kind == LIMIT_AMBIGUOUS ? "{\"said\":" : "{\"event\":",
			   cause_words(limit->said, words));
	if (limit->kind == LIMIT_AMBIGUOUS)
		put_string(line, ",\"or\":", cause_words(limit->other, words));
	if (limit->type)
		put_string(line, ",\"network.type\":", limit->type);
	if (limit->when)
		put_string(line, ",\"when\":", limit->when);
	line_append(line, "}", 1);
}

static void put_limits(struct line *line, const char *name, bool ambiguous, const struct kernel_features *have)
{
	size_t n, put = 0;
	const struct feature_limit *limits = feature_limits(&n);

	line_printf(line, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++)
		if ((limits[i].kind == LIMIT_AMBIGUOUS) == ambiguous && feature_limit_holds(have, &limits[i])) {
			line_append(line, ",", put++ ? 1 : 0);
			put_limit(line, &limits[i]);
		}
	line_append(line, "]", 1);
}

static void print_json(const struct diagnosis *d)
{
	static struct line line;

	line_clear(&line);
	put_string(&line, "{\"version\":", VERSION);
	put_string(&line, ",\"kernel\":", d->system.release);
	put_string(&line, ",\"machine\":", d->system.machine);
	put_findings(&line, "features", &d->kernel);
	put_findings(&line, "rights", &d->user);
	put_limits(&line, "absent", false, &d->have);
	put_limits(&line, "ambiguous", true, &d->have);
	line_printf(&line, ",\"missing\":%zu}\n", d->kernel.missing + d->user.missing);
	fwrite(line.text, 1, line.length, stdout);
}

int doctor_main(int argc, char **argv)
{
	struct diagnosis d = {0};
	bool json = false;
	int rest;

	switch (options_parse(&table, argc, argv, &json, &rest)) {
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
	uname(&d.system);
	if (probe(&d.have, NULL))
		return EXIT_USAGE;
	check_kernel(&d.kernel, &d.have);
	check_user(&d.user);
	(json ? print_json : print_text)(&d);
	return d.kernel.missing + d.user.missing ? EXIT_RUNTIME : EXIT_OK;
}
