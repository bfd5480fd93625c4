#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Each check of tests/lint/run refuses a deliberate fault in a copy of parts of the tree, and accepts the copy without
it."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from options import Tally, Wrong

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PART = ("include", "bpf", "user/base", "user/event", "user/kernel/remembered.c", "tools/man", "tests/lint", ".clang-format", ".clang-tidy")
SPDX = "SPDX-License-Identifier: "
OWN = "/* " + SPDX + "GPL-2.0-only OR BSD-2-Clause */\n"

# check, its message, file, and the fault: the whole content of the file, or text after its own content
FAULTS = (
    ("every_file_is_formatted", "user/base/fault.c: make format", "user/base/fault.c", OWN + "int  x;\n"),
    ("includes_point_downwards", "user/base/fault.c: includes event/cause.h from above base/", "user/base/fault.c",
     OWN + '#include "event/cause.h"\n'),
    ("includes_point_downwards", "user/base/fault.h: includes ../event/cause.h by a path that leaves", "user/base/fault.h",
     OWN + '#include "../event/cause.h"\n'),
    ("includes_point_downwards", "bpf/fault.h: includes base/line.h from user/", "bpf/fault.h",
     OWN + '#include "base/line.h"\n'),
    ("includes_point_downwards", "user/attic/fault.h: is in none of the rooms", "user/attic/fault.h", OWN),
    ("shared_map_values_are_in_include", "bpf/fault.h: the agent uses exited, but struct fault is", "bpf/fault.h",
     OWN + 'struct {\n\t__type(value, struct fault);\n} exited SEC(".maps");\n'),
    ("every_declaration_is_used", "user/base/fault.h: no other file calls fault()", "user/base/fault.h",
     OWN + 'int fault(int x,\n\t  const char *text) __attribute__((format(printf, 2, 3)));\n/* fault() */\n'),
    ("every_declaration_is_used", "user/base/fault.h: nothing uses FAULTS", "user/base/fault.h", OWN + "#define FAULTS 2\n"),
    ("every_word_of_the_contract_is_said", "user/event/fault.h: nothing says FAULT_TWO", "user/event/fault.h",
     OWN + "enum fault { FAULT_NONE, FAULT_TWO, FAULT_COUNT };\n"),
    ("files_and_functions_are_short", "user/base/fault.c: 502 lines, more than 500", "user/base/fault.c",
     OWN + "\n" * 501),
    ("files_and_functions_are_short", "user/base/fault.c:2: a function of 51 lines, more than 50", "user/base/fault.c",
     OWN + "int f(void)\n{\n" + "\n" * 51 + "}\n"),
    ("clang_tidy_finds_nothing", "[clang-analyzer-unix.Malloc]", "user/base/fault.c",
     OWN + "#include <stdlib.h>\nint f(int n);\nint f(int n)\n{\n\tint *p = malloc(9);\n\n\tif (!p || n)\n"
     "\t\treturn 1;\n\tn = *p;\n\tfree(p);\n\treturn n;\n}\n"),
    ("clang_tidy_finds_nothing", "[clang-analyzer-core.UndefinedBinaryOperatorResult]", "user/base/fault.c",
     OWN + "int f(int n);\nint f(int n)\n{\n\tint x;\n\n\tif (n)\n\t\tx = 1;\n\treturn x + 1;\n}\n"),
    ("clang_tidy_finds_nothing", "[bugprone-too-small-loop-variable]", "user/base/fault.c",
     OWN + "int f(unsigned n);\nint f(unsigned n)\n{\n\tint x = 0;\n\n\tfor (unsigned char i = 0; i < n; i++)\n"
     "\t\tx += i;\n\treturn x;\n}\n"),
    ("cppcheck_finds_nothing", "[arrayIndexOutOfBounds]", "user/base/fault.c",
     OWN + "int f(void);\nint f(void)\n{\n\tint a[4] = {0}, x = 0;\n\n\tfor (int i = 0; i <= 4; i++)\n\t\tx += a[i];\n"
     "\treturn x;\n}\n"),
    ("cppcheck_finds_nothing", "[resourceLeak]", "user/base/fault.c",
     OWN + '#include <stdio.h>\nint f(void);\nint f(void)\n{\n\tFILE *file = fopen("/x", "r");\n\n'
     "\tif (!file)\n\t\treturn 1;\n\tif (fgetc(file) < 0)\n\t\treturn 2;\n\tfclose(file);\n\treturn 0;\n}\n"),
    ("cppcheck_finds_nothing", "[nullPointerRedundantCheck]", "user/base/fault.c",
     OWN + "int f(const int *p);\nint f(const int *p)\n{\n\tint x = *p;\n\n\treturn p ? x : 0;\n}\n"),
    ("shellcheck_finds_nothing", "tests/lint/fault:3:4: note: Double quote", "tests/lint/fault",
     "#!/bin/sh\n# " + SPDX + "GPL-2.0-only OR BSD-2-Clause\nrm $1\n"),
    ("man_pages_are_well_formed", "lostpeer.8:", "tools/man/lostpeer.8", ".Xq lostpeer 9\n"),
    ("every_file_names_its_licence", "user/base/fault.c", "user/base/fault.c", "int x;\n"),
    ("every_licence_is_the_projects", "user/base/fault.c: MIT", "user/base/fault.c", "/* " + SPDX + "MIT */\n"),
)


def lint(tree, check):
    return subprocess.run([os.path.join(TREE, "tests/lint/run"), "--tree", tree, check], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=100, check=False, text=True)


class Copy:
    """A copy of parts of the tree, which gets one fault after the other."""

    def __init__(self, directory):
        self.directory = directory
        for name in PART:
            at = os.path.join(directory, name)
            os.makedirs(os.path.dirname(at), exist_ok=True)
            (shutil.copytree if os.path.isdir(os.path.join(TREE, name)) else shutil.copy)(os.path.join(TREE, name), at)
        command = "cc -std=gnu11 -Iinclude -Iuser -c user/base/fault.c"
        with open(os.path.join(directory, "compile_commands.json"), "w", encoding="utf-8") as file:
            json.dump([{"directory": directory, "file": "user/base/fault.c", "command": command}], file)

    def refuses(self, without, check, message, name, fault):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        before = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(before + fault)
            done = lint(self.directory, check)
        finally:
            if before:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(before)
            else:
                os.remove(path)
        if done.returncode != 1 or not done.stdout.startswith(f"not ok {check}:\n") or message not in done.stdout:
            raise Wrong(done.stdout)
        if message in without:
            raise Wrong("it says so without the fault: " + without)


def main():
    tally, skipped = Tally(), 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Copy(directory)
        for number, (check, *fault) in enumerate(FAULTS):
            name = f"{check}_refuses_fault_{number}"
            without = lint(directory, check).stdout
            if without.startswith("skip"):
                print(f"skip {name}: {without.splitlines()[0]}")
                skipped += 1
            else:
                tally.run(name, copy.refuses, without, check, *fault)
    print(f"{tally.passed} passed, {tally.failed} failed, {skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
