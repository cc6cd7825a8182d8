"""deskctl against real servers: its command line, and what it does with conversations."""

import base64
import json
import re
import subprocess

from harness import CHECKOUT
from operating import (FAILED, NOT_FOUND, OK, TENANTS, USAGE, add_history, conversation_of,
                       expect, good, good_environment, run, services)
from procs import give_file
from service import clean_environment

SHARE = True
KNOWLEDGE = CHECKOUT / "deploy" / "knowledge"
DEADLINE_S = 90


# The command line


def test_usage(desk):
    desk.prepare()
    assert "tenant apply" in run(desk).out
    assert run(desk).code == USAGE
    for words, hint in [
        (["tenent", "list"], 'did you mean "tenant list"'),
        (["tenant", "lst"], 'did you mean "tenant list"'),
        (["db", "migrat"], 'did you mean "db migrate"'),
        (["reconsile"], 'did you mean "reconcile"'),
        (["tenant"], "needs one more word"),
        (["xyzzy"], "deskctl help"),
        (["topics", "diff", "--flie", "x"], "did you mean --file"),
        (["topics", "diff", "--topic_prefx=x"], "did you mean --topic_prefix"),
        (["topics", "diff", "--topic_prefix"], "needs a value"),
        (["topics", "diff", "--file"], "needs a value"),
        (["tenant", "show"], "usage: deskctl tenant show NAME"),
        (["tenant", "show", "a", "b"], "usage: deskctl tenant show NAME"),
        (["tenant", "list", "--json=1"], "unknown option --json"),
        (["conversation", "list", "--limit", "0"], "from 1 to 1000"),
        (["conversation", "show", "7"], "no conversation id"),
        (["reconcile", "--since", "2 weeks"], "like 90m"),
        (["quarantine", "release"], "name ids"),
        (["appointment", "list"], "--tenant NAME"),
        (["appointment", "list", "--tenant", "a", "--days", "0"], "from 1 to 366"),
        (["erase", "--tenant", "a"], "needs --tenant NAME and --address"),
        (["kb", "import", "a"], "usage: deskctl kb import TENANT FILE..."),
    ]:
        done = expect(USAGE, desk, *words)
        assert hint in done.said, (words, done)


def test_help_is_there_for_every_command(desk):
    desk.prepare()
    overview = good(desk, "help").out
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)   +\S", overview, re.M)
    assert {"db migrate", "tenant apply", "doctor", "quarantine release"} <= set(commands)
    for command in commands:
        if command.startswith("help "):
            continue
        assert f"usage: deskctl {command}" in good(desk, "help", *command.split()).out
    assert "3  differences" in good(desk, "help", "exit-codes").out
    assert "database_url" in good(desk, "help", "configuration").out
    expect(USAGE, desk, "help", "nonsense")


def test_unreachable_servers_are_named(desk):
    desk.prepare()
    nowhere = "postgresql://postgres@127.0.0.1:1/x"
    done = expect(FAILED, desk, "tenant", "list", environment={"FRONTDESK_DATABASE_URL": nowhere})
    assert "cannot connect" in done.said
    done = expect(FAILED, desk, "db", "status", environment={"FRONTDESK_DATABASE_DIRECT_URL": ""})
    assert "database_direct_url" in done.said


def test_endpoints_of_a_running_desk_are_found(desk):
    desk.prepare()
    folder = desk.folder / "beside"
    (folder / ".run").mkdir(parents=True)
    file = folder / ".run" / "endpoints.json"
    file.write_text(json.dumps({"deskctl": desk.installation.deskctl_environment()}))

    def beside(*words, **environment):
        return subprocess.run([desk.installation.bin / "deskctl", *words], cwd=folder, text=True,
                              env=clean_environment(environment), capture_output=True, timeout=60)

    done = beside("tenant", "list", "--json")
    assert done.returncode == OK, done.stderr
    assert {row["name"] for row in json.loads(done.stdout)} >= {"brightwater-dental"}
    same = desk.installation.deskctl_environment()["FRONTDESK_TOPIC_PREFIX"]
    assert beside("tenant", "list", FRONTDESK_TOPIC_PREFIX=same).returncode == OK
    # Two installations never mix: who names a part of another one names all of it.
    done = beside("tenant", "list", FRONTDESK_TOPIC_PREFIX="other.")
    assert done.returncode == FAILED and "no database is configured" in done.stderr
    file.chmod(0o666)
    done = beside("tenant", "list")
    assert done.returncode == FAILED and "anybody may write it" in done.stderr
    file.chmod(0o600)
    file.write_text('{"deskctl": ')
    done = beside("tenant", "list")
    assert done.returncode == FAILED and "endpoints.json" in done.stderr


