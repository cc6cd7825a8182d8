"""What a turn does with its call beyond speaking: it ends it, texts the caller, puts him through to a
person, goes on in another language, hears keys. The test is the ingress (call_records.py) and plays what
Twilio and people do; rows say what came of it."""

import contextlib
import json
import threading
import urllib.parse

import yaml

from call_records import CALLS, Call
from harness import Skip, oracle
from harness.stops import KILL
from operating import TENANTS, good
from scripted import Customer, engines, say
from tenants import read_document

SHARE = True
DEADLINE_S = 120

REACHING = "One moment, please. I am trying to reach somebody for you."
NOBODY = "I am sorry, nobody could take your call just now."
PERSON = {"name": "dentist on call", "phone": "+15550100902"}  # of the clinic, at any hour
CARRIED = 1200  # bytes of a briefing, percent-encoded, that the whisper's URL has room for


@contextlib.contextmanager
def clinic(desk, **sections):
    """The clinic with these sections; afterwards its own again."""
    document = read_document(TENANTS / "dental.yaml")
    document.update(sections)
    path = desk.folder / "dental.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield document
    finally:
        good(desk, "tenant", "apply", TENANTS / "dental.yaml", "--yes")


@contextlib.contextmanager
def calling(desk, count=1, customer=None):
    engines(desk, count, **CALLS)
    call = Call(desk, customer)
    call.setup()
    try:
        yield call
    finally:
        call.close()
        desk.faults("model")


def calls_tool(nonce, tool, arguments=None, **more):
    return {"match": nonce, "count": 1, **more, "action": {
        "type": "tool_call", "name": tool, "arguments": json.dumps(arguments or {})}}


def ask_for(call, tool, arguments=None, words="hello"):
    """The caller says something to which the model calls the tool, once. Returns the nonce."""
    nonce = call.desk.new_nonce()
    call.desk.faults("model", calls_tool(nonce, tool, arguments))
    call.over = False
    call.prompt(words, nonce)
    return nonce


def orders(*calls):
    """Words at which a model that obeys calls these tools, one in each of its rounds."""
    return " ".join("INJECT:" + json.dumps({"call": tool, "arguments": arguments}) for tool, arguments in calls)


def go_on(call, words="and now?"):
    """The caller says something else, and the model just answers."""
    call.desk.faults("model")
    call.over = False
    return call.prompt(words)


def results(call):
    """[(name, outcome, result)] of the call's tool calls."""
    return [(name, outcome, json.loads(result)) for name, outcome, result in call.desk.sql(
        "SELECT k.name, k.outcome, k.result FROM tool_calls k JOIN turns t ON t.tenant_id = k.tenant_id"
        " AND t.id = k.turn_id JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.call_sid = %s AND k.state = 'done' ORDER BY t.number, k.round, k.place", call.sid)]


def closed(call):
    return call.desk.value("SELECT closed_at IS NOT NULL FROM conversations WHERE id = %s::uuid",
                           call.session()["conversation_id"])


# The end

def end(call):
    call.ended()
    call.desk.wait(lambda: call.session()["ended_at"], 15, "the call's end in the rows")


def test_the_desk_ends_the_call(desk):
    """Goodbye, then the ingress hangs up; what was begun closes with the call, not before."""
    with calling(desk) as call:
        nonce = ask_for(call, "end_conversation", words="That is all, thank you.")
        said = call.wait_over()
        assert oracle.new_nonces(said) == [nonce] and call.handoff == {"do": "hangup"}, call.frames
        assert not [frame for frame in call.frames if frame.get("last")], call.frames
        (_, heard, outcome, state, _), = call.wait_settled(1)
        assert (heard, outcome, state) == (said, "reply", "delivered")
        assert not closed(call)
        end(call)
        assert closed(call)


def test_who_speaks_behind_the_goodbye_stays(desk):
    """Nothing is closed: neither for who cuts in nor for who only says more."""
    with calling(desk) as call:
        ask_for(call, "end_conversation", words="Bye.")
        said = call.wait_over()
        call.wait_settled(1)
        call.interrupt(said[:12])
        second = go_on(call, "One more thing.")
        assert oracle.new_nonces(call.wait_over()) == [second] and call.handoff is None
        call.wait_settled(2)
        end(call)
        assert not closed(call) and call.events() == [("answered", None)] * 2


