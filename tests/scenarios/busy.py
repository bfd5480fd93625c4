# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A busy machine: two processes for each CPU take all of it, and one starts programs without a pause."""
import os
import resource
import signal
import time

import clock
import host
import toolbox

MOST = 4 * 3600  # seconds of CPU for one of them, should it outlive the suite


def burn():
    while True:
        pass


def spawn():
    while True:
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def begin(work):
    pid = os.fork()
    if pid == 0:
        try:
            host.check(host.libc.prctl(host.PR_SET_PDEATHSIG, signal.SIGKILL))
            resource.setrlimit(resource.RLIMIT_CPU, (MOST, MOST))
            work()
        finally:
            os._exit(1)
    return pid


class Busy:
    """While it is entered, the machine is busy. Deadlines are stretched from then on."""

    def __enter__(self):
        self.pids = [begin(work) for work in [burn] * 2 * (os.cpu_count() or 1) + [spawn]]
        time.sleep(0.2)  # until all of them run
        clock.SLOW = toolbox.SLOW = max(clock.SLOW, *(clock.measure() for _ in range(5)))
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
