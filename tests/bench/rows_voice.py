"""Suite voice: what a phone call costs. V1 is what we add to a spoken turn, V2 how fast the desk falls
silent when a caller cuts in, V3 how many calls a core carries, M3 what an idle call's socket holds.

Both ends of a turn are one process (voice.c): it says the prompt and is the model that is then asked,
it sends the model's first token and hears the first words. The rows are explained in
docs/BENCHMARKS.md.
"""

import copy
import os
import re
import statistics
import subprocess

from bench import PRODUCTION, QUARANTINE_PARTITIONS
from calling import Bystander, Calls, Sockets
from measure import LOAD_CPU, SYSTEM_CPU, cpu_by_pid, pin, rss_bytes
from procs import Failure, free_port
from report import percentile
from rows_engine import Trial, run_groups
from where import Where

EVERY_S = 6  # between two turns of a call
KIB = 1024
# What lies between two moments of a turn, in this order.
HOPS = (
    ("prompt in -> record read", "sent", "read",
     "ingress: frame, JSON, call; a Kafka hop"),
    ("-> claimed", "read", "claimed",
     "engine: record, ids; PgBouncer; claim's statements up to the event's row"),
    ("-> turn started", "claimed", "started",
     "rest of the claim, the start's statement up to the turn's row"),
    ("-> model request out", "started", "asked",
     "context, commit; the prompt's questions to PostgreSQL; prompt; request over a kept connection"),
    ("first token in -> frame read", "token", "frame_read",
     "engine: SSE, words, piece; a Kafka hop"),
    ("-> frame out", "frame_read", "frame",
     "ingress: record, filter, JSON, frame; less what the bystander was slower than ingress"),
)


class VoiceTrial(Trial):
    def start_calls(self, engines=1, **ingress):
        """New services, and the model is whoever calls."""
        config = copy.deepcopy(PRODUCTION)
        config["ingress"].update(ingress)
        self.desk.stop()
        self.desk.start(ingresses=1, engines=engines, responders=0, config=config)
        self.desk.installation.model.stop()
        for service in self.desk.services.values():
            pin(service.pid, SYSTEM_CPU)
        pin(self.desk.installation.twilio.pid, LOAD_CPU)
        os.sched_setaffinity(0, LOAD_CPU if os.cpu_count() > 1 else {0})
        return self.bench

    def pids(self):
        return self.bench.pids(("ingress", "engine"))


def added_us(turn):
    """What the desk added to a turn: the model's own time is between `asked` and `token`."""
    return turn["asked"] - turn["sent"] + turn["frame"] - turn["token"]


def latency(trial):
    """V1: against two bare hops and a one-statement commit, one behind the other, at the same pace."""
    rate, count = (5, 40) if trial.small else (20, 400)
    bench = trial.start_calls()
    topic = trial.desk.topic("quarantine")
    database = trial.servers.pgbouncer.url(trial.desk.installation.database, "postgres")
    p50, p99, ratios, tails = [], [], [], []
    for pair in range(trial.pairs + 1):
        with Calls(trial.desk, rate * EVERY_S) as calls:
            took = [added_us(turn) for turn in calls.run(f"turns {count} {rate}")]
            calls.settled(count, "reply")
        bare = bench.floor("turn", bench.kafka, topic, QUARANTINE_PARTITIONS, count, rate, database,
                           cpus=SYSTEM_CPU)
        if pair == 0:
            continue  # warm-up
        p50.append(statistics.median(took))
        p99.append(percentile(took, 0.99))
        ratios.append(p50[-1] / bare["p50_us"])
        tails.append(p99[-1] / bare["p99_us"])
    bench.row("V1", statistics.median(p50) / 1000, "ms_p50_added", 2.5, floor=ratios, goal=1.5,
              hops=hops(trial, rate))
    bench.row("V1_p99", statistics.median(p99) / 1000, "ms_p99_added", 2.5, floor=tails, goal=2.0)