def test_goodbye_that_is_cut_off_ends_nothing(desk):
    with calling(desk) as call:
        ask_for(call, "end_conversation", words="Bye.")
        said = call.wait_over()
        call.wait_settled(1)
        call.interrupt(said[:12])
        desk.wait(lambda: call.turns()[-1]["heard_reason"] == "interrupt", 10, "the word to be kept")
        end(call)
        assert not closed(call)


# A text

def texts(call):
    """[(body, state, author, conversation is the call's)] to the caller's number, in order."""
    return [(*row, talk == call.session()["conversation_id"]) for *row, talk in call.desk.sql(
        "SELECT m.body, d.state, d.author, d.conversation_id::text FROM deliveries d JOIN messages m"
        " ON m.tenant_id = d.tenant_id AND m.id = d.message_id JOIN channel_sessions s"
        " ON s.tenant_id = d.tenant_id AND s.id = d.session_id WHERE d.via = 'sms'"
        " AND s.remote_address = %s ORDER BY d.seq", call.customer.address)]


def test_a_text_during_the_call(desk):
    """To the caller's own number, in his conversation, once; and what he texts back comes there as well."""
    with calling(desk) as call:
        ask_for(call, "send_text", {"text": "12 Main Street, second floor."})
        call.wait_over()
        (name, outcome, told), = results(call)
        assert (name, outcome) == ("send_text", "ok") and "on its way" in told["sent"], told
        assert texts(call) == [("12 Main Street, second floor.", "pending", "ai", True)]
        delivery = desk.value("SELECT id::text FROM deliveries WHERE via = 'sms' AND conversation_id = %s::uuid",
                              call.session()["conversation_id"])
        desk.wait(lambda: [r for r in desk.kafka_records("outbound.sms")
                           if r.value and r.json()["delivery"] == delivery], 10, "the responder to be woken")
        call.wait_settled(1)
        go_on(call)
        call.wait_over()
        call.wait_settled(2)
        call.customer.text("Thank you.")
        desk.wait(lambda: len(texts(call)) == 2, 15, lambda: f"the reply: {texts(call)}")
        assert desk.value("SELECT count(*) FROM channel_sessions WHERE remote_address = %s"
                          " AND conversation_id = %s::uuid", call.customer.address,
                          call.session()["conversation_id"]) == 2


def test_a_text_goes_where_he_texted_before(desk):
    customer = Customer(engines(desk, 1, **CALLS))
    customer.text()
    customer.wait_replies(1)
    with calling(desk, customer=customer) as call:
        ask_for(call, "send_text", {"text": "The address is 12 Main Street."})
        call.wait_over()
        assert [text[0] for text in texts(call)][1:] == ["The address is 12 Main Street."], texts(call)
        assert len(desk.sql("SELECT 1 FROM channel_sessions WHERE remote_address = %s AND kind = 'sms'",
                            customer.address)) == 1


def test_a_text_of_a_conversation_that_is_over(desk):
    """The caller ends the conversation by a text while his call's turn is slow, and texts again: his texts stay
    in the conversation that is open. Guard: store/call_text.c, where the session stays."""
    customer = Customer(engines(desk, 1, **CALLS))
    customer.text()
    customer.wait_replies(1)
    talk = customer.conversation()
    with calling(desk, customer=customer) as call:
        nonce, bye = desk.new_nonce(), customer.make("that is all")
        desk.faults("model", calls_tool(bye.nonce, "end_conversation"),
                    {"match": nonce, "count": 1, "action": {"type": "delay", "ms": 6500}},
                    calls_tool(nonce, "send_text", {"text": "12 Main Street"}))
        call.prompt("the address?", nonce)
        desk.wait(lambda: call.session() and call.session()["turn_id"], 10, "the call's turn")
        say(desk, bye)
        desk.wait(lambda: desk.value("SELECT closed_at IS NOT NULL FROM conversations WHERE id = %s::uuid", talk),
                  10, "the conversation's end")
        customer.text("one more thing")
        desk.wait(lambda: len(texts(call)) == 3, 10, "the reply")
        if results(call):
            raise Skip("the machine was slower than the model")
        call.wait_over(30)
        assert [(name, outcome) for name, outcome, _ in results(call)] == [("send_text", "ok")], call.rows()
        assert desk.value("SELECT c.closed_at IS NULL AND c.id <> %s::uuid FROM channel_sessions s"
                          " JOIN conversations c ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id"
                          " WHERE s.kind = 'sms' AND s.remote_address = %s", talk, customer.address)


