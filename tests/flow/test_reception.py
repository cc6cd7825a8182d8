"""The reception without a model (docs/RECEPTION.md): it takes a message over several texts, quotes what the
notes answer, makes one task for people, and gives way to a model or a person; `deskctl recover` answers later.
"""

import contextlib
import json
from datetime import datetime, timedelta, timezone

import yaml

from harness import CHECKOUT
from harness.stops import KILL
from operating import OK, USAGE, answer_on_terminal, expect, good
from scripted import Customer, engines, hand_back, quiet, say, take_over, wait_gone
from tenants import read_document

SHARE = True
DEADLINE_S = 60

GARAGE = 1  # of desk.tenants; no other test lets it recover by itself, so that it has no job yet
SHOP = 3  # of desk.tenants: its file lets a recovery answer, the first one's does not
REASON = "I chipped a tooth"
NAME = "patient 2041"
CALL_BACK = "here, after 5 pm"


AGAIN = "No model could answer when the customer wrote last"  # what a recovery tells the model


def mute(desk, *marks):
    """Prompts that hold one of the marks get no answer, and no breaker opens: a filter's refusal is final for
    the prompt and says nothing of the model. Without marks: all prompts."""
    refuse = {"type": "reply", "text": "half", "finish_reason": "content_filter"}
    desk.faults("model", *[{"match": mark, "action": refuse} for mark in marks or ("messages",)])


def away(desk, *marks):
    """Like `mute`, but no model answers at all. Still no breaker opens: the request was at fault."""
    refuse = {"type": "status", "status": 400}
    desk.faults("model", *[{"match": mark, "action": refuse} for mark in marks or ("messages",)])


def text(desk, customer, words):
    """A text of exactly these words."""
    said = customer.make(words, body=words)
    say(desk, said)
    return said


def marked(desk, words):
    return f"{words} {desk.new_nonce()}"


def wording(desk, customer, which):
    number = [tenant["name"] for tenant in desk.tenants].index(customer.known["name"])
    return read_document(desk.installation.tenant_files[number])["assistant"][which].strip()


def told(customer, count, outcome="fallback"):
    """The body of the last of so many replies."""
    body, was, _ = customer.wait_replies(count)[-1]
    assert was == outcome, (was, body)
    return body


def tasks(customer):
    """The messages that people were given; what else is escalated is tests/flow/test_escalation.py's."""
    return customer.desk.sql(
        "SELECT e.reason, e.state, e.caller, e.summary, e.call_back FROM escalations e"
        " JOIN channel_sessions s ON s.tenant_id = e.tenant_id AND s.conversation_id = e.conversation_id"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s AND e.reason = 'message'"
        " ORDER BY e.created_at",
        customer.tenant_id, customer.address)


def notes(customer):
    return customer.desk.value("SELECT row_to_json(r) FROM receptions r WHERE r.session_id = %s::uuid",
                               customer.session()["id"])


def test_message_over_three_texts(desk):
    """Whatever the models do: the tenant's wording first, one question a reply, then exactly what was recorded."""
    engines(desk)
    mute(desk)
    customer = Customer(desk)
    text(desk, customer, REASON)
    first = told(customer, 1)
    assert first.startswith(wording(desk, customer, "fallback")) and "your name?" in first, first
    assert tasks(customer) == []
    text(desk, customer, NAME)
    second = told(customer, 2)
    assert "reach you" in second and wording(desk, customer, "fallback") not in second, second
    text(desk, customer, CALL_BACK)
    third = told(customer, 3)
    assert all(part in third for part in (NAME, REASON, CALL_BACK, "recorded")), third
    assert tasks(customer) == [("message", "open", NAME, REASON, CALL_BACK)]
    text(desk, customer, "it hurts a lot")
    assert "added" in told(customer, 4)
    assert tasks(customer) == [("message", "open", NAME, f"{REASON}\nit hurts a lot", CALL_BACK)]
    text(desk, customer, "thank you")
    assert "is recorded" in told(customer, 5)
    assert len(tasks(customer)) == 1 and customer.open_events() == 0


# What the desk asks for, and how it reads the message back, where its tenant speaks so.
SPOKEN = {
    "es": (("¿Me dice su nombre?", "contactarle"), "Esto queda anotado para nuestro equipo:", "Nombre", "Asunto"),
    "de": (("Wie ist Ihr Name?", "erreichen wir Sie"), "Das ist für unser Team notiert:", "Name", "Anliegen"),
    "fr": (("Quel est votre nom ?", "vous joindre"), "Ceci est noté pour notre équipe :", "Nom", "Sujet"),
}


