"""deskctl against real servers: what did not end by itself: dead letters, the quarantine, and what only
the provider knows."""

import base64
import json
import re
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient, ConfigResource

from operating import (DIFFERENT, FAILED, NOT_FOUND, OK, TENANTS, USAGE, add_history, expect, good,
                       run, services, tenant_file)
from scripted import Customer

SHARE = True
DEADLINE_S = 90


def test_dead_records(desk):
    services(desk)
    tenant = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])
    mark = desk.new_nonce()
    desk.produce("inbound.sms", f"{tenant}:+15551230000", f'{{"broken": "{mark}"', headers={
        "ce_specversion": "1.0", "ce_id": "SM" + "0" * 32, "ce_source": "test",
        "ce_type": "desk.sms.received.v1", "ce_time": "2026-11-23T00:00:00Z", "ce_subject": "",
        "content-type": "application/json", "tenant": tenant})

    def letters():
        rows = good(desk, "dead", "list", "--json").json()
        return [row for row in rows if row["kind"] == "record"]

    row = desk.wait(letters, 30, "the dead letter")[-1]
    assert row["code"] and row["origin"].startswith(desk.topic("inbound.sms"))
    assert mark in good(desk, "dead", "show", row["id"]).out
    shown = good(desk, "dead", "show", row["id"], "--json").json()
    assert mark.encode() in base64.b64decode(shown["value_base64"])
    assert shown["headers"]["ce_id"] == "SM" + "0" * 32
    expect(NOT_FOUND, desk, "dead", "show", "0:999999")
    expect(NOT_FOUND, desk, "dead", "show", "00000000-0000-7000-8000-000000000001")


def test_dead_turns_deliveries_and_texts(desk):
    desk.prepare()
    turn = add_history(desk, 1, desk.new_address(), turn="failed")["turn"]
    parked = add_history(desk, 1, desk.new_address(), "parked", "unknown")["delivery"]
    late = add_history(desk, 1, desk.new_address(), "suppressed", "late")["delivery"]
    taken = add_history(desk, 1, desk.new_address(), "suppressed", "takeover")["delivery"]
    text = add_history(desk, 1, desk.new_address(), event="late")
    listed = {row["id"]: row for row in good(desk, "dead", "list", "--json").json()}
    assert taken not in listed
    people = good(desk, "dead", "list").out
    for dead, kind, code, inside in [
            (turn, "turn", "engine.lost", ("turn", "error_code", "engine.lost")),
            (parked, "delivery", "unknown", ("delivery", "state", "parked")),
            (late, "delivery", "late", ("delivery", "reason", "late")),
            (text["text"], "event", "late", ("message", "body", f"text {text['mark']}"))]:
        row = listed[dead]
        assert (row["kind"], row["code"]) == (kind, code)
        assert row["tenant"] == desk.tenants[0]["name"] and row["at"] and dead in people
        shown = good(desk, "dead", "show", dead, "--json").json()
        assert shown["kind"] == kind and shown[inside[0]][inside[1]] == inside[2]
        conversation = row["origin"].removeprefix("conversation ")
        assert shown["conversation"] == conversation
        words = good(desk, "dead", "show", dead).out
        assert words.startswith(f"{kind} of conversation {conversation}") and inside[2] in words
    only = good(desk, "dead", "list", "--tenant", "hillcrest-garage", "--json").json()
    assert not {turn, parked, late, text["text"]} & {row["id"] for row in only}
    expect(NOT_FOUND, desk, "dead", "show", taken)


def rows_read(desk):
    """Entries and rows that scans have read, when the counters of ended sessions are in."""
    return desk.settled(1.5, lambda: desk.value(
        "SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
        " + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname NOT IN"
        " ('tenants', 'channels', 'assistants', 'assistant_versions', 'installation',"
        " 'schema_migrations'))"))