def test_no_text_without_a_number_or_against_his_will(desk):
    """The model is told why not."""
    engines(desk, 1, **CALLS)
    hidden = Customer(desk)
    hidden.address = "anonymous"
    unwilling = Customer(desk)
    unwilling.text("STOP")
    desk.wait(lambda: desk.sql("SELECT 1 FROM consents WHERE address = %s", unwilling.address), 15, "STOP")
    for customer, why in ((hidden, "withholds his number"), (unwilling, "no more texts")):
        with calling(desk, customer=customer) as call:
            ask_for(call, "send_text", {"text": "12 Main Street"})
            call.wait_over()
            (_, outcome, told), = results(call)
            assert outcome == "refused" and why in told["error"], told
            assert texts(call) == [] and call.wait_settled(1)[0][2] == "reply"


def test_texts_have_an_end(desk):
    """A model that loops sends five to one caller, and no more in all of the call."""
    with calling(desk) as call:
        desk.faults("model", {"action": {"type": "obey"}})
        call.prompt(orders(*[("send_text", {"text": f"Number {n}"}) for n in range(1, 7)]))
        call.wait_over(30)
        outcomes = [outcome for _, outcome, _ in results(call)]
        assert outcomes == ["ok"] * 5 + ["refused"], results(call)
        assert len(texts(call)) == 5


def test_texts_end_with_their_budget(desk):
    """Only they do: the model goes on, and tells the caller instead. Guard: USED_SQL of store/call_text.c."""
    engines(desk, 1, **CALLS)
    with clinic(desk, budgets={"day": {"sms_segments": 1}}), calling(desk) as call:
        desk.sql("DELETE FROM usage WHERE tenant_id = %s::uuid", call.customer.tenant_id)
        for outcome in ("ok", "refused"):
            ask_for(call, "send_text", {"text": f"It is {outcome}."})
            call.wait_over()
        assert [outcome for _, outcome, _ in results(call)] == ["ok", "refused"], results(call)
        assert "no more texts for now" in results(call)[-1][2]["error"], results(call)
        assert [text[0] for text in texts(call)] == ["It is ok."]
        assert [row[2] for row in call.wait_settled(2)] == ["reply", "reply"]


def test_tools_of_calls_are_not_for_texts(desk):
    customer = Customer(engines(desk, 1, **CALLS))
    said = customer.make()
    desk.faults("model", calls_tool(said.nonce, "send_text", {"text": "hello"}))
    say(desk, said)
    customer.wait_replies(1)
    rows = desk.sql("SELECT k.outcome, k.result FROM tool_calls k JOIN turns t ON t.tenant_id = k.tenant_id"
                    " AND t.id = k.turn_id JOIN channel_sessions s ON s.tenant_id = t.tenant_id"
                    " AND s.id = t.session_id WHERE s.remote_address = %s", customer.address)
    assert [(outcome, "phone call" in result) for outcome, result in rows] == [("refused", True)], rows
    desk.faults("model")


# Keys, languages, fillers

def test_keys_reach_the_model(desk):
    with calling(desk) as call:
        call.prompt()
        call.wait_over()
        call.wait_settled(1)
        call.over = False
        call.press("1975#")
        call.wait_over()
        call.wait_settled(2)
        asked = [entry["params"].get("last_user", "") for entry in desk.ledger("model")]
        assert any("[keys pressed: 1975#]" in text for text in asked), asked
        assert desk.sql("SELECT m.author FROM messages m JOIN channel_sessions s ON s.tenant_id = m.tenant_id"
                        " AND s.id = m.session_id WHERE s.call_sid = %s AND m.body = '[keys pressed: 1975#]'",
                        call.sid) == [("contact",)]


