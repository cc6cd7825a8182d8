"""Everything that a vendor of models can do wrong, in every dialect and side by side: what class the
failure has, what the customer gets, what llm_calls records.

Each case is a tenant of its own, because a failing model is left alone for its tenant: a chain of the
vendor that fails and one that works, and for the first dialect also a chain without a second one.
The stand-in plays what a vendor says in good order; harness/vendor.py what no server should send.
"""

import contextlib
import copy
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field

import yaml

from harness import oracle, tables
from harness.vendor import (CUT, END, FOREVER, HANG, OPEN, RESET, STREAMS, Vendor, chunk, chunks, event,
                            own_certificate, whole)
from operating import TENANTS, good
from procs import free_port
from scripted import Customer, engines, say
from tenants import read_document

SHARE = True
DEADLINE_S = 240

NEXT, ANSWER, FALLBACK = "the next model's answer", "this model's answer", "the fallback wording"
LATER, OTHER, NEVER = "retry_later", "fall_back", "permanent"

BASES = {"openai": "/v1", "gemini": "/v1beta", "anthropic": "/v1"}
PATHS = {"openai": "/chat/completions", "gemini": ":streamGenerateContent", "anthropic": "/messages"}
BEHIND = {"openai": "gemini", "gemini": "anthropic", "anthropic": "openai"}
WORDS_OF_THE_HOUSE = "Got your message. Our system is slow"

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>\n<h1>502</h1>\n</body></html>\n"
QUEUED = b": OPENROUTER PROCESSING\n\n"
TIDINGS = {
    "openai": event({"id": "c-1", "object": "chat.completion.tidings", "weather": "fine"}),
    "gemini": event({"tidings": {"weather": "fine"}, "modelVersion": "wire-1"}),
    "anthropic": event({"type": "tidings", "weather": "fine"}, "tidings"),
}
NO_CHOICE = {
    "openai": event({"id": "c-1", "object": "chat.completion.chunk", "model": "wire-1", "choices": []})
    + b"data: [DONE]\n\n",
    "gemini": event({"candidates": [{"index": 0, "finishReason": "STOP"}]}),
    "anthropic": STREAMS["anthropic"](),
}
TOOL = {"message": "please call", "name": "a customer"}


@dataclass
class Fault:
    name: str
    cls: str        # of the failure, as in common/base/err.h; "" when there is none
    code: str       # in llm_calls; where dialects differ: {dialect: code}
    gets: str       # what the customer gets when another model stands behind
    stand: object = None  # what the stand-in does: an action, or {dialect: action}
    wire: object = None   # what the bytes are: f(dialect, nonce) -> plays of harness/vendor.py
    url: object = None    # which base URL it is: f(places) -> URL without the dialect's end
    tools: list = field(default_factory=list)  # outcomes of the tool calls
    tries: int = 1        # calls of a model with another behind it, at most
    finish: str = "stop"  # of the answer that the customer got, as in llm_calls
    times: tuple = (8, 10)  # first token and total, in seconds; short where they are what ends it

    def of(self, name, dialect):
        value = getattr(self, name)
        return value[dialect] if isinstance(value, dict) and dialect in value else value


def status(code, **more):
    return {"type": "status", "status": code, **more}


def words(type_openai, type_gemini, type_anthropic, code):
    """The status in each dialect's own words."""
    return {dialect: status(code, error_type=word) for dialect, word in
            zip(BASES, (type_openai, type_gemini, type_anthropic))}


def refusal(message):
    """Bytes of a 400 with these words in each dialect."""
    bodies = {"openai": {"error": {"message": message, "type": "invalid_request_error", "param": None,
                                   "code": None}},
              "gemini": {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}},
              "anthropic": {"type": "error", "error": {"type": "invalid_request_error",
                                                       "message": message}}}
    return lambda dialect, nonce: [[whole("400 Bad Request", "application/json",
                                          json.dumps(bodies[dialect]).encode())]]


