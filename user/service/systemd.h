/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Notifies the service manager (sd_notify(3)), if there is one. */
#ifndef LOSTPEER_SYSTEMD_H
#define LOSTPEER_SYSTEMD_H

#include <asm/types.h>

void systemd_ready(void);
void systemd_reloading(void);
void systemd_stopping(void);

/* Feeds the watchdog whenever half its interval is over. CLOCK_MONOTONIC; deadline 0: no watchdog. */
void systemd_tick(__u64 now_ns);
__u64 systemd_deadline(void);

#endif
