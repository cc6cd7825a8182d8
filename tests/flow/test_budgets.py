"""The engine and a tenant's budgets: what is spent asks no model, what is reserved is neither lost
nor given twice, and many texts at once spend no more than there is (docs/PROTOCOL.md, budgets).
"""

import contextlib
import json

import yaml

from call_records import CALLS, Call
from harness import oracle
from harness.stops import FREEZE
from mail_talk import MAIL_ENGINE, Correspondent, Mailbox
from procs import own_dir
from operating import OK, TENANTS, doctor, good, good_environment
from scripted import Customer, engines, say
from tenants import read_document

SHARE = True
DEADLINE_S = 90

GARAGE = 1  # of desk.tenants, in the order of the files
NAME = "hillcrest-garage"
FALLBACK = ("Got your message. Our system is slow at the moment; one of us will text you back"
            " shortly.")


def mute_vendor(desk):
    """A folder with the file of a vendor that does not know stream_options."""
    folder = own_dir(desk.folder / "vendors")
    (folder / "mute.yaml").write_text(yaml.safe_dump({
        "name": "mute", "display_name": "Mute", "dialect": "openai", "base_url": desk.installation.model_url,
        "stream_usage": False, "default_model": "stand-1"}))
    return folder


@contextlib.contextmanager
def budgets(desk, count=1, config=None, mute=False, price=None, tools=None, **limits):
    """The garage with these budgets and tools (none), nothing spent yet; afterwards its own. `mute`: its
    vendor is not asked what a call used, and does not tell. `price`: of its model."""
    desk.scripted = None  # engines that have warned of nothing yet
    engines(desk, count, **(config or {}))
    document = read_document(TENANTS / "garage.yaml")
    for key in ("tools", "services", "resources", "intents", "escalation"):
        document.pop(key, None)
    document["budgets"] = limits
    if tools:
        document["tools"] = tools
    options = {}
    if mute:
        document["assistant"]["models"] = [{"vendor": "mute", "key": "env:OPENAI_API_KEY"}]
        options = {"environment": {"FRONTDESK_VENDORS_DIR": str(mute_vendor(desk))}}
    if price:
        document["assistant"]["models"][0]["price"] = price
    path = desk.folder / "budgets.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes", **options)
    customer = Customer(desk, GARAGE)
    desk.sql("DELETE FROM usage WHERE tenant_id = %s::uuid", customer.tenant_id)
    try:
        yield customer
    finally:
        desk.faults("model")
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")


def usage(desk, period, unit):
    """The row that `deskctl usage` shows of the garage's current period."""
    rows = good(desk, "usage", "--tenant", NAME, f"--{period}", "--json").json()
    return next(row for row in rows if row["unit"] == unit)


def move_back(desk, customer, period):
    """The current period becomes the one before: what follows is spent in a new one."""
    desk.sql(f"UPDATE usage SET since = since - interval '1 {period}' WHERE tenant_id = %s::uuid"
             " AND period = %s", customer.tenant_id, period)


def is_answered(customer, count):
    body, outcome, _ = customer.wait_replies(count)[-1]
    return outcome == "reply" and oracle.new_nonces(body)


def is_turned_down(customer, count):
    body, outcome, _ = customer.wait_replies(count)[-1]
    return outcome == "budget_spent" and (body.startswith(FALLBACK) or count > 2)


def warnings(desk):
    return [(line["event"], line["period"]) for line in desk.log("engine-1")
            if line.get("event", "").startswith("budget.")]


def test_spent_budget_asks_no_model(desk):
    """Until the day is over; people's replies are never in the way. Guard: EVENT_SPENT."""
    with budgets(desk, day={"tokens": 10}) as customer:
        customer.text()
        assert is_answered(customer, 1)
        asked = len(customer.model_calls())
        for count in (2, 3):
            said = customer.text()
            assert is_turned_down(customer, count), customer.replies()
            customer.wait_event(said, "answered")
        assert len(customer.model_calls()) == asked
        assert [turn["prompt"] is None for turn in customer.turns()] == [False, True, True]
        assert warnings(desk) == [("budget.spent", "day")], warnings(desk)
        row = usage(desk, "day", "tokens")
        assert row["spent"] > row["budget"] == 10 and row["per_cent"] > 100, row
        assert usage(desk, "month", "tokens")["budget"] is None
        assert usage(desk, "day", "segments")["spent"] >= 3  # the wording is sent, too
        shown = good(desk, "usage", "--tenant", NAME).out
        assert NAME in shown and "tokens" in shown and "dollars" in shown, shown
        checks = doctor(desk, OK, environment=good_environment(desk))
        told = checks[f"budget {NAME}"]
        assert told["result"] == "warn" and told["what"].endswith("are spent: no model is asked"), told
        move_back(desk, customer, "day")
        customer.text()
        assert is_answered(customer, 4)


