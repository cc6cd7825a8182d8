"""One address that texts a business: what it sends, what comes back, and where the time went.

Sent through nginx as Twilio would, received from what the Twilio stand-in accepted; the times of each
hop are those that `deskctl conversation show` tells.
"""

import json
import secrets
import urllib.request
from datetime import datetime

import webhook
from judge import author_of
from procs import Deadline, Failure, wait_for
from quotes import created

REPLY_DEADLINE_S = 60


def ledger(url, path="/_ledger"):
    with urllib.request.urlopen(url + path, timeout=10) as answer:
        return json.loads(answer.read())


def sent(url):
    """Messages that the Twilio stand-in accepted, in order."""
    return created(ledger(url))


def sent_to(url, address):
    """Those of them that are for this address."""
    return [entry for entry in sent(url) if entry["params"].get("To") == address]


def callback_time(url, sid, status):
    """When the stand-in told us this status of this message, as seconds; None if not yet."""
    for entry in ledger(url, "/_callbacks"):
        params = entry["params"]
        if params.get("MessageSid") == sid and params.get("MessageStatus") == status \
                and entry["status"] // 100 == 2:
            return entry["time"] / 1000
    return None


def told_of(url, sid):
    """What the stand-in told us of this message and was answered: "sent 204, delivered 204"."""
    return ", ".join(f"{entry['params'].get('MessageStatus')} {entry['status']}"
                     for entry in ledger(url, "/_callbacks")
                     if entry["params"].get("MessageSid") == sid) or "nothing"


def ms(begin, end):
    """Milliseconds between two times of deskctl (ISO 8601) or seconds since 1970, as text."""
    def seconds(at):
        return at if isinstance(at, float) else datetime.fromisoformat(at).timestamp()
    return f"{max(0, round((seconds(end) - seconds(begin)) * 1000))} ms"


def tried(calls):
    """The failed calls of a turn as words: "openai http.connect, gemini http.connect"."""
    failed = [f"{call['provider']} {call['error_code']}" for call in calls
              if call["outcome"] != "answered"]
    return ", ".join(f"{failed.count(one)} x {one}" for one in dict.fromkeys(failed))


def way_to_model(shown, message):
    """The hops from the last text of the turn to its reply."""
    turn = message["turn"]
    texts = [one for one in shown["messages"] if one["inbox"] and one["inbox"]["turn"] == turn["id"]]
    last = texts[-1]
    claimed = (f"last text -> Kafka -> claimed {ms(last['event_time'], last['inbox']['claimed_at'])}"
               f" | end of the burst {ms(last['inbox']['claimed_at'], turn['started_at'])}")
    failed = tried(turn["calls"])
    if author_of(message) == "reception":
        return last["event_time"], [
            claimed, f"models: {failed or 'none asked'} | all tries"
            f" {ms(turn['started_at'], message['at'])}"]
    call = turn["calls"][-1]
    asked = datetime.fromisoformat(call["started_at"]).timestamp()
    first = datetime.fromisoformat(turn["calls"][0]["started_at"]).timestamp()
    lines = [f"{claimed} | context {ms(turn['started_at'], first)}"]
    if failed:
        lines.append(f"models: {failed}, then {call['provider']} | {ms(first, asked)} later")
    lines.append(f"model: first word {call['first_token_ms']} ms, all {call['total_ms']} ms"
                 f" | commit {ms(asked + call['total_ms'] / 1000, message['at'])}")
    return last["event_time"], lines