def test_nothing_reads_the_whole_history(desk):
    """Each looks at one customer among thousands: what it reads must not grow with the others."""
    desk.stop()
    desk.prepare()
    address, other = desk.new_address(), desk.new_address()
    known = add_history(desk, 3000, address)
    dead = add_history(desk, 1, other, "parked", "unknown")["delivery"]
    desk.sql("INSERT INTO consents (tenant_id, sender, address, state, source, changed_at)"
             " SELECT tenant_id, 'x', address, 'opted_in', 'x', now() FROM contact_addresses")
    for table in ("contacts", "contact_addresses", "conversations", "channel_sessions", "turns",
                  "llm_calls", "messages", "inbox_events", "deliveries", "delivery_attempts",
                  "consents", "turn_rounds", "tool_calls", "escalations", "escalation_notices", "jobs",
                  "summary_claims"):
        desk.sql(f"ANALYZE {table}")
    direct = {"FRONTDESK_DATABASE_URL": desk.installation.deskctl_environment()[
        "FRONTDESK_DATABASE_DIRECT_URL"]}
    name = desk.tenants[0]["name"]
    for words in (["conversation", "show", known["talk"]], ["dead", "list"],
                  ["dead", "show", dead], ["escalation", "show", known["wish"]],
                  ["escalation", "accept", known["wish"]],
                  ["erase", "--tenant", name, "--address", address, "--yes"]):
        before = rows_read(desk)
        done = good(desk, *words, environment=direct)
        read = rows_read(desk) - before
        assert 0 < read < 1000, (words, read, done)
    assert desk.value("SELECT count(*) FROM messages WHERE body = %s", f"text {known['mark']}") == 0


# What ingress could not verify, and what never reached it


def parked(desk, sid):
    return [row for row in good(desk, "quarantine", "list", "--json").json() if row["sid"] == sid]


@contextmanager
def further_key(desk, token):
    """The first tenant's account has this signing key too."""
    path = next(p for p in TENANTS.glob("*.yaml")
                if f"name: {desk.tenants[0]['name']}\n" in p.read_text())
    also = tenant_file(desk, path.stem, ("    auth_token:", "    signing_keys: [env:ROTATED]\n"
                                                            "    auth_token:"))
    done = good(desk, "tenant", "apply", also, "--yes", environment={"ROTATED": token})
    assert "signing_keys" in done.said and token not in done.said + done.out
    try:
        yield
    finally:
        good(desk, "tenant", "apply", path, "--yes")
        good(desk, "directory", "publish")


def test_quarantined_status_is_released(desk):
    """The provider's word that a reply arrived was signed with a key that nobody told us."""
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    desk.faults("twilio", {"match": nonce, "method": "POST",
                           "action": {"type": "callbacks", "mode": "sent_only"}})
    assert desk.webhook(customer, f"hello {nonce}").status == 200

    def delivery():
        rows = desk.sql("SELECT d.tenant_id::text, d.id::text, d.attempts, d.provider_sid, d.state"
                        " FROM deliveries d JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
                        " AND s.id = d.session_id WHERE s.remote_address = %s", customer)
        return rows and rows[0]
    desk.wait(lambda: delivery() and delivery()[4] == "sent", 30, "the reply")
    desk.faults("twilio")
    tenant, identity, attempt, sid, _ = delivery()
    target = f"/twilio/status?tenant={tenant}&delivery={identity}&attempt={attempt}"
    params = [("MessageSid", sid), ("MessageStatus", "delivered"), ("To", customer),
              ("AccountSid", desk.tenants[0]["account_sid"]),
              ("From", desk.tenants[0]["numbers"]["sms"])]
    rotated = "e" * 32
    assert desk.post(target, params, token=rotated).status == 403
    row = desk.wait(lambda: parked(desk, sid), 20, "the parked status")[0]
    assert row["path"] == "/twilio/status"
    assert "quarantine.signature" in expect(FAILED, desk, "quarantine", "release", row["id"]).said
    assert delivery()[4] == "sent"
    with further_key(desk, rotated):
        done = good(desk, "quarantine", "release", row["id"], "--json").json()
        assert done == {"released": 1, "refused": 0, "missing": 0, "left": 0}
    desk.wait(lambda: delivery()[4] == "delivered", 20, "the receipt")
    assert desk.value("SELECT count(*) FROM audit_log WHERE action = 'quarantine.release'"
                      " AND subject = %s AND tenant_id::text = %s", sid, tenant) == 1
    # Another tenant's address, vouched for: still judged by the account.
    other = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[1]["name"])
    moved = target.replace(tenant, other)
    assert desk.post(moved, params, token=rotated).status == 403
    row = desk.wait(lambda: [r for r in parked(desk, sid) if r["id"] != row["id"]], 20,
                    "the second parked status")[0]
    done = expect(FAILED, desk, "quarantine", "release", row["id"], "--force-unverified",
                  "somebody said so")
    assert "quarantine.account" in done.said


