"""A load client that behaves like Twilio and never forgets: hundreds of signed texts a second.

Every attempt is an entry of its ledger, also a repeated one; nothing is de-duplicated. A text counts
as accepted when any of its attempts got a 2xx. Attempts are repeated as Twilio repeats them when the
webhook URL says so (#rc=5&rp=all): the same MessageSid after a refused connection, a time-out or a
5xx. One address's texts go one after the other, so that their order means something.
"""

import asyncio
import secrets
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import webhook
from procs import Deadline


@dataclass
class Attempt:
    number: int
    sid: str
    nonce: str
    address: str
    tenant: int
    try_number: int
    began: float
    seconds: float = 0.0
    status: int = 0
    error: str = ""


@dataclass
class Text:
    """One text of one customer; `number` counts over the whole load, `place` within its address."""
    number: int
    place: int
    sid: str
    nonce: str
    address: str
    tenant: int
    accepted_at: float = 0.0


@dataclass
class Result:
    texts: list = field(default_factory=list)
    attempts: list = field(default_factory=list)

    @property
    def accepted(self):
        return [text for text in self.texts if text.accepted_at]

    def seconds(self, quantile):
        """A quantile of the response times of attempts that got an answer."""
        times = sorted(attempt.seconds for attempt in self.attempts if attempt.status)
        return times[min(len(times) - 1, int(quantile * len(times)))] if times else 0.0


def addresses_of(prefix):
    """Numbers of customers from a random one on. Never the same one twice: among a thousand random
    ones two are alike in one of twenty runs, and then one customer too few is answered."""
    number = secrets.randbelow(10**7)
    while True:
        number = (number + 1) % 10**7
        yield f"{prefix}{number:07d}"


ADDRESSES = addresses_of("+1556")


class _Connection:
    """One keep-alive connection; opened again when the other side has closed it."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self.reader = self.writer = None

    async def request(self, data):
        if self.writer is None or self.writer.is_closing() or self.reader.at_eof():
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        self.writer.write(data)
        await self.writer.drain()
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if b"transfer-encoding: chunked" in head.lower():
            while (await self.reader.readuntil(b"\r\n")) != b"0\r\n":
                await self.reader.readuntil(b"\r\n")
            await self.reader.readuntil(b"\r\n")
        elif length:
            await self.reader.readexactly(length)
        if b"connection: close" in head.lower():
            self.close()
        return status

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class Load:
    """`rate` texts a second in all, over `addresses` customers of the first `tenants` tenants.
    `words(text)` makes a body from a Text; it must hold text.nonce."""

    def __init__(self, public_url, tenants, rate=100, addresses=50, tenant_count=1, connections=32,
                 tries=6, timeout_s=15, words=None, targets=None, on_accept=None,
                 pause_max_s=3600):
        self.public_url = public_url
        self.tenants = tenants
        self.rate = rate
        self.tries = tries
        self.pause_max_s = pause_max_s
        self.timeout_s = timeout_s
        self.words = words or (lambda text: f"Hello, this is {text.nonce}, what are your hours?")
        self.on_accept = on_accept
        self.targets = [urlsplit(url) for url in (targets or [public_url])]
        self.connections = connections
        self.result = Result()
        self._customers = [(index % tenant_count, next(ADDRESSES)) for index in range(addresses)]
        self._places = {}
        self._stop = False

    def run(self, count=None, seconds=None):
        """Sends `count` texts, or for `seconds`, and returns the Result when all have ended."""
        asyncio.run(self._run(count, seconds))
        return self.result

    def start(self, count=None, seconds=None):
        """As run(), on a thread of its own; join() gives the Result."""
        self._thread = threading.Thread(target=self.run, args=(count, seconds), daemon=True)
        self._thread.start()
        return self

    def join(self, deadline_s=120):
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            raise Deadline(f"the load has not ended after {deadline_s} s")
        return self.result

    def running(self):
        return self._thread.is_alive()

    def stop(self):
        """Any thread: no new texts; run() returns when those under way have ended."""
        self._stop = True

    async def _run(self, count, seconds):
        queues = [asyncio.Queue() for _ in range(min(self.connections, len(self._customers)))]
        workers = [asyncio.create_task(self._work(queue, index))
                   for index, queue in enumerate(queues)]
        begin = time.monotonic()
        number = 0
        while not self._stop and (count is None or number < count):
            due = begin + number / self.rate
            if seconds is not None and due - begin >= seconds:
                break
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            # A customer belongs to one worker: its texts keep their order.
            customer = number % len(self._customers)
            queues[customer % len(queues)].put_nowait(self._next_text(number, customer))
            number += 1
        for queue in queues:
            queue.put_nowait(None)
        await asyncio.gather(*workers)

    def _next_text(self, number, customer):
        tenant, address = self._customers[customer]
        place = self._places.get(address, 0)
        self._places[address] = place + 1
        text = Text(number, place, webhook.new_sid(), "n-" + secrets.token_hex(5), address, tenant)
        self.result.texts.append(text)
        return text

    async def _work(self, queue, index):
        target = self.targets[index % len(self.targets)]
        connection = _Connection(target.hostname, target.port)
        while (text := await queue.get()) is not None:
            await self._deliver(connection, text)
        connection.close()

    def _render(self, text):
        tenant = self.tenants[text.tenant]
        params = webhook.sms_params(tenant["account_sid"], text.address, tenant["numbers"]["sms"],
                                    self.words(text), text.sid)
        body, headers = webhook.signed_form(self.public_url, "/twilio/sms", tenant["auth_token"],
                                            params)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join(["POST /twilio/sms HTTP/1.1", f"Host: {self.targets[0].netloc}", *lines,
                            f"Content-Length: {len(body)}", "", ""])
        return head.encode() + body

    async def _deliver(self, connection, text):
        data = self._render(text)
        for try_number in range(1, self.tries + 1):
            attempt = Attempt(len(self.result.attempts), text.sid, text.nonce, text.address,
                              text.tenant, try_number, time.time())
            self.result.attempts.append(attempt)
            begin = time.monotonic()
            try:
                attempt.status = await asyncio.wait_for(connection.request(data), self.timeout_s)
            except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError,
                    ValueError) as error:
                attempt.error = type(error).__name__
                connection.close()
            attempt.seconds = time.monotonic() - begin
            if 200 <= attempt.status < 300:
                text.accepted_at = time.time()
                if self.on_accept:
                    self.on_accept(text)
                return
            if attempt.status and attempt.status < 500:
                return
            await asyncio.sleep(min(self.pause_max_s, 0.1 * 2 ** (try_number - 1)))
