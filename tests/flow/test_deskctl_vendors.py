"""deskctl against real servers: vendors of models, and the chain that a tenant makes of them."""

import json

from harness import CHECKOUT
from operating import DIFFERENT, FAILED, NOT_FOUND, TENANTS, expect, good, tenant_file, tenant_row
from tenants import VENDOR_KEYS, with_chain

SHARE = True
VENDORS = CHECKOUT / "deploy" / "vendors"
KEYS = {"DEEPSEEK_API_KEY": "deepseek-key-1", "ANTHROPIC_API_KEY": "anthropic-key-1"}
CHAIN = ("assistant:\n  models:\n", """assistant:
  models:
    - vendor: deepseek
      key: env:DEEPSEEK_API_KEY
      model: deepseek-v4-flash
    - vendor: anthropic
      key: env:ANTHROPIC_API_KEY
      total: 20s
    - vendor: ollama
      model: small:1b
      window: 16000
""")


def test_vendors_are_listed_and_shown(desk):
    desk.prepare()
    listed = {row["name"]: row for row in good(desk, "vendor", "list", "--json").json()}
    assert set(listed) == {path.stem for path in VENDORS.glob("*.yaml")}
    assert listed["gemini"]["dialect"] == "gemini"
    for name in listed:
        shown = good(desk, "vendor", "show", name, "--json").json()
        assert shown["base_url"] == listed[name]["base_url"]
        assert listed[name]["base_url"] in good(desk, "vendor", "show", name).out
    assert "nobody" in expect(NOT_FOUND, desk, "vendor", "show", "nobody").said
    assert "GROQ_API_KEY" in good(desk, "vendor", "show", "groq").out


def test_broken_vendor_file_is_refused(desk):
    desk.prepare()
    before = desk.value("SELECT count(*) FROM assistant_versions")
    folder = desk.folder / "vendors"
    folder.mkdir()
    (folder / "acme.yaml").write_text("name: acme\ndisplay_name: Acme\ndialect: opanai\n"
                                      "base_url: https://api.acme.example/v1\n")
    where = {"FRONTDESK_VENDORS_DIR": str(folder)}
    path = tenant_file(desk, "garage", ("short, practical", "never applied"))
    for words in (["vendor", "list"], ["vendor", "show", "acme"],
                  ["tenant", "apply", path, "--yes"]):
        done = expect(FAILED, desk, *words, environment=where)
        assert f"{folder}/acme.yaml:3: dialect" in done.said and "write openai" in done.said
    assert desk.value("SELECT count(*) FROM assistant_versions") == before
    where = {"FRONTDESK_VENDORS_DIR": str(folder / "none")}
    assert "No such file" in expect(FAILED, desk, "vendor", "list", environment=where).said


def chain_of(desk):
    """The tenant's chain as it is stored, wrapped keys and all."""
    return json.loads(desk.value(
        "SELECT v.config ->> 'models' FROM assistant_versions v"
        " JOIN assistants a ON a.id = v.assistant_id JOIN tenants t ON t.id = a.tenant_id"
        " WHERE t.name = 'hillcrest-garage' ORDER BY v.version DESC LIMIT 1"))


def test_chain_of_vendors(desk):
    desk.prepare()
    before = tenant_row(desk, "hillcrest-garage")
    path = tenant_file(desk, "garage", CHAIN)
    done = expect(DIFFERENT, desk, "tenant", "apply", path, environment=KEYS)
    assert "+ assistant models[4]: " in done.said
    assert "~ assistant models[1].base_url" in done.said
    assert "~ assistant models[1].key: (secret)" in done.said
    assert not any(key in done.said for key in KEYS.values())
    good(desk, "tenant", "apply", path, "--yes", environment=KEYS)
    after = tenant_row(desk, "hillcrest-garage")
    assert after["assistant_version"] == before["assistant_version"] + 1

    chain = chain_of(desk)
    keys = [entry.pop("key_wrapped", None) for entry in chain]
    assert all(keys[:2]) and keys[2] is None and keys[3]
    assert chain == after["config"]["models"]
    assert chain[0] == {
        "vendor": "deepseek", "dialect": "openai", "base_url": "https://api.deepseek.com",
        "model": "deepseek-v4-flash", "auth": "bearer", "extra": {"thinking": {"type": "disabled"}},
        "echo_reasoning": True, "max_tokens": 300, "max_completion_tokens": False, "first_token_ms": 8000,
        "total_ms": 25000, "price_in": 440, "price_cached": 14, "price_out": 1320, "window": 1000000}
    assert chain[1]["headers"] == ["anthropic-version: 2023-06-01"]
    assert chain[1]["auth"] == "x-api-key" and chain[1]["total_ms"] == 20000
    assert chain[2]["base_url"].startswith("http://localhost:") and "price_in" not in chain[2]
    assert chain[2]["window"] == 16000
    assert chain[3] == before["config"]["models"][0]

    done = good(desk, "tenant", "apply", path, "--yes", "--json", environment=KEYS)
    assert done.json() == {"result": "unchanged", "changes": []}
    other = {**KEYS, "ANTHROPIC_API_KEY": "anthropic-key-2"}
    done = good(desk, "tenant", "apply", path, "--yes", "--json", environment=other).json()
    assert [change["field"] for change in done["changes"]] == ["models[2].key"]
    done = good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes", "--json").json()
    assert {("remove", f"models[{n}]") for n in (2, 3, 4)} <= {
        (change["action"], change["field"]) for change in done["changes"]}
    assert tenant_row(desk, "hillcrest-garage")["config"] == before["config"]


def test_vendor_mistakes_of_a_tenant_are_named(desk):
    desk.prepare()
    path = tenant_file(desk, "garage", (CHAIN[0], CHAIN[0] + "    - vendor: gemini\n"))
    done = expect(FAILED, desk, "tenant", "apply", path, "--yes")
    assert "add key: env:GEMINI_API_KEY" in done.said and f"{path}:" in done.said
    path = tenant_file(desk, "garage", (CHAIN[0], CHAIN[0] + "    - vendor: gemni\n"))
    done = expect(FAILED, desk, "tenant", "apply", path, "--yes")
    assert "did you mean gemini?" in done.said and "openrouter" in done.said


def test_window_that_is_too_small_is_refused(desk):
    """The file names no window of a model of one's own: what its server has by default is too small."""
    desk.prepare()
    entry = "    - {vendor: ollama, model: small, max_tokens: 3000}"
    path = tenant_file(desk, "garage", (CHAIN[0], f"{CHAIN[0]}{entry}\n"))
    line = path.read_text().splitlines().index(entry) + 1
    done = expect(FAILED, desk, "tenant", "apply", path, "--dry-run")
    assert f"{path}:{line}: window: 4096 tokens are too few" in done.said, done.said


def test_chain_of_the_keys_that_run_finds(desk):
    """What ./run makes of the example tenants when vendors' keys are set is taken as it is."""
    desk.prepare()
    folder = desk.folder / "chains"
    folder.mkdir()
    files = with_chain(sorted(TENANTS.glob("*.yaml")), list(VENDOR_KEYS), folder)
    keys = {key: f"{vendor}-key" for vendor, key in VENDOR_KEYS.items()}
    done = expect(DIFFERENT, desk, "tenant", "apply", *files, "--dry-run", environment=keys)
    for number, vendor in enumerate(VENDOR_KEYS, 1):
        model = good(desk, "vendor", "show", vendor, "--json").json()["default_model"]
        assert f"models[{number}]" in done.said and model in done.said, (vendor, done.said)