def test_no_release_without_its_row(desk):
    """Kafka refuses the record when the release is already written down."""
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    sid = "SM" + nonce[2:].ljust(32, "1")
    params = [("MessageSid", sid), ("From", customer), ("To", desk.tenants[0]["numbers"]["sms"]),
              ("Body", nonce), ("AccountSid", desk.tenants[0]["account_sid"]), ("NumMedia", "0")]
    assert desk.post("/twilio/sms", params, token="d" * 32).status == 403
    row = desk.wait(lambda: parked(desk, sid), 20, "the parked webhook")[0]
    release = ("quarantine", "release", row["id"], "--force-unverified", "we know who sent it")

    def written():
        return desk.value("SELECT count(*) FROM audit_log WHERE action = 'quarantine.release'"
                          " AND subject = %s", sid)
    admin = AdminClient({"bootstrap.servers": desk.servers.kafka.address})
    topic = ConfigResource(ConfigResource.Type.TOPIC, desk.topic("inbound.sms"),
                           set_config={"max.message.bytes": "10"})
    for future in admin.alter_configs([topic]).values():
        future.result(20)
    try:
        done = expect(FAILED, desk, *release)
        assert "not released" in done.said and written() == 1, done
        assert desk.sent_to(customer) == []
    finally:
        run(desk, "topics", "apply")
    tries = desk.wait(lambda: run(desk, *release).code == OK and written(), 20,
                      "the broker to act by its setting again, a moment after it took it")
    assert tries >= 2
    desk.wait_replies(customer, 1)


def test_quarantine_is_verified_again(desk):
    """The account has a second token that nobody told us: no text is lost."""
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    rotated = "f" * 32
    params = [("MessageSid", "SM" + nonce[2:].ljust(32, "0")), ("From", customer),
              ("To", desk.tenants[0]["numbers"]["sms"]), ("Body", f"parked {nonce}"),
              ("AccountSid", desk.tenants[0]["account_sid"]), ("NumMedia", "0"),
              ("NumSegments", "1")]
    sid = params[0][1]
    answer = desk.post("/twilio/sms", params, token=rotated)
    assert answer.status == 403
    row = desk.wait(lambda: parked(desk, sid), 20, "the parked webhook")[0]
    assert row["path"] == "/twilio/sms" and not row["known"]
    assert row["address"] == desk.tenants[0]["numbers"]["sms"]

    done = expect(FAILED, desk, "quarantine", "release", row["id"])
    assert "quarantine.signature" in done.said and "tenant apply" in done.said
    assert desk.sent_to(customer) == []

    with further_key(desk, rotated):
        good(desk, "quarantine", "release", row["id"])
    desk.wait_replies(customer, 1)
    assert parked(desk, sid)[0]["known"]
    audit = desk.sql("SELECT detail FROM audit_log WHERE action = 'quarantine.release'"
                     " AND subject = %s", sid)
    assert len(audit) == 1 and audit[0][0]["verified"] is True
    # Vouched for by a person this time, and still not answered twice.
    expect(USAGE, desk, "quarantine", "release", row["id"], "--force-unverified", "because")
    good(desk, "quarantine", "release", row["id"], "--force-unverified", "seen in the console")
    desk.settled(3, lambda: len(desk.sent_to(customer)))
    assert len(desk.sent_to(customer)) == 1
    expect(NOT_FOUND, desk, "quarantine", "release", "0:999999")


