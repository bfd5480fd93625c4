#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compare the options of lostpeer(8) with --help, verb by verb with their arguments, and the keys of lostpeer.conf(5)
with `lostpeer agent --help`, section by section.

The page defines an option by `.It Fl -NAME [Ar ARGUMENT]`, or several with commas, in the section `.Ss lostpeer VERB`.
Options outside of these sections belong to lostpeer itself. Every option that the page mentions must exist."""
import argparse
import os
import re
import subprocess
import sys

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VERBS = ("watch", "check", "agent", "demo", "doctor")
HELP = re.compile(r"  --(\[not-\])?([a-z][a-z0-9-]*)(?: (\S+))?  +\S")
KEYS = re.compile(r"Of (?:an output of the kind (\w+)|every (output)):")
OF_AGENT = ("config", "check-config", "output")  # options of the agent that are not keys
OF_EVERY_VERB = {"help": ""}  # the page need not list it for each verb


class Wrong(Exception):
    """A check failed; the message is the reason."""


def help_options(program, verb):
    """The options in --help: name -> argument. Opposites are separate names."""
    run = subprocess.run([program, verb, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
                         check=False, text=True)
    if run.returncode != 0:
        raise Wrong(f"lostpeer {verb} --help exits with {run.returncode}")
    options = {}
    for line in run.stdout.splitlines():
        if verb == "agent" and KEYS.match(line):
            break  # lostpeer.conf(5) has these and the ones of [agent]
        match = HELP.match(line)
        if not match:
            if line.lstrip().startswith("--"):
                raise Wrong(f"not the form of an option: {line}")
            continue
        opposite, name, argument = match.groups()
        options[name] = argument or ""
        if opposite:
            options["not-" + name] = argument or ""
    if verb == "agent":
        options = {name: argument for name, argument in options.items() if name in OF_AGENT}
        options["help"] = ""
    if "help" not in options:
        raise Wrong(f"lostpeer {verb} --help does not show --help")
    return options


def item_options(line):
    """`.It Fl -peer Ar ADDRESS Ns Oo / Ns Ar BITS Oc , Fl -not-peer ...` as name -> argument."""
    options = {}
    for part in re.split(r" [,|] (?=Fl )", line[len(".It "):].replace(r"\-", "-")):
        words = part.split(" ")
        if words[0] != "Fl":
            return {}
        name = re.fullmatch(r"-([a-z][a-z0-9-]*)", words[1])
        if not name:
            raise Wrong(f"not the form of an option: {line}")
        argument = "".join({"Oo": "[", "Oc": "]"}.get(word, word) for word in words[2:] if word not in ("Ar", "Ns"))
        options[name.group(1)] = argument
    return options


class Page:
    """verb -> {name: argument}, "" for options without a verb; and every name that the page mentions."""

    def __init__(self, path):
        self.options = {verb: {} for verb in ("",) + VERBS}
        self.mentioned = set()
        verb = ""
        with open(path, encoding="utf-8") as file:
            for line in file.read().splitlines():
                section = re.fullmatch(r"\.S([sh]) (?:lostpeer )?(.*)", line)
                if section:
                    verb = section.group(2) if section.group(1) == "s" and section.group(2) in VERBS else ""
                elif line.startswith(".It Fl"):
                    self.options[verb].update(item_options(line))
                if not line.startswith('.\\"'):
                    self.mention(line)

    def mention(self, line):
        line = line.replace(r"\-", "-")
        self.mentioned.update(re.findall(r"(?:\bFl -|(?<![\w-])--)([a-z][a-z0-9-]*)", line))


def help_keys(program):
    """section -> {key: whether it takes no value}, from the agent's help, with opposites."""
    run = subprocess.run([program, "agent", "--help"], stdout=subprocess.PIPE, timeout=30, check=True, text=True)
    sections = {"agent": {}}
    section = "agent"
    for line in run.stdout.splitlines():
        title = KEYS.match(line)
        if title:
            section = title.group(1) or "OUTPUT"
            sections[section] = {}
        match = HELP.match(line)
        if not match or match.group(2) in OF_AGENT + ("help",):
            continue
        opposite, name, argument = match.groups()
        sections[section][name] = argument is None
        if opposite:
            sections[section]["not-" + name] = False
    return sections


