"""The table of mails goes through the output of the files and comes out whole."""

import contextlib
import io
import unittest

from harness import CHECKOUT, mail_table
from harness.main import MAIL, PYTHON_SUITES, files_of_suites


def printed(action, *arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        action(*arguments)
    return out.getvalue().splitlines()


def fails_at_line(*arguments):
    """The line, of a test that it fails."""
    with contextlib.suppress(AssertionError):
        mail_table.line(*arguments)


class MailSuite(unittest.TestCase):
    def test_no_file_on_mail_is_left_out(self):
        folders = [CHECKOUT / "tests" / suite for suite in PYTHON_SUITES]
        wanted = {path for folder in folders for path in folder.glob("test_*.py") if "mail" in path.stem}
        self.assertIn("test_escalation_mail", {path.stem for path in wanted})
        self.assertEqual({path for _, path in files_of_suites([MAIL])}, wanted)


class MailTable(unittest.TestCase):
    def test_what_was_lost_and_what_came_twice_is_counted(self):
        lines = ["  before", *printed(fails_at_line, "killed", mail_table.READ, "abcd", "aab", 2, "bc"), "  behind"]
        rows, others = mail_table.take(lines)
        self.assertEqual(rows, [["killed", "read", "4", "2", "1", "1", "1", "2"]])
        self.assertEqual(others, ["  before", "  behind"])

    def test_what_is_lost_or_comes_twice_fails_its_test(self):
        for got, told, said in (("a", "", "lost ['b'], doubled []"), ("aab", "", "lost [], doubled ['a']")):
            with self.assertRaises(AssertionError) as raised:
                printed(mail_table.line, "killed", mail_table.READ, "ab", got, 0, told)
            self.assertIn(said, str(raised.exception))
        self.assertEqual(len(printed(mail_table.line, "killed", mail_table.READ, "ab", "a", 0, "b")), 1)

    def test_the_table_ends_with_the_sums(self):
        rows = [["socket cut", "sent", "4", "4", "0", "0", "0", "0"], ["killed", "read", "4", "2", "1", "1", "1", "2"]]
        shown = printed(mail_table.show, rows)
        self.assertEqual([text.split()[0] for text in shown], ["mails", "fault", "killed", "socket", "all"])
        self.assertEqual(shown[-1].split(), ["all", "8", "6", "1", "1", "1", "2"])
        self.assertEqual(printed(mail_table.show, []), [])


if __name__ == "__main__":
    unittest.main()
