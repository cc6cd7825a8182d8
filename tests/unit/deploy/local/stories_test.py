"""The parts of ./run's stories that need nothing that runs: which time is asked for, and what is left out."""

import unittest
from datetime import timedelta
from pathlib import Path
from unittest import mock

import stories
from tenants import asks_stand_in, read_document

DENTAL = read_document(Path(stories.__file__).parents[1] / "tenants" / "dental.yaml")
ENDPOINTS = {"twilio_stand_url": "", "tenants": [{"name": stories.CLINIC}]}


class FreeTime(unittest.TestCase):
    def test_spans(self):
        found = stories.spans({"mon-tue": "08:00-12:00", "wed": ["08:00-09:00", "10:00-11:00"],
                               "sat-sun": "closed"})
        self.assertEqual(found, {"mon": ("08:00", "12:00"), "tue": ("08:00", "12:00")})

    def test_within_the_hours_and_on_no_holiday(self):
        hours = {"wed": "08:00-10:00"}
        first = next(at for at in self.times({**DENTAL, "hours": hours, "holidays": []}))
        document = {**DENTAL, "hours": hours, "holidays": [{"day": str(first.date()), "name": "x"}]}
        for at in self.times(document):
            self.assertEqual((at.weekday(), at.minute % 30), (2, 0))
            self.assertLessEqual(at + timedelta(minutes=90), at.replace(hour=10, minute=0))
            self.assertNotEqual(at.date(), first.date())

    def times(self, document):
        """All times that may be chosen."""
        with mock.patch.object(stories.random, "choice", lambda times: times):
            found = stories.free_time(document, "Whitening")
        self.assertTrue(found)
        return found


class LeftOut(unittest.TestCase):
    def why(self, story, providers, **changes):
        scene = stories.Scene(ENDPOINTS, None, (), providers)
        scene.documents[stories.CLINIC] = {**DENTAL, **changes}
        return stories.left_out(scene, story(scene, stories.CLINIC, None))

    def test_what_needs_a_script(self):
        self.assertIsNone(self.why(stories.Person, {}))
        self.assertIn("stand-in", self.why(stories.Booking, {}))
        self.assertIsNone(self.why(stories.Booking, {stories.CLINIC: object()}))

    def test_a_file_that_is_not_the_example_s(self):
        self.assertIn("no service", self.why(stories.Booking, {}, services=[]))
        self.assertIn("no rota", self.why(stories.Person, {}, escalation={}))
        self.assertIn("no knowledge", self.why(stories.Notes, {}, knowledge=None))

    def test_a_business_that_is_not_there(self):
        scene = stories.Scene(ENDPOINTS, None, (), {})
        self.assertIn("has no", stories.left_out(scene, stories.Outage(scene, stories.GARAGE, None)))

    def test_a_model_of_one_s_own_is_kept(self):
        self.assertTrue(asks_stand_in(DENTAL))
        own = {"assistant": {"models": [{"vendor": "ollama", "model": "m"}]}}
        self.assertFalse(asks_stand_in(own))


if __name__ == "__main__":
    unittest.main()
