#!/usr/bin/env python3
"""An SMTP server that fails as it is told: what smtp-sink of Debian's postfix cannot do.

    faults.py --mails DIR --ca FILE [--die-with-parent] NAME=MODE[;RULE...] ...

Each argument is a server on a port of its own; once all listen, one line `listening NAME=PORT ...` is
printed. DIR gets each mail that a server took: NAME-1.eml with its bytes as they came, NAME-1.json with
envelope, user and what TLS said. FILE gets the certificate that signed the servers' own.

MODE: plain (no TLS at all), starttls (AUTH only behind it), tls (from the first byte).

RULE                     what it does
  STAGE=drop             closes the connection instead of answering
  STAGE=hang             answers nothing, and keeps the connection
  STAGE=slow:SECONDS     answers one byte each so many seconds
  STAGE=late:SECONDS     answers after so many seconds
  STAGE=CODE TEXT        answers so, and does nothing of it
  STAGE=ok               answers as usual, and counts as a time
  STAGE=wait             answers as usual when DIR/NAME.go is there
  dot=fly                closes the connection, and has the mail when DIR/NAME.land is there
  STAGE*N=...            N times only (greylisting); further rules of the stage come behind it
  tls=slow:SECONDS       instead of a handshake (starttls) a record of it that does not end, one byte each so many seconds
  wrongcert, expired     a certificate for another name, or of last year
  strip                  STARTTLS is not offered (somebody took it away)
  inject                 sends an answer in the clear behind the one to STARTTLS
  size:N                 offers SIZE N, and refuses larger mails with 552
  offer:WORD             a further line in the answer to EHLO
  user:NAME:SECRET       AUTH PLAIN and LOGIN take just these; XOAUTH2 takes SECRET as the token
  close                  closes after each mail, without a word
  bye                    says 421 right behind its yes to each mail, and to whatever comes then

STAGE: greet ehlo starttls auth mail rcpt rcpt2 (the second of a mail) data body (in the middle of the mail)
dot (the mail is read to its end; with drop, hang, late and wait it counts as taken).
"""

import argparse
import base64
import ctypes
import itertools
import json
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HOST = "127.0.0.1"


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def certificates(folder, ca_file):
    """A CA; then the files of three certificates: for localhost, for another name, and an old one."""
    key = folder / "key.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    openssl("req", "-x509", "-key", str(key), "-subj", "/CN=Stand-in CA", "-days", "2", "-out", ca_file,
            "-addext", "keyUsage=keyCertSign", "-addext", "basicConstraints=critical,CA:TRUE")
    request = folder / "request.pem"
    openssl("req", "-new", "-key", str(key), "-subj", "/CN=stand-in", "-out", str(request))
    files = {}
    for name, names, days in (("good", f"DNS:localhost,IP:{HOST}", "2"), ("wrongcert", "DNS:other.example", "2"),
                              ("expired", f"DNS:localhost,IP:{HOST}", "-1")):
        extension, certificate = folder / f"{name}.ext", folder / f"{name}.pem"
        extension.write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", str(request), "-CA", ca_file, "-CAkey", str(key), "-set_serial", "7",
                "-days", days, "-extfile", str(extension), "-out", str(certificate))
        files[name] = (str(certificate), str(key))
    return files


class Dropped(Exception):
    """The connection is over, by the peer's will or by a rule."""


class Server:
    """One port: its rules and the mails that it took."""

    def __init__(self, text, mails):
        self.name, _, rest = text.partition("=")
        self.mode, *words = rest.split(";")
        if self.mode not in ("plain", "starttls", "tls"):
            sys.exit(f"{text}: the mode is none of plain, starttls, tls")
        self.rules, self.flags, self.offers = {}, set(), []
        self.size, self.user, self.secret = 0, None, None
        self.mails, self.count, self.lock = mails, itertools.count(1), threading.Lock()
        for word in words:
            self.take(word)
        self.socket = socket.create_server((HOST, 0), backlog=100)
        self.port = self.socket.getsockname()[1]

    def take(self, word):
        key, _, value = word.partition("=")
        if value:
            stage, _, times = key.partition("*")
            self.rules.setdefault(stage, []).append([value, int(times or -1)])
        elif word.startswith("size:"):
            self.size = int(word[5:])
        elif word.startswith("offer:"):
            self.offers.append(word[6:])
        elif word.startswith("user:"):
            self.user, self.secret = word[5:].split(":", 1)
        else:
            self.flags.add(word)

    def rule(self, stage, count=True):
        """What to do there now, "" for the usual; counts as a time."""
        with self.lock:
            rule = next((rule for rule in self.rules.get(stage, ()) if rule[1] != 0), None)
            if rule is None:
                return ""
            rule[1] -= count
            return "" if rule[0] == "ok" else rule[0]

    def await_file(self, ending):
        while not (self.mails / f"{self.name}.{ending}").exists():
            time.sleep(0.02)

    def keep_landed(self, session, data):
        self.await_file("land")
        self.keep(session, data)

    def keep(self, session, data):
        with self.lock:
            number = next(self.count)
        path = self.mails / f"{self.name}-{number}"
        path.with_suffix(".eml").write_bytes(data)
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(session.about()))
        beside.rename(path.with_suffix(".json"))
        return number


