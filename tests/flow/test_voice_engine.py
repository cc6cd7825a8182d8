"""The engine answers calls: records of inbound.voice in, frames of voice.stream out, the test is the ingress."""

import secrets
import time

from call_records import CALLS, Call
from harness import CHECKOUT, oracle
from operating import good
from scripted import Customer, Held, engines, fallback_of, refused

SHARE = True
DEADLINE_S = 90

ANSWER = ("Good morning, this is the desk. We are open from nine to five on weekdays. On Saturdays we"
          " close at noon. Would you like to come in for a visit?")


def says(desk, nonce, text=ANSWER):
    """What the model answers to the prompt with this nonce."""
    return {"match": nonce, "action": {"type": "reply", "text": text}}


def stops(nonce, chunks, ms, text=ANSWER):
    """The same, but the stream of 20 pieces stops for so long behind so many."""
    return {"match": nonce, "count": 1,
            "action": {"type": "stall", "text": text, "chunks": chunks, "ms": ms}}


def plain(_):
    """The model answers as it does."""
    return {"match": "no such text", "action": {"type": "empty"}}


def prompt(call, rule, words="hello"):
    """The caller says something to which the model has this rule alone."""
    nonce = call.desk.new_nonce()
    call.desk.faults("model", rule(nonce))
    return call.prompt(words, nonce)


def test_prompt_is_answered_in_pieces_and_settled(desk):
    engines(desk, **CALLS)
    call = Call(desk)
    call.setup()
    prompt(call, lambda nonce: says(desk, nonce))
    assert call.wait_over() == ANSWER
    pieces = [text for _, text in call.spoken]
    assert len(pieces) >= 3 and len(pieces[0]) <= 45, pieces
    assert [frame["seq"] for frame in call.frames] == list(range(len(call.frames)))
    (body, heard, outcome, state, reason), = call.wait_settled(1)
    assert (body, heard, outcome, state, reason) == (ANSWER, ANSWER, "reply", "delivered", None)
    assert call.events() == [("answered", None)]
    session = call.session()
    assert session["due_at"] is None and session["turn_id"] is None and session["fence"] == 1
    assert session["kind"] == "voice" and session["stream_partition"] == call.partition
    assert not [r for r in desk.kafka_records("outbound.sms") if session["id"].encode() in r.key]
    call.close()


def test_second_prompt_knows_the_first(desk):
    engines(desk, **CALLS)
    desk.faults("model")
    call = Call(desk)
    first = call.prompt()
    assert oracle.new_nonces(call.wait_over()) == [first]
    call.wait_settled(1)
    call.over = False
    second = call.prompt("and then?")
    said = call.wait_over()
    assert oracle.new_nonces(said) == [second] and oracle.history_nonces(said) == [first], said
    assert [turn["number"] for turn in call.turns()] == [1, 2]
    assert {(frame["turn_number"], frame["prompt"]) for frame in call.frames} == {(1, 1), (2, 2)}, call.frames
    call.wait_settled(2)
    call.close()


def test_texts_and_calls_are_one_conversation(desk):
    engines(desk, **CALLS)
    desk.faults("model")
    customer = Customer(desk)
    text = customer.text()
    customer.wait_replies(1)
    call = Call(desk, customer)
    nonce = call.prompt()
    said = call.wait_over()
    assert oracle.new_nonces(said) == [nonce] and oracle.history_nonces(said) == [text.nonce], said
    call.wait_settled(1)
    talks = desk.sql("SELECT DISTINCT conversation_id FROM channel_sessions WHERE remote_address = %s",
                     customer.address)
    assert len(talks) == 1, talks
    call.close()


