"""kill -9 of Kafka and of PostgreSQL under load: what was accepted is answered once, in order."""

import time

OWN_SERVERS = True
DEADLINE_S = 420

CONFIG = {
    "engine": {"worker_lease_ms": 2000, "adopt_every_ms": 600, "burst_ms": 200,
               "burst_max_ms": 600, "turn_deadline_ms": 30000, "adopter_deadline_ms": 15000},
    "responder": {"worker_lease_ms": 2000, "adopt_every_ms": 600, "lookup_after_ms": 2500,
                  "request_timeout_ms": 5000},
}


def stuck(desk):
    """Transactions that are open for seconds: who holds up the others."""
    return desk.sql("SELECT pid, usename, application_name, state, wait_event, xact_start::text,"
                    " state_change::text, pg_blocking_pids(pid), left(query, 150)"
                    " FROM pg_stat_activity WHERE xact_start < clock_timestamp() - interval '2 s'"
                    " AND datname = current_database() ORDER BY xact_start LIMIT 8")


def whereabouts(desk, texts):
    """How far the first texts without an answer came: records, event, session, deliveries."""
    records = desk.kafka_records("inbound.sms")
    letters = desk.kafka_records("dlq")
    found = [f"not alive: {[n for n, service in desk.services.items() if not service.alive()]}"]
    for text in desk.open_texts(texts)[:3]:
        dead = sum(text.nonce.encode() in (r.value or b"") for r in letters)
        known = [f"{r.partition}/{r.offset}" for r in records if text.nonce.encode() in r.value]
        rows = desk.sql(
            "SELECT e.state, s.due_at::text, s.worker::text, (SELECT json_agg(json_build_array(d.seq,"
            " d.state, d.worker, d.next_at, d.attempts) ORDER BY d.seq) FROM deliveries d"
            " WHERE d.session_id = s.id) FROM inbox_events e JOIN channel_sessions s"
            " ON s.tenant_id = e.tenant_id AND s.id = e.session_id WHERE e.provider_id = %s", text.sid)
        found.append(f"{text.sid} in {known}, {dead} dead letters: {rows}")
    return "; ".join(found)


def never_accepted(result):
    """The tries of a text that ingress never took: when, for how long, with which answer."""
    sids = {text.sid for text in result.texts if text not in result.accepted}
    tries = [f"{time.strftime('%X', time.gmtime(a.began))} {a.seconds:.1f} s {a.status or a.error}"
             for a in result.attempts if a.sid == min(sids)]
    return f"{len(sids)} texts were never accepted, one of them: {', '.join(tries)}"


def load_with(desk, kill_and_start, times, seconds):
    """A load in whose course a server is killed and started again so many times."""
    desk.start(ingresses=2, engines=2, responders=2, config=CONFIG)
    desk.reset()
    # Beside the kills of --long a broker has taken two minutes to serve again: texts are tried on.
    load = desk.load(rate=15, addresses=90, tenant_count=4, tries=120,
                     pause_max_s=4).start(seconds=seconds)
    for _ in range(times):
        wanted = len(load.result.accepted) + 30
        desk.wait(lambda: len(load.result.accepted) >= wanted, 60, "texts before the kill")
        kill_and_start()
    result = load.join(540)
    desk.wait_answers(result.texts, more=lambda: f"; open transactions: {stuck(desk)};"
                                                 f" {whereabouts(desk, result.texts)}")
    desk.settled(4, lambda: len(desk.sent()), 40)
    verdict = desk.judge(result.texts)
    print(f"  {verdict}")
    assert verdict.clean(), verdict
    assert verdict.accepted == len(result.texts), never_accepted(result)
    assert verdict.degraded <= 0.01 * verdict.replies, verdict
    return result


def test_kafka_is_killed(desk):
    def kill():
        desk.servers.kafka.kill()
        time.sleep(1)
        desk.servers.kafka.start()
    load_with(desk, kill, 2, 20)


def test_postgres_is_killed(desk):
    def kill():
        desk.servers.postgres.kill()
        time.sleep(1)
        desk.servers.postgres.start()
    load_with(desk, kill, 2, 20)
