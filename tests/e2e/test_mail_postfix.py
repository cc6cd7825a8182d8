"""Mail between servers of the kind that businesses have: customers hand theirs to a real Postfix, by STARTTLS and with
their passwords, as does the desk; a real Dovecot keeps what arrives, and what comes back is of Postfix' own making.
"""

import email
import email.policy

from harness import Skip, mail_table, postfix, smtp
from harness.dovecot import Dovecot
from mailboxes import OK, Box
from mails import Writer, answers, settled, tell, thread_of, up

SHARE = True
DEADLINE_S = 120
# What the servers of other domains say to Postfix once it has taken a mail for them, and what the delivery says then.
REFUSALS = {
    "gone.example": ("rcpt=550 5.1.1 no such user", ("bounced", "bad_address", "5.1.1")),
    "full.example": ("dot=552 5.2.2 mailbox full", ("bounced", "full", "5.2.2")),
    "wary.example": ("dot=554 5.7.1 we take that for spam", ("bounced", "policy", "5.7.1")),
    "away.example": ("rcpt=451 4.3.0 later", ("bounced", "temporary", "4.3.0")),
}


def up_with_postfix(desk):
    if postfix.why_not():
        raise Skip(postfix.why_not())
    if not hasattr(desk, "postfix"):
        beside = desk.folder.parent  # the servers' own users get there
        desk.mail_servers = smtp.Faults(desk.folder / "smtp", **{
            domain.partition(".")[0]: f"plain;{rule}" for domain, (rule, _) in REFUSALS.items()})
        desk.dovecot = Dovecot(beside / f"{desk.folder.name}-dovecot", asked=True).start()
        desk.dovecot.add_user()  # and so a hundred, of whom Postfix then knows
        ports = {domain: desk.mail_servers.ports[domain.partition(".")[0]] for domain in REFUSALS}
        desk.postfix = postfix.Postfix(beside / f"{desk.folder.name}-postfix", desk.dovecot, ports).start()
    up(desk, mail_ca_file=str(desk.dovecot.ca_file), mail_networks="127.0.0.0/8,::1/128")


def business(desk, scheme="smtp"):
    """A mailbox as an owner gives it to the desk."""
    box = Box(desk, desk.dovecot)
    port = {"smtp": desk.postfix.port, "smtps": desk.postfix.tls_port}[scheme]
    box.fields["smtp"] = f"{scheme}://{box.user}@localhost:{port}"
    box.add(sent_folder="auto")
    desk.wait(lambda: box.column("uid_validity"), 30, "the mailbox to be read")
    return box


class Customer(Writer):
    """He sends by Postfix, and reads what he got by IMAP."""

    def __init__(self, mailbox, domain="customer.example", name=None):
        self.user, _ = mailbox.desk.dovecot.add_user()
        super().__init__(mailbox, f"{name or self.user}@{domain}")

    def write(self, words, **more):
        nonce, raw = self.make(words, **more)
        self.desk.postfix.submit(self.user, email.message_from_bytes(raw, policy=email.policy.SMTP))
        return nonce

    def mails(self):
        return [smtp.Mail(raw) for raw in self.desk.dovecot.mails(self.user)]

    def copies(self):
        return len(self.mails())


def in_folder(box, folder="INBOX"):
    return [smtp.Mail(raw) for raw in box.dovecot.mails(box.user, folder)]


def wait_copies(box, count):
    """What left has a copy in the business's folder of sent mails, each one."""
    box.desk.wait(lambda: len(in_folder(box, "Gesendet")) >= count, 20, f"{count} copies of what left")
    return in_folder(box, "Gesendet")


def fate(writer):
    """What the deliveries to him say of themselves, in order."""
    return writer.desk.sql(
        "SELECT d.state, d.reason, d.error_code FROM deliveries d JOIN channel_sessions s ON s.id = d.session_id"
        " WHERE s.remote_address = %s ORDER BY d.seq", writer.address)


def wait_fate(writer, *wanted):
    writer.desk.wait(lambda: fate(writer) == list(wanted), 40, lambda: f"{writer.address}: {wanted}, is {fate(writer)}")


def test_a_mail_comes_and_goes_by_postfix(desk):
    """What a customer's program shows: one thread. Who sends is let in by his password behind TLS, the desk too."""
    up_with_postfix(desk)
    box = business(desk)
    ann = Customer(box)
    first = ann.write("when are you open?", message_id="<first@customer.example>")
    reply, = ann.wait_mails(1)
    assert answers([reply]) == [first] and reply["Subject"] == "Re: Opening hours"
    assert reply["In-Reply-To"] == reply["References"] == "<first@customer.example>"
    assert reply["Return-Path"] == f"<{box.address}>" and "with ESMTPSA id" in reply["Received"], reply["Received"]
    assert f"Authenticated sender: {box.user}" in reply["Received"]
    second = ann.reply_to(reply, "and on Saturday?")
    mails = ann.wait_mails(2)
    assert answers(mails) == [first, second] and thread_of(mails) == {"<first@customer.example>"}
    wait_fate(ann, *[("sent", None, None)] * 2)
    copies = wait_copies(box, 2)
    came = settled(desk, ann)
    tell("none, through a real Postfix", [first, second], came)
    assert len(came) == len(in_folder(box)) == len(copies) == 2
    box.remove()


