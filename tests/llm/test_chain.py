"""The engine and a tenant's chain of models: the three dialects, who is asked next, and who is left
alone (what each kind of failure is: test_faults.py). The stand-in speaks all dialects; each entry of a
chain is told apart by its path.
"""

import contextlib
import json
import re
import threading
import time
from itertools import groupby

import yaml

from call_records import CALLS, Call
from harness import CHECKOUT, oracle
from harness.standstill import Standstill
from harness.vendor import END, HANG, OPEN, STREAMS, Vendor, chunk, event, openai, whole
from operating import TENANTS, good
from procs import free_port
from scripted import Customer, engines, say
from tenants import read_document

SHARE = True
DEADLINE_S = 90

GARAGE = 1  # of desk.tenants, in the order of the files

# What of the stand-in's URL is the base of each vendor's endpoint.
BASES = {"openai": "/v1", "deepseek": "/v1", "gemini": "/v1beta", "anthropic": "/v1"}
DIALECTS = {"openai": "openai", "deepseek": "openai", "gemini": "gemini", "anthropic": "anthropic"}
PATHS = {"openai": "/chat/completions", "gemini": ":streamGenerateContent", "anthropic": "/messages"}

# Where time is not the subject there is enough of it; nothing dies here, so that a lease may be long.
UNHURRIED = {"turn_deadline_ms": 20000, "adopter_deadline_ms": 10000, "worker_lease_ms": 8000}


def entry(desk, vendor, **more):
    stand = desk.installation.model_url.removesuffix("/v1")
    return {"vendor": vendor, "base_url": stand + BASES[vendor], "model": "stand-1",
            "key": "env:OPENAI_API_KEY", "first_token": "8s", "total": "10s", **more}


def apply(desk, *entries, on=None):
    """The garage has these models and, if they are named, these triggers of escalations."""
    document = read_document(TENANTS / "garage.yaml")
    document["assistant"]["models"] = list(entries)
    if on is not None:
        document["escalation"] = {"on": on}
    path = desk.folder / "chain.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")


@contextlib.contextmanager
def chain(desk, *entries, **config):
    """The garage has these models; afterwards its own again."""
    engines(desk, **{**UNHURRIED, **config})
    apply(desk, *entries)
    try:
        yield Customer(desk, GARAGE)
    finally:
        desk.faults("model")
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")


def calls(customer):
    """[(provider, outcome, error code)] of all model calls for the customer, in order."""
    return customer.desk.sql(
        "SELECT l.provider, l.outcome, coalesce(l.error_code, '') FROM llm_calls l"
        " JOIN turns t ON t.tenant_id = l.tenant_id AND t.id = l.turn_id"
        " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s ORDER BY l.started_at, l.id",
        customer.tenant_id, customer.address)


def last_call(customer):
    """When the last model call for the customer began, in seconds."""
    return customer.desk.value(
        "SELECT extract(epoch FROM max(l.started_at))::double precision FROM llm_calls l JOIN turns t"
        " ON t.tenant_id = l.tenant_id AND t.id = l.turn_id JOIN channel_sessions s"
        " ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s",
        customer.tenant_id, customer.address)


def troubled(desk):
    return desk.service("engine-1").metrics()["frontdesk_models_troubled"]


def status(code, **more):
    return {"type": "status", "status": code, **more}


def test_every_dialect_answers_and_remembers(desk):
    for vendor in BASES:
        with chain(desk, entry(desk, vendor)) as customer:
            first = customer.text()
            (body, outcome, _), = customer.wait_replies(1)
            assert outcome == "reply" and oracle.new_nonces(body) == [first.nonce], (vendor, body)
            second = customer.text()
            body, outcome, _ = customer.wait_replies(2)[1]
            assert outcome == "reply", (vendor, calls(customer))
            assert oracle.new_nonces(body) == [second.nonce] and first.nonce in body, (vendor, body)
            assert calls(customer) == [(vendor, "answered", "")] * 2
            asked = [call["params"]["dialect"] for call in customer.model_calls()]
            assert asked == [DIALECTS[vendor]] * 2
            assert desk.value(
                "SELECT bool_and(l.tokens_in > 0 AND l.tokens_out > 0 AND l.finish = 'stop'"
                " AND l.model = 'stand-1' AND l.request_id IS NOT NULL) FROM llm_calls l JOIN turns t"
                " ON t.tenant_id = l.tenant_id AND t.id = l.turn_id WHERE t.session_id = %s::uuid",
                customer.session()["id"])


