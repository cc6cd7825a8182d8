"""./test: builds, runs the files of tests side by side, one line a test and the count at the end.

  ./test                       everything that CI runs
  ./test SUITE...              some suites
  ./test e2e --filter NAME     the tests of a suite whose name contains NAME
  ./test llm tools injection takeover crash voice mail   each prints its table
  ./test fuzz                  each target of tests/fuzz for 15 s; 60 s with --long
  ./test --list                suites and tests
  ./test --long                also ThreadSanitizer, clang-tidy, the fresh machine, long crash runs
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import CHECKOUT, call_table, clusters, fuzz, mail_table  # noqa: E402
from harness.room import Room, Spent  # noqa: E402
from harness.shared import Shared, prepare_state  # noqa: E402
from harness.suite import files_of, full_name, owns_servers, selected, tests_of  # noqa: E402
from build import PROGRAMS, build, configure, jobs  # noqa: E402
from procs import Failure, private_root, raise_file_limit  # noqa: E402
from stack import state_root  # noqa: E402

RESULT = re.compile(r"^(ok|FAIL|skip) +(\S+) ([0-9.]+)$")
PYTHON_SUITES = ("crash", "e2e", "flow", "injection", "llm", "takeover", "tools")
VOICE = "voice"  # no folder: what the files of the others that are named so say of phone calls
VOICE_FILES = re.compile(r"test_(voice|calls?|transfers?)(_|$)")
MAIL = "mail"  # the same of mail, with the unit tests of what reads and sends it
MAIL_FILES = re.compile(r"test_(\w+_)?mail")
MAIL_UNITS = "^(common/mail|services/mailpoller)/"
BY_NAME = {VOICE: VOICE_FILES, MAIL: MAIL_FILES}
LONG_CHECKS = ("fresh", "tidy")
UNIT = CHECKOUT / "tests" / "unit"
RELEASE = "build release"
SLOTS = 12  # most files wait more than they work
SLOTS_SURE = 3  # the others begin nothing new while the processors have no room
# About how long the longer files take on two cores: these start first, so that the end is even. Before them what only
# works (999 to 997), beside files that mostly wait.
SECONDS = {RELEASE: 999, "unit": 998, "fuzz": 997, "e2e/test_transfers": 440, "flow/test_mailpoller_outage": 340,
           "e2e/test_calls": 320, "e2e/test_calls_webhook": 230,
           "crash/test_call_sockets": 210, "flow/test_mailbox_tokens": 200, "flow/test_voice_ingress": 190,
           "e2e/test_stories": 170, "e2e/test_calls_frozen": 160,
           "crash/test_kills": 150,  # works all the time: beside the builds it takes twice as long, and twice the work
           "e2e/test_twilio": 140,
           "e2e/test_calls_rota": 140, "flow/test_responder_crash": 130, "flow/test_calls_placed": 130,
           "flow/test_mailpoller": 130, "flow/test_responder_provider": 130, "flow/test_mail_out": 130,
           "flow/test_stories": 120, "flow/test_voice_webhook": 120, "flow/test_reception": 120,
           "flow/test_voice_outage": 100, "tools/test_http": 100, "e2e/test_calls_back": 95, "llm/test_rates": 90,
           "crash/test_states": 90, "flow/test_mail_engine": 90, "crash/test_calls_unsent": 85,
           "flow/test_escalation": 85, "flow/test_deskctl_dead": 85, "crash/test_mails": 85,
           "flow/test_mail_refused": 130,
           "tools/test_effects": 85, "flow/test_engine_crash": 80, "flow/test_responder_receipts": 80,
           "e2e/test_calls_outage": 75, "flow/test_ingress_outage": 75, "crash/test_servers": 70,
           "flow/test_takeover_cut_off": 70, "e2e/test_mail": 65, "flow/test_mail_withheld": 60,
           "flow/test_mail_store_away": 85,
           "flow/test_deskctl_call": 60, "flow/test_recordings": 60, "flow/test_takeover_person": 60,
           "flow/test_voice_engine": 60, "e2e/test_sms_outage": 60, "flow/test_transcripts": 60,
           "flow/test_mailpoller_tries": 55, "flow/test_mail_login": 55, "flow/test_merge": 50,
           "flow/test_mailpoller_many": 50, "e2e/test_sms_load": 50, "e2e/test_calls_many": 45,
           "flow/test_budgets": 45, "flow/test_voice_drain": 45, "e2e/test_mail_postfix": 40, "e2e/test_sms": 40,
           "flow/test_engine": 40, "llm/test_chain": 40, "flow/test_mailbox_cli": 35, "flow/test_voice_tools": 35,
           "flow/test_gap_audit": 30, "flow/test_mailpoller_crash": 30, "flow/test_prompt": 30,
           "flow/test_responder": 30, "flow/test_commit": 30, "flow/test_ingress": 30, "takeover/test_offsets": 25,
           "flow/test_deskctl": 25, "flow/test_deskctl_setup": 25, "flow/test_engine_database": 25,
           "flow/test_mail_drops": 25, "flow/test_mailpoller_frozen": 25, "flow/test_mailpoller_halfway": 25,
           "flow/test_shares": 25, "flow/test_voice_steps": 25}
SECONDS_OF_OTHERS = 15
SKIPPED = 77
CHECK_DEADLINE_S = 300
LONG_DEADLINE_S = 3600
WORKS_ONLY = ("nice", "-n", "10")  # what nobody waits for leaves the processors to tests that look at the clock


def needs_release(name):
    """Whether an item runs what release builds."""
    path = CHECKOUT / "tests" / f"{name}.py"
    return name == "checks" or path.exists() and '\nBUILD = "release"' in path.read_text()


def reasons(block):
    """What a failed test's block says of why, without the ends of the logs: printed again at the end,
    since the middle of a long run's output is what people cut."""
    said = [line[:300] for line in block if re.match("  [^ ]", line) and not line.endswith(".log:")]
    return said[-6:]


