"""Tenant files as ./run reads and copies them: nothing that deskctl tells apart may become the same."""

import tempfile
import unittest
from pathlib import Path

import yaml

from tenants import environment_for, read_document, with_chain, with_server

TENANTS = Path(__file__).resolve().parents[4] / "deploy" / "tenants"

TEXT = """
assistant: {models: []}
escalation:
  on: [customer_asks]
  rota:
    - {name: desk, sms: +15550100901}
    - {name: owner, sms: env:DESK_TEST_ROTA:-+15550100902}
hours: {mon: 08:00-17:00, tue: [08:00-12:00, 13:00-24:00]}
holidays: [{day: 2026-12-25, name: Christmas}]
intake: [{field: a, ask: b, type: choice, choices: [yes, no, off], required: false, max: 200}]
http_tools: [{parameters: {maximum: 5, default: "5"}}]
"""


class Documents(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def read(self, text):
        path = self.folder / "tenant.yaml"
        path.write_text(text)
        return read_document(path)

    def test_words(self):
        document = self.read(TEXT)
        self.assertEqual(document["escalation"]["on"], ["customer_asks"])
        self.assertEqual(document["escalation"]["rota"][0]["sms"], "+15550100901")
        self.assertEqual(document["intake"][0]["choices"], ["yes", "no", "off"])
        self.assertIs(document["intake"][0]["required"], False)
        self.assertEqual(document["hours"]["mon"], "08:00-17:00")

    def test_written_again_it_is_the_same(self):
        document = self.read(TEXT)
        self.assertEqual(self.read(yaml.safe_dump(document, sort_keys=False)), document)

    def test_copies_with_a_chain(self):
        files = sorted(TENANTS.glob("*.yaml"))
        for path, copy in zip(files, with_chain(files, ["openai", "groq"], self.folder)):
            before, after = read_document(path), read_document(copy)
            self.assertEqual([entry["vendor"] for entry in after["assistant"].pop("models")],
                             ["openai", "groq"])
            before["assistant"].pop("models")
            self.assertEqual(before, after)
            self.assertIn("on", after["escalation"])

    def test_copies_for_a_server_name_no_vendor(self):
        """Its prices and ways of asking would be another's. A model that is elsewhere stays."""
        files = sorted(TENANTS.glob("*.yaml"))
        for path, copy in zip(files, with_server(files, self.folder)):
            before, after = (read_document(one)["assistant"]["models"] for one in (path, copy))
            self.assertEqual([entry.pop("vendor") for entry in before], ["openai"])
            self.assertEqual(after, [{"dialect": "openai", **entry} for entry in before])
        own = self.folder / "own.yaml"
        own.write_text("name: a\nassistant: {models: [{vendor: groq, key: env:GROQ_API_KEY}]}\n")
        self.assertEqual(with_server([own], self.folder), [own])

    def test_rota_has_its_default(self):
        document = self.read(TEXT)
        self.assertEqual(environment_for([document], {}, {})["DESK_TEST_ROTA"], "+15550100902")


if __name__ == "__main__":
    unittest.main()
