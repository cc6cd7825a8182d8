"""./run with one vendor's key alone: a text's whole way through that vendor's dialect, at its price. The
vendor is the stand-in, which speaks all dialects; only the address in the vendor's file is another.
"""

import json
import os
import re
from unittest import mock

from harness import CHECKOUT, oracle

from main import MODEL_URLS, outside_settings
from procs import own_dir
from tenants import VENDOR_KEYS
from texts import up

SHARE = True

FILES = sorted((CHECKOUT / "deploy" / "tenants").glob("*.yaml"))
VENDORS = CHECKOUT / "deploy" / "vendors"


def vendors_at(folder, url):
    """The files of all vendors in the folder, with the same paths at another address."""
    for path in VENDORS.glob("*.yaml"):
        text = re.sub(r"^(base_url: )https?://[^/\s]+", rf"\g<1>{url}", path.read_text(), flags=re.M)
        (folder / path.name).write_text(text)
    return folder


def with_keys(desk, **keys):
    """The desk's tenants as ./run has them where the caller's environment holds these keys and no other."""
    here = desk.installation
    others = {name: value for name, value in os.environ.items()
              if name not in (*VENDOR_KEYS.values(), *MODEL_URLS)}
    here.start_first_model()
    here.vendors_dir = vendors_at(own_dir(desk.folder / "vendors"), here.model.url)
    with mock.patch.dict(os.environ, {**others, **keys}, clear=True):
        here.outside = outside_settings()
        desk.prepare()
        here.load_tenants(FILES)
    here.deskctl("tenant", "apply", *here.tenant_files, "--yes")
    up(desk)


def answered_by(desk, tenant):
    """A new customer's text is answered; its call as `deskctl conversation show` tells it."""
    customer, nonce = desk.new_address(), desk.new_nonce()
    assert desk.webhook(customer, f"hello {nonce}", tenant=tenant).status == 200
    reply, = desk.wait_replies(customer, 1)
    assert oracle.new_nonces(reply) == [nonce], reply
    deskctl = desk.installation.deskctl
    conversation = next(one["id"] for one in json.loads(deskctl("conversation", "list", "--json"))
                        if one["address"] == customer)
    shown = json.loads(deskctl("conversation", "show", conversation, "--json"))
    call, = [call for message in shown["messages"] if message["direction"] == "out"
             for call in message["turn"]["calls"]]
    return call, deskctl("conversation", "show", conversation)


def asked_paths(desk):
    return {entry["path"].partition("?")[0] for entry in desk.ledger("model") if entry["method"] == "POST"}


def one_vendor(desk, vendor, key, path):
    with_keys(desk, **{key: "a-key"})
    desk.reset("model")
    for tenant in range(len(FILES)):
        call, shown = answered_by(desk, tenant)
        assert (call["provider"], call["outcome"]) == (vendor, "answered"), call
        assert call["cost"] > 0 and "$0.0" in shown, (call, shown)
    assert asked_paths(desk) == {path}, asked_paths(desk)


def test_gemini_alone(desk):
    one_vendor(desk, "gemini", "GEMINI_API_KEY",
               "/v1beta/models/gemini-3.5-flash-lite:streamGenerateContent")


def test_anthropic_alone(desk):
    one_vendor(desk, "anthropic", "ANTHROPIC_API_KEY", "/v1/messages")


def test_vendors_that_speak_openai_s_dialect_alone(desk):
    """Below paths of their own. DeepSeek's usual model is an alias without a price."""
    for vendor, key, path, priced in (("deepseek", "DEEPSEEK_API_KEY", "/chat/completions", False),
                                      ("groq", "GROQ_API_KEY", "/openai/v1/chat/completions", True)):
        with_keys(desk, **{key: "a-key"})
        desk.reset("model")
        call, _ = answered_by(desk, 2)  # the one with a budget in dollars, and in tokens
        assert (call["provider"], call["outcome"]) == (vendor, "answered"), call
        assert (call["cost"] or 0) > 0 if priced else call["cost"] is None, call
        assert asked_paths(desk) == {path}, asked_paths(desk)


def test_openai_alone_keeps_the_files(desk):
    """Their own entries name the vendor, so that the model that they name has its price. The address is the
    one that OPENAI_BASE_URL gives them."""
    here = desk.installation
    with_keys(desk, OPENAI_API_KEY="a-key")
    assert "vendors" not in here.outside and here.tenant_files == FILES
    here.outside = {}
    here.load_tenants(FILES)
    here.deskctl("tenant", "apply", *here.tenant_files, "--yes")
    desk.reset("model")
    call, shown = answered_by(desk, 0)
    assert (call["provider"], call["model"]) == ("openai", "gpt-4o-mini"), call
    assert call["cost"] > 0 and "$0.0" in shown, (call, shown)
    assert asked_paths(desk) == {"/v1/chat/completions"}, asked_paths(desk)


def test_a_server_of_one_s_own(desk):
    """DESK_MODEL_URL answers alone, whatever keys stand beside it, and costs nothing that a vendor's list
    would say."""
    here = desk.installation
    here.start_first_model()
    with_keys(desk, DESK_MODEL_URL=here.model.url + "/v1", GROQ_API_KEY="a-key")
    desk.reset("model")
    call, _ = answered_by(desk, 2)  # the one with a budget in dollars, and in tokens
    assert call["provider"] == here.model.url.partition("://")[2] and call["cost"] is None, call
    assert asked_paths(desk) == {"/v1/chat/completions"}, asked_paths(desk)