def test_reconcile_finds_what_no_webhook_brought(desk):
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    seen = desk.new_address()
    assert desk.inbound(seen, "came through")["sid"]
    desk.wait_replies(seen, 1)
    sids = [desk.inbound(customer, f"lost {nonce} {n}", deliver=False)["sid"] for n in range(3)]
    name = desk.tenants[0]["name"]
    done = expect(DIFFERENT, desk, "reconcile", "--tenant", name, "--json")
    assert sorted(row["sid"] for row in done.json()) == sorted(sids), done
    assert desk.sent_to(customer) == []
    done = good(desk, "reconcile", "--execute", "--json")
    assert sorted(row["sid"] for row in done.json() if row["tenant"] == name) == sorted(sids)
    desk.wait(lambda: desk.value("SELECT count(*) FROM inbox_events WHERE provider_id = ANY (%s)"
                                 " AND state = 'answered'", sids) == 3, 30, "the answers")
    assert nonce in desk.wait_replies(customer, 1)[0]
    # The event's time is the provider's, its id the MessageSid.
    records = [r for r in desk.kafka_records("inbound.sms") if r.headers["ce_id"].decode() in sids]
    assert len(records) == 3
    assert {r.headers["ce_source"].decode() for r in records} == {
        "twilio/" + desk.tenants[0]["account_sid"]}
    assert good(desk, "reconcile", "--json").json() == []


def ours_since(desk, days):
    """As if the numbers had been the tenants' for so long."""
    desk.prepare()
    desk.sql("UPDATE jobs SET since = clock_timestamp() - %s * interval '1 day'", days)


def test_reconcile_leaves_alone_what_came_before_the_number_was_ours(desk):
    """A number moves in: its history is at the provider, and nobody here has to answer it."""
    services(desk)
    desk.sql("UPDATE jobs SET since = clock_timestamp() - interval '1 min'")
    now_ms = int(time.time() * 1000)
    before, after = (desk.inbound(desk.new_address(), "hello", deliver=False,
                                  date_sent=now_ms - age_s * 1000)["sid"] for age_s in (90, 30))
    done = good(desk, "reconcile", "--since", "1d", "--execute", "--json")
    brought = [row["sid"] for row in done.json()]
    assert after in brought and before not in brought, done
    assert "1 texts were left alone: they came before the number was" in done.said, done
    assert before not in [r.headers["ce_id"].decode() for r in desk.kafka_records("inbound.sms")]


def test_reconcile_brings_lost_texts_in_their_order(desk):
    """The provider lists the newest first; the model must read them as they were written."""
    services(desk)
    ours_since(desk, 1)
    customer = desk.new_address()
    now_ms = int(time.time() * 1000)
    sids = [desk.inbound(customer, f"lost {n}", deliver=False,
                         date_sent=now_ms - 60000 + 5000 * n)["sid"] for n in range(3)]
    good(desk, "reconcile", "--execute")
    desk.wait(lambda: desk.value("SELECT count(*) FROM inbox_events WHERE provider_id = ANY (%s)"
                                 " AND state = 'answered'", sids) == 3, 30, "the answers")
    rows = desk.sql("SELECT provider_id FROM messages WHERE provider_id = ANY (%s)"
                    " ORDER BY position", sids)
    assert [sid for (sid,) in rows] == sids