def test_interrupt_keeps_what_was_heard(desk):
    """The model is stopped, the reply is what was heard, and the next turn knows no more of it."""
    engines(desk, **CALLS)
    call = Call(desk)
    prompt(call, lambda nonce: stops(nonce, 10, 8000))
    call.pump(lambda: len(call.spoken) >= 2, 10, "two pieces")
    heard = "Good morning, this is"
    call.interrupt(heard)
    nonce = prompt(call, plain, "Saturday?")
    call.pump(lambda: call.over, 10, "the second turn")
    assert oracle.new_nonces(call.said) == [nonce], call.said
    first, second = call.wait_settled(2)
    assert first[1:] == (heard, "interrupted", "delivered", None), first
    assert ANSWER.startswith(first[0]) and len(first[0]) > len(heard), first
    assert second[2:4] == ("reply", "delivered"), second
    assert call.events() == [("answered", None)] * 2
    asked = [entry for entry in desk.ledger("model") if entry["params"].get("last_user", "").startswith(nonce)]
    assert len(asked) == 1, asked
    desk.faults("model")
    call.close()


def test_interrupt_before_anything_was_heard(desk):
    """Both prompts are answered by one turn, under a number that the ingress has not dropped."""
    engines(desk, **CALLS)
    call = Call(desk)
    first = prompt(call, lambda nonce: stops(nonce, 10, 8000))
    call.pump(lambda: call.spoken, 10, "a piece")
    number = call.turn_number
    call.interrupt("")
    second = prompt(call, plain, "no, wait")
    call.pump(lambda: call.over, 10, "the turn anew")
    assert oracle.new_nonces(call.said) == [first, second], call.said
    assert call.turn_number > number
    (_, _, outcome, state, _), = call.wait_settled(1)
    assert (outcome, state) == ("reply", "delivered")
    assert call.events() == [("answered", None)] * 2
    desk.faults("model")
    call.close()


def test_prompt_before_the_first_word(desk):
    """Nothing was given out: the turn begins anew with both."""
    engines(desk, **CALLS)
    call = Call(desk)
    first = prompt(call, lambda nonce: {"match": nonce, "count": 1,
                                        "action": {"type": "delay", "ms": 4000}})
    desk.wait(lambda: [e for e in desk.ledger("model")
                       if e["params"].get("last_user", "").startswith(first)], 10, "the model")
    second = call.prompt("one more thing")
    said = call.wait_over()
    assert oracle.new_nonces(said) == [first, second], said
    assert {frame["prompt"] for frame in call.frames} == {2}, call.frames
    assert len(call.wait_settled(1)) == 1 and len(call.turns()) == 1
    desk.faults("model")
    call.close()


def test_killed_in_the_middle_of_speech(desk):
    """The other engine asks what was heard and goes on: each sentence once, in order."""
    engines(desk, 2, **CALLS)
    call = Call(desk)
    prompt(call, lambda nonce: stops(nonce, 12, 30000))
    call.pump(lambda: "weekdays." in call.said, 10, "two sentences")
    worker = call.session()["worker"]
    process = desk.value("SELECT process FROM workers WHERE id = %s::uuid", worker)
    desk.faults("model", {"match": "cut off in the middle", "action": {"type": "reply", "text": ANSWER}})
    desk.kill(process.split("/")[0])
    said = call.wait_over(20)
    assert said == ANSWER, (said, call.frames)
    assert len(call.asides) == 1, call.asides
    assert [f["kind"] for f in call.frames].count("open") == 1
    (body, heard, outcome, state, _), = call.wait_settled(1)
    assert (body, heard, outcome, state) == (ANSWER, ANSWER, "reply", "delivered")
    assert not call.dropped
    desk.faults("model")
    desk.revive()
    call.close()


def test_notes_answer_a_caller_without_a_model(desk):
    """What is spoken is the note, as an automatic answer, and a message is offered; what they do not answer is taken."""
    engines(desk, **CALLS)
    call = Call(desk)
    name = call.customer.known["name"]
    good(desk, "kb", "import", name, CHECKOUT / "deploy" / "knowledge" / "dental-faq.md", "--faq")
    try:
        desk.faults("model", {"action": {"type": "status", "status": 400}})  # no breaker opens
        call.say("Hello, um, how much is whitening?")
        said = call.wait_over()
        assert "350 dollars for one session" in said and "automatic answer" in said, said
        assert said.startswith(fallback_of(desk, call.customer)[:30]) and "take a message" in said, said
        (_, heard, outcome, state, _), = call.wait_settled(1)
        assert (heard, outcome, state) == (said, "fallback", "delivered")
        call.over = False
        call.say("My dog ate the retainer.")
        said = call.wait_over()
        assert "automatic answer" not in said and "?" in said, said
    finally:
        good(desk, "kb", "remove", name, "dental-faq.md", "--yes")
        desk.faults("model")
    call.close()


