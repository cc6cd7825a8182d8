"""The table of phone calls goes through the output of the files and comes out whole."""

import contextlib
import io
import unittest

from harness import call_table


def printed(action, *arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        action(*arguments)
    return out.getvalue().splitlines()


class CallTable(unittest.TestCase):
    def test_lines_are_taken_out_of_a_files_output(self):
        lines = ["  before", *printed(call_table.line, "engine killed", 6, 4123.6, 0, 1), "  behind"]
        rows, others = call_table.take(lines)
        self.assertEqual(rows, [["engine killed", "6", "4124", "0", "1"]])
        self.assertEqual(others, ["  before", "  behind"])

    def test_the_table_ends_with_the_sums(self):
        rows = [["socket cut", "4", "900", "0", "1"], ["engine killed", "6", "4124", "2", "0"]]
        shown = printed(call_table.show, rows)
        self.assertEqual([line.split("  ")[1].strip() for line in shown],
                         ["phone calls", "fault", "engine killed", "socket cut", "all"])
        self.assertEqual(shown[-1].split(), ["all", "10", "4124", "2", "1"])

    def test_without_calls_there_is_no_table(self):
        self.assertEqual(printed(call_table.show, []), [])


if __name__ == "__main__":
    unittest.main()
