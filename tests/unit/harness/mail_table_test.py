"""The table of mails goes through the output of the files and comes out whole."""

import contextlib
import io
import unittest

from harness import mail_table


def printed(action, *arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        action(*arguments)
    return out.getvalue().splitlines()


class MailTable(unittest.TestCase):
    def test_what_was_lost_and_what_came_twice_is_counted(self):
        lines = ["  before", *printed(mail_table.line, "killed", mail_table.READ, "abcd", "aab", 2, "bc"), "  behind"]
        rows, others = mail_table.take(lines)
        self.assertEqual(rows, [["killed", "read", "4", "2", "1", "1", "1", "2"]])
        self.assertEqual(others, ["  before", "  behind"])

    def test_the_table_ends_with_the_sums(self):
        rows = [["socket cut", "sent", "4", "4", "0", "0", "0", "0"], ["killed", "read", "4", "2", "1", "1", "1", "2"]]
        shown = printed(mail_table.show, rows)
        self.assertEqual([text.split()[0] for text in shown], ["mails", "fault", "killed", "socket", "all"])
        self.assertEqual(shown[-1].split(), ["all", "8", "6", "1", "1", "1", "2"])
        self.assertEqual(printed(mail_table.show, []), [])


if __name__ == "__main__":
    unittest.main()