class Session(threading.Thread):
    """One connection."""

    def __init__(self, server, connection, files, number):
        super().__init__(daemon=True)
        self.server, self.socket, self.number = server, connection, number
        flags = server.flags & {"wrongcert", "expired"}
        self.files = files[flags.pop() if flags else "good"]
        self.buffer, self.tls, self.sni, self.login, self.parted = b"", None, None, None, False
        self.hello, self.sender, self.recipients, self.rcpts = None, None, [], 0

    def about(self):
        return {"from": self.sender, "to": [to for to, _ in self.recipients], "login": self.login,
                "parameters": [words for _, words in self.recipients], "mail_parameters": self.mail_words,
                "tls": self.tls, "sni": self.sni, "hello": self.hello, "connection": self.number}

    def run(self):
        try:
            if self.server.mode == "tls":
                self.secure()
            self.answer("greet", "220 stand-in ESMTP")
            while self.command(self.line().decode("utf-8", "replace")):
                pass
        except (Dropped, OSError, ssl.SSLError):
            pass
        finally:
            self.socket.close()

    def secure(self):
        def keep_name(_socket, name, _context):
            self.sni = name
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files)
        context.sni_callback = keep_name
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.tls, self.buffer = self.socket.version(), b""

    # ---- bytes

    def fill(self):
        more = self.socket.recv(65536)
        if not more:
            raise Dropped
        self.buffer += more

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def answer(self, stage, text):
        """Answers so, or as a rule wants it; true if the answer was the usual one."""
        rule = self.server.rule(stage)
        if rule in ("drop", "fly"):
            raise Dropped
        if rule == "hang":
            threading.Event().wait()
        if rule == "wait":
            self.server.await_file("go")
            rule = ""
        pause = float(rule.split(":")[1]) if rule.startswith(("slow:", "late:")) else 0
        usual = rule == "" or pause > 0
        raw = ((text if usual else rule) + "\r\n").encode()
        if rule.startswith("late:"):
            time.sleep(pause)
        for piece in [raw[i:i + 1] for i in range(len(raw))] if rule.startswith("slow:") else [raw]:
            self.socket.sendall(piece)
            time.sleep(pause if rule.startswith("slow:") else 0)
        return usual

    # ---- commands

    def command(self, line):
        verb, _, rest = line.partition(" ")
        method = {"EHLO": self.ehlo, "HELO": self.helo, "STARTTLS": self.starttls, "AUTH": self.auth,
                  "MAIL": self.mail, "RCPT": self.rcpt, "DATA": self.data}.get(verb.upper())
        if verb.upper() == "QUIT":
            self.answer("quit", "221 2.0.0 bye")
            return False
        if self.parted:
            self.answer("parted", "421 4.4.2 closing")
        elif method is None:
            self.answer("other", "250 2.0.0 ok" if verb.upper() in ("RSET", "NOOP") else "500 5.5.1 what?")
        else:
            method(rest)
        return True

    def helo(self, rest):
        self.hello = rest
        self.answer("helo", "250 stand-in")

    def ehlo(self, rest):
        self.hello = rest
        lines = ["stand-in", "PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", *self.server.offers]
        if self.server.mode == "starttls" and not self.tls and "strip" not in self.server.flags:
            lines.append("STARTTLS")
        if self.server.user and (self.tls or self.server.mode == "plain"):
            lines.append("AUTH PLAIN LOGIN XOAUTH2")
        if self.server.size:
            lines.append(f"SIZE {self.server.size}")
        self.answer("ehlo", "\r\n".join(f"250{'-' if i + 1 < len(lines) else ' '}{text}"
                                        for i, text in enumerate(lines)))

    def starttls(self, _rest):
        text = "220 2.0.0 go ahead"
        if "inject" in self.server.flags:
            text += "\r\n250-stand-in\r\n250 HELP"
        if self.answer("starttls", text):
            self.drip() if self.server.rule("tls") else self.secure()

    def drip(self):
        """The head of a record (RFC 8446 5.1), and then nothing of use."""
        pause = float(self.server.rule("tls").split(":")[1])
        for byte in itertools.chain(b"\x16\x03\x03\x40\x00", itertools.repeat(0)):
            self.socket.sendall(bytes([byte]))
            time.sleep(pause)

    def auth(self, rest):
        words = rest.split(" ")
        kind = words[0].upper()
        if kind == "LOGIN":
            user = base64.b64decode(words[1] if len(words) > 1 else self.ask("VXNlcm5hbWU6"))
            secret = base64.b64decode(self.ask("UGFzc3dvcmQ6"))
        else:
            raw = base64.b64decode(words[1] if len(words) > 1 else self.ask(""))
            if kind == "PLAIN":
                _, user, secret = raw.split(b"\0")
            else:
                user, secret = (part.partition(b"=")[2] for part in raw.split(b"\1")[:2])
                secret = secret.removeprefix(b"Bearer ")
        good = (user.decode(), secret.decode()) == (self.server.user, self.server.secret)
        if not good and kind == "XOAUTH2":
            self.ask(base64.b64encode(b'{"status":"401"}').decode())
        echo = f"535 5.7.8 no: {user.decode()} {secret.decode()}"
        if self.answer("auth", "235 2.7.0 welcome" if good else echo) and good:
            self.login = [kind, user.decode()]

    def ask(self, challenge):
        self.socket.sendall(f"334 {challenge}\r\n".encode())
        return self.line()

    def mail(self, rest):
        self.mail_words = rest.partition(">")[2].split()
        size = [int(word[5:]) for word in self.mail_words if word.upper().startswith("SIZE=")]
        self.sender, self.recipients, self.rcpts = rest.partition("<")[2].partition(">")[0], [], 0
        if self.server.size and size and size[0] > self.server.size and "mail" not in self.server.rules:
            self.answer("mail", "552 5.3.4 too large")
        elif self.server.user and not self.login:
            self.answer("mail", "530 5.7.0 who are you?")
        else:
            self.answer("mail", "250 2.1.0 ok")

    def rcpt(self, rest):
        self.rcpts += 1
        address = rest.partition("<")[2].partition(">")[0]
        if self.answer("rcpt2" if self.rcpts == 2 else "rcpt", "250 2.1.5 ok"):
            self.recipients.append((address, rest.partition(">")[2].split()))

    def data(self, _rest):
        if not self.recipients:
            self.answer("nobody", "503 5.5.1 no recipients")
            return
        if not self.answer("data", "354 go on"):
            return
        if self.server.rule("body", count=False):
            self.fill()
            self.answer("body", "")
        while b"\r\n.\r\n" not in b"\r\n" + self.buffer:
            self.fill()
        raw, self.buffer = (b"\r\n" + self.buffer).split(b"\r\n.\r\n", 1)
        data = raw.replace(b"\r\n..", b"\r\n.")[2:] + b"\r\n"
        rule = self.server.rule("dot", count=False)
        if rule == "fly":
            threading.Thread(target=self.server.keep_landed, args=(self, data), daemon=True).start()
        taken = rule in ("", "drop", "hang", "wait") or rule.startswith(("late:", "slow:"))
        number = self.server.keep(self, data) if taken else 0
        self.parted = "bye" in self.server.flags
        self.answer("dot", f"250 2.0.0 queued as {number}" + ("\r\n421 4.4.2 closing" if self.parted else ""))
        if "close" in self.server.flags:
            raise Dropped


def serve(server, files):
    for number in itertools.count(1):
        connection, _ = server.socket.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Session(server, connection, files, number).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", required=True, type=Path)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--die-with-parent", action="store_true")
    parser.add_argument("servers", nargs="+")
    options = parser.parse_args()
    if options.die_with_parent:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    folder = tempfile.TemporaryDirectory()
    files = certificates(Path(folder.name), options.ca)
    servers = [Server(text, options.mails) for text in options.servers]
    for server in servers:
        threading.Thread(target=serve, args=(server, files), daemon=True).start()
    print("listening", *(f"{server.name}={server.port}" for server in servers), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
