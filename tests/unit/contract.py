#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compare the names of lostpeer-events(7) with the program's enumerations.

The man page is the contract; its top explains the form that is read here. The program's side is NAMES: a file, or a
program that prints one, with lines

    event NAME | cause EVENT CAUSE BY | phase NAME | severity NAME | via NAME | unknown NAME | field NAME TYPE |
    verdict NAME | check NAME TYPE | message_id EVENT ID | metric NAME LABEL,LABEL

in any order. TYPE has hyphens (array-of-string); a metric without labels has a hyphen instead. Both sides must be
equal. The example events of the page are checked too: JSON, declared fields and types, declared words.
"""
import argparse
import json
import os
import re
import subprocess
import sys

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TYPES = {
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "string": lambda v: isinstance(v, str) and v != "",
    "boolean": lambda v: isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "array-of-string": lambda v: is_array(v, "string"),
    "array-of-integer": lambda v: is_array(v, "integer"),
}

WORD = re.compile(r"\.It Cm ([a-z0-9_]+)")
ITEM = {  # kind of list in the page: the form of its items
    "events": re.compile(r"\.It Cm ([a-z0-9_]+) Ns / Ns Cm ([a-z0-9_]+) Pq ([a-z]+)"),
    "fields": re.compile(r"\.It Va ([a-z0-9_.]+) Pq (integer|string|boolean|number|array of string|array of integer)"),
    "phases": WORD,
    "severities": WORD,
    "via": WORD,
    "unknown": WORD,
    "verdicts": WORD,
    "message_ids": re.compile(r"\.It ([a-z_]+) Ta ([0-9a-f]{32})"),
    "metrics": re.compile(r"\.It Va ([a-z_]+)(?: Pq ([a-z, ]+))?"),
}
ITEM["check fields"] = ITEM["fields"]
WORD_FIELDS = (("phase", "phases"), ("severity", "severities"), ("owner.via", "via"), ("owner.unknown", "unknown"))
DESCRIBED = ("events", "fields", "check fields", "metrics")  # all items have a description, perhaps a shared one

NAMES = {"event": 1, "cause": 3, "phase": 1, "severity": 1, "via": 1, "unknown": 1, "field": 2,
         "verdict": 1, "check": 2, "message_id": 2, "metric": 2}  # words after each


class Wrong(Exception):
    """A check failed; the message is the reason."""


def is_array(value, of):
    # An empty array would be an unknown fact, which must be left out.
    return isinstance(value, list) and value != [] and all(TYPES[of](v) for v in value)


def unescape(text):
    return text.replace(r"\-", "-").replace(r"\&", "").replace(r"\e", "\\")


def plain(line):
    """The words of one line of a description, without markup."""
    if line.startswith("."):
        macro, _, rest = line[1:].partition(" ")
        if macro not in ("Cm", "Va", "Er", "Dv", "Fl", "Ql", "Sx"):
            raise Wrong(f"macro not expected in a description: {line}")
        line = ("-" if macro == "Fl" else "") + rest  # .Fl itself prints the first hyphen of an option
        line = re.sub(r" ([).,:;?!]+)(?= |$)", r"\1", line)
        line = re.sub(r"(^| )([(\[]) ", r"\1\2", line)
    return unescape(line)


class Page:
    """The lists of the man page: kind -> [(words of the item, description)]; and its examples, one line each."""

    def __init__(self, source):
        self.lists = {kind: [] for kind in ITEM}
        self.examples = []
        lines = iter(source.splitlines())
        for line in lines:
            marker = re.fullmatch(r'\.\\" list: (\S.*)', line)
            if marker:
                self.read_list(marker.group(1), lines)
            elif line == r'.\" example':
                self.read_example(lines)
            elif ITEM["events"].fullmatch(line) or ITEM["fields"].fullmatch(line):
                raise Wrong(f"an item outside a marked list: {line}")
        for kind, items in self.lists.items():
            if not items:
                raise Wrong(f"no list of {kind}")

    def read_list(self, kind, lines):
        if kind not in ITEM:
            raise Wrong(f"a list of unknown kind: {kind}")
        if self.lists[kind]:
            raise Wrong(f"a second list of {kind}")
        if not next(lines, "").startswith(".Bl "):
            raise Wrong(f"no .Bl right after the marker of {kind}")
        items = []
        for line in lines:
            if line == ".El":
                break
            if line.startswith(".It"):
                match = ITEM[kind].fullmatch(line)
                if not match:
                    raise Wrong(f"not the form of {kind}: {line}")
                items.append((match.groups(), []))
            elif not items:
                raise Wrong(f"text before the first item of {kind}: {line}")
            else:
                items[-1][1].append(plain(line))
        else:
            raise Wrong(f"no .El ends the list of {kind}")
        self.lists[kind] = described(kind, items)

    def read_example(self, lines):
        if not next(lines, "").startswith(".Bd -literal"):
            raise Wrong("no .Bd -literal right after the marker of an example")
        text = []
        for line in lines:
            if line == ".Ed":
                self.examples.append(unescape("".join(text)))
                return
            text.append(line)
        raise Wrong("no .Ed ends an example")

    def words(self, kind):
        return [words[0] for words, _ in self.lists[kind]]

    def names(self):
        """The declarations of the page, in the form of NAMES."""
        rows = [words for words, _ in self.lists["events"]]
        return {
            "event": list(dict.fromkeys((event,) for event, _, _ in rows)),
            "cause": rows,
            "phase": [words for words, _ in self.lists["phases"]],
            "severity": [words for words, _ in self.lists["severities"]],
            "via": [words for words, _ in self.lists["via"]],
            "unknown": [words for words, _ in self.lists["unknown"]],
            "field": [(name, form.replace(" ", "-")) for (name, form), _ in self.lists["fields"]],
            "verdict": [words for words, _ in self.lists["verdicts"]],
            "check": [(name, form.replace(" ", "-")) for (name, form), _ in self.lists["check fields"]],
            "message_id": [words for words, _ in self.lists["message_ids"]],
            "metric": [(name, (labels or "-").replace(" ", "")) for (name, labels), _ in self.lists["metrics"]],
        }


def described(kind, items):
    """The items with their descriptions as text. In some lists adjacent items share the last one's."""
    result = []
    following = ""
    for words, lines in reversed(items):
        text = " ".join(lines)
        if kind in DESCRIBED:
            text = text or following
            if not text:
                raise Wrong(f"no description: {' '.join(words)}")
        following = text
        result.insert(0, (words, text))
    return result


