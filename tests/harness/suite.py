"""Runs the Python tests of one suite, file by file, on servers that the suite's files share.

Started by main.py as a process of its own. A result is one line "ok NAME SECONDS", "FAIL ..." or
"skip ..."; lines before it belong to it.
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
from harness.desk import Desk  # noqa: E402
from procs import Failure, own_dir, private_root, raise_file_limit  # noqa: E402
from stack import Servers, free_ports, state_root  # noqa: E402

DEFAULTS = {"BUILD": "debug", "DEADLINE_S": 60, "DIRECT": False, "OWN_SERVERS": False,
            "SHARE": False}


class TestDeadline(BaseException):
    """Not an Exception: a test that swallows errors must not swallow its end."""


def files_of(suite):
    return sorted((CHECKOUT / "tests" / suite).glob("test_*.py"))


def tests_of(path):
    """Names of the test functions, without importing the file."""
    return re.findall(r"^def (test_\w+)\(", path.read_text(), re.M)


def full_name(suite, path, test):
    return f"{suite}/{path.stem[5:]}.{test[5:]}"


def load(path):
    spec = importlib.util.spec_from_file_location(f"desk_{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module


def options_of(module):
    return {name: getattr(module, name, value) for name, value in DEFAULTS.items()}


def remove_left_overs(root):
    """Folders of suites that were killed with -9 and could not tidy up."""
    for folder in root.glob("test-*-*"):
        pid = folder.name.rpartition("-")[2]
        if not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(folder, ignore_errors=True)


class Suite:
    def __init__(self, name, wanted, build):
        self.name = name
        self.wanted = wanted
        self.build = build
        root = private_root(state_root())
        remove_left_overs(root)
        self.state = own_dir(root / f"test-{name}-{os.getpid()}", mode=0o711)
        self.servers = None
        self.failed = 0

    def say(self, text):
        print(text, flush=True)

    def selected(self, path):
        return [test for test in tests_of(path)
                if self.wanted in full_name(self.name, path, test)]

    def run(self):
        try:
            for path in files_of(self.name):
                tests = self.selected(path)
                if tests:
                    self._run_file(path, tests)
        finally:
            if self.servers:
                self.servers.stop()
            if not self.failed or os.environ.get("FRONTDESK_TEST_KEEP") != "1":
                shutil.rmtree(self.state, ignore_errors=True)
        return 1 if self.failed else 0

    def _servers_for(self, path, options):
        if options["OWN_SERVERS"]:
            return Servers(self.state / f"servers-{path.stem}", free_ports).start()
        if self.servers is None:
            servers = Servers(self.state / "servers", free_ports, durable=False)
            servers.start()
            self.servers = servers
        return self.servers

    def _run_file(self, path, tests):
        desk = servers = None
        try:
            module = load(path)
            options = options_of(module)
            if self.build:
                options["BUILD"] = self.build
            servers = self._servers_for(path, options)
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
        if servers is not self.servers:
            servers.stop()

    def _run_test(self, path, test, desk, options):
        deadline_s = getattr(test, "deadline_s", options["DEADLINE_S"])
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
    parser.add_argument("suite")
    parser.add_argument("--filter", default="")
    parser.add_argument("--build", default=None)
    given = parser.parse_args()
    raise_file_limit()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_term)
    try:
        return Suite(given.suite, given.filter, given.build).run()
    except Failure as problem:
        print(f"  {problem}", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
