/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/say.h"
#include "kernel/hooks.h"
#include "kernel/libbpf_log.h"
#include "kernel/load.h"
#include "kernel/sockets.h"
#include "lostpeer.skel.h"

#define DRAINS_MAX 100 /* a millisecond apart */

struct kernel {
	struct lostpeer *skeleton;
	struct ring_buffer *ring;
	struct kernel_features features;
	struct wants wants;
	kernel_take *take;
	void *take_context;
	__u64 until_ns; /* of a consume */
	struct reset_reasons reasons;
	__u64 malformed; /* records of another version: impossible within one build, but counted as missed if it happens */
};

static int on_ring(void *context, void *data, size_t size)
{
	struct kernel *k = context;
	struct lp_record record = {0};

	memcpy(&record, data, size < LP_RECORD_SIZE ? size : LP_RECORD_SIZE);
	if (size < LP_RECORD_SIZE || record.version != LP_RECORD_VERSION || record.kind >= LP_KIND_COUNT) {
		k->malformed++;
		return 0;
	}
	if (!k->features.cookie) /* hidden: the programs ask the kernel itself */
		record.socket.cookie = 0;
	k->take(k->take_context, &record);
	return record.time_ns > k->until_ns ? -ECANCELED : 0;
}

static int begin(struct kernel *k, const struct kernel_options *options)
{
	int err = probe(&k->features, &k->reasons);

	if (!err)
		err = load_programs(&k->skeleton, &k->features, options);
	if (err)
		return err;
	if (k->features.turned_away)
		sockets_count_turned_away(k, (__u32)k->reasons.mib_overflows, (__u32)k->reasons.mib_drops);
	k->ring = ring_buffer__new(bpf_map__fd(k->skeleton->maps.ring), on_ring, k, NULL);
	if (!k->ring)
		return say(-errno, "cannot map the ring buffer: %s", strerror(errno));
	/* error_report or destroy_sock makes up for a missed drop only if it comes after it, and is not missed itself */
	if (k->features.preemptible || !k->features.error_report || !k->features.reports_after)
		kernel_take_missed(k);
	malloc_trim(0); /* loading took ten times the memory that the agent needs from now on */
	return 0;
}

int kernel_open(struct kernel **kernel, const struct kernel_options *options)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return say(-ENOMEM, "out of memory");
	libbpf_log_hush();
	err = begin(k, options);
	if (err) {
		kernel_close(k);
		return err;
	}
	*kernel = k;
	return 0;
}

void kernel_detach(struct kernel *k)
{
	struct bpf_link **destroy[] = {&k->skeleton->links.destroy_sock, &k->skeleton->links.destroy_sock_nested};

	/* first, because they count the ends that set_state did not see */
	for (size_t i = 0; i < sizeof(destroy) / sizeof(*destroy); i++) {
		bpf_link__destroy(*destroy[i]);
		*destroy[i] = NULL;
	}
	lostpeer__detach(k->skeleton);
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	ring_buffer__free(k->ring);
	lostpeer__destroy(k->skeleton);
	free(k);
}

const struct kernel_features *kernel_features(const struct kernel *k)
{
	return &k->features;
}

struct lostpeer *kernel_skeleton(const struct kernel *k)
{
	return k->skeleton;
}

/* --- the ring and what is wanted --- */

int kernel_ring_fd(const struct kernel *k)
{
	return ring_buffer__epoll_fd(k->ring);
}

void kernel_on_record(struct kernel *k, kernel_take *take, void *context)
{
	k->take = take;
	k->take_context = context;
}

void kernel_consume(struct kernel *k, __u64 until_ns)
{
	k->until_ns = until_ns;
	ring_buffer__consume(k->ring);
}

/* On another CPU a program may still write its record, which hides those behind it. */
void kernel_drain(struct kernel *k)
{
	__u64 bytes, used = 1;

	for (int i = 0; i < DRAINS_MAX && used; i++) {
		if (i)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		kernel_consume(k, UINT64_MAX);
		kernel_ring_use(k, &bytes, &used);
	}
}

void kernel_wake_me(struct kernel *k, bool wake)
{
	__atomic_store_n(&k->skeleton->bss->agent_sleeps, wake, __ATOMIC_SEQ_CST);
}

void kernel_stats(const struct kernel *k, __u64 stats[LP_STAT_COUNT])
{
	int n = libbpf_num_possible_cpus();
	__u64 values[n > 0 ? n : 1];

	for (__u32 stat = 0; stat < LP_STAT_COUNT; stat++) {
		stats[stat] = 0;
		if (n <= 0 || bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.stats), &stat, values))
			continue;
		for (int cpu = 0; cpu < n; cpu++)
			stats[stat] += values[cpu];
	}
}

/* The positions are the first words of the ring's first two pages, which libbpf keeps to itself. */
void kernel_ring_use(const struct kernel *k, __u64 *bytes, __u64 *used)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, bpf_map__fd(k->skeleton->maps.ring), 0);
	unsigned long consumed, produced;

	*bytes = bpf_map__max_entries(k->skeleton->maps.ring);
	*used = 0;
	if (map == MAP_FAILED)
		return;
	consumed = __atomic_load_n((unsigned long *)map, __ATOMIC_ACQUIRE);
	produced = __atomic_load_n((unsigned long *)(map + page), __ATOMIC_ACQUIRE);
	*used = produced - consumed;
	munmap(map, 2 * page);
}

void kernel_cost(const struct kernel *k, __u64 *runs, __u64 *ns)
{
	struct hooks_usage usage = hooks_usage(k->skeleton);

	*runs = usage.runs;
	*ns = usage.ns;
}

void kernel_take_missed(struct kernel *k)
{
	hooks_attach(k->skeleton, LP_CLASSES_ORDERLY);
}

void kernel_want(struct kernel *k, struct lp_wants wants, const struct uid_wants *uids, size_t n)
{
	wants_set(&k->wants, k->skeleton, wants, uids, n);
	hooks_attach(k->skeleton, k->wants.classes);
}

__u64 kernel_missed(const struct kernel *k)
{
	__u64 missed = k->malformed + hooks_usage(k->skeleton).missed, stats[LP_STAT_COUNT];

	kernel_stats(k, stats);
	return missed > stats[LP_STAT_NESTED] ? missed - stats[LP_STAT_NESTED] : 0;
}

__u64 kernel_unseen(struct kernel *k, __u64 *since_ns)
{
	__u64 stats[LP_STAT_COUNT];

	kernel_stats(k, stats);
	*since_ns = __atomic_exchange_n(&k->skeleton->bss->unseen_since, 0, __ATOMIC_RELAXED);
	return stats[LP_STAT_UNSEEN];
}

const char *kernel_reset_reason(const struct kernel *k, __u32 reason)
{
	return reason && reason <= RESET_REASONS_MAX && *k->reasons.names[reason - 1] ? k->reasons.names[reason - 1]
										      : NULL;
}
