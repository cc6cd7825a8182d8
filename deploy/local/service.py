"""One of our own processes: configured by environment, ready when its admin listener says so."""

import http.client
import os
import subprocess

from procs import Child, Failure, run_tool


def get(port, path, timeout_s=2):
    """(status, body) of a GET on the loopback address; (0, "") when nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def clean_environment(extra):
    """What a child of ours inherits: the basics, nothing that configures another Frontdesk."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("FRONTDESK_")}
    kept.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    kept.update(extra)
    return kept


class Service:
    """`config` holds the service's keys in lower case; the environment gets FRONTDESK_<KEY>."""

    def __init__(self, name, binary, folder, config, admin_port, environment=None):
        self.name = name
        self.binary = binary
        self.config = dict(config)
        self.admin_port = admin_port
        self.environment = dict(environment or {})
        self.child = Child(name, [binary], folder / f"{name}.log")

    def environ(self):
        own = {f"FRONTDESK_{key.upper()}": str(value) for key, value in self.config.items()}
        own["FRONTDESK_ADMIN_LISTEN"] = f"127.0.0.1:{self.admin_port}"
        return clean_environment({**own, **self.environment})

    def check_config(self, **changes):
        """Exit code and words of --check-config with some settings changed."""
        environment = self.environ()
        environment.update({f"FRONTDESK_{key.upper()}": str(value)
                            for key, value in changes.items()})
        done = subprocess.run([str(self.binary), "--check-config"], env=environment,
                              capture_output=True, text=True, timeout=20, check=False)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        if not os.access(self.binary, os.X_OK):
            raise Failure(f"{self.binary} is not there; the build has not made it")
        self.child.env = self.environ()
        self.child.start()
        return self

    def ready(self):
        return get(self.admin_port, "/readyz")[0] == 200

    def wait_ready(self, deadline_s=90):
        self.child.wait_ready(self.ready, deadline_s, self._hint)
        return self

    def _hint(self):
        if not self.alive():
            return f"Its settings: `{self.binary.name} --help`."
        status, body = get(self.admin_port, "/readyz")
        said = f"/readyz says {status}: {body.strip()[:300]}" if status else "/readyz does not answer"
        return f"{said}. `deskctl doctor` checks configuration, database, topics and keys."

    def metrics(self):
        """The metrics as {line name with labels: value}."""
        values = {}
        for line in get(self.admin_port, "/metrics", 10)[1].splitlines():
            name, _, value = line.rpartition(" ")
            if name and not line.startswith("#"):
                try:
                    values[name] = float(value)
                except ValueError:
                    continue
        return values

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.alive()

    def kill(self):
        return self.child.kill()

    def freeze(self):
        self.child.freeze()

    def thaw(self):
        self.child.thaw()

    def stop(self, deadline_s=15):
        return self.child.stop(deadline_s)

    def restart(self, wait=True):
        """Starts it again, with kill -9 before if it still runs."""
        self.child.kill()
        self.start()
        if wait:
            self.wait_ready()
        return self


class Stand(Service):
    """A stand-in of tests/stands: options on its command line, ready when it answers."""

    def __init__(self, name, binary, folder, port, *options):
        super().__init__(name, binary, folder, {}, port)
        self.port = port
        self.child.argv = [str(binary), "--listen", f"127.0.0.1:{port}", *map(str, options)]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def environ(self):
        return clean_environment({})

    def ready(self):
        return get(self.port, "/_stats")[0] == 200

    def _hint(self):
        return "It does not answer GET /_stats."


def deskctl(binary, environment, *words, deadline_s=60, stdin=None):
    """Runs deskctl to its end and returns what it printed."""
    return run_tool([binary, *words], "deskctl " + " ".join(map(str, words)),
                    "`deskctl doctor` checks the set-up.", deadline_s,
                    env=clean_environment(environment), stdin=stdin)


