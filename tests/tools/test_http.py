"""A tenant's own HTTP tools: what leaves, what the model is told of what comes back, and that a call
keeps its one idempotency key whatever dies meanwhile (docs/HTTP_TOOLS.md, docs/PROTOCOL.md). The
stand-in of the tool has a ledger; an entry has a sid if that request did something.
"""

import contextlib
import copy
import json

import yaml

from harness import oracle
from harness.stops import KILL
from harness.vendor import END, OPEN, Vendor, chunk, openai
from operating import TENANTS, good
from procs import free_port
from scripted import Customer, engines, hand_back, say, take_over
from tenants import read_document
from test_effects import GARAGE, MESSAGE, STEADY, answered, ask, calls, escalations

SHARE = True
DEADLINE_S = 90

# A call has two thirds of the turn's time: with its tries it passes also where the machine stands still.
TIMES = {"turn_deadline_ms": 9000, "adopter_deadline_ms": 9000, "tool_networks": "127.0.0.0/8"}
NUMBER = {"number": "A-17"}


def tools_at(url, **changes):
    """A question and a change, as the file has them; without shared parts, which would be anchors."""
    common = {"secret": "env:TOOL_SECRET", "parameters": {
        "type": "object", "properties": {"number": {"type": "string", "maxLength": 20}},
        "required": ["number"], "additionalProperties": False}, **changes}
    return [{"name": "order_status", "description": "Where an order is.", "changes": False,
             "url": f"{url}/status", "result": {"type": "object", "properties": {
                 "state": {"type": "string"}}}, **copy.deepcopy(common)},
            {"name": "order_cancel", "description": "Cancels an order.", "changes": True,
             "url": f"{url}/cancel", **common}]


@contextlib.contextmanager
def shop(desk, count=1, config=None, **changes):
    """The garage with tools of its own; afterwards without."""
    url = desk.start_tool()
    engines(desk, count, **TIMES | (STEADY if count == 1 else {}) | (config or {}))
    desk.reset("tool")
    document = read_document(TENANTS / "garage.yaml")
    document.pop("greeting", None)
    document["http_tools"] = tools_at(url, **changes)
    path = desk.folder / "garage.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield Customer(desk, GARAGE)
    finally:
        desk.faults("model")
        desk.faults("tool")
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")


def requests(desk):
    """The params of what the tool got, oldest first, with outcome, status and sid."""
    return [{**entry["params"], "outcome": entry["outcome"], "status": entry["status"],
             "sid": entry["sid"]} for entry in desk.ledger("tool")]


def keys(desk):
    return {request["idempotency_key"] for request in requests(desk)}


def done(desk):
    """The calls that had their effect, one entry for each time."""
    return [request["sid"] for request in requests(desk) if request["sid"]]


def call_id(customer):
    return customer.desk.value(
        "SELECT k.id::text FROM tool_calls k JOIN turns t ON t.tenant_id = k.tenant_id"
        " AND t.id = k.turn_id JOIN channel_sessions s ON s.tenant_id = t.tenant_id"
        " AND s.id = t.session_id WHERE s.tenant_id = %s::uuid AND s.remote_address = %s",
        customer.tenant_id, customer.address)


def test_answer_is_used(desk):
    """The request is signed and holds nothing of the customer but what the model wrote; the model
    answers with what the tool said."""
    with shop(desk) as customer:
        said = customer.make("where is my order?")
        desk.faults("tool", {"action": {"type": "reply", "text": json.dumps({"state": "in-the-van"})}})
        desk.faults("model", {"match": "in-the-van", "action": {
            "type": "reply", "text": f"{said.nonce} it is in the van"}},
            {"match": said.nonce, "action": {"type": "tool_call", "name": "order_status",
                                             "arguments": json.dumps(NUMBER)}})
        say(desk, said)
        assert customer.wait_replies(1)[0][:2] == (f"{said.nonce} it is in the van", "reply")
        (name, state, outcome, result), = calls(customer)
        assert (name, state, outcome) == ("order_status", "done", "ok")
        assert result["data"] == {"state": "in-the-van"} and "instruction" in result["note"]
        request, = requests(desk)
        assert request["signed"] and request["signature"].startswith("v1="), request
        assert request["idempotency_key"] == request["call"] == call_id(customer)
        body = json.loads(request["body"])
        assert body == {"call": request["call"], "tool": "order_status", "arguments": NUMBER,
                        "conversation": customer.conversation()}
        engine = desk.services["engine-1"].metrics()
        assert engine['frontdesk_tool_calls_total{outcome="answered"}'] >= 1


