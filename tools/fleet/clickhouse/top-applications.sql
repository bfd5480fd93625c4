-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
-- The applications that lost most peers in the last day, by cause.
SELECT
    application,
    sum(times) AS lost,
    uniqExact(`host.name`) AS hosts,
    uniqExact(`network.peer.address`) AS peers,
    sumIf(times, cause = 'reset') AS reset,
    sumIf(times, cause LIKE '%timeout') AS timeout,
    sum(ifNull(`data.unacked_bytes`, 0)) AS unacked_bytes,
    max(time) AS last
FROM lostpeer.events FINAL
WHERE event = 'peer_lost' AND day >= today() - 1 AND time_ns > (toInt64(toUnixTimestamp(now())) - 86400) * 1000000000
GROUP BY application
ORDER BY lost DESC, application
LIMIT 20
