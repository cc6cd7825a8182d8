"""The stand-in caller: calls played against a small desk that is scripted here. What is judged: that
Twilio's side behaves as Twilio does, and that its record of what was heard hides nothing."""

import base64
import http.client
import json
import tempfile
import time
import unittest
from pathlib import Path
from urllib.parse import urlencode

from build import bin_dir
from desk_double import TOKEN, DeskDouble
from procs import free_port, wait_for
from service import Stand

ACCOUNT = "AC" + "0" * 32
OURS, THEIRS, STAFF = "+15550100001", "+15551230001", "+15559870001"
RELAY = ('<Connect action="/ended"><ConversationRelay url="wss://desk.example.com/relay" dtmfDetection="true"'
         ' language="de-DE"><Parameter name="case" value="42"/></ConversationRelay></Connect>')
FAST = {"rate": 500, "speed": 50}
DEADLINE_S = 60


class CallerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = Path(cls.folder.name)
        (folder / "accounts.json").write_text(json.dumps(
            [{"account_sid": ACCOUNT, "auth_token": TOKEN, "numbers": [OURS]}]))
        cls.desk = DeskDouble()
        cls.stand = Stand("stand-twilio", bin_dir("debug") / "stand-twilio", folder, free_port(),
                          "--accounts", folder / "accounts.json", "--connect-to",
                          f"127.0.0.1:{cls.desk.port}")
        cls.stand.start().wait_ready(30)

    @classmethod
    def tearDownClass(cls):
        code = cls.stand.stop()
        cls.desk.close()
        cls.folder.cleanup()
        assert code == 0, f"stand-twilio ended with {code}"

    def setUp(self):
        self.send("POST", "/_reset", "")
        self.desk.reset()

    def tearDown(self):
        self.assertEqual(self.desk.failures, [])
        self.assertEqual([one for one in self.desk.requests if not one["signed"]], [])

    # --- helpers ---

    def send(self, method, path, body=None, headers=None, raw=False):
        """(status, body as JSON or None)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.stand.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, data if raw else json.loads(data) if data else None
        finally:
            connection.close()

    def rest(self, method, path, raw=False, **form):
        keys = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        pairs = [(name, one) for name, value in form.items()
                 for one in (value if isinstance(value, list) else [value])]
        body = urlencode(pairs) if method == "POST" else None
        return self.send(method, f"/2010-04-01/Accounts/{ACCOUNT}{path}", body,
                         {"Authorization": "Basic " + keys,
                          "Content-Type": "application/x-www-form-urlencoded"}, raw)

    def place(self, script=(), **more):
        call = {"account_sid": ACCOUNT, "from": THEIRS, "to": OURS, "script": list(script),
                "url": "https://desk.example.com/voice?t=1", **FAST, **more}
        status, body = self.send("POST", "/_calls", json.dumps(call))
        self.assertEqual(status, 200, body)
        return body["sid"]

    def call(self, sid):
        return self.send("GET", "/_calls/" + sid)[1]

    def over(self, sid):
        wait_for(lambda: self.call(sid)["over"], DEADLINE_S, f"call {sid} to be over")
        return self.call(sid)

    def play(self, script=(), **more):
        return self.over(self.place(script, **more))

    def callee(self, **more):
        status, body = self.send("POST", "/_callees", json.dumps({"number": STAFF, "ring_ms": 50, **more}))
        self.assertEqual(status, 200, body)

    def asked(self, path, count=1):
        """The forms of the requests to a path, once so many have come."""
        wait_for(lambda: len(self.desk.asked(path)) >= count, DEADLINE_S, f"{count} requests to {path}")
        return self.desk.asked(path)

    @staticmethod
    def of(call, kind):
        return [event for event in call["events"] if event["kind"] == kind]

    def codes(self, call):
        return [event["code"] for event in self.of(call, "error")]

    def heard(self, call):
        return "|".join(event["text"] for event in self.of(call, "audible"))

    def got(self, at=0):
        """The frames that came over a socket, once it is closed; the last one says how."""
        def closed():
            sockets = self.desk.sockets
            return len(sockets) > at and sockets[at].got and sockets[at].got[-1]["type"] == "gone"
        wait_for(closed, DEADLINE_S, "the relay's socket to be closed")
        return self.desk.sockets[at].got

    def words(self, call):
        """All that was heard; a busy desk's tokens may come apart in stretches of their own."""
        return self.heard(call).replace("|", "")

    def serve(self, *steps):
        """A relay that takes the setup and then does the steps."""
        def relay(socket):
            socket.expect("setup")
            for step in steps:
                step(socket)
            while True:
                socket.receive()
        self.desk.relay = relay

    # --- the relay ---

    def test_relay_from_setup_to_end(self):
        self.desk.documents = {"/voice": RELAY, "/ended": "<Say>Bye.</Say><Hangup/>"}
        self.serve(lambda s: s.say("Good ", "morning."), lambda s: s.expect("prompt"),
                   lambda s: s.say("We open ", "at nine."), lambda s: s.expect("prompt"),
                   lambda s: s.end('{"why":"done"}'))
        call = self.play([{"wait_for": "reply"}, {"say": "When do you open?", "ms": 50},
                          {"wait_for": "reply"}, {"say": "Thanks", "ms": 20, "lang": "en-US"}])
        self.assertEqual(self.codes(call), [])
        self.assertEqual((call["status"], call["ended_by"], call["script"]), ("completed", "Hangup", "done"))
        setup, one, two, gone = self.got()
        self.assertEqual(setup["customParameters"], {"case": "42"})
        self.assertEqual((setup["callSid"], setup["accountSid"], setup["from"], setup["to"]),
                         (call["sid"], ACCOUNT, THEIRS, OURS))
        self.assertEqual((setup["direction"], setup["callStatus"], setup["callType"]), ("inbound", "RINGING", "PSTN"))
        self.assertRegex(setup["sessionId"], "^VX[0-9a-f]{32}$")
        self.assertEqual(one, {"type": "prompt", "voicePrompt": "When do you open?", "lang": "de-DE", "last": True})
        self.assertEqual(two["lang"], "en-US")
        self.assertEqual(gone, {"type": "gone", "code": 1000})
        self.assertEqual(self.words(call), "Good morning.We open at nine.Bye.")
        voice, = self.desk.asked("/voice")
        self.assertEqual((voice["CallStatus"], voice["Direction"], voice["From"], voice["ApiVersion"]),
                         ("ringing", "inbound", THEIRS, "2010-04-01"))
        ended, = self.desk.asked("/ended")
        self.assertEqual((ended["SessionStatus"], ended["HandoffData"], ended["CallStatus"], ended["SessionId"]),
                         ("ended", '{"why":"done"}', "in-progress", setup["sessionId"]))
        self.assertEqual([event["text"] for event in self.of(call, "token")],
                         ["Good ", "morning.", "We open ", "at nine."])

    def test_interruption_cuts_at_what_was_heard(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        reply = "One two three four five six seven eight nine ten"
        self.serve(lambda s: s.say(*[word + " " for word in reply.split()]), lambda s: s.expect("interrupt"),
                   lambda s: s.expect("prompt"), lambda s: s.say("Sorry."))
        call = self.play([{"interrupt": "Stop", "after_words": 3, "ms": 30}, {"wait_for": "reply"},
                          {"hangup": True}], rate=40)
        _, interrupt, prompt, _ = self.got()
        heard = interrupt["utteranceUntilInterrupt"]
        self.assertTrue((reply + " ").startswith(heard) and heard.startswith("One two three"), heard)
        self.assertLess(len(heard), len(reply))
        self.assertGreaterEqual(interrupt["durationUntilInterruptMs"], 13 * 1000 // 40)
        self.assertEqual(prompt["voicePrompt"], "Stop")
        event, = self.of(call, "interrupt")
        self.assertEqual(event["heard"] + event["unheard"], reply + " ")
        self.assertEqual(self.words(call), heard + "Sorry.")

    def test_what_may_not_be_interrupted_goes_on(self):
        self.desk.documents = {"/voice": RELAY.replace("dtmfDetection", 'interruptible="none" dtmfDetection'),
                               "/ended": ""}
        self.serve(lambda s: s.say("This is a sentence of some length."), lambda s: s.expect("prompt"))
        call = self.play([{"interrupt": "Stop", "after_chars": 3, "ms": 10}, {"wait_for": "reply"},
                          {"say": "Now", "ms": 10}, {"hangup": True}], rate=40)
        self.assertEqual([frame.get("voicePrompt") for frame in self.got()[1:2]], ["Now"])
        self.assertIn("This is a sentence of some length.", self.words(call))

    def test_silence_is_measured_and_a_filler_does_not_hide_it(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        later = []

        def answer(socket):
            socket.expect("prompt")
            socket.say("One moment.")
            wait_for(lambda: time_over(later, 0.4), 10, "the filler to be over", 0.005)
            socket.say("Here I am.")
        self.serve(lambda s: s.say("Hello."), answer)
        script = [{"wait_for": "reply"}, {"say": "Well?", "ms": 10},
                  {"wait_for": "tokens", "count": 3}, {"wait_for": "reply"}, {"hangup": True}]
        call = self.play(script, fillers=["One moment."])
        self.assertGreater(call["silence_max_ms"] + call["stalled_ms"], 350)
        self.assertEqual(call["gap_max_ms"], 0)
        longest = max(self.of(call, "silence"), key=lambda event: event["ms"])
        self.assertAlmostEqual(longest["ms"], call["silence_max_ms"], places=2)
        self.assertAlmostEqual(longest["until"] - longest["from"] - longest["stalled_ms"], longest["ms"], places=1)
        later.clear()
        self.serve(lambda s: s.say("Hello."), answer)
        call = self.play(script)
        self.assertGreater(call["gap_max_ms"] + call["stalled_ms"], 350)

    def test_a_filler_in_the_middle_of_an_answer_does_not_end_it(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        later = []

        def answer(socket):
            socket.expect("prompt")
            socket.say("We open at", last=False)
            socket.say(" One moment.")
            wait_for(lambda: time_over(later, 0.4), 10, "the filler to be over", 0.005)
            socket.say("eight.")
            socket.expect("prompt")
        self.serve(lambda s: s.say("Hello."), answer)
        call = self.play([{"wait_for": "reply"}, {"say": "Well?", "ms": 10}, {"wait_for": "reply"},
                          {"say": "Thanks.", "ms": 10}, {"hangup": True}], fillers=["One moment."])
        kinds = [event["kind"] for event in call["events"] if event["kind"] in ("said", "token")]
        self.assertEqual(kinds, ["token", "said", "token", "token", "token", "said"])
        self.assertEqual(call["gap_max_ms"], 0)

    def test_no_answer_at_all_is_silence_until_the_end(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        self.serve(lambda s: s.say("Hello."))
        call = self.play([{"wait_for": "reply"}, {"say": "Anybody?", "ms": 10}, {"silence": 300}, {"hangup": True}])
        self.assertGreater(call["silence_max_ms"] + call["stalled_ms"], 295)

    def test_a_broken_socket_fails_the_session(self):
        for code in (1000, 1011):
            self.desk.reset()
            self.desk.documents = {"/voice": RELAY, "/ended": RELAY.replace("/ended", "/again"), "/again": ""}
            sessions = []

            def relay(socket, code=code, sessions=sessions):
                sessions.append(socket.expect("setup"))
                socket.close(code)
                socket.frame()
            self.desk.relay = relay
            call = self.play()
            self.assertEqual(self.codes(call), [64105, 64105])
            for path in ("/ended", "/again"):
                form, = self.desk.asked(path)
                self.assertEqual((form["SessionStatus"], form["ErrorCode"], form["CallStatus"]),
                                 ("failed", "64105", "in-progress"))
            self.assertEqual([one["callStatus"] for one in sessions], ["RINGING", "IN-PROGRESS"])
            self.assertEqual(len({one["sessionId"] for one in sessions}), 2)
        self.desk.reset()  # without an action the call fails
        self.desk.documents = {"/voice": RELAY.replace(' action="/ended"', "")}
        self.desk.relay = lambda socket: socket.expect("setup")
        self.assertEqual(self.play()["status"], "failed")

    def test_a_relay_that_cannot_be_opened(self):
        self.desk.documents = {"/voice": RELAY, "/ended": "<Hangup/>"}
        call = self.play(auth_token="another")  # the handshake is refused with 403
        self.assertEqual(self.codes(call), [64102])
        self.assertEqual(self.desk.asked("/ended")[0]["ErrorCode"], "64102")
        self.assertEqual([one["signed"] for one in self.desk.requests], [False, False])
        self.desk.requests.clear()

    def test_bad_frames_are_told_and_ten_close(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        bad = ['{"type":"texts"}', "{", '{"type":"text"}', '{"type":"text","token":"a","x":1}', b"\x00", "[]"]

        def relay(socket):
            socket.expect("setup")
            for frame in bad:
                socket.send(frame, 2 if isinstance(frame, bytes) else 1)
                assert socket.expect("error")["description"]
            socket.say("Good.")  # a good one between: they are not in a row
            for _ in range(10):
                socket.send("nonsense")
                socket.expect("error")
            socket.receive()
        self.desk.relay = relay
        call = self.play()
        self.assertEqual(self.codes(call), [64107] * (len(bad) + 10) + [64105])
        self.assertEqual(self.got()[-1], {"type": "gone", "code": 1007})
        self.assertEqual(self.desk.asked("/ended")[0]["SessionStatus"], "failed")

    def test_text_that_is_not_utf8_closes_at_once(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}

        def relay(socket):
            socket.expect("setup")
            socket.send(b'{"type":"text","token":"\xc3\x28"}')
            socket.receive()
        self.desk.relay = relay
        self.assertEqual(self.codes(self.play()), [64105])
        self.assertEqual(self.got()[-1]["code"], 1007)

    def test_an_end_cuts_what_is_spoken_unless_told_otherwise(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        self.serve(lambda s: (s.say("Good bye and thank you."), s.end()))
        call = self.play(rate=20)
        end, = self.of(call, "end")
        self.assertTrue("Good bye and thank you.".endswith(end["unheard"]) and end["unheard"])
        self.serve(lambda s: (s.say("Good bye and thank you."), s.end()))
        self.assertEqual(self.heard(self.play(rate=100, end="after_speech")), "Good bye and thank you.")

    def test_hanging_up_at_any_point(self):
        self.desk.documents = {"/voice": RELAY, "/ended": "<Say>Nobody hears this.</Say>"}
        self.serve(lambda s: s.say("A long sentence that nobody hears to its end."))
        for first in ({"wait_for": "relay"}, {"wait_for": "audible", "chars": 5}, {"wait_for": "frames", "count": 1},
                      {"wait_for": "connecting"}):
            self.desk.requests.clear()
            call = self.play([first, {"hangup": True}], rate=30, status_callback="https://desk.example.com/status")
            self.assertEqual((call["status"], call["ended_by"], call["script"]), ("completed", "caller", "done"))
            form = self.asked("/ended")[-1]
            self.assertEqual((form["SessionStatus"], form["CallStatus"]), ("completed", "completed"))
            status = self.asked("/status")[-1]
            self.assertEqual((status["CallStatus"], status["SequenceNumber"]), ("completed", "0"))
            self.assertIn("CallDuration", status)
            self.assertNotIn("Nobody", self.heard(call))
        call = self.play([{"wait_for": "answered"}, {"hangup": True}])  # before the first verb
        self.assertEqual((call["status"], self.of(call, "verb")), ("completed", []))
        call = self.play([{"hangup": True}])  # before anything was asked
        self.assertEqual((call["status"], call["documents"]), ("no-answer", 0))

    def test_keys_go_to_the_relay(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        self.serve(lambda s: [s.expect("dtmf") for _ in range(3)], lambda s: s.end())
        self.play([{"wait_for": "relay"}, {"press": "4w#2", "gap_ms": 5}])
        self.assertEqual([frame["digit"] for frame in self.got()[1:4]], ["4", "#", "2"])

    def test_hostile_frames(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        seen = []

        def relay(socket):
            while True:
                seen.append(socket.frame())
        self.desk.relay = relay
        call = self.play([
            {"wait_for": "relay"}, {"frame": {"type": "setup"}, "times": 2}, {"hex": "22c32822"},
            {"raw": "x", "repeat": 65536}, {"raw": "abc", "fragments": 3}, {"raw": "b", "binary": True},
            {"say": "Twice", "ms": 5}, {"again": True, "times": 2},
            {"raw": "r", "times": 300, "per_second": 1000}, {"cut": True}])
        wait_for(lambda: len(seen) >= 312, DEADLINE_S, "all frames to arrive")
        self.assertEqual(json.loads(seen[0][2])["type"], "setup")
        self.assertEqual([one[2] for one in seen[1:3]], [b'{"type":"setup"}'] * 2)
        self.assertEqual(seen[3], (True, 1, b'"\xc3("'))
        self.assertEqual(seen[4], (True, 1, b"x" * 65536))
        self.assertEqual(seen[5:8], [(False, 1, b"a"), (False, 0, b"b"), (True, 0, b"c")])
        self.assertEqual(seen[8], (True, 2, b"b"))
        self.assertEqual(len({one[2] for one in seen[9:12]}), 1)
        self.assertEqual(seen[12:], [(True, 1, b"r")] * 300)
        self.assertEqual(self.asked("/ended")[0]["ErrorCode"], "64105")
        sent = self.of(call, "sent")[-1]["time"] - self.of(call, "prompt")[-1]["time"]
        self.assertGreater(sent, 290)

    def test_who_speaks_is_told_to_a_relay_that_asks(self):
        asks = RELAY.replace(' language="de-DE"', ' events="speaker-events tokens-played"')
        for document, speaker, kinds in ((asks, "told", ["info", "info", "prompt"]), (asks, "untold", ["prompt"]),
                                         (RELAY, "told", ["prompt"])):
            self.desk.documents = {"/voice": document, "/ended": ""}
            self.serve(*[lambda s, kind=kind: s.expect(kind) for kind in kinds], lambda s: s.end())
            at = len(self.desk.sockets)
            self.play([{"wait_for": "relay"}, {"say": "Well?", "ms": 5}], speaker=speaker)
            told = [frame["value"] for frame in self.got(at) if frame["type"] == "info"]
            self.assertEqual(told, ["on", "off"][:len(kinds) - 1])

    def test_a_script_that_waits_in_vain_hangs_up(self):
        self.desk.documents = {"/voice": RELAY, "/ended": ""}
        self.serve()
        call = self.play([{"wait_for": "reply", "timeout_ms": 100}, {"say": "never"}])
        self.assertEqual((call["script"], call["ended_by"], call["errors"]), ("timed out", "script timed out", 1))

    # --- TwiML ---

    def test_prompts_pauses_and_redirects(self):
        self.desk.documents = {
            "/voice": '<Say>Hello.</Say><Pause length="1"/><Play loop="2">https://h/a.wav</Play><Redirect>next</Redirect>',
            "/next": '<Say loop="2">Bye.</Say>'}
        call = self.play(play_ms=20)
        self.assertEqual([event["text"] for event in self.of(call, "audible")], ["Hello.", "", "Bye.Bye."])
        self.assertEqual([event["name"] for event in self.of(call, "verb")],
                         ["Say", "Pause", "Play", "Redirect", "Say"])
        self.assertEqual(call["ended_by"], "end of document")

    def test_gather_takes_speech_and_keys(self):
        gather = ('<Gather input="dtmf speech" speechTimeout="auto" numDigits="3" action="/got"><Say>Please tell me '
                  'your name now.</Say></Gather><Redirect>/none</Redirect>')
        self.desk.documents = {"/voice": gather, "/got": "<Hangup/>", "/none": "<Hangup/>"}
        call = self.play([{"wait_for": "gather"}, {"say": "Ann Lee", "ms": 10, "confidence": 0.5}])
        self.assertEqual(self.heard(call), "Please tell me your name now.")
        form, = self.desk.asked("/got")
        self.assertEqual((form["SpeechResult"], form["Confidence"]), ("Ann Lee", "0.5"))
        self.play([{"wait_for": "gather"}, {"press": "12", "gap_ms": 1}, {"press": "#"}])
        self.assertEqual(self.asked("/got", 2)[1]["Digits"], "12")
        call = self.play([{"wait_for": "audible"}, {"press": "123", "gap_ms": 1}], rate=20)
        self.assertEqual(self.asked("/got", 3)[2]["Digits"], "123")
        self.assertNotIn("now.", self.heard(call))  # the keys cut the prompt
        self.play()
        self.assertEqual(len(self.desk.asked("/none")), 1)

    def test_gather_without_input_may_ask_its_action(self):
        self.desk.documents = {"/voice": '<Gather actionOnEmptyResult="true" timeout="1" action="/got"/>', "/got": "<Hangup/>"}
        self.play()
        self.assertEqual(self.desk.asked("/got")[0]["Digits"], "")

    def test_record_leaves_a_message(self):
        record = ('<Say>Speak.</Say><Record maxLength="120" timeout="5" action="/recorded" recordingStatusCallback='
                  '"https://desk.example.com/recording" recordingStatusCallbackEvent="completed absent"/><Say>Nothing.</Say>')
        self.desk.documents = {"/voice": record, "/recorded": "<Hangup/>", "/recording": (204, None, "")}
        call = self.play([{"wait_for": "record"}, {"say": "Please call me back.", "ms": 60}, {"press": "#"}])
        form, = self.desk.asked("/recorded")
        self.assertEqual((form["RecordingDuration"], form["Digits"], form["CallStatus"]), ("1", "#", "in-progress"))
        told, = self.asked("/recording")
        self.assertEqual((told["RecordingStatus"], told["RecordingSource"], told["RecordingUrl"], told["CallSid"]),
                         ("completed", "RecordVerb", form["RecordingUrl"], call["sid"]))
        path = "/Recordings/" + told["RecordingSid"]
        self.assertTrue(form["RecordingUrl"].endswith(path))
        status, wav = self.rest("GET", path, raw=True)
        self.assertEqual((status, len(wav), wav[:4], wav[44:48]), (200, 44 + 8000, b"RIFF", b"\0\1\2\3"))
        self.assertEqual(self.rest("GET", path + ".mp3", raw=True)[1], wav)
        self.assertEqual(self.rest("GET", path + ".json")[1]["call_sid"], call["sid"])
        self.assertEqual(len(self.rest("GET", f"/Calls/{call['sid']}/Recordings.json")[1]["recordings"]), 1)
        self.assertEqual(self.rest("DELETE", path + ".json")[0], 204)
        self.assertEqual(self.rest("GET", path, raw=True)[0], 404)
        call = self.play([{"wait_for": "record"}, {"say": "Bye", "ms": 30}, {"hangup": True}],
                         recording_bytes=5000, recording_delay_ms=50)
        form = self.asked("/recorded", 2)[1]
        self.assertEqual((form["Digits"], form["CallStatus"]), ("hangup", "completed"))
        told = self.asked("/recording", 2)[1]
        self.assertEqual(len(self.rest("GET", "/Recordings/" + told["RecordingSid"], raw=True)[1]), 5000)
        call = self.play()  # nobody says a word
        self.assertEqual(self.asked("/recording", 3)[2]["RecordingStatus"], "absent")
        self.assertEqual(len(self.desk.asked("/recorded")), 2)
        self.assertIn("Nothing.", self.heard(call))

    def dial(self, **attributes):
        self.desk.documents = {
            "/voice": f'<Dial timeout="10" action="/dialled"><Number url="/whisper">{STAFF}</Number></Dial>',
            "/whisper": '<Gather numDigits="1" timeout="2" action="/accept"><Say>Press one.</Say></Gather><Hangup/>',
            "/accept": lambda form: "" if form["Digits"] == "1" else "<Hangup/>", "/dialled": "<Hangup/>"}

    def test_dial_reaches_a_person_who_accepts(self):
        self.dial()
        self.callee(script=[{"wait_for": "gather"}, {"press": "1"}, {"wait_for": "bridged"},
                            {"say": "Hello, Ines here.", "ms": 20}, {"silence": 30}, {"hangup": True}])
        call = self.play([{"wait_for": "bridged"}, {"say": "Hi", "ms": 10}])
        form, = self.desk.asked("/dialled")
        self.assertEqual((form["DialCallStatus"], form["DialBridged"], form["CallSid"]), ("completed", "true", call["sid"]))
        self.assertIn("DialCallDuration", form)
        child = self.call(form["DialCallSid"])
        self.assertEqual((child["parent"], child["direction"], child["to"]), (call["sid"], "outbound-dial", STAFF))
        self.assertEqual(self.desk.asked("/whisper")[0]["ParentCallSid"], call["sid"])
        self.assertEqual(self.of(child, "said")[0]["heard_by"], "bridge")
        self.assertEqual(self.of(call, "said")[0]["heard_by"], "Dial")

    def test_dial_that_reaches_nobody(self):
        self.dial()
        for answer, status in (("busy", "busy"), ("no-answer", "no-answer"), ("failed", "failed")):
            self.callee(answer=answer)
            self.play()
            self.assertEqual(self.desk.asked("/dialled")[-1]["DialCallStatus"], status)
            self.assertEqual(self.desk.asked("/dialled")[-1]["DialBridged"], "false")
        self.callee(answer="machine")  # a voicemail presses no key: the whisper hangs up
        self.play()
        self.assertEqual((self.desk.asked("/dialled")[-1]["DialCallStatus"], self.desk.asked("/dialled")[-1]["DialBridged"]),
                         ("completed", "false"))
        self.callee(script=[{"press": "2"}], refused_status="no-answer")
        self.play()
        self.assertEqual(self.desk.asked("/dialled")[-1]["DialCallStatus"], "no-answer")

    def test_dial_tells_beside_the_call_who_answered(self):
        """It holds up neither the whisper nor, without one, that the two are joined."""
        for whisper, answer, by in ((True, "machine", "machine_start"), (False, "machine", "machine_start"),
                                    (False, "human", "human")):
            self.dial()
            url = 'url="/whisper"' if whisper else ""
            self.desk.documents["/voice"] = (f'<Dial action="/dialled"><Number {url} machineDetection="Enable"'
                                             f' amdStatusCallback="/machine">{STAFF}</Number></Dial>')
            self.callee(answer=answer, amd_ms=60, script=[{"silence": 200}, {"hangup": True}])
            call = self.play()
            told = self.asked("/machine")[-1]
            self.assertEqual((told["CallSid"], told["AnsweredBy"]), (self.of(call, "dial")[0]["child"], by))
            self.assertEqual(self.desk.asked("/dialled")[-1]["DialBridged"], "false" if whisper else "true")
            self.assertNotIn("AnsweredBy", self.desk.asked("/dialled")[-1])

    def test_dial_ends_with_the_caller(self):
        self.dial()
        self.callee(answer="no-answer")
        call = self.play([{"wait_for": "dial"}, {"silence": 30}, {"hangup": True}])
        form, = self.asked("/dialled")
        self.assertEqual((form["DialCallStatus"], form["CallStatus"]), ("canceled", "completed"))
        self.assertEqual(self.call(form["DialCallSid"])["status"], "canceled")
        self.assertEqual(call["ended_by"], "caller")

    def test_reject(self):
        self.desk.documents = {"/voice": '<Reject reason="busy"/>'}
        call = self.play()
        self.assertEqual((call["status"], call["answered"]), ("busy", 0))

    def test_wrong_twiml_is_told_and_goes_to_the_fallback(self):
        big = "<Response><Say>" + "a" * 65536 + "</Say></Response>"
        cases = [("<Enqueue>q</Enqueue>", 12200), ((200, "text/xml", "<Response>"), 12100),
                 ((200, "text/xml", big), 11750), ((200, "application/json", "{}"), 12300),
                 ((200, None, "<Response/>"), 12300), ((200, "text/plain", "Hello"), 12300),
                 ((500, "text/xml", "<Response/>"), 11200), ((302, "text/plain", "", ("Location", "/voice")), 11215)]
        for document, code in cases:
            self.desk.requests.clear()
            self.desk.documents = {"/voice": document, "/fallback": "<Say>We are here all the same.</Say>"}
            call = self.play(fallback_url="https://desk.example.com/fallback")
            self.assertEqual(self.codes(call), [code])
            form, = self.desk.asked("/fallback")
            self.assertEqual(form["ErrorCode"], str(code))
            self.assertIn("/voice", form["ErrorUrl"])
            self.assertEqual(self.heard(call), "We are here all the same.")
        call = self.play()
        self.assertIn("an application error has occurred", self.heard(call))
        self.assertEqual((call["status"], call["ended_by"]), ("completed", "error"))

    # --- REST ---

    def test_outbound_call_with_its_callbacks(self):
        self.desk.documents = {"/out": "<Say>Your car is ready.</Say>", "/status": (204, None, "")}
        self.callee(answer="human", rate=500, script=[{"silence": 20}])
        words = ["initiated", "ringing", "answered", "completed"]
        form = {"To": STAFF, "From": OURS, "Url": "https://desk.example.com/out",
                "StatusCallback": "https://desk.example.com/status", "StatusCallbackEvent": words,
                "MachineDetection": "Enable"}
        status, call = self.rest("POST", "/Calls.json", **form)
        self.assertEqual((status, call["status"], call["direction"]), (201, "queued", "outbound-api"))
        events = self.over(call["sid"])
        self.assertEqual(self.heard(events), "Your car is ready.")
        told = sorted(self.asked("/status", 4), key=lambda one: int(one["SequenceNumber"]))
        self.assertEqual([one["CallStatus"] for one in told], ["initiated", "ringing", "in-progress", "completed"])
        self.assertEqual(self.desk.asked("/out")[0]["AnsweredBy"], "human")
        status, call = self.rest("GET", f"/Calls/{call['sid']}.json")
        self.assertEqual((call["status"], call["answered_by"]), ("completed", "human"))
        self.assertEqual(self.rest("GET", f"/Calls.json?To={STAFF.replace('+', '%2B')}")[1]["calls"], [call])
        self.assertEqual(self.rest("GET", "/Calls.json?Status=busy")[1]["calls"], [])
        for mode, numbers in (("doubled", "00112233"), ("none", ""), ("out_of_order", "3210")):
            self.desk.requests.clear()
            self.send("POST", "/_faults", json.dumps([{"path": "Calls.json", "action": {"type": "callbacks", "mode": mode}}]))
            self.over(self.rest("POST", "/Calls.json", **form)[1]["sid"])
            got = self.asked("/status", len(numbers)) if numbers else self.desk.asked("/status")
            got = [one["SequenceNumber"] for one in got]
            self.assertEqual("".join(got if mode == "out_of_order" else sorted(got)), numbers)

    def test_outbound_call_is_listened_to_before_it_is_asked_for(self):
        """As long as whoever takes it speaks, or is silent, and the request's times say."""
        detects, end = "MachineDetection", "DetectMessageEnd"
        cases = [(0, {}, "unknown", 5000), (0, {f"{detects}SilenceTimeout": "2500"}, "unknown", 2500),
                 (600, {}, "human", 1800), (600, {f"{detects}SpeechEndThreshold": "500"}, "human", 1100),
                 (3000, {}, "machine_start", 2400), (3000, {f"{detects}SpeechThreshold": "4000"}, "human", 4200),
                 (9000, {detects: end}, "machine_end_beep", 9000),
                 (9000, {detects: end, f"{detects}Timeout": "4"}, "unknown", 4000)]
        for speech_ms, times, by, ms in cases:
            self.callee(speech_ms=speech_ms, speed=50)
            form = {"To": STAFF, "From": OURS, "Twiml": "<Response><Say>Hi</Say></Response>", detects: "Enable", **times}
            call = self.over(self.rest("POST", "/Calls.json", **form)[1]["sid"])
            found, = self.of(call, "detected")
            self.assertEqual((found["answered_by"], found["ms"]), (by, ms), times)
            self.assertEqual(self.heard(call), "Hi")

    def test_outbound_call_that_nobody_takes(self):
        form = {"To": STAFF, "From": OURS, "Twiml": "<Response><Say>Hi</Say></Response>"}
        for answer, status in (("busy", "busy"), ("no-answer", "no-answer"), ("failed", "failed")):
            self.callee(answer=answer, speed=1000)
            self.assertEqual(self.over(self.rest("POST", "/Calls.json", **form)[1]["sid"])["status"], status)

    def test_create_is_checked_and_obeys_the_faults(self):
        good = {"To": STAFF, "From": OURS, "Twiml": "<Response/>"}
        for change, code in (({"To": ""}, 21201), ({"To": "555"}, 21211), ({"From": "+15550109999"}, 21210),
                             ({"Twiml": ""}, 21205), ({"Twiml": "x" * 4001}, 32018), ({"StatusCallback": "x"}, 21609),
                             ({"StatusCallbackEvent": "busy"}, 21626)):
            self.assertEqual(self.rest("POST", "/Calls.json", **{**good, **change})[1]["code"], code)
        self.send("POST", "/_faults", json.dumps([
            {"path": "Calls.json", "count": 1, "action": {"type": "status", "status": 429}},
            {"path": "Calls.json", "count": 1, "action": {"type": "accepted_but_answer_lost", "status": 500}}]))
        self.assertEqual(self.rest("POST", "/Calls.json", **good)[0], 429)
        self.assertEqual(self.rest("POST", "/Calls.json", **good)[0], 500)
        self.assertEqual(len(self.send("GET", "/_calls")[1]), 1)  # the second was placed all the same

    def test_a_live_call_is_changed(self):
        self.desk.documents = {"/voice": RELAY, "/ended": "<Hangup/>", "/new": "<Pause length='600'/>"}
        self.serve(lambda s: s.say("Hello."))
        sid = self.place()
        wait_for(lambda: self.heard(self.call(sid)) == "Hello.", DEADLINE_S, "the greeting")
        status, call = self.rest("POST", f"/Calls/{sid}.json", Url="https://desk.example.com/new")
        self.assertEqual((status, call["status"]), (200, "in-progress"))
        self.assertEqual(self.asked("/new")[0]["CallStatus"], "in-progress")
        self.assertEqual(self.got()[-1], {"type": "gone", "code": 1000})
        self.assertEqual(self.desk.asked("/ended"), [])  # a dropped verb asks no action
        self.assertEqual(self.rest("POST", f"/Calls/{sid}.json", Twiml="<Response><Say>Wait.</Say><Pause length='600'/>"
                                   "</Response>")[0], 200)
        wait_for(lambda: self.heard(self.call(sid)) == "Hello.|Wait.", DEADLINE_S, "the new words")
        self.assertEqual(self.rest("POST", f"/Calls/{sid}.json", Status="completed")[1]["status"], "completed")
        status, body = self.rest("POST", f"/Calls/{sid}.json", Status="completed")
        self.assertEqual((status, body["code"]), (400, 21220))
        self.assertEqual(self.call(sid)["ended_by"], "REST")

    # --- the whole ---

    def test_two_hundred_calls_at_once(self):
        self.desk.documents = {"/voice": RELAY, "/ended": "<Hangup/>"}
        self.serve(lambda s: s.say("Good morning, what can I do for you?"), lambda s: s.expect("prompt"),
                   lambda s: s.say("Of course. ", "Good bye."), lambda s: s.expect("prompt"), lambda s: s.end())
        script = [{"wait_for": "reply"}, {"say": "An appointment", "ms": 200}, {"wait_for": "reply"},
                  {"say": "Bye", "ms": 20}]
        sids = [self.place(script, rate=40) for _ in range(200)]
        wait_for(lambda: all(one["over"] for one in self.send("GET", "/_calls")[1]), 120, "all calls to be over")
        calls = self.send("GET", "/_calls")[1]
        self.assertEqual({one["sid"] for one in calls}, set(sids))
        self.assertEqual({(one["status"], one["script"], one["errors"]) for one in calls}, {("completed", "done", 0)})
        stats = self.send("GET", "/_stats")[1]
        self.assertEqual((stats["calls"], stats["calls_live"], stats["call_events_dropped"]), (200, 0, 0))
        events = self.send("GET", "/_events")[1]
        self.assertEqual(len(events), stats["call_events"])
        self.assertEqual(sum(one["kind"] == "token" for one in events), 600)

    def test_wrong_orders_are_refused(self):
        good = {"account_sid": ACCOUNT, "from": THEIRS, "to": OURS, "url": "https://desk.example.com/voice"}
        for change in ({"account_sid": "AC1"}, {"url": "voice"}, {"rate": 0}, {"speed": "fast"}, {"tempo": 1},
                       {"script": [{"shout": "x"}]}, {"callbacks": "maybe"}, {"status_callback_events": ["x"]}):
            status, body = self.send("POST", "/_calls", json.dumps({**good, **change}))
            self.assertEqual(status, 400, change)
            self.assertTrue(body["error"])
        self.assertEqual(self.send("GET", "/_calls/CA1")[0], 404)


def time_over(since, seconds):
    """Whether so many seconds have gone since the first question."""
    since.append(time.monotonic())
    return since[-1] - since[0] >= seconds


if __name__ == "__main__":
    unittest.main()
