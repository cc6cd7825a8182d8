"""The engine and its tools: what a model asks for happens once, under the rules of docs/PROTOCOL.md
(rounds and tools), whatever dies meanwhile. The model stand-in asks for what a rule tells it to. The last
test prints what came of all cases.
"""

import contextlib
import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import yaml

from harness import oracle, tables
from harness.vendor import END, OPEN, Vendor, chunk, openai
from harness.stops import FREEZE, KILL
from operating import TENANTS, good
from procs import free_port
from scripted import Customer, engines, hand_back, say, take_over
from tenants import read_document

SHARE = True
DEADLINE_S = 60

GARAGE = 1  # of desk.tenants, in the order of the files
ZONE = "America/Chicago"

SERVICES = [{"name": "Oil change", "duration": "30m", "step": "30m", "lead": "0m", "change": "0m",
             "resources": ["Bay 1"], "intake": ["car"]}]
SECTIONS = {
    "timezone": ZONE,
    "hours": {"mon-sun": "08:00-18:00"},
    "holidays": [],
    "resources": ["Bay 1"],
    "intake": [{"field": "car", "ask": "make and model"}],
    "services": SERVICES,
    "intents": [],
    "tools": ["take_message", "escalate", "end_conversation", "check_availability", "book", "reschedule",
              "cancel", "search_knowledge"],
}


# Where time is not the subject a turn has enough of it, also one that another engine takes up. A lease
# is short only where an engine dies: one that lapses while the machine stands still has work done again.
UNHURRIED = {"turn_deadline_ms": 20000, "adopter_deadline_ms": 10000}
STEADY = {"worker_lease_ms": 8000}


@contextlib.contextmanager
def garage(desk, count=1, config=None, **sections):
    """The garage with these sections; afterwards its own again."""
    engines(desk, count, **UNHURRIED | (STEADY if count == 1 else {}) | (config or {}))
    document = read_document(TENANTS / "garage.yaml")
    document.pop("escalation", None)
    if "models" in sections:
        document["assistant"]["models"] = sections.pop("models")
    document.pop("greeting", None)
    document.update({**SECTIONS, **sections})
    path = desk.folder / "garage.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield Customer(desk, GARAGE)
    finally:
        desk.faults("model")
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")


def rule(said, tool, arguments):
    """The model answers that text with a call of the tool."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"match": said.nonce, "action": {"type": "tool_call", "name": tool, "arguments": text}}


def ask(desk, customer, tool, arguments, words="hello", count=None):
    """The customer writes, and the model answers that text with a call of the tool, so many times."""
    said = customer.make(words)
    desk.faults("model", {**rule(said, tool, arguments), **({"count": count} if count else {})})
    say(desk, said)
    return said


def answered(customer, said, count):
    """The customer's last reply is a real one to what was said."""
    body, outcome, _ = customer.wait_replies(count)[-1]
    assert outcome == "reply" and oracle.new_nonces(body) == [said.nonce], (outcome, body)


def calls(customer):
    """[(name, state, outcome, result as JSON)] of the customer's tool calls."""
    rows = customer.desk.sql(
        "SELECT k.name, k.state, k.outcome, k.result FROM tool_calls k JOIN turns t"
        " ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"
        " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s"
        " ORDER BY t.number, k.round, k.place", customer.tenant_id, customer.address)
    return [(name, state, outcome, json.loads(result) if result else None)
            for name, state, outcome, result in rows]


def escalations(customer):
    return customer.desk.sql(
        "SELECT e.reason, e.summary, e.caller, e.state FROM escalations e JOIN channel_sessions s"
        " ON s.tenant_id = e.tenant_id AND s.conversation_id = e.conversation_id"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s",
        customer.tenant_id, customer.address)


def appointments(customer):
    """[(state, local start, details)] of the customer, by start."""
    return customer.desk.sql(
        "SELECT a.state, to_char(a.starts_at AT TIME ZONE %s, 'YYYY-MM-DD\"T\"HH24:MI'), a.details"
        " FROM appointments a JOIN contact_addresses c"
        " ON c.tenant_id = a.tenant_id AND c.contact_id = a.contact_id"
        " WHERE a.tenant_id = %s::uuid AND c.address = %s ORDER BY a.created_at",
        ZONE, customer.tenant_id, customer.address)


