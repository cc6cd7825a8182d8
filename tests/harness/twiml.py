"""Judges a TwiML document by schema/twiml.json: elements, attributes, values, nesting, limits, and
what the format alone does not say (verbs that never run, a Gather that nothing follows).

    problems = twiml.problems_of(document)          # bytes; sentences, none: all is well

Words of the schema. Of an element: `children` (names), `children_min`, `children_max`, `text` (none:
no text), `needs_text_or` (text or that attribute), `needs_text_or_children`, `alone` (the only verb),
`ends` ("always", or "with_action": nothing behind it is run). Of a text or an attribute's value:
`required`, `values`, `list` (some of these, a space between), `pattern` (of all of it), `min` and `max`
(a whole number; `values` may name other words), `url` (schemes; absolute), `characters_max` (UTF-16
units), `characters_max_by_voice` (by the beginning of the voice's name), `encoded_max`
(percent-encoded), `entries_max` and `entry_characters_max` (of a list with commas). `default` is Twilio's,
for readers.
"""

import json
import re
import urllib.parse
import xml.etree.ElementTree as ET
from pathlib import Path

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "schema" / "twiml.json")
                    .read_text("utf-8"))
OF_ELEMENT = {"children", "children_min", "children_max", "text", "needs_text_or",
              "needs_text_or_children", "alone", "ends", "attributes"}
OF_VALUE = {"required", "values", "list", "pattern", "min", "max", "url", "characters_max",
            "characters_max_by_voice", "encoded_max", "entries_max", "entry_characters_max",
            "default"}
XML_NAMES = "{http://www.w3.org/XML/1998/namespace}"


def characters(text):
    """UTF-16 units: the larger of the ways to count."""
    return len(text.encode("utf-16-le")) // 2


def problems_of(document):
    """What is wrong with the document (bytes), one sentence each."""
    if len(document) > SCHEMA["bytes_max"]:
        return [f"{len(document)} bytes, {SCHEMA['bytes_max']} are allowed"]
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as problem:
        return [f"not UTF-8: {problem}"]
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return ["has a document type; TwiML has none"]
    try:
        root = ET.fromstring(document)
    except (ET.ParseError, ValueError, LookupError) as problem:
        return [f"not XML: {problem}"]
    if root.tag != SCHEMA["root"]:
        return [f"the root is <{root.tag}>, not <{SCHEMA['root']}>"]
    return [*_element(root, root.tag), *_flow(root)]


def fits_inline(document):
    """True if the document is short enough for the parameter Twiml of the REST interface."""
    return characters(document.decode("utf-8")) <= SCHEMA["inline_characters_max"]


# Elements

def _element(element, where):
    rules = SCHEMA["elements"][element.tag]
    found = [*_attributes(element, rules.get("attributes", {}), where), *_text(element, rules, where)]
    allowed = rules.get("children", ())
    for child in element:
        if child.tag in allowed:
            found += _element(child, f"{where}/{child.tag}")
        else:
            found.append(f"{where}: <{child.tag}> is not allowed in <{element.tag}>")
    low, high = rules.get("children_min", 0), rules.get("children_max", len(element))
    if not low <= len(element) <= high:
        found.append(f"{where}: {len(element)} elements in it, {low} to {high} are allowed")
    return found


def _attributes(element, rules, where):
    for name, value in element.attrib.items():
        name = name.replace(XML_NAMES, "xml:")
        if name not in rules:
            yield f"{where}: {name} is no attribute of <{element.tag}>"
        else:
            for problem in _value(value, rules[name]):
                yield f"{where}: {name}=\"{value:.60}\" {problem}"
    for name, rule in rules.items():
        if rule.get("required") and name.replace("xml:", XML_NAMES) not in element.attrib:
            yield f"{where}: {name} is missing"


def _text(element, rules, where):
    own = "".join([element.text or "", *(child.tail or "" for child in element)])
    if "text" not in rules:
        if own.strip():
            yield f"{where}: text \"{own.strip():.60}\" is not allowed in <{element.tag}>"
        return
    whole = "".join(element.itertext())
    if not whole.strip():
        other = rules.get("needs_text_or")
        if rules["text"].get("required") or (other and other not in element.attrib):
            yield f"{where}: has no text"
        if rules.get("needs_text_or_children") and not len(element):
            yield f"{where}: has neither text nor elements"
        return
    if rules.get("needs_text_or_children") and len(element) and own.strip():
        yield f"{where}: has both text and elements"
    elif not rules.get("needs_text_or_children") or not len(element):
        for problem in _value(whole, rules["text"], element.get("voice", "")):
            yield f"{where}: its text {problem}"


