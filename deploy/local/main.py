"""./run: builds, starts and shows all of Frontdesk on this machine.

  ./run                        build, start, show a reception at work, keep running until Ctrl-C
  ./run --once                 show it, check it, stop; exit code 0 only if all went well
                               (stand-ins only: texts of a real Twilio cannot be checked)
  ./run --keep                 keep database, Kafka and keys of the last run
  ./run --build-only           packages and programs, nothing is started
  ./run send TENANT FROM TEXT  one more text to the ./run that is up

Without any of these variables stand-ins answer:

  OPENAI_API_KEY, GEMINI_API_KEY, DEEPSEEK_API_KEY, GROQ_API_KEY, MISTRAL_API_KEY, XAI_API_KEY,
  ANTHROPIC_API_KEY      that vendor's model answers; several are a chain in this order. OPENAI_MODEL
                         names another of OpenAI's
  DESK_MODEL_URL         (FRONTDESK_MODEL_BASE_URL stands above it, OPENAI_BASE_URL below it) any
                         server that speaks Chat Completions answers, alone: vendors whose keys are
                         set beside it are not asked. OPENAI_MODEL names its model, OPENAI_API_KEY
                         is its key, if it wants one
  TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_NUMBER and FRONTDESK_PUBLIC_URL
                         real texts are received and sent

FRONTDESK_STATE and FRONTDESK_CACHE name other folders for state and downloads. README.md has more.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from procs import Failure, Deadline, give_file, own_dir, private_root, raise_file_limit
from tenants import VENDOR_KEYS, vendors_with_keys

SERVICES = ("ingress", "engine", "responder", "mailpoller")
CHECKOUT = Path(__file__).resolve().parents[2]
ENDPOINTS = CHECKOUT / ".run" / "endpoints.json"
TWILIO_SETTINGS = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_NUMBER",
                   "FRONTDESK_PUBLIC_URL")


class Usage(Failure):
    """Asked for what cannot be: exit code 2."""


class Ended(BaseException):
    """Ctrl-C or SIGTERM."""


def on_signal(_number, _frame):
    raise Ended()


def say(text):
    print(text, flush=True)


class Steps:
    """Numbered steps with the seconds each took; 1 was printed by the script before us."""

    def __init__(self):
        self.number = 1
        self.begin = time.monotonic()

    def step(self, name, action):
        self.number += 1
        begin = time.monotonic()
        say(f"{self.number}. {name}")
        result = action()
        say(f"   {time.monotonic() - begin:.1f} s")
        return result


MODEL_URLS = ("FRONTDESK_MODEL_BASE_URL", "DESK_MODEL_URL", "OPENAI_BASE_URL")
OPENAI_URL = "https://api.openai.com/v1"


def model_url():
    """(the variable that names a server of the caller's, its value), or (None, None)."""
    return next(((name, os.environ[name]) for name in MODEL_URLS if os.environ.get(name)), (None, None))


def keys_not_asked():
    """Vendors' keys that a server of the caller's stands above; OpenAI's is then that server's."""
    return [VENDOR_KEYS[vendor] for vendor in vendors_with_keys() if vendor != "openai"] \
        if model_url()[0] else []


def outside_settings():
    """What replaces the stand-ins, from the environment."""
    outside = {}
    base_url = model_url()[1]
    vendors = vendors_with_keys()
    if base_url or vendors:
        outside["model_base_url"] = base_url or OPENAI_URL
    if base_url and base_url.rstrip("/") != OPENAI_URL:
        outside["own_server"] = True
    if not base_url and vendors not in ([], ["openai"]):
        outside["vendors"] = vendors
    given = [name for name in TWILIO_SETTINGS if os.environ.get(name)]
    if os.environ.get("TWILIO_ACCOUNT_SID"):
        missing = [name for name in TWILIO_SETTINGS if name not in given]
        if missing:
            raise Failure(f"to use the real Twilio, set {', '.join(missing)} too (README.md)")
        outside["twilio_base_url"] = "https://api.twilio.com"
        outside["public_url"] = os.environ["FRONTDESK_PUBLIC_URL"]
    return outside


class Run:
    def __init__(self, given):
        self.given = given
        self.steps = Steps()
        self.outside = outside_settings()
        self.servers = self.installation = self.mail = None
        self.providers = {}

    def state(self):
        """Our folder, empty unless --keep; only one ./run may have it."""
        from stack import state_root
        root = private_root(state_root())
        self.lock = open(root / "run.lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"another ./run has {root}; stop it, or set FRONTDESK_STATE") from None
        folder = root / "run"
        if not self.given.keep:
            shutil.rmtree(folder, ignore_errors=True)
        return own_dir(folder, mode=0o711)

    def say_who_answers(self):
        """Whoever set two things shall not wonder which of them counts."""
        ignored = keys_not_asked()
        if ignored:
            say(f"   {model_url()[0]} answers alone: {', '.join(ignored)} "
                f"{'is' if len(ignored) == 1 else 'are'} not used; unset it to have the vendor asked")

    def bring_up(self, bin_dir):
        from stack import Installation, Servers, fixed_ports
        folder = self.state()
        self.servers = Servers(folder / "servers", fixed_ports, say=lambda text: say("   " + text))
        self.steps.step("PostgreSQL, PgBouncer, Kafka", self.servers.start)
        here = self.installation = Installation(self.servers, folder / "desk", bin_dir, fixed_ports,
                                                outside=self.outside)
        self.steps.step("keys, schema, topics, tenants", self.set_up)
        self.steps.step("Dovecot, an SMTP server, a mailbox", self.start_mail)
        self.steps.step("ingress, engine, responder, mailpoller behind nginx", self.start_services)
        own_dir(ENDPOINTS.parent)
        give_file(ENDPOINTS, json.dumps(here.endpoints(), indent=2) + "\n")
        say(f"   addresses are in {ENDPOINTS.relative_to(CHECKOUT)}")

    def set_up(self):
        from stories import give_chains
        here = self.installation
        files = sorted((CHECKOUT / "deploy" / "tenants").glob("*.yaml"))
        if "model_base_url" not in self.outside:
            files, self.providers = give_chains(here, files)
        here.load_tenants(files)
        here.start_stands()
        here.prepare()

    def start_mail(self):
        from mail import MailServers
        self.mail = MailServers(self.installation.folder.parent / "mail").start()
        self.mail.add_mailbox(self.installation)

    def start_services(self):
        here = self.installation
        here.start_edge()
        started = [here.add(kind, config=self.mail.config_of(kind, here.keys)) for kind in SERVICES]
        here.publish_directory()
        for service in started:
            service.wait_ready(60)

    def play(self):
        import stories
        from play import play
        here = self.installation
        if here.twilio is None:
            say(f"{self.steps.number + 1}. the real Twilio is set: text your number "
                f"{os.environ['TWILIO_NUMBER']} and watch `deskctl conversation list`")
            return True
        stage = stories.Stage(stories.Scene(here.endpoints(), here.deskctl, here.tenant_files,
                                            self.providers, here.services["engine-1"]), say)
        first = self.steps.step("a conversation",
                                lambda: play(here.endpoints(), here.deskctl,
                                             here.model is not None, bool(self.providers), say))
        stage.add_mail(self.mail)
        return stage.show(self.steps.step, first) and not first.problems

    def watch(self):
        """Runs until a signal; a service that ends by itself is said and started again."""
        tenant = self.installation.tenants[0]["name"]
        say(f"\nrunning. Send more:  ./run send {tenant} +15551230001 \"Are you open on Sunday?\"\n"
            f"look:                build/release/bin/deskctl conversation list\n"
            f"stop:                Ctrl-C")
        while True:
            for service in list(self.installation.services.values()):
                if not service.alive():
                    say(f"{service.name} ended; starting it again\n"
                        + service.child.complaint("ended", ""))
                    service.start()
            time.sleep(1)

    def stop(self):
        begin = time.monotonic()
        if self.installation:
            self.installation.stop()
        if self.mail:
            self.mail.stop()
        if self.servers:
            self.servers.stop()
        self.forget_endpoints()
        say(f"stopped in {time.monotonic() - begin:.1f} s")

    def forget_endpoints(self):
        """Removes the file if it is ours: another ./run of this checkout may have its own."""
        try:
            ours = json.loads(ENDPOINTS.read_text())["state"] == str(self.installation.folder)
        except (OSError, ValueError, KeyError, AttributeError):
            return
        if ours:
            ENDPOINTS.unlink(missing_ok=True)

    def main(self):
        if self.given.once and "twilio_base_url" in self.outside:
            raise Usage("--once checks what the Twilio stand-in sent; with TWILIO_ACCOUNT_SID set "
                        "there is none. Leave out --once, or unset it")
        self.say_who_answers()
        from build import PROGRAMS, build
        bin_dir = self.steps.step("build", lambda: build("release", PROGRAMS))
        if self.given.build_only:
            return 0
        try:
            self.bring_up(bin_dir)
            good = self.play()
            if not self.given.once:
                self.watch()
            return 0 if good else 1
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            self.stop()


def send(words):
    """./run send TENANT FROM TEXT"""
    import webhook
    from talk import sent_to
    from procs import wait_for
    if len(words) != 3:
        raise Failure("usage: ./run send TENANT FROM TEXT     (FROM like +15551230001)")
    name, from_, text = words
    if not ENDPOINTS.exists():
        raise Failure("no ./run is up (there is no .run/endpoints.json)")
    endpoints = json.loads(ENDPOINTS.read_text())
    fitting = [t for t in endpoints["tenants"] if name in t["name"]]
    if len(fitting) != 1:
        names = ", ".join(t["name"] for t in endpoints["tenants"])
        raise Failure(f"{name} names {len(fitting)} tenants; there are {names}")
    tenant = fitting[0]
    twilio = endpoints["twilio_stand_url"]
    try:
        before = len(sent_to(twilio, from_)) if twilio else 0
    except OSError:
        raise Failure("the ./run that .run/endpoints.json speaks of is gone; start it again") from None
    sid, answer = webhook.send_sms(tenant, endpoints["public_url"], from_, text,
                                   send_url=endpoints["ingress_url"])
    say(f"{sid}: webhook answered {answer.status} in {answer.seconds * 1000:.0f} ms")
    if answer.status != 200 or not twilio:
        return 0 if answer.status == 200 else 1
    try:
        entries = wait_for(lambda: sent_to(twilio, from_)[before:], 60, "a reply", 0.1)
    except Deadline:
        say("no reply within 60 s")
        return 1
    for entry in entries:
        say(f"{tenant['name']} < {entry['params'].get('Body', '')}")
    return 0


def arguments():
    parser = argparse.ArgumentParser(prog="./run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="play, check, stop")
    parser.add_argument("--keep", action="store_true", help="keep the data of the last run")
    parser.add_argument("--build-only", action="store_true", help="install and build only")
    return parser.parse_args()


def main():
    if sys.argv[1:2] == ["send"]:
        return send(sys.argv[2:])
    given = arguments()
    raise_file_limit()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        return Run(given).main()
    except Ended:
        return 0 if not given.once else 130


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as problem:
        print(f"\n{problem}", file=sys.stderr)
        sys.exit(2 if isinstance(problem, Usage) else 1)