def test_tools_are_offered(desk):
    """The model is told each with what it takes; what its own prompt holds of it is the ledger's."""
    with shop(desk) as customer:
        for part in ('"order_status"', "Where an order is.", '"order_cancel"'):
            said = customer.make("hello")
            desk.faults("model", {"match": part, "action": {"type": "reply", "text": said.nonce}})
            count = len(customer.replies()) + 1
            say(desk, said)
            assert customer.wait_replies(count)[-1][:2] == (said.nonce, "reply"), part
        assert not requests(desk)


def test_wrong_arguments_are_told(desk):
    """Nothing leaves; the model is told what is wrong and goes on."""
    wrong = [("{\"number\":", "not one JSON object"), ({}, "number: required"),
             ({"number": 17}, "number"), ({"number": "A" * 21}, "number"),
             ({"number": "A", "to": "me"}, "to")]
    with shop(desk):
        for arguments, word in wrong:
            customer = Customer(desk, GARAGE)
            said = ask(desk, customer, "order_cancel", arguments)
            answered(customer, said, 1)
            (_, state, outcome, result), = calls(customer)
            assert (state, outcome) == ("done", "refused") and word in result["error"], result
        assert not requests(desk)


test_wrong_arguments_are_told.deadline_s = 120

# (what the tool does, what the model is told, requests, "done" of the tool that changes something; a
# call of which that is not known has the outcome "unknown", one that the tool says no to "refused"). Five failures in a row would leave the
# server alone: one that is answered stands between.
FAULTS = [
    ({"type": "status", "status": 500}, "does not work", 3, "not known"),
    ({"type": "status", "status": 404}, "refused", 1, "no"),
    ({"type": "cut"}, "cannot be reached", 3, "not known"),
    ({"type": "wrong_json"}, "could not be read", 1, "not known"),
    ({"type": "nonsense"}, "could not be read", 1, "not known"),
    ({"type": "empty"}, "could not be read", 1, "not known"),
    ({"type": "huge"}, "too long", 1, "not known"),
]


def test_each_fault(desk):
    """The turn goes on, the model is told in our words, and every try had the one key."""
    with shop(desk):
        for action, word, count, is_done in FAULTS:
            desk.reset("tool")
            desk.faults("tool", {"action": action})
            customer = Customer(desk, GARAGE)
            said = ask(desk, customer, "order_cancel", NUMBER)
            answered(customer, said, 1)
            (_, state, outcome, result), = calls(customer)
            assert (state, outcome) == ("done", "refused" if is_done == "no" else "unknown"), \
                (action, outcome, result)
            assert word in result["error"] and result["done"].startswith(is_done), (action, result)
            assert "127.0.0" not in json.dumps(result), result
            assert len(requests(desk)) == count, (action, requests(desk))
            assert keys(desk) == {call_id(customer)}, action


test_each_fault.deadline_s = 180


def test_server_that_asks_for_fewer_requests(desk):
    """Longer than the turn has: the model is told, and the next customer's call is not sent at all, told
    as not done. With engines of its own, for they leave the server alone. Guard: may_ask."""
    with shop(desk, config={"turn_deadline_ms": 9500}):
        desk.faults("tool", {"action": {"type": "status", "status": 429, "retry_after": "60"}})
        for word in ("does not work", "it was not asked this time"):
            customer = Customer(desk, GARAGE)
            said = ask(desk, customer, "order_cancel", NUMBER)
            answered(customer, said, 1)
            (_, state, outcome, result), = calls(customer)
            assert (state, outcome) == ("done", "failed"), (outcome, result)
            assert word in result["error"] and result["done"] == "no", result
            assert len(requests(desk)) == 1, requests(desk)
        desk.wait(lambda: desk.services["engine-1"].metrics()["frontdesk_tool_servers_troubled"] == 1, 5,
                  "the metric")


