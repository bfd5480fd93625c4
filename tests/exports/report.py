# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Print the result of each comparison, and a last line that counts them."""


class Report:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0

    def tell(self, name, problems):
        if problems:
            self.failed += 1
            print("not ok %s: %s" % (name, problems[0]), flush=True)
            for problem in problems[1:20]:
                print("    " + problem)
        else:
            self.passed += 1
            print("ok " + name, flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print("skip %s: %s" % (name, why), flush=True)

    def total(self):
        print("%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped))
        return 1 if self.failed else 0