def hops(trial, rate):
    """Where the time goes: a turn each of some calls, with a reader of both topics at its side, which
    costs a little itself. Medians; PostgreSQL's clock is this machine's."""
    desk = trial.desk
    bystander = Bystander(desk)
    where = Where(trial.desk.folder)
    try:
        with Calls(desk, rate * EVERY_S) as calls:
            with where:
                turns = calls.run(f"turns {rate * EVERY_S} {rate}")
            calls.settled(len(turns), "reply")
            rows = desk.sql(
                "SELECT m.body, extract(epoch FROM e.claimed_at) * 1e6, extract(epoch FROM"
                " t.started_at) * 1e6 FROM channel_sessions s JOIN inbox_events e ON e.tenant_id ="
                " s.tenant_id AND e.session_id = s.id JOIN messages m ON m.tenant_id = e.tenant_id AND"
                " m.id = e.message_id JOIN turns t ON t.tenant_id = e.tenant_id AND t.id = e.turn_id"
                " WHERE s.call_sid = ANY(%s)", calls.sids)
    finally:
        bystander.close()
    stored = {re.search(r"n-v[0-9a-f]{14}", body).group(): (float(claimed), float(started))
              for body, claimed, started in rows}
    for turn in turns:
        turn["claimed"], turn["started"] = stored[turn["mark"]]
        turn["read"] = bystander.prompts[turn["mark"]]
        turn["frame_read"] = bystander.frames[turn["sid"]]
    table = []
    for name, begin, end, what in HOPS:
        spent = [turn[end] - turn[begin] for turn in turns]
        table.append({"hop": name, "p50_us": statistics.median(spent),
                      "p99_us": percentile(spent, 0.99), "what": what})
        trial.report.note(f"V1: {name:29} {table[-1]['p50_us']:6.0f} us, p99 "
                          f"{table[-1]['p99_us']:6.0f}  {what}")
        if where.spans is not None:
            table[-1]["who_us"] = where.of([(turn[begin], turn[end]) for turn in turns if turn[begin] < turn[end]])
            who = sorted(table[-1]["who_us"].items(), key=lambda one: -one[1])
            trial.report.note("V1:   " + ", ".join(f"{name} {us:.0f}" for name, us in who if us >= 5))
    return table


def barge_in(trial):
    """V2: the ping behind the interrupt is answered once the interrupt has been taken; until then a
    frame may come, and none after. The echo is HTTP, between the same two cores, at the same pace."""
    rate, count = (5, 40) if trial.small else (10, 200)
    bench = trial.start_calls()
    echo_url = trial.desk.stand_url("twilio") + "/_stats"
    p99, ratios, after, behind, kept = [], [], 0, 0, 0
    for pair in range(trial.pairs + 1):
        with Calls(trial.desk, rate * EVERY_S) as calls:
            turns = calls.run(f"barge {count} {rate}")
            calls.settled(count, "interrupted")
        echo = bench.floor("http", echo_url, count, rate, cpus=SYSTEM_CPU)
        after += sum(turn["after"] for turn in turns)
        behind += sum(turn["last"] > 0 for turn in turns)
        kept += sum(not turn["cancelled"] for turn in turns)
        if pair == 0:
            continue
        p99.append(percentile([turn["over"] - turn["cut"] for turn in turns], 0.99))
        ratios.append(p99[-1] / echo["p99_us"])
    bench.report.note(f"V2: in {behind} of {count * (trial.pairs + 1)} turns a frame came behind the "
                      f"interrupt and before the answer to its ping; in {kept} the model was not "
                      "stopped")
    bench.row("V2", statistics.median(p99), "us_p99", 4.0, floor=ratios, goal=2.0)
    bench.row("V2_after", after, "frames_after", 0, goal=0)


def per_core(trial):
    """V3: processor time of ingress and engine together for so many calls, a turn every 6 s; half of them where the rest of
    the machine, callers, Kafka and PostgreSQL, does not keep up with all."""
    for count in (trial.size(1000), trial.size(500)):
        try:
            return per_core_of(trial, count)
        except Failure as problem:
            trial.report.note(f"V3: {count} calls: {problem}")
    raise Failure("neither so many calls nor half of them")