def test_the_language_is_switched_before_the_words(desk):
    phone = read_document(TENANTS / "dental.yaml")["phone"]
    tools = ["switch_language", "take_message"]
    engines(desk, 1, **CALLS)
    with clinic(desk, phone={**phone, "languages": [{"language": "es-US"}]}, tools=tools, intents=[],
                escalation={"on": ["policy_word"], "words": ["lawyer"]}):
        with calling(desk) as call:
            ask_for(call, "switch_language", {"language": "es"}, "¿Habla español?")
            call.wait_over()
            kinds = [frame["kind"] for frame in call.frames]
            assert call.languages == ["es-US"] and kinds.index("language") < kinds.index("text"), kinds
            call.wait_settled(1)
            go_on(call)
            call.wait_over()
            assert call.languages == ["es-US"]  # it stays
            call.wait_settled(2)
            assert call.session()["language"] == "es-US"
            ask_for(call, "switch_language", {"language": "fr"})
            call.wait_over()
            assert results(call)[-1][1] == "refused" and "es-US" in results(call)[-1][2]["error"]


@contextlib.contextmanager
def in_spanish(desk):
    """A call of the clinic that a turn of its has switched."""
    document = read_document(TENANTS / "dental.yaml")
    engines(desk, 1, **CALLS)
    with clinic(desk, phone={**document["phone"], "languages": [{"language": "es-US"}]},
                tools=[*document["tools"], "switch_language"]):
        with calling(desk) as call:
            ask_for(call, "switch_language", {"language": "es"}, "¿Habla español?")
            call.wait_over()
            call.wait_settled(1)
            assert call.languages == ["es-US"]
            yield call


def covered(desk, call):
    """What the caller hears while the next turn's tool takes long."""
    holder = desk.servers.postgres.connect(desk.installation.database)
    holder.autocommit = False
    before = len(call.asides)
    try:
        holder.cursor().execute("LOCK TABLE escalations IN SHARE ROW EXCLUSIVE MODE")
        ask_for(call, "take_message", {"message": "llámenme"})
        call.pump(lambda: len(call.asides) > before, 15, "a word for the tool")
        holder.rollback()
    finally:
        holder.close()
    call.wait_over()
    return call.asides[before:]


def test_our_own_words_are_in_the_language_of_the_call(desk):
    """Those of later turns too: what covers a wait, and what is said before a person is rung up."""
    with in_spanish(desk) as call:
        assert covered(desk, call) == ["Un momento, lo estoy mirando."], call.asides
        call.wait_settled(2)
        _, said = put_through(call)
        assert said == "Un momento, por favor. Estoy intentando localizar a alguien.", said
        assert call.languages == ["es-US"], call.languages  # said once to the ingress


def test_another_engine_knows_the_language_of_the_call(desk):
    with in_spanish(desk) as call:
        desk.kill("engine-1")
        desk.scripted = None
        desk.revive(("engine",))
        assert covered(desk, call) == ["Un momento, lo estoy mirando."], call.asides


def test_another_socket_begins_in_the_usual_language(desk):
    """Of a call that waits; whose turn is at work, switches that one too."""
    with in_spanish(desk) as call:
        call.comes_back()
        call.wait_over()
        assert covered(desk, call) == ["One moment, I am looking that up."], call.asides
        call.wait_settled(2)
        ask_for(call, "switch_language", {"language": "es"}, "¿Habla español?")
        call.wait_over()
        assert call.languages == ["es-US"] * 2, call.languages


def test_a_person_is_rung_up_in_the_language_of_the_same_turn(desk):
    with in_spanish(desk) as call:
        call.comes_back()
        call.wait_over()
        desk.faults("model", {"action": {"type": "obey"}})
        call.over = False
        call.prompt(orders(("switch_language", {"language": "es"}),
                           ("transfer_call", {"summary": "A broken crown.", "to": PERSON["name"]})))
        said = call.wait_over()
        assert said == "Un momento, por favor. Estoy intentando localizar a alguien.", (said, results(call))


