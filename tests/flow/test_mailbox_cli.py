"""deskctl mailbox: what add writes and refuses, what list and check say, and that pause stops the poller."""

import re
import time

from mailboxes import Box, Courier, mail, pollers
from operating import FAILED, NOT_FOUND, OK, TENANTS, USAGE, expect, good, run
from withholding import Withholder

DEADLINE_S = 90


def test_add_wraps_the_secret_and_tells(desk):
    box = Box(desk)
    done = box.add("--json", folder="INBOX", sent_folder="auto", limits={"per_minute": 30, "per_day": 10000},
                   trusted_servers="[mx.clinic.example]")
    assert done.json() == {"address": box.address, "tenant": box.tenant, "result": "added"}
    row = desk.sql("SELECT c.kind, c.account_sid, c.credentials, c.edge_keys::text, c.published_version,"
                   " c.directory_version, a.url, a.secret, a.from_name, a.per_minute, a.per_day FROM channels c"
                   " JOIN mail_accounts a ON a.channel_id = c.id WHERE c.address = %s", box.address)[0]
    assert (row[0], row[1], bytes(row[2]), *row[3:]) == (
        "mail", "", b"", "[]", 1, 1, box.fields["smtp"], "sealed", "Reception", 30, 10000)
    wrapped = desk.value("SELECT c.wrapped FROM mail_credentials c JOIN mailboxes m ON m.id = c.mailbox_id"
                         " WHERE m.address = %s AND c.way = 'in'", box.address)
    assert wrapped and box.password.encode() not in bytes(wrapped)
    assert box.column("secret_from || security || auth || sent_folder") == "sealedtlspassword"
    listed = box.listed()
    assert (listed["state"], listed["folder"], listed["last_uid"], listed["last_read"]) == ("new", "INBOX", 0, None)
    assert box.address in good(desk, "mailbox", "list").out
    assert box.audits() == ["mailbox.add"]
    box.remove()


def test_add_again_asks_for_replace_and_keeps_the_cursor(desk):
    box = Box(desk)
    box.add()
    identity = box.column("id")
    version = desk.value("SELECT version FROM mail_credentials WHERE mailbox_id = %s", identity)
    desk.sql("UPDATE mailboxes SET uid_validity = 7, last_uid = 40, failures = 3, last_error = 'x'"
             " WHERE id = %s", identity)
    done = box.deskctl(FAILED, "add", box.file(name="Desk"))
    assert "--replace" in done.said and "mailbox.exists" in done.said
    assert box.add("--replace", "--json", name="Desk").json()["result"] == "replaced"
    assert (box.column("id"), box.column("last_uid"), box.column("failures")) == (identity, 40, 0)
    assert desk.value("SELECT version FROM mail_credentials WHERE mailbox_id = %s", identity) == version + 1
    assert desk.value("SELECT count(*) FROM channels WHERE address = %s", box.address) == 1
    assert box.audits() == ["mailbox.add", "mailbox.replace"]
    # Another business cannot take the address over.
    done = box.deskctl(FAILED, "add", box.file(tenant=desk.tenants[1]["name"]), "--replace")
    assert "another tenant" in done.said
    box.remove()


def test_tenant_apply_and_the_directory_leave_mailboxes_alone(desk):
    box = Box(desk)
    box.add()
    done = good(desk, "tenant", "apply", *sorted(TENANTS.glob("*.yaml")), "--yes", "--json")
    assert done.json() == {"result": "unchanged", "changes": []}
    assert desk.value("SELECT removed_at FROM channels WHERE address = %s", box.address) is None
    good(desk, "directory", "publish")
    assert not [record for record in desk.kafka_records("directory") if record.key.startswith(b"mail:")]
    box.remove()


OAUTH = {"token_url": "https://login.example/token", "client_id": "c", "refresh_token": "file:password"}
BAD = {
    "no tenant": ({"tenant": "nobody"}, "there is no tenant"),
    "no address": ({"address": "desk"}, "is no mail address"),
    "a secret in the file": ({"password": "hunter2secret"}, "must not stand in this file"),
    "a secret in the URL": ({"smtp": "smtp://desk:secret@mail.example"}, "password in its URL"),
    "no secret": ({"password": None}, "--secret-stdin"),
    "a file that is not there": ({"password": "file:nowhere"}, "make the file or correct the path"),
    "both": ({"oauth": OAUTH}, "exclude each other"),
    "another scheme": ({"imap": "pop3://desk@mail.example"}, "imaps://USER@HOST"),
    "no user": ({"imap": "imaps://mail.example"}, "no user"),
    "in the clear": ({"imap": "imap://desk@mail.example?tls=none"}, "without TLS"),
    "SMTP as IMAP": ({"smtp": "imaps://desk@mail.example"}, "smtps://USER@HOST"),
    "a token without a grant": ({"smtp": "smtp://desk@mail.example?auth=xoauth2"}, "needs the block oauth"),
    "a token sent in the clear": ({"password": None, "oauth": {**OAUTH, "token_url": "http://login.example/t"}},
                                  "in the clear"),
    "no grant": ({"password": None, "oauth": {"token_url": "https://l.example/t", "client_id": "c"}},
                 "needs a refresh_token"),
    "a mistyped field": ({"adress": "desk@clinic.example"}, "address"),
    "plus_addresses": ({"plus_addresses": "perhaps"}, "plus_addresses"),
    "no limit": ({"limits": {"per_minute": 0}}, "per_minute"),
}