def per_core_of(trial, count):
    rate, turns, covered = count / EVERY_S, 0, 0
    trial.start_calls(max_calls=max(count, 100))
    carried, shares = [], []
    with Calls(trial.desk, count) as calls:
        for window in range(1 if trial.small else 4):
            rounds = 1 if window == 0 else 5
            begin = cpu_by_pid(trial.pids())
            told = calls.run(f"turns {rounds * count} {rate}")
            turns, covered = turns + len(told), covered + sum(turn["fillers"] > 0 for turn in told)
            used = cpu_by_pid(trial.pids())
            if window == 0 and not trial.small:
                continue  # the businesses' assistants are read
            share = {pid: (used[pid] - begin[pid]) / (rounds * EVERY_S) for pid in used}
            shares.append(share)
            carried.append(count / sum(share.values()))
        calls.settled(turns, "reply")
    ingress, engine = (statistics.median(share[pid] for share in shares) * 100
                       for pid in (trial.bench.pids((kind,))[0] for kind in ("ingress", "engine")))
    trial.report.note(f"V3: {count} calls took {ingress + engine:.1f} % of a core, ingress "
                      f"{ingress:.1f}, the engine {engine:.1f}; {covered} of {turns} turns began later "
                      "than a filler")
    trial.report.row("V3", statistics.median(carried), f"calls/core@{count}", 500, goal=2000,
                     at_least=True, all=carried)


def socket_memory(trial):
    """M3: what an idle call holds in ingress, its socket included, less what ingress held with some
    calls before; there is no thread for it. Beside it CivetWeb's own sockets, which have one, and the
    sockets of our loop with no call behind them."""
    count = trial.size(4000)
    trial.start_calls(engines=0, max_calls=2 * count)
    pid = trial.bench.pids(("ingress",))[0]
    with Calls(trial.desk, max(100, count // 8), asks=False):  # each thread of the webhooks has worked
        before = rss_bytes(pid)
        with Calls(trial.desk, count, asks=False):
            ours = (rss_bytes(pid) - before) / count
    theirs, bare = bare_sockets(trial, "civetweb", count // 2), bare_sockets(trial, "loop", count)
    trial.report.note(f"M3: CivetWeb's own {theirs / KIB:.1f} KiB, thread included; a socket of our "
                      f"loop alone {bare / KIB:.1f} KiB")
    trial.report.row("M3", ours / KIB, f"KiB/idle_socket@{count}", 56, goal=44,
                     civetweb_kib=theirs / KIB, bare_kib=bare / KIB)


def bare_sockets(trial, kind, count):
    """Bytes a socket of a server that does nothing with it, threads included."""
    def server(room):
        port = free_port()
        child = subprocess.Popen([str(trial.desk.bin / "bench-sockets"), kind, str(port), str(room)],
                                 stdout=subprocess.PIPE, text=True)
        if child.stdout.readline() != "ready\n":
            raise Failure(f"bench-sockets {kind} did not start")
        return child, f"127.0.0.1:{port}"
    idle, _ = server(8)
    held, address = server(count + 8)
    try:
        with Sockets(trial.desk, [f"- ws://{address}/relay/x - - - -"] * count, address):
            return (rss_bytes(held.pid) - rss_bytes(idle.pid)) / count
    finally:
        for child in (idle, held):
            child.kill()
            child.wait()


GROUPS = ((("V1",), latency), (("V2",), barge_in), (("V3",), per_core), (("M3",), socket_memory))
ROWS = tuple(row for rows, _ in GROUPS for row in rows)


def run(servers, root, report, wanted, small, is_long):
    """The wanted rows."""
    run_groups(VoiceTrial(servers, root, report, wanted, small, is_long, ("sms", "voice")), GROUPS)