def test_message_in_each_language(desk):
    """Three tenants side by side; nothing of it is English, and the task is the same."""
    engines(desk)
    with contextlib.ExitStack() as stack:
        customers = {}
        for number, language in enumerate(SPOKEN):
            stack.enter_context(changed(desk, number, language=language, languages=[language]))
            customers[language] = Customer(desk, number)
        mute(desk)
        for count, words in enumerate((REASON, NAME, CALL_BACK), 1):
            for customer in customers.values():
                text(desk, customer, words)
            for language, customer in customers.items():
                asks, noted, name, about = SPOKEN[language]
                body = told(customer, count)
                if count < 3:
                    assert asks[count - 1] in body and "?" in body, (language, body)
                else:
                    said = (noted, f"{name}: {NAME}", f"{about}: {REASON}", CALL_BACK)
                    assert all(part in body for part in said), (language, body)
                assert not any(word in body for word in ("May I", "reach you", "recorded")), (language, body)
        for customer in customers.values():
            assert tasks(customer) == [("message", "open", NAME, REASON, CALL_BACK)]


def test_killed_between_texts_and_in_a_commit(desk):
    """Guard: the notes are written in the very commit of their turn (store/reception_record.c keep_sql)."""
    desk.scripted = None
    engines(desk, 2)
    mute(desk)
    customer = Customer(desk)
    text(desk, customer, REASON)
    told(customer, 1)
    for name in ("engine-1", "engine-2"):
        desk.kill(name)
    desk.revive(("engine",))
    text(desk, customer, NAME)
    assert "reach you" in told(customer, 2)
    stop = desk.stops.arm("engine.committing", action=KILL, match=customer.session()["id"])
    text(desk, customer, CALL_BACK)
    desk.wait(lambda: stop.hits, 15, "the kill")
    wait_gone(desk, stop.pid)
    assert "recorded" in told(customer, 3)
    desk.revive(("engine",))
    quiet(desk, 1.5, customer.replies)
    assert tasks(customer) == [("message", "open", NAME, REASON, CALL_BACK)]
    assert [turn["outcome"] for turn in customer.turns()] == ["fallback"] * 3
    desk.scripted = None


def test_model_returns_in_the_middle(desk):
    """The model is told what is known; in the next outage nothing of it is asked again."""
    engines(desk)
    reason = marked(desk, REASON)
    mute(desk, reason)
    customer = Customer(desk)
    text(desk, customer, reason)
    told(customer, 1)
    desk.faults("model", {"match": "name: no; the reason: yes; how to reach them: no",
                          "action": {"type": "reply", "text": "Come at nine."}})
    text(desk, customer, "are you there?")
    assert told(customer, 2, "reply") == "Come at nine."
    assert tasks(customer) == []
    row = notes(customer)
    assert (row["asked"], row["reason"], row["due_at"]) == ("nothing", reason, None), row
    mute(desk, reason)
    text(desk, customer, "nine is too early")
    body = told(customer, 3)
    assert body.startswith(wording(desk, customer, "fallback")) and "your name?" in body, body
    text(desk, customer, NAME)
    assert "reach you" in told(customer, 4)
    text(desk, customer, CALL_BACK)
    told(customer, 5)
    assert tasks(customer) == [("message", "open", NAME, f"{reason}\nnine is too early", CALL_BACK)]


def test_unfinished_message_becomes_a_task(desk):
    desk.scripted = None
    engines(desk, unfinished_message_ms=1000)
    mute(desk)
    customer = Customer(desk)
    text(desk, customer, REASON)
    told(customer, 1)
    desk.wait(lambda: tasks(customer), 15, "the task")
    assert tasks(customer) == [("message", "open", None, REASON, None)]
    text(desk, customer, NAME)
    told(customer, 2)
    text(desk, customer, CALL_BACK)
    told(customer, 3)
    quiet(desk, 1.5, lambda: tasks(customer))
    assert tasks(customer) == [("message", "open", NAME, REASON, CALL_BACK)]
    desk.scripted = None