def files_of_suites(suites):
    """[(suite, path)] of the Python tests of these suites, each file once."""
    found = [(suite, path) for suite in PYTHON_SUITES for path in files_of(suite)]
    return [(suite, path) for suite, path in found
            if suite in suites or any(name in suites and files.match(path.stem) for name, files in BY_NAME.items())]


class Report:
    """Counts results and prints them; blocks of several suites do not mix."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls, self.mails = [], []  # rows of the tables
        self.count = {"ok": 0, "FAIL": 0, "skip": 0}
        self.failed = []
        self.spent = Spent()

    def say(self, text):
        with self.lock:
            print(text, flush=True)

    def result(self, word, name, seconds, before=()):
        calls, before = call_table.take(before)
        mails, before = mail_table.take(before)
        with self.lock:
            self.calls += calls
            self.mails += mails
            for line in before:
                print(line)
            print(f"{word:4} {name} {float(seconds):.1f}", flush=True)
            self.count[word] += 1
            if word == "FAIL":
                self.failed.append((name, reasons(before)))

    def end(self):
        call_table.show(self.calls)
        mail_table.show(self.mails)
        if self.failed:
            print("\nfailed:")
        for name, why in self.failed:
            print("\n".join([f"  {name}", *(f"  {line}" for line in why)]))
        if self.count["skip"]:
            print(f"{self.count['skip']} skipped")
        print(self.spent)
        print(f"{self.count['ok']} passed, {self.count['FAIL']} failed", flush=True)
        return 1 if self.failed or not self.count["ok"] else 0


class Runner:
    def __init__(self, given):
        self.given = given
        self.report = Report()
        self.children = set()
        self.ended = self.building = self.wanted_later = False
        self.release_built = threading.Event()
        self.shared = Shared("debug")
        self.room = Room()

    # What there is

    def checks(self):
        folder = CHECKOUT / "tests" / "checks"
        found = sorted(path for path in folder.iterdir()
                       if path.is_file() and os.access(path, os.X_OK)) if folder.exists() else []
        named = self.given.suites
        return [path for path in found if self.given.long or path.name not in LONG_CHECKS
                or path.name in named]

    def suites(self):
        known = ["checks", "unit", "fuzz", *PYTHON_SUITES]
        extra = [path.name for path in self.checks() if path.name in LONG_CHECKS]
        if not self.given.suites:
            return known + (["tsan"] if self.given.long else [])
        allowed = known + [*BY_NAME, "tsan", *LONG_CHECKS, *extra]
        wrong = [name for name in self.given.suites if name not in allowed]
        if wrong:
            raise Failure(f"no suite {wrong[0]}; there are: {' '.join([*known, *BY_NAME, 'tsan'])} "
                          f"{' '.join(LONG_CHECKS)}")
        return list(dict.fromkeys(self.given.suites))

    def list(self):
        for path in self.checks():
            print(f"checks/{path.name}")
        for path in [*sorted(UNIT.rglob("*_test.c")), *sorted(UNIT.rglob("*_test.py"))]:
            print(f"unit/{path.relative_to(UNIT).with_suffix('')}")
        print("\n".join(f"fuzz/{name}" for name in fuzz.targets()))
        for suite in PYTHON_SUITES:
            for path in files_of(suite):
                for test in tests_of(path):
                    print(full_name(suite, path, test))
        print("only with --long or by name: " + " ".join(("tsan", *LONG_CHECKS)))
        return 0

    # Running

    def build(self, suites):
        presets = []
        if set(suites) & {"unit", "checks", *PYTHON_SUITES, *BY_NAME, "tsan"}:
            presets.append("debug")
        names = [f"{suite}/{path.stem}" for suite, path in files_of_suites(suites)]
        self.wanted_later = any(needs_release(name) for name in [*suites, *names])
        if "tsan" in suites:
            presets.append("tsan")
        if self.given.long and set(suites) & {"crash", "e2e", *BY_NAME}:
            presets.append("stops")
        self.building = True
        for preset in presets:
            begin = time.monotonic()
            build(preset, PROGRAMS if preset == "stops" else ())
            self.report.say(f"built {preset} in {time.monotonic() - begin:.0f} s")
        if self.wanted_later:  # few tests need it: it is built beside the others
            configure("release")
        if "fuzz" in suites:
            configure("fuzz")
        self.building = False

    def _build(self, preset, programs):
        child = self._popen([*WORKS_ONLY, "ninja", "-C", CHECKOUT / "build" / preset, "-j", jobs(), *programs])
        output, _ = child.communicate()
        self.children.discard(child)
        if child.returncode != 0 and not self.ended:
            raise Failure(f"building {preset} failed:\n" + "\n".join(output.splitlines()[-60:]))

    def _build_release(self):
        try:
            self._build("release", PROGRAMS)
        finally:
            self.release_built.set()

    def _run_fuzz(self):
        """One target after the other, in one place of those that run beside each other."""
        self._build("fuzz", fuzz.programs())
        seconds = fuzz.SECONDS_LONG if self.given.long else fuzz.SECONDS
        for name in fuzz.targets():
            self._run_script(f"fuzz/{name}", [*WORKS_ONLY, *fuzz.command(name, seconds)], CHECK_DEADLINE_S + seconds)

    def items(self, suites):
        """[(name, action)], the longest first: a file of Python tests, or a suite of another kind."""
        found = [(RELEASE, self._build_release)] if self.wanted_later else []
        found += self._files(suites, None)
        for suite in suites:
            if suite not in (*PYTHON_SUITES, VOICE):
                found.append((suite, lambda name=suite: self._run_suite(name)))
            if suite == "tsan":
                found += self._files(["e2e"], "tsan")
        return sorted(found, key=lambda item: -SECONDS.get(item[0], SECONDS_OF_OTHERS))

    def _files(self, suites, preset):
        return [(f"{suite}/{path.stem}", lambda path=path: self._run_file(path, preset))
                for suite, path in files_of_suites(suites)
                if selected(suite, path, self.given.filter)]

    def run(self):
        suites = self.suites()
        self.build(suites)
        work = self.items(suites)
        threads = [threading.Thread(target=self._work, args=(work, slot < SLOTS_SURE)) for slot in range(SLOTS)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:
            self.shared.stop()
        return self.report.end()

    def _work(self, work, sure):
        while work and not self.ended:
            if not sure and not self.room.take():
                time.sleep(1)
                continue
            try:
                name, action = work.pop(0)
            except IndexError:
                return
            if needs_release(name):
                self.release_built.wait()
            begin = time.monotonic()
            used_s = None
            try:
                used_s = action()
            except Failure as problem:
                self.report.result("FAIL", f"{name}/run", 0, [f"  {problem}"])
            used = f", {used_s:.0f} s of a core" if used_s else ""
            self.report.say(f"     {name} took {time.monotonic() - begin:.0f} s{used}")

    def _run_suite(self, name):
        if name == "checks":
            for path in self.checks():
                self._run_script(f"checks/{path.name}", [path])
        elif name in LONG_CHECKS:
            self._run_script(f"checks/{name}", [CHECKOUT / "tests" / "checks" / name],
                             LONG_DEADLINE_S)
        elif name == "fuzz":
            self._run_fuzz()
        elif name == "unit":
            for path in sorted(UNIT.rglob("*_test.py")):
                self._run_script(f"unit/{path.relative_to(UNIT).with_suffix('')}",
                                 [sys.executable, path])
            with self._clusters() as ready:
                self._run_ctest("unit", "debug", environment=ready)
        elif name == MAIL:
            if not self.given.filter:
                self._run_ctest("unit", "debug", MAIL_UNITS)
        else:
            self._run_ctest("tsan", "tsan")

    def _popen(self, command, **options):
        child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *map(str, command)], cwd=CHECKOUT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True, **options)
        self.children.add(child)
        if self.ended:  # the signal came while we were here
            child.terminate()
        return child

    def _run_script(self, name, command, deadline_s=CHECK_DEADLINE_S):
        """A program that is one test: its exit code is the result."""
        if self.given.filter not in name or self.ended:
            return
        begin = time.monotonic()
        child = self._popen(command, env=self._environment())
        try:
            output, _ = child.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            output = f"not done after {deadline_s} s"
        self.children.discard(child)
        word = {0: "ok", SKIPPED: "skip"}.get(child.returncode, "FAIL")
        shown = [] if word == "ok" else ["  " + line for line in output.splitlines()[-60:]]
        self.report.result(word, name, time.monotonic() - begin, shown)

    def _environment(self):
        """What the Python of the tests needs to find ours."""
        folders = CHECKOUT / "tests", CHECKOUT / "deploy" / "local"
        return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)),
                "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
                "TSAN_OPTIONS": f"suppressions={CHECKOUT / 'tests' / 'tsan.supp'}",
                "FRONTDESK_LONG": "1" if self.given.long else ""}

    @contextlib.contextmanager
    def _clusters(self):
        """The environment in which all unit tests find clusters to copy; some of them make their own."""
        if self.given.filter:
            yield {}
            return
        folder = private_root(state_root()) / f"test-clusters-{os.getpid()}"
        try:
            yield {"FRONTDESK_TEST_CLUSTERS": str(clusters.make(folder))}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run_ctest(self, suite, preset, named="", environment=None):
        tree = CHECKOUT / "build" / preset
        out = tree / "ctest.xml"
        out.unlink(missing_ok=True)
        command = ["ctest", "--test-dir", tree, "-j", str(jobs()), "--output-junit", out,
                   "--no-tests=ignore"]
        if self.given.filter or named:
            command += ["-R", named or re.escape(self.given.filter)]
        child = self._popen(command, env={**os.environ, **(environment or {})})
        output, _ = child.communicate()
        self.children.discard(child)
        if not out.exists():
            if child.returncode != 0:
                self.report.result("FAIL", f"{suite}/run", 0, output.splitlines()[-20:])
            return
        for case in xml.parse(out).getroot().iter("testcase"):
            self._ctest_case(suite, case)

    def _ctest_case(self, suite, case):
        word, shown = "ok", []
        if case.find("skipped") is not None or case.get("status") == "disabled":
            word = "skip"
        elif case.find("failure") is not None or case.get("status") == "fail":
            word = "FAIL"
            said = case.findtext("system-out") or ""
            shown = ["  " + line for line in said.splitlines()[-40:]]
        self.report.result(word, f"{suite}/{case.get('name')}", case.get("time") or 0, shown)

    def _run_file(self, path, preset):
        command = [sys.executable, "-m", "harness.suite", path, "--filter", self.given.filter]
        if preset:
            command += ["--build", preset]
        if not owns_servers(path):
            command += ["--servers", self.shared.get()]
        child = self._popen(command, env=self._environment())
        block, failed = [], 0
        for line in child.stdout:
            line = line.rstrip("\n")
            found = RESULT.match(line)
            if not found:
                block.append(line)
                continue
            word, name, seconds = found.groups()
            failed += word == "FAIL"
            if preset:
                name = f"{preset}-{name}"
            self.report.result(word, name, seconds, block)
            block = []
        _, status, used = os.wait4(child.pid, 0)  # by its services too, not by the servers of all
        code = child.returncode = os.waitstatus_to_exitcode(status)
        self.children.discard(child)
        if code != 0 and not failed and not self.ended:
            name = f"{path.parent.name}/{path.stem[5:]}.run"
            self.report.result("FAIL", name, 0, [*block[-30:], f"  exit code {code}"])
        elif block:
            self.report.say("\n".join(block))
        return used.ru_utime + used.ru_stime

    def end(self, _number, _frame):
        """Ctrl-C: the suites get SIGTERM and stop what they started."""
        self.ended = True
        if self.building:
            raise SystemExit(130)
        for child in list(self.children):
            if child.poll() is None:
                child.terminate()


def main():
    parser = argparse.ArgumentParser(prog="./test", description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE",
                        help="checks unit fuzz " + " ".join(PYTHON_SUITES) + " voice mail tsan tidy fresh")
    parser.add_argument("--filter", default="", metavar="NAME", help="only tests named so")
    parser.add_argument("--list", action="store_true", help="print the names of suites and tests")
    parser.add_argument("--long", action="store_true", help="also what takes long")
    runner = Runner(parser.parse_args())
    if runner.given.list:
        return runner.list()
    raise_file_limit()
    signal.signal(signal.SIGINT, runner.end)
    signal.signal(signal.SIGTERM, runner.end)
    try:
        prepare_state()
        code = runner.run()
    except Failure as problem:
        print(f"FAIL {problem}", flush=True)
        print("0 passed, 1 failed", flush=True)
        return 1
    return 130 if runner.ended else code


if __name__ == "__main__":
    sys.exit(main())