def test_without_a_model_the_reception_speaks(desk):
    engines(desk, **CALLS)
    call = Call(desk)
    desk.faults("model", {"action": {"type": "status", "status": 503}})
    call.prompt()
    said = call.wait_over()
    opening = fallback_of(desk, call.customer)
    assert said.startswith(opening[:30]) and "?" in said, said
    (_, heard, outcome, state, _), = call.wait_settled(1)
    assert (heard, outcome, state) == (said, "fallback", "delivered")
    call.over = False
    call.prompt("My name is Ann Smith")
    again = call.wait_over()
    assert again != said and "?" in again, again
    desk.faults("model")
    call.close()


def test_takeover_stops_the_speech(desk):
    engines(desk, **CALLS)
    call = Call(desk)
    prompt(call, lambda nonce: stops(nonce, 10, 3000))
    call.pump(lambda: len(call.spoken) >= 2, 10, "two pieces")
    talk = call.session()["conversation_id"]
    desk.installation.deskctl("takeover", talk)
    call.pump(lambda: call.epoch == 1, 10, "the stop frame")
    spoken = list(call.spoken)
    call.listen(4)
    assert call.spoken == spoken and [f["kind"] for f in call.frames].count("stop") == 1
    (body, heard, outcome, state, _), = call.wait_settled(1)
    assert (body, heard, outcome, state) == (call.said, call.said, "interrupted", "delivered")
    before = len(call.frames)
    call.prompt("is somebody there?")
    call.listen(2)
    assert len(call.frames) == before
    assert call.events()[-1] == ("open", None)
    desk.faults("model")
    call.close()


def test_end_of_the_call_settles_what_has_no_heard(desk):
    """Words were written, nobody told how far they sounded; a prompt that nobody answered is late; what comes
    after the end is nobody's to answer."""
    engines(desk, **CALLS)
    call = Call(desk)
    call.answers = False
    prompt(call, lambda nonce: says(desk, nonce))
    call.wait_over()
    desk.wait(lambda: call.replies() and call.replies()[0][3] == "sending", 10, "the commit")
    prompt(call, lambda nonce: {"match": nonce, "action": {"type": "delay", "ms": 6000}})
    desk.wait(lambda: len(call.turns()) == 2, 10, "the second turn")
    call.ended()
    (body, heard, _, state, reason), = call.wait_settled(1)
    assert body == ANSWER and ANSWER.startswith(heard) and len(heard) < len(ANSWER), heard
    assert (state, reason) == (("delivered", None) if heard else ("suppressed", "unheard"))
    call.pump(lambda: call.events()[-1] == ("late", "call_over"), 10, "the late prompt")
    turn = call.turns()[1]
    assert (turn["state"], turn["outcome"]) == ("finished", "interrupted")
    session = call.session()
    assert session["ended_at"] and session["due_at"] is None and session["turn_id"] is None
    call.prompt("hello?")
    call.pump(lambda: len(call.events()) == 3, 10, "the last prompt")
    assert call.events()[-1] == ("late", "late")
    desk.faults("model")
    call.close()


def test_what_was_heard_is_told_behind_the_end(desk):
    """The status callback came to another ingress, whose record is before that of the one that spoke."""
    engines(desk, **CALLS)
    call = Call(desk)
    prompt(call, lambda nonce: says(desk, nonce))
    call.wait_over()
    assert call.wait_settled(1)[0][:2] == (ANSWER, ANSWER)
    call.ended()
    call.pump(lambda: call.session()["ended_at"], 10, "the end")
    call.heard("close", "Good morning, this is")
    call.pump(lambda: call.replies()[0][1] != ANSWER, 10, "what was heard")
    assert call.replies()[0][:4] == (ANSWER, "Good morning, this is", "reply", "delivered")
    call.close()


