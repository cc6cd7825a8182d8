"""Mail out through mailboxes that `deskctl mailbox add` made: the responder opens their wrapped logins, buys and
renews tokens, and puts copies into folders of sent mails."""

from mail_sending import Mailbox, mail_responders
from mailboxes import Box, TokenBox, pollers
from operating import OK, run
from withholding import Withholder

NETWORKS = "127.0.0.0/8,::1/128"


def start(desk, box, **config):
    mail_responders(desk, mail_ca_file=str(box.ca_file), mail_networks=NETWORKS, **config)
    return Mailbox(desk, box=box)


def token_box(desk, **options):
    """Its SMTP stand-in takes one token only: the endpoint is made to give that out."""
    box = TokenBox(desk, **options)
    box.fields.update(smtp_password=None, smtp=box.smtp("token"))
    box.add()
    return box


def gives(*tokens, **more):
    """The endpoint's next answers."""
    return [{"status": 200, "body": {"access_token": token, "expires_in": 60, **more}} for token in tokens]


def metric(desk, name):
    return desk.service("responder-1").metrics().get(name, 0)


# ---- passwords


def test_a_wrapped_password_by_both_libraries(desk):
    """libesmtp with STARTTLS, libcurl with TLS from the first byte; and SMTP's own password where it has one."""
    box = Box(desk, tls="tls;%s", other="starttls;user:other:s3cret")
    thread = None
    for scheme, name, fields in (("smtp", "ok", {}), ("smtps", "tls", {}), ("smtp", "other", {
            "smtp": f"smtp://other@localhost:{box.faults.ports['other']}", "smtp_password": "file:other"})):
        (box.folder / "other").write_text("s3cret\n")
        box.add(*(["--replace"] if thread else []), **{"smtp": box.smtp(name, scheme), **fields})
        thread = thread or start(desk, box)
        thread.wait_state(thread.mail(), "sent")
        sent, = box.faults.mails(name)
        assert sent.about["login"] == ["PLAIN", "other" if fields else box.user], sent.about
    log = desk.log_of("responder-1").read_text()
    assert box.password not in log and "s3cret" not in log and thread.address not in log
    box.remove()


def test_answers_go_to_the_mailbox_where_plus_addresses_are_refused(desk):
    """Its server takes mail for its own address alone: an answer threads by what else the mail says."""
    box = Box(desk)
    box.add()
    thread = start(desk, box)
    thread.wait_state(thread.mail(), "sent")
    box.add("--replace", plus_addresses="false")
    delivery = thread.mail()
    thread.wait_state(delivery, "sent")
    with_token, without = box.faults.mails("ok")
    assert with_token["Reply-To"].startswith(f"{box.user}+"), with_token["Reply-To"]
    assert without["Reply-To"] is None and without["From"] == f"Reception <{box.address}>"
    assert without["Message-ID"] == f"<{thread.message_id(delivery)}>"
    assert without["References"].split()[-1] == without["In-Reply-To"] == "<m2@mail.example>"
    box.remove()


def test_a_home_that_may_not_be_looked_into(desk):
    """libesmtp looks for certificates there, and takes any error but "no such file" for the end of the session."""
    box = Box(desk)
    box.add()
    thread = start(desk, box)
    service = desk.service("responder-1")
    nowhere = {"HOME": "/dev/null/home"}
    service.environment.update(nowhere)
    desk.restart("responder-1")
    thread.wait_state(thread.mail(), "sent")
    steps = run(desk, "mailbox", "check", box.address, "--json", "--wait", 1, f"--mail_ca_file={box.ca_file}",
                f"--mail_networks={NETWORKS}", environment=nowhere).json()
    assert next(step["result"] for step in steps if step["step"] == "smtp send") == "ok", steps
    service.environment.pop("HOME")
    desk.restart("responder-1")
    box.remove()


