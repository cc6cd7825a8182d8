"""A takeover in the middle of a call whose engine is cut off from PostgreSQL, while whoever takes over does not
reach Kafka: nobody can tell the engine to stop, and "yours" is said only when it cannot speak any more."""

from call_records import CALLS, Call
from harness import Skip
from operating import good
from scripted import engines

OWN_SERVERS = True
DEADLINE_S = 180

STALL_MS = 40000  # of a model in mid-answer: until long after "yours"
LEASE_MS = 10000  # longer than deskctl tries to reach Kafka
ANSWER = ("Good morning, this is the desk. We are open from nine to five on weekdays. On Saturdays we"
          " close at noon. Would you like to come in for a visit?")


def test_engine_that_nobody_can_tell(desk):
    """Guard: voice_stream.c, no frame without a lease; yours.c wait_for_engines."""
    engines(desk, **CALLS, turn_deadline_ms=60000, adopter_deadline_ms=60000, voice_deadline_ms=60000,
            worker_lease_ms=LEASE_MS)
    call = Call(desk)
    nonce = desk.new_nonce()
    desk.faults("model", {"match": nonce, "count": 1, "action": {
        "type": "stall", "text": ANSWER, "chunks": 10, "ms": STALL_MS}})
    call.prompt("hello", nonce)
    call.pump(lambda: len(call.spoken) >= 2, 15, "two pieces")
    call.listen(1)  # what the model has said is here
    talk = call.session()["conversation_id"]
    bouncer = desk.servers.pgbouncer
    bouncer.freeze()
    try:
        direct = desk.servers.postgres.url(desk.installation.database, "frontdesk_ops")
        taken = good(desk, "takeover", talk, "--json", environment={
            "FRONTDESK_DATABASE_URL": direct, "FRONTDESK_KAFKA_BROKERS": "127.0.0.1:1"})
        over = desk.value("SELECT bool_and(lease_until < clock_timestamp()) FROM workers WHERE kind = 'engine'"
                          " AND NOT dead")
        assert taken.json()["state"] == "yours", taken
        spoken = list(call.spoken)
        if len(call.said) == len(ANSWER):
            raise Skip("the machine was slower than the model")
        call.listen(STALL_MS / 1000 + 3)
        assert call.spoken == spoken, 'words behind "yours"'
        assert over, '"yours" did not wait for the engine\'s lease'
    finally:
        bouncer.thaw()
    desk.faults("model")
    call.close()
