"""The example businesses of deploy/tenants as ./run and the tests need them.

Tenant files name secrets as env:NAME or file:PATH only. What nobody has set in the environment is
made up here, so that the example works as it lies there.
"""

import os
import re
import secrets
from pathlib import Path

import yaml

from procs import Failure

REFERENCE = re.compile(r"^env:([A-Za-z_][A-Za-z0-9_]*)$")


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


def environment_for(documents):
    """Values for every env:NAME of the documents: the caller's own, else made up."""
    names = {match.group(1) for document in documents for _, value in walk(document)
             if isinstance(value, str) and (match := REFERENCE.match(value))}
    return {name: os.environ.get(name) or secrets.token_hex(16) for name in sorted(names)}


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


def sms_channel(document, path):
    for channel in document.get("channels") or []:
        if channel.get("kind") == "sms":
            return channel
    raise Failure(f"{path} has no channel of kind sms")


def load_tenants(files, installation):
    """([entry of endpoints.json], {environment variable: secret}) of the tenant files."""
    documents = [yaml.safe_load(Path(path).read_text()) for path in files]
    if not documents:
        raise Failure("deploy/tenants holds no tenant file")
    environment = environment_for(documents)
    tenants = []
    for path, document in zip(files, documents):
        channel = sms_channel(document, path)
        tenants.append({
            "name": document["name"],
            "account_sid": resolve(channel["account_sid"], environment),
            "auth_token": resolve(channel["auth_token"], environment),
            "numbers": {"sms": channel["address"]},
        })
    return tenants, environment
