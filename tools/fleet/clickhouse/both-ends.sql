-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
-- Each lost connection of the last day as both ends report it: the event of one host, and the event of the other host
-- that is closest in time, within an hour. If a host of the fleet has no event, it has not noticed the loss yet, or its
-- end closed in order and its agent does not report that. Behind address translation the ends do not match.
SELECT
    time,
    host,
    app,
    what,
    local,
    peer,
    argMinIf(other_host, distance, near) AS peer_host,
    argMinIf(other_app, distance, near) AS peer_app,
    argMinIf(other_what, distance, near) AS peer_what,
    argMinIf(later_ns, distance, near) / 1000000 AS later_ms,
    unacked_bytes,
    argMinIf(other_unread, distance, near) AS peer_unread_bytes
FROM
(
    SELECT
        time, host, app, what, local, peer, netns, cookie, unacked_bytes,
        other_host, other_app, other_what, other_unread,
        other_ns - ns AS later_ns,
        abs(other_ns - ns) AS distance,
        other_host != '' AND abs(other_ns - ns) < 3600000000000 AS near
    FROM
    (
        SELECT
            time, time_ns AS ns, `host.name` AS host, application AS app, concat(event, '/', cause) AS what,
            concat(ifNull(`network.local.address`, ''), ' ', toString(ifNull(`network.local.port`, 0))) AS local,
            concat(ifNull(`network.peer.address`, ''), ' ', toString(ifNull(`network.peer.port`, 0))) AS peer,
            ifNull(`network.netns`, 0) AS netns, ifNull(`tcp.cookie`, 0) AS cookie,
            `data.unacked_bytes` AS unacked_bytes
        FROM lostpeer.events FINAL
        WHERE event IN ('peer_lost', 'connect_failed', 'local_reset') AND isNotNull(`network.peer.port`)
            AND day >= today() - 1 AND time_ns > (toInt64(toUnixTimestamp(now())) - 86400) * 1000000000
    )
    ALL LEFT JOIN
    (
        SELECT
            concat(ifNull(`network.peer.address`, ''), ' ', toString(ifNull(`network.peer.port`, 0))) AS local,
            concat(ifNull(`network.local.address`, ''), ' ', toString(ifNull(`network.local.port`, 0))) AS peer,
            time_ns AS other_ns, `host.name` AS other_host, application AS other_app,
            concat(event, '/', cause) AS other_what, `data.unread_bytes` AS other_unread
        FROM lostpeer.events FINAL
        WHERE isNotNull(`network.peer.port`) AND day >= today() - 1
    ) USING (local, peer)
)
GROUP BY time, host, app, what, local, peer, netns, cookie, unacked_bytes
ORDER BY time, host, local, peer
LIMIT 1000
