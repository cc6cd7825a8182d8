"""The example businesses of deploy/tenants as ./run and the tests need them.

Tenant files name secrets as env:NAME or file:PATH only; other values may be env:NAME:-DEFAULT. What
nobody has set is made up here, so that the examples work as they lie there.
"""

import os
import re
import secrets
from pathlib import Path

import yaml

from procs import Failure

# The vendors of deploy/vendors whose own keys ./run takes, in the order in which they are asked.
VENDOR_KEYS = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY", "deepseek": "DEEPSEEK_API_KEY",
               "groq": "GROQ_API_KEY", "mistral": "MISTRAL_API_KEY", "xai": "XAI_API_KEY",
               "anthropic": "ANTHROPIC_API_KEY"}


class TenantLoader(yaml.SafeLoader):
    """YAML as deskctl reads it: `on`, `yes` and `no` are words, and a +1555... is one too."""


TenantLoader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items() if first != "+"}
TenantLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"),
                                   list("tf"))

REFERENCE = re.compile(r"^env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$", re.S)


def walk(node, path=()):
    """Every scalar of a YAML document with its path of keys."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, path + (key,))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, path + (index,))
    else:
        yield path, node


def environment_for(documents, known, outside):
    """Values for every env:NAME of the documents: known, else the caller's own, else the default
    that stands there, else made up. Without anything from outside (tests, plain ./run) the caller's
    environment is not asked: a key that lies about must not reach a stand-in."""
    values = dict(known)
    for document in documents:
        for _, value in walk(document):
            match = REFERENCE.match(value) if isinstance(value, str) else None
            if match and match.group(1) not in values:
                name, default = match.groups()
                own = os.environ.get(name) if allowed(name, outside) else None
                values[name] = own or default or secrets.token_hex(16)
    return values


def allowed(name, outside):
    """Whether a variable of the caller's applies: the model's with a real model, Twilio's with a
    real Twilio."""
    models = name.startswith("OPENAI_") or name in VENDOR_KEYS.values()
    return ("model_base_url" if models else "twilio_base_url") in outside


def vendors_with_keys():
    """The vendors whose keys are in the caller's environment."""
    return [vendor for vendor, key in VENDOR_KEYS.items() if os.environ.get(key)]


def read_document(path):
    """A tenant file as data that yaml.safe_dump writes back with the same meaning."""
    return yaml.load(Path(path).read_text(), Loader=TenantLoader)


def vendor_chain(vendors):
    """These vendors' usual models, with the caller's keys."""
    return [{"vendor": vendor, "key": f"env:{VENDOR_KEYS[vendor]}",
             **({"model": "env:OPENAI_MODEL"} if vendor == "openai" and os.environ.get("OPENAI_MODEL")
                else {})} for vendor in vendors]


def stand_chain(openai_url, gemini_url):
    """Two vendors' usual models, answered by stand-ins at these addresses."""
    return [{"vendor": "openai", "base_url": openai_url + "/v1", "key": "env:OPENAI_API_KEY"},
            {"vendor": "gemini", "base_url": gemini_url + "/v1beta", "key": "env:OPENAI_API_KEY"}]


def asks_stand_in(document):
    """Whether each model of the tenant file is at the address that ./run gives its stand-in."""
    return all(str(entry.get("base_url", "")).startswith("env:OPENAI_BASE_URL")
               for entry in document["assistant"]["models"])


def with_models(files, models_of, folder, speaking_rate=None):
    """Copies in the folder of those tenant files for which `models_of(document)` has a chain; the
    others stay where they are. speaking_rate: of the voice that the copies' callers hear."""
    copies = []
    for path in map(Path, files):
        document = read_document(path)
        models = models_of(document)
        if models:
            document["assistant"]["models"] = models
            if speaking_rate and document.get("phone"):
                document["phone"]["speaking_rate"] = speaking_rate
            path = folder / path.name
            path.write_text(yaml.safe_dump(document, sort_keys=False))
        copies.append(path)
    return copies


def with_chain(files, vendors, folder):
    """Copies of the tenant files in the folder, whose models are these vendors' usual ones."""
    return with_models(files, lambda _document: vendor_chain(vendors), folder)


def with_server(files, folder):
    """Copies of those tenant files whose models are at the address that ./run gives: no vendor's, whose
    prices and ways of asking would be another server's."""
    def models_of(document):
        return asks_stand_in(document) and [
            {"dialect": "openai", **{key: value for key, value in entry.items() if key != "vendor"}}
            for entry in document["assistant"]["models"]]
    return with_models(files, models_of, folder)


def resolve(value, environment):
    """The text behind env:NAME or file:PATH, or the text itself."""
    if not isinstance(value, str):
        return value
    match = REFERENCE.match(value)
    if match:
        return environment[match.group(1)]
    if value.startswith("file:"):
        return Path(value[5:]).read_text().strip()
    return value


def channels_of(document, path):
    """{kind: channel}, the first of each kind: every example is texted, some are called."""
    channels = {}
    for channel in document.get("channels") or []:
        channels.setdefault(channel.get("kind"), channel)
    if "sms" not in channels:
        raise Failure(f"{path} has no channel of kind sms")
    return channels


def load_tenants(files, known, outside):
    """([entry of endpoints.json], {environment variable: secret}) of the tenant files."""
    documents = [read_document(path) for path in files]
    if not documents:
        raise Failure("deploy/tenants holds no tenant file")
    environment = environment_for(documents, known, outside)
    tenants = []
    for path, document in zip(files, documents):
        channels = channels_of(document, path)
        channel = channels["sms"]
        tenants.append({
            "name": document["name"],
            "account_sid": resolve(channel["account_sid"], environment),
            "auth_token": resolve(channel["auth_token"], environment),
            "messaging_service_sid": resolve(channel.get("messaging_service_sid"), environment),
            "numbers": {kind: resolve(one["number"], environment)
                        for kind, one in channels.items()},
        })
    return tenants, environment