def test_notes_answer_a_question(desk):
    engines(desk)
    mute(desk)
    customer = Customer(desk)
    name = customer.known["name"]
    good(desk, "kb", "import", name, CHECKOUT / "deploy" / "knowledge" / "dental-faq.md", "--faq")
    try:
        question = "Hi! How much is whitening?"
        text(desk, customer, question)
        body = told(customer, 1)
        assert "350 dollars for one session" in body and "automatic answer" in body, body
        assert body.startswith(wording(desk, customer, "fallback")) and "take a message" in body, body
        assert notes(customer)["reason"] == question and notes(customer)["due_at"] is None
        text(desk, customer, NAME)
        assert "350" not in told(customer, 2)
        stranger = Customer(desk)
        text(desk, stranger, "my dog ate the retainer")
        assert "automatic answer" not in told(stranger, 1)
    finally:
        good(desk, "kb", "remove", name, "dental-faq.md", "--yes")


def test_takeover_in_the_middle(desk):
    """No automatic question leaves while a person has it; after the hand-back nothing is noted twice.
    Guard: receptions.read_position (reception_turn.c read_texts)."""
    engines(desk)
    mute(desk)
    customer = Customer(desk)
    text(desk, customer, REASON)
    told(customer, 1)
    take_over(desk, customer)
    said = text(desk, customer, NAME)
    desk.wait(lambda: customer.event(said), 10, "the claim")
    quiet(desk, 1.0, customer.replies)
    assert len(customer.replies()) == 1 and customer.event(said) == ("open", None)
    hand_back(desk, customer)  # no responder runs: the first reply was suppressed, its text is open again
    body = told(customer, 2)
    assert body.startswith(wording(desk, customer, "fallback")) and "your name?" in body, body
    assert notes(customer)["reason"] == f"{REASON}\n{NAME}" and notes(customer)["asked"] == "name"
    assert tasks(customer) == []


def test_model_answers_after_a_hand_back(desk):
    """What a model has answered is no task, also if the question was forgotten before it.
    Guard: reception_turn.c reception_turn_answered asks `due`."""
    desk.scripted = None
    engines(desk, unfinished_message_ms=60000)  # a person takes over before it is over, however slowly
    reason = marked(desk, REASON)
    mute(desk, reason)
    customer = Customer(desk)
    text(desk, customer, reason)
    told(customer, 1)
    take_over(desk, customer)
    desk.faults("model")
    hand_back(desk, customer)  # no responder runs: its first reply was suppressed, the text is open again
    told(customer, 2, "reply")
    assert notes(customer)["due_at"] is None, notes(customer)  # so nobody ever makes one
    assert tasks(customer) == []
    desk.scripted = None


@contextlib.contextmanager
def changed(desk, number, **sections):
    """The tenant of desk.tenants with these sections; afterwards its own again."""
    name = desk.tenants[number]["name"]
    own = desk.installation.tenant_files[number]
    document = read_document(own)
    document.update(sections)
    path = desk.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield
    finally:
        desk.faults("model")
        good(desk, "tenant", "apply", own, "--yes")


def test_hours_end_in_the_middle(desk):
    """The answer to our question is recorded whatever the clock says, and the task is made; a text that answers
    nothing gets the after-hours wording alone. Guard: reception_turn.c waits_for_answer."""
    engines(desk)
    say_closed = "We are closed and sleep."
    customer = Customer(desk, SHOP)
    mute(desk)
    text(desk, customer, REASON)
    told(customer, 1)
    day = (datetime.now(timezone.utc) + timedelta(days=3)).strftime("%a").lower()
    with changed(desk, SHOP, hours={day: "08:00-08:30"}, holidays=[],
                 after_hours={"mode": "closed_text", "say": say_closed}):
        text(desk, customer, NAME)
        second = told(customer, 2, "closed")
        assert second.startswith(say_closed) and "reach you" in second, second
        text(desk, customer, CALL_BACK)
        third = told(customer, 3, "closed")
        assert third.startswith(say_closed), third
        assert all(part in third for part in (NAME, REASON, CALL_BACK, "recorded")), third
        assert tasks(customer) == [("message", "open", NAME, REASON, CALL_BACK)]
        text(desk, customer, "are you there?")
        assert told(customer, 4, "closed") == say_closed
        assert tasks(customer) == [("message", "open", NAME, REASON, CALL_BACK)]


