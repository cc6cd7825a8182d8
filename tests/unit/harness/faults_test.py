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


def skipped_without_long():
    """Those that a plain run never runs: they raise Skip and name the option."""
    found = set()
    for suite in PYTHON_SUITES:
        for path in files_of(suite):
            bodies = re.split(r"^def test_", path.read_text(), flags=re.M)[1:]
            found |= {full_name(suite, path, test) for test in tests_of(path) for body in bodies
                      if re.match(rf"{test.removeprefix('test_')}\(", body)
                      and re.search(r"raise Skip\([^)]*--long", body)}
    return found


class Faults(unittest.TestCase):
    def test_what_is_named_is_there(self):
        rows = [line for line in TABLES.read_text().splitlines() if line.startswith("| ") and "`" in line]
        named = [name for row in rows for name in re.findall("`([^`]+)`", row.split(" | ")[-1])]
        self.assertGreater(len(named), 50)
        self.assertEqual(sorted(set(named) - existing()), [])

    def test_what_only_long_runs_show_is_told(self):
        skipped = skipped_without_long()
        self.assertIn("crash/calls.kill_in_each_state_of_the_turn", skipped)
        untold = [(name, line) for line in TABLES.read_text().splitlines() if line.startswith("| ")
                  for name in skipped if f"`{name}`" in line and "with --long only" not in line]
        self.assertEqual(untold, [])


if __name__ == "__main__":
    unittest.main()
