"""The checker of TwiML: it takes every document that our writer makes (schema/twiml), and refuses
wrong ones with a sentence that names what is wrong."""

import unittest
from pathlib import Path

from harness import twiml

GOLDEN = Path(__file__).resolve().parents[3] / "schema" / "twiml"
URL = "https://desk.example.com/a"
RELAY = 'url="wss://desk.example.com/relay"'


def response(inner):
    return f"<Response>{inner}</Response>".encode()


def connect(attributes="", children=""):
    return response(f'<Connect action="{URL}"><ConversationRelay {RELAY} {attributes}>{children}'
                    "</ConversationRelay></Connect>")


def gather(attributes="", children=""):
    return response(f'<Gather action="{URL}" {attributes}>{children}</Gather><Hangup/>')


def dial(attributes="", children="+15550003333"):
    return response(f'<Dial action="{URL}" {attributes}>{children}</Dial>')


def record(attributes=""):
    return response(f'<Record action="{URL}" {attributes}/>')


GOOD = [
    response(""),
    b"<Response/>",
    b"<Response><!-- a remark --></Response>",
    response("<Say>Hello <break time=\"300ms\"/> <emphasis>you</emphasis></Say>"),
    response('<Say><lang xml:lang="de-DE">Hallo</lang></Say>'),
    response('<Say voice="Polly.Joanna-Neural">' + "a" * 3000 + "</Say>"),
    response('<Say voice="man">' + "a" * 4096 + "</Say>"),
    response('<Play digits="1w2"/>'),
    response(f"<Play>{URL}</Play><Pause/>"),
    gather('input="speech" speechTimeout="auto"', "<Say>Yes?</Say>"),
    gather('input="speech" speechModel="phone_call" speechTimeout="2" finishOnKey=""'),
    response(f'<Gather action="{URL}" actionOnEmptyResult="true"/>'),
    dial(),
    dial('record="record-from-answer-dual"', f'<Number url="{URL}">+15550003333</Number>'),
    dial("", "<Queue>desk</Queue>"),
    response("<Enqueue>desk</Enqueue><Say>The queue is full.</Say>"),
    record('maxLength="120" transcribe="true"'),
    response(f'<Record action="{URL}"/><Say>I heard nothing.</Say>'),
    connect(),
    connect('speechTimeout="auto" interruptible="true" hints="a,b c"',
            '<Language code="multi"/><Parameter name="case" value="42"/>'),
]