def test_answer_that_breaks_its_schema(desk):
    with shop(desk) as customer:
        desk.faults("tool", {"action": {"type": "reply", "text": json.dumps({"state": 17})}})
        said = ask(desk, customer, "order_status", NUMBER)
        answered(customer, said, 1)
        (_, state, outcome, result), = calls(customer)
        assert (state, outcome) == ("done", "failed") and "could not be read" in result["error"]
        assert "17" not in json.dumps(result) and "done" not in result


def test_silent_tool_leaves_time_for_an_answer(desk):
    """A tool that never answers, with more patience of its own than the turn has: the reply is the
    model's, not the fallback. Guard: the budget in call_outside of effects.c."""
    with shop(desk, timeout="30s") as customer:
        desk.faults("tool", {"action": {"type": "hang"}})
        said = ask(desk, customer, "order_status", NUMBER)
        answered(customer, said, 1)
        (_, state, outcome, result), = calls(customer)
        assert (state, outcome) == ("done", "failed") and "in time" in result["error"], result


def test_tool_that_is_away_is_a_task(desk):
    """What the customer wanted is listed for people, once until that is closed; not where the model took a message, nor where
    a call of the tool went well. Guard: unseen_call of escalate.c."""
    broken, locked = ({"action": {"type": "status", "status": status}} for status in (500, 401))
    with shop(desk) as customer:
        desk.faults("tool", broken)
        answered(customer, said := ask(desk, customer, "order_status", NUMBER), 1)
        (reason, summary, _, state), = escalations(customer)
        assert (reason, state) == ("tool_outage", "open"), reason
        assert "order_status" in summary and said.nonce in summary and "may have done" not in summary, summary
        assert "tool_outage" in good(desk, "escalation", "list").out
        desk.faults("tool", locked)
        answered(customer, ask(desk, customer, "order_cancel", NUMBER), 2)
        assert len(escalations(customer)) == 1
        task = desk.value("SELECT id::text FROM escalations WHERE conversation_id = %s::uuid", customer.conversation())
        good(desk, "escalation", "close", task)
        answered(customer, ask(desk, customer, "order_cancel", NUMBER), 3)
        assert sorted(row[3] for row in escalations(customer)) == ["closed", "open"]
        desk.faults("model", {"action": {"type": "obey"}})
        for wishes, outcomes, listed in (((("order_status", NUMBER), ("take_message", MESSAGE)), ["failed", "ok"], ["message"]),
                                         ((("order_cancel", NUMBER), ("order_cancel", {"number": "A-18"})), ["failed", "ok"], [])):
            desk.faults("tool", {**locked, "count": 1})
            customer = Customer(desk, GARAGE)
            customer.text(" ".join("INJECT:" + json.dumps({"call": name, "arguments": arguments})
                                   for name, arguments in wishes))
            assert customer.wait_replies(1)[0][1] == "reply"
            assert [row[2] for row in calls(customer)] == outcomes, calls(customer)
            assert [row[0] for row in escalations(customer)] == listed, wishes


test_tool_that_is_away_is_a_task.deadline_s = 120


def test_no_of_a_tool_is_no_task(desk):
    """No such order, a slot that is taken: the tool works, and the model tells the customer. Guard: was_refused of tool_http.c."""
    with shop(desk):
        for status in (404, 409, 422):
            desk.faults("tool", {"action": {"type": "status", "status": status}})
            customer = Customer(desk, GARAGE)
            for count, tool in enumerate(("order_status", "order_cancel"), 1):
                answered(customer, ask(desk, customer, tool, NUMBER), count)
            assert [row[1:3] for row in calls(customer)] == [("done", "refused")] * 2, calls(customer)
            assert not escalations(customer), escalations(customer)


test_no_of_a_tool_is_no_task.deadline_s = 120


def test_second_try(desk):
    """What passes is tried again: the same call, one effect."""
    with shop(desk):
        for action in ({"type": "status", "status": 503, "retry_after": "1"},
                       {"type": "accepted_but_answer_lost"}):
            desk.reset("tool")
            desk.faults("tool", {"count": 1, "action": action})
            customer = Customer(desk, GARAGE)
            said = ask(desk, customer, "order_cancel", NUMBER)
            answered(customer, said, 1)
            assert calls(customer)[0][1:3] == ("done", "ok"), calls(customer)
            assert len(requests(desk)) == 2 and done(desk) == [call_id(customer)], requests(desk)
            assert keys(desk) == {call_id(customer)}