def page_keys(path):
    """The same from the page."""
    sections, section = {}, None
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines():
            title = re.fullmatch(r"\.S([sh]) \[?(\w+)\]?.*", line)
            if title:
                section = sections.setdefault(title.group(2), {}) if title.group(1) == "s" else None
            elif line.startswith(".It Ic"):
                if section is None:
                    raise Wrong(f"a key in no section: {line}")
                for part in re.split(r" , (?=Ic )", line[len(".It "):]):
                    key = re.fullmatch(r"Ic ([a-z][a-z-]*) No = (.+)", part)
                    if not key:
                        raise Wrong(f"not the form of a key: {line}")
                    section[key.group(1)] = key.group(2) == "Ar yes|no"
    return sections


def check_keys(program, path):
    has, documented = help_keys(program), page_keys(path)
    why = []
    for section in sorted(has.keys() | documented.keys()):
        one, other = has.get(section), documented.get(section)
        if one is None or other is None:
            why.append(f"[{section}] is only in {'the page' if one is None else 'the program'}")
            continue
        why += [f"[{section}] {key} is only in the program" for key in sorted(one.keys() - other.keys())]
        why += [f"[{section}] {key} is only in the page" for key in sorted(other.keys() - one.keys())]
        why += [f"[{section}] {key}: one of them says yes|no" for key in sorted(one.keys() & other.keys())
                if one[key] != other[key]]
    if why:
        raise Wrong("; ".join(why))


def check_verb(page, verb, options):
    documented = {**OF_EVERY_VERB, **page.options[verb]}
    why = []
    for name in sorted(options.keys() | documented.keys()):
        if name not in documented:
            why.append(f"--{name} is not in the page")
        elif name not in options:
            why.append(f"--{name} is only in the page")
        elif options[name] != documented[name]:
            why.append(f"--{name} takes {options[name] or 'nothing'}, in the page {documented[name] or 'nothing'}")
    if why:
        raise Wrong("; ".join(why))


def check_mentioned(page, known):
    unknown = sorted(page.mentioned - known)
    if unknown:
        raise Wrong("no such option: " + ", ".join("--" + name for name in unknown))


def check_top(program, page):
    """Without a verb --version and --help work, and the page has no other option."""
    for name in ("help", "version"):
        run = subprocess.run([program, "--" + name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
                             check=False)
        if run.returncode != 0 or not run.stdout:
            raise Wrong(f"lostpeer --{name} exits with {run.returncode}")
    others = sorted(page.options[""].keys() - {"help", "version"})
    if others:
        raise Wrong("of no verb: " + ", ".join(others))


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def run(self, name, check, *args):
        try:
            result = check(*args)
        except (Wrong, OSError, UnicodeError, subprocess.SubprocessError) as error:
            print(f"not ok {name}: {error}")
            self.failed += 1
            return None
        print(f"ok {name}")
        self.passed += 1
        return result


def main():
    parser = argparse.ArgumentParser(description="Compare the options of lostpeer(8) with --help.")
    parser.add_argument("program", nargs="?", default=os.path.join(TREE, "build/lostpeer"))
    parser.add_argument("--page", default=os.path.join(TREE, "tools/man/lostpeer.8"))
    args = parser.parse_args()
    if not os.path.exists(args.page):
        print(f"skip options: there is no {os.path.relpath(args.page, TREE)}\n0 passed, 0 failed, 1 skipped")
        return 0

    tally = Tally()
    page = tally.run("page_has_its_form", Page, args.page)
    tally.run("lostpeer_conf_has_the_keys_of_the_program", check_keys, args.program,
              os.path.join(TREE, "tools/man/lostpeer.conf.5"))
    known = {"version", "help"}
    for verb in VERBS:
        options = tally.run(f"{verb}_has_help", help_options, args.program, verb)
        if page and options:
            known |= options.keys()
            tally.run(f"{verb}_has_the_options_of_the_page", check_verb, page, verb, options)
    if page:
        tally.run("page_mentions_only_options_that_exist", check_mentioned, page, known)
        tally.run("lostpeer_itself_has_the_options_of_the_page", check_top, args.program, page)
    print(f"{tally.passed} passed, {tally.failed} failed, 0 skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