# Values

def _value(value, rule, voice=""):
    yield from _choice(value, rule)
    yield from _size(value, rule, voice)
    if "url" in rule:
        parts = urllib.parse.urlsplit(value)
        if parts.scheme not in rule["url"] or not parts.hostname or not re.fullmatch(r"[!-~]+", value):
            yield f"is no absolute URL of {' or '.join(rule['url'])}"
        if characters(value) > SCHEMA["url_characters_max"]:
            yield f"is longer than {SCHEMA['url_characters_max']} characters"


def _choice(value, rule):
    if "min" in rule:
        whole = re.fullmatch(r"[0-9]{1,9}", value)
        if value not in rule.get("values", ()) and not (
                whole and rule["min"] <= int(value) <= rule["max"]):
            yield f"is no whole number from {rule['min']} to {rule['max']}"
    elif "values" in rule and value not in rule["values"]:
        yield f"is none of {rule['values']}"
    if "list" in rule:
        words = value.split(" ")
        if len(set(words)) != len(words) or not set(words) <= set(rule["list"]):
            yield f"is no list of {rule['list']}"
    if "pattern" in rule and not re.fullmatch(rule["pattern"], value):
        yield f"does not match {rule['pattern']}"


def _size(value, rule, voice):
    most = rule.get("characters_max")
    by_voice = rule.get("characters_max_by_voice", {})
    for beginning in sorted(by_voice, key=len, reverse=True):
        if most is None and voice.startswith(beginning):
            most = by_voice[beginning]
    if most is not None and characters(value) > most:
        yield f"has {characters(value)} characters, {most} are allowed"
    encoded = len(urllib.parse.quote(value, safe=""))
    if encoded > rule.get("encoded_max", encoded):
        yield f"has {encoded} characters percent-encoded, {rule['encoded_max']} are allowed"
    if "entries_max" in rule:
        entries = value.split(",")
        if len(entries) > rule["entries_max"]:
            yield f"has {len(entries)} entries, {rule['entries_max']} are allowed"
        for entry in entries:
            if not entry.strip() or characters(entry) > rule["entry_characters_max"]:
                yield f"has an entry of {characters(entry)} characters: \"{entry:.20}\""


# What runs after what

def _flow(root):
    verbs = list(root)
    for verb, following in zip(verbs, verbs[1:]):
        ends = SCHEMA["elements"].get(verb.tag, {}).get("ends")
        if ends == "always" or (ends == "with_action" and "action" in verb.attrib):
            yield f"<{following.tag}> behind <{verb.tag}> never runs"
    for verb in verbs:
        if SCHEMA["elements"].get(verb.tag, {}).get("alone") and len(verbs) > 1:
            yield f"<{verb.tag}> must be the only verb"
        if verb.tag == "Gather" and verb.get("speechTimeout") == "auto" and "speechModel" in verb.attrib:
            yield "speechTimeout of a <Gather> with a speechModel must be a number"
        length = verb.get("maxLength", "")
        if verb.get("transcribe") == "true" and not (length.isdigit() and 2 <= int(length) <= 120):
            yield "maxLength of a transcribed <Record> must be 2 to 120"
    if verbs and verbs[-1].tag == "Gather" and verbs[-1].get("actionOnEmptyResult") != "true":
        yield "nothing follows the <Gather>, and its action is not asked for an empty result"


def schema_problems():
    """Words of the schema that this checker does not know, and names that it does not explain."""
    for name, rules in SCHEMA["elements"].items():
        for word in rules.keys() - OF_ELEMENT:
            yield f"{name}: {word} is not known"
        for child in rules.get("children", ()):
            if child not in SCHEMA["elements"]:
                yield f"{name}: there is no element {child}"
        values = {**rules.get("attributes", {}), "its text": rules.get("text", {})}
        for attribute, rule in values.items():
            for word in rule.keys() - OF_VALUE:
                yield f"{name} {attribute}: {word} is not known"
            if ("min" in rule) != ("max" in rule):
                yield f"{name} {attribute}: min and max belong together"
            re.compile(rule.get("pattern", ""))