def test_wrong_secret(desk):
    """The tool refuses what another key has signed: nothing is done, and the model hears no more."""
    with shop(desk, secret="env:GARAGE_TWILIO_AUTH_TOKEN") as customer:
        said = ask(desk, customer, "order_cancel", NUMBER)
        answered(customer, said, 1)
        (_, _, outcome, result), = calls(customer)
        assert outcome == "failed" and "refused" in result["error"] and result["done"] == "no"
        assert [(r["status"], r["signed"]) for r in requests(desk)] == [(401, False)]
        assert not done(desk)


def test_redirect_is_not_followed(desk):
    """Not even to where the tool itself may be."""
    with shop(desk) as customer:
        target = desk.stand_url("model") + "/v1/models?redirected"
        desk.faults("tool", {"action": {"type": "status", "status": 302, "message": target}})
        said = ask(desk, customer, "order_status", NUMBER)
        answered(customer, said, 1)
        (_, _, outcome, result), = calls(customer)
        assert outcome == "failed" and "not set up" in result["error"], result
        assert len(requests(desk)) == 1
        assert not [entry for entry in desk.ledger("model") if entry["method"] == "GET"]


def test_private_address_is_refused(desk):
    """Without tool_networks the loopback is no place for a tool. Guard: public_only."""
    with shop(desk, config={"tool_networks": ""}) as customer:
        said = ask(desk, customer, "order_status", NUMBER)
        answered(customer, said, 1)
        (_, _, outcome, result), = calls(customer)
        assert outcome == "failed" and "not set up" in result["error"], result
        assert not requests(desk)
        failed = [line for line in desk.log("engine-1") if line.get("event") == "tool.failed"]
        assert failed and failed[-1]["err"]["code"] == "http.address", failed


def test_networks_are_read_strictly(desk):
    engines(desk, 1, **TIMES | STEADY)
    engine = desk.services["engine-1"]
    for value, word in (("10.0.0.0/8,fd00::/8,192.168.1.7", None), ("10.0.0.0/33", "0 to 32 bits"),
                        ("10.0.0.1/8", "behind the prefix"), ("10.0.0.0/8, fd00::/8", "no address"),
                        ("shop.example", "no address"), ("10.0.0.0/8,", "no address")):
        code, words = engine.check_config(tool_networks=value)
        assert code == (0 if word is None else 2), (value, words)
        assert word is None or ("tool_networks" in words and word in words), (value, words)


# ---- what dies meanwhile

def begun(desk, customer, tool="order_cancel"):
    """A conversation that has begun asks for the tool; returns what was said."""
    answered(customer, customer.text(), 1)
    return ask(desk, customer, tool, NUMBER)


def one_call(desk, customer, said):
    """However it went: one reply, one key, one effect, and its result is written."""
    answered(customer, said, 2)
    assert [call[1:3] for call in calls(customer)] == [("done", "ok")], calls(customer)
    assert keys(desk) == {call_id(customer)} and done(desk) == [call_id(customer)], requests(desk)
    assert all(request["signed"] for request in requests(desk))


def test_kill_with_a_call_in_hand(desk):
    """Before the request, before its answer is written, and after. Guard: rounds_next (the stored
    call goes on with its id)."""
    points = [("engine.tool_begun", "order_cancel", 1), ("engine.tool_answered", "order_cancel", 2),
              ("engine.tool_answered", "order_status", 2), ("engine.tool_done", "order_cancel", 1)]
    for point, tool, count in points:
        desk.scripted = None
        with shop(desk, count=2) as customer:
            answered(customer, customer.text(), 1)
            stop = desk.stops.arm(point, action=KILL, match=customer.session()["id"])
            said = ask(desk, customer, tool, NUMBER)
            desk.wait(lambda: stop.hits, 15, f"the kill at {point}")
            one_call(desk, customer, said)
            assert len(requests(desk)) == count, (point, requests(desk))
            desk.stops.clear()


test_kill_with_a_call_in_hand.deadline_s = 240