def test_an_end_that_overtakes_its_call_is_kept(desk):
    """Another ingress told it, whose Kafka was back first: nobody speaks into a call that is over."""
    engines(desk, **CALLS)
    call = Call(desk)
    call.ended()
    call.setup()
    call.prompt("hello?")
    behind = Call(desk, call.customer)
    behind.prompt("hello again")
    behind.wait_over()
    assert call.events() == [("late", "late")], call.rows()
    assert call.session()["ended_at"] and call.turns() == [], call.rows()
    call.listen(1)
    assert call.frames == []
    call.close()
    behind.close()


def test_the_end_of_a_call_that_nobody_took_makes_no_session(desk):
    """Whom we called, and who hung up while Twilio still listened for a machine; a caller who is blocked, or who hung
    up while it rang: the ends of such calls are told."""
    engines(desk, **CALLS)
    for told in ({"outbound": True}, {"reason": "no_answer"}, {"reason": "busy"}):
        call = Call(desk)
        call.ended(**told)
        behind = Call(desk, call.customer)  # the records of one person come in their order
        behind.prompt()
        behind.wait_over()
        assert call.session() is None, told
        call.close()
        behind.close()


def test_recording_is_a_task(desk):
    engines(desk, **CALLS)
    call = Call(desk)
    call.setup()
    sid = "RE" + call.sid[2:]
    for _ in range(2):
        call.tell("recorded", sid, recording_sid=sid, url="https://api.example.com/rec", duration_s=12,
                  why="fallback")
    call.tell("dialled", f"{call.sid}:dialled:01890000-0000-7000-8000-000000000001",
              dial="01890000-0000-7000-8000-000000000001", outcome="busy", duration_s=0)
    desk.wait(lambda: desk.value("SELECT count(*) FROM messages m JOIN channel_sessions s"
                                 " ON s.tenant_id = m.tenant_id AND s.id = m.session_id"
                                 " WHERE s.call_sid = %s AND m.author = 'system'", call.sid) == 2, 10,
              "both notes")
    rows = desk.sql("SELECT e.reason, e.summary, e.call_back FROM escalations e JOIN channel_sessions s"
                    " ON s.tenant_id = e.tenant_id AND s.conversation_id = e.conversation_id"
                    " WHERE s.call_sid = %s", call.sid)
    assert len(rows) == 1 and rows[0][0] == "message" and rows[0][2] == call.customer.address, rows
    assert "http" not in rows[0][1], rows  # the responder fetches it (flow/recordings)
    assert desk.sql("SELECT r.state, r.duration_s FROM recordings r WHERE r.recording_sid = %s",
                    sid) == [("waiting", 12)]
    call.close()


def test_another_socket_goes_on(desk):
    """The socket dies behind a reply of which half was heard: at the next one the rest is said."""
    engines(desk, **CALLS)
    call = Call(desk)
    call.answers = False
    prompt(call, lambda nonce: says(desk, nonce))
    call.wait_over()
    call.heard("close", "Good morning, this is the desk. We are open from")
    call.wait_settled(1)
    call.over, call.said = False, ""
    call.relay = "VX" + call.sid[2:]
    call.setup(resumed=True)
    said = call.wait_over()
    assert said == ANSWER[ANSWER.index("We are open"):], said
    assert len(call.asides) == 1
    call.close()