def finish(openai, gemini, anthropic):
    return {dialect: {"type": "reply", "text": "half an ans", "finish_reason": word}
            for dialect, word in zip(BASES, (openai, gemini, anthropic))}


def said(nonce):
    """What a vendor answers when all is well: the nonce, and characters of every length."""
    return [f"You wrote {nonce}, ", "gr\u00fc\u00df Gott ", "\u20ac5 \U0001F44B", "."]


def good_stream(dialect, nonce):
    return STREAMS[dialect](said(nonce))


def in_crlf(dialect, nonce):
    """CRLF, comments between the lines of an event, data over several lines, a field of no meaning."""
    data = good_stream(dialect, nonce).replace(b"\n\n", b"\nretry: 10\n: still here\n\n")
    data = data.replace(b'", "', b'",\ndata: "', 1) if dialect != "anthropic" else data
    return QUEUED.replace(b"\n", b"\r\n") + data.replace(b"\n", b"\r\n")


def half_character(dialect, nonce):
    """A character of which the vendor sends one byte of two, inside an event that is whole."""
    return STREAMS[dialect]([nonce, "caf\u00e9"]).replace("caf\u00e9".encode(), b"caf\xc3")


def mid_token(dialect, nonce):
    """Cut in the middle of a line, of a chunk, of a word."""
    data = good_stream(dialect, nonce)
    return data[:data.index(b"Gott") + 2]


def one_text(dialect, text):
    """The beginning of a stream up to the first text, and that text's event alone."""
    data = STREAMS[dialect](["@", text])
    at = data.index(text.encode())
    begin = data.rindex(b"data: ", 0, at)
    return data[:begin], data[begin:data.index(b"\n\n", at) + 2]


def endless(dialect, nonce):
    head, again = one_text(dialect, f"{nonce} and on it goes")
    return [OPEN, chunk(head), FOREVER(chunk(again * 50))]


def endless_line(dialect, nonce):
    return [OPEN, chunk(b"data: {\"a\": \""), FOREVER(chunk(b"x" * 65536))]


def two_tools(dialect, nonce):
    calls = [("take_message", TOOL), ("launch_rocket", {"to": "the moon"})]
    return [[OPEN, chunk(STREAMS[dialect](calls=calls)), END],
            [OPEN, chunk(good_stream(dialect, nonce)), END]]


def tool(name, arguments):
    return {"type": "tool_call", "name": name, "arguments": arguments}