def test_each_slow_tool_is_covered_once(desk):
    """However long it takes; the next one gets a word of its own."""
    with calling(desk) as call:
        first = desk.servers.postgres.connect(desk.installation.database)
        second = desk.servers.postgres.connect(desk.installation.database)
        first.autocommit = second.autocommit = False
        lock = "LOCK TABLE escalations IN SHARE ROW EXCLUSIVE MODE"
        try:
            first.cursor().execute(lock)
            desk.faults("model", {"action": {"type": "obey"}})
            call.prompt(orders(("take_message", {"message": "one"}), ("take_message", {"message": "two"})))
            call.pump(lambda: call.asides, 15, "a word for the first tool")
            call.listen(2.5)
            assert len(call.asides) == 1, call.asides
            queued = threading.Thread(target=second.cursor().execute, args=(lock,))
            queued.start()  # behind the first tool, before the second
            desk.wait(lambda: desk.sql("SELECT 1 FROM pg_locks WHERE NOT granted AND pid = %s",
                                       second.info.backend_pid), 10, "the second lock to wait")
            first.rollback()
            call.pump(lambda: len(call.asides) == 2, 15, "a word for the second tool")
            queued.join()
            second.rollback()
        finally:
            first.close()
            second.close()
        call.wait_over()
        assert len(call.asides) == 2 and len(results(call)) == 2, (call.asides, results(call))


# Put through

def transfers(call):
    """[(state, transfer, to, rota, accepted_by, promised)] of the call, in order."""
    return call.desk.sql(
        "SELECT e.state, e.transfer, e.transfer_to, e.rota, e.accepted_by, e.promised FROM escalations e"
        " JOIN turns t ON t.tenant_id = e.tenant_id AND t.id = e.turn_id JOIN channel_sessions s"
        " ON s.tenant_id = t.tenant_id AND s.id = t.session_id WHERE s.call_sid = %s AND e.transfer IS NOT NULL"
        " ORDER BY e.created_at", call.sid)


def put_through(call, **arguments):
    """The caller wants a person; the turn's last frame says what the ingress is to do."""
    nonce = ask_for(call, "transfer_call", {"summary": "A patient with a broken crown.",
                                            "to": PERSON["name"], **arguments}, "A person, please.")
    said = call.wait_over()
    call.wait_settled(len(call.turns()))
    return nonce, said


def wait_transfer(call, *states):
    call.desk.wait(lambda: [row[1] for row in transfers(call)] == list(states), 15,
                   lambda: f"{states}: {transfers(call)}")


def test_a_transfer_is_accepted(desk):
    """The words say that somebody is tried, not that somebody is there; no model has written them."""
    with calling(desk) as call:
        _, said = put_through(call)
        assert said == REACHING, said
        handoff = dict(call.handoff)
        briefing, dial = handoff.pop("briefing"), handoff.pop("dial")
        assert handoff == {"do": "dial", "to": PERSON["phone"], "timeout_s": 20}, handoff
        assert briefing.endswith("Press 1 to take the call. A patient with a broken crown."), briefing
        assert transfers(call) == [("open", "asked", PERSON["name"], "none", None, None)]
        assert desk.value("SELECT reason FROM escalations WHERE id = %s::uuid", dial) == "customer_asks"
        call.dialled("accepted")
        wait_transfer(call, "accepted")
        assert transfers(call) == [("accepted", "accepted", PERSON["name"], "over", PERSON["name"], None)]
        call.dialled("accepted")  # again
        end(call)
        assert len(transfers(call)) == 1 and transfers(call)[0][:2] == ("accepted", "accepted")
        assert desk.value("SELECT count(*) FROM audit_log WHERE subject = %s AND action = 'escalation.accept'",
                          dial) == 1


def test_a_long_briefing_says_what_to_press(desk):
    """However long its summary is, in whatever script: what ingress can carry of it begins with that."""
    for letter in "Ж漢":
        with calling(desk) as call:
            put_through(call, summary=letter * 400)
            briefing = call.handoff["briefing"]
            assert briefing.endswith(letter * 400), briefing
            carried = urllib.parse.quote(briefing)[:CARRIED]
            assert urllib.parse.quote("Press 1 to take the call.") in carried, briefing
            end(call)


def test_nobody_takes_the_call(desk):
    """The caller is back: he hears so, and that others are asked; both stand in the rows, and the model
    knows what was said to him."""
    tell = read_document(TENANTS / "dental.yaml")["escalation"]["tell"]
    for outcome in ("no_answer", "refused", "busy", "failed"):
        with calling(desk) as call:
            put_through(call)
            call.dialled(outcome)
            call.comes_back()
            said = call.wait_over()
            assert said.startswith(NOBODY) and tell in said and not call.asides, (said, call.asides)
            call.pump(lambda: call.replies()[-1] == (said, said, "transfer", "delivered", None), 10, "its row")
            assert transfers(call) == [("open", outcome, PERSON["name"], "running", None, said)]
            assert desk.value("SELECT count(*) FROM jobs j JOIN escalations e ON j.subject = e.id::text"
                              " WHERE e.conversation_id = %s::uuid AND e.transfer IS NOT NULL",
                              call.session()["conversation_id"]) == 1
            nonce = go_on(call, "What now?")
            assert oracle.new_nonces(call.wait_over()) == [nonce]
            call.wait_settled(3)
            seen = [entry for entry in desk.ledger("model")
                    if entry["params"].get("last_user", "").startswith(nonce)]
            assert seen, "the model was asked"
            end(call)
            assert transfers(call)[0][:2] == ("open", outcome)