# what is wrong, the document, a part of the sentence
WRONG = [
    ("empty", b"", "not XML"),
    ("text only", b"Hello", "not XML"),
    ("unbalanced", b"<Response><Say>Hello</Response>", "not XML"),
    ("two roots", b"<Response/><Response/>", "not XML"),
    ("bare ampersand", response("<Say>Tom & Ann</Say>"), "not XML"),
    ("bare ampersand in a URL", response("<Redirect>https://a.example/?b=1&c=2</Redirect>"), "not XML"),
    ("control character", response("<Say>a\x01</Say>"), "not XML"),
    ("control character, escaped", response("<Say>a&#1;</Say>"), "not XML"),
    ("half a character", b"<Response><Say>a\xc3</Say></Response>", "not UTF-8"),
    ("Latin-1", '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>é</Say></Response>'
     .encode("latin-1"), "not UTF-8"),
    ("document type", b'<!DOCTYPE r [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>',
     "document type"),
    ("too large", response("<Pause/>" * 10000), "bytes"),
    ("another root", b"<response/>", "root"),
    ("with a namespace", b'<Response xmlns="urn:x"/>', "root"),
    ("unknown verb", response("<Speak>Hello</Speak>"), "<Speak>"),
    ("verb in lower case", response("<say>Hello</say>"), "<say>"),
    ("text between verbs", response("Hello<Hangup/>"), "text"),
    ("text behind a verb", response("<Pause/>Hello"), "text"),
    ("attribute of the root", b'<Response action="x"/>', "no attribute"),
    ("unknown attribute", response('<Say loudness="9">Hello</Say>'), "loudness"),
    ("attribute in lower case", gather('speechtimeout="2"'), "speechtimeout"),
    ("nothing to say", response("<Say> </Say>"), "no text"),
    ("a verb in a Say", response("<Say>Hello<Hangup/></Say>"), "<Hangup>"),
    ("too much to say", response('<Say voice="Polly.Amy-Neural">' + "a" * 3001 + "</Say>"), "3000"),
    ("too much with tags", response('<Say voice="Polly.Amy"><s>' + "a" * 3001 + "</s></Say>"), "3000"),
    ("too much by default", response("<Say>" + "a" * 4097 + "</Say>"), "4096"),
    ("too much encoded", response("<Say>" + "€" * 501 + "</Say>"), "percent-encoded"),
    ("half a second", response('<Pause length="0.5"/>'), "whole number"),
    ("signed", response('<Pause length="+1"/>'), "whole number"),
    ("nothing to play", response("<Play/>"), "no text"),
    ("a path to play", response("<Play>/a.mp3</Play>"), "URL"),
    ("another scheme", response("<Redirect>ftp://a.example/b</Redirect>"), "URL"),
    ("no host", response("<Redirect>https:///b</Redirect>"), "URL"),
    ("space in a URL", response("<Redirect>https://a.example/b c</Redirect>"), "URL"),
    ("long URL", response("<Redirect>https://a.example/" + "b" * 2048 + "</Redirect>"), "2048"),
    ("another method", response(f'<Redirect method="PUT">{URL}</Redirect>'), "method"),
    ("Gather without action", response("<Gather/><Hangup/>"), "action is missing"),
    ("input the other way round", gather('input="speech dtmf"'), "input"),
    ("a verb in a Gather", gather("", f"<Redirect>{URL}</Redirect>"), "<Redirect>"),
    ("a Gather in a Gather", gather("", f'<Gather action="{URL}"/>'), "<Gather>"),
    ("auto with a model", gather('speechModel="phone_call" speechTimeout="auto"'), "speechTimeout"),
    ("unknown model", gather('speechModel="nova-3-general"'), "speechModel"),
    ("a long hint", gather(f'hints="{"a" * 101}"'), "hints"),
    ("an empty hint", gather('hints="a,,b"'), "hints"),
    ("too many hints", gather(f'hints="{",".join(["a"] * 501)}"'), "501 entries"),
    ("two keys", gather('finishOnKey="12"'), "finishOnKey"),
    ("nothing follows", response(f'<Gather action="{URL}"/>'), "nothing follows"),
    ("behind Redirect", response(f"<Redirect>{URL}</Redirect><Say>Hello</Say>"), "never runs"),
    ("behind Hangup", response("<Hangup/><Hangup/>"), "never runs"),
    ("behind Dial", response(f'<Dial action="{URL}">+15550003333</Dial><Hangup/>'), "never runs"),
    ("behind Connect", response(f'<Connect action="{URL}"><ConversationRelay {RELAY}/></Connect>'
                                "<Hangup/>"), "never runs"),
    ("Reject behind Say", response("<Say>Hello</Say><Reject/>"), "only verb"),
    ("why rejected", response('<Reject reason="no-answer"/>'), "reason"),
    ("attribute of Hangup", response('<Hangup reason="busy"/>'), "no attribute"),
    ("Dial without action", response("<Dial>+15550003333</Dial>"), "action is missing"),
    ("nobody to dial", dial("", ""), "neither text nor elements"),
    ("number and Number", dial("", "+15550003333<Number>+15550004444</Number>"), "both"),
    ("not E.164", dial("", "5550003333"), "match"),
    ("Number not E.164", dial("", "<Number>sip:a@b</Number>"), "match"),
    ("empty Number", dial("", "<Number/>"), "no text"),
    ("eleven numbers", dial("", "<Number>+15550003333</Number>" * 11), "11 elements"),
    ("short ringing", dial('timeout="4"'), "timeout"),
    ("withheld caller id", dial('callerId="anonymous"'), "callerId"),
    ("events with commas", dial("", '<Number statusCallbackEvent="ringing,answered">+15550003333'
                                    "</Number>"), "list"),
    ("event twice", dial("", '<Number statusCallbackEvent="ringing ringing">+15550003333</Number>'),
     "list"),
    ("Record without action", response("<Record/>"), "action is missing"),
    ("Record with a child", response(f'<Record action="{URL}"><Say>a</Say></Record>'), "<Say>"),
    ("beep", record('playBeep="yes"'), "playBeep"),
    ("letters as keys", record('finishOnKey="A"'), "finishOnKey"),
    ("long transcription", record('maxLength="121" transcribe="true"'), "maxLength"),
    ("transcription of any length", record('transcribe="true"'), "maxLength"),
    ("Connect without action", response(f"<Connect><ConversationRelay {RELAY}/></Connect>"),
     "action is missing"),
    ("Connect to nothing", response(f'<Connect action="{URL}"/>'), "0 elements"),
    ("Connect twice in one", response(f'<Connect action="{URL}"><ConversationRelay {RELAY}/>'
                                      f"<ConversationRelay {RELAY}/></Connect>"), "2 elements"),
    ("ConversationRelay alone", response(f"<ConversationRelay {RELAY}/>"), "<ConversationRelay>"),
    ("relay without url", response(f'<Connect action="{URL}"><ConversationRelay/></Connect>'),
     "url is missing"),
    ("relay over http", response(f'<Connect action="{URL}"><ConversationRelay url="{URL}"/></Connect>'),
     "url"),
    ("relay over ws", response(f'<Connect action="{URL}"><ConversationRelay url="ws://a.example/"/>'
                               "</Connect>"), "url"),
    ("provider in lower case", connect('ttsProvider="amazon"'), "ttsProvider"),
    ("the library's spelling", connect('ignorebackchannel="true"'), "ignorebackchannel"),
    ("sensitivity", connect('interruptSensitivity="highest"'), "interruptSensitivity"),
    ("language", connect('language="en_US"'), "language"),
    ("impatient", connect('speechTimeout="599"'), "speechTimeout"),
    ("long greeting", connect(f'welcomeGreeting="{"a" * 3001}"'), "welcomeGreeting"),
    ("language without code", connect("", '<Language voice="Joanna-Neural"/>'), "code is missing"),
    ("text in a relay", connect("", "Hello"), "text"),
]