def test_add_refuses_with_what_to_do(desk):
    box = Box(desk)
    before = desk.value("SELECT count(*) FROM mailboxes"), desk.value("SELECT count(*) FROM channels")
    wrong = []
    for name, (changes, words) in BAD.items():
        done = run(desk, "mailbox", "add", box.file(**changes))
        if done.code != (NOT_FOUND if name == "no tenant" else FAILED) or words not in done.said or "hunter2secret" in done.said + done.out:
            wrong.append(f"{name}: {done.said}")
    assert not wrong, "\n".join(wrong)
    assert before == (desk.value("SELECT count(*) FROM mailboxes"), desk.value("SELECT count(*) FROM channels"))
    expect(USAGE, desk, "mailbox", "add")
    for verb in ("check", "pause", "resume"):
        done = expect(NOT_FOUND, desk, "mailbox", verb, "nobody@clinic.example")
        assert "deskctl mailbox list" in done.said
    box.remove()


def test_the_secret_comes_on_standard_input(desk):
    box = Box(desk)
    path = box.file(password=None)
    box.deskctl(USAGE, "add", path, "--secret-stdin", stdin="\n")
    box.deskctl(OK, "add", path, "--secret-stdin", stdin=box.password + "\n")
    assert box.check(OK, "--no-mail")["imap login"]["result"] == "ok"
    box.deskctl(FAILED, "add", box.file(), "--replace", "--secret-stdin", stdin="other\n")
    box.remove()


def test_check_sends_a_mail_to_itself_and_reads_it_back(desk):
    box = Box(desk, relay="plain")
    box.add()
    with Courier(box.faults, "ok", box.dovecot, box.user):
        steps = box.check(OK)
        assert {name: step["result"] for name, step in steps.items()} == dict.fromkeys(
            ("logins", "imap login", "folder", "smtp send", "arrival"), "ok")
        assert "IDLE" in steps["imap login"]["said"] and "SPECIAL-USE" in steps["imap login"]["said"]
        assert "INBOX has 0 mails" in steps["folder"]["said"]
        sent = box.faults.mails("ok")[0]
        assert sent["From"].addresses[0].addr_spec == box.address
        to = sent["To"].addresses[0].addr_spec  # as customers answer
        assert re.fullmatch(re.escape(box.user) + r"\+[a-z2-7]{40}@clinic\.example", to) and sent.about["to"] == [to]
        assert sent.about["login"] == ["PLAIN", box.user] and sent.about["tls"]
        assert box.dovecot.status(box.user)["UNSEEN"] == 1
    # A relay without an account; and the folder's cursor is told.
    desk.sql("UPDATE mailboxes SET uid_validity = %s, last_uid = 1 WHERE address = %s",
             box.dovecot.status(box.user)["UIDVALIDITY"], box.address)
    box.add("--replace", smtp=f"smtp://localhost:{box.faults.ports['relay']}?tls=none", plus_addresses="false")
    with Courier(box.faults, "relay", box.dovecot, box.user):
        steps = box.check(OK)
    assert box.faults.mails("relay")[0].about["to"] == [box.address]
    assert "read up to UID 1" in steps["folder"]["said"]
    assert steps["smtp send"]["said"].startswith("localhost:")
    box.remove()


