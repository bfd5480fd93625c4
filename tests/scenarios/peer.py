# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""RSTs that arrive on connections that existed."""
from trial import scenario


@scenario()
def reset(t):
    c, s = t.connection()
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established", state="established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), state="established")
