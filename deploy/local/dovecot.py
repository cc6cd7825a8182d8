"""Dovecot, a real IMAP server, for ./run and the tests: on loopback ports of its own, without root's rights, with a
certificate made on the spot and mailboxes that one may fill, look into and remake.
"""

import getpass
import grp
import imaplib
import os
import pwd
import secrets
import ssl
import tempfile
import time
from datetime import datetime, timezone
from email.message import EmailMessage
from email.utils import format_datetime

from procs import Child, free_port, give_file, own_dir, port_open, run_tool, server_user, wait_for

CONFIG = """base_dir = {sockets}
state_dir = {folder}/state
log_path = /dev/stderr
log_debug = category=none
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
ssl = required
ssl_cert = <{folder}/tls/server.crt
ssl_key = <{folder}/tls/server.key
ssl_min_protocol = TLSv1.2
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
imap_idle_notify_interval = 5 mins
mail_max_userip_connections = 100
{many}{tokens}{asked}passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  mailbox Gesendet {{
    special_use = \\Sent
    auto = create
  }}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
"""


TOKENS = """passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
"""

# Its login processes otherwise hold one connection each, and there are 100 of them.
MANY = """default_client_limit = {clients}
default_process_limit = {clients}
service imap {{
  process_limit = {clients}
}}
service imap-login {{
  service_count = 0
}}
"""
SPARE_USERS = 100

ASKED = """service auth {{
  unix_listener {asked} {{
    mode = 0666
  }}
}}
"""

# It asks for each token, whether it still is good and whose it is.
OAUTH2 = """introspection_url = {url}/introspect
introspection_mode = post
username_attribute = username
active_attribute = active
active_value = true
"""