def test_a_login_that_does_not_open_lets_the_mail_wait(desk):
    box = Box(desk)
    box.add()
    thread = start(desk, box)
    unreadable, alerts = (metric(desk, name) for name in (
        "frontdesk_credentials_unreadable_total", "frontdesk_provider_alerts_total"))
    desk.sql("UPDATE mail_credentials SET wrapped = '\\x00', version = version + 1 WHERE mailbox_id = %s::uuid",
             str(box.column("id")))
    delivery = thread.mail()
    row = thread.wait_state(delivery, "deferred")
    assert row["error_code"] == "smtp.credentials" and row["first_attempt_at"] is None, row
    assert metric(desk, "frontdesk_credentials_unreadable_total") == unreadable + 1
    assert metric(desk, "frontdesk_provider_alerts_total") == alerts + 1
    assert "mailbox.login_unreadable" in [line["event"] for line in desk.log("responder-1")]
    desk.sql("DELETE FROM mail_credentials WHERE mailbox_id = %s::uuid", str(box.column("id")))
    thread.come_again(delivery)
    desk.wait(lambda: metric(desk, "frontdesk_provider_alerts_total") == alerts + 2, 20, "the second try")
    assert thread.wait_state(delivery, "deferred")["error_code"] == "smtp.credentials"
    box.add("--replace")
    thread.come_again(delivery)
    thread.wait_state(delivery, "sent")
    assert len(box.faults.mails("ok")) == 1
    box.remove()


# ---- tokens


def test_a_token_is_bought_once_and_kept(desk):
    box = token_box(desk)
    thread = start(desk, box)
    box.tokens.faults(*gives(box.sends_with))
    for _ in range(2):
        thread.wait_state(thread.mail(), "sent")
    assert box.bought() == [200]
    assert [sent.about["login"] for sent in box.faults.mails("token")] == [["XOAUTH2", box.user]] * 2
    assert box.sends_with not in desk.log_of("responder-1").read_text()
    box.remove()


def test_a_token_that_is_refused_is_bought_anew_within_the_attempt(desk):
    box = token_box(desk)
    thread = start(desk, box)
    box.tokens.faults(*gives("stale-1", box.sends_with))
    delivery = thread.mail()
    thread.wait_state(delivery, "sent")
    assert box.bought() == [200, 200]
    assert [attempt["outcome"] for attempt in thread.tries(delivery)] == ["accepted"]
    box.remove()


def test_an_account_that_is_refused_waits_for_a_person(desk):
    box = token_box(desk)
    thread = start(desk, box)
    delivery = thread.mail()  # what the endpoint gives out is for Dovecot alone
    row = thread.wait_state(delivery, "deferred")
    assert row["error_code"].startswith(("535", "smtp.denied")), row
    assert box.bought() == [200, 200]
    box.tokens.revoke(box.user)
    thread.come_again(delivery)
    desk.wait(lambda: len(box.bought()) == 3, 20, "the third request")
    desk.wait(lambda: thread.row(delivery)["error_code"] == "smtp.credentials", 20,
              lambda: f"smtp.credentials: {thread.row(delivery)}")
    assert thread.row(delivery)["state"] == "deferred"
    box.remove()


def test_an_endpoint_that_is_away_is_asked_again(desk):
    box = token_box(desk)
    thread = start(desk, box)
    box.tokens.faults({"status": 503}, *gives(box.sends_with))
    delivery = thread.mail()
    assert thread.wait_state(delivery, "deferred")["error_code"] == "smtp.token"
    thread.come_again(delivery)
    thread.wait_state(delivery, "sent")
    box.remove()


def rotate(box, thread):
    """The endpoint gives the responder a new refresh token, and takes the first no more."""
    version = "(SELECT version FROM mail_credentials c WHERE c.mailbox_id = mailboxes.id AND c.way = 'in')"
    first = box.column(version)
    box.tokens.revoke(box.user)
    box.tokens.faults(*gives(box.sends_with, refresh_token=box.tokens.grant(box.user)))
    thread.wait_state(thread.mail(), "sent")
    thread.desk.wait(lambda: box.column(version) == first + 1, 20, "the second version")


def test_a_new_refresh_token_is_kept(desk):
    box = token_box(desk)
    thread = start(desk, box)
    rotate(box, thread)
    desk.restart("responder-1")  # memory is gone
    delivery = thread.mail()
    assert thread.wait_state(delivery, "deferred")["error_code"] != "smtp.credentials"
    assert set(box.bought()) == {200}
    box.remove()


