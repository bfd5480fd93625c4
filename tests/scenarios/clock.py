# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Deadlines, longer on a slow machine. No test asserts how fast something is."""
import os
import time


def measure():
    """How much slower this machine is than the one on which the deadlines were chosen; at least 1."""
    began = time.perf_counter()
    total = 0
    for number in range(300000):
        total += number
    return max(1.0, min(20.0, (time.perf_counter() - began) / 0.02))


SLOW = float(os.environ["SLOW"]) if "SLOW" in os.environ else measure()


def deadline(seconds=None):
    return time.monotonic() + (30 if seconds is None else seconds) * SLOW


def now():
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def booted():
    """Wall time of the boot, from the reading with the shortest delay between the clocks."""
    readings = []
    for _ in range(5):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        day = now()
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        readings.append((after - before, day - (before + after) // 2))
    return min(readings)[1]


def wait(condition, what="condition", seconds=None):
    """Poll a condition until it holds, for conditions without a descriptor. The longer it takes, the rarer the polls:
    many scenarios wait for slow conditions at once."""
    began, until = time.monotonic(), deadline(seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise TimeoutError("%s did not come to pass" % what)
        time.sleep(min(0.05, max(0.003, (time.monotonic() - began) / 20)))
