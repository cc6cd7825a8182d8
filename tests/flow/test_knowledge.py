"""deskctl against real servers: a tenant's knowledge, from its files to what a question finds."""

from harness import CHECKOUT
from operating import (FAILED, NOT_FOUND, OK, TENANTS, USAGE, answer_on_terminal, expect, good,
                       tenant_file)

SHARE = True
KNOWLEDGE = CHECKOUT / "deploy" / "knowledge"
DENTAL = "brightwater-dental"
GARAGE = "hillcrest-garage"


def write(desk, name, text):
    folder = desk.folder / "knowledge"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def documents(desk, tenant):
    return {row["name"]: row for row in good(desk, "kb", "list", tenant, "--json").json()}


def search(desk, tenant, *words):
    return good(desk, "kb", "search", tenant, *words, "--json").json()


def headings(desk, tenant, *words):
    return [row["heading"] for row in search(desk, tenant, *words)]


def audited(desk, tenant, action):
    return desk.value("SELECT count(*) FROM audit_log a JOIN tenants t ON t.id = a.tenant_id"
                      " WHERE t.name = %s AND a.action = %s", tenant, action)


def test_examples_answer_questions(desk):
    desk.prepare()
    good(desk, "kb", "import", DENTAL, KNOWLEDGE / "dental.md")
    done = good(desk, "kb", "import", DENTAL, KNOWLEDGE / "dental-faq.md", "--faq")
    assert "dental-faq.md: added, 10 chunks, english" in done.said
    assert {name: row["kind"] for name, row in documents(desk, DENTAL).items()}.items() >= {
        "dental.md": "text", "dental-faq.md": "faq"}.items()
    for question, wanted, price in [
            ("Hi! How much would whitening be for me?", "whitening", "350"),
            ("what do you charge for a filling", "filling", "180"),
            ("I need to cancel, is there a fee?", "cancel", "45"),
            ("do you treat kids? my children are five", "children", "three")]:
        found = search(desk, DENTAL, question)
        assert found and wanted in found[0]["heading"].lower(), (question, found)
        assert any(price in row["text"] for row in found[:3]), (question, found)
        assert 0 < found[0]["rank"] <= 1
        assert [row["rank"] for row in found] == sorted((r["rank"] for r in found), reverse=True)
    assert search(desk, DENTAL, "xqzt wvvk") == []
    assert "nothing found" in good(desk, "kb", "search", DENTAL, "xqzt").out
    assert search(desk, GARAGE, "whitening") == []
    shown = good(desk, "kb", "search", DENTAL, "where", "can", "I", "park?").out
    assert "(faq)" in shown and "Behind the building" in shown


def test_import_replaces_and_knows_what_is_unchanged(desk):
    desk.prepare()
    path = write(desk, "offers.md", "# Summer\nWiper blades for 19 dollars.\n")
    done = good(desk, "kb", "import", GARAGE, path, "--json").json()
    assert done == {"result": "imported", "documents": [
        {"name": "offers.md", "result": "added", "kind": "text", "language": "en-US",
         "search_config": "english", "chunks": 1}]}
    before = audited(desk, GARAGE, "knowledge.import")
    done = good(desk, "kb", "import", GARAGE, path, "--json").json()
    assert done["result"] == "unchanged" and done["documents"][0]["result"] == "unchanged"
    assert audited(desk, GARAGE, "knowledge.import") == before
    write(desk, "offers.md", "# Winter\nTyres are changed for 80 dollars.\n# Keys\nLeave them.\n")
    done = good(desk, "kb", "import", GARAGE, path, "--json").json()
    assert done["documents"][0]["result"] == "replaced" and done["documents"][0]["chunks"] == 2
    assert audited(desk, GARAGE, "knowledge.import") == before + 1
    assert headings(desk, GARAGE, "wiper blades") == []
    assert headings(desk, GARAGE, "are tyres changed today?") == ["Winter"]
    # Another language is another document in all but its name.
    done = good(desk, "kb", "import", GARAGE, path, "--language", "de-CH", "--json").json()
    assert done["documents"][0]["result"] == "replaced"
    assert done["documents"][0]["search_config"] == "german"
    done = good(desk, "kb", "import", GARAGE, path, "--language", "xx", "--json").json()
    assert done["documents"][0]["search_config"] == "simple"
    shown = good(desk, "kb", "show", GARAGE, "offers.md", "--json").json()
    assert [chunk["heading"] for chunk in shown["chunks"]] == ["Winter", "Keys"]
    assert [chunk["place"] for chunk in shown["chunks"]] == [1, 2] and shown["language"] == "xx"
    assert "Leave them." in good(desk, "kb", "show", GARAGE, "offers.md").out


