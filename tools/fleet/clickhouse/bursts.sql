-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
-- Peers that several hosts lost, or could not reach, at the same time in the last day. Events of one address and port
-- with less than 10 s between them are one burst. The fault is likely at the end that all of them share.
SELECT
    peer,
    min(at) AS first,
    max(at) AS last,
    uniqExact(host) AS hosts,
    sum(n) AS lost,
    arraySort(groupUniqArray(app)) AS applications,
    arraySort(groupUniqArray(what)) AS causes
FROM
(
    SELECT peer, at, host, app, what, n, burst
    FROM
    (
        SELECT
            peer,
            groupArray(time) AS ats,
            groupArray(time_ns) AS moments,
            groupArray(`host.name`) AS host_names,
            groupArray(application) AS apps,
            groupArray(concat(event, '/', cause)) AS whats,
            groupArray(times) AS counts,
            arrayCumSum(arrayMap((moment, i) -> if(i = 1, 0, moment - moments[i - 1] >= 10000000000),
                moments, arrayEnumerate(moments))) AS bursts
        FROM
        (
            SELECT
                concat(ifNull(`network.peer.address`, ''), ' ', toString(ifNull(`network.peer.port`, 0))) AS peer,
                time, time_ns, `host.name`, application, event, cause, times
            FROM lostpeer.events FINAL
            WHERE event IN ('peer_lost', 'connect_failed') AND isNotNull(`network.peer.port`)
                AND day >= today() - 1 AND time_ns > (toInt64(toUnixTimestamp(now())) - 86400) * 1000000000
            ORDER BY peer, time_ns
        )
        GROUP BY peer
    )
    ARRAY JOIN ats AS at, host_names AS host, apps AS app, whats AS what, counts AS n, bursts AS burst
)
GROUP BY peer, burst
HAVING hosts > 1
ORDER BY lost DESC, first, peer
LIMIT 20
