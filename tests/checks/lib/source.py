"""What the checks share: which files there are, and C source without comments and texts."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def tracked(*patterns):
    """The repository's files (deleted ones excluded), sorted; all patterns like '*.c'."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--", *patterns],
                            capture_output=True, check=False)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.decode().split("\0") if name]
    else:  # a checkout without git, such as an unpacked archive
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()
                 and not str(path.relative_to(ROOT)).startswith(("build/", ".run/", ".git"))]
        if patterns:
            names = [name for name in names
                     if any(Path(name).match(pattern) for pattern in patterns)]
    return [ROOT / name for name in sorted(names) if (ROOT / name).is_file()]


def c_files():
    return tracked("*.c", "*.h")


def relative(path):
    return str(path.relative_to(ROOT))


def _blank(found):
    text = found.group(0)
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[0]
    return re.sub(r"[^\n]", " ", text)


def code_of(path):
    """The file's text with comments and the insides of texts blanked; lines keep their numbers."""
    return TOKEN.sub(_blank, path.read_text("utf-8"))


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def finish(found, mend):
    """Prints the problems and how to mend them; the exit code."""
    for line in found:
        print(line)
    if found:
        print(mend)
    return 1 if found else 0
