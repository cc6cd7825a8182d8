"""The gap audit: texts that the provider has and the inbox has not, because no webhook came."""

from delivering import quiet, responders

SHARE = True


def audit_job(desk, tenant=0):
    """The job of the tenant's number; its process is that of the worker that has it, or None."""
    return desk.value(
        "SELECT row_to_json(x) FROM (SELECT j.*, (SELECT w.process FROM workers w"
        " WHERE w.id = j.worker) AS process FROM jobs j JOIN channels c ON c.tenant_id = j.tenant_id"
        " AND c.id::text = j.subject WHERE j.kind = 'gap_audit' AND c.address = %s) x",
        desk.tenants[tenant]["numbers"]["sms"])


def audit_now(desk):
    """As if the interval were over."""
    desk.sql("UPDATE jobs SET due_at = clock_timestamp(), last_done_at = NULL, tries = 0")


def injected(desk, sid):
    return [record for record in desk.kafka_records("inbound.sms")
            if record.headers["ce_id"].decode() == sid]


def test_injects_what_the_inbox_does_not_know(desk):
    responders(desk, gap_audit_every_ms=3600000)
    number = desk.tenants[0]["numbers"]["sms"]
    customer = desk.new_address()
    lost = desk.inbound(customer, "lost", deliver=False)["sid"]
    late = desk.inbound(desk.new_address(), "of another", tenant=1, deliver=False)["sid"]
    audit_now(desk)
    desk.wait(lambda: injected(desk, lost) and injected(desk, late), 20, "the two texts")
    record, = injected(desk, lost)
    tenant = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])
    assert record.key.decode() == f"{tenant}:{customer}"
    assert record.headers["tenant"].decode() == tenant
    assert record.json()["to"] == number and record.json()["body"] == "lost"
    desk.wait(lambda: audit_job(desk)["last_done_at"] and not audit_job(desk)["worker"], 10,
              "the job to be over")
    assert audit_job(desk)["tries"] == 0 and audit_job(desk)["last_error"] is None
    left_s = desk.value("SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM jobs"
                        " WHERE id = %s::uuid", audit_job(desk)["id"])
    assert 3000 < left_s <= 3960, left_s


def test_waits_and_goes_on_when_the_provider_refuses(desk):
    responders(desk, gap_audit_every_ms=60000)
    sid = desk.inbound(desk.new_address(), "lost", deliver=False)["sid"]
    desk.faults("twilio", {"method": "GET", "count": 1, "action": {"type": "cut"}},
                {"method": "GET", "count": 1,
                 "action": {"type": "status", "status": 429, "retry_after": "1"}},
                {"method": "GET", "count": 1, "action": {"type": "nonsense"}})
    desk.sql("DELETE FROM jobs WHERE id <> %s::uuid", audit_job(desk)["id"])
    since = len(desk.log("responder-1"))
    audit_now(desk)

    def errors():
        return {line["err"]["code"] for line in desk.log("responder-1")[since:]
                if line.get("event") == "gap_audit.failed"}
    desk.wait(lambda: len(errors()) >= 2, 20, lambda: f"two kinds of failure, saw {errors()}")
    assert injected(desk, sid) == []
    # nonsense is for a person to look at: the usual interval; here nobody waits for it
    desk.wait(lambda: (audit_job(desk)["last_error"] or "").startswith("twilio.page"), 20,
              lambda: f"the third failure, {audit_job(desk)}")
    audit_now(desk)
    desk.wait(lambda: injected(desk, sid), 20, lambda: f"the text, {audit_job(desk)}")


def test_of_a_dead_responder_is_followed(desk):
    responders(desk, 2, gap_audit_every_ms=3600000)
    sid = desk.inbound(desk.new_address(), "lost", deliver=False)["sid"]
    desk.faults("twilio", {"method": "GET", "count": 1, "action": {"type": "hang"}})
    desk.sql("UPDATE jobs SET due_at = NULL WHERE id <> %s::uuid", audit_job(desk)["id"])
    desk.sql("UPDATE jobs SET due_at = clock_timestamp(), last_done_at = NULL"
             " WHERE id = %s::uuid", audit_job(desk)["id"])
    holder = desk.wait(lambda: audit_job(desk)["process"], 20, "a responder to have the job")
    desk.kill(holder.split("/")[0])
    desk.wait(lambda: injected(desk, sid), 30, lambda: f"the other to do it, {audit_job(desk)}")


def test_rests_while_the_installation_is_held(desk):
    responders(desk, gap_audit_every_ms=3600000)
    sid = desk.inbound(desk.new_address(), "lost", deliver=False)["sid"]
    desk.sql("UPDATE installation SET released_for = 'another database'")
    try:
        audit_now(desk)
        passed = desk.service("responder-1").metrics()
        quiet(desk, 1, lambda: audit_job(desk)["worker"])
        assert passed and injected(desk, sid) == []
    finally:
        desk.sql("UPDATE installation SET released_for = database_identity()")
    desk.wait(lambda: injected(desk, sid), 20, "the text after the release")


def test_leaves_alone_what_came_before_the_number_was_ours(desk):
    """A number moves in: what was texted before is not answered, by whatever interval or overlap."""
    responders(desk, gap_audit_every_ms=3600000)
    before = desk.inbound(desk.new_address(), "of old", deliver=False)["sid"]
    desk.sql("UPDATE jobs SET since = clock_timestamp() + interval '2 s',"
             " due_at = clock_timestamp() + interval '1 h', last_done_at = clock_timestamp()")
    desk.wait(lambda: desk.value("SELECT clock_timestamp() > min(since) + interval '1 s'"
                                 " FROM jobs"), 10, "the moment of moving in")
    after = desk.inbound(desk.new_address(), "of now", deliver=False)["sid"]
    desk.sql("UPDATE jobs SET due_at = clock_timestamp()")
    desk.wait(lambda: injected(desk, after), 20, "the text after it")
    assert injected(desk, before) == []


def test_injects_oldest_first(desk):
    """The provider lists newest first, page by page; a conversation has the order of its texts."""
    responders(desk, gap_audit_every_ms=3600000)
    customer = desk.new_address()
    sids = [desk.inbound(customer, f"text {n}", deliver=False)["sid"] for n in range(5)]
    audit_now(desk)
    desk.wait(lambda: all(injected(desk, sid) for sid in sids), 20, "five texts")
    came = [record.headers["ce_id"].decode() for record in desk.kafka_records("inbound.sms")
            if record.headers["ce_id"].decode() in sids]
    assert came[:5] == sids, came


def test_of_too_many_the_newest_wait(desk):
    """More texts are missing than one run may hold, six pages and one: the conversations begin with the oldest, and
    the job stays where it was. Guard: leave_newest."""
    responders(desk, gap_audit_every_ms=3600000)
    customer = desk.new_address()
    sids = [desk.inbound(customer, f"text {n}", deliver=False)["sid"] for n in range(6001)]
    before = audit_job(desk)["since"]
    audit_now(desk)
    desk.wait(lambda: audit_job(desk)["last_error"] and not audit_job(desk)["worker"], 120, "the end of the run")
    job = audit_job(desk)
    assert job["last_error"].startswith("gap_audit.many") and job["last_done_at"] is None, job
    assert job["since"] == before, job
    came = [record.headers["ce_id"].decode() for record in desk.kafka_records("inbound.sms")]
    mine = list(dict.fromkeys(sid for sid in came if sid in set(sids)))
    assert mine == sids[:5001], (len(mine), mine[:3], mine[-3:])


test_of_too_many_the_newest_wait.deadline_s = 240
