"""Mails that nobody would write, through everything: each is answered once or listed for a person, the mails behind them
come, and nothing of what a customer's headers say gets into the headers or the envelope of ours."""

import base64
import email
import secrets

from mails import Mailbox, Writer, answers, settled, tell, up

SHARE = True
DEADLINE_S = 240

MB = 1024 * 1024
OURS = {"Date", "From", "Reply-To", "To", "Message-ID", "In-Reply-To", "References", "Subject", "Auto-Submitted",
        "X-Auto-Response-Suppress", "X-Loop", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
EVIL = "evil@evil.example"


def raw(writer, text, *lines, subject="Opening hours", sender=None, message_id=None):
    """A mail made by hand; lines: further headers as they are sent, the last ones; text: what is behind them."""
    head = [f"From: {sender or 'Ann Example'} <{writer.address}>", f"To: {writer.mailbox.address}", f"Subject: {subject}",
            f"Message-ID: {message_id or '<' + secrets.token_hex(8) + '@customer.example>'}",
            "Authentication-Results: mx.clinic.example; dmarc=pass header.from=customer.example", "MIME-Version: 1.0", *lines]
    said = text if isinstance(text, bytes) else text.encode()
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + said + b"\r\n"


def with_parts(writer, words, *parts):
    """A text and parts behind it, each with its own head."""
    whole = b"".join(b"--b\r\n" + part + b"\r\n" for part in (f"Content-Type: text/plain\r\n\r\n{words}".encode(), *parts))
    return raw(writer, whole + b"--b--", 'Content-Type: multipart/mixed; boundary="b"')


def file_of(size):
    head = b"Content-Type: image/png; name=film.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + base64.encodebytes(bytes(size)).replace(b"\n", b"\r\n")


def nested(depth):
    """Parts in parts; the innermost one is a text."""
    begin = b"".join(b'Content-Type: multipart/mixed; boundary="n%d"\r\n\r\n--n%d\r\n' % (at, at) for at in range(depth))
    end = b"".join(b"\r\n--n%d--" % at for at in reversed(range(depth)))
    return begin + b"Content-Type: text/plain\r\n\r\ninnermost" + end


LAUGHS = ('<!DOCTYPE html [<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{at} "{f"&a{at - 1};" * 10}">' for at in range(1, 10)) + "]><p>%s</p><p>&a9;</p>")

HOSTILE = {
    "25 MB": lambda w, n: with_parts(w, n, file_of(17 * MB)),
    "more than 25 MB": lambda w, n: with_parts(w, n, file_of(20 * MB)),
    "1,000 parts": lambda w, n: with_parts(w, n, *[b"Content-Type: image/png\r\n\r\nx"] * 1000),
    "depth 200": lambda w, n: with_parts(w, n, nested(200)),
    "a header of 1 MB": lambda w, n: raw(w, n, "X-Long: " + "x" * MB),
    "headers of 1 MB": lambda w, n: raw(w, n, *["X-Many: " + "x" * 100] * 10000),
    "NUL bytes": lambda w, n: raw(w, f"\0{n}\0 a\0b", "X-Nul: a\0b", subject="Opening\0 hours"),
    "broken base64": lambda w, n: raw(w, base64.b64encode(f"{n} is it open today?".encode())[:-3] + b"*!\xff$",
                                      "Content-Type: text/plain", "Content-Transfer-Encoding: base64"),
    "a charset of nobody": lambda w, n: raw(w, n.encode() + b" \xfe\xff\x80 gr\xfc\xdf", "Content-Type: text/plain; charset=klingon-8"),
    "the wrong charset": lambda w, n: raw(w, n.encode() + b" gr\xfc\xdf\x81\xc3", "Content-Type: text/plain; charset=utf-8"),
    "HTML, deep": lambda w, n: raw(w, n + "<div>" * 300000, "Content-Type: text/html"),
    "HTML of entities": lambda w, n: raw(w, LAUGHS % n, "Content-Type: text/html"),
}

NO_MAILS = {"no header": b"\r\nno header, and nobody's\r\n", "no sender": b"Subject: hello\r\n\r\nwho am I?\r\n",
            "only bytes": bytes(range(256)) * 50}


