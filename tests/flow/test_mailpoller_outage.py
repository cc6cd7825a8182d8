"""The mailpoller without Kafka and without PostgreSQL: the cursor stands until a mail is safe, and
everything goes on by itself.
"""

from mailing import Mailbox, mail, pollers

OWN_SERVERS = True
DEADLINE_S = 120


def test_kafka_is_away(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    mailbox.deliver(mail("before", "text"))
    mailbox.wait_cursor(1)
    desk.servers.kafka.kill()
    mailbox.deliver(mail("meanwhile", "text"))
    desk.wait(lambda: mailbox.row().trying_uid == 2, 20, "the mail in hand")
    desk.wait(lambda: not desk.services["mailpoller-1"].ready(), 60, "that it is not ready")
    assert mailbox.row().last_uid == 1
    desk.servers.kafka.start()
    mailbox.wait_cursor(2, 60)
    mailbox.deliver(mail("after", "text"))
    mailbox.wait_cursor(3)
    assert {event.value["subject"] for event in mailbox.events()} == {"before", "meanwhile", "after"}
    mailbox.tell("Kafka away for a while", "before", "meanwhile", "after")
    desk.wait(desk.services["mailpoller-1"].ready, 20, "that it is ready again")


def test_postgres_is_away(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    desk.servers.postgres.kill()
    mailbox.deliver(mail("meanwhile", "text"))
    desk.wait(lambda: any(line["event"] in ("mailbox.unit_failed", "poll.failed")
                          for line in desk.log("mailpoller-1")), 20, "a unit that fails")
    desk.servers.postgres.start()
    mailbox.wait_cursor(1, 60)
    assert len({event.id for event in mailbox.events()}) == 1
    mailbox.tell("PostgreSQL away for a while", "meanwhile")
