"""What ./run's phone call calls wrong: a sentence that is lost, doubled or strange, and a record that keeps other
words than were heard."""

import unittest

from phone import Heard, cut_short, gone_on, told_in_full, without
from phone_stories import HOURS, PARKING


class Sentences(unittest.TestCase):
    def test_all_of_it_once(self):
        self.assertEqual(told_in_full(HOURS, HOURS), [])

    def test_lost_doubled_strange_and_out_of_order(self):
        self.assertEqual(told_in_full(HOURS.replace("On Fridays we close at two. ", ""), HOURS),
                         ["lost in the call: On Fridays we close at two."])
        self.assertEqual(told_in_full(HOURS + " Shall I look for a time?", HOURS),
                         ["said 2 times in the call: Shall I look for a time?"])
        self.assertEqual(told_in_full("Hello there. " + HOURS, HOURS),
                         ["nobody was to say in the call: Hello there."])
        first, rest = HOURS.split(". ", 1)
        self.assertIn("not in order", told_in_full(f"{rest} {first}.", HOURS)[0])

    def test_what_was_cut_short(self):
        heard = "The parking lot is behind the"
        self.assertEqual(cut_short(heard, heard + " ", PARKING), [])
        self.assertIn("cut in", cut_short(PARKING, PARKING, PARKING)[0])
        self.assertIn("cut in", cut_short("", "", PARKING)[0])
        self.assertIn("the record keeps", cut_short(heard, PARKING, PARKING)[0])
        self.assertIn("the record keeps", cut_short(heard, None, PARKING)[0])

    def test_what_went_on_when_its_speaker_had_died(self):
        begun, rest = "We are open from eight to", "five, Monday to Thursday. "
        end = HOURS[len(begun + " " + rest):]
        self.assertEqual(gone_on(f"{begun} {rest}{end}", HOURS), ("", []))
        self.assertEqual(gone_on(f"{begun} {HOURS}", HOURS), ("Weareopenfromeightto", []))
        self.assertIn("said twice", gone_on(f"{begun} {rest}{HOURS}", HOURS)[1][0])
        self.assertIn("lost", gone_on(f"{begun} {end}", HOURS)[1][0])
        self.assertEqual(without("One. Two. Three.", ["Two."]), "One. Three.")


class Events(unittest.TestCase):
    def test_words_belong_to_what_was_said_before(self):
        heard = Heard({"events": [
            {"kind": "audible", "time": 5, "from": 1, "until": 5, "text": "Hello."},
            {"kind": "said", "time": 20, "from": 10, "until": 20, "text": "When?"},
            {"kind": "token", "time": 25, "text": " At nine."},
            {"kind": "audible", "time": 40, "from": 25, "until": 40, "text": "At nine."},
            {"kind": "said", "time": 60, "from": 50, "until": 60, "text": "Thanks."},
            {"kind": "audible", "time": 90, "from": 70, "until": 90, "text": "Bye."}]})
        self.assertEqual([heard.words(place) for place in (-1, 0, 1)], ["Hello.", "At nine.", "Bye."])
        self.assertEqual(heard.pieces(0), [("At nine.", 5)])
        self.assertEqual(heard.pieces(1), [("Bye.", 10)])  # as in webhook mode


if __name__ == "__main__":
    unittest.main()