def test_check_explains_each_failure_in_a_sentence(desk):
    box = Box(desk, wrongcert="starttls;wrongcert;%s", strip="starttls;strip;%s", stolen="starttls;mail=550 5.7.60 no;%s",
              closed="starttls;rcpt=550 5.1.1 unknown;%s", spam="starttls;dot=554 5.7.1 spam;%s", stranger="starttls;%s")
    imap = f"{box.user}@localhost"
    (box.folder / "wrong").write_text("wrong-password\n")
    cases = [
        ("imap login", "imap.authentication", "is the password right", {"password": "file:wrong", "smtp_password": "file:password"}),
        ("imap login", "stream.tls", "certificate", {"imap": f"imaps://{box.user}@127.0.0.1:{box.dovecot.tls_port}"}),
        ("imap login", "stream.resolve", "is the host", {"imap": f"imaps://{box.user}@nowhere.invalid"}),
        ("imap login", "stream.connect", "firewall", {"imap": f"imaps://{imap}:1"}),
        ("folder", "mailbox.folder", "is there one of that name", {"folder": "Nowhere"}),
        ("smtp send", "smtp.connect", "firewall", {"smtp": f"smtp://{box.user}@localhost:1"}),
        ("smtp send", "smtp.certificate", "certificate", {"smtp": box.smtp("wrongcert")}),
        ("smtp send", "smtp.no_starttls", "STARTTLS", {"smtp": box.smtp("strip")}),
        ("smtp send", "smtp.535", "is the password right", {"smtp_password": "file:wrong"}),
        ("smtp send", "smtp.550", "may the account send as that address", {"smtp": box.smtp("stolen")}),
        ("smtp send", "smtp.550", f"takes no mail for {box.address}", {"smtp": box.smtp("closed"), "plus_addresses": "false"}),
        ("smtp send", "smtp.550", f"takes no mail for {box.user}+...@clinic.example (550), where answers go: turn plus"
         " addresses on there, or write plus_addresses: false and --replace", {"smtp": box.smtp("closed")}),
        ("smtp send", "smtp.554", "spam or by policy", {"smtp": box.smtp("spam")}),
        ("arrival", "mailbox.not_arrived", f"mail for {box.user}+...@clinic.example comes here", {}),
        ("arrival", "mailbox.not_arrived", f"spam folder, and whether {box.address} is", {"plus_addresses": "false"}),
    ]
    box.add()
    wrong = []
    for step, code, words, changes in cases:
        box.add("--replace", **changes)
        steps = box.check(FAILED, wait=1)
        found = steps.get(step, {})
        if (found.get("result"), found.get("code")) != ("failed", code) or words not in found["said"]:
            wrong.append(f"{step} {code}: {steps}")
        others = [name for name, row in steps.items() if row["result"] == "failed" and name != step]
        if others:
            wrong.append(f"{step} {code}: also {others}: {steps}")
    assert not wrong, "\n".join(wrong)
    box.remove()


test_check_explains_each_failure_in_a_sentence.deadline_s = 180


def check_among(desk, others, untold):
    """The steps of a check in which so many mails come between its look into the folder and its own mail. `untold`: the
    server leaves out the responses with this."""
    box = Box(desk)
    box.dovecot.fill(box.user, 60)
    last = "UID SEARCH UID *" if untold else 'EXAMINE "INBOX"'

    def change(command, response):
        if others and command == last and b" OK " in response and not response.startswith(b"*"):
            box.dovecot.deliver(box.user, *[mail(f"other {number}", "text") for number in range(others.pop())])
        return b"" if untold and untold in response else response

    way = Withholder(box.dovecot, change=change)
    box.add(imap=f"imaps://{box.user}@localhost:{way.port}")
    with Courier(box.faults, "ok", box.dovecot, box.user):
        steps = box.check(OK)
    assert not others, way.asked
    box.remove()
    way.stop()
    return steps


def test_check_finds_its_mail_among_many(desk):
    """A busy mailbox: it looks into the newest ones alone."""
    steps = check_among(desk, [60], None)
    assert "has 60 mails, the next one's UID is 61" in steps["folder"]["said"]


def test_check_where_no_next_uid_is_told(desk):
    """It looks for its mail behind the highest one, as the mailpoller begins there."""
    steps = check_among(desk, [3], b"[UIDNEXT")
    assert "has 60 mails, the highest UID is 60; it was not read yet" in steps["folder"]["said"]


def test_check_goes_no_further_than_the_mailpoller(desk):
    """What is at no public address and in none of mail_networks is never read, so it may not be called good."""
    box = Box(desk)
    box.add()
    steps = box.check(FAILED, "--no-mail", networks="")
    assert (steps["imap login"]["result"], steps["imap login"]["code"]) == ("failed", "stream.address")
    assert "mail_networks" in steps["imap login"]["said"]
    steps = box.check(FAILED, "--no-mail", networks="everywhere")
    assert steps["logins"]["code"] == "config.invalid" and "mail_networks" in steps["logins"]["said"]
    box.remove()