def at(days, hour=9, minute=0):
    """A start so many days ahead by the garage's clock."""
    day = datetime.now(ZoneInfo(ZONE)) + timedelta(days=days)
    return day.replace(hour=hour, minute=minute).strftime("%Y-%m-%dT%H:%M")


MESSAGE = {"message": "Please call about the brakes", "name": "a customer"}

# Of the table: (tool, case, runs, effects, replies).
ROWS = []


def note(tool, case, runs, effects, customer):
    """One row. `runs`: how often the effect was tried, as far as the test counts it; `effects`: what is
    there of it afterwards."""
    outcomes = [outcome for _, outcome, _ in customer.replies()]
    ROWS.append((tool, case, runs, effects, ", ".join(outcomes[-1:]) + f" ({len(outcomes)} in all)"))


def test_message_is_taken(desk):
    with garage(desk) as customer:
        said = ask(desk, customer, "take_message", MESSAGE)
        answered(customer, said, 1)
        (name, state, outcome, result), = calls(customer)
        assert (name, state, outcome) == ("take_message", "done", "ok") and "noted" in result
        assert escalations(customer) == [("message", MESSAGE["message"], MESSAGE["name"], "open")]
        shown = good(desk, "conversation", "show", customer.conversation()).out
        assert "tool take_message" in shown and "for a person (message, open)" in shown, shown
        asked = customer.model_calls()
        assert len(asked) == 2, asked
        note("take_message", "all is well", 1, len(escalations(customer)), customer)


def test_wish_for_a_person_is_recorded(desk):
    """The customer is told what the tenant says of it, and nothing that has not happened: without a rota
    nobody is asked."""
    escalation = {"on": ["customer_asks"], "rota": [], "tell": "I have asked a colleague."}
    with garage(desk, escalation=escalation) as customer:
        said = ask(desk, customer, "escalate", {"reason": "customer_asks", "summary": "wants a person"})
        answered(customer, said, 1)
        (word, _), = calls(customer)[0][3].items()
        assert word == "recorded", calls(customer)
        assert escalations(customer)[0][:2] == ("customer_asks", "wants a person")
        note("escalate", "all is well", 1, len(escalations(customer)), customer)


def test_wrong_calls_are_told_to_the_model(desk):
    """Each is answered with what is wrong, nothing happens, and the model goes on."""
    wrong = [
        ("take_message", "broken JSON", "{\"message\":", "not one JSON object"),
        ("take_message", "a list", [], "object"),
        ("take_message", "a member is missing", {}, "message: required"),
        ("take_message", "an empty member", {"message": ""}, "message"),
        ("take_message", "an unknown member", {"message": "x", "contact": "+15550000000"}, "contact"),
        ("transfer_money", "an unknown tool", {"to": "me"}, "no tool of that name"),
        ("book", "an unknown service", {"service": "Engine swap", "start": at(3)},
         "must be one of Oil change"),
        ("book", "no time", {"service": "Oil change", "start": "next week, early"}, "start"),
        ("cancel", "no id", {"service": "Oil change", "appointment": "0" * 36}, "appointment"),
    ]
    with garage(desk):
        customers = [Customer(desk, GARAGE) for _ in wrong]
        texts = [customer.make() for customer in customers]
        desk.faults("model", *[rule(said, tool, arguments)
                               for said, (tool, _, arguments, _) in zip(texts, wrong)])
        say(desk, *texts)
        for customer, said, (tool, case, _, word) in zip(customers, texts, wrong):
            answered(customer, said, 1)
            (name, state, outcome, result), = calls(customer)
            assert (name, state, outcome) == (tool, "done", "refused"), (tool, outcome, result)
            assert word in result["error"], (tool, result)
            effects = len(escalations(customer)) + len(appointments(customer))
            note(tool, case, 0, effects, customer)
            assert effects == 0, (tool, case)


