"""What counts against a mail that did not come to its end, and what does not: only a mail that ends its poller, or that
cannot be kept or published whatever the time, is passed by (docs/MAIL.md).
"""

import base64
import os
import uuid
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient, ConfigResource

from mailing import Mailbox, mail, pollers, server
from test_mailpoller import with_file

TOO_OFTEN = 3  # a mail that was tried so often is passed by the next time


@contextmanager
def attachments(desk, act):
    """A database that does this, in PL/pgSQL, with each attachment that is to be kept."""
    desk.sql(f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {act}; RETURN NEW; END $$")
    desk.sql("CREATE TRIGGER meddle BEFORE INSERT ON attachments FOR EACH ROW EXECUTE FUNCTION meddle()")
    try:
        yield
    finally:
        desk.sql("DROP FUNCTION meddle() CASCADE")


def refused(desk, code):
    return [line for line in desk.log("mailpoller-1")
            if line["event"] == "mailbox.unit_failed" and line["err"]["code"] == f"pg.{code}"]


def test_a_database_that_is_away_is_not_the_mails_doing(desk):
    """It says that it is shutting down more often than a mail may be tried."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    with attachments(desk, "RAISE EXCEPTION 'away' USING ERRCODE = '57P01'"):
        mailbox.deliver(with_file("a.png", uuid.uuid4().bytes))
        desk.wait(lambda: len(refused(desk, "57P01")) > TOO_OFTEN + 2, 30, "refusals")
    mailbox.wait_cursor(1, 30)
    assert len(mailbox.events()) == 1 and mailbox.skips() == []
    mailbox.tell("a database that refuses for a while", "a picture")
    mailbox.remove()


def test_a_file_that_the_database_never_takes(desk):
    """No time helps: its mail is listed for a person, and the others come."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    with attachments(desk, "IF NEW.name = 'bad.png' THEN RAISE EXCEPTION 'bad' USING ERRCODE = '22021'; END IF"):
        mailbox.deliver(with_file("bad.png", uuid.uuid4().bytes), with_file("good.png", uuid.uuid4().bytes))
        mailbox.wait_cursor(2, 30)
    assert mailbox.skips() == [(1, "too_often")] and len(refused(desk, "22021")) == TOO_OFTEN
    event, = {event.id: event for event in mailbox.events()}.values()
    assert [file["name"] for file in event.value["files"]] == ["good.png"]
    mailbox.remove()


def test_a_record_that_brokers_never_take(desk):
    """As when the topic was given less room than an event may need."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    give_room(desk, 30000)
    mailbox.deliver(mail("large", base64.encodebytes(os.urandom(60000)).decode()), mail("small", "text"))
    mailbox.wait_cursor(2, 60)
    assert mailbox.skips() == [(1, "too_often")]
    assert {event.value["subject"] for event in mailbox.events()} == {"small"}
    mailbox.remove()
    give_room(desk, 1048588)


test_a_record_that_brokers_never_take.deadline_s = 120


def give_room(desk, size_bytes):
    """Changes the topic's largest record, and nothing else of what was set for it."""
    admin = AdminClient({"bootstrap.servers": desk.servers.kafka.address, "log_level": 2})
    topic = ConfigResource(ConfigResource.Type.TOPIC, desk.topic("inbound.email"))
    entries = admin.describe_configs([topic])[topic].result(20)
    kept = {name: entry.value for name, entry in entries.items() if not entry.is_default}
    for name, value in {**kept, "max.message.bytes": str(size_bytes)}.items():
        topic.set_config(name, value)
    admin.alter_configs([topic])[topic].result(20)


def test_a_large_file_in_a_slow_database(desk):
    """It has the time for its size, and none of it counts against its mail."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    with attachments(desk, "PERFORM pg_sleep(17)"):  # more than the role's statement_timeout
        mailbox.deliver(with_file("film.png", os.urandom(4 * 1024 * 1024)))
        event, = mailbox.wait_events(1, 60)
        mailbox.wait_cursor(1)
    assert event.value["files"][0]["stored"] and mailbox.skips() == []
    assert not [line for line in desk.log("mailpoller-1") if line["event"] == "mailbox.unit_failed"
                and line.get("mailbox") == mailbox.id]
    mailbox.remove()


test_a_large_file_in_a_slow_database.deadline_s = 240


def test_a_deadly_mail_behind_a_bad_line(desk):
    """A mail server that is away after each death takes none of them back."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    stop = desk.stops.arm("mailpoller.fetched", times=TOO_OFTEN, match=":1")
    mailbox.deliver(mail("deadly", "text"))
    for time in range(1, TOO_OFTEN + 1):
        desk.wait(lambda: stop.hits == time, 30, f"death {time}")
        desk.wait(lambda: not desk.services["mailpoller-1"].alive(), 10, "its end")
        failures = mailbox.row().failures
        server(desk).stop()
        desk.revive(("mailpoller",))
        desk.wait(lambda: mailbox.row().failures > failures, 20, "a session that fails")
        server(desk).start()
    mailbox.wait_cursor(1, 30)
    assert mailbox.skips() == [(1, "too_often")] and mailbox.events() == []
    mailbox.remove()


test_a_deadly_mail_behind_a_bad_line.deadline_s = 180