def test_another_socket_in_the_middle_of_a_turn(desk):
    """The model still speaks when the socket changes: what was heard is asked for, each sentence comes once."""
    engines(desk, **CALLS)
    call = Call(desk)
    prompt(call, lambda nonce: stops(nonce, 12, 8000))
    call.pump(lambda: "weekdays." in call.said, 10, "two sentences")
    desk.faults("model", {"match": "cut off in the middle", "action": {"type": "reply", "text": ANSWER}})
    call.heard("close")
    call.relay = "VX" + call.sid[2:]
    call.setup(resumed=True)
    assert call.wait_over() == ANSWER, call.frames
    (body, heard, outcome, state, _), = call.wait_settled(1)
    assert (body, heard, outcome, state) == (ANSWER, ANSWER, "reply", "delivered")
    desk.faults("model")
    call.close()


def test_another_socket_that_is_told_of_late(desk):
    """An ingress dies as the turn begins to speak, and the record of the next socket is read seconds later: what
    was to sound in between was heard by nobody, and is said."""
    engines(desk, **CALLS)
    call = Call(desk)
    nonce = prompt(call, lambda nonce: stops(nonce, 12, 9000))
    call.pump(lambda: "weekdays." in call.said, 10, "two sentences")
    begin = time.monotonic()
    desk.faults("model", says(desk, nonce))
    time.sleep(4)  # so long Kafka keeps the record; the first sentence takes 2 s
    call.turn, call.turn_number, call.fence, call.seq, call.said, call.over = None, 0, 0, -1, "", False
    call.relay = "VX" + secrets.token_hex(16)
    call.setup(resumed=True, later_s=begin - time.monotonic())
    said = call.wait_over()
    assert said.strip() == ANSWER, said
    desk.faults("model")
    call.close()


def test_another_socket_long_after_the_former(desk):
    """A provider that takes its time from the end of a socket to the next: what was to sound in between was heard by nobody,
    and is said. Guard: heard_until of engine/voice_intake.c."""
    engines(desk, **CALLS)
    call = Call(desk)
    call.answers = False
    nonce = prompt(call, lambda nonce: stops(nonce, 12, 9000))
    call.pump(lambda: "weekdays." in call.said, 10, "two sentences")
    began = time.monotonic()
    desk.faults("model", says(desk, nonce))
    time.sleep(5)  # the first two sentences take 4.9 s
    call.turn, call.turn_number, call.fence, call.seq, call.said, call.over = None, 0, 0, -1, "", False
    call.relay = "VX" + secrets.token_hex(16)
    call.setup(resumed=True, gone_ms=int(1000 * (time.monotonic() - began)))
    said = call.wait_over()
    assert said.strip() == ANSWER, said
    desk.faults("model")
    call.close()


def test_another_socket_before_the_first_word(desk):
    """The model still thinks when the socket changes: the caller, who has waited since before, hears somebody
    at once, and the turn goes on."""
    engines(desk, **CALLS)
    call = Call(desk)
    nonce = prompt(call, lambda nonce: {"match": nonce, "count": 1, "action": {"type": "delay", "ms": 4000}})
    desk.wait(lambda: [e for e in desk.ledger("model")
                       if e["params"].get("last_user", "").startswith(nonce)], 10, "the model")
    call.relay = "VX" + call.sid[2:]
    call.setup(resumed=True)
    call.pump(lambda: call.asides or call.spoken, 10, "a word over the next socket")
    assert call.asides and not call.spoken, call.frames
    assert oracle.new_nonces(call.wait_over()) == [nonce], call.frames
    assert len(call.wait_settled(1)) == 1 and call.turns()[0]["fence"] == 1, call.turns()
    assert call.events() == [("answered", None)]
    desk.faults("model")
    call.close()


