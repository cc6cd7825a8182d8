"""What all stories of ./run have: where they play, who takes part, and what was wrong."""

import json

import judge
from build import CHECKOUT
from talk import Talk
from tenants import read_document


class Scene:
    """Where the stories play. `providers`: {tenant: its Providers}, without those of real models;
    `engine`: the one that runs (service.py), which a story may kill."""

    def __init__(self, endpoints, deskctl, files, providers, engine=None):
        self.endpoints = endpoints
        self.deskctl = deskctl
        self.files = {read_document(path)["name"]: path for path in files}
        self.documents = {name: read_document(path) for name, path in self.files.items()}
        self.engine = engine
        self.tenants = {tenant["name"]: tenant for tenant in endpoints["tenants"]}
        self.providers = providers


class Story:
    """One story: its customers and what was wrong. `wanted`: [(Talk, what its conversation is about or
    None, messages that it must have got, what its record must tell)]."""

    title = ""
    by_script = False  # whether it needs models that say what they are told to

    def __init__(self, scene, tenant, say):
        self.scene = scene
        self.name = tenant
        self.tenant = scene.tenants.get(tenant)
        self.document = scene.documents.get(tenant)
        self.providers = scene.providers.get(tenant)
        self.say = say
        self.problems = []
        self.wanted = []

    def lacks(self):
        """What the story needs of the tenant file and does not find there; None: nothing."""
        return None

    def talk(self, address=None):
        talk = Talk(self.scene.endpoints, self.scene.deskctl, self.say, self.tenant, address)
        talk.problems = self.problems
        return talk

    def script(self, *rules):
        if self.providers:
            self.providers.script(*rules)

    def blame(self, problems):
        self.problems += problems

    def deskctl(self, *words):
        """Runs it, and shows the command and what it says it did."""
        shown = (str(word).removeprefix(f"{CHECKOUT}/") for word in words)
        self.say("  $ deskctl " + " ".join(f'"{word}"' if " " in word else word for word in shown))
        done = json.loads(self.scene.deskctl(*words, "--json"))
        for facts in done.get("documents", [done]):
            self.say("      " + ", ".join(f"{name} {value}" for name, value in facts.items()))

    def recorded(self, words):
        self.say(f"      recorded: {words}")

    def recorded_turn(self, message):
        """The models of the reply, what they cost and knew."""
        of_it = judge.record({"messages": [message], "escalations": [], "people": []})
        self.recorded("; ".join(filter(None, (of_it["model"], of_it["cost"], of_it["tools"]))))