def twilio_takes(desk, tenant, to, body, **sender):
    """A message that left before the database went back: no row of ours knows it. It stays queued,
    so it has no date of sending; one of a messaging service has no number either."""
    known = desk.tenant(tenant)
    desk.faults("twilio", {"match": body, "method": "POST",
                           "action": {"type": "callbacks", "mode": "late", "ms": 120000}})
    form = {"To": to, "Body": body, **sender}
    request = urllib.request.Request(
        f"{desk.stand_url('twilio')}/2010-04-01/Accounts/{known.account_sid}/Messages.json",
        urllib.parse.urlencode(form).encode(), {"Authorization": "Basic " + base64.b64encode(
            f"{known.account_sid}:{known.auth_token}".encode()).decode()})
    with urllib.request.urlopen(request, timeout=10) as answer:
        message = json.loads(answer.read())
    desk.faults("twilio")
    assert message["date_sent"] is None
    return message


def release(desk):
    """Whatever happened: the tests that follow need their replies sent."""
    good(desk, "release", "--yes", "--without-reconcile")


def wait_held_reply(desk, customer):
    """The delivery that waits for the release."""
    def row():
        found = desk.sql("SELECT d.id::text, d.state, d.reason FROM deliveries d"
                         " JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
                         " AND s.id = d.session_id WHERE s.remote_address = %s", customer)
        return found and found[0]
    return desk.wait(row, 30, "a delivery")


def test_reconcile_of_a_held_database_sees_what_is_still_queued(desk):
    services(desk)
    dental, spa = "brightwater-dental", "lumen-medspa"
    number = desk.tenant(dental).numbers["sms"]
    service = desk.tenant(spa).messaging_service_sid
    which = {name: [t["name"] for t in desk.tenants].index(name) for name in (dental, spa)}
    good(desk, "hold", "a restore")
    try:
        plain, pooled = desk.new_address(), desk.new_address()
        for customer, tenant in ((plain, dental), (pooled, spa)):
            assert desk.webhook(customer, "hello", which[tenant]).status == 200
            wait_held_reply(desk, customer)
        twilio_takes(desk, dental, plain, "an answer", From=number)
        message = twilio_takes(desk, spa, pooled, "an answer", MessagingServiceSid=service)
        assert message["from"] is None
        good(desk, "reconcile", "--execute")
        for customer in (plain, pooled):
            assert wait_held_reply(desk, customer)[1:] == ("suppressed", "reconciled"), customer
        good(desk, "release", "--yes")
    finally:
        release(desk)
    desk.settled(2, lambda: len(desk.sent()))
    assert [desk.sent_to(customer) for customer in (plain, pooled)] == [["an answer"]] * 2


def test_reconcile_takes_the_turn_that_thinks(desk):
    """What was answered before the restore is being answered again: the turn loses its place, and
    does not try to commit what is ended, which the database takes never. (A statement that waits too
    long for somebody's lock, on a busy machine, is sent again and passes.)"""
    services(desk)
    dental = "brightwater-dental"
    which = [t["name"] for t in desk.tenants].index(dental)
    customer = desk.new_address()
    before = len(desk.log("engine-1"))
    good(desk, "hold", "a restore")
    desk.faults("model", {"match": "think", "action": {"type": "delay", "ms": 4000}})
    try:
        assert desk.webhook(customer, "think", which).status == 200
        desk.wait(lambda: desk.sql("SELECT 1 FROM turns u JOIN channel_sessions s"
                                   " ON s.tenant_id = u.tenant_id AND s.id = u.session_id"
                                   " WHERE s.remote_address = %s AND u.state = 'running'",
                                   customer), 15, "a turn")
        twilio_takes(desk, dental, customer, "an answer", From=desk.tenant(dental).numbers["sms"])
        good(desk, "reconcile", "--execute")
        desk.settled(5, lambda: desk.value("SELECT count(*) FROM deliveries d JOIN"
                                           " channel_sessions s ON s.tenant_id = d.tenant_id AND"
                                           " s.id = d.session_id WHERE s.remote_address = %s",
                                           customer))
        good(desk, "release", "--yes")
    finally:
        desk.faults("model")
        release(desk)
    failed = [line for line in desk.log("engine-1")[before:] if line.get("event") == "statement.failed"
              and not line["err"]["class"].startswith("retry_")]
    assert not failed, failed
    assert desk.sent_to(customer) == ["an answer"]
    nonce = desk.new_nonce()
    assert desk.webhook(customer, f"and {nonce}", which).status == 200
    desk.wait(lambda: nonce in "".join(desk.sent_to(customer)), 20, "the next answer")


