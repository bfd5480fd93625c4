#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The contributor's tools: `make test` finds what a name names, and what it takes."""
import os
import subprocess
import sys

from options import Tally, Wrong

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def only(*words):
    return subprocess.run([os.path.join(TREE, "tests/only"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=100, check=False, text=True)


def check_needs():
    """A unit test takes only itself; what runs lostpeer takes lostpeer; a name of two things takes what both do."""
    whole = ["all", "build/tests/names"]
    for names, wanted in ((["cause"], ["build/tests/test_cause"]),
                          (["test_cause", "data"], ["build/tests/test_cause", "build/tests/test_data"]),
                          (["test_cause*"], ["build/tests/test_cause", "build/tests/test_cause_local"]),
                          (["contract.py"], whole), (["contract"], whole), (["refused"], whole), (["early.py"], whole),
                          (["refused-ipv?"], whole), (["early"], ["build/tests/test_early"] + whole)):
        done = only("--needs", *names)
        if done.returncode or done.stdout.split() != wanted:
            raise Wrong(f"{names}: {done.stdout}")


def check_runs():
    done = only("kernels")
    if done.returncode or not done.stdout.startswith("ok kernels.py: ") or len(done.stdout.splitlines()) != 2:
        raise Wrong(done.stdout)


def check_unknown():
    """Nothing runs, although the first name is right."""
    for name, said in (("caus", "no test is called caus; did you mean cause?\n"),
                       ("refuse", "no test is called refuse; did you mean refused?\n"),
                       ("xyzzy", "no test is called xyzzy\n")):
        done = only("kernels", name)
        if done.returncode != 2 or done.stdout != said:
            raise Wrong(f"{name}: {done.returncode}, {done.stdout}")


def main():
    tally = Tally()
    tally.run("a_name_takes_what_its_tests_take", check_needs)
    tally.run("only_the_named_test_runs", check_runs)
    tally.run("a_name_of_nothing_is_refused", check_unknown)
    print(f"{tally.passed} passed, {tally.failed} failed, 0 skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
