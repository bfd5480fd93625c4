#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Install the servers as Debian packages them, so that none starts by itself, neither now nor at the next boot."""
import contextlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# {package: its service}
SERVICES = {"nginx": "nginx", "redis-server": "redis-server", "postgresql": "postgresql", "openssh-server": "ssh"}
CLIENTS = ("openssh-client",)
# For tests/exports. systemd is only installed, not run: it brings journald.
EXPORT_SERVICES = {"rsyslog": "rsyslog", "prometheus": "prometheus"}
EXPORT_OTHERS = ("systemd",)
# For tests/fleet.
FLEET_SERVICES = {"rsyslog": "rsyslog", "clickhouse-server": "clickhouse-server"}
FLEET_OTHERS = ("rsyslog-relp", "systemd", "systemd-journal-remote", "clickhouse-client", "openssl")
POLICY = "/usr/sbin/policy-rc.d"
CLUSTERS = "/etc/postgresql-common/createcluster.d"


def installed(package):
    try:
        done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return False
    return done.stdout == b"installed"


def install(services, others):
    """Install the missing packages. Returns False if that failed."""
    wanted = list(services) + list(others)
    missing = [package for package in wanted if not installed(package)]
    if not missing:
        return True
    # The tool then only prints the missing packages.
    if os.environ.get("INSTALL_DEPS") == "no":
        return subprocess.call([tool(), *missing]) == 0
    with quiet_services(services), no_cluster("postgresql" in missing):
        done = subprocess.call([tool(), *missing], stdin=subprocess.DEVNULL) == 0
        for package in missing:
            if package in services and installed(package):
                disable(services[package])
    return done


def tool():
    return os.path.join(ROOT, "tools", "install-deps")


def disable(service):
    """Debian enables every service that it installs: undo that."""
    print("+ update-rc.d %s disable" % service, flush=True)
    subprocess.call(["update-rc.d", service, "disable"], stdin=subprocess.DEVNULL)


@contextlib.contextmanager
def quiet_services(services):
    """Keep package scripts from starting services: policy-rc.d answers 101 meanwhile, and is restored afterwards."""
    if forbids(services):
        yield
        return
    aside = POLICY + ".lostpeer"
    exists = os.path.lexists(POLICY)
    if exists:
        os.rename(POLICY, aside)
    try:
        create(POLICY, "#!/bin/sh\nexit 101\n", 0o755)
        yield
    finally:
        if exists:
            os.rename(aside, POLICY)
        else:
            os.unlink(POLICY)


def forbids(services):
    """Whether this machine's own policy already keeps every service from starting."""
    if not os.access(POLICY, os.X_OK):
        return False
    answers = {subprocess.call([POLICY, service, "start"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL) for service in services.values()}
    return answers == {101}


@contextlib.contextmanager
def no_cluster(wanted):
    """Keep the postgresql package from making a cluster: its createcluster.conf includes the directory."""
    if not wanted:
        yield
        return
    made = [path for path in (os.path.dirname(CLUSTERS), CLUSTERS) if not os.path.isdir(path)]
    os.makedirs(CLUSTERS, exist_ok=True)
    setting = os.path.join(CLUSTERS, "lostpeer.conf")
    try:
        create(setting, "create_main_cluster = false\n", 0o644)
        yield
    finally:
        os.unlink(setting)
        for path in reversed(made):
            # A directory that is no longer empty belongs to the package now.
            with contextlib.suppress(OSError):
                os.rmdir(path)


def create(path, text, mode):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def main():
    """Install everything that tests/servers, tests/exports and tests/fleet need."""
    services = {**SERVICES, **EXPORT_SERVICES, **FLEET_SERVICES}
    return 0 if install(services, (*CLIENTS, *EXPORT_OTHERS, *FLEET_OTHERS)) else 1


if __name__ == "__main__":
    sys.exit(main())
