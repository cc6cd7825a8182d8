#!/usr/bin/python3
"""The peer of bench R1: a script that reads a mailbox and publishes its mails, with what Python comes with.

    plain_mailbox.py HOST PORT CA_FILE USER PASSWORD BROKERS TOPIC COUNT

Reads COUNT unread mails, one after the other: fetched, parsed, published with all brokers' word, marked as read. Prints
the processor time from its login to its end, in microseconds.
"""

import email
import email.policy
import imaplib
import json
import ssl
import sys
import time

from confluent_kafka import Producer


def event(mail):
    body = mail.get_body(("plain", "html"))
    return {"message_id": mail["Message-ID"], "from": mail["From"], "to": mail["To"], "subject": mail["Subject"],
            "date": mail["Date"], "in_reply_to": mail["In-Reply-To"], "references": mail["References"],
            "auto_submitted": mail["Auto-Submitted"], "text": body.get_content() if body else "",
            "files": [{"name": part.get_filename(), "type": part.get_content_type()}
                      for part in mail.iter_attachments()]}


def main():
    host, port, ca_file, user, password, brokers, topic, count = sys.argv[1:]
    sent = []
    producer = Producer({"bootstrap.servers": brokers, "acks": "all", "linger.ms": 0})
    producer.list_topics(topic, 10)
    begin = time.process_time()
    client = imaplib.IMAP4_SSL(host, int(port), ssl_context=ssl.create_default_context(cafile=ca_file))
    client.login(user, password)
    client.select("INBOX")
    _, found = client.uid("SEARCH", "UNSEEN")
    for uid in found[0].split()[:int(count)]:
        _, answer = client.uid("FETCH", uid, "(BODY.PEEK[])")
        mail = email.message_from_bytes(answer[0][1], policy=email.policy.default)
        producer.produce(topic, json.dumps(event(mail)), mail["Message-ID"],
                         on_delivery=lambda problem, record: sent.append(record.key()) if problem is None else None)
        producer.flush(30)
        client.uid("STORE", uid, "+FLAGS.SILENT", "(\\Seen)")
    client.logout()
    used = time.process_time() - begin
    if len(set(sent)) != int(count) or len(sent) != int(count):
        sys.exit(f"{len(sent)} records of {count} mails")
    print(json.dumps({"cpu_us": used * 1e6, "units": len(sent)}))


if __name__ == "__main__":
    main()