def test_hostile_mails_are_answered_or_listed(desk):
    """And hold up no other one: the mailpollers are those that began."""
    up(desk)
    box = Mailbox(desk)
    pids = {name: service.pid for name, service in desk.services.items() if name.startswith("mailpoller")}
    writers = {}
    for name, make in HOSTILE.items():
        ann, nonce = Writer(box), desk.new_nonce()
        writers[name] = ann, nonce
        box.deliver(make(ann, nonce))
    box.deliver(*NO_MAILS.values())
    last = Writer(box)
    nonce = last.write("and I just ask")
    assert answers(last.wait_mails(1, 120)) == [nonce]
    for name, (ann, nonce) in writers.items():
        mails = ann.wait_mails(1, 60)
        tell(f"hostile: {name}", [nonce], mails)
        assert answers(mails) == [nonce], (name, mails[0].text)
    assert all(len(settled(desk, ann, 0.2)) == 1 for ann, _ in writers.values())
    skips = desk.sql("SELECT reason FROM mailbox_skips WHERE mailbox_id = %s::uuid ORDER BY uid", box.id)
    assert len(skips) == len(NO_MAILS) and {reason for reason, in skips} <= {"no_sender", "unreadable"}, skips
    assert pids == {name: desk.services[name].pid for name in pids}, "a mailpoller was started anew"


INJECTIONS = {
    "subject": {"subject": f"=?utf-8?q?hello=0D=0ABcc:_{EVIL}=0D=0A=0D=0Abody?="},
    "subject, bare CR": {"subject": f"hello\rBcc: {EVIL}"},
    "subject, folded": {"subject": f"hello\r\n Bcc: {EVIL}"},
    "name": {"sender": f"=?utf-8?q?Ann=0D=0ABcc:_{EVIL}?="},
    "Message-ID": {"message_id": f"<a@customer.example>\r\n Bcc: {EVIL}"},
    "Message-ID, bare CR": {"message_id": f"<a\rBcc: {EVIL}>"},
    "Message-ID, encoded": {"message_id": f"=?utf-8?q?=3Ca=0D=0ABcc:_{EVIL}=3E?="},
}
LINES = {
    "References": f"References: <r@customer.example>\r\n Bcc: {EVIL}\r\n <s@customer.example\r\n\tX-Evil: yes>",
    "References, bare CR": f"References: <r@customer.example>\rBcc: {EVIL}\r<s@customer.example>",
    "In-Reply-To": f"In-Reply-To: <r@customer.example>\r\n X-Evil: yes <{EVIL}>",
    "Reply-To": f"Reply-To: {EVIL}, <x@y>\rRCPT TO:<{EVIL}>",
    "Cc": f"Cc: {EVIL}",
}


def test_headers_of_a_customer_stay_in_their_place(desk):
    """Our mail has our headers and one recipient, whatever his say; a reply whose text looks like the end of a mail
    and a second one is one mail. Guards, one behind the other: mail_line of common/mail/parse.c, event_text_line of the
    mailpoller, event_is_line of the event, mail_encode_header and is_id of common/mail, and SMTP, which sends no bare line
    end and adds dots. Each holds alone, so this test sees none that is missing: parse_test and compose_test do."""
    up(desk)
    box = Mailbox(desk)
    attempts = [(name, Writer(box), (), fields) for name, fields in INJECTIONS.items()]
    attempts += [(name, Writer(box), (line,), {}) for name, line in LINES.items()]
    smuggled = f"\n.\nMAIL FROM:<{EVIL}>\nRCPT TO:<{EVIL}>\nDATA\nSubject: yours\n\nbody\n.\n"
    texts = {}
    for name, ann, lines, fields in attempts:
        texts[name] = desk.new_nonce()
        box.deliver(raw(ann, texts[name], *lines, **fields))
    dots, nonce = Writer(box), desk.new_nonce()
    desk.faults("model", {"match": nonce, "action": {"type": "reply", "text": f"You wrote {nonce}.{smuggled}the end"}})
    box.deliver(raw(dots, nonce))
    attempts.append(("a dot in the reply", dots, (), {}))
    texts["a dot in the reply"] = nonce
    for name, ann, _, _ in attempts:
        ours, = ann.wait_mails(1, 60)
        assert answers([ours]) == [texts[name]], (name, ours.text)
        found = email.message_from_bytes(ours.raw)
        assert set(found.keys()) <= OURS and len(found.keys()) == len(set(found.keys())), (name, found.keys())
        assert ours.about["to"] == [ann.address] == [found["To"].strip(" <>")], (name, ours.about)
        assert b"\r" not in ours.raw.replace(b"\r\n", b""), name
    assert not [mail for mail in desk.mail_servers.mails("ok") if EVIL in mail.about["to"] or EVIL in mail.about["from"]]
    assert "the end" in dots.mails()[0].text and EVIL in dots.mails()[0].text
    desk.faults("model")
