"""Runs the Python tests of one file of a suite.

Started by main.py as a process of its own, with the folder of the servers that all share. A result
is one line "ok NAME SECONDS", "FAIL ..." or "skip ..."; lines before it belong to it.
"""

import argparse
import importlib.util
import os
import re
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import CHECKOUT, Skip  # noqa: E402  (the path comes first)
from harness.desk import PATIENCE, Desk  # noqa: E402
from harness.shared import attach  # noqa: E402
from procs import Failure, own_dir, private_root, raise_file_limit  # noqa: E402
from stack import Servers, free_ports, state_root  # noqa: E402

DEFAULTS = {"BUILD": "debug", "DEADLINE_S": 60, "DIRECT": False, "OWN_SERVERS": False,
            "PARTITIONS": 6, "SHARE": False}


class TestDeadline(BaseException):
    """Not an Exception: a test that swallows errors must not swallow its end."""


def files_of(suite):
    return sorted((CHECKOUT / "tests" / suite).glob("test_*.py"))


def tests_of(path):
    """Names of the test functions, without importing the file."""
    return re.findall(r"^def (test_\w+)\(", path.read_text(), re.M)


def owns_servers(path):
    return re.search(r"^OWN_SERVERS = True", path.read_text(), re.M) is not None


def full_name(suite, path, test):
    return f"{suite}/{path.stem[5:]}.{test[5:]}"


def selected(suite, path, wanted):
    return [test for test in tests_of(path) if wanted in full_name(suite, path, test)]


def load(path):
    spec = importlib.util.spec_from_file_location(f"desk_{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.path[:0] = [str(path.parent), str(CHECKOUT / "tests" / "flow")]
    spec.loader.exec_module(module)
    return module


def options_of(module):
    return {name: getattr(module, name, value) for name, value in DEFAULTS.items()}


class File:
    """`path` is the file, `wanted` a part of the names of the tests to run, `build` the preset if
    not the file's own, `shared` the folder of the servers (harness/shared.py)."""

    def __init__(self, path, wanted, build, shared):
        self.path = path
        self.name = path.parent.name
        self.wanted = wanted
        self.build = build
        self.shared = shared
        root = private_root(state_root())
        self.state = own_dir(root / f"test-{self.name}-{path.stem[5:]}-{os.getpid()}", mode=0o711)
        self.failed = 0

    def say(self, text):
        print(text, flush=True)

    def run(self):
        try:
            self._run_file(self.path, selected(self.name, self.path, self.wanted))
        finally:
            if not self.failed or os.environ.get("FRONTDESK_TEST_KEEP") != "1":
                shutil.rmtree(self.state, ignore_errors=True)
        return 1 if self.failed else 0

    def _servers_for(self, options):
        if options["OWN_SERVERS"] or not self.shared:
            return Servers(self.state / "servers", free_ports,
                           durable=options["OWN_SERVERS"]).start()
        return attach(self.shared)

    def _run_file(self, path, tests):
        desk = servers = None
        try:
            module = load(path)
            options = options_of(module)
            if self.build:
                options["BUILD"] = self.build
            servers = self._servers_for(options)
            desk = Desk(servers, self.state / path.stem, f"{self.name}-{path.stem[5:]}", options)
        except Exception as problem:  # nothing of this file can run: all its tests failed
            self._explain(problem)
            for test in tests:
                self._result("FAIL", path, test, 0)
            return
        try:
            for test in tests:
                self._run_test(path, getattr(module, test), desk, options)
        finally:
            self._end(path, desk, servers)

    def _end(self, path, desk, servers):
        try:
            desk.finish()
        except Exception as problem:
            self._explain(problem)
            self._result("FAIL", path, "test_stops_cleanly", 0)
        servers.stop()

    def _run_test(self, path, test, desk, options):
        deadline_s = PATIENCE * getattr(test, "deadline_s", options["DEADLINE_S"])
        begin = time.monotonic()
        word = "ok"
        try:
            signal.alarm(deadline_s)
            test(desk)
            if not options["SHARE"]:
                desk.stop()
        except Skip as reason:
            word = "skip"
            self.say(f"  {reason}")
        except (Exception, TestDeadline) as problem:
            signal.alarm(0)
            word = "FAIL"
            self._explain(problem)
            self.say(desk.last_words())
        finally:
            signal.alarm(0)
        seconds = time.monotonic() - begin
        if word != "ok" and not options["SHARE"]:
            self._quietly(desk.stop)
        desk.stops.clear()
        self._result(word, path, test.__name__, seconds)

    def _quietly(self, action):
        try:
            action()
        except Exception as problem:
            self._explain(problem)

    def _explain(self, problem):
        frames = traceback.extract_tb(problem.__traceback__)
        for frame in frames[-4:]:
            self.say(f"  {os.path.relpath(frame.filename, CHECKOUT)}:{frame.lineno}: {frame.line}")
        kind = "" if isinstance(problem, Failure) else f"{type(problem).__name__}: "
        self.say("  " + f"{kind}{problem}".replace("\n", "\n  "))

    def _result(self, word, path, test, seconds):
        if word == "FAIL":
            self.failed += 1
        self.say(f"{word:4} {full_name(self.name, path, test)} {seconds:.1f}")


def on_alarm(_number, _frame):
    raise TestDeadline("the test's deadline is over")


def on_term(_number, _frame):
    raise SystemExit(143)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--filter", default="")
    parser.add_argument("--build", default=None)
    parser.add_argument("--servers", default=None)
    given = parser.parse_args()
    raise_file_limit()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_term)
    try:
        return File(given.file, given.filter, given.build, given.servers).run()
    except Failure as problem:
        print(f"  {problem}", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
