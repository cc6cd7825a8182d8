"""A small server in the place of the desk: answers TwiML over HTTP, speaks ConversationRelay frames over
WebSocket, keeps every request. Standard library only, so that it shares nothing with what it meets."""

import base64
import hashlib
import hmac
import json
import struct
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

TOKEN = "0123456789abcdef0123456789abcdef"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def signature(url, pairs, token=TOKEN):
    text = url + "".join(name + value for name, value in sorted(pairs))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Gone(Exception):
    """The other side closed; the code is its argument."""


class Socket:
    """The server's end of a relay socket."""

    def __init__(self, handler):
        self.read, self.connection = handler.rfile, handler.connection
        self.got = []

    def _exactly(self, size):
        data = self.read.read(size)
        if len(data) < size:
            raise Gone(1006)
        return data

    def frame(self):
        """(fin, opcode, payload) of the next frame, which must be masked."""
        one, two = self._exactly(2)
        assert two & 0x80, "a client's frame must be masked"
        size = two & 0x7F
        if size == 126:
            size = struct.unpack(">H", self._exactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._exactly(8))[0]
        mask = self._exactly(4)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self._exactly(size)))
        return bool(one & 0x80), one & 0x0F, data

    def receive(self):
        """The next JSON frame; Gone when there is none any more."""
        fin, opcode, data = self.frame()
        if opcode == 8:
            self.send(data, 8)
            raise Gone(struct.unpack(">H", data[:2])[0] if data else 1005)
        assert fin and opcode == 1, (fin, opcode, data[:40])
        frame = json.loads(data)
        self.got.append(frame)
        return frame

    def expect(self, kind):
        frame = self.receive()
        assert frame["type"] == kind, frame
        return frame

    def send(self, data, opcode=1):
        if not isinstance(data, bytes):
            data = (data if isinstance(data, str) else json.dumps(data)).encode()
        size = len(data)
        head = (bytes([0x80 | opcode, size]) if size < 126 else
                bytes([0x80 | opcode, 126]) + struct.pack(">H", size))
        self.connection.sendall(head + data)

    def say(self, *tokens, last=True):
        for at, token in enumerate(tokens):
            self.send({"type": "text", "token": token, "last": last and at == len(tokens) - 1})

    def end(self, handoff=None):
        self.send({"type": "end", **({} if handoff is None else {"handoffData": handoff})})

    def close(self, code=1000):
        self.send(struct.pack(">H", code), 8)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(parse_qsl(body, keep_blank_values=True, strict_parsing=True))

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            self.upgrade()
        else:
            path, _, query = self.path.partition("?")
            self.answer(parse_qsl(query, keep_blank_values=True), path)

    def answer(self, pairs, path=None):
        double = self.server.double
        url = double.base + self.path
        signed = self.headers["X-Twilio-Signature"] == signature(
            url, pairs if self.command == "POST" else [])
        path = path or self.path.partition("?")[0]
        form = dict(pairs)
        with double.lock:
            double.requests.append({"path": path, "form": form, "signed": signed, "method": self.command})
            document = double.documents.get(path, (404, "text/plain", ""))
            if isinstance(document, list):
                document = document.pop(0) if len(document) > 1 else document[0]
        if callable(document):
            document = document(form)
        if isinstance(document, str):
            document = (200, "text/xml", "<Response>" + document + "</Response>")
        status, kind, text, *more = document
        data = text.encode()
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def upgrade(self):
        double = self.server.double
        url = "wss://" + double.host + self.path
        if self.headers["x-twilio-signature"] != signature(url, []):
            self.send_error(403)
            return
        accept = base64.b64encode(hashlib.sha1((self.headers["Sec-WebSocket-Key"] + GUID).encode())
                                  .digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        relay = Socket(self)
        with double.lock:
            double.sockets.append(relay)
        try:
            double.relay(relay)
        except Gone as gone:
            relay.got.append({"type": "gone", "code": gone.args[0]})
        except OSError:
            relay.got.append({"type": "gone", "code": 1006})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def handle_error(self, request, address):
        self.double.failures.append(traceback.format_exc())


class DeskDouble:
    """`documents`: path -> verbs, (status, type, body, headers...), a function of the form, or a list of
    these, one for each request. `relay`: what serves a socket."""

    def __init__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.double = self
        self.port = self.server.server_address[1]
        self.host = "desk.example.com"
        self.base = "https://" + self.host
        self.lock = threading.Lock()
        self.reset()
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def reset(self):
        self.documents, self.requests, self.sockets, self.failures = {}, [], [], []
        self.relay = lambda relay: relay.receive()

    def asked(self, path):
        with self.lock:
            return [request["form"] for request in self.requests if request["path"] == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