def test_kill_while_the_tool_works(desk):
    """The tool has done it, its answer finds nobody: the same call is sent again."""
    desk.scripted = None
    with shop(desk, count=2) as customer:
        desk.faults("tool", {"count": 1, "action": {"type": "delay", "ms": 60000}})
        said = begun(desk, customer)
        desk.wait(lambda: requests(desk), 15, "the request")
        worker = customer.session()["worker"]
        process = desk.value("SELECT process FROM workers WHERE id = %s::uuid", worker)
        desk.kill(process.partition("/")[0])
        one_call(desk, customer, said)
        assert [request["repeated"] for request in requests(desk)] == [False, True]
    desk.scripted = None


def test_takeover_while_the_tool_works(desk):
    """The request is cut and no reply leaves; after the hand-back the begun call goes on as itself. The
    call lasts until deskctl has started."""
    desk.scripted = None
    with shop(desk, config={"turn_deadline_ms": 40000, "worker_lease_ms": 4000}, timeout="30s") as customer:
        first = customer.text()
        answered(customer, first, 1)
        desk.faults("tool", {"count": 1, "action": {"type": "delay", "ms": 60000}})
        said = ask(desk, customer, "order_cancel", NUMBER)
        desk.wait(lambda: requests(desk), 15, "the request")
        take_over(desk, customer)
        desk.wait(lambda: requests(desk)[0]["outcome"] == "client_gone", 15, "the cut")
        desk.settled(1.5, lambda: len(customer.replies()), 15)
        assert len(customer.replies()) == 1
        assert [call[1] for call in calls(customer)] == ["started"]
        shown = good(desk, "conversation", "show", customer.conversation()).out
        assert 'tool order_cancel {"number": "A-17"}: unknown' in shown, shown
        hand_back(desk, customer)
        body, outcome, _ = customer.wait_replies(2)[-1]
        assert outcome == "reply" and oracle.new_nonces(body) == [first.nonce, said.nonce], body
        assert keys(desk) == {call_id(customer)} and done(desk) == [call_id(customer)]
        assert [call[1:3] for call in calls(customer)] == [("done", "ok")]
    desk.scripted = None


def test_person_answers_while_the_tool_works(desk):
    """The request is cut by a takeover, and the person answers, before or behind another text: the begun call
    is not asked for once more, and is not known. Guards: conversation.c answered_sql (without its end of the turn the
    next text takes that up); the text that is open at the hand-back is answered by a turn of its own; CUT_SQL of
    admin.c, since the turn stands behind no reply."""
    desk.scripted = None
    with shop(desk, config={"turn_deadline_ms": 40000, "worker_lease_ms": 4000}, timeout="30s") as customer:
        for writes_before in (False, True):
            desk.reset("tool")
            customer = Customer(desk, GARAGE)
            answered(customer, customer.text(), 1)
            desk.faults("tool", {"count": 1, "action": {"type": "delay", "ms": 60000}})
            said = ask(desk, customer, "order_cancel", NUMBER)
            desk.wait(lambda: requests(desk), 15, "the request")
            take_over(desk, customer)
            desk.wait(lambda: requests(desk)[0]["outcome"] == "client_gone", 15, "the cut")
            desk.faults("model")
            good(desk, "reply", customer.conversation(), "I have cancelled it for you.")
            thanks = customer.text("thanks") if writes_before else None
            hand_back(desk, customer)
            assert [call[1:3] for call in calls(customer)] == [("done", "unknown")], calls(customer)
            shown = good(desk, "conversation", "show", customer.conversation(), "--json").json()
            assert [(tool["name"], tool["outcome"]) for turn in shown["cut_turns"] for tool in turn["tools"]] == [
                ("order_cancel", "unknown")], shown["cut_turns"]
            thanks = thanks or customer.text("thanks")
            customer.wait_event(thanks, "answered", 30)
            desk.settled(1.5, lambda: (len(customer.replies()), len(requests(desk))), 15)
            assert len(requests(desk)) == 1, requests(desk)
            assert customer.event(said)[0] == "human" and customer.replies()[-1][1] == "reply"
            assert [(turn["state"], turn["outcome"]) for turn in customer.turns()] == [
                ("finished", "reply"), ("finished", "interrupted"), ("finished", "reply")], customer.turns()
    desk.scripted = None


