# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A scripted set of drops: scenarios whose truths are known. Their hosts exist before the agent starts, so that it can
be configured to watch only them."""
import connect  # noqa: F401 (these modules register their scenarios)
import hostile  # noqa: F401
import local  # noqa: F401
import orderly  # noqa: F401
import peer  # noqa: F401
import place  # noqa: F401
import timeout  # noqa: F401
from trial import Skip, Trial, registry

SCRIPT = ("refused refused_then_connected connect_timeout abandoned_by_close reset reset_unread reset_unacked "
          "unread_data unread_data_killed linger_half_closed disconnect destroyed listener_closed keepalive_timeout "
          "user_timeout close_after_data half_close_unread place_of_unit hostile_executable hostile_names").split()


class Drop(Trial):
    def __init__(self, name, made=None):
        """made: its hosts, if they are not a plain pair."""
        super().__init__(registry[name], "ipv4")
        self.run = registry[name].function
        self.made = list(made or super().pair())
        self.hosts = list(self.made)
        self.skipped = None

    def pair(self, **options):
        return self.made

    def perform(self):
        try:
            self.run(self)
        except Skip as e:
            self.skipped = str(e)
        self.finish()


class Drops:
    def __init__(self, names, make=Drop):
        self.all = [make(name) for name in names]

    def perform(self):
        for drop in self.all:
            drop.perform()

    def truths(self):
        return [truth for drop in self.all for truth in drop.truths if not truth.hidden]

    def netns(self):
        return [host.netns for drop in self.all for host in drop.made]

    def end(self):
        for drop in self.all:
            drop.clear()
