"""A person takes a conversation, answers in it, and gives it back."""

from harness import oracle
from harness.deskctl import FAILED, NOT_FOUND, USAGE, good, run
from texts import accepted, delivery, quiet, up, wait_state

SHARE = True


def talk(desk):
    """(address, conversation) of a customer who was answered once."""
    up(desk)
    customer = desk.new_address()
    accepted(desk, customer, f"hello {desk.new_nonce()}")
    desk.wait_replies(customer, 1)
    wait_state(desk, customer, "delivered")
    return customer, delivery(desk, customer)["conversation_id"]


def event(desk, sid):
    return desk.value("SELECT state FROM inbox_events WHERE provider_id = %s", sid)


def test_person_answers_and_hands_back(desk):
    customer, conversation = talk(desk)
    good(desk, "takeover", conversation)
    asked = accepted(desk, customer, f"is a person there? {desk.new_nonce()}")
    desk.wait(lambda: event(desk, asked) == "open", 10, "the text")
    by_person = desk.new_nonce()
    good(desk, "reply", conversation, f"Yes, this is Ann. {by_person}")
    row = wait_state(desk, customer, "delivered")
    assert row["author"] == "operator" and desk.sent_to(customer)[1] == \
        f"Yes, this is Ann. {by_person}"
    assert len(quiet(desk, customer)) == 2, "the assistant answered too"
    good(desk, "handback", conversation)
    assert event(desk, asked) == "human"
    assert len(quiet(desk, customer)) == 2, "what the person had answered was answered again"
    follow = desk.new_nonce()
    accepted(desk, customer, f"thanks {follow}")
    last = desk.wait_replies(customer, 3)[2]
    assert oracle.new_nonces(last) == [follow]
    assert desk.value("SELECT count(*) FROM audit_log WHERE action = 'conversation.replied'"
                      " AND subject = %s", conversation) == 1


def test_reply_leaves_without_kafka(desk):
    """Kafka wakes, PostgreSQL remembers: the responder finds the row."""
    customer, conversation = talk(desk)
    good(desk, "takeover", conversation)
    done = good(desk, "reply", conversation, "We close at five.",
                environment={"FRONTDESK_KAFKA_BROKERS": "127.0.0.1:1"})
    assert "a responder finds it by itself" in done.said
    assert desk.wait_replies(customer, 2)[1] == "We close at five."
    good(desk, "handback", conversation)


def test_reply_is_the_holder_s(desk):
    customer, conversation = talk(desk)
    done = run(desk, "reply", conversation, "hello")
    assert done.code == FAILED and "deskctl takeover" in done.said
    good(desk, "takeover", conversation)
    desk.sql("UPDATE conversations SET held_by = 'deskctl:' || held_by WHERE id = %s::uuid",
             conversation)
    done = run(desk, "reply", conversation, "hello")
    assert done.code == FAILED and "do not hold" in done.said
    assert len(quiet(desk, customer)) == 1
    good(desk, "handback", conversation)
    nobody = "00000000-0000-7000-8000-000000000000"
    assert run(desk, "reply", nobody, "hello").code == NOT_FOUND


def test_reply_that_cannot_be_sent_is_refused(desk):
    customer, conversation = talk(desk)
    good(desk, "takeover", conversation)
    for text, why in [("", "empty"), (" \n", "empty"), ("a\tb", "control"),
                      ("x" * 16001, "16,000"), (b"\xff\xfe", "UTF-8")]:
        done = run(desk, "reply", conversation, text if isinstance(text, str)
                   else text.decode("utf-8", "surrogateescape"))
        assert done.code == USAGE and why in done.said, (text, done)
    done = run(desk, "reply", conversation, "x" * 1601)  # as a mail it would do
    assert done.code == FAILED and "1600" in done.said, done
    accepted(desk, customer, "STOP")
    desk.wait(lambda: desk.value("SELECT count(*) FROM consents WHERE address = %s AND state ="
                                 " 'opted_out'", customer) == 1, 10, "the opt-out")
    done = run(desk, "reply", conversation, "please stay")
    assert done.code == FAILED and "opted out" in done.said
    assert len(quiet(desk, customer)) == 1
    good(desk, "handback", conversation)