def test_reconcile_of_a_held_database_goes_back_as_far_as_it_may_answer(desk):
    """A restore to a point hours ago: by default, and with a --since that is too short, it looks for
    what left since the oldest text that would be answered again."""
    services(desk)
    dental = "brightwater-dental"
    which = [t["name"] for t in desk.tenants].index(dental)
    good(desk, "hold", "a restore")
    try:
        replied, thinking = Customer(desk, which), Customer(desk, which)
        desk.faults("model", {"match": "think", "action": {"type": "delay", "ms": 8000}})
        thinking.text("think", age_s=5 * 3600)
        replied.text(age_s=3 * 3600)
        wait_held_reply(desk, replied.address)
        now_ms = int(time.time() * 1000)
        for customer, age_h in ((thinking, 5), (replied, 3)):
            message = twilio_takes(desk, dental, customer.address, "an answer",
                                   From=desk.tenant(dental).numbers["sms"])
            desk.date_back(message["sid"], now_ms - age_h * 3600000 + 20000)
        desk.wait(lambda: thinking.open_events() == 1, 20, "the claim")
        found = r"what left since \S+ was looked at, 2 events and replies "
        done = run(desk, "reconcile", "--since", "10m")
        assert re.search(found + "would be", done.said), done
        done = good(desk, "reconcile", "--execute")
        assert re.search(found + "were", done.said), done
        assert wait_held_reply(desk, replied.address)[1:] == ("suppressed", "reconciled")
        assert thinking.open_events() == 0
        good(desk, "release", "--yes")
    finally:
        desk.faults("model")
        release(desk)
    desk.settled(3, lambda: len(desk.sent()))
    for customer in (replied, thinking):
        assert desk.sent_to(customer.address) == ["an answer"], customer.replies()


def test_reconcile_of_a_held_database_brings_what_its_audits_would(desk):
    """The first audit after the release begins where the last one before the backup was: what it
    would bring must be there before what left is looked at."""
    services(desk)
    dental = "brightwater-dental"
    which = [t["name"] for t in desk.tenants].index(dental)
    customer, now_ms = desk.new_address(), int(time.time() * 1000)
    ours_since(desk, 1)
    good(desk, "hold", "a restore")
    try:
        desk.sql("UPDATE jobs SET last_done_at = clock_timestamp() - interval '5 h'")
        sid = desk.inbound(customer, "hello", which, deliver=False,
                           date_sent=now_ms - 4 * 3600000)["sid"]
        message = twilio_takes(desk, dental, customer, "an answer",
                               From=desk.tenant(dental).numbers["sms"])
        desk.date_back(message["sid"], now_ms - 4 * 3600000 + 20000)
        good(desk, "reconcile", "--execute")
        assert desk.sql("SELECT state FROM inbox_events WHERE provider_id = %s", sid)
        good(desk, "release", "--yes")
    finally:
        release(desk)
        desk.sql("UPDATE jobs SET last_done_at = NULL")
    desk.settled(3, lambda: len(desk.sent()))
    assert desk.sent_to(customer) == ["an answer"]