def read_names(path):
    """NAMES as kind -> list of tuples."""
    if not os.path.isfile(path):
        raise Wrong(f"there is no {path}")
    if os.access(path, os.X_OK):
        run = subprocess.run([os.path.abspath(path)], stdout=subprocess.PIPE, timeout=30, check=False)
        if run.returncode != 0:
            raise Wrong(f"{path} exited with {run.returncode}")
        text = run.stdout.decode("utf-8", "replace")
    else:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    names = {kind: [] for kind in NAMES}
    for line in text.splitlines():
        kind, *words = line.split(" ")
        if NAMES.get(kind) != len(words) or "" in words:
            raise Wrong(f"not a line of names: {line!r}")
        names[kind].append(tuple(words))
    return names


def no_twice(items):
    twice = sorted({item for item in items if items.count(item) > 1})
    if twice:
        raise Wrong("twice: " + ", ".join(map(show, twice)))


def show(words):
    return " ".join(words)


def check_twice(page):
    for kind in ITEM:
        items = [words for words, _ in page.lists[kind]]
        if kind == "events":
            items = [(event, cause) for event, cause, _ in items]
        elif kind in ("fields", "check fields"):
            items = [(name,) for name, _ in items]
        no_twice(items)


def check_same(page, names):
    no_twice(names)
    why = []
    only_page = [item for item in page if item not in names]
    only_names = [item for item in names if item not in page]
    if only_page:
        why.append("only in the page: " + ", ".join(map(show, only_page)))
    if only_names:
        why.append("only in the program: " + ", ".join(map(show, only_names)))
    if why:
        raise Wrong("; ".join(why))


def load_once(pairs):
    no_twice([(key,) for key, _ in pairs])
    return dict(pairs)


def check_example(page, text):
    try:
        event = json.loads(text, object_pairs_hook=load_once)
    except ValueError as error:
        raise Wrong(f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise Wrong("not an object")
    names = page.names()
    types = dict(names["field"] + names["check"] if "verdict" in event else names["field"])
    for key, value in event.items():
        if key not in types:
            raise Wrong(f"no such field: {key}")
        if not TYPES[types[key]](value):
            raise Wrong(f"{key} is not {types[key]}, or is empty: {value!r}")
    row = tuple(event.get(key) for key in ("event", "cause", "by"))
    if (event.get("verdict"),) not in names["verdict"] and row not in names["cause"]:
        raise Wrong(f"no such event, cause and by: {row}")
    for key, kind in WORD_FIELDS:
        if key in event and event[key] not in page.words(kind):
            raise Wrong(f"no such {key}: {event[key]}")


def check_examples_there(page):
    if not page.examples:
        raise Wrong("the page shows no event")


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, name, check, *args):
        """Run a check. Returns its result, or None if it failed."""
        try:
            result = check(*args)
        except (Wrong, OSError, UnicodeError, subprocess.SubprocessError) as error:
            print(f"not ok {name}: {error}")
            self.failed += 1
            return None
        print(f"ok {name}")
        self.passed += 1
        return result

    def skip(self, name, why):
        print(f"skip {name}: {why}")
        self.skipped += 1


def read_page(path):
    with open(path, encoding="utf-8") as file:
        return Page(file.read())


def main():
    parser = argparse.ArgumentParser(description="Compare the names of lostpeer-events(7) with the program's.")
    parser.add_argument("names", metavar="NAMES", nargs="?", default=os.path.join(TREE, "build/tests/names"),
                        help="file of names, or a program that prints it (build/tests/names)")
    parser.add_argument("--page", default=os.path.join(TREE, "tools/man/lostpeer-events.7"))
    parser.add_argument("--page-only", action="store_true", help="check the page alone, without NAMES")
    args = parser.parse_args()

    tally = Tally()
    page = tally.run("page_has_its_form", read_page, args.page)
    if page:
        tally.run("page_names_nothing_twice", check_twice, page)
        tally.run("page_shows_an_event", check_examples_there, page)
        for number, text in enumerate(page.examples, 1):
            tally.run(f"example_{number}_keeps_the_contract", check_example, page, text)
    names = None if args.page_only else tally.run("program_prints_its_names", read_names, args.names)
    for kind in NAMES:
        if page and names:
            tally.run(f"same_names_of_{kind}", check_same, page.names()[kind], names[kind])
        else:
            tally.skip(f"same_names_of_{kind}", "one side is not there to compare")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
