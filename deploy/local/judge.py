"""What ./run's stories must have left behind, read from what `deskctl` tells. Each function returns
problems, sentences; none: all is well. Pure: JSON in, texts out.
"""

import json


def words_of(entry):
    """The text of a message that the Twilio stand-in accepted."""
    return entry["params"].get("Body", "")


def author_of(message):
    """Who speaks: "model", "reception" (a turn without a model's answer), "operator" or "system"."""
    turn = message["turn"]
    if not turn:  # a text that a turn has sent beside its reply is the model's as well
        return "model" if message["author"] == "ai" else message["author"]
    answered = turn["calls"] and turn["calls"][-1]["outcome"] == "answered"
    return "model" if turn["outcome"] == "reply" and answered else "reception"


def told_once(address, entries, count):
    """So many messages went to the address, and no text twice."""
    bodies = [words_of(entry) for entry in entries]
    problems = []
    if len(bodies) != count:
        problems.append(f"{address} got {len(bodies)} messages, not {count}")
    twice = [body for body in dict.fromkeys(bodies) if bodies.count(body) > 1]
    return problems + [f"{address} was told twice: {body}" for body in twice]


def answered_from(message, document):
    """The turn of this reply knew passages of the document."""
    known = [passage["document"] for passage in message["turn"]["passages"] or []]
    return [] if document in known else [
        f"the reply knew no passage of {document} but {', '.join(known) or 'nothing'}"]


def says_exactly(entry, expected):
    """The reply ends with these words (a greeting may stand in front)."""
    body = words_of(entry)
    return [] if body.endswith(expected) else [f"the reply is not \"{expected}\" but \"{body}\""]


def tools_of(shown):
    """Every tool call of the conversation, in order; its result read, if it is JSON."""
    found = []
    for message in shown["messages"]:
        for tool in (message["turn"] or {}).get("tools", []):
            result = tool["result"]
            try:
                result = json.loads(result) if isinstance(result, str) else result
            except ValueError:
                result = {"text": result}
            found.append({**tool, "result": result or {}})
    return found


def bookings(shown):
    """What came of each call of `book`: "booked", or why not."""
    return [tool["result"].get("result", tool["outcome"]) for tool in tools_of(shown)
            if tool["name"] == "book"]


def one_of_two(first, second):
    """Of two conversations that wanted the same time one has it, and the other was refused it."""
    came = sorted(bookings(first) + bookings(second))
    if len(came) != 2 or "booked" not in came:
        return [f"two asked for one time, and the desk recorded: {'; '.join(came) or 'nothing'}"]
    other = came[1] if came[0] == "booked" else came[0]
    return [] if "taken" in other else [f"the second one was not refused but told: {other}"]


def escalated(shown, reasons):
    """(the newest escalation for one of the reasons or None, problems)."""
    found = [one for one in shown["escalations"] if one["reason"] in reasons]
    if not found:
        return None, [f"nobody was asked for a person ({' or '.join(reasons)})"]
    return found[-1], []


def accepted(escalation, name):
    """Somebody of the rota has it."""
    good = escalation["state"] == "accepted" and escalation["accepted_by"] == name
    return [] if good else [f"the escalation is {escalation['state']} by "
                            f"{escalation['accepted_by'] or 'nobody'}, not accepted by {name}"]


def by_the_next(message, dead, living):
    """Providers of the chain failed in this order, and the next one answered."""
    calls = [(call["provider"], call["outcome"]) for call in message["turn"]["calls"]]
    failed = list(dict.fromkeys(name for name, outcome in calls if outcome != "answered"))
    problems = [] if failed == dead else [
        f"the providers that failed are {', '.join(failed) or 'none'}, not {', '.join(dead)}"]
    if calls[-1:] != [(living, "answered")]:
        problems.append(f"it was not {living} that answered: {calls}")
    return problems


def all_away(message, providers):
    """Each provider was tried or left alone for failing, none answered, and the wording is the desk's own."""
    turn = message["turn"]
    answered = [call["provider"] for call in turn["calls"] if call["outcome"] == "answered"]
    strange = [call["provider"] for call in turn["calls"] if call["provider"] not in providers]
    problems = [f"{name} answered in the outage" for name in answered]
    problems += [f"{name} is none of the chain" for name in strange]
    if turn["outcome"] != "fallback":
        problems.append(f"the turn ended as {turn['outcome']}, not as fallback")
    return problems


def task_taken(shown, caller, summary, call_back):
    """One message for people, with exactly what the customer said."""
    tasks = [one for one in shown["escalations"] if one["reason"] == "message"]
    if len(tasks) != 1:
        return [f"{len(tasks)} tasks were recorded, not one"]
    wanted = {"caller": caller, "summary": summary, "call_back": call_back}
    return [f"the task's {name} is \"{tasks[0][name]}\", not \"{value}\""
            for name, value in wanted.items() if tasks[0][name] != value]


# ---- the questions that a record must answer

SPEAKERS = {"contact": "the customer", "model": "the assistant", "operator": "a person",
            "reception": "the reception without a model", "system": "the desk"}


def dollars(billionths):
    return f"${billionths // 10**9}.{billionths % 10**9 // 1000:06d}"


def headings(passages):
    """"dental.md: Prices, First visit": each document once, with the last headings of its passages."""
    found = {}
    for passage in passages:
        heading = (passage.get("heading") or "its beginning").rpartition(" > ")[2]
        found.setdefault(passage["document"], {})[heading] = True
    return "; ".join(f"{document}: {', '.join(known)}" for document, known in found.items())


def counted(texts):
    """"2 x this, 1 x that", in the order in which they came."""
    return ", ".join(f"{texts.count(one)} x {one}" for one in dict.fromkeys(texts))


def record(shown):
    """What a conversation's transcript answers, as {question: words}; "" where it tells nothing."""
    turns = [message["turn"] for message in shown["messages"]
             if message["direction"] == "out" and message["turn"]]
    calls = [call for turn in turns for call in turn["calls"]]
    costs = [call["cost"] for call in calls if call.get("cost") is not None]
    authors = [author_of(message) for message in shown["messages"]]
    return {
        "said": ", ".join(f"{authors.count(who)} by {SPEAKERS[who]}"
                          for who in dict.fromkeys(authors)),
        "channel": ", ".join(dict.fromkeys(f"{message['channel']} {message['number']}"
                                           for message in shown["messages"])),
        "knowledge": headings(passage for turn in turns for passage in turn["passages"] or []),
        "model": counted([f"{call['provider']} {call['model']} {call['outcome']}"
                          for call in calls]),
        "cost": f"some {dollars(sum(costs))}" if costs else "",
        "tools": "; ".join(f"{tool['name']} {tool['outcome']}" for tool in tools_of(shown)),
        "escalated": "; ".join(
            f"{one['reason']}, {one['state']}"
            + (f" by {one['accepted_by']}" if one["accepted_by"] else "")
            + f": {one.get('summary') or 'nothing said'}"
            for one in shown["escalations"]),
        "people": "; ".join(f"{deed['actor']} {deed['action']}" for deed in shown["people"]),
    }


def recorded(answers, wanted):
    """The record answers each question of `wanted`, {question: a word of the answer}."""
    return [f"the record does not tell \"{word}\" of {question}: \"{answers[question]}\""
            for question, word in wanted.items()
            if not answers[question] or word not in answers[question]]