def test_two_new_refresh_tokens_within_an_attempt_are_kept(desk):
    """The server refuses the first token, the second one comes with a further refresh token, and then it refuses that."""
    box = token_box(desk, rotate=True)
    version = "(SELECT version FROM mail_credentials c WHERE c.mailbox_id = mailboxes.id AND c.way = 'in')"
    first = box.column(version)
    thread = start(desk, box)
    delivery = thread.mail()  # what the endpoint gives out is for Dovecot alone
    for bought in (2, 4):
        row = thread.wait_state(delivery, "deferred")
        assert row["error_code"].startswith(("535", "smtp.denied")), row
        assert box.bought() == [200] * bought
        desk.wait(lambda: box.column(version) == first + bought, 20, lambda: f"{bought} more than {first}: {box.column(version)}")
        thread.come_again(delivery)
        desk.wait(lambda: len(box.bought()) == bought + 2, 20, "the next two purchases")
    box.remove()


RENEW = ("CREATE FUNCTION test_renew() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
         " UPDATE mail_credentials SET version = version + 1 WHERE mailbox_id = NEW.id AND way = 'in';"
         " RETURN NULL; END $$",
         "CREATE TRIGGER test_renew AFTER UPDATE OF fence ON mailboxes FOR EACH ROW"
         " WHEN (NEW.fence <> OLD.fence) EXECUTE FUNCTION test_renew()")


def test_a_grant_that_another_process_has_renewed_pauses_no_mailbox(desk):
    """The mailpoller was given the old one a moment before, and it is void by that: it takes the new one."""
    box = token_box(desk)
    box.tokens.revoke(box.user)
    for statement in RENEW:  # each time it has read it
        desk.sql(statement)
    pollers(desk, mail_ca_file=box.ca_file)
    desk.wait(lambda: box.bought().count(400) >= 3, 20, "three refusals")
    assert box.listed()["state"] != "paused"
    desk.sql("DROP TRIGGER test_renew ON mailboxes")
    desk.wait(lambda: box.listed()["state"] == "paused", 20, lambda: f"paused: {box.listed()}")
    box.remove()


# ---- copies


def copies(box, folder="Gesendet"):
    client = box.dovecot.connect(box.user)
    try:
        client.select(folder, readonly=True)
        _, found = client.uid("SEARCH", "SEEN")
        return [client.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1] for uid in found[0].split()]
    finally:
        client.logout()


def test_a_copy_is_kept_once(desk):
    """The bytes that were sent, seen, once though the second copy of the mail was the one that was heard of."""
    box = Box(desk, deaf="starttls;%s;dot*1=drop")
    box.add(sent_folder="auto", smtp=box.smtp("deaf"))
    thread = start(desk, box)
    thread.wait_state(thread.mail(), "sent", deadline_s=40)
    kept, = desk.wait(lambda: copies(box), 20, "the copy")
    first, second = box.faults.mails("deaf")
    assert kept.replace(b"\r\n", b"\n") == second.raw.replace(b"\r\n", b"\n") and first.raw == second.raw
    desk.settled(2, lambda: len(copies(box)))
    assert len(copies(box)) == 1
    assert metric(desk, 'frontdesk_sent_copies_total{outcome="kept"}') == 1
    box.add("--replace", smtp=box.smtp("ok"))  # it wants none any more
    thread.wait_state(thread.mail(), "sent")
    desk.settled(2, lambda: len(copies(box)))
    assert len(copies(box)) == 1
    box.remove()


def copied(desk, delivery):
    return desk.value("SELECT copied_at IS NOT NULL FROM delivery_mails WHERE delivery_id = %s", delivery)


def told(desk, delivery):
    """What the responder told of its copy."""
    return [line["event"].partition(".")[2] for line in desk.log("responder-1")
            if line["event"].startswith("sent_copy.") and line["delivery"] == delivery]


def behind(box, *endings):
    """A way to the mailbox's server, on which the session ends, once each, when one of these commands is asked; where it is."""
    left = list(endings)

    def instead(command):
        if left and command.startswith(left[0]):
            del left[0]
            return "* BYE [UNAVAILABLE] Too many connections"
        return None

    way = Withholder(box.dovecot, instead=instead)
    return way, f"imaps://{box.user}@localhost:{way.port}"


def appends(way):
    return sum(command.startswith("APPEND") for command in way.asked)