# What each vendor's file makes of a request: its path, how the key goes, and what of the body is its own.
BEARER, PLAIN = "authorization: bearer a-key", {"max_tokens": 300, "stream_options": {"include_usage": True}}
CHAT = "/v1/chat/completions"
FILES = {
    "openai": (CHAT, BEARER, {"max_completion_tokens": 300, "stream_options": {"include_usage": True}}),
    "gemini": ("/v1beta/models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse", "x-goog-api-key: a-key", {}),
    "anthropic": ("/v1/messages", "x-api-key: a-key", {"max_tokens": 300}),
    "deepseek": ("/chat/completions", BEARER, {**PLAIN, "thinking": {"type": "disabled"}}),
    "groq": ("/openai" + CHAT, BEARER, PLAIN),
    "mistral": (CHAT, BEARER, PLAIN),
    "xai": (CHAT, BEARER, PLAIN),
    "openrouter": ("/api" + CHAT, BEARER, PLAIN),
    "together": (CHAT, BEARER, PLAIN),
    "ollama": (CHAT, None, PLAIN),
    "llamacpp": (CHAT, None, PLAIN),
    "vllm": (CHAT, None, PLAIN),
}
NAMELESS = ("openrouter", "together", "ollama", "llamacpp", "vllm")  # a tenant names the model


@contextlib.contextmanager
def business_of_each_vendor(desk, wire):
    """{vendor: a customer of its tenant}, each tenant with that vendor's file at another address, and no more."""
    folder = desk.folder / "vendors"
    folder.mkdir()
    for path in (CHECKOUT / "deploy" / "vendors").glob("*.yaml"):
        text = re.sub(r"^(base_url: )https?://[^/\s]+", rf"\g<1>{wire.url('')}", path.read_text(), flags=re.M)
        (folder / path.name).write_text(text)
    source = read_document(TENANTS / "garage.yaml")
    document = {key: source[key] for key in ("timezone", "language", "assistant", "channels")}
    known, files = len(desk.tenants), []
    for place, (vendor, (_, key, _)) in enumerate(FILES.items(), 1):
        channel = {**source["channels"][0], "number": f"+155501980{place:02d}",
                   "account_sid": f"AC{0xf00 + place:032x}"}
        model = {"vendor": vendor, **({"key": "env:VENDOR_KEY"} if key else {}),
                 **({"model": "small-1"} if vendor in NAMELESS else {})}
        document = {**document, "name": f"of-{vendor}", "display_name": vendor, "channels": [channel],
                    "assistant": {**source["assistant"], "models": [model]}}
        files.append(desk.folder / f"of-{vendor}.yaml")
        files[-1].write_text(yaml.safe_dump(document))
        desk.tenants.append({"name": document["name"], "account_sid": channel["account_sid"], "auth_token": "",
                             "messaging_service_sid": None, "numbers": {"sms": channel["number"]}})
    good(desk, "tenant", "apply", *files, "--yes",
         environment={"FRONTDESK_VENDORS_DIR": str(folder), "VENDOR_KEY": "a-key"})
    try:
        yield {vendor: Customer(desk, known + place) for place, vendor in enumerate(FILES)}
    finally:
        del desk.tenants[known:]


def test_every_vendors_file_is_asked_as_it_says(desk):
    """Two texts, so that the second request holds an answer of the model's."""
    engines(desk, **UNHURRIED)
    wire, said = Vendor(free_port()), {}
    with contextlib.closing(wire), business_of_each_vendor(desk, wire) as customers:
        for number in (1, 2):
            wire.plays.clear()  # the first text stands in the second prompt, too
            for vendor, customer in customers.items():
                said[vendor] = customer.make()
                stream = STREAMS[DIALECTS.get(vendor, "openai")](["You wrote ", said[vendor].nonce])
                wire.play(f"{said[vendor].nonce} hello", [OPEN, chunk(stream), END])
            say(desk, *said.values())
            for vendor, customer in customers.items():
                body, outcome, _ = customer.wait_replies(number)[-1]
                assert (body, outcome) == (f"You wrote {said[vendor].nonce}", "reply"), (vendor, body)
                assert calls(customer) == [(vendor, "answered", "")] * number
    for vendor, (path, key, own) in FILES.items():
        body = next(body for body in wire.asked if f"{said[vendor].nonce} hello".encode() in body)
        head, request = wire.heads[body].lower(), json.loads(body)
        assert head.startswith(f"post {path.lower()} "), (vendor, head)
        assert (key in head) if key else ("key" not in head and "authorization" not in head), (vendor, head)
        assert ("anthropic-version: 2023-06-01" in head) == (vendor == "anthropic"), head
        assert {name: request.get(name) for name in own} == own, (vendor, request)
        echoed = [m for m in request.get("messages", []) if m["role"] == "assistant" and "reasoning_content" in m]
        assert (len(echoed) == 1) == (vendor == "deepseek"), (vendor, request)
        if vendor in NAMELESS:
            assert request["model"] == "small-1"


