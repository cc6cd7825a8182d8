"""What the tests of deskctl share: running it, and what it is run at."""

import contextlib
import os
import subprocess

from harness import CHECKOUT
from harness.deskctl import DIFFERENT, FAILED, NOT_FOUND, OK, USAGE, expect, good, run  # noqa: F401
from service import clean_environment

TENANTS = CHECKOUT / "deploy" / "tenants"


def tenant_file(desk, name, *changes):
    """A tenant file of the examples with some texts replaced, in the test's own folder."""
    text = (TENANTS / f"{name}.yaml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = desk.folder / f"{name}.yaml"
    path.write_text(text)
    return path


def answer_on_terminal(desk, answer, *words, after_s=0):
    """The exit code of a deskctl that asks a person, who takes so long to answer."""
    here = desk.installation
    master, slave = os.openpty()
    try:
        child = subprocess.Popen([here.bin / "deskctl", *map(str, words)], stdin=slave,
                                 stderr=slave, stdout=subprocess.DEVNULL, cwd=CHECKOUT,
                                 env=clean_environment(here.deskctl_environment()))
        if after_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(after_s)
        os.write(master, answer)
        return child.wait(60)
    finally:
        os.close(slave)
        os.close(master)


def tenant_row(desk, name):
    return good(desk, "tenant", "show", name, "--json").json()


def services(desk):
    return desk.start(engines=1, responders=1, config={"engine": {"burst_ms": 300}})


def conversation_of(desk, address):
    rows = good(desk, "conversation", "list", "--limit", "1000", "--json").json()
    return next(row for row in rows if row["address"] == address)


def doctor(desk, code, **options):
    return {row["check"]: row for row in expect(code, desk, "doctor", "--json", **options).json()}


def good_environment(desk):
    """What doctor finds nothing wrong with, whatever other tests did to the desk's own topics."""
    prefix = desk.installation.prefix + "doctor."
    good(desk, "topics", "apply", f"--topic_prefix={prefix}")
    return {"FRONTDESK_TOPIC_PREFIX": prefix, "FRONTDESK_PUBLIC_URL": "https://desk.example.com"}


def add_history(desk, count, address, state="delivered", reason=None, turn="finished",
                event="answered"):
    """Rows of `count` customers of the first tenant, the first one at `address`: each a text, its
    turn, and the reply's delivery. Returns the ids of turn, delivery and text of the first."""
    tenant = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])
    mark = desk.new_nonce()
    rows = ("(SELECT n, %s::uuid AS tenant, %s || '-' || n AS mark, CASE n WHEN 0 THEN %s"
            " ELSE %s || '-' || n END AS address FROM generate_series(0, %s) AS n) r")

    def insert(table, columns, values):
        desk.sql(f"INSERT INTO {table} (tenant_id, {columns}) SELECT tenant, {values} FROM {rows}",
                 tenant, mark, address, mark, count - 1)

    def of(kind):
        return f"md5(mark || '{kind}')::uuid"
    insert("contacts", "id", of("contact"))
    insert("contact_addresses", "kind, address, contact_id", f"'phone', address, {of('contact')}")
    insert("conversations", "id, contact_id, closed_at",
           f"{of('talk')}, {of('contact')}, clock_timestamp()")
    insert("channel_sessions", "id, conversation_id, channel_id, kind, remote_address, delivery_seq",
           f"{of('session')}, {of('talk')}, (SELECT c.id FROM channels c WHERE c.tenant_id = tenant"
           " AND c.kind = 'sms'), 'sms', address, 1")
    insert("turns", "id, session_id, conversation_id, number, state, fence, epoch, tries,"
           " error_code, deadline_at, finished_at", f"{of('turn')}, {of('session')}, {of('talk')},"
           f" 1, '{turn}', 1, 0, 3, 'engine.lost', now(), clock_timestamp()")
    insert("llm_calls", "id, turn_id, provider, model, outcome, started_at",
           f"{of('call')}, {of('turn')}, 'openai', 'm', 'ok', now()")
    insert("summaries", "id, conversation_id, up_to, body, assistant_version, call_id",
           f"{of('summary')}, {of('talk')}, 1, 'summary of ' || mark, 1, {of('call')}")
    insert("summary_claims", "conversation_id, claim, tries, until_at, reserved_tokens, reserved_cost",
           f"{of('talk')}, {of('call')}, 1, now(), 1, 1")
    insert("messages", "id, conversation_id, session_id, direction, author, body, provider_id,"
           " event_time", f"{of('text')}, {of('talk')}, {of('session')}, 'in', 'contact',"
           " 'text ' || mark, mark, now()")
    insert("messages", "id, conversation_id, session_id, direction, author, body, turn_id,"
           " event_time", f"{of('reply')}, {of('talk')}, {of('session')}, 'out', 'ai', 'yes',"
           f" {of('turn')}, now()")
    insert("inbox_events", "channel, provider_id, session_id, message_id, address_hash,"
           " content_hash, state, turn_id, claim_id, event_time", f"'sms', mark, {of('session')},"
           f" {of('text')}, {of('address')}, '', '{event}', {of('turn')}, {of('claim')}, now()")
    insert("deliveries", "id, conversation_id, session_id, seq, message_id, turn_id, author, via,"
           " epoch, state, reason, attempts, answer_by, settled_at",
           f"{of('delivery')}, {of('talk')}, {of('session')}, 1, {of('reply')}, {of('turn')}, 'ai',"
           f" 'sms', 0, '{state}', {repr(reason) if reason else 'NULL'}, 1, now(),"
           " clock_timestamp()")
    insert("delivery_attempts", "delivery_id, number, worker, outcome",
           f"{of('delivery')}, 1, {of('worker')}, 'unknown'")
    insert("turn_rounds", "turn_id, number, after_position, claimed, said", f"{of('turn')}, 1, 1, 1, ''")
    insert("tool_calls", "id, turn_id, round, place, provider_id, name, arguments",
           f"{of('tool')}, {of('turn')}, 1, 1, 'c', 'take_message', '{{}}'")
    insert("escalations", "id, conversation_id, turn_id, reason, summary",
           f"{of('wish')}, {of('talk')}, {of('turn')}, 'message', 'call ' || mark")
    insert("escalation_notices", "id, escalation_id, delivery_id, name, sms, round, code, until_at",
           f"{of('notice')}, {of('wish')}, {of('delivery')}, 'desk', mark, 1, '7K3F', now()")
    insert("jobs", "id, kind, subject", f"{of('wish')}, 'escalation', {of('wish')}::text")
    return {kind: desk.value("SELECT md5(%s || '-0' || %s)::uuid::text", mark, kind)
            for kind in ("turn", "delivery", "text", "talk", "wish")} | {"mark": mark + "-0"}
