"""The table of phone calls: what struck them, how many, their longest silence, and the sentences that were
lost or heard twice. Tests of calls are spread over the suites: each prints its line in a form that ./test
takes out of the file's output again, to show one table at its end.
"""

from harness import tables

MARK = "  call-fault | "
COLUMNS = ("fault", "calls", "silence max ms", "sentences lost", "doubled")


def line(fault, calls, silence_ms, lost, doubled):
    """Prints what became of the calls that one fault struck."""
    print(MARK + " | ".join(map(str, (fault, calls, round(silence_ms), lost, doubled))), flush=True)


def take(block):
    """(the rows that are among these lines of output, the other lines)."""
    rows = [text.removeprefix(MARK).split(" | ") for text in block if text.startswith(MARK)]
    return rows, [text for text in block if not text.startswith(MARK)]


def show(rows):
    """The whole table, and its sums; nothing without rows."""
    if not rows:
        return
    sums = [sum(int(row[place]) for row in rows) for place in (1, 3, 4)]
    most = max(int(row[2]) for row in rows)
    tables.show("phone calls", COLUMNS, [*sorted(rows), ("all", sums[0], most, sums[1], sums[2])], wide=60)
