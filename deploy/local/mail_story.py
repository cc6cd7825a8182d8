"""The mails that ./run plays: somebody who has phoned and texted writes a mail, is answered in its thread, writes a
follow-up, and leaves for a holiday: the program that says so gets no answer. All of it is one conversation.

The mailbox is a real one (mail.py); what came back is read where the SMTP server put it.
"""

import email.utils
import json
import re
import secrets
import urllib.request
from email.message import EmailMessage

from mail import PROVIDER, new_address
from phone import HURRY
from procs import Deadline, wait_for
from quotes import history_nonces, new_nonces
from story import Story
from talk import ledger

DEADLINE_S = 60
CALL_DEADLINE_S = 60

def mark():
    return "n-" + secrets.token_hex(4)


class Mails(Story):
    title = "mails of somebody who phoned and texted: one conversation, one thread; a program gets no answer"
    by_script = True

    def __init__(self, scene, tenant, say, servers):
        super().__init__(scene, tenant, say)
        self.servers = servers
        self.address = new_address()

    def lacks(self):
        return None if self.document.get("phone") else "phone"

    def play(self):
        self.script()
        customer = self.customer = self.talk()
        try:
            asked = [self.call(), customer.text("I have just phoned you. Do you take card payments?")]
            if customer.reply() is None:
                return
            self.conversation = customer.conversation()
            self.write_mails(asked)
        except Deadline as problem:
            self.problems.append(str(problem))

    # ---- by phone

    def call(self):
        """A short one; returns the mark of what was asked."""
        customer, asked = self.customer, mark()
        public = self.scene.endpoints["public_url"]
        reply = {"wait_for": "reply"}
        order = {"account_sid": self.tenant["account_sid"], "from": customer.address,
                 "to": self.tenant["numbers"]["voice"], "url": public + "/twilio/voice",
                 "status_callback": public + "/twilio/voice/status", "rate": HURRY,
                 "script": [reply, {"say": f"Are you open on Friday? ({asked})", "ms": 900}, reply, {"hangup": True}]}
        request = urllib.request.Request(customer.twilio + "/_calls", json.dumps(order).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            sid = json.loads(answer.read())["sid"]
        call = wait_for(lambda: (found := ledger(customer.twilio, f"/_calls/{sid}"))["over"] and found,
                        CALL_DEADLINE_S, "the end of the call", 0.1)
        for event in call["events"]:
            if event["kind"] == "said":
                self.say(f"  {customer.address} calls: {event['text']}")
        heard = "".join(event["text"] for event in call["events"] if event["kind"] == "audible")
        if asked not in new_nonces(heard):
            self.problems.append(f"the caller's {asked} was not answered: {heard}")
        return asked

    # ---- by mail

    def join(self):
        """What an operator knows and the desk cannot."""
        words = ("contact", "merge", self.customer.address, self.address, "--tenant", self.name)
        self.say("  $ deskctl " + " ".join(words))
        self.scene.deskctl(*words, "--yes")

    def write(self, words, subject="Card payments", to=None, below="", **headers):
        """Puts a mail into the mailbox as its provider does; returns its mark. `below`: what it quotes."""
        asked, made = mark(), EmailMessage()
        made["From"] = f"Ann Example <{self.address}>"
        made["To"] = to or self.servers.address
        made["Subject"] = subject
        made["Date"] = email.utils.formatdate()
        made["Message-ID"] = f"<{secrets.token_hex(8)}@customer.example>"
        made["Authentication-Results"] = f"{PROVIDER}; dmarc=pass header.from=customer.example"
        for name, value in headers.items():
            made[name.replace("_", "-")] = value
        made.set_content(f"{words} ({asked})\n{below}")
        self.servers.deliver(made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        self.say(f"  {self.address} > [{subject}] {words} ({asked})")
        return asked

    def answer_to(self, mail, words, **headers):
        """As a mail program answers: in the thread, to the address that the mail names, with all of it quoted."""
        chain = [*(mail["References"] or "").split(), mail["Message-ID"]]
        quoted = "".join(f"> {line}\n" for line in mail.whole.splitlines())
        return self.write(words, **{"subject": mail["Subject"], "to": mail["Reply-To"], "In_Reply_To": mail["Message-ID"],
                                    "below": f"\nOn {mail['Date']}, {mail['From']} wrote:\n{quoted}",
                                    "References": " ".join(chain), **headers})

    def wait_mails(self, count):
        mails = wait_for(lambda: (found := self.servers.sent_to(self.address)) and len(found) >= count and found,
                         DEADLINE_S, f"mail {count} of the desk", 0.1)
        mail = mails[count - 1]
        self.say(f"  {self.name} < [{mail['Subject']}] {' '.join(mail.text.split())}")
        self.say(f"      Message-ID {mail['Message-ID'][:18]}..., in reply to {mail['In-Reply-To'][:18]}...")
        if mail.quoted:
            self.say(f"      {mail.quoted[0]} > {' '.join(mail.quoted[1].split())}")
        return mail

    def write_mails(self, asked):
        first = self.write("And can I pay in two parts?")
        reply = self.wait_mails(1)
        self.judge_answer(reply, first)
        self.join()
        second = self.answer_to(reply, "Thank you. Without interest?")
        again = self.wait_mails(2)
        self.judge_answer(again, second, *asked)
        if roots(reply) != roots(again):
            self.problems.append("the answer to the follow-up is in another thread")
        away = self.answer_to(again, "I am away until Monday.", subject="Automatic reply: " + again["Subject"],
                              Auto_Submitted="auto-replied")
        self.judge_record(away, wait_for(lambda: self.ended(away), DEADLINE_S, "the record of the automatic reply", 0.2))

    def judge_answer(self, mail, asked, *before):
        if new_nonces(mail.text) != [asked]:
            self.problems.append(f"the mail answers {new_nonces(mail.text)} and not {asked}")
        if not mail.quoted or new_nonces(mail.quoted[1]) != [asked]:
            self.problems.append(f"the mail does not quote the one that it answers, {asked}, alone: {mail.whole}")
        if before and not set(history_nonces(mail.text)) & set(before):
            self.problems.append(f"the mail remembers nothing of {', '.join(before)}: {mail.text}")

    def ended(self, asked):
        """The conversation, once the mail with this mark is on record and over."""
        shown = self.customer.transcript(self.conversation)
        found = [one for one in shown["messages"] if asked in (one["body"] or "") and one["inbox"]]
        return shown if found and found[0]["inbox"]["state"] != "open" else None

    def judge_record(self, away, shown):
        inbox = next(one["inbox"] for one in shown["messages"] if away in (one["body"] or ""))
        self.recorded(f"the automatic reply: {inbox['state']} ({inbox['reason']})")
        if (inbox["state"], inbox["reason"]) != ("ended", "auto_reply"):
            self.problems.append(f"the automatic reply is {inbox['state']} ({inbox['reason']})")
        kinds = {one["channel"] for one in shown["messages"] if one["direction"] == "in"}
        if kinds != {"voice", "sms", "mail"}:
            self.problems.append(f"the conversation has {', '.join(sorted(kinds))}, and not call, text and mail")
        count = len(self.servers.sent_to(self.address))
        if count != 2:
            self.problems.append(f"{count} mails were sent to {self.address}, and not 2")
        self.recorded(f"{count} mails sent, {self.servers.copies()} copies in the mailbox's folder of sent mails")
        self.say(f"  $ deskctl conversation show {self.conversation}   (a call, a text and mails)")
        for line in self.scene.deskctl("conversation", "show", self.conversation).splitlines():
            self.say("      " + line)
        self.wanted.append((self.customer, None, 1, None))


def roots(mail):
    """What mail programs go by: the first of the references."""
    return re.findall(r"<[^>]+>", mail["References"] or "")[:1]
