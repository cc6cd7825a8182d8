"""The table of mails: what struck them, on which part of their way, how many, and what became of them. Tests of mail
are spread over the suites: each prints its line in a form that ./test takes out of the file's output again, to
show one table at its end. Doubled is what a person would see twice; a copy under the same id is none. Told is what was
not done and whose row says why; what is neither done nor told is lost.
"""

from harness import tables

MARK = "  mail-fault | "
COLUMNS = ("fault", "way", "mails", "done", "told", "doubled", "lost", "answers to robots")
READ, ANSWERED, SENT, WHOLE = "read", "answered", "sent", "read to sent"


def line(fault, way, wanted, got, robots=0, told=()):
    """Prints what became of the mails that one fault struck: what was wanted and what came, by whatever tells
    one from the other; and how many answers went to programs. Raises if one is lost or doubled."""
    wanted, got = list(wanted), list(got)
    done, told = set(wanted) & set(got), set(told) - set(got)
    lost, doubled = set(wanted) - done - told, {mail for mail in got if got.count(mail) > 1}
    print(MARK + " | ".join(map(str, (fault, way, len(wanted), len(done), len(told), len(got) - len(set(got)),
                                      len(lost), robots))), flush=True)
    assert not lost and not doubled, f"{fault}: lost {sorted(lost)}, doubled {sorted(doubled)}"


def take(block):
    """(the rows that are among these lines of output, the other lines)."""
    rows = [text.removeprefix(MARK).split(" | ") for text in block if text.startswith(MARK)]
    return rows, [text for text in block if not text.startswith(MARK)]


def show(rows):
    """The whole table, and its sums; nothing without rows."""
    if not rows:
        return
    sums = [sum(int(row[place]) for row in rows) for place in range(2, len(COLUMNS))]
    tables.show("mails", COLUMNS, [*sorted(rows, key=lambda row: (row[1], row[0])), ("all", "", *sums)], wide=60)