def mailbox_file(desk, tenant):
    """Of a mailbox whose server nobody can reach."""
    password = give_file(desk.folder / "mailbox.password", "nosecret\n")
    return give_file(desk.folder / "mailbox.yaml", (
        f"tenant: {tenant}\naddress: desk@clinic.example\nname: Reception\n"
        "imap: imaps://desk@localhost:1\nsmtp: smtp://desk@localhost:1\n"
        f"password: file:{password.name}\n"))


def script_file(desk, tenant):
    return give_file(desk.folder / "call.yaml", (
        f"tenant: {tenant}\nfrom: \"{desk.new_address()}\"\nscript:\n  - wait_for: reply\n  - hangup: true\n"))


def test_json_of_every_command_is_one_document(desk):
    desk.prepare()
    fine = good_environment(desk)
    prefix = f"--topic_prefix={fine['FRONTDESK_TOPIC_PREFIX']}"
    row = add_history(desk, 1, desk.new_address(), "parked", "unknown")
    desk.sql("UPDATE conversations SET closed_at = NULL WHERE id = %s", row["talk"])
    desk.sql("UPDATE escalations SET rota = 'parked' WHERE id = %s", row["wish"])
    name = desk.tenants[0]["name"]
    pair = [desk.new_address(), desk.new_address()]
    for address in pair:
        add_history(desk, 1, address)
    of = ["--tenant", name, "--yes"]
    version = desk.value("SELECT a.current_version::text FROM assistants a JOIN tenants t"
                         " ON t.id = a.tenant_id WHERE t.name = %s", name)
    desk.sql("INSERT INTO recordings (tenant_id, id, channel_id, recording_sid, account_sid, duration_s, state, size_bytes)"
             " SELECT e.tenant_id, e.id, c.id, 'RE' || e.id, c.account_sid, 3, 'kept', 5 FROM escalations e JOIN channels c"
             " ON c.tenant_id = e.tenant_id AND c.kind = 'sms' WHERE e.id = %s::uuid", row["wish"])
    desk.sql("INSERT INTO attachments (tenant_id, channel, event_id, number, kind, name, content_type, size_bytes, content)"
             " SELECT tenant_id, 'voice', recording_sid, 1, 'recording', 'a.mp3', 'audio/mpeg', 5, 'sound'::bytea"
             " FROM recordings WHERE id = %s::uuid", row["wish"])
    seen = {}
    for code, words in [
            (OK, ["keys", "generate", "--dir", desk.folder / "json-keys"]),
            (OK, ["keys", "mail", "--dir", desk.folder / "json-keys", "--rotate"]),
            (OK, ["mailbox", "add", mailbox_file(desk, name)]), (OK, ["mailbox", "list"]),
            (FAILED, ["mailbox", "check", "desk@clinic.example"]),
            (OK, ["mailbox", "pause", "desk@clinic.example"]),
            (OK, ["mailbox", "resume", "desk@clinic.example"]),
            (OK, ["db", "migrate"]), (OK, ["db", "status"]), (OK, ["topics", "apply", prefix]),
            (OK, ["topics", "diff", prefix]), (OK, ["tenant", "apply", TENANTS / "dental.yaml", "--yes"]),
            (OK, ["tenant", "list"]), (OK, ["tenant", "show", name]), (OK, ["directory", "publish"]),
            (OK, ["conversation", "list"]), (OK, ["conversation", "show", row["talk"]]),
            (OK, ["prompt", "show", row["talk"]]),
            (OK, ["takeover", row["talk"]]), (OK, ["reply", row["talk"], "hello", prefix]),
            (OK, ["handback", row["talk"]]), (OK, ["dead", "list"]), (OK, ["recover"]),
            (OK, ["appointment", "list", "--tenant", name]), (OK, ["escalation", "list"]), (OK, ["escalation", "show", row["wish"]]),
            (OK, ["escalation", "recording", row["wish"]]),
            (OK, ["escalation", "call", row["wish"]]), (OK, ["escalation", "retry", row["wish"]]), (OK, ["escalation", "accept", row["wish"]]),
            (OK, ["escalation", "close", row["wish"]]), (OK, ["tenant", "history", name]),
            (OK, ["tenant", "rollback", name, version, "--yes"]),
            (OK, ["contact", "suggestions"]), (OK, ["contact", "merge", *pair, *of]),
            (OK, ["contact", "split", pair[1], *of]),
            (OK, ["contact", "zone", pair[0], "Asia/Tokyo", "--tenant", name]),
            (OK, ["usage"]), (OK, ["vendor", "list"]), (OK, ["vendor", "show", "openai"]),
            (OK, ["kb", "import", name, KNOWLEDGE / "dental.md"]), (OK, ["kb", "list", name]),
            (OK, ["kb", "show", name, "dental.md"]), (OK, ["kb", "search", name, "whitening"]),
            (OK, ["kb", "remove", name, "dental.md", "--yes"]),
            (OK, ["dead", "show", row["delivery"]]), (OK, ["quarantine", "list"]),
            (NOT_FOUND, ["quarantine", "release", "0:999999"]), (OK, ["reconcile"]),
            (OK, ["hold", "for a test"]), (OK, ["release", "--yes", "--without-reconcile"]),
            (OK, ["erase", "--tenant", name, "--address", desk.new_address(), "--yes"]),
            (FAILED, ["call", "--script", script_file(desk, name)]),  # no ingress takes it
            (OK, ["doctor", prefix, f"--public_url={fine['FRONTDESK_PUBLIC_URL']}"])]:
        seen[" ".join(map(str, words))] = expect(code, desk, *words, "--json").json()
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)   +\S", good(desk, "help").out, re.M)
    missing = [command for command in commands if not command.startswith("help ")
               and not any(f"{words} ".startswith(f"{command} ") for words in seen)]
    assert not missing, missing
    assert base64.b64decode(seen[f"escalation recording {row['wish']}"]["content_base64"]) == b"sound"
    told = next(rows for words, rows in seen.items() if words.startswith("call "))
    assert told and {row["who"] for row in told} >= {"error"}, told
    assert seen["db migrate"]["applied"] == 0 and seen["db migrate"]["schema"] >= 3
    assert seen["directory publish"]["channels"] >= len(desk.tenants)
    assert seen["quarantine release 0:999999"] == {
        "released": 0, "refused": 0, "missing": 1, "left": 0}
    assert seen["hold for a test"]["state"] == "held"
    assert seen["hold for a test"]["reason"] == "for a test"
    assert seen["release --yes --without-reconcile"]["state"] == "released"
    assert seen[f"takeover {row['talk']}"]["state"] == "yours"
    assert seen[" ".join(["contact merge", *pair, *of])]["state"] == "merged"
    assert seen[" ".join(["contact split", pair[1], *of])]["state"] == "split"
    assert seen[f"handback {row['talk']}"]["sessions_due"] == 0
    assert seen[f"escalation close {row['wish']}"]["state"] == "closed"
    assert seen[f"tenant rollback {name} {version} --yes"]["result"] == "unchanged"