FAULTS = [
    # on the way to the vendor
    Fault("connection refused", LATER, "http.connect", NEXT, url=lambda p: "http://127.0.0.1:1",
          tries=2),
    Fault("TLS: the server speaks plain HTTP", LATER, "http.tls", NEXT,
          url=lambda p: p.plain.url("", "https"), tries=2),
    Fault("TLS: nobody vouches for the certificate", OTHER, "http.tls", NEXT,
          url=lambda p: p.unknown.url("", "https")),
    Fault("DNS: no such host", LATER, "http.resolve", NEXT, url=lambda p: "https://model.invalid",
          tries=2),
    # a status
    Fault("400", OTHER, "llm.bad_request", NEXT, stand=status(400)),
    Fault("400, an unknown field", OTHER, "llm.config", NEXT, wire=refusal("x: Extra inputs are not permitted")),
    Fault("400, a model without tools", OTHER, "llm.config", NEXT,
          wire=refusal("library/small does not support tools")),
    Fault("401", OTHER, "llm.config", NEXT, stand=status(401)),
    Fault("403", OTHER, "llm.config", NEXT, stand=status(403)),
    Fault("404 model", OTHER, "llm.config", NEXT, stand=status(404)),
    Fault("408", LATER, "llm.unavailable", NEXT, tries=2,
          stand=words("timeout", "DEADLINE_EXCEEDED", "timeout_error", 408)),
    Fault("413", OTHER, "llm.too_long", NEXT,
          stand=words("invalid_request_error", "INVALID_ARGUMENT", "request_too_large", 413)),
    Fault("422", OTHER, "llm.bad_request", NEXT,
          stand=words("invalid_request_error", "INVALID_ARGUMENT", "invalid_request_error", 422)),
    Fault("429", LATER, "llm.throttled", NEXT, stand=status(429), tries=2),
    Fault("429, Retry-After 60", LATER, "llm.throttled", NEXT, stand=status(429, retry_after=60)),
    Fault("500", LATER, "llm.unavailable", NEXT, stand=status(500), tries=2),
    Fault("503", LATER, "llm.unavailable", NEXT, stand=status(503), tries=2),
    Fault("502 and an HTML page", LATER, "llm.unavailable", NEXT, tries=2,
          wire=lambda d, n: [[whole("502 Bad Gateway", "text/html", HTML)]]),
    Fault("200 and an HTML page", OTHER, "llm.nonsense", NEXT, stand={"type": "nonsense"}),
    Fault("redirect", OTHER, "llm.config", NEXT, wire=lambda d, n: [
        [whole("302 Found", "text/plain", b"", "Location: http://127.0.0.1:1/")]]),
    # cut and stalled
    Fault("cut before the first byte", LATER, "http.reset", NEXT, stand={"type": "cut"}, tries=2),
    Fault("reset before the first byte", LATER, "http.reset", NEXT, tries=2,
          wire=lambda d, n: [[RESET]]),
    Fault("cut between two events", LATER, "llm.truncated", NEXT, stand={"type": "cut", "chunks": 3},
          tries=2),
    Fault("cut mid-token", LATER, "llm.truncated", NEXT, tries=2,
          wire=lambda d, n: [[OPEN, chunk(mid_token(d, n))[:-6], CUT]]),
    Fault("ends without an end", LATER, "llm.truncated", NEXT, tries=2,
          stand={"type": "truncate", "chunks": 3}),
    Fault("never begins", LATER, "llm.first_token", NEXT, stand={"type": "hang"}, times=(1, 10)),
    Fault("only signs of life", LATER, "llm.first_token", NEXT, times=(1, 10),
          wire=lambda d, n: [[OPEN, *[step for _ in range(60) for step in (chunk(QUEUED), 0.1)], HANG]]),
    Fault("stalls mid-token", LATER, "llm.truncated", NEXT, times=(4, 4),
          wire=lambda d, n: [[OPEN, chunk(mid_token(d, n)), HANG]]),
    # strange streams
    Fault("characters split over chunks", "", "", ANSWER,
          wire=lambda d, n: [[OPEN, *chunks(good_stream(d, n), 3), END]]),
    Fault("half a character", OTHER, "llm.nonsense", NEXT,
          wire=lambda d, n: [[OPEN, chunk(half_character(d, n)), END]]),
    Fault("comments and split lines", "", "", ANSWER,
          wire=lambda d, n: [[OPEN, *chunks(in_crlf(d, n), 7), END]]),
    Fault("unknown events", "", "", ANSWER,
          wire=lambda d, n: [[OPEN, chunk(TIDINGS[d] + good_stream(d, n)), END]]),
    Fault("broken JSON in the stream", OTHER, "llm.nonsense", NEXT,
          stand={"type": "wrong_json", "chunks": 3}),
    Fault("an error in the stream", LATER, "llm.unavailable", NEXT, tries=2,
          stand={"type": "error_in_stream", "chunks": 3}),
    Fault("no text", OTHER, "llm.empty", NEXT, stand={"type": "empty"}),
    Fault("no choice", OTHER, "llm.empty", NEXT,
          wire=lambda d, n: [[OPEN, chunk(NO_CHOICE[d]), END]]),
    Fault("1 MB of text", OTHER, "llm.too_long_answer", NEXT, stand={"type": "huge"}),
    Fault("endless text", OTHER, "llm.too_long_answer", NEXT, wire=lambda d, n: [endless(d, n)]),
    Fault("endless line", OTHER, "llm.nonsense", NEXT, wire=lambda d, n: [endless_line(d, n)]),
    # how it ended
    Fault("finish: length", "", "", ANSWER, finish="length", stand=finish("length", "MAX_TOKENS", "max_tokens")),
    Fault("finish: filter", NEVER, "llm.filtered", FALLBACK,
          stand=finish("content_filter", "SAFETY", "refusal")),
    # tools
    Fault("a tool call in broken JSON", "", "", ANSWER, tools=["refused"],
          stand=tool("take_message", "{\"message\": \"pl")),
    Fault("an unknown tool", "", "", ANSWER, tools=["refused"], stand=tool("launch_rocket", "{}")),
    Fault("two tools at once", "", "", ANSWER, tools=["ok", "refused"], wire=two_tools),
]
# Google's interface has no broken arguments: it says that its model made some, and that may pass.
EXCEPTIONS = {("a tool call in broken JSON", "gemini"): (LATER, "llm.unavailable", NEXT, [], 2)}