def test_a_copy_that_fails_for_now_is_tried_again(desk):
    """At the login, at the search for its folder; then no server at all, until the mailbox is mended."""
    box = Box(desk)
    way, imap = behind(box, "AUTHENTICATE", "LIST")
    box.add(sent_folder="auto", imap=imap)
    thread = start(desk, box)
    kept, failed = ('frontdesk_sent_copies_total{outcome="%s"}' % outcome for outcome in ("kept", "failed"))
    before = metric(desk, failed)
    delivery = thread.mail()
    thread.wait_state(delivery, "sent")
    desk.wait(lambda: copies(box), 30, lambda: f"the copy: {way.asked}")
    assert len(way.meddled) == 2 and appends(way) == 1, way.asked
    assert copied(desk, delivery)
    box.deskctl(OK, "add", box.file(sent_folder="auto", imap=f"imaps://{box.user}@localhost:1"), "--replace")
    delivery = thread.mail()
    thread.wait_state(delivery, "sent")
    desk.wait(lambda: not copied(desk, delivery), 20, "the note to be taken back")
    box.add("--replace", sent_folder="auto")
    desk.wait(lambda: len(copies(box)) == 2, 30, "the second copy")
    desk.wait(lambda: metric(desk, kept) >= 2, 20, "the second copy's end")
    desk.settled(2, lambda: len(copies(box)))
    assert (len(copies(box)), metric(desk, failed)) == (2, before)
    box.remove()
    way.stop()


def test_a_copy_that_may_be_there_is_not_tried_again(desk):
    """The server ends its session when it is asked to keep it."""
    box = Box(desk)
    way, imap = behind(box, "APPEND")
    box.add(sent_folder="auto", imap=imap)
    thread = start(desk, box)
    failed = 'frontdesk_sent_copies_total{outcome="failed"}'
    before = metric(desk, failed)
    delivery = thread.mail()
    thread.wait_state(delivery, "sent")
    desk.wait(lambda: metric(desk, failed) == before + 1, 20, "the failure")
    desk.settled(3, lambda: len(way.asked))
    assert appends(way) == 1 and copied(desk, delivery) and copies(box) == []
    box.remove()
    way.stop()


def test_a_copy_that_fails_is_the_mail_s_no_concern(desk):
    """No such folder; then no server at all, when the responder is stopped."""
    box = Box(desk)
    box.add(sent_folder="Nowhere")
    thread = start(desk, box)
    failed = 'frontdesk_sent_copies_total{outcome="failed"}'
    before = metric(desk, failed)
    known = sum(line["event"] == "sent_copy.failed" for line in desk.log("responder-1"))
    thread.wait_state(thread.mail(), "sent")
    desk.wait(lambda: metric(desk, failed) == before + 1, 20, "the first failure")
    box.deskctl(OK, "add", box.file(sent_folder="auto", imap=f"imaps://{box.user}@localhost:1"), "--replace")
    delivery = thread.mail()
    thread.wait_state(delivery, "sent")
    desk.wait(lambda: "later" in told(desk, delivery), 20, "the first try")
    desk.terminate("responder-1")
    assert told(desk, delivery)[-1] == "failed"
    codes = [line["err"]["code"] for line in desk.log("responder-1") if line["event"] == "sent_copy.failed"][known:]
    assert codes[0] == "sent.folder" and len(codes) == 2, codes
    assert len(box.faults.mails("ok")) == 2 and copies(box) == []
    box.remove()


def test_an_account_has_few_connections(desk):
    """Which providers count: one of the poller that reads it, and two for copies, however many mails leave at once. Guard:
    AT_ONCE of responder/sent_copies.c."""
    box = Box(desk, gate="starttls;%s;dot=wait")
    way = Withholder(box.dovecot)
    box.add(sent_folder="auto", smtp=box.smtp("gate"), imap=f"imaps://{box.user}@localhost:{way.port}")
    mail_responders(desk, mail_ca_file=str(box.ca_file), mail_networks=NETWORKS, mail_per_account=8)
    pollers(desk)
    desk.wait(lambda: box.listed()["state"] == "reading", 20, lambda: f"reading: {box.listed()}")
    threads = [Mailbox(desk, box=box) for _ in range(8)]
    sent = [(thread, thread.mail()) for thread in threads]
    box.faults.wait("gate", len(threads))
    box.faults.let("gate", "go")
    for thread, delivery in sent:
        thread.wait_state(delivery, "sent")
    desk.wait(lambda: len(copies(box)) == len(threads), 20, lambda: f"a copy of each: {len(copies(box))}")
    assert 2 <= way.most <= 3, way.most
    desk.terminate("mailpoller-1")
    box.remove()
    way.stop()
