#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tools/fleet against the contract. The ClickHouse table has a column of a suitable type for each field of
lostpeer-events(7). The collector's configuration is YAML, names only these fields, and reads a real time."""
import os
import re
import sys

import contract
from options import Tally, Wrong

try:
    import yaml
except ImportError:
    yaml = None

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLEET = os.path.join(TREE, "tools", "fleet")
COLUMN = re.compile(r"^    `?([a-z0-9_.]+)`? +([A-Z]\w+(?:\([\w(), ]+\))?)(,$| MATERIALIZED )", re.M)
# Unsigned columns hold the largest possible value.
TYPES = {
    "integer": re.compile(r"(Nullable\()?UInt64\)?"), "string": re.compile(r"(Nullable\()?String\)?"),
    "boolean": re.compile(r"Nullable\(UInt8\)"), "number": re.compile(r"Nullable\(Decimal\(18, 3\)\)"),
    "array of string": re.compile(r"Array\(String\)"), "array of integer": re.compile(r"Array\(UInt64\)"),
}
ALWAYS = {"schema", "time", "host.name", "event", "cause", "severity"}
# Go's notation for the parts of a time, as regular expressions.
LAYOUT = (("2006", r"\d{4}"), ("01", r"\d\d"), ("02", r"\d\d"), ("15", r"\d\d"), ("04", r"\d\d"), ("05", r"\d\d"),
          ("000000000", r"\d{9}"), ("Z07:00", r"(?:Z|[+-]\d\d:\d\d)"))


def read(*name):
    with open(os.path.join(FLEET, *name), encoding="utf-8") as file:
        return file.read()


def table():
    """What make takes from the page of the contract."""
    with open(os.path.join(TREE, "build", "fleet", "clickhouse", "events.sql"), encoding="utf-8") as file:
        return file.read()


def fields():
    page = contract.read_page(os.path.join(TREE, "tools/man/lostpeer-events.7"))
    return dict(page.names()["field"]), page


def check_columns():
    wanted, _ = fields()
    found = {name: kind for name, kind, end in COLUMN.findall(table()) if end == ","}
    if found.keys() != wanted.keys():
        raise Wrong("only in one of both: " + ", ".join(sorted(found.keys() ^ wanted.keys())))
    for name, kind in found.items():
        if not TYPES[wanted[name].replace("-", " ")].fullmatch(kind):
            raise Wrong(f"{name} is {wanted[name]} and its column {kind}")
        if name in ALWAYS and "Nullable" in kind or name not in ALWAYS and kind.startswith(("UInt", "String")):
            raise Wrong(f"{name}: {kind}")


def check_queries():
    """Every quoted name in a query is a column."""
    known = {name for name, _, _ in COLUMN.findall(table())}
    named = 0
    for name in sorted(os.listdir(os.path.join(FLEET, "clickhouse"))):
        if name.endswith(".sql"):
            quoted = set(re.findall(r"`([^`]+)`", read("clickhouse", name)))
            named += len(quoted)
            if quoted - known:
                raise Wrong(f"{name}: {', '.join(quoted - known)}")
    if named < 10:
        raise Wrong("no query names a column")


def operators():
    config = yaml.safe_load(read("opentelemetry", "lostpeer.yaml"))
    pipeline = config["service"]["pipelines"]["logs/lostpeer"]
    for kind in ("receivers", "exporters"):
        if [name for name in pipeline[kind] if name not in config[kind]]:
            raise Wrong(f"{kind} that are not there: {pipeline[kind]}")
    if set(config["service"]["extensions"]) != set(config["extensions"]):
        raise Wrong("extensions")
    return config["receivers"]["filelog/lostpeer"]["operators"]


def check_collector():
    wanted, page = fields()
    text = read("opentelemetry", "lostpeer.yaml")
    named = re.findall(r"(?:attributes|resource)\[\"([^\"]+)\"\]", text)
    if not named or set(named) - wanted.keys():
        raise Wrong(f"fields: {named}")
    # OTTL reads a dot as a step into a map.
    if re.search(r"attributes\.\w", text):
        raise Wrong("a field is named without brackets")
    mapping = operators()[0]["severity"]["mapping"]
    if sorted(mapping.values()) != sorted(page.words("severities")):
        raise Wrong(f"severities {mapping.values()}, not {page.words('severity')}")
    if operators()[0]["type"] != "json_parser" or not operators()[0]["parse_ints"]:
        raise Wrong("the first operator")


def check_layout():
    _, page = fields()
    stamp = operators()[0]["timestamp"]
    if stamp["layout_type"] != "gotime" or stamp["parse_from"] != 'attributes["time"]':
        raise Wrong(f"{stamp}")
    pattern = re.escape(stamp["layout"]).replace("\\-", "-").replace("\\:", ":")
    for word, digits in LAYOUT:
        if pattern.count(word) != 1:
            raise Wrong(f"{word} in {stamp['layout']}")
        pattern = pattern.replace(word, "{%s}" % word)
    for word, digits in LAYOUT:
        pattern = pattern.replace("{%s}" % word, digits)
    real = [time for example in page.examples for time in re.findall(r'"time":"([^"]+)"', example)]
    if not real or not all(re.fullmatch(pattern, time) for time in real):
        raise Wrong(f"{pattern} does not match {real}")


def main():
    tally = Tally()
    skipped = 0
    tally.run("clickhouse_has_every_field", check_columns)
    tally.run("clickhouse_is_asked_for_columns", check_queries)
    for name, check in (("collector_names_fields", check_collector), ("collector_reads_the_time", check_layout)):
        if yaml:
            tally.run(name, check)
        else:
            print(f"skip {name}: no yaml module for this python3")
            skipped += 1
    print(f"{tally.passed} passed, {tally.failed} failed, {skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