class Case:
    """A fault in a dialect, with a second model or alone, at a tenant of its own."""

    def __init__(self, fault, dialect, alone, number):
        self.fault, self.dialect, self.alone, self.number = fault, dialect, alone, number
        special = EXCEPTIONS.get((fault.name, dialect))
        self.cls, self.code, self.gets, self.tools, self.tries = special or (
            fault.cls, fault.of("code", dialect), fault.gets, fault.tools, fault.tries)
        if alone:
            self.gets = FALLBACK if self.gets == NEXT else self.gets
            self.tries = 3 if self.cls == LATER else 1
        if "Retry-After" in fault.name:  # more patience than the turn has
            self.tries = 1

    @property
    def label(self):
        return f"{self.dialect}{' alone' if self.alone else ''}"

    def bad_url(self, places):
        if self.fault.url:
            return self.fault.url(places) + BASES[self.dialect]
        if self.fault.wire:
            return places.plain.url(BASES[self.dialect])
        return places.stand + BASES[self.dialect]

    def chain(self, places, models):
        """The models of the chain, made of the template's three."""
        bad = copy.deepcopy(models[self.dialect])
        bad["base_url"] = self.bad_url(places)
        bad["first_token_ms"], bad["total_ms"] = (1000 * seconds for seconds in self.fault.times)
        return [bad] if self.alone else [bad, models[BEHIND[self.dialect]]]

    def row(self, places, config, models):
        """What differs from the template in the rows of its tenant."""
        self.tenant = str(uuid.uuid4())
        self.known = {"name": f"fault-{self.number}", "numbers": {"sms": f"+1555019{self.number:04d}"},
                      "account_sid": f"AC{self.number:032x}"}
        return {"tenant": self.tenant, "assistant": str(uuid.uuid4()), "channel": str(uuid.uuid4()),
                "name": self.known["name"], "address": self.known["numbers"]["sms"],
                "config": {**config, "models": self.chain(places, models)}}

    def meet(self, desk, places):
        self.customer = Caller(desk, self.known, self.tenant)
        self.said = self.customer.make()
        if self.fault.wire:
            places.plain.play(self.said.nonce, *self.fault.wire(self.dialect, self.said.nonce))

    def rule(self):
        action = self.fault.of("stand", self.dialect)
        return {"match": self.said.nonce, "path": PATHS[self.dialect], "action": action}

    # What came of it

    def wanted_calls(self):
        if self.gets == ANSWER:
            return {(self.dialect, "answered", "")}, None
        last = (BEHIND[self.dialect], "answered", "") if self.gets == NEXT else None
        return {(self.dialect, "failed", self.code)}, last

    def judge(self, reply, calls, classes, tools):
        """What is wrong, or nothing; sets what the table shows."""
        body, outcome = reply
        self.seen = ", ".join(f"{count} x {' '.join(filter(None, call))}"
                              for call, count in Counter(calls).items())
        finishes = [finish for *_, finish in calls if finish]
        calls = [tuple(call) for *call, _ in calls]
        answered = outcome == "reply" and (oracle.new_nonces(body) == [self.said.nonce]
                                           or body == "half an ans")
        self.got = (FALLBACK if outcome == "fallback" and body.startswith(WORDS_OF_THE_HOUSE)
                    else f"{outcome}: {body}" if not answered
                    else ANSWER if calls[-1][0] == self.dialect else NEXT)
        kinds, last = self.wanted_calls()
        own = calls[:-1] if last and calls[-1:] == [last] else calls
        self.tried = len(own)
        self.classes = classes
        ends = [] if self.gets == FALLBACK else ["tool_calls"] * bool(self.tools) + [self.fault.finish]
        wanted = (self.gets, kinds, last, {self.cls} - {""}, self.tools, ends)
        got = (self.got, set(own), last if own != calls else None, classes, tools, finishes)
        rounds = 2 if self.tools else 1
        if wanted != got or not 1 <= self.tried <= max(self.tries, rounds):
            return (f"{self.label}, {self.fault.name}", (*wanted, f"at most {self.tries} tries"),
                    (*got, f"{self.tried} tries"))
        return None