def test_month_and_segments(desk):
    with budgets(desk, month={"sms_segments": 1}) as customer:
        customer.text()
        assert is_answered(customer, 1)
        customer.text()
        assert is_turned_down(customer, 2), customer.replies()
        told = doctor(desk, OK, environment=good_environment(desk))[f"budget {NAME}"]
        assert told["what"].endswith("are spent: no model is asked for a text"), told
        move_back(desk, customer, "day")  # another day of the same month
        customer.text()
        assert is_turned_down(customer, 3), customer.replies()
        move_back(desk, customer, "month")
        customer.text()
        assert is_answered(customer, 4)


def test_spent_dollars_take_a_message(desk):
    """A budget of money is spent by the prices in the file; then a message is taken without a model, as one
    task for people."""
    with budgets(desk, price={"input": 1000, "output": 2000}, day={"dollars": 0.05}) as customer:
        customer.text()
        assert is_answered(customer, 1)
        tokens_in, tokens_out, cost = desk.sql(
            "SELECT tokens_in, tokens_out, cost FROM llm_calls c JOIN turns t ON t.tenant_id = c.tenant_id"
            " AND t.id = c.turn_id WHERE t.id = %s::uuid", customer.turns()[0]["id"])[0]
        assert cost == 1000000 * tokens_in + 2000000 * tokens_out  # billionths of a dollar
        row = usage(desk, "day", "dollars")
        assert abs(float(row["spent"]) - cost / 1e9) < 1e-6 and float(row["budget"]) == 0.05, row
        for count, words in enumerate(("My brakes squeak", "patient 2041", "here, after 5 pm"), 2):
            say(desk, customer.make(body=words))
            assert is_turned_down(customer, count), customer.replies()
        assert len(customer.model_calls()) == 1 and warnings(desk)[-1] == ("budget.spent", "day")
        assert desk.sql(
            "SELECT e.reason, e.state, e.caller, e.summary, e.call_back FROM escalations e JOIN turns t"
            " ON t.tenant_id = e.tenant_id AND t.id = e.turn_id WHERE t.session_id = %s::uuid",
            customer.session()["id"]) == [
                ("message", "open", "patient 2041", "My brakes squeak", "here, after 5 pm")]


def test_spent_segments_stop_texts_alone(desk):
    """Who phones or mails costs none: he is answered by the model as before. Guard: budget_of_turn."""
    with budgets(desk, config={**CALLS, **MAIL_ENGINE}, day={"sms_segments": 1}) as customer:
        customer.text()
        assert is_answered(customer, 1)
        customer.text()
        assert is_turned_down(customer, 2), customer.replies()
        writer = Correspondent(desk, Mailbox(desk, GARAGE))
        mail = writer.mail()
        reply, = writer.wait_replies(1)
        assert (reply.outcome, oracle.new_nonces(reply.body)) == ("reply", [mail.nonce])
        call = Call(desk, tenant=GARAGE)
        call.setup()
        try:
            nonce = call.prompt()
            assert oracle.new_nonces(call.wait_over()) == [nonce]
            assert call.wait_settled(1)[0][2] == "reply"
        finally:
            call.close()


def test_use_is_counted_without_budgets(desk):
    with budgets(desk) as customer:
        customer.text()
        assert is_answered(customer, 1)
        said = desk.value("SELECT sum(tokens_in + tokens_out)::bigint FROM llm_calls c JOIN turns t"
                          " ON t.tenant_id = c.tenant_id AND t.id = c.turn_id"
                          " WHERE t.id = %s::uuid", customer.turns()[0]["id"])
        assert usage(desk, "day", "tokens")["spent"] == said > 0
        assert usage(desk, "month", "tokens")["spent"] == said
        assert customer.turns()[0]["reserved_tokens"] is None


def rows(desk, customer):
    """[(outcome, tokens in, tokens out)] of the customer's model calls, in order."""
    return desk.sql("SELECT l.outcome, l.tokens_in, l.tokens_out FROM llm_calls l JOIN turns t"
                    " ON t.tenant_id = l.tenant_id AND t.id = l.turn_id WHERE t.session_id = %s::uuid"
                    " ORDER BY l.started_at, l.id", customer.session()["id"])