def test_wrong_answers_book_nothing(desk):
    """An answer that is not of its field's type, or to what the service does not ask: the model is told, and
    nothing is booked or held. Blanks are no answer: the time is held. Guard: details_check of add_book."""
    intake = [{"field": "born", "ask": "your date of birth", "type": "date"},
              {"field": "mail", "ask": "your mail address", "type": "mail", "required": False},
              {"field": "insurance", "ask": "how you are insured", "type": "choice",
               "choices": ["private", "public"], "required": False}]
    services = [{**SERVICES[0], "intake": [field["field"] for field in intake]}]
    born = {"born": "1990-04-12"}
    cases = [
        ("no date", {"born": "banana"}, "details.born: must be a date"),
        ("a day that there is not", {"born": "1990-02-30"}, "details.born: must be a date"),
        ("false for a date", {"born": False}, "it is false"),
        ("no mail address", {**born, "mail": "banana"}, "details.mail: must be a mail address"),
        ("a list for a mail address", {**born, "mail": []}, "it is a list"),
        ("no choice", {**born, "insurance": "banana"}, "must be one of private, public"),
        ("an invented field", {**born, "colour": "red"}, "details.colour: the service asks for no"),
        ("blanks", {"born": "  "}, None),
        ("all is well", {**born, "insurance": "Public", "mail": " "}, None),
    ]
    with garage(desk, intake=intake, services=services):
        customers = [Customer(desk, GARAGE) for _ in cases]
        texts = [customer.make() for customer in customers]
        desk.faults("model", *[rule(said, "book", {
            "service": "Oil change", "start": at(5 + number, 17), "details": details})
            for number, (said, (_, details, _)) in enumerate(zip(texts, cases))])
        say(desk, *texts)
        for customer, said, (case, _, word) in zip(customers, texts, cases):
            answered(customer, said, 1)
            (_, _, outcome, result), = calls(customer)
            if word:
                assert outcome == "refused" and word in result["error"], (case, outcome, result)
            elif case == "blanks":
                assert (outcome, result["missing"]) == ("ok", ["born"]), (case, outcome, result)
            note("book", case, int(outcome == "ok"), len(appointments(customer)), customer)
            assert bool(appointments(customer)) == (not word), (case, appointments(customer))
        state, _, kept = appointments(customers[-1])[0]
        assert (state, kept) == ("booked", {**born, "insurance": "public"}), (state, kept)


def test_two_tools_at_once(desk):
    """Calls of one round run one after the other, in their order; one that is refused stops none. The
    same call once more is answered as the first. Guard: done_before of effects.c."""
    vendor = Vendor(free_port())
    booking = {"service": "Oil change", "start": at(9), "details": {"car": "white"}}
    other = {**booking, "start": at(10)}
    pairs = [
        ("two at once", [("take_message", MESSAGE), ("book", booking)], ["ok", "ok"], 1, 1),
        ("the same twice at once", [("take_message", MESSAGE)] * 2, ["ok", "ok"], 1, 0),
        ("the same booking twice at once", [("book", other)] * 2, ["ok", "ok"], 0, 1),
        ("one of two is wrong", [("book", {}), ("take_message", MESSAGE)], ["refused", "ok"], 1, 0),
        ("sixteen at once", [("take_message", MESSAGE)] * 16, ["ok"] * 16, 1, 0),
        ("sixteen other ones", [("take_message", {"message": f"call {number}"})
                                for number in range(16)], ["ok"] * 16, 16, 0),
    ]
    with garage(desk, models=[{"dialect": "openai", "base_url": vendor.url("/v1"), "model": "wire-1",
                               "key": "env:OPENAI_API_KEY"}]):
        for case, asked, outcomes, messages, bookings in pairs:
            customer = Customer(desk, GARAGE)
            said = customer.make()
            vendor.play(said.nonce, [OPEN, chunk(openai(calls=asked)), END],
                        [OPEN, chunk(openai([f"You wrote {said.nonce}."])), END])
            say(desk, said)
            answered(customer, said, 1)
            assert [(name, outcome) for name, _, outcome, _ in calls(customer)] == \
                list(zip((name for name, _ in asked), outcomes)), (case, calls(customer))
            done = len(escalations(customer)), len(appointments(customer))
            if len(asked) == 2 and asked[0] == asked[1]:
                first, second = calls(customer)
                assert first == second, (first, second)
            note("+".join(dict.fromkeys(name for name, _ in asked)), case, outcomes.count("ok"),
                 sum(done), customer)
            assert done == (messages, bookings), (case, done)
    vendor.close()


