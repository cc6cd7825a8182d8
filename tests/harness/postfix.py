"""Postfix, a real mail server, for tests: an instance of its own beside a Dovecot, which knows the passwords and shows
what Postfix puts into its mailboxes. Who logs in, behind STARTTLS or with TLS from the first byte, may send to everybody;
who does not may nothing. Its master needs root (why_not): where it cannot run there is smtp-sink (harness/smtp.py).
"""

import os
import pwd
import smtplib
import ssl

from procs import Child, free_port, give_file, own_dir, port_open, wait_for

MASTER = "/usr/lib/postfix/sbin/master"
# The master takes another user for a while, by which the kernel forgets to tell it of its parent's death: a shell that
# does not is told, and ends it; as its last act it ends all that it started.
WARDEN = "trap 'kill $!' TERM; \"$@\" & wait; wait"
USER = "postfix"
HOST = "mx.clinic.example"
DOMAINS = "clinic.example", "customer.example"

# A mail that cannot be delivered for now comes back after seconds and not after days.
SETTINGS = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = /dev/stdout
myhostname = {host}
mydestination =
mynetworks =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
biff = no
notify_classes =
in_flow_delay = 0
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
maximal_queue_lifetime = 3s
recipient_delimiter = +

smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {tls}/server.crt
smtpd_tls_key_file = {tls}/server.key
smtpd_tls_received_header = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {asked}
smtpd_sasl_authenticated_header = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject

transport_maps = texthash:{folder}/transports
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_mailbox_base = {mail}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""

SERVICES = """postlog unix-dgram n - n - 1 postlogd
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
"""

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "pid", "private",
          "public", "saved", "trace")


def why_not():
    """Why it cannot run here; None if it can."""
    return None if os.geteuid() == 0 else "Postfix' master runs as root only"


class Postfix:
    """In front of a Dovecot that has `asked`: who is its user when this one starts has a mailbox in each of DOMAINS.
    `relays`: {domain: port} of servers that take, or refuse, what goes to others."""

    def __init__(self, folder, dovecot, relays):
        self.folder = own_dir(folder, mode=0o711)
        self.port, self.tls_port = free_port(), free_port()
        self.dovecot, self.relays = dovecot, relays
        self.child = Child("postfix", ["sh", "-c", WARDEN, "warden", MASTER, "-c", self.folder / "conf", "-s"],
                           self.folder / "log", death_signal="TERM")

    def start(self):
        self._make_folders()
        owner = pwd.getpwnam(self.dovecot.user)
        files = {
            "conf/main.cf": SETTINGS.format(
                folder=self.folder, host=HOST, tls=self.dovecot.ca_file.parent, asked=self.dovecot.asked,
                domains=" ".join(DOMAINS), mail=self.dovecot.folder / "mail", uid=owner.pw_uid, gid=owner.pw_gid),
            "conf/master.cf": SERVICES.format(port=self.port, tls_port=self.tls_port),
            "transports": "".join(f"{domain} smtp:[127.0.0.1]:{port}\n" for domain, port in self.relays.items()),
            "mailboxes": "".join(f"{name}@{domain} {name}/\n" for name in self.dovecot.users for domain in DOMAINS),
        }
        for name, text in files.items():
            give_file(self.folder / name, text, mode=0o644)
        self.child.start()
        self.child.wait_ready(lambda: port_open(self.port), 20, "Is postfix installed?")
        return self

    def _make_folders(self):
        for path in (self.folder / "conf", self.folder / "queue"):
            own_dir(path, mode=0o755)
        for path in (self.folder / "data", *(self.folder / "queue" / name for name in QUEUES)):
            own_dir(path, USER)

    def stop(self):
        """What it has not delivered stays in its queue."""
        self.child.stop()
        wait_for(lambda: not port_open(self.port), 10, "the end of all processes of Postfix")

    def submit(self, user, mail):
        """A client of another make (smtplib) logs in as a user of the Dovecot and hands over a mail."""
        context = ssl.create_default_context(cafile=self.dovecot.ca_file)
        with smtplib.SMTP("localhost", self.port, timeout=20) as client:
            client.starttls(context=context)
            client.login(user, self.dovecot.users[user])
            client.send_message(mail)
