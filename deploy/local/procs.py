"""Processes, ports and waiting: what every part of the local stack is started with.

A child is started through setpriv(1), which sets the parent-death signal after any change of user,
so that nothing outlives ./run or ./test even if those are killed with -9. The kernel sends that
signal when the *thread* that forked ends; all forks therefore happen on one thread that lives as
long as the process.
"""

import os
import random
import resource
import signal
import socket
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")
_reserved = {}


class Failure(Exception):
    """Something could not be done; the text says what, and what to do about it."""


class Deadline(Failure):
    """A condition did not come true in time."""


def raise_file_limit():
    """Load tests hold thousands of sockets; the soft limit is often 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


LONGEST_INTERVAL_S = 0.2


def wait_for(condition, deadline_s, what, interval_s=0.02):
    """Polls condition() until it is true and returns its value; Deadline after deadline_s. The longer it
    has been waited for the more seldom it is looked at: a look costs what is waited for time, too."""
    begin = time.monotonic()
    end = begin + deadline_s
    while True:
        value = condition()
        if value:
            return value
        now = time.monotonic()
        if now >= end:
            raise Deadline(f"not within {deadline_s} s: {what() if callable(what) else what}")
        time.sleep(max(interval_s, min((now - begin) / 20, LONGEST_INTERVAL_S)))


def tail(path, lines=15):
    """The last lines of a file, indented, for an error message."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16384))
            text = file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"    (no log: {error.strerror})"
    return "\n".join("    " + line[:400] for line in text.splitlines()[-lines:])


def port_open(port):
    """Whether something accepts connections on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _reserve(port):
    """Claims the port among all processes of ours (an abstract socket is freed by the kernel)."""
    if port in _reserved:
        return False
    claim = socket.socket(socket.AF_UNIX)
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        claim.bind(f"\0frontdesk-port-{port}")
        probe.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    finally:
        probe.close()
    _reserved[port] = claim
    return True


def fixed_port(wanted):
    """The wanted port, or the next one that is free."""
    for port in range(wanted, wanted + 200):
        if _reserve(port):
            return port
    raise Failure(f"no free port from {wanted} to {wanted + 199}; is something of yours using them?")


def free_port():
    """Any free port below the kernel's ephemeral range, so that no client socket takes it."""
    for _ in range(2000):
        port = random.randrange(20000, 32000)
        if _reserve(port):
            return port
    raise Failure("no free port between 20000 and 32000")


def server_user(name):
    """Whom a server that refuses root runs as: `name` when we are root, else ourselves (None)."""
    return name if os.geteuid() == 0 else None


def own_dir(path, user=None, mode=0o700):
    """Makes a folder that belongs to `user` (None: to us)."""
    path = Path(path)
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    os.chmod(path, mode)
    if user:
        import pwd
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return path