class TwimlTest(unittest.TestCase):
    def test_schema(self):
        self.assertEqual(list(twiml.schema_problems()), [])

    def test_goldens(self):
        documents = sorted(GOLDEN.glob("*.xml"))
        self.assertGreaterEqual(len(documents), 12)
        for path in documents:
            with self.subTest(path.name):
                self.assertEqual(twiml.problems_of(path.read_bytes()), [])
                self.assertTrue(twiml.fits_inline(path.read_bytes()))

    def test_good(self):
        for document in GOOD:
            with self.subTest(document[:200]):
                self.assertEqual(twiml.problems_of(document), [])

    def test_wrong(self):
        for name, document, says in WRONG:
            with self.subTest(name):
                problems = twiml.problems_of(document)
                self.assertEqual(len(problems), 1, problems)
                self.assertIn(says, problems[0])

    def test_each_problem_is_told(self):
        problems = twiml.problems_of(response('<Say loop="x" tone="y"/><Hangup/><Reject/>'))
        self.assertEqual(len(problems), 5, problems)

    def test_inline(self):
        frame = len(response("<Say></Say>"))
        for text, fits in (("a" * (4000 - frame), True), ("a" * (4001 - frame), False),
                           ("é" * (4000 - frame), True), ("👋" * ((4000 - frame) // 2 + 1), False)):
            self.assertEqual(twiml.fits_inline(response(f"<Say>{text}</Say>")), fits)


if __name__ == "__main__":
    unittest.main()
