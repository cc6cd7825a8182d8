"""A way to Dovecot on which it withholds what it is told to: it lists mails and does not tell of them, refuses, ends the
session or falls silent, as a server with a broken index does. Dovecot itself cannot be brought to that.
"""

import asyncio
import re
import ssl
import threading

from mailing import Mailbox, mail, pollers, server

LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
TOLD = re.compile(rb"\* \d+ FETCH \(.*?\bUID (\d+)", re.DOTALL)
LINE_MAX = 1 << 20

__all__ = ["PATIENCE", "QUICK", "SILENCE", "Withholder", "asks_for", "failures", "looks", "mails", "several", "waiting"]

QUICK = {"retry_ms": 20, "retry_max_ms": 20, "adopt_every_ms": 50}
PATIENCE = {"command_timeout_ms": 1500}  # where silence is waited for: a busy machine's Dovecot takes some 100 ms

SILENCE = ""  # nothing is answered
CLOSED = "closed"  # the connection ends without a word


def looks(command):
    """True for the command that asks for sizes and dates."""
    return "RFC822.SIZE" in command


def mails(command):
    """True for the one that asks for mails."""
    return "BODY.PEEK[" in command


def several(command):
    """True if a command asks for more than one mail."""
    return any(between in command.split()[2] for between in ":,")


def asks_for(command, uid):
    """True for a command that asks for this mail, alone or among others."""
    if not looks(command) and not mails(command):
        return False
    ranges = [part.split(":") for part in command.split()[2].split(",")]
    return any(int(ends[0]) <= uid <= int(ends[-1]) for ends in ranges)


def apart(line):
    """A command for several mails that follow each other, as one for the first of them and one for the others."""
    tag, uid, fetch, which, what = line.split(b" ", 4)
    first, last = which.split(b":")
    return (b" ".join((tag, uid, fetch, first, what)),
            b" ".join((tag, uid, fetch, b"%d:%s" % (int(first) + 1, last), what)))


class Withholder:
    """On `port`, with Dovecot's own certificate. What it tells of a mail in answer to a command is left out if
    hide(command, uid) says so; `hidden` are those (command, uid) in order, `asked` all commands, without their tags.
    instead(command) is what is answered instead of asking Dovecot ("NO ..." of the command; "* BYE ...", which ends the
    session; SILENCE; CLOSED), None: nothing; `meddled` are those commands. change(command, response) is what becomes of a response.
    Of the first one for which halfway(command, response) is true the half is sent; `held` is set then, and the rest follows
    when `let_go` is. Of the first command for several mails Dovecot is asked for the first one, then between() is called,
    and then it is asked for the others, in the same session; who asked sees one command. `most` is how many connections there
    were at once."""

    def __init__(self, dovecot, hide=lambda command, uid: False, instead=lambda command: None,
                 change=lambda command, response: response, halfway=lambda command, response: False, between=None):
        self.dovecot, self.hide, self.instead, self.change = dovecot, hide, instead, change
        self.halfway, self.between = halfway, between
        self.held, self.let_go = threading.Event(), threading.Event()
        self.hidden, self.asked, self.meddled = [], [], []
        self.open = self.most = 0
        self.near = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls = dovecot.folder / "tls"
        self.near.load_cert_chain(tls / "server.crt", tls / "server.key")
        self.far = ssl.create_default_context(cafile=dovecot.ca_file)
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.carry, "127.0.0.1", 0, ssl=self.near, limit=LINE_MAX))
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    async def carry(self, reader, writer):
        """A connection, until one of both ends it."""
        self.open += 1
        self.most = max(self.most, self.open)
        command = ["", None]  # the last one, and what else Dovecot is asked; a client that waits for its answer asks nothing else
        far_reader, far_writer = await asyncio.open_connection(
            "127.0.0.1", self.dovecot.tls_port, ssl=self.far, server_hostname="localhost", limit=LINE_MAX)
        ways = [asyncio.ensure_future(self.ask(reader, writer, far_writer, command)),
                asyncio.ensure_future(self.answer(far_reader, writer, far_writer, command))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self.open -= 1
        for end in (writer, far_writer):
            end.close()

    async def ask(self, reader, writer, far_writer, command):
        while line := await reader.readline():
            tag, _, command[0] = line.decode("utf-8", "replace").strip().partition(" ")
            self.asked.append(command[0])
            answer = self.instead(command[0])
            if answer is None:
                if self.between and mails(command[0]) and several(command[0]):
                    line, command[1] = apart(line)
                far_writer.write(line)
                await far_writer.drain()
                continue
            self.meddled.append(command[0])
            if answer == CLOSED:
                return
            if answer != SILENCE:
                writer.write((answer if answer[0] == "*" else f"{tag} {answer}").encode() + b"\r\n")
                await writer.drain()
            if answer.startswith("* BYE"):
                return

    async def answer(self, reader, writer, far_writer, command):
        while response := await self.response(reader):
            if command[1] and not response.startswith(b"*"):
                self.between()
                self.between = None
                far_writer.write(command[1])
                command[1] = None
                continue
            told = TOLD.match(response)
            if told and self.hide(command[0], int(told[1])):
                self.hidden.append((command[0], int(told[1])))
                continue
            response = self.change(command[0], response)
            if not self.held.is_set() and self.halfway(command[0], response):
                response = await self.send_half(response, writer)
            writer.write(response)
            await writer.drain()

    async def send_half(self, response, writer):
        """Returns the rest when its time has come."""
        half = len(response) // 2
        writer.write(response[:half])
        await writer.drain()
        self.held.set()
        while not self.let_go.is_set():
            await asyncio.sleep(0.02)
        return response[half:]

    @staticmethod
    async def response(reader):
        """A whole one, with its literals."""
        whole = b""
        while line := await reader.readline():
            whole += line
            literal = LITERAL.search(line)
            if literal is None:
                break
            whole += await reader.readexactly(int(literal[1]))
        return whole

    async def end(self):
        self.server.close()
        ways = asyncio.all_tasks() - {asyncio.current_task()}
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    def stop(self):
        asyncio.run_coroutine_threadsafe(self.end(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)
        self.loop.close()


def waiting(desk, *subjects, config=QUICK, **meddling):
    """A mailbox behind a server that meddles, with mails that a mailpoller finds together when it starts."""
    pollers(desk, **config)
    way = Withholder(server(desk), **meddling)
    mailbox = Mailbox(desk, port=way.port)
    mailbox.wait_cursor(0)
    desk.terminate("mailpoller-1")
    mailbox.deliver(*(mail(subject, "text") for subject in subjects))
    pollers(desk, **config)
    return mailbox, way


def failures(desk, mailbox):
    """The codes of the failures that the mailpoller told of the mailbox."""
    return [line["err"]["code"] for line in desk.log("mailpoller-1")
            if line["event"] == "mailbox.failed" and line["mailbox"] == mailbox.id]
