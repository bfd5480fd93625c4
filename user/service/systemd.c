/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/systemd.h"

#ifdef HAVE_SYSTEMD
#include <stdint.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

static __u64 interval_ns, next_ns; /* 0: no watchdog */

void systemd_ready(void)
{
	uint64_t us;

	if (!interval_ns && sd_watchdog_enabled(0, &us) > 0)
		interval_ns = us * 1000 / 2;
	next_ns = interval_ns ? clock_monotonic_ns() : 0;
	sd_notify(0, "READY=1\nSTATUS=watching");
}

/* Type=notify-reload needs the time. */
void systemd_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", clock_monotonic_ns() / 1000);
}

void systemd_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void systemd_tick(__u64 now_ns)
{
	if (!next_ns || now_ns < next_ns)
		return;
	sd_notify(0, "WATCHDOG=1");
	next_ns = now_ns + interval_ns;
}

__u64 systemd_deadline(void)
{
	return next_ns;
}
#else
void systemd_ready(void)
{
}

void systemd_reloading(void)
{
}

void systemd_stopping(void)
{
}

void systemd_tick(__u64 now_ns)
{
	(void)now_ns;
}

__u64 systemd_deadline(void)
{
	return 0;
}
#endif
