"""What ./run shows of a reception, played against a running installation: with stand-ins whose script
is known and which are killed, and as with a real model, of which nothing can be demanded. What the
checks call wrong is tests/unit/deploy/local/judge_test.py's."""

from harness.deskctl import good
from mail import MailServers
from mail_story import Mails
from procs import wait_for
from stories import CLINIC, Scene, Stage, give_chains, play_one, show_records

SHARE = True
DEADLINE_S = 240

# A turn waits for a provider that is left alone; a dead engine is followed when its part of the calls has
# another reader, as in production.
CONFIG = {"engine": {"turn_deadline_ms": 30000, "worker_lease_ms": 4000, "adopt_every_ms": 500}}


class Shown:
    """What the stage said, with the titles of its steps."""

    def __init__(self):
        self.lines = []

    def step(self, title, action):
        self.lines.append(title)
        return action()

    def text(self):
        return "\n".join(self.lines)


def perform(desk, files, providers):
    here, shown = desk.installation, Shown()
    scene = Scene(here.endpoints(), here.deskctl, files, providers, here.services["engine-1"])
    well = Stage(scene, shown.lines.append).show(shown.step)
    return well, shown.text()


def chains(desk):
    """(the tenant files, {tenant: its Providers}) of stand-ins that say what they are told to; once for a file."""
    desk.prepare()
    if not hasattr(desk, "chains"):
        here = desk.installation
        desk.chains = give_chains(here, here.tenant_files)
        good(desk, "tenant", "apply", *desk.chains[0], "--yes")
    return desk.chains


def test_all_stories(desk):
    files, providers = chains(desk)
    desk.start(engines=1, responders=1, config=CONFIG)
    well, text = perform(desk, files, providers)
    assert well and "PROBLEM" not in text and "left out" not in text, text
    for part in ("passage: dental.md", "Crown, porcelain", "tool book: booked", "time is taken",
                 "Reply OK", "is yours", "deskctl takeover", "kill -9", "gemini",
                 "This is recorded for our team", "conversation.replied by", "(cuts in)", "send_text ok",
                 "presses 1: the two are put through", "transfer_call ok", "engine-1 is in the middle",
                 "phone: {mode: webhook}", "My crown came off this morning. From The patient of Tuesday"):
        assert part in text, (part, text)
    for chain in providers.values():
        assert all(stand.alive() for stand in chain.stands), "a provider was left dead"


def test_as_with_a_real_model(desk):
    """Stories that need a script are left out and said to be; the others demand no wording."""
    desk.start(engines=1, responders=1, config=CONFIG)
    well, text = perform(desk, desk.installation.tenant_files, {})
    assert well, text
    assert text.count("left out: it needs the stand-in models") == 8, text
    assert "passage: dental.md" in text and "Reply OK" in text, text


def test_a_lie_is_found(desk):
    """A provider that answers, but not with what the desk knows, does not pass."""
    desk.start(engines=1, responders=1, config=CONFIG)
    here = desk.installation
    scene = Scene(here.endpoints(), here.deskctl, here.tenant_files, {})
    stage = Stage(scene, lambda _text: None)
    notes = stage.stories[0]
    notes.providers = Deaf()
    notes.play()
    assert any("the reply is not" in problem for problem in notes.problems), notes.problems


class Deaf:
    """Providers that take no script."""

    def script(self, *_rules, only=None):
        pass


def with_mail(desk, servers):
    """Services as ./run starts them, beside these servers."""
    def keys_of(kind):
        given = servers.config_of(kind, desk.installation.keys)
        return {**CONFIG.get(kind, {}), **{key: value if isinstance(value, int) else str(value)
                                           for key, value in given.items()}}
    servers.start()
    servers.add_mailbox(desk.installation)
    desk.start(engines=1, responders=1, config={kind: keys_of(kind) for kind in ("engine", "responder")})
    desk.add("mailpoller", 1, {"mailpoller": keys_of("mailpoller")}).wait_ready()


def test_mails_of_somebody_who_phoned_and_texted(desk):
    """The last story of ./run: a call, a text and mails of one person are one conversation; the follow-up, in which his
    program quotes our mail, is answered in the same thread; the program that says he is away gets no answer."""
    files, providers = chains(desk)
    here, shown = desk.installation, []
    servers = MailServers(desk.folder.parent / f"{desk.folder.name}-mail")
    try:
        with_mail(desk, servers)
        scene = Scene(here.endpoints(), here.deskctl, files, providers, here.services["engine-1"])
        story = Mails(scene, CLINIC, shown.append, servers)
        play_one(story)
        problems = story.problems + show_records(scene, [story], shown.append)
        text = "\n".join(shown)
        assert not problems, (problems, text)
        first, second = servers.sent_to(story.address)
        wait_for(lambda: servers.copies() == 2, 30, "the copies of what was sent")
    finally:
        desk.stop()
        servers.stop()
    assert "recorded: the automatic reply: ended (auto_reply)" in text and "2 mails sent" in text, text
    assert second["References"].split()[:2] == [first["In-Reply-To"], first["Message-ID"]], second["References"]
    record = text.partition("$ deskctl conversation show")[2]
    for part in ("I have just phoned you", "And can I pay in two parts?", "Without interest?", "I am away until Monday."):
        assert record.count(part) == 1, (part, record)