def test_what_was_undone_is_done_again(desk):
    """Moved, moved elsewhere and moved there again in one turn: the third call is the first once more, and
    what was answered then is not true any more. Guard: is_undone of tool_booking.c."""
    vendor = Vendor(free_port())
    booking = {"service": "Oil change", "start": at(8, 14), "details": {"car": "white"}}
    with garage(desk, models=[{"dialect": "openai", "base_url": vendor.url("/v1"), "model": "wire-1",
                               "key": "env:OPENAI_API_KEY"}]) as customer:
        def turn(asked, replies):
            said = customer.make()
            vendor.plays.clear()  # the next prompt holds this text, too
            vendor.play(said.nonce, [OPEN, chunk(openai(calls=asked)), END],
                        [OPEN, chunk(openai([f"You wrote {said.nonce}."])), END])
            say(desk, said)
            answered(customer, said, replies)
        turn([("book", booking)], 1)
        which = calls(customer)[0][3]["appointment"]["id"]
        turn([("reschedule", {"service": "Oil change", "start": at(8, hour), "appointment": which})
              for hour in (15, 16, 15, 15)], 2)
        assert [outcome for _, _, outcome, _ in calls(customer)] == ["ok"] * 5, calls(customer)
        assert [(state, start) for state, start, _ in appointments(customer)] == [("booked", at(8, 15))]
        changes = desk.value("SELECT count(*) FROM appointment_changes WHERE tenant_id = %s::uuid"
                             " AND appointment_id = %s::uuid", customer.tenant_id, which)
        note("reschedule", "moved, moved elsewhere, moved there again, and once more", 4, changes, customer)
        assert changes == 3
    vendor.close()


def test_rounds_have_an_end(desk):
    """After six rounds the model must answer; one that still asks for more is not heard.
    Guard: ROUNDS_MAX of engine/rounds.h."""
    with garage(desk):
        desk.faults("model", {"action": {"type": "obey"}})
        for times, runs, outcome in ((5, 5, "reply"), (6, 6, "reply"), (7, 6, "fallback")):
            customer = Customer(desk, GARAGE)
            customer.text(" ".join("INJECT:" + json.dumps(
                {"call": "take_message", "arguments": {"message": f"call {number}"}})
                for number in range(times)))
            assert customer.wait_replies(1)[0][1] == outcome, (times, customer.replies())
            assert len(calls(customer)) == runs and len(escalations(customer)) == runs
            note("take_message", f"{times} rounds", runs, len(escalations(customer)), customer)


def test_tool_that_the_tenant_did_not_allow(desk):
    with garage(desk, tools=["end_conversation"]) as customer:
        said = ask(desk, customer, "take_message", MESSAGE)
        answered(customer, said, 1)
        assert calls(customer)[0][2] == "refused" and not escalations(customer)
        note("take_message", "the tenant did not allow it", 0, 0, customer)


def test_end_of_a_conversation(desk):
    with garage(desk) as customer:
        said = ask(desk, customer, "end_conversation", {})
        answered(customer, said, 1)
        first = customer.conversation()
        assert desk.value("SELECT closed_at IS NOT NULL FROM conversations WHERE id = %s::uuid", first)
        note("end_conversation", "all is well", 1, 1, customer)
        desk.faults("model")
        said = customer.text()
        body, outcome, _ = customer.wait_replies(2)[-1]
        assert outcome == "reply" and said.nonce in oracle.new_nonces(body)  # or a summary's, too
        assert customer.conversation() != first


def test_booking_is_held_until_what_is_asked_for_is_known(desk):
    start = at(3)
    with garage(desk) as customer:
        said = ask(desk, customer, "book", {"service": "Oil change", "start": start})
        answered(customer, said, 1)
        assert calls(customer)[0][3]["missing"] == ["car"]
        assert appointments(customer) == [("held", start, {})], appointments(customer)
        said = ask(desk, customer, "book", {"service": "oil change", "start": start,
                                            "details": {"car": "a red one"}})
        answered(customer, said, 2)
        assert calls(customer)[1][3]["result"] == "booked"
        assert [row[:2] for row in appointments(customer)] == [("booked", start)]
        assert appointments(customer)[0][2] == {"car": "a red one"}
        book = good(desk, "appointment", "list", "--tenant", desk.tenants[GARAGE]["name"], "--json").json()
        row, = [row for row in book if row["customer"] == customer.address]
        assert (row["state"], row["service"], row["with"]) == ("booked", "Oil change", "Bay 1"), row
        assert start in row["starts_at"] and json.loads(row["details"]) == {"car": "a red one"}, row
        note("book", "held, then booked", 2, len(appointments(customer)), customer)