def test_formats(desk):
    desk.prepare()
    html = write(desk, "page.html", "<title>T</title><nav>Menu</nav><h1>Brakes</h1><table><tr><td>Pads"
                                    "<td>240</tr></table><script>evil()</script>")
    text = write(desk, "notes.txt", "Ring the bell at the side door.\r\n\r\n# no heading")
    good(desk, "kb", "import", GARAGE, html, text)
    chunk, = good(desk, "kb", "show", GARAGE, "page.html", "--json").json()["chunks"]
    assert (chunk["heading"], chunk["text"]) == ("Brakes", "Pads | 240")
    chunk, = good(desk, "kb", "show", GARAGE, "notes.txt", "--json").json()["chunks"]
    assert chunk["text"] == "Ring the bell at the side door.\n\n# no heading"
    # What a document holds cannot steer the operator's terminal.
    write(desk, "notes.txt", "bell \u202e\u009b31m door")
    good(desk, "kb", "import", GARAGE, text)
    out = good(desk, "kb", "show", GARAGE, "notes.txt").out
    assert "\u202e" not in out and "\\u202e" in out and "\u009b" not in out


def test_mistakes_are_named_and_nothing_is_written(desk):
    desk.prepare()
    before = documents(desk, GARAGE)
    fine = write(desk, "fine.md", "# A\nb")
    for name, content, options, said in [
            ("latin.md", b"# A\ncaf\xe9", [], "latin.md:2: this is not UTF-8"),
            ("nul.md", b"a\n\nb\0", [], "nul.md:3: this is not UTF-8"),
            ("empty.md", "\n \n", [], "empty.md: there is no text"),
            ("prices.pdf", "x", [], "must end in .md, .txt or .html"),
            ("large.txt", b"x" * (4 * 1024 * 1024 + 1), [], "large.txt is larger than"),
            ("faq.md", "# A?\nyes\n# B?\n", ["--faq"], "faq.md:3: the question has no answer"),
            ("none.md", "just text", ["--faq"], "none.md: there is no question"),
            ("deep.html", "<div>" * 300 + "x", [], "deep.html: elements are nested"),
            ("many.md", "# a\nb\n" * 5001, [], "more than 5,000 chunks")]:
        done = expect(FAILED, desk, "kb", "import", GARAGE, fine, write(desk, name, content), *options)
        assert said in done.said and "nothing was changed" in done.said, (name, done)
    expect(FAILED, desk, "kb", "import", GARAGE, desk.folder / "none.md")
    twice = desk.folder / "fine.md"
    twice.write_text("other")
    assert "same name" in expect(FAILED, desk, "kb", "import", GARAGE, fine, twice).said
    assert "like de or de-CH" in expect(USAGE, desk, "kb", "import", GARAGE, fine, "--language", "8").said
    assert "from 1 to 10" in expect(USAGE, desk, "kb", "search", GARAGE, "x", "--limit", "11").said
    expect(NOT_FOUND, desk, "kb", "import", "nobody", fine)
    for words in (["list", "nobody"], ["search", "nobody", "x"], ["show", GARAGE, "none.md"],
                  ["show", "nobody", "none.md"], ["remove", GARAGE, "none.md", "--yes"]):
        expect(NOT_FOUND, desk, "kb", *words)
    assert documents(desk, GARAGE) == before


def test_remove(desk):
    desk.prepare()
    path = write(desk, "old.md", "# Exhaust\nWe weld exhausts on Mondays.")
    good(desk, "kb", "import", GARAGE, path)
    assert "--yes" in expect(USAGE, desk, "kb", "remove", GARAGE, "old.md").said
    assert answer_on_terminal(desk, b"n\n", "kb", "remove", GARAGE, "old.md") == USAGE
    assert headings(desk, GARAGE, "exhaust") == ["Exhaust"]
    assert answer_on_terminal(desk, b"y\n", "kb", "remove", GARAGE, "old.md") == OK
    assert headings(desk, GARAGE, "exhaust") == [] and "old.md" not in documents(desk, GARAGE)
    good(desk, "kb", "import", GARAGE, path)
    done = good(desk, "kb", "remove", GARAGE, "old.md", "--yes", "--json").json()
    assert done == {"removed": "old.md", "chunks": 1}
    assert audited(desk, GARAGE, "knowledge.remove") == 2


def test_language_of_the_tenant_is_the_document_s(desk):
    desk.prepare()
    german = tenant_file(desk, "garage", ("language: en-US", "language: de-CH"))
    good(desk, "tenant", "apply", german, "--yes")
    try:
        path = write(desk, "preise.md", "# Reifenwechsel\nEin Wechsel der Reifen kostet 80 Franken.")
        done = good(desk, "kb", "import", GARAGE, path, "--json").json()["documents"][0]
        assert (done["language"], done["search_config"]) == ("de-CH", "german")
        assert headings(desk, GARAGE, "Was kostet das Wechseln eines Reifens?") == ["Reifenwechsel"]
    finally:
        good(desk, "kb", "remove", GARAGE, "preise.md", "--yes")
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")
