/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the running kernel has of what lostpeer uses, by its BTF. */
#ifndef LOSTPEER_PROBE_H
#define LOSTPEER_PROBE_H

#include <stdbool.h>

/* What this kernel has; what it lacks makes answers worse, as doctor says. */
struct kernel_features {
	bool btf;
	bool set_state;     /* sock:inet_sock_set_state; nothing works without */
	bool receive_reset; /* tcp:tcp_receive_reset; nothing works without */
	bool send_reset;
	bool send_reset_reason; /* from 6.10 */
	bool destroy_sock;
	bool error_report;      /* from 5.14 */
	bool fork;
	bool retransmit;        /* tcp:tcp_retransmit_skb */
	bool retransmit_failed; /* ... also of what could not be sent, from 6.18 */
	bool cookie;            /* from 5.12 */
	bool guards_recursion;  /* a program that is interrupted does not run for what interrupts it, from 6.1 */
	bool casts;             /* bpf_rdonly_cast, from 6.2 */
	bool preemptible;       /* ... and may be preempted, from 7.0 */
	bool reports_after;     /* sockets report an error when they are in CLOSE already, from 6.10 */
	bool cgroups;           /* tracepoints of cgroups: those that are gone keep their names */
	bool iterator;          /* walks over open files */
	bool iterator_of_one;   /* ... narrowed to one process, from 6.1 */
};

#define RESET_REASONS_MAX 128

struct reset_reasons {
	char names[RESET_REASONS_MAX][40]; /* by number in this kernel's enum sk_rst_reason; "" where it has none */
};

/* What this kernel has, but for what LOSTPEER_WITHOUT names; `reasons` may be NULL. 0, or -EINVAL after a message on
 * stderr. */
int probe(struct kernel_features *features, struct reset_reasons *reasons);

#endif
