"""Webhook mode with a single place to wait for an engine: who finds it taken is put off, and loses nothing by that."""

import xml.etree.ElementTree as xml

import phoning
from phoning import Engine, Told
from test_voice_webhook import CONFIG, Hand, metric, publish

SHARE = True
WAITS = 3       # requests of a step that wait on, behind the step's own
REQUESTS = 12   # of a step in all, behind its own


def test_who_finds_no_place_has_not_waited(desk):
    """Put off eleven times, he gets the answer that comes then; he is asked for a message only after the twelfth."""
    desk.start(ingresses=1, engines=0, responders=0, config={"ingress": {**CONFIG["ingress"], "step_concurrency": 1}})
    desk.reset("twilio")
    tenant, told = publish(desk), Told(desk)

    def redirected(answer):
        """The query of the request that is to come next; None: a message is asked for."""
        assert (b"<Record" in answer.body) != (b"<Redirect" in answer.body), answer.body
        redirect = xml.fromstring(answer.body).find("Redirect")
        return redirect.text.partition("?")[2].partition("#")[0] if redirect is not None else None

    try:
        first, put_off = Hand(desk, tenant), Hand(desk, tenant)
        before, asked = metric(desk, "steps_crowded_total"), []
        while len(asked) < REQUESTS:
            # the place is taken for as long as nobody answers the first one, some 4 s
            answer = first.start("step", len(asked) + 1, SpeechResult="When do you open?")
            prompt = told.wait(first.sid, "prompt", which=lambda r: r.value["number"] == len(asked) + 1)
            ours = put_off.ask("wait", 1, query="?" + asked[-1]) if asked else put_off.ask(
                "step", 1, SpeechResult="And on Sundays?")
            Engine.of(desk, prompt).answer(prompt, "We open at nine.")
            answer()
            asked.append(redirected(ours))
            assert asked[-1] == f"wait={len(asked)}&crowded={len(asked)}", asked
        assert metric(desk, "steps_crowded_total") == before + REQUESTS
        # now there is room
        last = put_off.start("wait", 1, query="?" + asked[-1])
        setup = told.wait(put_off.sid, "setup", which=lambda r: r.value["wait"] == REQUESTS)
        Engine.of(desk, setup).answer(setup, "Not at all.")
        assert b"Not at all." in last().body, last().body
        # who has waited thrice has his message, also where he was put off in between
        assert redirected(put_off.ask("wait", 2, query="?wait=2&crowded=0")) == "wait=3"
        assert redirected(put_off.ask("wait", 2, query=f"?wait={WAITS + 2}&crowded=2")) is None
        assert redirected(put_off.ask("wait", 2, query=f"?wait={REQUESTS}&crowded={REQUESTS}")) is None
        for query in ("?wait=4", "?wait=13&crowded=12", "?wait=1&crowded=2"):
            assert redirected(put_off.ask("wait", 2, query=query)) is None, query
    finally:
        told.close()