class Dovecot:
    """`mechanisms`: ways to log in that it offers, "plain login" or less. `tokens`: URL of the stand-in
    whose access tokens it takes (tests/harness/oauth.py), by XOAUTH2. `clients`: at once, if more than 100.
    `asked`: with a socket, whose path it then is, where a server that sends mail asks it about passwords."""

    def __init__(self, folder, mechanisms="plain login", tokens=None, clients=0, asked=False):
        self.user = server_user("dovecot")
        self.folder = own_dir(folder, self.user, 0o711)
        self.port, self.tls_port = free_port(), free_port()
        self.mechanisms = mechanisms + (" xoauth2" if tokens else "")
        self.tokens, self.clients = tokens, clients
        self.users = {}
        self.spare = []  # of them, nobody's yet
        self.config = self.folder / "dovecot.conf"
        # A socket's path has at most 107 bytes, and Dovecot makes folders below.
        self.sockets = tempfile.TemporaryDirectory(prefix="dovecot-")
        self.asked = asked and f"{self.sockets.name}/asked"
        self.child = Child("dovecot", ["/usr/sbin/dovecot", "-F", "-c", self.config],
                           self.folder / "dovecot.log", user=self.user)

    @property
    def ca_file(self):
        """What signs the certificate of "localhost"."""
        return self.folder / "tls" / "ca.crt"

    def _names(self):
        if self.user:
            entry = pwd.getpwnam(self.user)
            return self.user, grp.getgrgid(entry.pw_gid).gr_name
        return getpass.getuser(), grp.getgrgid(os.getegid()).gr_name

    def _make_certificates(self):
        tls = own_dir(self.folder / "tls", mode=0o711)
        keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        hint = "openssl(1) must be there"
        run_tool(["openssl", "req", "-x509", *keys, "-keyout", tls / "ca.key", "-out", tls / "ca.crt",
                  "-subj", "/CN=Test CA"], "a CA's certificate", hint)
        run_tool(["openssl", "req", *keys, "-keyout", tls / "server.key", "-out",
                  tls / "server.csr", "-subj", "/CN=localhost"], "a certificate's request", hint)
        names = give_file(tls / "names", "subjectAltName=DNS:localhost\n")
        run_tool(["openssl", "x509", "-req", "-in", tls / "server.csr", "-CA", tls / "ca.crt",
                  "-CAkey", tls / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", names,
                  "-out", tls / "server.crt"], "a certificate", hint)
        for name in ("ca.crt", "server.crt"):
            os.chmod(tls / name, 0o644)
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(tls / "server.key", entry.pw_uid, entry.pw_gid)

    def start(self):
        user, group = self._names()
        if not self.config.exists():
            self._make_certificates()
            own_dir(self.sockets.name, self.user, 0o755)
            for name in ("state", "mail"):
                own_dir(self.folder / name, self.user, 0o755)
            give_file(self.config, CONFIG.format(
                folder=self.folder, sockets=self.sockets.name, user=user, group=group, port=self.port,
                tls_port=self.tls_port, mechanisms=self.mechanisms,
                many=MANY.format(clients=self.clients) if self.clients else "",
                tokens=TOKENS.format(folder=self.folder) if self.tokens else "",
                asked=ASKED.format(asked=self.asked) if self.asked else ""), self.user)
            if self.tokens:
                give_file(self.folder / "oauth2.conf", OAUTH2.format(url=self.tokens), self.user)
            self._write_users()
        self.child.start()
        self.child.wait_ready(lambda: port_open(self.tls_port), 20, "Is a port taken?")
        return self

    def stop(self):
        return self.child.stop(5)

    def kill(self):
        """Ends it with all its connections, as a machine that goes."""
        self.child.stop(5)

    def _write_users(self):
        lines = [f"{name}:{{PLAIN}}{password}::::::\n" for name, password in self.users.items()]
        give_file(self.folder / "users", "".join(lines), self.user)

    # Mailboxes

    def add_user(self, name=None):
        """A user with an empty mailbox; returns (name, password). Dovecot looks at its users once a second: those whose
        name does not matter are made ahead, many at once."""
        if name is None and not self.spare:
            self.spare = [f"box{secrets.token_hex(4)}" for _ in range(SPARE_USERS)]
            self._let_in(self.spare)
        elif name is not None:
            self._let_in([name])
        name = name or self.spare.pop()
        return name, self.users[name]

    def _let_in(self, names):
        for name in names:
            self.users[name] = secrets.token_hex(12)
        self._write_users()
        if self.child.alive():
            wait_for(lambda: self._lets_in(names[-1]), 20, "Dovecot, which looks at its users once a second")

    def _lets_in(self, name):
        try:
            self.connect(name).logout()
        except imaplib.IMAP4.error:
            return False
        return True

    def connect(self, name):
        """A client of another make (imaplib), logged in."""
        context = ssl.create_default_context(cafile=self.ca_file)
        client = imaplib.IMAP4_SSL("localhost", self.tls_port, ssl_context=context, timeout=20)
        client.login(name, self.users[name])
        return client

    def deliver(self, name, *mails, folder="INBOX", when=None):
        """Puts mails (bytes) into a mailbox; `when`: their INTERNALDATE as seconds, default now."""
        client = self.connect(name)
        try:
            for mail in mails:
                date = imaplib.Time2Internaldate(time.time() if when is None else when)
                status, said = client.append(folder, None, date, mail)
                assert status == "OK", said
        finally:
            client.logout()

    def mails(self, name, folder="INBOX"):
        """The bytes of what is in a mailbox, as it came in."""
        client = self.connect(name)
        try:
            client.select(folder, readonly=True)
            _, answer = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
            return [part[1] for part in answer if isinstance(part, tuple)]
        finally:
            client.logout()

    def fill(self, name, count, age_s=30 * 86400):
        """So many old mails at once, before anybody has looked into the mailbox."""
        base = own_dir(self.folder / "mail" / name, self.user, 0o700)
        for part in ("cur", "new", "tmp"):
            own_dir(base / part, self.user, 0o700)
        then = int(time.time() - age_s)
        for number in range(count):
            path = give_file(base / "cur" / f"{then + number}.{number}.old:2,S",
                             mail(f"old {number}", f"an old mail, {number}").decode(), self.user)
            os.utime(path, (then + number, then + number))

    def status(self, name, folder="INBOX"):
        """{"MESSAGES": n, "UIDNEXT": n, "UIDVALIDITY": n, "UNSEEN": n}."""
        client = self.connect(name)
        try:
            _, answer = client.status(folder, "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")
            words = answer[0].decode().rpartition("(")[2].rstrip(")").split()
            return dict(zip(words[::2], map(int, words[1::2])))
        finally:
            client.logout()

    def expunge(self, name, uid, folder="INBOX"):
        client = self.connect(name)
        try:
            client.select(folder)
            client.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Deleted)")
            client.expunge()
        finally:
            client.logout()

    def renumber(self, name, folder="INBOX", fresh=None):
        """Gives the mailbox another UIDVALIDITY (or this one), as after a restore or a move; returns it."""
        fresh = fresh or self.status(name, folder)["UIDVALIDITY"] + 1
        run_tool(["/usr/bin/doveadm", "-c", self.config, "mailbox", "update", "-u", name,
                  "--uid-validity", str(fresh), folder], "doveadm mailbox update",
                 "dovecot must run", user=self.user)
        return fresh


def mail(subject, text, sender="Ann <ann@customer.example>", to="desk@clinic.example",
         message_id=None, **headers):
    """A plain mail as bytes with CRLF; headers by name with _ for -, None for none. Written now unless Date says more."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = to
    made["Subject"] = subject
    made["Message-ID"] = message_id or f"<{secrets.token_hex(8)}@customer.example>"
    for name, value in {"Date": format_datetime(datetime.now(timezone.utc)), **headers}.items():
        if value is not None:
            made[name.replace("_", "-")] = value
    made.set_content(text)
    return made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