# What was said


def test_transcript(desk):
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    assert desk.webhook(customer, f"hello {nonce}\x1b[31m\u202e red").status == 200
    desk.wait_replies(customer, 1)
    desk.wait(lambda: "delivered" in good(desk, "conversation", "show",
                                          conversation_of(desk, customer)["id"]).out,
              30, "the receipt")
    row = conversation_of(desk, customer)
    assert row["tenant"] == desk.tenants[0]["name"] and row["messages"] == 2
    assert row["open_events"] == 0 and row["state"] == "open"
    whole = good(desk, "conversation", "show", row["id"], "--json").json()
    asked, replied = whole["messages"]
    assert asked["direction"] == "in" and nonce in asked["body"]
    assert asked["inbox"]["state"] == "answered"
    assert nonce in replied["body"] and replied["turn"]["outcome"] == "reply"
    call = replied["turn"]["calls"][0]
    assert call["model"] and call["tokens_in"] > 0 and call["total_ms"] >= 0
    delivery = replied["deliveries"][0]
    assert delivery["state"] == "delivered" and delivery["segments"] >= 1
    assert delivery["provider_sid"] and delivery["attempts"][-1]["outcome"] == "accepted"
    text = good(desk, "conversation", "show", row["id"]).out
    assert nonce in text and "tokens" in text and delivery["provider_sid"] in text
    assert f"-> ai (sms {desk.tenants[0]['numbers']['sms']}): " in text, text
    # A customer's text cannot steer the operator's terminal.
    assert "\x1b" not in text and "\u202e" not in text and "\\x1b[31m" in text
    only = good(desk, "conversation", "list", "--tenant", "hillcrest-garage", "--json").json()
    assert customer not in [one["address"] for one in only]
    expect(NOT_FOUND, desk, "conversation", "list", "--tenant", "nobody")
    expect(NOT_FOUND, desk, "conversation", "show", "00000000-0000-7000-8000-000000000001")


