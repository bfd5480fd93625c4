/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/feature.h"

#include <stdio.h>
#include <string.h>

#define OF(member) offsetof(struct kernel_features, member)

static const struct feature features[] = {
	{"btf", OF(btf), NULL, true, "BTF, /sys/kernel/btf/vmlinux",
	 "nothing works (CONFIG_DEBUG_INFO_BTF, Linux 5.10)"},
	{"set_state", OF(set_state), NULL, true, "tracepoint sock:inet_sock_set_state", "nothing works"},
	{"receive_reset", OF(receive_reset), NULL, true, "tracepoint tcp:tcp_receive_reset", "nothing works"},
	{"send_reset", OF(send_reset), NULL, false, "tracepoint tcp:tcp_send_reset",
	 "data_after_close is said as peer_lost/reset or local_closed, marked ambiguous"},
	{"send_reset_reason", OF(send_reset_reason), "send_reset", false, "with a reason (6.10)",
	 "tcp.reset_reason is left out; data for a connection that is over is not told"},
	{"destroy_sock", OF(destroy_sock), NULL, false, "tracepoint tcp:tcp_destroy_sock",
	 "a process that lets go of the connection at once after a drop is not named"},
	{"error_report", OF(error_report), NULL, false, "tracepoint sock:inet_sk_error_report (5.14)",
	 "connect_failed/unreachable taken by SO_ERROR is said as abandoned, marked ambiguous"},
	{"fork", OF(fork), NULL, false, "tracepoint sched:sched_process_fork",
	 "no watch -- COMMAND; one holder of what may have been shared is not named"},
	{"retransmit", OF(retransmit), NULL, false, "tracepoint tcp:tcp_retransmit_skb",
	 "peer_silent and peer_back are not told"},
	{"retransmit_failed", OF(retransmit_failed), "retransmit", false, "also of what could not be sent (6.18)",
	 "peer_silent is not told where this host itself cannot send"},
	{"cgroups", OF(cgroups), NULL, false, "tracepoints cgroup:cgroup_mkdir, cgroup_rmdir (CONFIG_CGROUPS)",
	 "where a process lived is not known once its cgroup is gone"},
	{"cookie", OF(cookie), NULL, false, "socket cookies in tracing programs (5.12)", "tcp.cookie is left out"},
	{"iterator", OF(iterator), NULL, true, "walks over open files (iter/task_file)", "nothing works"},
	{"iterator_of_one", OF(iterator_of_one), "iterator", false, "of one process (6.1)",
	 "holders are looked for among all processes"},
};

static const struct feature_limit limits[] = {
	{LIMIT_ABSENT_FIELD, "cookie", .field = "tcp.cookie"},
	{LIMIT_ABSENT_FIELD, "cgroups", .field = "process.linux.cgroup", .when = "where the cgroup is gone"},
	{LIMIT_ABSENT_FIELD, "send_reset_reason", .field = "tcp.reset_reason"},
	{LIMIT_ABSENT_EVENT, "send_reset_reason", .said = LOCAL_RESET_DATA_AFTER_CLOSE,
	 .when = "of a connection that is over, or has only TIME_WAIT left"},
	{LIMIT_ABSENT_FIELD, "destroy_sock", .field = "process.pid",
	 .when = "where the process lets go of the connection at once after a drop"},
	{LIMIT_ABSENT_FIELD, "fork", .field = "process.pid",
	 .when = "where another process may have held the connection too: forks are not seen"},
	{LIMIT_ABSENT_EVENT, NULL, .said = CONNECT_FAILED_DENIED, .when = "without --connect-hook: no state changes"},
	{LIMIT_ABSENT_EVENT, NULL, .said = CONNECT_FAILED_UNREACHABLE,
	 .when = "for want of a route, without --connect-hook: no state changes"},
	{LIMIT_ABSENT_EVENT, "retransmit", .said = PEER_SILENT_UNACKED},
	{LIMIT_ABSENT_EVENT, "retransmit", .said = PEER_BACK_ACKED},
	{LIMIT_ABSENT_EVENT, "retransmit_failed", .said = PEER_SILENT_UNACKED,
	 .when = "where this host itself could not send the data again"},
	{LIMIT_ABSENT_EVENT, NULL, .said = PEER_SILENT_UNACKED,
	 .when = "behind a closed window, where only window probes are sent"},
	{LIMIT_AMBIGUOUS, "error_report", .said = CONNECT_FAILED_ABANDONED, .other = CONNECT_FAILED_UNREACHABLE},
	{LIMIT_AMBIGUOUS, NULL, .said = CONNECT_FAILED_ABANDONED, .other = CONNECT_FAILED_UNREACHABLE, .type = "ipv6",
	 .when = "before a SYN was sent again"},
	{LIMIT_AMBIGUOUS, "send_reset", .said = PEER_LOST_RESET, .other = LOCAL_RESET_DATA_AFTER_CLOSE},
	{LIMIT_AMBIGUOUS, "send_reset", .said = LOCAL_CLOSED_CLOSE, .other = LOCAL_RESET_DATA_AFTER_CLOSE},
};

const struct feature *feature_all(size_t *n)
{
	*n = sizeof(features) / sizeof(*features);
	return features;
}

static bool *slot(struct kernel_features *have, const struct feature *feature)
{
	return (bool *)((char *)have + feature->offset);
}

bool feature_have(const struct kernel_features *have, const struct feature *feature)
{
	return *(const bool *)((const char *)have + feature->offset);
}

static const struct feature *find(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++)
		if (strlen(features[i].name) == length && !strncmp(features[i].name, name, length))
			return &features[i];
	return NULL;
}

const char *feature_without(const char *name)
{
	return find(name, strlen(name))->without;
}

const char *feature_hide(struct kernel_features *have, const char *names)
{
	static char wrong[80];
	const struct feature *feature;
	size_t length;

	for (; names && *names; names += names[length] ? length + 1 : length) {
		length = strcspn(names, ",");
		feature = find(names, length);
		if (!feature) {
			snprintf(wrong, sizeof(wrong), "no feature is named '%.*s'", length > 32 ? 32 : (int)length,
				 names);
			return wrong;
		}
		*slot(have, feature) = false;
	}
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++)
		if (features[i].within && !feature_have(have, find(features[i].within, strlen(features[i].within))))
			*slot(have, &features[i]) = false;
	return NULL;
}

const struct feature_limit *feature_limits(size_t *n)
{
	*n = sizeof(limits) / sizeof(*limits);
	return limits;
}

bool feature_limit_holds(const struct kernel_features *have, const struct feature_limit *limit)
{
	return !limit->lacking || !feature_have(have, find(limit->lacking, strlen(limit->lacking)));
}
