"""What ./run takes from the caller's environment instead of the stand-ins."""

import os
import unittest
from unittest import mock

from main import outside_settings


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
            self.assertEqual(found, {"model_base_url": "http://127.0.0.1:1/v1"})


if __name__ == "__main__":
    unittest.main()