def test_another_socket_while_the_commit_is_on_its_way(desk):
    """The claim of the setup finds the turn running, and its words had all left when it was told of: the commit behind
    that claim is refused, and the rest is said into the new socket. Guard: HAS_MOVED in turn_commit.c."""
    engines(desk, **CALLS)
    call = Call(desk)
    call.answers = False
    prompt(call, lambda nonce: stops(nonce, 12, 1000))
    call.pump(lambda: "weekdays." in call.said, 10, "two sentences")
    with Held(desk) as held:
        held.run("SELECT FROM channel_sessions WHERE call_sid = %s FOR NO KEY UPDATE", call.sid)
        desk.faults("model", {"match": "cut off in the middle", "action": {"type": "reply", "text": ANSWER}})
        call.comes_back()
        desk.wait(lambda: held.blocks("engine"), 10, "the claim to wait")
        call.over = True  # the former socket's frames are nobody's
        call.pump(lambda: call.frames[-1].get("last"), 10, "the last frame")
        desk.wait(lambda: desk.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                     " AND usename = 'frontdesk_engine'") == 2, 10, "the commit to wait")
        call.over, call.answers = False, True
    assert call.wait_over() == ANSWER, call.frames
    (body, heard, outcome, state, _), = call.wait_settled(1)
    assert (body, heard, outcome, state) == (ANSWER, ANSWER, "reply", "delivered")
    assert call.events() == [("answered", None)]
    desk.faults("model")
    call.close()


def test_another_ingress_while_the_commit_waits(desk):
    """All was written, and told so, when its ingress died while most was still to sound; the commit comes behind the new
    socket. What has sounded is judged by the time, and the rest is said. Guard: voice_reckon."""
    engines(desk, **CALLS)
    call = Call(desk)
    with refused(desk, "turns", "TG_OP = 'UPDATE' AND NEW.state = 'finished'", "40001"):
        prompt(call, lambda nonce: says(desk, nonce))
        assert call.wait_over() == ANSWER
        desk.wait(lambda: call.turns()[0]["heard_reason"] == "last", 10, lambda: f"the last word: {call.rows()}")
        call.turn, call.turn_number, call.fence, call.seq, call.said, call.over = None, 0, 0, -1, "", False
        call.comes_back()
        desk.wait(lambda: call.turns()[0]["heard_reason"] == "close", 10, lambda: f"the estimate: {call.rows()}")
    said = call.wait_over()
    assert said and ANSWER.endswith(said), call.frames
    (body, heard, outcome, state, _), = call.wait_settled(1)
    assert (body, heard, outcome, state) == (ANSWER, ANSWER, "reply", "delivered")
    desk.faults("model")
    call.close()


def test_lost_frame_is_noticed(desk):
    """The ingress has less than what left long ago: a new fence asks, and goes on from there."""
    engines(desk, **CALLS)
    call = Call(desk)
    prompt(call, lambda nonce: stops(nonce, 12, 20000))
    call.pump(lambda: "weekdays." in call.said, 10, "two sentences")
    call.heard("stall", seq=call.seq - 1)
    call.listen(1.8)
    assert "open" not in [frame["kind"] for frame in call.frames]  # it has just left
    desk.faults("model", {"match": "cut off in the middle", "action": {"type": "reply", "text": ANSWER}})
    call.heard("stall", seq=call.seq - 1)
    assert call.wait_over() == ANSWER, call.frames
    assert [frame["kind"] for frame in call.frames].count("open") == 1
    desk.faults("model")
    call.close()


def test_prompt_while_the_desk_speaks(desk):
    """What was begun is said to its end; what the caller said meanwhile is the next turn."""
    engines(desk, **CALLS)
    call = Call(desk)
    first = prompt(call, lambda nonce: stops(nonce, 10, 1500))
    call.pump(lambda: len(call.spoken) >= 2, 10, "two pieces")
    second = call.prompt("and on Sundays?")
    assert call.wait_over() == ANSWER
    call.over = False
    said = call.wait_over()
    assert oracle.new_nonces(said) == [second] and first in said, said
    replies = call.wait_settled(2)
    assert [reply[2:4] for reply in replies] == [("reply", "delivered")] * 2
    assert call.events() == [("answered", None)] * 2
    desk.faults("model")
    call.close()