def test_two_customers_and_one_slot(desk):
    start = at(4)
    booking = {"service": "Oil change", "start": start, "details": {"car": "blue"}}
    with garage(desk) as one:
        two = Customer(desk, GARAGE)
        first, second = one.make(), two.make()
        desk.faults("model", *[{"match": said.nonce, "action": {
            "type": "tool_call", "name": "book", "arguments": json.dumps(booking)}}
            for said in (first, second)])
        say(desk, first, second)
        answered(one, first, 1)
        answered(two, second, 1)
        results = sorted(calls(customer)[0][2] for customer in (one, two))
        assert results == ["ok", "refused"], [calls(one), calls(two)]
        assert len(appointments(one)) + len(appointments(two)) == 1
        note("book", "two customers, one time", 2, 1, one)


def test_customer_has_enough(desk):
    """The model is told what to do instead; the tenant says how many, and who cancels has room again.
    Guard: `enough` of booking.c."""
    def wish(day):
        return {"service": "Oil change", "start": at(day), "details": {"car": "grey"}}
    with garage(desk, booking={"most_per_customer": 1}) as customer:
        answered(customer, ask(desk, customer, "book", wish(20)), 1)
        answered(customer, ask(desk, customer, "book", wish(21)), 2)
        assert [call[2] for call in calls(customer)] == ["ok", "refused"], calls(customer)
        assert "cancel one of them" in calls(customer)[1][3]["result"], calls(customer)
        one = calls(customer)[0][3]["appointment"]["id"]
        answered(customer, ask(desk, customer, "cancel", {"service": "Oil change",
                                                          "appointment": one}), 3)
        answered(customer, ask(desk, customer, "book", wish(21)), 4)
        assert [row[:2] for row in appointments(customer)] == [("cancelled", at(20)),
                                                               ("booked", at(21))]
        note("book", "more than one may have", 3, 1, customer)


def test_what_was_done_is_told_without_a_model(desk):
    """The model goes away behind the effect of its tool: the customer is told, and asked nothing."""
    def lose(customer, tool, arguments):
        said = customer.make()
        desk.faults("model", {**rule(said, tool, arguments), "count": 1},
                    {"match": said.nonce, "action": {"type": "status", "status": 400}})
        say(desk, said)
        body, outcome, _ = customer.wait_replies(1)[0]
        assert outcome == "fallback" and "your name?" not in body, body
        return body
    with garage(desk) as customer:
        body = lose(customer, "take_message", MESSAGE)
        assert "Your message is recorded for our team." in body and len(escalations(customer)) == 1
        note("take_message", "no model behind it", 1, len(escalations(customer)), customer)
        customer = Customer(desk, GARAGE)
        body = lose(customer, "book", {"service": "Oil change", "start": at(22),
                                       "details": {"car": "pink"}})
        assert f"Your appointment is booked: Oil change, {at(22).replace('T', ' ')}" in body, body
        note("book", "no model behind it", 1, len(appointments(customer)), customer)


def test_appointment_is_moved_and_cancelled(desk):
    with garage(desk) as customer:
        said = ask(desk, customer, "book", {"service": "Oil change", "start": at(5),
                                            "details": {"car": "green"}})
        answered(customer, said, 1)
        appointment = calls(customer)[0][3]["appointment"]["id"]
        said = ask(desk, customer, "reschedule", {"service": "Oil change", "start": at(5, 11),
                                                  "appointment": appointment})
        answered(customer, said, 2)
        assert [row[:2] for row in appointments(customer)] == [("booked", at(5, 11))]
        stranger = Customer(desk, GARAGE)
        said = ask(desk, stranger, "cancel", {"service": "Oil change", "appointment": appointment})
        answered(stranger, said, 1)
        assert calls(stranger)[0][2] == "refused"
        note("cancel", "another customer's", 1, 0, stranger)
        said = ask(desk, customer, "cancel", {"service": "Oil change", "appointment": appointment})
        answered(customer, said, 3)
        assert [row[0] for row in appointments(customer)] == ["cancelled"]
        note("reschedule, cancel", "all is well", 2, 2, customer)


def test_free_times_are_offered(desk):
    with garage(desk) as customer:
        said = ask(desk, customer, "check_availability",
                   {"service": "Oil change", "from_day": at(6)[:10]})
        answered(customer, said, 1)
        (_, _, outcome, result), = calls(customer)
        assert outcome == "ok" and len(result["free"]) == 8, result
        note("check_availability", "all is well", 1, "-", customer)
        assert all(at(6)[:10] in slot["start"] for slot in result["free"])


