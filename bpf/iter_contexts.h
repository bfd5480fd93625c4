/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel hands to a program of an iterator, as in kernel.h. */
#ifndef LOSTPEER_BPF_ITER_CONTEXTS_H
#define LOSTPEER_BPF_ITER_CONTEXTS_H

#include "kernel_tasks.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

#endif