CASES = [Case(fault, dialect, alone, number) for number, (fault, dialect, alone) in enumerate(
    [(fault, dialect, False) for dialect in BASES for fault in FAULTS]
    + [(fault, "openai", True) for fault in FAULTS])]


class Caller(Customer):
    """A customer of a tenant that is known already."""

    def __init__(self, desk, known, tenant):
        self.desk, self.known, self.tenant_id = desk, known, tenant
        self.address = desk.new_address()


@dataclass
class Places:
    stand: str
    plain: Vendor
    unknown: Vendor  # nobody vouches for it


@contextlib.contextmanager
def places(desk):
    plain = Vendor(free_port())
    unknown = Vendor(free_port(), own_certificate(desk.folder))
    try:
        yield Places(desk.installation.model_url.removesuffix("/v1"), plain, unknown)
    finally:
        desk.faults("model")
        plain.close()
        unknown.close()


WAVE = 20  # the log takes 50 failures a second, also where two waves and the slow ones meet in one
SLOW = 10  # so many of the waves before may still wait for something

TEMPLATE = "fault-template"
COPIES = [
    ("tenants", "jsonb_build_object('id', c.tenant, 'name', c.name)", "t.name = %s"),
    ("assistants", "jsonb_build_object('tenant_id', c.tenant, 'id', c.assistant)",
     "t.tenant_id = (SELECT id FROM tenants WHERE name = %s)"),
    ("assistant_versions", "jsonb_build_object('tenant_id', c.tenant, 'assistant_id', c.assistant,"
     " 'config', c.config)", "t.tenant_id = (SELECT id FROM tenants WHERE name = %s)"),
    ("channels", "jsonb_build_object('tenant_id', c.tenant, 'id', c.channel, 'assistant_id',"
     " c.assistant, 'address', c.address)", "t.tenant_id = (SELECT id FROM tenants WHERE name = %s)"),
]


def make_tenants(desk, where):
    """deskctl applies one file with a model of each dialect; its rows are copied for each case."""
    document = read_document(TENANTS / "garage.yaml")
    for section in ("greeting", "hours", "holidays", "after_hours", "resources", "intake", "services",
                    "intents", "escalation"):
        document.pop(section, None)
    document["channels"][0].update(number="+15550199999", account_sid=f"AC{0xffff:032x}")
    document.update(name=TEMPLATE, tools=["take_message"])
    document["assistant"]["models"] = [
        {"vendor": dialect, "base_url": where.stand + base, "model": "stand-1",
         "key": "env:OPENAI_API_KEY", "first_token": "8s", "total": "10s"}
        for dialect, base in BASES.items()]
    path = desk.folder / "template.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    config = desk.value("SELECT v.config FROM assistant_versions v JOIN tenants t ON t.id = v.tenant_id"
                        " WHERE t.name = %s", TEMPLATE)
    models = dict(zip(BASES, config["models"]))
    for model in models.values():
        del model["key_wrapped"]  # a key is its tenant's; the stand-in wants none
    rows = json.dumps([case.row(where, config, models) for case in CASES])
    for table, changed, which in COPIES:
        desk.sql(f"INSERT INTO {table} SELECT (jsonb_populate_record(t, {changed})).* FROM {table} t,"
                 " jsonb_to_recordset(%s::jsonb) AS c(tenant uuid, assistant uuid, channel uuid, name text,"
                 f" address text, config jsonb) WHERE {which}", rows, TEMPLATE)