def test_model_that_tells_no_usage_reaches_the_budget(desk):
    """What it used is estimated: the prompt that left, and the words that came. Guard: count_tokens."""
    with budgets(desk, mute=True, day={"tokens": 10}) as customer:
        customer.text()
        assert is_answered(customer, 1)
        (outcome, in_, out), = rows(desk, customer)
        assert outcome == "answered" and in_ > 100 and out > 4, (in_, out)
        assert usage(desk, "day", "tokens")["spent"] == in_ + out
        customer.text()
        assert is_turned_down(customer, 2), customer.replies()
        assert len(rows(desk, customer)) == 1


def test_call_that_was_stopped_is_counted(desk):
    """A newer text stops it, and nobody tells what it had read: its prompt had left. Guard: calls_record_cut."""
    with budgets(desk, day={"tokens": 1000000}) as customer:
        first = customer.make()
        desk.faults("model", {"match": first.nonce, "count": 1, "action": {"type": "delay", "ms": 4000}})
        say(desk, first)
        desk.wait(lambda: desk.fired("model")[0]["fired"] == 1, 15, "the model to be asked")
        customer.text()
        assert customer.wait_replies(1)[0][1] == "reply"
        (stopped, in_, out), (answered, *used) = rows(desk, customer)
        assert (stopped, out, answered) == ("stopped", 0, "answered") and in_ > 100, (stopped, in_, out, answered)
        assert usage(desk, "day", "tokens")["spent"] == in_ + sum(used)


def test_failed_call_is_reserved_beside_the_next(desk):
    """The turn goes on with another call, which may use as much again: what it can come to is reserved anew, or
    the budget would be exceeded by more than one turn's. Guard: reserve_anew."""
    with budgets(desk, day={"tokens": 1000000}) as plain:
        plain.text()
        plain.wait_replies(1)
        other = Customer(desk, GARAGE)
        said = other.make()
        desk.faults("model", {"match": said.nonce, "count": 1, "action": {"type": "truncate"}})
        say(desk, said)
        assert other.wait_replies(1)[0][1] == "reply"
        (failed, in_, out), (answered, *_) = rows(desk, other)
        assert (failed, answered) == ("failed", "answered") and in_ > 100 and out > 0, rows(desk, other)
        assert other.turns()[0]["reserved_tokens"] == plain.turns()[0]["reserved_tokens"] + in_ + out


def test_killed_engine_loses_and_doubles_nothing(desk):
    """The turn of an engine that dies keeps what it has reserved until another one has ended it."""
    with budgets(desk, day={"tokens": 1000000}) as customer:
        stop = desk.stops.arm("engine.answered")
        customer.text()
        desk.wait(lambda: stop.hits, 20, "the engine to die")
        held = usage(desk, "day", "tokens")
        assert held["reserved"] > 0 and held["spent"] == 0, held
        desk.revive()
        assert is_answered(customer, 1)
        row = usage(desk, "day", "tokens")
        assert row["reserved"] == 0, row
        assert row["spent"] == desk.value(
            "SELECT sum(c.tokens_in + c.tokens_out)::bigint FROM llm_calls c JOIN turns t"
            " ON t.tenant_id = c.tenant_id AND t.id = c.turn_id WHERE t.id = %s::uuid",
            customer.turns()[0]["id"]), row
        turn = customer.turns()[0]
        assert turn["tries"] == 1 and turn["reserved_tokens"] == held["reserved"], turn
        asked = len(customer.model_calls())
        assert (asked, len(rows(desk, customer))) == (2, 1)  # the one whose answer it held is lost


def test_killed_engine_loses_no_call_of_its_rounds(desk):
    """What led to a round that stands is stored and counted with it: only the call behind it is lost, and whoever
    goes on counts none twice. Guard: calls_add_of_rounds."""
    with budgets(desk, tools=["take_message"], day={"tokens": 1000000}) as customer:
        said = customer.make()
        desk.faults("model", {"match": said.nonce, "count": 1, "action": {
            "type": "tool_call", "name": "take_message", "arguments": json.dumps({"message": "call me"})}})
        stop = desk.stops.arm("engine.answered", skip=1)
        say(desk, said)
        desk.wait(lambda: stop.hits, 20, "the engine to die with the answer behind its round")
        kept, held = rows(desk, customer), usage(desk, "day", "tokens")
        assert [outcome for outcome, *_ in kept] == ["answered"], kept
        assert held["reserved"] > 0 and held["spent"] == sum(in_ + out for _, in_, out in kept), held
        desk.revive()
        assert is_answered(customer, 1)
        ended, row = rows(desk, customer), usage(desk, "day", "tokens")
        assert (len(customer.model_calls()), len(ended)) == (3, 2) and ended[:1] == kept, ended
        assert row["reserved"] == 0 and row["spent"] == sum(in_ + out for _, in_, out in ended), row


