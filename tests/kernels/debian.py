# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Download Debian's packages for any architecture from the mirror of the host's apt, without installing them."""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
INDEX_AGE = 3600  # seconds; a younger index is not read again if a package is missing from it


def cache_directory():
    base = os.environ.get('LOSTPEER_CACHE')
    if not base:
        base = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'lostpeer'
    return Path(base).absolute() / 'kernels'


class Apt:
    """apt with lists, cache and sources of its own, so that those of the host do not change."""

    def __init__(self, directory, architecture, suites):
        self.architecture = architecture
        self.suites = suites  # those with -security in their names come from the security archive
        self.sources = directory / 'sources.list'
        self.lists = directory / 'lists'
        self.cache = directory / 'cache'
        status = directory / 'status'
        (self.lists / 'partial').mkdir(parents=True, exist_ok=True)
        (self.cache / 'archives/partial').mkdir(parents=True, exist_ok=True)
        status.touch()
        options = (f'Dir::Etc::sourcelist={self.sources}', 'Dir::Etc::sourceparts=/dev/null',
                   'Dir::Etc::preferences=/dev/null', 'Dir::Etc::preferencesparts=/dev/null',
                   f'Dir::State={directory}', f'Dir::State::lists={self.lists}', f'Dir::State::status={status}',
                   f'Dir::Cache={self.cache}', 'Acquire::Languages=none', 'Acquire::Check-Valid-Until=false',
                   f'APT::Architecture={architecture}', f'APT::Architectures={architecture}',
                   'APT::Sandbox::User=root')
        self.options = [word for option in options for word in ('-o', option)]

    def update(self):
        self.sources.write_text(self.sources_list())
        # apt fails if the mirror lacks a suite, but still reads the index of the others.
        subprocess.run(['apt-get', '-qq', *self.options, 'update'], check=False, capture_output=True)

    def sources_list(self):
        main, security = mirrors()
        if not main:
            subprocess.run(['apt-get', '-qq', 'update'], check=False, capture_output=True)
            main, security = mirrors()
        if not main:
            sys.exit('apt is not set up with a Debian mirror')
        signed = f'signed-by={KEYRING}' if os.path.exists(KEYRING) else ''
        return ''.join(f'deb [arch={self.architecture} {signed}] {security if "-security" in suite else main} '
                       f'{suite} main\n' for suite in self.suites)

    def download(self, package, directory):
        """The package's file; None if the mirror does not have it."""
        directory.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(['apt-get', '-qq', *self.options, 'download', f'{package}:{self.architecture}'],
                              cwd=directory, check=False, capture_output=True)
        files = list(directory.glob(f'{package}_*.deb'))
        return files[0] if done.returncode == 0 and files else None

    def download_with_dependencies(self, packages):
        """The files of these packages and of all their dependencies."""
        subprocess.run(['apt-get', '-qq', *self.options, 'clean'], check=True)
        done = subprocess.run(['apt-get', '-qq', *self.options, 'install', '-y', '--download-only',
                               '--no-install-recommends', *packages], check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f'apt cannot download {" ".join(packages)}: {done.stderr.strip()}')
        return sorted((self.cache / 'archives').glob('*.deb'))

    def is_stale(self):
        return not self.sources.exists() or time.time() - self.sources.stat().st_mtime > INDEX_AGE

    def is_empty(self):
        return not any(self.lists.glob('*Packages*'))

    def packages(self, pattern):
        """{name: (version, bytes)} of the packages whose names begin with pattern; the newest suite wins."""
        found = {}
        for path in sorted(self.lists.glob(f'*binary-{self.architecture}_Packages*')):
            text = subprocess.run(['/usr/lib/apt/apt-helper', 'cat-file', str(path)], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            for stanza in re.split(r'\n\n', text):
                if re.match(f'Package: {pattern}', stanza):
                    field = dict(re.findall(r'^([A-Za-z-]+): (.*)$', stanza, re.M))
                    found[field['Package']] = (field['Version'], int(field['Size']))
        return found


def mirrors():
    """The Debian mirrors that the host's apt uses: (main, security)."""
    query = ['apt-get', 'indextargets', '--format', '$(ORIGIN) $(RELEASE) $(REPO_URI)', 'Created-By: Packages']
    main = security = None
    for line in subprocess.run(query, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        origin, release, uri = line.rsplit(' ', 2)
        if origin != 'Debian':
            continue
        if release.endswith('-security'):
            security = security or uri
        else:
            main = main or uri
    return main, security or main
