# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections that end in order."""
from trial import scenario


@scenario()
def close(t):
    c, s = t.connection()
    c("s.close()")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.close()")
    s.ended()
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned")