def test_check_by_postfix(desk):
    """`deskctl mailbox check` logs in at both servers, and its mail to itself comes back."""
    up_with_postfix(desk)
    box = business(desk)
    steps = box.check(OK)
    assert {step["result"] for step in steps.values()} == {"ok"}, steps
    mail, = in_folder(box)
    assert "with ESMTPSA id" in mail["Received"], mail["Received"]
    box.remove()


def test_what_postfix_sends_back_settles_it(desk):
    """Postfix takes the answer and the next server refuses it: the report of that is no customer's mail, and nobody
    answers it."""
    up_with_postfix(desk)
    box = business(desk)
    writers = {domain: Customer(box, domain) for domain in REFUSALS}
    nonces = {domain: writer.write("a question") for domain, writer in writers.items()}
    for domain, writer in writers.items():
        wait_fate(writer, REFUSALS[domain][1])
    copies = wait_copies(box, len(writers))
    reports = [mail for mail in in_folder(box) if mail["Return-Path"] == "<>"]
    # What Postfix gives back of the envelope is the token that begins the Message-ID.
    told = {mail.raw.partition(b"\nOriginal-Envelope-Id: ")[2].split()[0].decode() for mail in reports}
    assert told == {mail["Message-ID"][1:].partition("@")[0] for mail in copies} and len(told) == len(writers), told
    desk.wait(lambda: box.column("last_uid") == 2 * len(writers), 20, lambda: f"all to be read: {box.listed()}")
    desk.settled(2.0, lambda: len(in_folder(box, "Gesendet")))
    mail_table.line("a real Postfix sends it back", mail_table.WHOLE, nonces.values(), (), told=nonces.values())
    assert len(in_folder(box)) == 2 * len(writers) == 2 * len(in_folder(box, "Gesendet"))
    assert desk.sql("SELECT remote_address FROM channel_sessions WHERE remote_address ILIKE 'mailer-daemon%%'") == []
    box.remove()


def test_by_tls_from_the_first_byte(desk):
    """By another library, which asks for no report of a certain kind: Postfix gives back all of the mail."""
    up_with_postfix(desk)
    box = business(desk, "smtps")
    ann, gone = Customer(box), Customer(box, "gone.example")
    first = ann.write("a question")
    gone.write("another one")
    reply, = ann.wait_mails(1)
    assert answers([reply]) == [first] and "with ESMTPSA id" in reply["Received"], reply["Received"]
    wait_fate(gone, REFUSALS["gone.example"][1])
    report, = [mail for mail in in_folder(box) if mail["Return-Path"] == "<>"]
    assert b"Original-Envelope-Id" not in report.raw and b"\nContent-Type: message/rfc822" in report.raw, report.raw
    box.remove()


def test_whom_postfix_does_not_know(desk):
    """It says so before it takes the mail."""
    up_with_postfix(desk)
    box = business(desk)
    nobody = Customer(box, name="nobody")
    nobody.write("a question")
    wait_fate(nobody, ("failed", "bad_address", "550 5.1.1"))
    assert in_folder(box, "Gesendet") == []
    box.remove()


def test_postfix_stopped_while_answers_wait(desk):
    """Each leaves once when it runs again."""
    up_with_postfix(desk)
    box = business(desk)
    writers = [Customer(box) for _ in range(3)]
    desk.postfix.stop()
    try:
        mails = [writer.make("a question") for writer in writers]
        desk.dovecot.deliver(box.user, *(raw for _, raw in mails))
        for writer in writers:
            wait_fate(writer, ("deferred", None, "smtp.connect"))
    finally:
        desk.postfix.start()
    desk.sql("UPDATE deliveries d SET next_at = clock_timestamp() FROM channel_sessions s WHERE s.id = d.session_id"
             " AND s.remote_address = ANY(%s)", [writer.address for writer in writers])  # the back-off is over
    for writer in writers:
        writer.wait_mails(1)
    desk.settled(2.0, lambda: sum(writer.copies() for writer in writers))
    came = [mail for writer in writers for mail in writer.mails()]
    nonces = [nonce for nonce, _ in mails]
    tell("Postfix stopped while answers wait", nonces, came)
    assert answers(came) == nonces
    box.remove()
