#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Files installed beside the program: the sample configuration, the unit, completions, and the places where `make
install` puts them without overwriting a configuration. Also how the Makefile finds libraries."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from options import Tally, Wrong, help_options

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("LOSTPEER", os.path.join(TREE, "build/lostpeer"))
INSTALLED = {
    "usr/sbin/lostpeer": 0o755,
    "usr/share/man/man8/lostpeer.8": 0o644,
    "usr/share/man/man7/lostpeer-events.7": 0o644,
    "usr/share/man/man5/lostpeer.conf.5": 0o644,
    "usr/share/bash-completion/completions/lostpeer": 0o644,
    "usr/share/lostpeer/lostpeer.json": 0o644,
    "usr/share/lostpeer/lostpeer.rules.yml": 0o644,
    "usr/share/lostpeer/fleet/README.md": 0o644,
    "usr/share/lostpeer/fleet/certificate": 0o755,
    "usr/share/lostpeer/fleet/clickhouse/README.md": 0o644,
    "usr/share/lostpeer/fleet/clickhouse/both-ends.sql": 0o644,
    "usr/share/lostpeer/fleet/clickhouse/bursts.sql": 0o644,
    "usr/share/lostpeer/fleet/clickhouse/events.sql": 0o644,
    "usr/share/lostpeer/fleet/clickhouse/top-applications.sql": 0o644,
    "usr/share/lostpeer/fleet/journal/README.md": 0o644,
    "usr/share/lostpeer/fleet/journal/remote.conf": 0o644,
    "usr/share/lostpeer/fleet/journal/upload.conf": 0o644,
    "usr/share/lostpeer/fleet/opentelemetry/README.md": 0o644,
    "usr/share/lostpeer/fleet/opentelemetry/lostpeer.yaml": 0o644,
    "usr/share/lostpeer/fleet/rsyslog/README.md": 0o644,
    "usr/share/lostpeer/fleet/rsyslog/lostpeer-centre.conf": 0o644,
    "usr/share/lostpeer/fleet/rsyslog/lostpeer-fleet.logrotate": 0o644,
    "usr/share/lostpeer/fleet/rsyslog/lostpeer-host.conf": 0o644,
    "usr/lib/systemd/system/lostpeer.service": 0o644,
    "etc/lostpeer/lostpeer.conf": 0o644,
    "etc/logrotate.d/lostpeer": 0o644,
}


def run(*words, **how):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, check=False, text=True,
                          **how)


def check_sample():
    sample = os.path.join(TREE, "tools/lostpeer.conf")
    done = run(PROGRAM, "agent", "--check-config", "--config", sample)
    if done.returncode or done.stdout:
        raise Wrong(done.stdout)
    with open(sample, encoding="utf-8") as file, tempfile.NamedTemporaryFile("w") as whole:
        # the lines that are commented out must be valid too
        whole.write(re.sub(r"^#(?=[a-z\[])", "", file.read(), flags=re.M))
        whole.flush()
        done = run(PROGRAM, "agent", "--check-config", "--config", whole.name)
    if done.returncode or done.stdout:
        raise Wrong(done.stdout)


def complete(*words):
    script = """
        source "$1/tools/lostpeer.bash"; shift
        compopt() { :; }
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _lostpeer "$1"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = run("bash", "-c", script, "bash", TREE, PROGRAM, *words)
    return set(done.stdout.split())


def check_completion():
    verbs = set(re.findall(r"^  ([a-z]+) ", run(PROGRAM, "--help").stdout, re.M))
    if complete("") != verbs:
        raise Wrong(f"verbs {complete('')}, not {verbs}")
    for verb in verbs - {"agent"}:
        wanted = {"--" + name for name in help_options(PROGRAM, verb)}
        if complete(verb, "--") != wanted:
            raise Wrong(f"{verb}: {complete(verb, '--') ^ wanted}")
    if complete("--not-po") != {"--not-port"} or "--path" not in complete("agent", "--"):
        raise Wrong("without a verb, and of the agent")
    if "--x" in complete("watch", "--", "--"):
        raise Wrong("a command's own options")
    if os.path.join(TREE, "tools/lostpeer.conf") not in complete("agent", "--config", TREE + "/tools/lostpeer.c"):
        raise Wrong("a file's name")


def check_install():
    with tempfile.TemporaryDirectory() as root:
        def install():
            return run("make", "-s", "-C", TREE, "install", "DESTDIR=" + root, "PREFIX=/usr",
                       env={**os.environ, "MAKEFLAGS": ""})
        done = install()
        found = {os.path.relpath(os.path.join(at, name), root): os.stat(os.path.join(at, name)).st_mode & 0o777
                 for at, _, names in os.walk(root) for name in names}
        if done.returncode or found != INSTALLED:
            raise Wrong(f"{done.stdout} {set(found.items()) ^ set(INSTALLED.items())}")
        mode = os.stat(root + "/var/log/lostpeer").st_mode & 0o777
        if mode != 0o750:
            raise Wrong(f"/var/log/lostpeer has mode {mode:o}")
        with open(root + "/usr/lib/systemd/system/lostpeer.service", encoding="utf-8") as unit:
            text = unit.read()
        if "@SBINDIR@" in text or "ExecStart=/usr/sbin/lostpeer agent\n" not in text:
            raise Wrong("the unit names another program")
        with open(root + "/etc/lostpeer/lostpeer.conf", "w", encoding="utf-8") as file:
            file.write("[stdout]\n")
        install()
        with open(root + "/etc/lostpeer/lostpeer.conf", encoding="utf-8") as file:
            if file.read() != "[stdout]\n":
                raise Wrong("the configuration was overwritten")


def check_libraries():
    """The build leaves out a missing library and says so."""
    with tempfile.TemporaryDirectory() as build:
        done = run("make", "-s", "-C", TREE, "BUILD=" + build, "OPTIONAL=there:stdio.h:THERE none:no/such/header.h:NONE",
                   build + "/libraries")
        with open(build + "/libraries", encoding="utf-8") as file:
            found = file.read().split()
    if done.returncode or found != ["libthere"] or "built without libnone" not in done.stdout:
        raise Wrong("%r, %r" % (found, done.stdout))


def check_unit():
    """systemd accepts the unit, even if its program is not installed."""
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(TREE, "tools/lostpeer.service.in"), encoding="utf-8") as file:
            text = file.read().replace("@SBINDIR@/lostpeer", PROGRAM)
        unit = os.path.join(directory, "lostpeer.service")
        with open(unit, "w", encoding="utf-8") as file:
            file.write(text)
        done = run("systemd-analyze", "verify", "--man=no", unit)
        messages = [line for line in done.stdout.splitlines() if "lostpeer.service" in line]
        if messages:
            raise Wrong("; ".join(messages))
        done = run("systemd-analyze", "security", "--offline=true", "--threshold=50", unit)
        level = re.search(r"Overall exposure level for lostpeer.service: ([\d.]+)", done.stdout)
        if not level or float(level.group(1)) > 5:
            raise Wrong("exposed: " + (level.group(0) if level else done.stdout[-300:]))


def main():
    tally = Tally()
    skipped = 0
    tally.run("the_sample_configuration_is_right", check_sample)
    tally.run("bash_completes_what_there_is", check_completion)
    tally.run("install_puts_everything_in_its_place_once", check_install)
    tally.run("make_finds_out_which_libraries_there_are", check_libraries)
    if shutil.which("systemd-analyze"):
        tally.run("systemd_takes_the_unit", check_unit)
    else:
        print("skip systemd_takes_the_unit: no systemd-analyze")
        skipped = 1
    print(f"{tally.passed} passed, {tally.failed} failed, {skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