def test_turn_that_kills_its_engines_asks_too(desk):
    """Its text is not read, since it may be why; the tenant's degraded wording, then the question."""
    desk.scripted = None
    engines(desk)
    desk.faults("model")
    customer = Customer(desk)
    text(desk, customer, "hello")
    told(customer, 1, "reply")
    stop = desk.stops.arm("engine.thinking", action=KILL, times=3, match=customer.session()["id"])
    said = text(desk, customer, "poison")

    def over():
        desk.revive(("engine",), wait=False)
        return len(customer.replies()) == 2
    desk.wait(over, 40, lambda: f"the degraded reply: {customer.replies()} {customer.turns()}")
    assert stop.hits == 3, stop.hits
    body = told(customer, 2, "degraded")
    assert body.startswith(wording(desk, customer, "degraded")) and "your name?" in body, body
    assert customer.event(said)[0] == "failed" and notes(customer)["reason"] is None
    desk.scripted = None


# ---- recovery

def recoverable(desk, tenant):
    rows = good(desk, "recover", "--tenant", tenant, "--json").json()
    return {row["address"]: row for row in rows}


def again(desk, customer):
    return desk.sql("SELECT state, reason FROM inbox_events WHERE session_id = %s::uuid"
                    " AND provider_id LIKE 'recover:%%'", customer.session()["id"])


def test_recover_answers_once(desk):
    engines(desk)
    question = marked(desk, "is the blue one in stock?")
    mute(desk, question)
    customer, held = Customer(desk, SHOP), Customer(desk, SHOP)
    for one in (customer, held):
        text(desk, one, question)
        told(one, 1)
    tenant = customer.known["name"]
    take_over(desk, held)
    row = recoverable(desk, tenant)[customer.address]
    assert (row["outcome"], row["may_answer"], row["task"]) == ("fallback", "yes", None), row
    assert held.address not in recoverable(desk, tenant)
    # A wrong number, or none where nobody can be asked, changes nothing.
    for words in ([], ["--count", "2"], ["--count", "x"]):
        done = expect(USAGE, desk, "recover", "--tenant", tenant, "--answer", *words)
        assert "nothing was changed" in done.said, done
    assert again(desk, customer) == []
    # Still no model: nothing is sent, and it is listed as before.
    mute(desk, AGAIN)
    assert answer_on_terminal(desk, b"1\n", "recover", "--tenant", tenant, "--answer") == OK
    desk.wait(lambda: again(desk, customer) == [("ended", "no_model")], 15, "the try without a model")
    assert len(customer.replies()) == 1 and customer.address in recoverable(desk, tenant)
    # A model: one more reply, and never again.
    desk.faults("model", {"match": AGAIN, "action": {"type": "reply", "text": "Later: yes, it is."}})
    done = good(desk, "recover", "--tenant", tenant, "--answer", "--count", "1", "--json").json()
    assert done == {"answered": 1, "changed_meanwhile": 0, "not_allowed": 0}, done
    assert told(customer, 2, "reply") == "Later: yes, it is."
    assert again(desk, customer) == [("answered", None)] and customer.open_events() == 0
    done = good(desk, "recover", "--tenant", tenant, "--answer", "--json").json()
    assert done["answered"] == 0 and customer.address not in recoverable(desk, tenant)
    quiet(desk, 1.0, customer.replies)
    assert len(customer.replies()) == 2 and len(held.replies()) == 1
    assert desk.value("SELECT count(*) FROM audit_log WHERE action = 'conversation.recover'"
                      " AND subject = %s", customer.conversation()) == 2


def test_what_a_recovery_did_is_told_and_not_repeated(desk):
    """The model takes a message and is gone: the customer is told that, with no wording around it, people get one
    task, and nobody is asked again. Guards: prepare.c reply_of, recover.c FOUND wants a text of the customer."""
    engines(desk)
    question = marked(desk, "can somebody call me about the blue one?")
    mute(desk, question)
    customer = Customer(desk, SHOP)
    text(desk, customer, question)
    told(customer, 1)
    tenant = customer.known["name"]
    desk.faults("model",
                {"match": AGAIN, "count": 1, "action": {"type": "tool_call", "name": "take_message",
                                                        "arguments": json.dumps({"message": "Call me"})}},
                {"match": AGAIN, "action": {"type": "status", "status": 400}})
    good(desk, "recover", "--tenant", tenant, "--answer", "--count", "1")
    assert told(customer, 2) == "Your message is recorded for our team."
    assert again(desk, customer) == [("answered", None)] and customer.address not in recoverable(desk, tenant)
    assert good(desk, "recover", "--tenant", tenant, "--answer", "--json").json()["answered"] == 0
    assert [task[3] for task in tasks(customer)] == ["Call me"], tasks(customer)
    desk.faults("model")