def give_file(path, text, user=None, mode=0o600):
    """Writes a file as a whole, readable by `user` (None: by us) alone unless mode says more."""
    path = Path(path)
    fresh = path.with_name(path.name + ".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    os.chmod(fresh, mode)
    if user:
        import pwd
        entry = pwd.getpwnam(user)
        os.chown(fresh, entry.pw_uid, entry.pw_gid)
    os.replace(fresh, path)
    return path


def private_root(path):
    """Makes the folder that holds all state. Its parent may be writable by everybody, so a folder
    or link that somebody else put there is refused. Servers with a user of their own pass through
    it, hence 0711."""
    path = Path(path)
    try:
        os.mkdir(path, 0o711)
    except FileExistsError:
        pass
    except FileNotFoundError:
        path.parent.mkdir(parents=True)
        os.mkdir(path, 0o711)
    seen = os.lstat(path)
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
        raise Failure(f"{path} is not a folder of yours; remove it or set FRONTDESK_STATE")
    os.chmod(path, 0o711)
    _check_servers_reach(path)
    return path


def _check_servers_reach(path):
    """As root the servers run as postgres, which cannot pass through a home of mode 700."""
    user = server_user("postgres")
    if user and subprocess.run(["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--",
                                "test", "-x", path], check=False).returncode != 0:
        raise Failure(f"user {user} cannot enter {path}: a folder above it is closed to others. "
                      "Set FRONTDESK_STATE to another place, like /var/tmp/frontdesk")


class Child:
    """One process: started, watched, stopped, frozen, killed. Its output goes to a log file."""

    def __init__(self, name, argv, log, env=None, cwd=None, user=None, stop_signal=signal.SIGTERM,
                 death_signal="KILL"):
        self.name = name
        self.log = Path(log)
        self.argv = [str(word) for word in argv]
        self.env = env
        self.cwd = cwd
        self.user = user
        self.stop_signal = stop_signal
        self.death_signal = death_signal
        self.process = None

    def _command(self):
        command = ["setpriv", "--pdeathsig", self.death_signal]
        if self.user:
            command += ["--reuid", self.user, "--regid", self.user, "--init-groups"]
        return command + ["--"] + self.argv

    def start(self):
        env = dict(os.environ if self.env is None else self.env)
        with open(self.log, "ab") as log:
            self.process = _forker.submit(
                subprocess.Popen, self._command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=env, cwd=self.cwd or "/", start_new_session=True).result()
        return self

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, condition, deadline_s, hint):
        """Waits for condition(); a child that ends or is late is a Failure with its last words.
        `hint` is a text, or makes one when it is needed."""
        def ready_or_dead():
            return condition() or not self.alive()
        try:
            wait_for(ready_or_dead, deadline_s, self.name)
        except Deadline:
            raise Failure(self.complaint(f"is not ready after {deadline_s} s", hint)) from None
        if not self.alive():
            code = self.process.returncode
            how = f"signal {-code}" if code < 0 else f"code {code}"
            raise Failure(self.complaint(f"ended at start with {how}", hint))

    def complaint(self, what, hint):
        said = hint() if callable(hint) else hint
        return f"{self.name} {what}. {said}\n  last lines of {self.log}:\n{tail(self.log)}"

    def signal(self, number):
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """kill -9, and waits until it is gone. Returns whether it was alive."""
        was_alive = self.alive()
        self.signal(signal.SIGKILL)
        self.ended(10)
        return was_alive

    def stop(self, deadline_s=10):
        """Asks it to end, kills it when it does not. Returns its exit code (-9: had to be killed)."""
        if self.process is None:
            return None
        self.thaw()
        self.signal(self.stop_signal)
        if not self.ended(deadline_s):
            self.kill()
        return self.process.returncode

    def ended(self, deadline_s):
        """Waits so long for it to end of itself; returns whether it did."""
        if self.process is None:
            return True
        try:
            self.process.wait(deadline_s)
            return True
        except subprocess.TimeoutExpired:
            return False


def _state_and_parent(pid):
    """("S", parent) from /proc; ("", 0) when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
            return state, int(parent)
    except (OSError, ValueError):
        return "", 0


def running(pid):
    """Whether the process is there and not merely waiting to be reaped."""
    return _state_and_parent(pid)[0] not in ("", "Z", "X")


def frozen(pid):
    """Whether the process is stopped (SIGSTOP)."""
    return _state_and_parent(pid)[0] == "T"


def children_of(pid):
    """Process ids whose parent is pid."""
    return [int(entry) for entry in os.listdir("/proc")
            if entry.isdigit() and _state_and_parent(entry)[1] == pid]


def run_tool(argv, what, hint, deadline_s=120, env=None, user=None, stdin=None, cwd=None):
    """Runs a program to its end and returns its standard output; a Failure shows what it said."""
    command = ["setpriv", "--pdeathsig", "KILL"]
    if user:
        command += ["--reuid", user, "--regid", user, "--init-groups"]
    command += ["--"] + [str(word) for word in argv]
    try:
        done = _forker.submit(
            subprocess.run, command, input=stdin, stdin=None if stdin else subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=deadline_s, env=env,
            cwd=cwd or "/").result()
    except subprocess.TimeoutExpired:
        raise Failure(f"{what}: not done after {deadline_s} s. {hint}") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-20:]
        shown = "\n".join("    " + line[:400] for line in said)
        raise Failure(f"{what}: exit code {done.returncode}. {hint}\n{shown}")
    return done.stdout
