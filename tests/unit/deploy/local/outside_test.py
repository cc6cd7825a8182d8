"""What ./run takes from the caller's environment instead of the stand-ins."""

import os
import unittest
from unittest import mock

from main import keys_not_asked, outside_settings


class Outside(unittest.TestCase):
    def settings(self, **environment):
        with mock.patch.dict(os.environ, environment, clear=True):
            return outside_settings()

    def test_nothing(self):
        self.assertEqual(self.settings(PATH="/bin"), {})

    def test_openai_alone_keeps_the_tenant_files(self):
        found = self.settings(OPENAI_API_KEY="k")
        self.assertEqual(found, {"model_base_url": "https://api.openai.com/v1"})

    def test_other_vendors_are_a_chain(self):
        found = self.settings(ANTHROPIC_API_KEY="a", GEMINI_API_KEY="g")
        self.assertEqual(found["vendors"], ["gemini", "anthropic"])
        self.assertIn("model_base_url", found)

    def test_several_with_openai_first(self):
        found = self.settings(GROQ_API_KEY="q", OPENAI_API_KEY="o")
        self.assertEqual(found["vendors"], ["openai", "groq"])

    def test_a_url_stands_above_keys(self):
        for name in ("FRONTDESK_MODEL_BASE_URL", "DESK_MODEL_URL", "OPENAI_BASE_URL"):
            found = self.settings(**{name: "http://127.0.0.1:1/v1", "GROQ_API_KEY": "q"})
            self.assertEqual(found, {"model_base_url": "http://127.0.0.1:1/v1", "own_server": True})

    def test_openai_by_its_url_is_openai(self):
        found = self.settings(OPENAI_BASE_URL="https://api.openai.com/v1/", OPENAI_API_KEY="o")
        self.assertEqual(found, {"model_base_url": "https://api.openai.com/v1/"})

    def ignored(self, **environment):
        with mock.patch.dict(os.environ, environment, clear=True):
            return keys_not_asked()

    def test_keys_beside_a_url_are_said_not_to_count(self):
        """OpenAI's is the server's then."""
        keys = {"GROQ_API_KEY": "q", "OPENAI_API_KEY": "o", "ANTHROPIC_API_KEY": "a"}
        self.assertEqual(self.ignored(**keys), [])
        self.assertEqual(self.ignored(DESK_MODEL_URL="http://127.0.0.1:1/v1", **keys),
                         ["GROQ_API_KEY", "ANTHROPIC_API_KEY"])


if __name__ == "__main__":
    unittest.main()
