#!/usr/bin/env python3
"""A token endpoint (RFC 6749) and its introspection (RFC 7662), which Dovecot asks whether a token is good.

    endpoint.py --client ID:SECRET --user NAME:REFRESH_TOKEN ... [--life SECONDS] [--rotate] [--die-with-parent]

Prints `listening on 127.0.0.1:PORT`. A refresh token buys access tokens for its user; with --rotate each answer has
a new refresh token, and the old one is void at once. Client credentials buy one for the first user.

    POST /token                  form: grant_type, refresh_token, client_id, client_secret
    POST /introspect             form: token
    GET  /_ledger                what was asked of /token: [{"grant_type", "status", "error"}], oldest first
    POST /_faults                JSON [{"status": 503, "body": {...}, "count": 1, "retry_after": 2}]: the next answers
    POST /_revoke                form: user: its refresh token is taken no more, its access tokens are void
    POST /_grant                 form: user: answers {"refresh_token"}, a new one
    POST /_forget                all access tokens are void; refresh tokens stay
"""

import argparse
import ctypes
import json
import secrets
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Endpoint:
    """What was given out, and to whom."""

    def __init__(self, given):
        self.client_id, _, self.client_secret = given.client.partition(":")
        self.refresh = dict(reversed(pair.split(":", 1)) for pair in given.user)  # token to user
        self.first_user = given.user[0].split(":", 1)[0]
        self.life_s, self.rotate = given.life, given.rotate
        self.access, self.ledger, self.faults = {}, [], []
        self.lock = threading.Lock()

    def token(self, form):
        """(status, headers, document)"""
        if self.faults:
            fault = self.faults[0]
            fault["count"] = fault.get("count", 1) - 1
            if fault["count"] <= 0:
                self.faults.pop(0)
            headers = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
            return fault["status"], headers, fault.get("body", {})
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return 401, {}, {"error": "invalid_client"}
        if form.get("grant_type") == "client_credentials":
            return 200, {}, self.give(self.first_user)
        if form.get("grant_type") != "refresh_token":
            return 400, {}, {"error": "unsupported_grant_type"}
        user = self.refresh.get(form.get("refresh_token"))
        if user is None:
            return 400, {}, {"error": "invalid_grant", "error_description": "Token has been revoked."}
        answer = self.give(user)
        if self.rotate:
            del self.refresh[form["refresh_token"]]
            answer["refresh_token"] = "r-" + secrets.token_hex(12)
            self.refresh[answer["refresh_token"]] = user
        return 200, {}, answer

    def give(self, user):
        token = "a-" + secrets.token_hex(16)
        self.access[token] = (user, time.time() + self.life_s)
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.life_s}

    def introspect(self, form):
        user, until = self.access.get(form.get("token"), (None, 0))
        if user is None or until < time.time():
            return {"active": False}
        return {"active": True, "username": user, "exp": int(until)}

    def revoke(self, user):
        self.refresh = {token: owner for token, owner in self.refresh.items() if owner != user}
        self.access = {token: value for token, value in self.access.items() if value[0] != user}


class Handler(BaseHTTPRequestHandler):
    endpoint = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, document, headers=()):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with self.endpoint.lock:
            self.answer(200, self.endpoint.ledger)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with self.endpoint.lock:
            if self.path == "/_faults":
                self.endpoint.faults = json.loads(body)
                self.answer(200, {})
                return
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if self.path == "/token":
                status, headers, document = self.endpoint.token(form)
                self.endpoint.ledger.append({"grant_type": form.get("grant_type"), "status": status,
                                             "error": document.get("error")})
                self.answer(status, document, headers)
            elif self.path == "/introspect":
                self.answer(200, self.endpoint.introspect(form))
            elif self.path == "/_revoke":
                self.endpoint.revoke(form["user"])
                self.answer(200, {})
            elif self.path == "/_grant":
                token = "r-" + secrets.token_hex(12)
                self.endpoint.refresh[token] = form["user"]
                self.answer(200, {"refresh_token": token})
            elif self.path == "/_forget":
                self.endpoint.access = {}
                self.answer(200, {})
            else:
                self.answer(404, {"error": "not_found"})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", required=True)
    parser.add_argument("--user", action="append", required=True)
    parser.add_argument("--life", type=int, default=3600)
    parser.add_argument("--rotate", action="store_true")
    parser.add_argument("--die-with-parent", action="store_true")
    given = parser.parse_args()
    if given.die_with_parent:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    Handler.endpoint = Endpoint(given)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
