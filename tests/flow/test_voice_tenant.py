"""A tenant file says how its calls are answered: applied, told to the edge, heard by a caller; changed,
and rolled back."""

from phoning import Call
from operating import DIFFERENT, FAILED, expect, good, tenant_file, tenant_row
from webhook import new_sid

DEADLINE_S = 120
NAME, TENANT = "hillcrest-garage", 1  # an example whose calls nobody takes yet
OWN = ("    auth_token: env:GARAGE_TWILIO_AUTH_TOKEN\n",
       "    auth_token: env:GARAGE_TWILIO_AUTH_TOKEN\n"
       "  - kind: voice\n"
       "    number: env:GARAGE_TWILIO_NUMBER:-+15550100202\n"
       "    account_sid: env:GARAGE_TWILIO_ACCOUNT_SID:-AC00000000000000000000000000000202\n"
       "    auth_token: env:GARAGE_TWILIO_AUTH_TOKEN\n")
PHONE = """phone:
  greeting: "{greeting}"
  voice: Matthew-Neural
  tts_provider: Amazon
  fillers: [One moment.]
  fallback: Nobody can help you now. Please leave a message after the tone.
  record_prompt: Please leave a message after the tone.
  still_there: Are you there?
  goodbye: Goodbye.

"""


def with_phone(desk, greeting):
    return tenant_file(desk, "garage", OWN, ("assistant:\n", PHONE.format(greeting=greeting) + "assistant:\n"))


def greeted(desk):
    """What a caller hears first, and the document that his call was answered with."""
    story = Call(desk, [{"wait_for": "reply"}, {"hangup": True}], tenant=TENANT).over()
    return story.heard(), story.documents()[0]


def publish(desk):
    """What the engine's relay does by itself; waits until ingress knows."""
    version = desk.value("SELECT max(directory_version) FROM channels WHERE kind = 'voice'")
    desk.installation.publish_directory()
    edge = desk.services["ingress-1"]
    number = desk.tenant(TENANT).numbers["sms"]
    params = [("CallSid", new_sid("CA")), ("AccountSid", desk.tenant(TENANT).account_sid), ("From", "+15551230001"),
              ("To", number), ("CallStatus", "ringing"), ("Direction", "inbound")]
    token = desk.tenant(TENANT).auth_token
    desk.wait(lambda: edge.metrics()["frontdesk_ingress_directory_version"] >= version
              and desk.post("/twilio/voice", params, token=token).status == 200, 15, "the number to be known")


def test_the_file_is_what_a_caller_hears(desk):
    desk.start(engines=0, responders=0)
    done = good(desk, "tenant", "apply", with_phone(desk, "Good morning, Hillcrest."), "--yes", "--json").json()
    said = [(change["action"], change["what"]) for change in done["changes"]]
    assert ("add", "channel voice:+15550100202") in said, said
    publish(desk)
    heard, document = greeted(desk)
    assert heard == "Good morning, Hillcrest." and 'voice="Matthew-Neural"' in document, (heard, document)
    assert desk.webhook(desk.new_address(), "texts as before").status == 200
    again = good(desk, "tenant", "apply", with_phone(desk, "Good morning, Hillcrest."), "--yes", "--json").json()
    assert again["result"] == "unchanged", again

    before = tenant_row(desk, NAME)["assistant_version"]
    path = with_phone(desk, "Good evening, Hillcrest.")
    done = expect(DIFFERENT, desk, "tenant", "apply", path)
    assert "phone" in done.said and "Good evening" in done.said, done.said
    good(desk, "tenant", "apply", path, "--yes")
    publish(desk)
    assert greeted(desk)[0] == "Good evening, Hillcrest."
    good(desk, "tenant", "rollback", NAME, str(before), "--yes")
    publish(desk)
    assert greeted(desk)[0] == "Good morning, Hillcrest."
    audits = desk.value("SELECT count(*) FROM jobs j JOIN channels c ON c.id::text = j.subject"
                        " WHERE j.kind = 'gap_audit' AND c.kind = 'voice'")
    numbers = desk.value("SELECT count(*) FROM channels WHERE kind = 'voice'")
    assert audits == numbers > 0, "a number for calls is audited as one for texts is"


def test_what_a_file_may_not_say(desk):
    desk.prepare()
    without = tenant_file(desk, "garage", OWN)
    done = expect(FAILED, desk, "tenant", "apply", without, "--yes")
    assert "needs the section phone" in done.said, done.said
    wrong = tenant_file(desk, "garage", OWN, ("assistant:\n", PHONE.format(greeting="Hi") + "assistant:\n"),
                        ("  fillers: [One moment.]\n", ""))
    done = expect(FAILED, desk, "tenant", "apply", wrong, "--yes")
    assert "phone needs fillers:" in done.said, done.said
