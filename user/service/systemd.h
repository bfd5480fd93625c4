/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the service manager is told (sd_notify(3)); nothing, where none asks. */
#ifndef LOSTPEER_SYSTEMD_H
#define LOSTPEER_SYSTEMD_H

#include <asm/types.h>

void systemd_ready(void);
void systemd_reloading(void);
void systemd_stopping(void);

/* The watchdog: that we live, whenever half its time is over. CLOCK_MONOTONIC; deadline 0: nobody asks. */
void systemd_tick(__u64 now_ns);
__u64 systemd_deadline(void);

#endif
