"""Row E2: finished turns a second with everything on all cores and a model that takes 1 s, against
the two services of peers/ that call the model inside the webhook.

The peers' Python packages come from PyPI, pinned by peers/requirements.txt, into a virtual
environment in the state folder; it is kept for the next run.
"""

import hashlib
import os
import shutil
import statistics
import sys
from pathlib import Path

from bench import CLIENTS
from measure import fire
from procs import Child, Failure, free_port, port_open, private_root, run_tool
from rows_flight import Waves, wanted_prompt
from stack import state_root

PEERS = Path(__file__).resolve().parent / "peers"
MODEL_MS = 1000
# name: (module, driver in the URL, clients at once, texts, turns a second that it reaches elsewhere, bars)
SERVICES = {"sync": ("sync_service", "+psycopg2", 60, 150, 14, (70, 150)),
            "async": ("async_service", "", 400, 1600, 240, (4, 10))}


def environment():
    """The folder of a virtual environment with the peers' packages."""
    wanted = (PEERS / "requirements.txt").read_bytes() + sys.version.encode()
    folder = private_root(state_root()) / f"peers-{hashlib.sha256(wanted).hexdigest()[:12]}"
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    run_tool([sys.executable, "-m", "venv", folder], "making a virtual environment",
             "The package python3-venv is needed for bench E2.")
    run_tool([folder / "bin" / "pip", "install", "--quiet", "-r", PEERS / "requirements.txt"],
             "installing the peers of bench E2", "PyPI must be reachable (a mirror or proxy goes into "
             "pip's own settings: PIP_INDEX_URL, ~/.config/pip/pip.conf). All other rows do without.",
             deadline_s=600)
    (folder / "complete").touch()
    return folder


class Peer:
    """One of the services, with a database of its own."""

    def __init__(self, trial, folder, name):
        module, driver, self.clients, self.texts, self.quoted, self.bars = SERVICES[name]
        self.trial = trial
        self.name = name
        self.port = free_port()
        self.rates = []
        servers, here = trial.servers, trial.desk.installation
        database = f"peer_{name}"
        servers.postgres.create_database(database)
        url = servers.postgres.url(database).replace("postgresql:", f"postgresql{driver}:")
        known = {"DATABASE_URL": url, "PUBLIC_URL": here.public_url, "MODEL_URL": here.model_url,
                 "TWILIO_URL": here.twilio_url, "PYTHONDONTWRITEBYTECODE": "1"}
        self.child = Child(f"peer-{name}",
                           [folder / "bin" / "uvicorn", f"{module}:app", "--host", "127.0.0.1",
                            "--port", self.port, "--log-level", "warning", "--no-access-log"],
                           here.folder / "log" / f"peer-{name}.log", env={**os.environ, **known},
                           cwd=PEERS).start()
        self.child.wait_ready(lambda: port_open(self.port), 30, "Its packages are pinned.")
        columns = [[tenant["numbers"]["sms"], tenant["account_sid"], tenant["auth_token"],
                    wanted_prompt(trial)] for tenant in trial.desk.tenants]
        servers.postgres.sql(
            "INSERT INTO tenants (number, account_sid, auth_token, prompt) SELECT * FROM"
            " unnest(%s::text[], %s::text[], %s::text[], %s::text[])",
            [list(column) for column in zip(*columns)], database)

    def rate(self):
        """Turns a second, each answered once."""
        nonces, load = self.trial.bench.fresh(max(self.clients, self.trial.size(self.texts)))
        fire(load, self.clients, self.port)
        return middle_rate(self.trial.bench.settle(nonces))


def middle_rate(times):
    """Of the middle four fifths of the replies, so that neither start nor end counts."""
    ordered = sorted(times.values())
    first, last = len(ordered) // 10, len(ordered) - 1 - len(ordered) // 10
    return (last - first) / (ordered[last] - ordered[first])


def throughput(trial):
    folder = environment()
    bench = trial.start()
    wanted_prompt(trial)
    trial.desk.model_with("--first-token-ms", MODEL_MS)
    Waves(trial).wave(2 * len(trial.desk.tenants))  # assistants are read, partitions written to
    trial.desk.faults("model")
    # The peers do not ask how their replies fared: nobody is told.
    trial.desk.faults("twilio", {"action": {"type": "callbacks", "mode": "none"}})
    bench.unpin_all()
    peers, ours = [], []
    try:
        peers = [Peer(trial, folder, name) for name in SERVICES]
        for pair in range(bench.pairs + 1):
            rates = [own_rate(trial), *(peer.rate() for peer in peers)]
            if pair == 0:
                continue  # warm-up
            ours.append(rates[0])
            for peer, rate in zip(peers, rates[1:]):
                peer.rates.append(rate)
    finally:
        for peer in peers:
            peer.child.stop()
        os.sched_setaffinity(0, range(os.cpu_count()))
    for peer in peers:
        reached = statistics.median(peer.rates)
        low = reached < 0.8 * peer.quoted
        trial.report.note(f"E2: the {peer.name} peer finishes {reached:.1f} turns a second"
                          + (f", less than 80 % of {peer.quoted}: no fair peer" if low else ""))
        trial.report.row(f"E2_{peer.name}", statistics.median(ours), "turns/s", peer.bars[0],
                         peer=[own / rate for own, rate in zip(ours, peer.rates)],
                         goal=peer.bars[1], at_least=True, peer_rates=peer.rates)


def own_rate(trial):
    nonces, load = trial.bench.fresh(trial.size(6000))
    fire(load, CLIENTS, trial.bench.port)
    times = trial.bench.settle(nonces)
    if len(times) < len(nonces):
        raise Failure("texts are lost; no speed is reported")
    return middle_rate(times)
