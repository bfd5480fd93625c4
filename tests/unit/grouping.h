/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events through a struct groups, on a clock of the test: what passes, and the groups that come out. Include it after
 * cmocka.h. */
#ifndef TESTS_UNIT_GROUPING_H
#define TESTS_UNIT_GROUPING_H

#include "filter/group.h"
#include "sample.h"

#define WINDOW (5 * CLOCK_SECOND)
#define KEPT 4096

static struct groups *groups;
static struct sample sample;
static __u64 now_ns;
static unsigned taken, shown; /* events in, and those that pass unchanged */

static struct {
	struct lp_record record;
	struct event event;
} put[KEPT]; /* the groups that came out */
static unsigned n_put;
static __u64 gathered; /* the sum of their events */

static inline void on_put(void *context, const struct event *event)
{
	assert_ptr_equal(context, &put);
	assert_true(event->repeat.count > 0);
	assert_true(event->repeat.first_ns <= event->repeat.last_ns);
	assert_int_equal(event->wall_ns, event->repeat.last_ns);
	put[n_put % KEPT].event = *event;
	put[n_put % KEPT].record = *event->record;
	put[n_put % KEPT].event.record = &put[n_put % KEPT].record;
	n_put++;
	gathered += event->repeat.count;
}

static inline void begin(__u64 window_ns, unsigned rate)
{
	group_free(groups);
	groups = group_new(window_ns, rate, on_put, &put);
	assert_non_null(groups);
	n_put = taken = shown = 0;
	gathered = 0;
	now_ns = 1000 * CLOCK_SECOND;
}

static inline int set_up(void **state)
{
	(void)state;
	sample_example(&sample);
	strcpy(sample.executable, "/usr/bin/checkout");
	strcpy(sample.place.unit, "shop.service");
	begin(WINDOW, 0);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	group_free(groups);
	groups = NULL;
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Takes the sample with the current time. */
static inline bool take(void)
{
	bool is_shown;

	sample.event.wall_ns = now_ns + 7;
	is_shown = group_take(groups, &sample.event, now_ns);
	taken++;
	shown += is_shown;
	return is_shown;
}

static inline void pass(__u64 ns)
{
	now_ns += ns;
	group_tick(groups, now_ns);
}

static inline const struct event *last(void)
{
	assert_true(n_put > 0);
	return &put[(n_put - 1) % KEPT].event;
}

static inline void check_nothing_lost(void)
{
	group_finish(groups);
	assert_int_equal(shown + gathered, taken);
}

static inline void of_process(__u32 pid)
{
	sample.event.owner.process.tgid = pid;
	sample.event.owner.process.start_boot_ns = pid * 1000ULL;
}

#endif