def test_deadline_waits_for_what_a_tool_of_ours_does(desk):
    """The turn's time is over while the effect is on its way to the database: it is heard of first, so
    the customer is not asked for what is recorded. Guard: TURN_ENDING."""
    with garage(desk, config={"turn_deadline_ms": 3000}) as customer:
        lock = desk.servers.postgres.connect(desk.installation.database)
        lock.autocommit = False
        with lock.cursor() as cursor:
            cursor.execute("LOCK TABLE escalations IN SHARE ROW EXCLUSIVE MODE")
            said = ask(desk, customer, "take_message", MESSAGE)
            desk.wait(lambda: desk.value(
                "SELECT count(*) FROM turns t JOIN channel_sessions s ON s.tenant_id = t.tenant_id"
                " AND s.id = t.session_id WHERE s.remote_address = %s"
                " AND t.deadline_at < clock_timestamp() - interval '300 ms'", customer.address),
                10, "the deadline")
            lock.commit()
        lock.close()
        body, outcome, _ = customer.wait_replies(1)[0]
        assert outcome == "fallback" and "Your message is recorded" in body, (outcome, body)
        assert "your name?" not in body and len(escalations(customer)) == 1, body
        assert [call[:3] for call in calls(customer)] == [("take_message", "done", "ok")]
        assert said.nonce not in body
        note("take_message", "the deadline meanwhile", 1, len(escalations(customer)), customer)


# ---- what dies meanwhile

POINTS = ("engine.thinking", "engine.answered", "engine.tool_begun", "engine.tool_done",
          "engine.committing")


class Killed:
    """A known customer whose next turn asks for a tool and loses its engine at a point."""

    def __init__(self, desk, tool, arguments, effects):
        self.desk, self.tool, self.arguments, self.effects = desk, tool, arguments, effects
        self.customer = Customer(desk, GARAGE)
        self.first = self.customer.text()

    def arm(self, point):
        """The runs are counted first: the kill may come at the same point."""
        answered(self.customer, self.first, 1)
        session = self.customer.session()["id"]
        self.runs = self.desk.stops.arm("engine.tool_begun", times=0, match=session)
        self.stop = self.desk.stops.arm(point, action=KILL, match=session)
        self.said = self.customer.make()

    def is_lost(self):
        """At the point, or taken up by another because the other's kill took the same engine first."""
        return self.stop.hits or self.desk.value(
            "SELECT count(*) FROM turns WHERE session_id = %s::uuid AND number = 2 AND tries > 0",
            self.customer.session()["id"])

    def judge(self, point):
        answered(self.customer, self.said, 2)
        done, effects = [call[:3] for call in calls(self.customer)], self.effects(self.customer)
        note(self.tool, f"killed at {point}", self.runs.passed, len(effects), self.customer)
        assert len(effects) == 1, (point, self.tool, effects)
        assert done == [(self.tool, "done", "ok")], (point, done)


def test_kill_with_a_tool_in_hand(desk):
    """Wherever the engine dies, another goes on from the stored round: one effect, one reply. Two
    customers lose theirs at the same point, be it one or two; the third engine lives."""
    desk.scripted = None
    with garage(desk, count=3):
        for day, point in enumerate(POINTS, 12):
            booking = {"service": "Oil change", "start": at(day), "details": {"car": "black"}}
            pair = [Killed(desk, "take_message", MESSAGE, escalations),
                    Killed(desk, "book", booking, appointments)]
            for one in pair:
                one.arm(point)
            desk.faults("model", *[rule(one.said, one.tool, one.arguments) for one in pair])
            say(desk, *[one.said for one in pair])
            desk.wait(lambda: any(one.stop.hits for one in pair)
                      and all(one.is_lost() for one in pair), 20, f"the kills at {point}")
            for one in pair:
                one.judge(point)
            desk.stops.clear()
            desk.revive()
    desk.scripted = None


test_kill_with_a_tool_in_hand.deadline_s = 180


