"""Runs deskctl as an operator does, and looks at its exit code and words."""

import json
import subprocess

from harness import CHECKOUT
from service import clean_environment

OK, FAILED, USAGE, DIFFERENT, NOT_FOUND = range(5)


class Done:
    def __init__(self, code, out, said):
        self.code = code
        self.out = out
        self.said = said

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<exit {self.code}\n{self.out}\n{self.said}>"


# What they find must not look like one of deskctl's own exit codes.
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99"}


def run(desk, *words, stdin="", environment=None, binary=None):
    """One deskctl from its start to its end. No secret of the installation may be printed."""
    here = desk.installation
    known = {**here.deskctl_environment(), **SANITIZERS, **(environment or {})}
    done = subprocess.run([binary or here.bin / "deskctl", *map(str, words)], input=stdin,
                          env=clean_environment(known), capture_output=True, text=True,
                          timeout=60, cwd=CHECKOUT)
    for name, value in here.secrets.items():
        if "TOKEN" in name or "KEY" in name:
            assert value not in done.stdout + done.stderr, f"{name} was printed by {words}"
    assert done.returncode != 99, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def good(desk, *words, **options):
    done = run(desk, *words, **options)
    assert done.code == OK, (words, done)
    return done


def expect(code, desk, *words, **options):
    done = run(desk, *words, **options)
    assert done.code == code, (words, done)
    return done
