"""`deskctl call`: an operator plays a scripted call against the running desk, and sees who said what when."""

import yaml

from callers import ANSWER, BYE, HELLO, PHONE, answer_to, say, up
from harness import CHECKOUT
from operating import FAILED, NOT_FOUND, USAGE, expect, good
from phoning import Story
from procs import give_file

SHARE = True
DEADLINE_S = 120
EXAMPLES = sorted((CHECKOUT / "deploy" / "calls").glob("*.yaml"))


def script_file(desk, text, name="call.yaml"):
    return give_file(desk.folder / name, text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))


def a_script(desk, *steps, **head):
    return script_file(desk, {"tenant": desk.tenants[0]["name"], "from": desk.new_address(), **head,
                              "script": [dict(step) for step in steps]})  # no anchors


def story_of(desk, caller):
    """What the stand-in itself has of this caller's only call."""
    calls = [call for call in desk._call("twilio", "/_calls") if call["from"] == caller]
    assert len(calls) == 1, calls
    return Story(desk._call("twilio", f"/_calls/{calls[0]['sid']}"))


def test_a_call_is_played_and_told(desk):
    up(desk)
    nonce, caller = desk.new_nonce(), desk.new_address()
    desk.faults("model", {"match": nonce, "action": {"type": "reply", "text": ANSWER}})
    path = a_script(desk, HELLO, say(f"When are you open? {nonce}"), {"press": "1"}, HELLO, BYE)
    rows = good(desk, "call", "--script", path, "--from", caller, "--json").json()
    story = story_of(desk, caller)
    assert story.summary["script"] == "done" and story.errors() == [], story.summary
    told = [(row["who"], row["words"]) for row in rows]
    desk_said = [words for who, words in told if who == "desk"]
    assert desk_said == [event["text"] for event in story.of("audible")], told
    assert desk_said[0] == PHONE["greeting"] and answer_to(story, nonce).startswith("".join(desk_said[1:2])), told
    assert [words for who, words in told if who == "caller"] == [
        *[event["text"] for event in story.of("said")], "presses 1", "hangs up"], told
    said = next(row for row in rows if nonce in row["words"])
    first = next(row for row in rows[rows.index(said) + 1:] if row["who"] == "desk")
    assert first["ms"] >= 0 and said["ms"] >= 0, (said, first)
    assert [row["at_ms"] for row in rows if row["words"] != "presses 1"] == sorted(
        row["at_ms"] for row in rows if row["words"] != "presses 1"), rows


def test_for_people_it_is_a_table(desk):
    up(desk)
    done = good(desk, "call", "--script", a_script(desk, HELLO, BYE))
    assert done.out.split("\n")[0].split() == ["AT", "MS", "WHO", "MS", "WORDS"], done.out
    assert PHONE["greeting"] in done.out and "hangs up" in done.out, done.out
    assert "the longest silence of the desk:" in done.said, done.said


def test_the_examples_are_calls(desk):
    """Each file of deploy/calls, whole, with a business of this desk."""
    up(desk)
    assert EXAMPLES
    for path in EXAMPLES:
        done = good(desk, "call", "--script", path, "--tenant", desk.tenants[0]["name"], "--from",
                    desk.new_address(), "--json")
        wanted = [step.get("say") or step.get("interrupt") for step in yaml.safe_load(path.read_text())["script"]]
        said = [row["words"] for row in done.json() if row["who"] == "caller" and row["ms"] is not None]
        assert said == [words for words in wanted if words], (path, done)


def test_a_call_that_goes_another_way_fails(desk):
    """He waits for a person whom nobody rings up."""
    up(desk)
    done = expect(FAILED, desk, "call", "--script",
                  a_script(desk, HELLO, {"wait_for": "bridged", "timeout_ms": 500}, BYE), "--json")
    assert done.json()[0]["words"] == PHONE["greeting"], done
    assert "its script is timed out" in done.said, done.said


HEAD = 'tenant: clinic\nfrom: "+15551230001"\n'
WRONG = [
    ("tenant: clinic\n", ":1: a call's script needs script"),
    (HEAD + "script: []\n", ":3: script: has 0 entries"),
    (HEAD + "script:\n  - hangup: true\n  - dance: 1\n", ":5: "),
    (HEAD + "script:\n  - say: Hi\n    press: \"1\"\n", ":5: press: the step has say already"),
    (HEAD + "script:\n  - ms: 5\n", ":4: a step: does nothing"),
    (HEAD + "script:\n  - wait_for: reply\n    ms: 5\n", ":5: ms: means nothing to wait_for"),
    (HEAD + "script:\n  - wait_for: replies\n", ":4: wait_for: \"replies\" is not known; write reply"),
    (HEAD + "script:\n  - press: 1a\n", ":4: press: \"1a\" has more than keys"),
    (HEAD + "script:\n  - hangup: false\n", ":4: hangup: must be true"),
    (HEAD + "script:\n  - interrupt: Wait\n", ":4: interrupt: needs after_words"),
    (HEAD + "script:\n  - silence: -1\n", ":4: silence: \"-1\" must be a whole number"),
    (HEAD + "script:\n  - say: Hi\n    timeout_ms: 600001\n", ":5: timeout_ms: "),
    (HEAD + "script:\n  - say: " + "a" * 2001 + "\n", ":4: say: has 2001 characters"),
    (HEAD + "script:\n" + "  - silence: 1\n" * 201, ":4: script: has 201 entries"),
    (HEAD + "script:\n  - Hello\n", ":4: a step: must be name: value"),
    (HEAD + "from: x\n", ":3: "),
    ("tenant: clinic\nfrom: 555\nscript:\n  - hangup: true\n", ":2: from: "),
    ("tenant: clinic\nscript:\n  - hangup: true\n", ":1: from: is missing"),
    ("from: \"+15551230001\"\nscript:\n  - hangup: true\n", ":1: tenant: is missing"),
    ("script: {\n", ":2: "),
    ("", ":1: the file is empty"),
]


def test_a_wrong_script_is_told_by_its_line(desk):
    """And nobody is called."""
    desk.prepare()
    before = len(desk._call("twilio", "/_calls"))
    for text, wanted in WRONG:
        path = script_file(desk, text, "wrong.yaml")
        done = expect(FAILED, desk, "call", "--script", path)
        assert f"{path}{wanted}" in done.said, (text[:200], done.said)
    expect(FAILED, desk, "call", "--script", desk.folder / "nowhere.yaml")
    assert len(desk._call("twilio", "/_calls")) == before


def test_without_a_stand_in_nobody_is_called(desk):
    desk.prepare()
    path = a_script(desk, BYE)
    done = expect(FAILED, desk, "call", "--script", path, "--twilio_base_url=https://api.twilio.com")
    assert "Start ./run" in done.said, done.said
    done = expect(FAILED, desk, "call", "--script", path, "--twilio_base_url=http://127.0.0.1:1")
    assert "no stand-in answers at http://127.0.0.1:1" in done.said, done.said
    done = expect(FAILED, desk, "call", "--script", path, "--public_url=")
    assert "--public_url=https" in done.said, done.said
    expect(NOT_FOUND, desk, "call", "--script", path, "--tenant", "nobody-at-all")
    expect(USAGE, desk, "call")
    expect(USAGE, desk, "call", "--script", path, "--from", "me")
