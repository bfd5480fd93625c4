/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/wakeups.h"

#include "base/clock.h"
#include "base/loop.h"
#include "kernel/kernel.h"

#define LINGER_NS (1 * CLOCK_MS)      /* after a record (bpf/emit.h) */
#define LAST_DRAIN_NS (50 * CLOCK_MS) /* after falling asleep: for records that were on their way then */
#define SWEEP_NS (50 * CLOCK_MS)      /* records of orderly ends do not wake the agent */
#define SHORTEST_NS (CLOCK_MS / 10)   /* between two drains */

static void set_asleep(struct wakeups *w, bool asleep)
{
	if (w->asleep != asleep)
		kernel_wake_me(w->kernel, asleep);
	w->asleep = asleep;
}

void wakeups_start(struct wakeups *w, struct kernel *kernel)
{
	w->kernel = kernel;
	w->drained_ns = clock_monotonic_ns();
	set_asleep(w, true);
}

void wakeups_note_record(struct wakeups *w)
{
	w->came = true;
	set_asleep(w, false);
}

/* Asks for wake-ups before the drain, so that a record that this drain misses wakes the agent. */
void wakeups_begin(struct wakeups *w, bool woken)
{
	w->falls = !woken && !w->asleep;
	w->came = false;
	if (woken)
		wakeups_note_record(w);
	else
		set_asleep(w, true);
}

void wakeups_end(struct wakeups *w)
{
	w->drained_ns = clock_monotonic_ns();
	if (w->came)
		w->next_drain_ns = w->drained_ns + LINGER_NS;
	else if (w->falls)
		w->next_drain_ns = w->drained_ns + LAST_DRAIN_NS;
	else if (w->next_drain_ns <= w->drained_ns)
		w->next_drain_ns = 0;
}

void wakeups_arm(const struct wakeups *w, int timer, __u64 deadline_ns)
{
	__u64 soonest = clock_monotonic_ns() + SHORTEST_NS, at = clock_earlier(deadline_ns, w->next_drain_ns);

	at = clock_earlier(at, w->sweeps ? w->drained_ns + SWEEP_NS : 0);
	loop_set_timer(timer, at && at < soonest ? soonest : at);
}
