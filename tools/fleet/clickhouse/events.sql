-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
-- The events of lostpeer agent: a column for every field of lostpeer-events(7), with its name. A missing field is NULL
-- or an empty array. README.md shows how to insert lines unchanged. Milliseconds are decimals, because ClickHouse 18.16
-- reads the last bit of one floating-point number in a hundred wrong.

CREATE DATABASE IF NOT EXISTS lostpeer;

CREATE TABLE IF NOT EXISTS lostpeer.events
(
    `schema`                     UInt16,
    `time`                       String,
    `host.name`                  String,
    `event`                      String,
    `cause`                      String,
    `by`                         Nullable(String),
    `phase`                      Nullable(String),
    `severity`                   String,
    `ambiguous`                  Array(String),
    `error.type`                 Nullable(String),
    `role`                       Nullable(String),
    `process.pid`                Nullable(UInt32),
    `process.vpid`               Nullable(UInt32),
    `process.name`               Nullable(String),
    `process.executable.path`    Nullable(String),
    `process.creation.time`      Nullable(String),
    `process.user.id`            Nullable(UInt32),
    `process.exiting`            Nullable(UInt8),
    `process.exit.signal`        Nullable(String),
    `process.exit.out_of_memory` Nullable(UInt8),
    `owner.via`                  Nullable(String),
    `owner.unknown`              Nullable(String),
    `owner.holders`              Array(UInt32),
    `process.linux.cgroup`       Nullable(String),
    `systemd.unit`               Nullable(String),
    `systemd.slice`              Nullable(String),
    `container.id`               Nullable(String),
    `container.runtime.name`     Nullable(String),
    `k8s.pod.uid`                Nullable(String),
    `peer.process.pid`           Nullable(UInt32),
    `peer.process.name`          Nullable(String),
    `peer.process.creation.time` Nullable(String),
    `network.transport`          Nullable(String),
    `network.type`               Nullable(String),
    `network.local.address`      Nullable(String),
    `network.local.port`         Nullable(UInt16),
    `network.peer.address`       Nullable(String),
    `network.peer.port`          Nullable(UInt16),
    `network.netns`              Nullable(UInt32),
    `network.connection.state`   Nullable(String),
    `tcp.cookie`                 Nullable(UInt64),
    `tcp.duration_ms`            Nullable(Decimal(18, 3)),
    `tcp.bytes_sent`             Nullable(UInt64),
    `tcp.bytes_received`         Nullable(UInt64),
    `tcp.retransmits`            Nullable(UInt64),
    `tcp.rtt_us`                 Nullable(UInt64),
    `tcp.silent_ms`              Nullable(Decimal(18, 3)),
    `tcp.gives_up_in_ms`         Nullable(UInt64),
    `tcp.soft_error`             Nullable(String),
    `tcp.reset_reason`           Nullable(String),
    `tcp.mptcp`                  Nullable(UInt8),
    `data.unread_bytes`          Nullable(UInt64),
    `data.unacked_bytes`         Nullable(UInt64),
    `data.unsent_bytes`          Nullable(UInt64),
    `stream.read_closed`         Nullable(UInt8),
    `stream.write_closed`        Nullable(UInt8),
    `ended.time`                 Nullable(String),
    `ended.event`                Nullable(String),
    `ended.cause`                Nullable(String),
    `ignored.connections`        Nullable(UInt64),
    `listen.queue_length`        Nullable(UInt64),
    `listen.backlog`             Nullable(UInt64),
    `repeat.count`               Nullable(UInt64),
    `repeat.first`               Nullable(String),
    `repeat.last`                Nullable(String),
    `repeat.processes`           Nullable(UInt64),
    `lost.count`                 Nullable(UInt64),
    `lost.first`                 Nullable(String),
    `lost.last`                  Nullable(String),

    -- nanoseconds since 1970, UTC; time itself is text, because DateTime has only whole seconds
    time_ns Int64 MATERIALIZED toInt64(toUnixTimestamp(replaceOne(substring(time, 1, 19), 'T', ' '), 'UTC'))
        * 1000000000 + toInt64(substring(time, 21, 9)),
    day Date MATERIALIZED toDate(substring(time, 1, 10)),
    -- the agent's metrics use the same name: the unit if it is a service outside a container, else the executable
    application String MATERIALIZED multiIf(
        endsWith(ifNull(`systemd.unit`, ''), '.service') AND isNull(`container.id`), ifNull(`systemd.unit`, ''),
        isNotNull(`process.executable.path`),
        replaceRegexpOne(replaceRegexpOne(
            ifNull(`process.executable.path`, ''), ' \\(deleted\\)$', ''), '(?s)^.*/', ''),
        ifNull(`process.name`, 'unknown')),
    -- a line may stand for several events
    times UInt64 MATERIALIZED ifNull(`repeat.count`, 1)
)
-- The key and FINAL in a query make one event of a line that comes twice: rsyslog sends a line again if the centre did
-- not acknowledge it, and a file may be inserted again.
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(day)
ORDER BY (`host.name`, time, event, cause, ifNull(`network.netns`, 0), ifNull(`tcp.cookie`, 0),
    ifNull(`network.local.port`, 0), ifNull(`network.peer.port`, 0), ifNull(`process.pid`, 0));