def outcomes_of(desk, customers):
    return dict(desk.sql(
        "SELECT t.outcome, count(*) FROM turns t JOIN channel_sessions s"
        " ON s.tenant_id = t.tenant_id AND s.id = t.session_id WHERE t.tenant_id = %s::uuid"
        " AND s.remote_address = ANY (%s) AND t.outcome IS NOT NULL GROUP BY 1",
        customers[0].tenant_id, [customer.address for customer in customers]))


def two_hundred_texts(desk, column, unit, price=None, **day):
    """All of it can be spent. Returns (how many a model answered, how many not, what is spent, the most that a turn
    reserved), the last two in the unit's own."""
    with budgets(desk, 2, {"turn_deadline_ms": 30000}, price=price, day=day):
        customers = [Customer(desk, GARAGE) for _ in range(200)]
        say(desk, *[customer.make() for customer in customers])
        desk.wait(lambda: sum(outcomes_of(desk, customers).values()) == 200, 60,
                  lambda: f"200 turns to end, got {outcomes_of(desk, customers)}")
        ended = outcomes_of(desk, customers)
        assert set(ended) == {"reply", "budget_spent"}, ended
        worst = desk.value(f"SELECT max(reserved_{column}) FROM turns WHERE tenant_id = %s::uuid",
                           customers[0].tenant_id)
        spent = desk.value(f"SELECT {column} FROM usage WHERE tenant_id = %s::uuid AND period = 'day'",
                           customers[0].tenant_id)
        row = usage(desk, "day", unit)
        assert float(row["budget"]) <= float(row["spent"]) and float(row["reserved"]) == 0, row
        asked = sum(len(customer.model_calls()) for customer in customers[:10])
        replied = sum(customer.replies()[0][1] == "reply" for customer in customers[:10])
        assert asked == replied, (asked, replied)
        assert [len(customer.replies()) for customer in customers] == [1] * 200
        return ended["reply"], ended["budget_spent"], spent, worst


def test_two_hundred_texts_at_once(desk):
    """All of the budget can be spent, and no more than that and one turn. Guard: the judgement in
    store/usage.c; without it all 200 are answered."""
    _, _, spent, worst = two_hundred_texts(desk, "tokens", "tokens", tokens=20000)
    assert spent < 20000 + worst, (spent, worst)


def test_two_hundred_texts_cost_no_more(desk):
    """The same of money, by the prices of the model. Guard: day_cost in the judgement in store/usage.c."""
    _, _, spent, worst = two_hundred_texts(desk, "cost", "dollars", {"input": 1000, "output": 2000}, dollars=20)
    assert spent < 20 * 10 ** 9 + worst, (spent, worst)


def test_two_hundred_texts_take_no_more_segments(desk):
    """The same of segments; what is said without a model is sent all the same, and counted. Guard: day_segments
    there."""
    replies, others, spent, worst = two_hundred_texts(desk, "segments", "segments", sms_segments=60)
    assert replies < 60 + worst and spent >= replies + others, (replies, others, spent, worst)


def test_full_budget_is_no_outage(desk):
    """Others have reserved what is left until a turn's time is over: no model failed it. Guard: act_fall_back."""
    with budgets(desk, 2, {"turn_deadline_ms": 3000, "worker_lease_ms": 30000}, day={"tokens": 700}):
        first = Customer(desk, GARAGE)
        first.text()
        first.wait_replies(1)
        stop = desk.stops.arm("engine.thinking", action=FREEZE, match=first.session()["id"])
        say(desk, first.make())
        desk.wait(lambda: stop.hits, 15, "the turn that holds the budget")
        frozen = next(name for name, service in desk.services.items() if service.pid == stop.pid)
        others = [Customer(desk, GARAGE) for _ in range(8)]
        say(desk, *[other.make() for other in others])
        desk.wait(lambda: any(other.replies() for other in others), 30, "the other engine's turns")
        outcomes = {reply[1] for other in others for reply in other.replies()}
        assert outcomes == {"budget_spent"}, outcomes
        desk.thaw(frozen)