def test_reconcile_waits_for_what_engines_have_not_claimed(desk):
    """A text that is in the topic only, because it was injected just now or because the replay is not
    over, has no row that could be settled: it would be answered again after the release."""
    services(desk)
    dental = "brightwater-dental"
    which = [t["name"] for t in desk.tenants].index(dental)
    injected, replayed = desk.new_address(), desk.new_address()
    good(desk, "hold", "a restore")
    desk.freeze("engine-1")
    try:
        sid = desk.inbound(injected, "hello", which, deliver=False)["sid"]
        assert desk.webhook(replayed, "hello", which).status == 200
        for customer in (injected, replayed):
            twilio_takes(desk, dental, customer, "an answer",
                         From=desk.tenant(dental).numbers["sms"])
        with ThreadPoolExecutor(1) as pool:
            command = pool.submit(run, desk, "reconcile", "--execute")
            desk.wait(lambda: sid in [record.headers["ce_id"].decode() for record
                                      in desk.kafka_records("inbound.sms")], 30, "the injection")
            desk.settled(2, command.done)
            desk.thaw("engine-1")
            done = command.result()
        assert done.code == OK, done
        desk.wait(lambda: desk.value("SELECT count(*) FROM channel_sessions WHERE remote_address"
                                     " IN (%s, %s)", injected, replayed) == 2, 30, "the claims")
        good(desk, "release", "--yes")
    finally:
        desk.thaw("engine-1")
        release(desk)
    desk.settled(4, lambda: len(desk.sent()))
    assert [desk.sent_to(c) for c in (injected, replayed)] == [["an answer"]] * 2
    assert "waiting until the engines have claimed" in done.said, done


def test_release_needs_a_whole_reconcile(desk):
    services(desk)
    good(desk, "hold", "a restore")

    def is_refused():
        done = expect(FAILED, desk, "release", "--yes")
        return "hold.not_reconciled" in done.said and "reconcile --execute" in done.said
    try:
        assert is_refused()
        run(desk, "reconcile")
        assert "not reconciled yet" in good(desk, "reconcile", "--execute", "--tenant",
                                            desk.tenants[0]["name"]).said
        assert is_refused()
        desk.faults("twilio", {"method": "GET", "count": 1,
                               "action": {"type": "status", "status": 401}})
        expect(FAILED, desk, "reconcile", "--execute")
        desk.faults("twilio")
        assert is_refused()
        desk.freeze("engine-1")
        assert desk.webhook(desk.new_address(), "hello").status == 200
        done = expect(FAILED, desk, "reconcile", "--execute", "--wait", "1s")
        assert "engines.behind" in done.said and is_refused(), done
        desk.thaw("engine-1")
        assert "all numbers are reconciled" in good(desk, "reconcile", "--execute").said
        good(desk, "hold", "another restore")
        assert is_refused()
        good(desk, "reconcile", "--execute")
        reconciled_for = desk.value("SELECT reconciled_for FROM installation")
        desk.sql("UPDATE installation SET reconciled_for = '1:1'")  # the database went back again
        assert is_refused()
        desk.sql("UPDATE installation SET reconciled_for = %s", reconciled_for)
        good(desk, "release", "--yes")
        good(desk, "release", "--yes")
        good(desk, "hold", "to look at something")
        assert is_refused()
    finally:
        desk.faults("twilio")
        desk.thaw("engine-1")
        release(desk)
    assert desk.value("SELECT released_for = database_identity() FROM installation")


def test_reconcile_says_when_the_provider_refuses(desk):
    services(desk)
    desk.faults("twilio", {"method": "GET", "count": 1,
                           "action": {"type": "status", "status": 503}})
    good(desk, "reconcile", "--tenant", desk.tenants[0]["name"])
    desk.faults("twilio")
    done = expect(FAILED, desk, "reconcile", "--tenant", desk.tenants[0]["name"],
                  environment={"FRONTDESK_TWILIO_BASE_URL": "http://127.0.0.1:1"})
    assert "http.connect" in done.said
    expect(NOT_FOUND, desk, "reconcile", "--tenant", "nobody")
