"""The other side of streams, for stream_test.c: one listener a behaviour, under certificates made on
the spot. Prints "<behaviour> <port>" for each, "ca <file>", then "ready 0"; ends with its standard
input.
"""

import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory()


def certificate(name):
    base = Path(FOLDER.name) / name
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", f"{base}.key", "-out", f"{base}.crt", "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    return base


def context(base):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{base}.crt", f"{base}.key")
    return made


GOOD, OTHER = certificate("localhost"), certificate("mail.example")


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def tls(connection):
    echo(context(GOOD).wrap_socket(connection, server_side=True))


def wrong_name(connection):
    echo(context(OTHER).wrap_socket(connection, server_side=True))


def line_of(connection):
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1) or b"\n"
    return line.split()


def ask(connection, answers):
    """Answers commands by name until one has no answer."""
    while True:
        tag, name = (line_of(connection) + [b"", b""])[:2]
        if name not in answers:
            return tag
        for part in answers[name]:
            connection.sendall(part.replace(b"TAG", tag))
        if name == b"STARTTLS":
            return tag


def greeted(greeting, capability, consent):
    def serve(connection):
        connection.sendall(greeting)
        answers = {b"CAPABILITY": [b"* CAPABILITY " + capability + b"\r\n", b"TAG OK\r\n"],
                   b"STARTTLS": [consent]}
        ask(connection, answers)
        secure = context(GOOD).wrap_socket(connection, server_side=True)
        tag, _ = line_of(secure)
        secure.sendall(b"* CAPABILITY IMAP4rev1 AUTH=EXTERNAL AUTH=PLAIN\r\n" + tag + b" OK\r\n")
        echo(secure)
    return serve


def silent(connection):
    connection.recv(65536)  # a client's hello, perhaps
    threading.Event().wait()


def deaf(_connection):
    threading.Event().wait()


def burst(connection):
    secure = context(GOOD).wrap_socket(connection, server_side=True)
    for number in range(64):
        secure.sendall(bytes([number]) * 16384)
    secure.close()


HELLO = b"* OK ready\r\n"
BEHAVIOURS = {
    "echo": echo,
    "tls": tls,
    "wrong_name": wrong_name,
    "starttls": greeted(HELLO, b"IMAP4rev1 STARTTLS", b"TAG OK begin\r\n"),
    "no_starttls": greeted(HELLO, b"IMAP4rev1", b""),
    "refused_starttls": greeted(HELLO, b"IMAP4rev1 STARTTLS", b"TAG NO not now\r\n"),
    "injected": greeted(HELLO, b"IMAP4rev1 STARTTLS", b"TAG OK begin\r\n* OK hello\r\n"),
    "preauth": greeted(b"* PREAUTH welcome\r\n", b"IMAP4rev1 STARTTLS", b"TAG OK begin\r\n"),
    "silent": silent,
    "deaf": deaf,
    "burst": burst,
}


def serve(listener, behaviour):
    def guarded(connection):
        try:
            behaviour(connection)
        except (OSError, ValueError):
            pass
        connection.close()

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=guarded, args=(connection,), daemon=True).start()


def main():
    for name, behaviour in BEHAVIOURS.items():
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=serve, args=(listener, behaviour), daemon=True).start()
        print(name, listener.getsockname()[1])
    print("ca", f"{GOOD}.crt")
    print("ready 0", flush=True)
    sys.stdin.read()
    FOLDER.cleanup()


main()
