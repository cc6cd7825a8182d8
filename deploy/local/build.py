"""Configures and builds the presets of CMakePresets.json."""

import os
import re
import subprocess
import sys
from pathlib import Path

from procs import Failure

PROGRESS = re.compile(r"^\[\d+/\d+\] ")
CHECKOUT = Path(__file__).resolve().parents[2]


PROGRAMS = ("frontdesk-ingress", "frontdesk-engine", "frontdesk-responder", "frontdesk-mailpoller",
            "deskctl", "stand-twilio", "stand-model", "stand-tool")


def jobs():
    return max(2, min(len(os.sched_getaffinity(0)), 8))


def bin_dir(preset):
    return CHECKOUT / "build" / preset / "bin"


def _run(command, what):
    """Quiet when it works: only a line of progress on a terminal; all that was said when not."""
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        lines = _follow(process)
    except BaseException:  # Ctrl-C, SIGTERM: it does not build on without us
        process.terminate()
        process.wait()
        raise
    if process.wait() != 0:
        said = [line[:600] for line in lines if not PROGRESS.match(line)]
        raise Failure(f"{what} failed:\n" + "\n".join("    " + line for line in said[-60:]))


def _follow(process):
    """All that it says, with a line of progress on a terminal."""
    lines = []
    on_terminal = sys.stdout.isatty()
    for line in process.stdout:
        lines.append(line.rstrip())
        if on_terminal and line.startswith("["):
            print("\r\033[K  " + line.rstrip()[:100], end="", flush=True)
    if on_terminal:
        print("\r\033[K", end="", flush=True)
    return lines


def configure(preset):
    """Returns its folder."""
    tree = CHECKOUT / "build" / preset
    if not (tree / "build.ninja").exists():
        _run(["cmake", "--preset", preset], f"cmake --preset {preset}")
    return tree


def build(preset, targets=(), job_count=None):
    """Builds a preset (all of it, or some targets) and returns the folder of its programs."""
    tree = configure(preset)
    command = ["cmake", "--build", str(tree), "-j", str(job_count or jobs())]
    if targets:
        command += ["--target", *targets]
    _run(command, f"building {preset}")
    return bin_dir(preset)