def test_the_promise_is_said_once(desk):
    """A socket that breaks behind it says the rest, and the next one nothing of it."""
    with calling(desk) as call:
        put_through(call)
        call.dialled("no_answer")
        call.answers = False
        call.comes_back()
        said = call.wait_over()
        call.heard("close", NOBODY)
        desk.wait(lambda: call.turns()[-1]["heard_reason"] == "close"
                  and call.turns()[-1]["heard"] == NOBODY, 10, "the word to be kept")
        call.answers = True
        call.comes_back()
        rest = call.wait_over()
        assert said.startswith(NOBODY) and NOBODY not in rest.replace(NOBODY, "", 1), rest
        call.wait_settled(2)
        call.comes_back()
        call.wait_over()
        assert NOBODY not in call.said and len(call.asides) >= 2, (call.said, call.asides)
        assert len([turn for turn in call.turns() if turn["outcome"] == "transfer"]) == 1


def test_a_transfer_that_never_began(desk):
    """The socket breaks before the call could be handed over: the caller is not left waiting for it."""
    with calling(desk) as call:
        put_through(call)
        call.comes_back()
        said = call.wait_over()
        assert said.startswith(NOBODY), said
        call.wait_settled(2)
        assert transfers(call)[0][:4] == ("open", "failed", PERSON["name"], "running"), transfers(call)


def test_a_machine_takes_the_call(desk):
    """Whatever else is told, and in whatever order. Warm: it is why nobody took the call, unless somebody
    pressed the key all the same. Cold: that the two were joined says nothing, and the caller is to come back."""
    engines(desk, 1, **CALLS)
    tell = read_document(TENANTS / "dental.yaml")["escalation"]["tell"]
    warm = (("voicemail",), ("voicemail", "refused"), ("refused", "voicemail"), ("accepted", "voicemail"),
            ("voicemail", "accepted"))
    cold = (("voicemail",), ("voicemail", "accepted"), ("accepted", "voicemail"), ("voicemail", "voicemail"))
    for mode, orders_ in (("warm", warm), ("cold", cold)):
        with clinic(desk, escalation={**read_document(TENANTS / "dental.yaml")["escalation"],
                                      "transfer": {"mode": mode}}):
            for outcomes in orders_:
                with calling(desk) as call:
                    put_through(call)
                    dial = call.handoff["dial"]
                    for outcome in outcomes:
                        call.dialled(outcome)
                    taken = mode == "warm" and "accepted" in outcomes
                    desk.wait(lambda: len(desk.sql("SELECT 1 FROM inbox_events WHERE provider_id LIKE %s",
                                                   f"{call.sid}:dialled:%")) == len(set(outcomes)), 15,
                              lambda: f"{outcomes} to be claimed")
                    wait_transfer(call, "accepted" if taken else "voicemail")
                    assert transfers(call)[0] == (
                        ("accepted", "accepted", PERSON["name"], "over", PERSON["name"], None) if taken else
                        ("open", "voicemail", PERSON["name"], "running", None, None)), (outcomes, transfers(call))
                    assert desk.value("SELECT count(*) FROM jobs WHERE kind = 'transfer_back' AND subject = %s",
                                      dial) == (mode == "cold"), outcomes
                    if not taken:
                        call.comes_back()
                        said = call.wait_over()
                        assert said.startswith(NOBODY) and tell in said, said
                        desk.wait(lambda: transfers(call)[0][5] == said, 10, lambda: transfers(call))
                    end(call)