def test_takeover_behind_a_change(desk):
    """The tool has worked and its reply has not left when somebody takes over, and hands back without a word,
    twice: the reply is sent as it stands, once, and the tool does nothing more. Guard: store/conversation.c
    say_again_sql."""
    with shop(desk) as customer:
        said = ask(desk, customer, "order_cancel", NUMBER)
        answered(customer, said, 1)
        for count in (2, 3):
            take_over(desk, customer)
            hand_back(desk, customer)
            customer.wait_replies(count)
        desk.settled(2, lambda: (len(customer.replies()), len(requests(desk))), 15)
        replies = customer.replies()
        assert {(body, outcome) for body, outcome, _ in replies} == {replies[0][:2]}, replies
        assert [state for _, _, state in replies] == ["suppressed", "suppressed", "pending"], replies
        assert done(desk) == [call_id(customer)] and len(customer.turns()) == 1
        assert customer.event(said) == ("answered", None)


def test_newer_text_drops_a_question(desk):
    """The customer is not kept waiting for an answer that nobody wants any more. Guard:
    ACTION_GIVE_WAY."""
    with shop(desk) as customer:
        answered(customer, customer.text(), 1)
        desk.faults("tool", {"count": 1, "action": {"type": "delay", "ms": 60000}})
        said = ask(desk, customer, "order_status", NUMBER, count=1)
        desk.wait(lambda: requests(desk), 15, "the request")
        newer = customer.text("never mind")
        body, outcome, _ = customer.wait_replies(2)[-1]
        assert outcome == "reply" and oracle.new_nonces(body) == [said.nonce, newer.nonce], body
        assert [request["outcome"] for request in requests(desk)] == ["client_gone"]
        assert [call[1] for call in calls(customer)] == ["asked"], calls(customer)


def test_newer_text_keeps_a_question_back(desk):
    """What has begun ends; a question behind it in the round is not even sent. Guard: `newer` in
    effects_run."""
    vendor = Vendor(free_port())
    with shop(desk) as customer:
        document = yaml.safe_load((desk.folder / "garage.yaml").read_text())
        document["assistant"]["models"] = [{"dialect": "openai", "base_url": vendor.url("/v1"),
                                            "model": "wire-1", "key": "env:OPENAI_API_KEY"}]
        (desk.folder / "garage.yaml").write_text(yaml.safe_dump(document))
        good(desk, "tenant", "apply", desk.folder / "garage.yaml", "--yes")
        desk.faults("tool", {"count": 1, "action": {"type": "delay", "ms": 3500}})
        said = customer.make("cancel it, and where is it?")
        vendor.play(said.nonce, [OPEN, chunk(openai(calls=[("order_cancel", NUMBER),
                                                           ("order_status", NUMBER)])), END],
                    [OPEN, chunk(openai([f"{said.nonce} never mind"])), END])
        say(desk, said)
        desk.wait(lambda: requests(desk), 15, "the request")
        customer.text("never mind where it is")
        assert customer.wait_replies(1)[0][:2] == (f"{said.nonce} never mind", "reply")
        assert [json.loads(request["body"])["tool"] for request in requests(desk)] == ["order_cancel"]
        assert [call[:2] for call in calls(customer)] == [("order_cancel", "done"),
                                                          ("order_status", "asked")]
        assert customer.turns()[0]["recomputes"] == 1 and len(vendor.asked) == 2
    vendor.close()


def test_turn_that_is_lost_with_a_call(desk):
    """Three engines die of one turn: what its own tool has recorded is told and not asked for again,
    and the call outside is not known, for the records too. Guards: rounds of a lost turn in
    turn.c, round_add_unheard."""
    desk.scripted = None
    vendor = Vendor(free_port())
    with shop(desk, count=4) as customer:
        document = yaml.safe_load((desk.folder / "garage.yaml").read_text())
        document["assistant"]["models"] = [{"dialect": "openai", "base_url": vendor.url("/v1"),
                                            "model": "wire-1", "key": "env:OPENAI_API_KEY"}]
        (desk.folder / "garage.yaml").write_text(yaml.safe_dump(document))
        good(desk, "tenant", "apply", desk.folder / "garage.yaml", "--yes")
        said = customer.make()
        vendor.play(said.nonce, [OPEN, chunk(openai(calls=[
            ("take_message", {"message": "please call"}), ("order_cancel", NUMBER)])), END])
        stop = desk.stops.arm("engine.tool_answered", action=KILL, times=3)
        say(desk, said)
        body, outcome, _ = customer.wait_replies(1, 60)[0]
        assert stop.hits == 3 and outcome == "degraded", (stop.hits, outcome)
        assert "Your message is recorded" in body and "your name?" not in body, body
        assert [call[1:3] for call in calls(customer)] == [("done", "ok"), ("done", "unknown")]
        assert len(done(desk)) == 1 and len(keys(desk)) == 1, requests(desk)
        shown = good(desk, "conversation", "show", customer.conversation()).out
        assert 'tool order_cancel {"number": "A-17"}: unknown' in shown, shown
    vendor.close()
    desk.scripted = None
    desk.stops.clear()


