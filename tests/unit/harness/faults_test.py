"""tests/FAULTS.md names tests: each of them is there."""

import re
import unittest

from harness import CHECKOUT
from harness.main import PYTHON_SUITES
from harness.suite import files_of, full_name, tests_of

TABLES = CHECKOUT / "tests" / "FAULTS.md"


def existing():
    names = {full_name(suite, path, test) for suite in PYTHON_SUITES for path in files_of(suite) for test in tests_of(path)}
    folder = CHECKOUT / "tests" / "unit"
    return names | {f"unit/{path.relative_to(folder).with_suffix('')}" for path in folder.rglob("*_test.c")}


class Faults(unittest.TestCase):
    def test_what_is_named_is_there(self):
        rows = [line for line in TABLES.read_text().splitlines() if line.startswith("| ") and "`" in line]
        named = [name for row in rows for name in re.findall("`([^`]+)`", row.split(" | ")[-1])]
        self.assertGreater(len(named), 50)
        self.assertEqual(sorted(set(named) - existing()), [])


if __name__ == "__main__":
    unittest.main()