def test_next_in_the_chain_answers(desk):
    with chain(desk, entry(desk, "openai", base_url="http://127.0.0.1:1"), entry(desk, "gemini"),
               entry(desk, "anthropic")) as customer:
        desk.faults("model", {"path": PATHS["gemini"], "action": status(500)})
        said = customer.text()
        (body, outcome, _), = customer.wait_replies(1)
        assert outcome == "reply" and oracle.new_nonces(body) == [said.nonce]
        tried = [(call, len(list(same))) for call, same in groupby(calls(customer))]
        assert [call for call, _ in tried] == [("openai", "failed", "http.connect"),
                                               ("gemini", "failed", "llm.unavailable"),
                                               ("anthropic", "answered", "")]
        # Once more for one that fails at once; a machine that stood still makes it a slow one.
        assert all(count <= 2 for _, count in tried), tried


def test_slow_model_is_not_asked_again_while_another_waits(desk):
    with chain(desk, entry(desk, "openai", first_token="1s"), entry(desk, "gemini")) as customer:
        desk.faults("model", {"path": PATHS["openai"], "action": {"type": "hang"}})
        customer.text()
        (_, outcome, _), = customer.wait_replies(1)
        assert outcome == "reply"
        assert calls(customer) == [("openai", "failed", "llm.first_token"),
                                   ("gemini", "answered", "")]