test_turn_that_is_lost_with_a_call.deadline_s = 120


def test_one_tenants_slow_tool_delays_no_other(desk):
    """Another tenant's turn, and this one's without a tool, are answered meanwhile."""
    config = {"tool_calls_per_tenant": 1, "turn_deadline_ms": 12000}
    with shop(desk, config=config, timeout="30s") as customer:
        desk.faults("tool", {"action": {"type": "hang"}})
        second = Customer(desk, GARAGE)
        texts = [customer.make("status"), second.make("status")]
        desk.faults("model", *[{"match": said.nonce, "action": {
            "type": "tool_call", "name": "order_status", "arguments": json.dumps(NUMBER)}}
            for said in texts])
        say(desk, *texts)
        desk.wait(lambda: requests(desk), 15, "the request")
        for other in (Customer(desk, 0), Customer(desk, GARAGE)):
            answered(other, other.text(), 1)
        assert not customer.replies() and len(requests(desk)) == 1
        answered(customer, texts[0], 1)
        answered(second, texts[1], 1)
        told = [calls(c)[0][3]["error"] for c in (customer, second)]
        assert all("busy" in words or "in time" in words for words in told), told


def test_long_results_stay_within_a_budget(desk):
    """Ten turns at once with a budget of ten reservations, each with two rounds of sixteen results of 16 kB: a turn
    reserves what its next prompt needs before it asks, or ends as one whose budget is spent. Guards: is_reserved in
    think.c; without it the budget is exceeded by more than all that was reserved. given_back in usage.c; without it
    all but one hold theirs and wait for more until their deadlines, of which there is none within this test."""
    vendor = Vendor(free_port())
    many = [OPEN, chunk(openai(calls=[("order_status", NUMBER)] * 16)), END]

    def apply(tokens):
        document = yaml.safe_load((desk.folder / "garage.yaml").read_text())
        document["assistant"]["models"] = [{"dialect": "openai", "base_url": vendor.url("/v1"), "model": "wire-1",
                                            "key": "env:OPENAI_API_KEY"}]
        document["budgets"] = {"day": {"tokens": tokens}}
        (desk.folder / "garage.yaml").write_text(yaml.safe_dump(document))
        good(desk, "tenant", "apply", desk.folder / "garage.yaml", "--yes")

    def begin(customer, *rounds):
        said = customer.make()
        vendor.play(said.nonce, *rounds, [OPEN, chunk(openai([f"You wrote {said.nonce}."])), END])
        return said

    long = {"turn_deadline_ms": 600000, "worker_lease_ms": 4000, "tool_calls_per_tenant": 32}
    with shop(desk, config=long) as plain:
        desk.faults("tool", {"action": {"type": "reply", "text": json.dumps({"state": "x" * 15900})}})
        apply(10 ** 9)
        say(desk, begin(plain))
        plain.wait_replies(1)
        one = plain.turns()[0]["reserved_tokens"]
        apply(10 * one)
        desk.sql("DELETE FROM usage WHERE tenant_id = %s::uuid", plain.tenant_id)
        customers = [Customer(desk, GARAGE) for _ in range(10)]
        say(desk, *[begin(customer, many, many) for customer in customers])
        outcomes = [customer.wait_replies(1, 120)[0][1] for customer in customers]
        assert set(outcomes) <= {"reply", "budget_spent"} and "reply" in outcomes, outcomes
        most = max(customer.turns()[0]["reserved_tokens"] or 0 for customer in customers)
        spent = desk.value("SELECT tokens FROM usage WHERE tenant_id = %s::uuid AND period = 'day'", plain.tenant_id)
        assert most > one and spent < 10 * one + most, (outcomes, one, most, spent)
    vendor.close()


test_long_results_stay_within_a_budget.deadline_s = 150