# What the rows say, of all customers at once: {address: rows in order}

OF = (" JOIN turns t ON t.tenant_id = x.tenant_id AND t.id = x.turn_id JOIN channel_sessions s"
      " ON s.tenant_id = t.tenant_id AND s.id = t.session_id")
REPLIES = ("SELECT s.remote_address, s.id::text, m.body, t.outcome FROM deliveries x" + OF +
           " JOIN messages m ON m.tenant_id = x.tenant_id AND m.id = x.message_id")
MODEL_CALLS = ("SELECT s.remote_address, x.provider, x.outcome, coalesce(x.error_code, ''),"
               " coalesce(x.finish, '') FROM llm_calls x" + OF + " ORDER BY x.started_at, x.id")
TOOL_CALLS = ("SELECT s.remote_address, x.outcome FROM tool_calls x" + OF + " ORDER BY x.round, x.place")


def by_customer(desk, text):
    found = {}
    for address, *row in desk.sql(text):
        found.setdefault(address, []).append(tuple(row))
    return found


def failure_classes(desk):
    """{session: classes} of the failures that the engine logged."""
    found = {}
    for line in desk.log("engine-1"):
        assert not line.get("suppressed"), "too many failures in a second for the log: make waves smaller"
        if line.get("event") == "model.failed":
            found.setdefault(line["session"], set()).add(line["err"]["class"])
    return found


def answered(desk, cases):
    return desk.value("SELECT count(*) FROM deliveries d JOIN channel_sessions s ON s.tenant_id ="
                      " d.tenant_id AND s.id = d.session_id WHERE s.remote_address = ANY(%s)",
                      [case.customer.address for case in cases])


def test_every_fault_in_every_dialect(desk):
    """Wave after wave; the table says what came of each."""
    # Nothing dies here: a lease that lapses would have every turn of a wave begun anew.
    engines(desk, turn_deadline_ms=28000, adopter_deadline_ms=10000, worker_lease_ms=8000)
    with places(desk) as where:
        make_tenants(desk, where)
        for case in CASES:
            case.meet(desk, where)
        desk.faults("model", *[case.rule() for case in CASES if case.fault.stand])
        for begin in range(0, len(CASES), WAVE):
            said = CASES[:begin + WAVE]
            say(desk, *[case.said for case in CASES[begin:begin + WAVE]])
            slow = 0 if len(said) == len(CASES) else SLOW
            desk.wait(lambda: answered(desk, said) >= len(said) - slow, 60,
                      f"replies to {len(said)} customers, got {answered(desk, said)}")
    replies, calls, tools = (by_customer(desk, text) for text in (REPLIES, MODEL_CALLS, TOOL_CALLS))
    classes = failure_classes(desk)
    wrong = []
    for case in CASES:
        address = case.customer.address
        (session, *reply), = replies[address]
        wrong.append(case.judge(reply, calls.get(address, []), classes.get(session, set()),
                                [outcome for outcome, in tools.get(address, [])]))
    tables.show(f"{len(CASES)} faults of vendors", ("dialect", "fault", "class", "the customer got", "recorded"),
                [(case.label, case.fault.name, " ".join(sorted(case.classes)) or "-", case.got, case.seen)
                 for case in CASES], wide=80)
    tables.same([row for row in wrong if row])