def test_hang_up_before_anybody_answers(desk):
    """People are asked about a caller who wanted one."""
    with calling(desk) as call:
        put_through(call)
        end(call)
        wait_transfer(call, "hung_up")
        assert transfers(call)[0][:4] == ("open", "hung_up", PERSON["name"], "running"), transfers(call)
        call.dialled("accepted")  # the records came the wrong way round
        wait_transfer(call, "accepted")
        assert transfers(call)[0][:5] == ("accepted", "accepted", PERSON["name"], "over", PERSON["name"])


def test_barge_in_while_a_transfer_is_set_up(desk):
    """He stays with the desk: nobody is rung, nobody is asked about him; the tool can be called again."""
    with calling(desk) as call:
        _, said = put_through(call)
        call.interrupt(said[:10])
        nonce = go_on(call, "No, wait, book it.")
        assert oracle.new_nonces(call.wait_over()) == [nonce] and call.handoff is None
        call.wait_settled(2)
        put_through(call)
        assert call.handoff["do"] == "dial"
        assert [row[:2] for row in transfers(call)] == [("closed", "dropped"), ("open", "asked")]
        call.interrupt(call.said[:10])
        go_on(call, "Never mind.")
        call.wait_over()
        end(call)
        assert [row[:4] for row in transfers(call)] == [
            ("closed", "dropped", PERSON["name"], "none")] * 2, transfers(call)


def test_words_that_cross_a_transfer(desk):
    """The caller said thank you while the session ended: nobody hears that answer, the transfer goes on."""
    with calling(desk) as call:
        put_through(call)
        handoff, call.answers = call.handoff, False
        go_on(call, "Thank you.")
        call.wait_over()
        call.heard("close", "", seq=-1)
        call.wait_settled(2)
        call.handoff, call.answers, call.said = handoff, True, ""
        call.dialled("no_answer")
        call.comes_back()
        assert call.wait_over().startswith(NOBODY), call.said
        wait_transfer(call, "no_answer")


def test_whom_a_call_may_be_put_through_to(desk):
    """Somebody of the rota who has a phone and is on duty; the model names nobody else."""
    engines(desk, 1, **CALLS)
    rota = [{"name": "front desk", "sms": "+15550100901", "phone": "+15550100901", "hours": {"mon-sun": "closed"}},
            {"name": "owner", "sms": "+15550100903"},
            {"name": "dentist", "sms": "+15550100902", "phone": "+15550100902",
             "hours": {"mon-sun": "00:00-24:00"}}]
    with clinic(desk, escalation={"on": ["customer_asks"], "rota": rota,
                                  "transfer": {"mode": "cold", "ring": "7s"}}):
        for to, why in (("+15559990000", "must be one of front desk, dentist"), ("owner", "must be one of"),
                        ("front desk", "nobody who can be called is on duty")):
            with calling(desk) as call:
                ask_for(call, "transfer_call", {"summary": "hello", "to": to})
                call.wait_over()
                (_, outcome, told), = results(call)
                assert outcome == "refused" and why in told["error"], (to, told)
                assert transfers(call) == [] and call.handoff is None
        with calling(desk) as call:
            ask_for(call, "transfer_call", {"summary": "hello"})
            assert call.wait_over() == REACHING
            handoff = dict(call.handoff)
            assert handoff.pop("dial") and handoff == {"do": "dial", "to": "+15550100902", "timeout_s": 7,
                                                       "cold": True}, handoff


def test_engine_killed_with_a_transfer_in_hand(desk):
    """Behind the effect, before its words: another one says them, and the call is put through once."""
    engines(desk, 2, **CALLS)
    with calling(desk, 2) as call:
        call.prompt()
        call.wait_over()
        call.wait_settled(1)
        desk.stops.arm("engine.tool_done", action=KILL, match=call.session()["id"])
        ask_for(call, "transfer_call", {"summary": "hello", "to": PERSON["name"]})
        said = call.wait_over(30)
        assert said == REACHING and call.handoff["do"] == "dial", call.frames
        call.wait_settled(2)
        assert [row[:3] for row in transfers(call)] == [("open", "asked", PERSON["name"])]
        assert [f["kind"] for f in call.frames].count("end") == 1
        desk.stops.clear()
        desk.revive()


def test_takeover_while_a_transfer_is_set_up(desk):
    """The person who took over is there: nobody else is rung, whatever was being said."""
    with calling(desk) as call:
        put_through(call)
        desk.installation.deskctl("takeover", call.session()["conversation_id"])
        call.pump(lambda: call.epoch == 1, 10, "the stop frame")
        call.comes_back()
        call.listen(1.5)
        assert NOBODY not in call.said, call.frames


