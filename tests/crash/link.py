"""The way from a service to Kafka, which can be held: what the service sends then is in the network, and is
lost when the service dies. (A broker that is frozen itself reads later what its kernel has taken for it.)
"""

import socket
import threading

from stack import free_ports

LISTENERS = """
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=PLAINTEXT
"""


class Link:
    """One way: whoever connects to `address` is connected to that port of the broker."""

    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.open = threading.Event()
        self.open.set()
        self.pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def hold(self):
        """Nothing gets to the broker any more; what it answers still comes."""
        self.open.clear()

    def cut(self):
        """What was held is lost, with the connections that it came by; the way is open again."""
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                shut(end)
        self.open.set()

    def _accept(self):
        while True:
            client, _ = self.server.accept()
            try:
                broker = socket.create_connection(("127.0.0.1", self.broker_port), 5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            for end in (client, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs.append((client, broker))
            threading.Thread(target=self._pump, args=(client, broker, self.open), daemon=True).start()
            threading.Thread(target=self._pump, args=(broker, client, None), daemon=True).start()

    @staticmethod
    def _pump(source, target, gate):
        try:
            while data := source.recv(65536):
                if gate:
                    gate.wait()
                target.sendall(data)
        except OSError:
            pass
        shut(source)
        shut(target)


def shut(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def links(kafka, count):
    """So many ways to the broker, which is started anew for them: a client that comes by one is sent by it again."""
    names = [f"LINK{number}" for number in range(count)]
    ways = {name: Link(free_ports(name)) for name in names}
    kafka.stop()
    kafka.extra_properties = LISTENERS.format(
        port=kafka.port, controller_port=kafka.controller_port,
        listeners="".join(f",{name}://127.0.0.1:{way.broker_port}" for name, way in ways.items()),
        advertised="".join(f",{name}://{way.address}" for name, way in ways.items()),
        protocols="".join(f",{name}:PLAINTEXT" for name in names))
    kafka.start()
    return list(ways.values())