def test_takeover_and_handback(desk):
    services(desk)
    customer = desk.new_address()
    assert desk.webhook(customer, "first").status == 200
    desk.wait_replies(customer, 1)
    conversation = conversation_of(desk, customer)["id"]
    assert "yours" in good(desk, "takeover", conversation).said
    assert conversation_of(desk, customer)["state"] == "held"
    assert desk.webhook(customer, "second").status == 200
    desk.wait(lambda: conversation_of(desk, customer)["open_events"] == 1, 20, "the claim")
    desk.settled(2, lambda: len(desk.sent_to(customer)))
    assert len(desk.sent_to(customer)) == 1
    good(desk, "handback", conversation)
    desk.wait_replies(customer, 2)
    shown = good(desk, "conversation", "show", conversation, "--json").json()
    assert [deed["action"] for deed in shown["people"]] == [
        "conversation.taken", "conversation.handed_back"], shown["people"]
    assert f"handed_back by {shown['people'][1]['actor']}" in good(
        desk, "conversation", "show", conversation).out
    expect(NOT_FOUND, desk, "takeover", "00000000-0000-7000-8000-000000000001")


def test_hold_and_release(desk):
    services(desk)
    good(desk, "hold", "testing the hold")
    try:
        customer = desk.new_address()
        assert desk.webhook(customer, "held").status == 200
        desk.wait(lambda: desk.value(
            "SELECT count(*) FROM deliveries d JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
            " AND s.id = d.session_id WHERE s.remote_address = %s", customer), 30, "a delivery")
        desk.settled(2, lambda: len(desk.sent_to(customer)))
        assert desk.sent_to(customer) == []
        assert expect(USAGE, desk, "release")
    finally:
        good(desk, "release", "--yes", "--without-reconcile")
    desk.wait_replies(customer, 1)


def test_erase(desk):
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    assert desk.webhook(customer, nonce).status == 200
    desk.wait_replies(customer, 1)
    name = desk.tenants[0]["name"]
    assert expect(USAGE, desk, "erase", "--tenant", name, "--address", customer)
    done = good(desk, "erase", "--tenant", name, "--address", customer, "--yes")
    assert "erased 2 messages" in done.said
    assert desk.value("SELECT count(*) FROM messages WHERE body LIKE %s", f"%{nonce}%") == 0
    rows = good(desk, "conversation", "list", "--limit", "1000", "--json").json()
    assert customer not in [row["address"] for row in rows]
    expect(NOT_FOUND, desk, "erase", "--tenant", "nobody", "--address", customer, "--yes")


def test_escalations(desk):
    """Who accepts one has it; nobody else does, and what is closed stays closed."""
    desk.prepare()
    wish = add_history(desk, 1, desk.new_address())["wish"]
    name = desk.tenants[0]["name"]

    def listed(*words):
        rows = good(desk, "escalation", "list", *words, "--json").json()
        return next((row for row in rows if row["id"] == wish), None)

    assert listed("--tenant", name)["state"] == "open" and not listed("--tenant", "hillcrest-garage")
    good(desk, "escalation", "accept", wish, "--as", "front desk")
    good(desk, "escalation", "accept", wish, "--as", "front desk")
    done = expect(FAILED, desk, "escalation", "accept", wish, "--as", "workshop")
    assert "front desk has accepted it" in done.said
    assert listed()["accepted_by"] == "front desk" and listed()["summary"].startswith("call ")
    good(desk, "escalation", "close", wish, "--as", "front desk")
    assert not listed() and listed("--all")["state"] == "closed"
    assert "has closed it" in expect(FAILED, desk, "escalation", "accept", wish).said
    expect(NOT_FOUND, desk, "escalation", "close", "00000000-0000-7000-8000-000000000001")
    expect(USAGE, desk, "escalation", "close", "nonsense")
    assert desk.value("SELECT count(*) FROM audit_log WHERE subject = %s", wish) == 3