def test_slow_tool_is_covered_by_a_word(desk):
    """Which is no part of the reply."""
    engines(desk, **CALLS)
    call = Call(desk, tenant=1)
    lock = desk.servers.postgres.connect(desk.installation.database)
    lock.autocommit = False
    try:
        with lock.cursor() as cursor:
            cursor.execute("LOCK TABLE escalations IN SHARE ROW EXCLUSIVE MODE")
        arguments = '{"message": "please call"}'
        nonce = prompt(call, lambda nonce: {"match": nonce, "action": {
            "type": "tool_call", "name": "take_message", "arguments": arguments}})
        call.pump(lambda: call.asides, 10, "a word while the tool works")
        lock.rollback()
    finally:
        lock.close()
    said = call.wait_over()
    assert oracle.new_nonces(said) == [nonce] and call.asides[0] not in said
    (body, heard, outcome, state, _), = call.wait_settled(1)
    assert (body, heard, outcome, state) == (said, said, "reply", "delivered")
    desk.faults("model")
    call.close()


def test_call_in_line_before_its_claim(desk):
    """All places are taken, and a lock holds its claim up until one is free: it is answered, and the engine
    ends when it is told to."""
    engines(desk, max_in_flight=1, worker_lease_ms=30000, **CALLS)
    desk.faults("model")
    known = Call(desk)
    known.prompt()
    known.wait_over()
    known.wait_settled(1)
    speaking, waiting = Call(desk), Call(desk, known.customer)
    prompt(speaking, lambda nonce: stops(nonce, 10, 1500))
    speaking.pump(lambda: speaking.spoken, 10, "a piece")
    lock = desk.servers.postgres.connect(desk.installation.database)
    lock.autocommit = False
    try:
        with lock.cursor() as cursor:
            cursor.execute("SELECT 1 FROM contacts WHERE id = (SELECT contact_id FROM contact_addresses"
                           " WHERE tenant_id = %s AND address = %s) FOR UPDATE",
                           (waiting.customer.tenant_id, waiting.customer.address))
        nonce = waiting.prompt()
        desk.wait(lambda: desk.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                     " AND datname = current_database()"), 10, "its claim to be held up")
        speaking.wait_over()
        desk.wait(lambda: speaking.turns()[0]["state"] == "finished", 10, "the place to be free")
        lock.rollback()
    finally:
        lock.close()
    assert oracle.new_nonces(waiting.wait_over()) == [nonce]
    waiting.wait_settled(1)
    assert desk.terminate("engine-1") == 0
    for call in (known, speaking, waiting):
        call.close()


def test_silent_call_keeps_no_message_from_people(desk):
    """The database does not take its end; what a customer left while no model answered is a task all the same."""
    engines(desk, unfinished_message_ms=1000, **CALLS)
    desk.faults("model")
    call, customer = Call(desk), Customer(desk)
    call.prompt()
    call.wait_over()
    call.wait_settled(1)
    desk.faults("model", {"action": {"type": "status", "status": 503}})
    with refused(desk, "channel_sessions", "NEW.ended_at IS NOT NULL"):
        desk.sql("UPDATE channel_sessions SET call_at = clock_timestamp() - interval '5 hours'"
                 " WHERE call_sid = %s", call.sid)
        customer.text("My crown came off.")
        customer.wait_replies(1)
        desk.wait(lambda: desk.value("SELECT count(*) FROM escalations e JOIN channel_sessions s"
                                     " ON s.tenant_id = e.tenant_id AND s.conversation_id = e.conversation_id"
                                     " WHERE s.remote_address = %s AND e.reason = 'message'",
                                     customer.address), 15, "the task")
    desk.wait(lambda: call.session()["ended_at"], 15, "the call's end")
    desk.faults("model")
    call.close()


def test_withheld_number_is_a_person_of_its_own(desk):
    engines(desk, **CALLS)
    desk.faults("model")
    calls = [Call(desk) for _ in range(2)]
    for call in calls:
        call.customer.address = "anonymous"
        call.prompt()
        call.wait_over()
        call.wait_settled(1)
    talks = {call.session()["conversation_id"] for call in calls}
    assert len(talks) == 2 and calls[0].session()["remote_address"] == calls[0].sid
    for call in calls:
        call.close()
