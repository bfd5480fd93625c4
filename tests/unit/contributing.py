#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The contributor's way: `make test` finds the tests of a name and the programs that they need. CONTRIBUTING.md names
only things that exist."""
import glob
import importlib.machinery
import importlib.util
import os
import re
import shlex
import subprocess
import sys

from options import Tally, Wrong

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def only(*words):
    return subprocess.run([os.path.join(TREE, "tests/only"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=100, check=False, text=True)


def check_needs():
    """A unit test needs only itself, a test that runs lostpeer needs lostpeer, and a name of both kinds needs both."""
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
    """With one unknown name nothing runs, even if the first name is right."""
    for name, message in (("caus", "no test is called caus; did you mean cause?\n"),
                       ("refuse", "no test is called refuse; did you mean refused?\n"),
                       ("xyzzy", "no test is called xyzzy\n")):
        done = only("kernels", name)
        if done.returncode != 2 or done.stdout != message:
            raise Wrong(f"{name}: {done.returncode}, {done.stdout}")


def page():
    with open(os.path.join(TREE, "CONTRIBUTING.md"), encoding="utf-8") as file:
        return file.read()


def check_paths():
    """Every path in the page exists; a contributor chooses the parts in capitals."""
    named = set(re.findall(r"(?<![\w/.-])((?:bpf|build|include|tests|tools|user)/[\w./-]*)", page()))
    missing = [path for path in named if not re.search(r"[A-Z]{4}", path) and not os.path.exists(os.path.join(TREE, path))]
    if len(named) < 30 or missing:
        raise Wrong(f"{len(named)} paths, not there: {missing}")


def check_targets():
    with open(os.path.join(TREE, "Makefile"), encoding="utf-8") as file:
        targets = set(re.findall(r"^([\w.-]+):", file.read(), re.M))
    named = set(re.findall(r"(?:`|^    )make ([\w.-]+)", page(), re.M))
    if not named or named - targets:
        raise Wrong(f"no such targets: {named - targets or named}")


def check_names():
    """Every NAME of `make test` and every scenario in the page exists."""
    named = [shlex.split(words)[0] for words in re.findall(r"NAME=(\S*?'.*?'|\S*?\".*?\"|[\w.]+)", page())]
    named += re.findall(r"tests/scenarios/run --\w+ .*?(\w+)(?=\s+#)", page())
    done = only("--needs", *" ".join(named).split())
    if len(named) < 6 or done.returncode:
        raise Wrong(f"{named}: {done.stdout}")


def check_options():
    """Every option of tests/scenarios/run and every environment variable in the page exists."""
    usage = subprocess.run([os.path.join(TREE, "tests/scenarios/run"), "--help"], stdout=subprocess.PIPE, check=True, text=True)
    with open(os.path.join(TREE, "tools/man/lostpeer.8"), encoding="utf-8") as file:
        known = usage.stdout + file.read()
    named = re.findall(r"scenarios/run (--\w+)|\b(LOSTPEER_\w+)=", page())
    unknown = ["".join(words) for words in named if "".join(words) not in known]
    if len(named) < 4 or unknown:
        raise Wrong(f"{named}: {unknown}")


def check_rooms():
    """The page lists the folders in the order that make lint requires."""
    loader = importlib.machinery.SourceFileLoader("lint", os.path.join(TREE, "tests/lint/run"))
    lint = importlib.util.module_from_spec(importlib.util.spec_from_loader("lint", loader))
    loader.exec_module(lint)
    rows = re.findall(r"^\| `user/(\w+)/` \|.*\| `user/(\w+)/[\w.]+` \|$", page(), re.M)
    folders = {os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(TREE, "user/*/"))}
    if tuple(room for room, _ in rows) != lint.ROOMS or folders != set(lint.ROOMS):
        raise Wrong(f"{rows}, {lint.ROOMS}, {folders}")
    if any(room != of for room, of in rows):
        raise Wrong(f"a file of another room: {rows}")


def main():
    tally = Tally()
    tally.run("a_name_takes_what_its_tests_take", check_needs)
    tally.run("only_the_named_test_runs", check_runs)
    tally.run("a_name_of_nothing_is_refused", check_unknown)
    tally.run("every_path_of_contributing_is_there", check_paths)
    tally.run("every_target_of_contributing_is_there", check_targets)
    tally.run("every_test_of_contributing_is_there", check_names)
    tally.run("every_option_of_contributing_is_there", check_options)
    tally.run("the_rooms_of_contributing_are_those_of_lint", check_rooms)
    print(f"{tally.passed} passed, {tally.failed} failed, 0 skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
