"""A vendor of chat models that writes any bytes at all: for what no well-formed stand-in would send.

Each request is told apart by a mark in its body. What is played to it is a list of steps: bytes are
sent, a number is a pause in seconds, an event is waited for, a function is called, and CUT, RESET, HANG or FOREVER end
it. The three dialects' events are made here too, as a vendor sends them when all is well.
"""

import json
import socket
import ssl
import struct
import subprocess
import threading

CUT, RESET, HANG = "cut", "reset", "hang"


class FOREVER:
    """Sends the same bytes again and again until the client leaves."""

    def __init__(self, data):
        self.data = data


class Vendor:
    """Listens from its making until close(); `certificate`: (file, key file) of a TLS server."""

    def __init__(self, port, certificate=None):
        self.port = port
        self.plays = {}  # mark -> lists of steps: one a request, the last of them for all others
        self.asked = []  # bodies, in order
        self.heads = {}  # request line and headers by body, as text
        self.ended = False
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def play(self, mark, *plays):
        self.plays[mark] = list(plays)

    def close(self):
        self.ended = True
        self.listener.close()

    def _accept(self):
        while not self.ended:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.settimeout(30)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self._perform(connection, self._read(connection))
        except (OSError, ValueError):
            pass  # the client left, which many a play makes it do
        finally:
            connection.close()

    def _read(self, connection):
        """The body of one request; whatever is no request at all (a TLS client's hello) as it is."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            data += more
            if not more or not data[:1].isupper():
                return data
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            more = connection.recv(65536)
            if not more:
                break
            body += more
        self.heads[body] = head.decode("latin-1")
        return body

    def _steps(self, body):
        self.asked.append(body)
        for mark, plays in self.plays.items():
            if mark.encode() in body:
                return plays.pop(0) if len(plays) > 1 else plays[0]
        return [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]

    def _perform(self, connection, body):
        for step in self._steps(body):
            if isinstance(step, bytes):
                connection.sendall(step)
            elif isinstance(step, FOREVER):
                while True:
                    connection.sendall(step.data)
            elif step == HANG:
                while connection.recv(65536):
                    pass
            elif step == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            elif step == CUT:
                return
            elif isinstance(step, threading.Event):
                step.wait(60)
            elif callable(step):
                step()
            else:
                threading.Event().wait(step)


def own_certificate(folder):
    """A certificate that nobody trusts: (file, key file)."""
    files = folder / "vendor.pem", folder / "vendor.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True, timeout=60)
    return files


# HTTP

def whole(status, kind, body, *headers):
    """An answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}",
             "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


OPEN = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n")
END = b"0\r\n\r\n"


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def chunks(data, size):
    """The bytes in chunks of so many, each a step of its own."""
    return [chunk(data[at:at + size]) for at in range(0, len(data), size)]


# The dialects: a text in pieces, or calls [(name, arguments as a dict)], and its end

def event(value, name=None):
    named = f"event: {name}\n" if name else ""
    return f"{named}data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def openai(pieces=(), calls=(), finish=None):
    def of(delta, finish=None):
        return event({"id": "c-1", "object": "chat.completion.chunk", "model": "wire-1", "choices": [
            {"index": 0, "delta": delta, "finish_reason": finish}]})
    out = [of({"role": "assistant", "content": ""})] + [of({"content": piece}) for piece in pieces]
    for number, (name, arguments) in enumerate(calls):
        out.append(of({"tool_calls": [{"index": number, "id": f"call_{number}", "type": "function",
                                       "function": {"name": name, "arguments": ""}}]}))
    for number, (name, arguments) in enumerate(calls):
        out.append(of({"tool_calls": [{"index": number, "function": {
            "arguments": json.dumps(arguments)}}]}))
    return b"".join(out) + of({}, finish or ("tool_calls" if calls else "stop")) + b"data: [DONE]\n\n"


def gemini(pieces=(), calls=(), finish=None):
    def of(parts, **more):
        return event({"candidates": [{"index": 0, "content": {"role": "model", "parts": parts},
                                      **more}], "modelVersion": "wire-1"})
    out = [of([{"text": piece}]) for piece in pieces]
    if calls:
        out.append(of([{"functionCall": {"name": name, "args": arguments}}
                       for name, arguments in calls]))
    return b"".join(out) + of([{"text": ""}], finishReason=finish or "STOP")


def anthropic(pieces=(), calls=(), finish=None):
    def of(kind, **more):
        return event({"type": kind, **more}, kind)
    out = [of("message_start", message={"id": "m-1", "type": "message", "role": "assistant",
                                        "model": "wire-1", "content": [], "usage": {
                                            "input_tokens": 5, "output_tokens": 1}})]
    if pieces:
        out.append(of("content_block_start", index=0, content_block={"type": "text", "text": ""}))
        out += [of("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
                for piece in pieces]
        out.append(of("content_block_stop", index=0))
    for number, (name, arguments) in enumerate(calls, bool(pieces)):
        out.append(of("content_block_start", index=number, content_block={
            "type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {}}))
        out.append(of("content_block_delta", index=number, delta={
            "type": "input_json_delta", "partial_json": json.dumps(arguments)}))
        out.append(of("content_block_stop", index=number))
    reason = finish or ("tool_use" if calls else "end_turn")
    return b"".join(out) + of("message_delta", delta={"stop_reason": reason},
                              usage={"output_tokens": 9}) + of("message_stop")


STREAMS = {"openai": openai, "gemini": gemini, "anthropic": anthropic}