def test_a_paused_mailbox_is_not_read_until_resumed(desk):
    box = Box(desk)
    pollers(desk)
    box.add()
    desk.wait(lambda: box.listed()["state"] == "reading", 20, lambda: f"reading: {box.listed()}")
    box.dovecot.deliver(box.user, mail("first", "one"))
    assert box.wait_events(1)[0].value["subject"] == "first"

    done = box.deskctl(OK, "pause", box.address, "--why", "moves to another provider", "--json")
    assert done.json()["result"] == "changed"
    listed = box.listed()
    assert listed["state"] == "paused" and "moves to another provider" in listed["said"]
    desk.wait(lambda: box.column("worker") is None, 20, lambda: f"let go: {box.listed()}")
    box.dovecot.deliver(box.user, mail("second", "two"))
    assert box.deskctl(OK, "pause", box.address, "--json").json()["result"] == "unchanged"
    desk.settled(2, lambda: box.column("last_uid"))
    assert len(box.events()) == 1

    assert box.deskctl(OK, "resume", box.address, "--json").json()["result"] == "changed"
    assert box.wait_events(2)[-1].value["subject"] == "second"
    assert box.audits() == ["mailbox.add", "mailbox.pause", "mailbox.resume"]
    box.remove()


def test_a_mailbox_at_another_place_is_read_there(desk):
    """A folder whose UIDVALIDITY is by chance the one that was read: its mails are others, whatever their UIDs, and what is
    known by its content is so there, too. What is replaced otherwise is read on."""
    box = Box(desk)
    pollers(desk)
    box.add()
    desk.wait(lambda: box.listed()["state"] == "reading", 20, lambda: f"reading: {box.listed()}")
    known = mail("one", "in both")
    box.dovecot.deliver(box.user, known, mail("two", "text"))
    box.wait_events(2)
    desk.wait(lambda: box.column("last_uid") == 2, 20, lambda: f"both to be read: {box.listed()}")
    here, before = box.column("id"), box.events()
    box.add("--replace", name="Desk")
    assert (box.column("id"), box.column("last_uid")) == (here, 2)

    client = box.dovecot.connect(box.user)
    client.create("Support")
    client.logout()
    validity = box.column("uid_validity")
    assert box.dovecot.renumber(box.user, "Support", validity) == box.dovecot.status(box.user, "Support")["UIDVALIDITY"]
    box.dovecot.deliver(box.user, mail("ancient", "text"), folder="Support", when=time.time() - 10 * 86400)
    box.dovecot.deliver(box.user, mail("three", "text"), known, folder="Support")
    box.deskctl(OK, "pause", box.address, "--why", "is moved")
    done = box.add("--replace", "--json", folder="Support")
    assert done.json()["result"] == "replaced" and "at another place" in done.said
    assert box.column("id") != here and box.listed()["state"] == "paused"
    assert desk.sql("SELECT DISTINCT mailbox_id = %s FROM mail_credentials WHERE mailbox_id IN (%s, %s)",
                    here, here, box.column("id")) == [(False,)]
    assert "was read elsewhere until" in box.check(OK, "--no-mail")["folder"]["said"]
    box.deskctl(OK, "resume", box.address)
    after = box.wait_events(2)
    assert [(event.value["uid"], event.value["subject"]) for event in after] == [(2, "three"), (3, "one")]
    assert {event.value["uid_validity"] for event in before + after} == {validity}
    assert not {event.id for event in before} & {event.id for event in after}
    assert after[1].value["content_hash"] == before[0].value["content_hash"]
    box.dovecot.deliver(box.user, mail("four", "text"), folder="Support")
    assert box.wait_events(3)[-1].value["subject"] == "four"
    desk.wait(lambda: desk.value("SELECT worker FROM mailboxes WHERE id = %s", here) is None, 20, "the old place to be left")
    box.remove()


def test_the_poller_tells_what_is_wrong_in_the_list(desk):
    box = Box(desk)
    pollers(desk)
    (box.folder / "wrong").write_text("wrong-password\n")
    box.add(password="file:wrong")
    desk.wait(lambda: box.listed()["state"] == "failing", 20, lambda: f"failing: {box.listed()}")
    listed = box.listed()
    found = {row["check"]: row for row in run(desk, "doctor", "--json").json()}
    row = found[f"mailbox {box.address}"]
    assert row["result"] == "warn" and "deskctl mailbox check" in row["do"]
    assert not [name for name in found if name.startswith("channel mail")]
    assert listed["error_code"] == "imap.authentication" and "does not take user and secret" in listed["said"]
    box.add("--replace")
    desk.wait(lambda: box.listed()["state"] == "reading", 20, lambda: f"reading: {box.listed()}")
    assert box.listed()["said"] is None
    box.remove()
