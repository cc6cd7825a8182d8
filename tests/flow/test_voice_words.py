"""What the desk says into a call by itself, in the business's own words: there are none in its languages."""

from test_voice_tools import CALLS, TENANTS, ask_for, calling, clinic, covered, put_through
from scripted import engines
from tenants import read_document

SHARE = True
DEADLINE_S = 120

ITALIAN = {"filler": "Un attimo, controllo subito.", "bridge": "Mi scusi, continuo.",
           "reaching": "Un attimo, provo a passarle qualcuno.", "nobody": "Mi dispiace, nessuno ha potuto rispondere.",
           "more": "Posso aiutarla in altro?", "call_for": "Una chiamata per {business}.",
           "press": "Prema 1 per accettare."}
PORTUGUESE = {"filler": "Um momento, estou a ver."}


def test_no_word_of_a_call_is_in_another_language(desk):
    """A tool that takes long, a transfer, the person who is rung up, the promise that nobody took it, another socket,
    another language of the same call."""
    document = read_document(TENANTS / "dental.yaml")
    tell = document["escalation"]["tell"]
    phone = {**document["phone"], "words": ITALIAN, "languages": [{"language": "pt-PT", "words": PORTUGUESE}]}
    engines(desk, 1, **CALLS)
    with clinic(desk, language="it-IT", languages=["it-IT", "pt-PT"], phone=phone,
                tools=[*document["tools"], "switch_language"]):
        with calling(desk) as call:
            assert covered(desk, call) == [ITALIAN["filler"]], call.asides
            call.wait_settled(1)
            _, said = put_through(call)
            assert said == ITALIAN["reaching"], said
            expected = f"Una chiamata per {document['display_name']}. {ITALIAN['press']} "
            assert call.handoff["briefing"].startswith(expected), call.handoff
            call.dialled("no_answer")
            call.comes_back()
            said = call.wait_over()
            assert said == f"{ITALIAN['nobody']} {tell} {ITALIAN['more']}", said
            call.wait_settled(3)
            call.comes_back()
            call.wait_over()
            assert call.asides[-1] == ITALIAN["bridge"], call.asides
            ask_for(call, "switch_language", {"language": "pt"}, "Fala português?")
            call.wait_over()
            call.wait_settled(4)
            assert covered(desk, call) == [PORTUGUESE["filler"]], call.asides