def test_v7_zombie_books_nothing(desk):
    """V7: who froze while its model asked for a booking does not book once another took up the turn.
    (That a newer text drops the round is round_test's.) Guard: JUDGED_SQL of store/round.c."""
    desk.scripted = None
    with garage(desk, count=2) as customer:
        answered(customer, customer.text(), 1)
        stop = desk.stops.arm("engine.answered", action=FREEZE, match=customer.session()["id"])
        said = customer.make("book me in")
        desk.faults("model", {"match": said.nonce, "count": 1, "action": {
            "type": "tool_call", "name": "book", "arguments": json.dumps(
                {"service": "Oil change", "start": at(7), "details": {"car": "old"}})}})
        say(desk, said)
        desk.wait(lambda: stop.hits, 15, "the freeze")
        frozen = next(name for name, s in desk.services.items() if s.pid == stop.pid)
        answered(customer, said, 2)
        desk.services[frozen].thaw()
        desk.settled(2, lambda: (len(customer.replies()), len(appointments(customer))), 15)
        assert not appointments(customer) and len(customer.replies()) == 2
        note("book", "V7: a frozen engine wakes up", 0, 0, customer)
    desk.scripted = None
    desk.stops.clear()


def test_takeover_while_a_tool_works(desk):
    """What has begun is written down; no reply leaves, and a hand-back goes on from the round. (An engine
    takes up nothing before it has lived for a lease.)"""
    desk.scripted = None
    with garage(desk, config={"worker_lease_ms": 4000}) as customer:
        first = customer.text()
        answered(customer, first, 1)
        stop = desk.stops.arm("engine.tool_begun", action=FREEZE, match=customer.session()["id"])
        said = ask(desk, customer, "take_message", MESSAGE)
        desk.wait(lambda: stop.hits, 15, "the freeze")
        take_over(desk, customer)
        next(s for s in desk.services.values() if s.pid == stop.pid).thaw()
        desk.settled(1.5, lambda: len(customer.replies()), 15)
        assert len(customer.replies()) == 1 and len(escalations(customer)) == 1
        hand_back(desk, customer)
        body, outcome, _ = customer.wait_replies(2)[-1]
        assert outcome == "reply"  # no responder runs: the first reply was suppressed as well
        assert oracle.new_nonces(body) == [first.nonce, said.nonce], body
        assert len(escalations(customer)) == 1
        assert [call[:3] for call in calls(customer)] == [("take_message", "done", "ok")]
        note("take_message", "a takeover meanwhile", 1, len(escalations(customer)), customer)
    desk.scripted = None
    desk.stops.clear()


# ---- what the model is told

def test_knowledge_is_told_and_kept(desk):
    """Passages that share words with the question are in the prompt, and in the turn's record."""
    name = desk.tenants[GARAGE]["name"]
    with garage(desk, knowledge={"passages": 3}) as customer:
        paper = desk.folder / "towing.md"
        paper.write_text("# Towing\n\nTowing within the city costs 90 dollars.\n\n# Waiting\n\nThere is coffee.\n")
        good(desk, "kb", "import", name, paper)
        said = customer.make("what does towing cost?")
        desk.faults("model", {"match": "Towing within the city costs 90 dollars", "action": {
            "type": "reply", "text": f"{said.nonce} ninety"}})
        say(desk, said)
        body, outcome, _ = customer.wait_replies(1)[-1]
        assert (outcome, body) == ("reply", f"{said.nonce} ninety")
        passages = customer.turns()[0]["passages"]
        assert [passage["heading"] for passage in passages] == ["Towing"], passages
        shown = good(desk, "conversation", "show", customer.conversation()).out
        assert "knew towing.md, Towing" in shown, shown
        good(desk, "kb", "remove", name, "towing.md", "--yes")


def test_clock_and_appointments_are_told(desk):
    with garage(desk) as customer:
        said = ask(desk, customer, "book", {"service": "Oil change", "start": at(8),
                                            "details": {"car": "grey"}})
        answered(customer, said, 1)
        appointment = calls(customer)[0][3]["appointment"]["id"]
        day = datetime.now(ZoneInfo(ZONE)).strftime("It is now %A %Y-%m-%d")
        for part in (day, f"id {appointment}", "- Monday 08:00-18:00", "Oil change: 30 minutes"):
            said = customer.make("again")
            desk.faults("model", {"match": part, "action": {"type": "reply", "text": said.nonce}})
            count = len(customer.replies()) + 1
            say(desk, said)
            assert customer.wait_replies(count)[-1][:2] == (said.nonce, "reply"), part


def test_table(desk):
    """What came of the cases above; each has judged its own."""
    tables.show(f"{len(ROWS)} cases of tools", ("tool", "case", "runs", "effects", "last reply"), ROWS)
    assert ROWS, "no case ran before"
