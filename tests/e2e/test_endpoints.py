"""What .run/endpoints.json says is enough to use the installation, and every field of it is true."""

import json
import urllib.request

import psycopg2
import webhook
from confluent_kafka import Consumer
from harness import oracle
from service import get

SHARE = True


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def port_of(url):
    return int(url.rpartition(":")[2])


def status(url, path):
    return get(port_of(url), path, 10)[0]


def told(desk):
    """The dict as a reader of the file gets it."""
    desk.start(ingresses=1, engines=1, responders=1)
    return json.loads(json.dumps(desk.installation.endpoints()))


def test_every_field_leads_there(desk):
    endpoints = told(desk)
    for name in ("ingress_url", "public_url"):
        assert status(endpoints[name], "/twilio/sms") in (403, 404, 405), name
    # A lease may lapse for a moment while the machine stands still.
    desk.wait(lambda: status(endpoints["admin_url"], "/readyz") == 200, 10, "admin_url")
    assert set(endpoints["admin_urls"]) == {"ingress-1", "engine-1", "responder-1"}
    for name, url in endpoints["admin_urls"].items():
        desk.wait(lambda u=url: status(u, "/readyz") == 200, 10, name)
    consumer = Consumer({"bootstrap.servers": endpoints["kafka"], "group.id": "endpoints"})
    try:
        topics = consumer.list_topics(timeout=10).topics
        assert endpoints["topic_prefix"] + "inbound.sms" in topics, topics.keys()
    finally:
        consumer.close()
    for name in ("postgres", "pgbouncer"):
        connection = psycopg2.connect(endpoints[name], connect_timeout=5)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT name FROM tenants ORDER BY name")
                names = [row[0] for row in cursor.fetchall()]
        finally:
            connection.close()
        assert names == sorted(tenant["name"] for tenant in endpoints["tenants"]), name
    for name in ("twilio_stand_url", "model_stand_url"):
        assert "requests" in read(endpoints[name] + "/_stats"), name
    assert endpoints["state"] == str(desk.installation.folder)
    assert endpoints["deskctl"]["FRONTDESK_KAFKA_BROKERS"] == endpoints["kafka"]


def test_one_text_with_nothing_else(desk):
    """For every tenant: account, token and number are those of the running installation."""
    endpoints = told(desk)
    for number, tenant in enumerate(endpoints["tenants"]):
        assert set(tenant) >= {"name", "account_sid", "auth_token", "numbers"}, tenant
        customer, nonce = f"+1555987{number:04d}", f"n-{number:04d}endpoints"
        params = webhook.sms_params(tenant["account_sid"], customer, tenant["numbers"]["sms"],
                                    f"hello {nonce}")
        body, headers = webhook.signed_form(endpoints["public_url"], "/twilio/sms",
                                            tenant["auth_token"], params)
        answer = webhook.post(endpoints["ingress_url"], "/twilio/sms", body, headers)
        assert answer.status == 200, (tenant["name"], answer)

        def replies(to=customer):
            return [entry for entry in oracle.created(read(endpoints["twilio_stand_url"]
                                                           + "/_ledger"))
                    if entry["params"]["To"] == to]
        desk.wait(replies, 30, f"the reply of {tenant['name']}")
        entry, = replies()
        assert oracle.new_nonces(entry["params"]["Body"]) == [nonce]
        assert tenant["account_sid"] in entry["path"]