def test_slow_model_loses_the_race_on_a_call(desk):
    """It begins its answer, but thinks: the next one has the first word, and the caller hears it alone."""
    vendor, nonce, thought = Vendor(free_port()), desk.new_nonce(), threading.Event()
    thinks = event({"id": "c-1", "model": "wire-1", "choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]})
    vendor.play(nonce, [OPEN, chunk(thinks), thought.set, HANG],
                [thought, whole("200 OK", "text/event-stream", openai(["We are open."]))])
    slow = entry(desk, "openai", base_url=vendor.url("/v1"), race_after="300ms")
    quick = entry(desk, "deepseek", base_url=vendor.url("/v1"))
    with contextlib.closing(vendor), chain(desk, slow, quick, **CALLS) as caller:
        call = Call(desk, caller)
        with contextlib.closing(call):
            call.setup()
            call.prompt("hello", nonce)
            assert call.wait_over() == "We are open."
            call.wait_settled(1)
        assert calls(caller) == [("openai", "lost_race", ""), ("deepseek", "answered", "")]
        (loser, winner), = desk.sql(
            "SELECT (SELECT row_to_json(l) FROM llm_calls l WHERE l.turn_id = t.id AND l.outcome = 'lost_race'),"
            " (SELECT row_to_json(l) FROM llm_calls l WHERE l.turn_id = t.id AND l.outcome = 'answered')"
            " FROM turns t JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
            " WHERE s.call_sid = %s", call.sid)
        assert loser["request_id"] == "c-1" and loser["model"] == "wire-1", loser
        assert loser["tokens_in"] > 0 and loser["tokens_out"] == 0 and loser["first_token_ms"] is None, loser
        # Asked earlier, and cut as the other had its first word.
        assert loser["total_ms"] >= winner["first_token_ms"] and loser["queue_ms"] >= 0, (loser, winner)
        assert loser["started_at"] < winner["started_at"], (loser, winner)


def test_wrong_key_is_left_alone_until_a_new_version(desk):
    entries = [entry(desk, "openai"), entry(desk, "gemini")]
    with chain(desk, *entries) as customer:
        before = desk.settled(1.5, lambda: troubled(desk), 20)
        desk.faults("model", {"path": PATHS["openai"], "action": status(401)})
        for count in range(1, 4):
            customer.text()
            assert customer.wait_replies(count)[-1][1] == "reply"
        assert calls(customer) == [("openai", "failed", "llm.config")] + \
            [("gemini", "answered", "")] * 3
        desk.wait(lambda: troubled(desk) == before + 1, 5, "the metric")
        desk.faults("model")
        customer.text()
        customer.wait_replies(4)
        assert calls(customer)[-1][0] == "gemini"
    entries[0]["max_tokens"] = 200
    with chain(desk, *entries) as customer:
        customer.text()
        customer.wait_replies(1)
        assert calls(customer) == [("openai", "answered", "")]


def test_retry_after_is_obeyed_with_calls_side_by_side(desk):
    """A call that began before the 429 and goes well says nothing about the time that the vendor asks for."""
    vendor, go = Vendor(free_port()), threading.Event()
    patient = entry(desk, "openai", base_url=vendor.url("/v1"), first_token="25s", total="25s")
    with chain(desk, patient, entry(desk, "gemini"), turn_deadline_ms=30000) as early:
        limited, late = Customer(desk, GARAGE), Customer(desk, GARAGE)
        first, second, third = early.make(), limited.make(), late.make()
        answer = whole("200 OK", "text/event-stream", openai(["Here you are."]))
        vendor.play(first.nonce, [go, answer])
        vendor.play(second.nonce, [whole("429 Too Many Requests", "application/json", b"{}", "Retry-After: 3600")])
        vendor.play(third.nonce, [answer])
        say(desk, first)
        desk.wait(lambda: vendor.asked, 20, "the first customer's call")
        say(desk, second)
        assert limited.wait_replies(1)[0][1] == "reply"
        go.set()
        assert early.wait_replies(1)[0][1] == "reply"
        say(desk, third)
        assert late.wait_replies(1)[0][1] == "reply"
        assert calls(limited) == [("openai", "failed", "llm.throttled"), ("gemini", "answered", "")]
        assert calls(early) == [("openai", "answered", "")]
        assert calls(late) == [("gemini", "answered", "")]
    vendor.close()


def test_prompt_that_is_refused_says_nothing_about_the_model(desk):
    """A filter's refusal is final for this prompt, for the whole chain; another customer is answered."""
    with chain(desk, entry(desk, "openai"), entry(desk, "gemini")):
        for _ in range(6):
            customer = Customer(desk, GARAGE)
            said = customer.make()
            desk.faults("model", {"match": said.nonce, "action": {
                "type": "reply", "text": "half", "finish_reason": "content_filter"}})
            say(desk, said)
            (_, outcome, _), = customer.wait_replies(1)
            assert outcome == "fallback" and calls(customer) == [("openai", "failed", "llm.filtered")]
        other = Customer(desk, GARAGE)
        other.text()
        other.wait_replies(1)
        assert calls(other) == [("openai", "answered", "")]


def test_cost_is_recorded(desk):
    """By the prices of the vendor's file for the model that the tenant chose."""
    with chain(desk, entry(desk, "openai", model="gpt-5.4-mini")) as customer:
        customer.text()
        customer.wait_replies(1)
        tokens_in, tokens_out, cost = desk.sql(
            "SELECT l.tokens_in, l.tokens_out, l.cost FROM llm_calls l JOIN turns t"
            " ON t.tenant_id = l.tenant_id AND t.id = l.turn_id WHERE t.session_id = %s::uuid",
            customer.session()["id"])[0]
        assert cost == tokens_in * 750 + tokens_out * 4500
        shown = good(desk, "conversation", "show", customer.conversation()).out
        assert f"some $0.{cost // 1000:06d}" in shown, shown


def test_model_that_keeps_failing_is_left_alone_and_tried_again(desk):
    """Three tries of each turn; the fifth failure in a row opens the breaker for 5 s, which no turn here
    has: who comes meanwhile gets the fallback at once, and one call at most tries the model afterwards."""
    with chain(desk, entry(desk, "openai"), turn_deadline_ms=4500), Standstill() as still:
        desk.faults("model", {"path": PATHS["openai"], "action": status(503)})
        tries = []
        while sum(tries) < 5:
            customer, begin = Customer(desk, GARAGE), time.monotonic()
            customer.text()
            (_, outcome, _), = customer.wait_replies(1)
            failed = [call for call in calls(customer) if call[1] == "failed"]
            assert outcome == "fallback" and len(failed) <= 3, calls(customer)
            # The third one leaves 1.8 s after the first: a turn whose time was taken has fewer.
            expected = min(3, 5 - sum(tries))
            stood_s = still.during(begin, time.monotonic())
            assert len(failed) == expected or (failed and stood_s > 1), (tries, calls(customer), stood_s)
            tries.append(len(failed))
        assert sum(tries) == 5, tries
        opened = last_call(customer)
        customer = Customer(desk, GARAGE)
        customer.text()
        (_, outcome, _), = customer.wait_replies(1)
        assert outcome == "fallback"
        asked = len(calls(customer))
        assert asked == 0 or (asked == 1 and last_call(customer) - opened >= 5), calls(customer)
        desk.faults("model")

        def answered():
            customer = Customer(desk, GARAGE)
            customer.text()
            return customer.wait_replies(1)[0][1] == "reply"
        desk.wait(answered, 20, "the model to be tried again")
