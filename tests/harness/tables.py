"""Tables of the suites: printed whole, whatever came of their rows."""


def show(title, columns, rows, wide=44):
    """Prints rows (sequences of anything) under their columns; a text of more than `wide` is cut."""
    cells = [[str(cell)[:wide] for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    print(f"  {title}")
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def same(differences):
    """Fails with every (row, what was wanted, what came) of the list, if there is one."""
    assert not differences, f"{len(differences)} rows differ:\n" + "\n".join(
        f"{row}: wanted {wanted}, got {got}" for row, wanted, got in differences)