def test_recovers_by_itself_where_the_file_says_so(desk):
    """All models dead, three customers of two tenants; when they return, one answer each where the file allows it,
    although the engine that makes one of them dies in its commit; elsewhere none.
    Guards: recover.c pace_sql and arm_sql, the fence of the commit."""
    desk.scripted = None
    engines(desk, 2, recovery_every_ms=200)
    away(desk)
    ours, others = ([Customer(desk, tenant) for _ in range(3)] for tenant in (SHOP, 0))
    with changed(desk, SHOP, recover={"answer": True, "by_itself": True}):
        for one in ours + others:
            text(desk, one, "is the blue one in stock?")
        for one in ours + others:
            told(one, 1)
        desk.wait(lambda: any(("ended", "no_model") in again(desk, one) for one in ours), 30,
                  "a try without a model")
        assert all(len(one.replies()) == 1 for one in ours)
        stop = desk.stops.arm("engine.committing", action=KILL, match=ours[1].session()["id"])
        desk.faults("model", {"match": AGAIN, "action": {"type": "reply", "text": "Later: yes, it is."}})
        desk.wait(lambda: stop.hits, 30, "the kill")
        wait_gone(desk, stop.pid)
        for one in ours:
            assert told(one, 2, "reply") == "Later: yes, it is."
        desk.revive(("engine",))
        quiet(desk, 2.0, lambda: [one.replies() for one in ours + others])
        for one in ours:
            assert len(one.replies()) == 2 and again(desk, one) == [("answered", None)], one.replies()
            assert one.open_events() == 0
        for one in others:
            assert len(one.replies()) == 1 and again(desk, one) == [], one.replies()
    desk.scripted = None


def test_recovers_at_once_when_a_breaker_closes(desk):
    """A model that fails is left alone, two customers get the tenant's wording, and the job would look for a model in
    64 s: the first text that it answers again wakes the job. Guard: recovery_wake of think.c."""
    desk.scripted = None
    engines(desk, 1, recovery_every_ms=8000, turn_deadline_ms=12000)  # a turn waits for who is left alone
    missed, later = [Customer(desk, GARAGE) for _ in range(2)], Customer(desk, GARAGE)
    with changed(desk, GARAGE, recover={"answer": True, "by_itself": True}):
        desk.faults("model", {"match": "messages", "action": {"type": "status", "status": 503}})
        for one in missed:
            text(desk, one, "is the blue one in stock?")
        for one in missed:
            told(one, 1)
        desk.wait(lambda: desk.value("SELECT count(*) FROM jobs WHERE kind = 'recovery' AND due_at > now()"
                                     " + interval '20 s'") == 1, 15, "the job to pause")
        desk.faults("model", {"match": AGAIN, "action": {"type": "reply", "text": "Later: yes, it is."}})
        text(desk, later, "are you open?")
        told(later, 1, "reply")
        desk.wait(lambda: all(len(one.replies()) == 2 for one in missed), 30,
                  lambda: f"their later answers, got {[one.replies() for one in missed]}")
        assert all(told(one, 2, "reply") == "Later: yes, it is." for one in missed)
    desk.scripted = None


def test_recover_only_where_the_file_allows_it(desk):
    engines(desk)
    question = marked(desk, "do you have time today?")
    mute(desk, question)
    customer = Customer(desk)
    text(desk, customer, question)
    told(customer, 1)
    tenant = customer.known["name"]
    assert recoverable(desk, tenant)[customer.address]["may_answer"] == "no"
    done = good(desk, "recover", "--tenant", tenant, "--answer", "--json")
    assert done.json()["answered"] == 0 and "left out" in done.said, done
    assert again(desk, customer) == []
    # Whom a person answered, and whose message a person has settled, is not listed.
    text(desk, customer, NAME)
    told(customer, 2)
    text(desk, customer, CALL_BACK)
    told(customer, 3)
    assert recoverable(desk, tenant)[customer.address]["task"] == "open"
    desk.sql("UPDATE escalations SET state = 'closed', closed_by = 'x', closed_at = now()"
             " WHERE conversation_id = %s::uuid", customer.conversation())
    assert customer.address not in recoverable(desk, tenant)
