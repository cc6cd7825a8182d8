"""A real Apache Kafka on loopback: KRaft, one node, started in about a second.

The jars (pinned by kafka/pom.xml), a class-data archive and a formatted, empty log folder are made
once and kept in the cache folder outside the checkout; a broker of ours is a copy of that folder.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from procs import Child, Failure, free_port, own_dir, port_open, run_tool

HERE = Path(__file__).resolve().parent / "kafka"
CLUSTER_ID = "ZnJvbnRkZXNrLWxvY2FsMQ"
# Small and quick to start; or as in production, for what is measured.
FLAGS = ["-XX:+UseSerialGC", "-Xmx192m", "-XX:TieredStopAtLevel=1"]
PRODUCTION_FLAGS = ["-XX:+UseG1GC", "-Xms1g", "-Xmx1g"]
HINT = "See the lines below; a second ./run keeps to ports of its own."

# group.min.session and broker.session: a killed member or broker is let in again after a few seconds,
# where production waits longer. metadata.max.idle.interval: a lone controller need not write twice a second that it is
# there.
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=300
group.min.session.timeout.ms=1000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
num.network.threads=1
num.io.threads=2
metadata.max.idle.interval.ms=0
log.segment.bytes=16777216
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.backoff.ms=1000
"""


def cache_dir():
    base = os.environ.get("FRONTDESK_CACHE")
    if not base:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        base = os.path.join(home, "frontdesk")
    path = Path(base)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


class Runtime:
    """The jars, the archive and the template in the cache. make() is cheap when all is there."""

    def __init__(self):
        pom = (HERE / "pom.xml").read_bytes()
        java = os.path.realpath(shutil.which("java") or "/usr/bin/java")
        stamp = f"{java} {os.stat(java).st_mtime_ns if os.path.exists(java) else 0}"
        key = hashlib.sha256(pom + stamp.encode()).hexdigest()[:12]
        self.java = java
        self.home = cache_dir() / f"kafka-{key}"
        self.jars = self.home / "jars"
        self.archive = self.home / "classes.jsa"
        self.template = self.home / "template"

    def classpath(self):
        return ":".join(str(jar) for jar in sorted(self.jars.glob("*.jar")))

    def command(self, log_dir, *words, archive=True, flags=FLAGS):
        share = [f"-XX:SharedArchiveFile={self.archive}", "-Xshare:auto"]
        use = share if archive and self.archive.exists() else []
        return [self.java, *flags, *use, f"-Ddesk.log.dir={log_dir}",
                f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}", "-cp", self.classpath(), *words]

    def make(self, say):
        self.home.mkdir(mode=0o700, exist_ok=True)
        with open(self.home / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.jars.exists():
                say("fetching Apache Kafka with Maven (once)")
                self._fetch()
            if not self.template.exists():
                self._format()
            if not self.archive.exists():
                say("making Kafka's class-data archive (once)")
                self._make_archive()
        return self

    def _fetch(self):
        part = self.home / "jars.part"
        shutil.rmtree(part, ignore_errors=True)
        for attempt in (1, 2):
            try:
                run_tool(["mvn", "-q", "-B", "-f", HERE / "pom.xml",
                          "dependency:copy-dependencies", "-DincludeScope=runtime",
                          f"-DoutputDirectory={part}"], "fetching Kafka's jars with Maven",
                         "Maven Central must be reachable (a proxy or mirror goes into "
                         "~/.m2/settings.xml).", 600)
                break
            except Failure:
                if attempt == 2:
                    raise
        part.rename(self.jars)

    def _format(self):
        part = self.home / "template.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        config = self.home / "format.properties"
        config.write_text(PROPERTIES.format(port=19092, controller_port=19093, data=part))
        run_tool(self.command(self.home, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID,
                              "-c", config, archive=False), "formatting Kafka's log folder", HINT)
        part.rename(self.template)

    def _make_archive(self):
        """Runs a broker for one record and lets it write down the classes that it loaded. Without
        the archive all works, only slower: a failure here is said and passed over."""
        folder = self.home / "archive-run"
        shutil.rmtree(folder, ignore_errors=True)
        part = self.home / "classes.part"
        broker = Kafka(folder, free_port(), free_port(), runtime=self,
                       extra_flags=[f"-XX:ArchiveClassesAtExit={part}"],
                       extra_properties="auto.create.topics.enable=true\n")
        broker.start()
        record = ["kcat", "-b", broker.address, "-t", "warm", "-X", "allow.auto.create.topics=true"]
        try:
            for words in (["-P"], ["-C", "-e", "-q", "-o", "beginning"]):
                subprocess.run(record + words, input=b"x\n", timeout=15, check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            pass
        broker.stop(120)
        if part.exists():
            part.rename(self.archive)
        else:
            self.archive.touch()
        shutil.rmtree(folder, ignore_errors=True)


class Kafka:
    """One broker. kill() and start() again keep its folder and ports."""

    def __init__(self, folder, port, controller_port, runtime=None, extra_flags=(),
                 extra_properties="", production=False):
        self.folder = own_dir(folder)
        self.flags = PRODUCTION_FLAGS if production else FLAGS
        self.port = port
        self.controller_port = controller_port
        self.runtime = runtime or Runtime()
        self.extra_properties = extra_properties
        self.data = self.folder / "data"
        self.log = self.folder / "kafka.log"
        self.extra_flags = [str(flag) for flag in extra_flags]
        self.child = Child("kafka", [], self.folder / "kafka.out.log")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, wait=True):
        if not self.data.exists():
            shutil.copytree(self.runtime.template, self.data)
        text = PROPERTIES.format(port=self.port, controller_port=self.controller_port,
                                 data=self.data) + self.extra_properties
        (self.folder / "server.properties").write_text(text)
        # Only now: the jars may have been fetched since this object was made.
        java, *words = self.runtime.command(self.folder, "kafka.Kafka",
                                            self.folder / "server.properties", flags=self.flags)
        self.child.argv = [str(word) for word in (java, *self.extra_flags, *words)]
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        self.child.start()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, deadline_s=90):
        self.child.wait_ready(self._started, deadline_s, HINT)

    def _started(self):
        if not self.log.exists() or not port_open(self.port):
            return False
        with open(self.log, "rb") as log:
            log.seek(self._seen)
            return b"Kafka Server started" in log.read()

    def stop(self, deadline_s=20):
        code = self.child.stop(deadline_s)
        return 0 if code == 128 + signal.SIGTERM else code

    def kill(self):
        return self.child.kill()

    def freeze(self):
        self.child.freeze()

    def thaw(self):
        self.child.thaw()