class Talk:
    """`deskctl(*words)` runs it on this installation and returns what it printed. Without an address
    it is a new customer."""

    def __init__(self, endpoints, deskctl, say, tenant=None, address=None):
        self.endpoints = endpoints
        self.deskctl = deskctl
        self.say = say
        self.tenant = tenant or endpoints["tenants"][0]
        self.twilio = endpoints["twilio_stand_url"]
        self.address = address or f"+1555{secrets.randbelow(10**7):07d}"
        self.received = 0  # replies that were waited for
        self.concerning = ""  # what messages to it have to hold to be counted
        self.entry = None  # the last of them at the stand-in; then the transcript, and its message
        self.shown = self.message = None
        self.problems = []

    def text(self, words, marked=True):
        """Sends one text and prints it. The model stand-in quotes the mark of a marked one."""
        nonce = "n-" + secrets.token_hex(4)
        body = f"{words} ({nonce})" if marked else words
        sid, answer = webhook.send_sms(self.tenant, self.endpoints["public_url"], self.address,
                                       body, send_url=self.endpoints["ingress_url"])
        self.say(f"  {self.address} > {body}")
        self.say(f"      webhook answered {answer.status} in {answer.seconds * 1000:.0f} ms")
        if answer.status != 200:
            self.problems.append(f"the webhook of {sid} was answered {answer}")
        return nonce

    def sent(self):
        """What the Twilio stand-in accepted for this address from this business, in order."""
        number = self.tenant.get("numbers", {}).get("sms")
        return [entry for entry in sent_to(self.twilio, self.address)
                if entry["params"].get("From", number) == number]

    def counted(self):
        """Those of them that hold what it is concerned with."""
        return [entry for entry in self.sent() if self.concerning in entry["params"].get("Body", "")]

    def reply(self, by="model"):
        """Waits for the next reply and prints it with the time of each hop; None: it did not come."""
        number = self.received + 1
        try:
            entries = wait_for(lambda: (found := self.sent()) and len(found) >= number and found,
                               REPLY_DEADLINE_S, f"reply {number}", 0.05)
        except Deadline:
            self.problems.append(f"no reply {number} within {REPLY_DEADLINE_S} s")
            return None
        self.received = number
        entry = self.entry = entries[number - 1]
        body = entry["params"].get("Body", "").replace("\n", "\n      ")
        self.say(f"  {self.tenant['name']} < {body}")
        for line in self.hops(entry, by):
            self.say("      " + line)
        return entry

    def conversations(self):
        """The ids of our conversations with the business, the newest first. What the desk tells
        somebody of a rota is one of its own."""
        listed = json.loads(self.deskctl("conversation", "list", "--json", "--limit", "1000"))
        return [one["id"] for one in listed if one["address"] == self.address
                and one["tenant"] == self.tenant["name"]]

    def conversation(self):
        """The id of the newest."""
        mine = self.conversations()
        if not mine:
            raise Failure(f"deskctl lists no conversation with {self.address}")
        return mine[0]

    def transcript(self, conversation=None):
        """deskctl's view of a conversation, of the newest unless it is named."""
        return json.loads(self.deskctl("conversation", "show", conversation or self.conversation(),
                                       "--json"))

    def find(self, sid):
        """(transcript, its message with this provider id, its delivery), or None."""
        for shown in map(self.transcript, self.conversations()):
            for message in shown["messages"]:
                for delivery in message["deliveries"]:
                    if delivery["provider_sid"] == sid:
                        return shown, message, delivery
        return None

    def delivered(self, sid):
        """The same once it is delivered."""
        found = self.find(sid)
        return found if found and found[2].get("provider_status") == "delivered" else None

    def known(self, sid):
        """Its state in the transcript, for a message."""
        found = self.find(sid)
        return f"{found[2]['state']} {found[2].get('provider_status')}" if found else "no message"

    def hops(self, entry, by):
        """Where the time of this reply went."""
        sid = entry["sid"]
        try:
            told = wait_for(lambda: callback_time(self.twilio, sid, "delivered"), 20,
                            "the callback", 0.05)
            shown, reply, delivery = wait_for(lambda: self.delivered(sid), 20,
                                              lambda: f"deskctl has it as {self.known(sid)}", 0.1)
        except Deadline as problem:
            self.problems.append(f"{sid} was sent but never became delivered: {problem}; Twilio told"
                                 f" {told_of(self.twilio, sid)}")
            return []
        self.shown, self.message = shown, reply
        attempts = delivery["attempts"]
        if len(attempts) != 1:
            self.problems.append(f"{sid} took {len(attempts)} attempts")
        if author_of(reply) != by:
            self.problems.append(f"{sid} is not by the {by} but by the {author_of(reply)}")
            return []
        attempt = attempts[-1]
        begin, lines = way_to_model(shown, reply) if reply["turn"] else (reply["at"], ["stored"])
        lines[-1] += f" | Kafka -> responder {ms(reply['at'], attempt['started_at'])}"
        return lines + [
            f"Twilio accepted after {ms(attempt['started_at'], attempt['finished_at'])}"
            f" | told delivered {ms(entry['time'] / 1000, told)} later"
            f" | in all {ms(begin, entry['time'] / 1000)}"]