# The caller does not wait

def test_barge_in_during_a_tool(desk):
    """What the tool does is done, and once; the words behind it are not said, the newer ones answered."""
    with calling(desk) as call:
        lock = desk.servers.postgres.connect(desk.installation.database)
        lock.autocommit = False
        try:
            lock.cursor().execute("LOCK TABLE escalations IN SHARE ROW EXCLUSIVE MODE")
            nonce = desk.new_nonce()
            desk.faults("model", calls_tool(nonce, "take_message", {"message": "please call"}))
            call.prompt("a message", nonce)
            call.pump(lambda: call.asides, 15, "a word while the tool works")
            call.interrupt("")
            second = call.prompt("hello?")
            call.listen(0.5)
            lock.rollback()
        finally:
            lock.close()
        call.over = False
        call.pump(lambda: call.over and second in call.said, 20, "an answer to the newer words")
        call.wait_settled(1)
        assert [outcome for name, outcome, _ in results(call) if name == "take_message"] == ["ok"]
        assert desk.value("SELECT count(*) FROM escalations WHERE conversation_id = %s::uuid",
                          call.session()["conversation_id"]) == 1
        assert {state for state, _ in call.events()} == {"answered"}, call.rows()


def test_barge_in_behind_the_commit(desk):
    """All words are written, none has sounded, and the caller speaks: the turn begins anew with what its tool
    has done. Guard: store/voice.c word_sql."""
    with calling(desk) as call:
        desk.faults("model", {"action": {"type": "obey"}})
        first = call.prompt("a message " + orders(("take_message", {"message": "please call"})))
        call.wait_over()
        call.wait_settled(1)
        number = call.turn_number
        call.interrupt("")
        second = call.prompt("hm?")
        call.over = False
        call.pump(lambda: call.over and second in call.said, 20, "an answer to both")
        assert call.turn_number > number and first in call.said, call.said
        replies = [reply[2:] for reply in call.wait_settled(2)]
        assert [(name, outcome) for name, outcome, _ in results(call)] == [("take_message", "ok")], results(call)
        assert desk.value("SELECT count(*) FROM escalations WHERE conversation_id = %s::uuid",
                          call.session()["conversation_id"]) == 1
        assert replies == [(None, "suppressed", "unheard"), ("reply", "delivered", None)], call.rows()
        assert call.events() == [("answered", None)] * 2 and len(call.turns()) == 1


def test_barge_in_twice_in_a_row(desk):
    with calling(desk) as call:
        for count in (1, 2):
            nonce = go_on(call, "so?")
            said = call.wait_over()
            assert oracle.new_nonces(said) == [nonce]
            call.wait_settled(count)
            call.interrupt(said[:15].rsplit(" ", 1)[0])
        third = go_on(call, "well?")
        assert oracle.new_nonces(call.wait_over()) == [third]
        replies = call.wait_settled(3)
        assert [len(reply[1]) < len(reply[0]) for reply in replies] == [True, True, False], replies
        assert call.events() == [("answered", None)] * 3


def test_two_prompts_at_once(desk):
    """Before anything was said: one answer to both."""
    with calling(desk) as call:
        nonces = [desk.new_nonce(), desk.new_nonce()]
        desk.faults("model", {"match": nonces[0], "count": 1, "action": {"type": "delay", "ms": 1500}})
        for nonce in nonces:
            call.prompt("hello", nonce)
        call.pump(lambda: call.over and nonces[1] in call.said, 20, "an answer to both")
        assert set(oracle.new_nonces("".join(text for _, text in call.spoken))) == set(nonces), call.spoken
        call.pump(lambda: call.events() == [("answered", None)] * 2, 10, "both to be answered")


def test_prompt_while_the_goodbye_is_spoken(desk):
    """Without cutting in: the ingress stays by itself, and the next turn is an ordinary one."""
    with calling(desk) as call:
        ask_for(call, "end_conversation", words="Bye.")
        call.wait_over()
        second = go_on(call, "Oh, and when are you open?")
        assert oracle.new_nonces(call.wait_over()) == [second] and call.handoff is None
        call.wait_settled(2)
        end(call)
        assert not closed(call)
