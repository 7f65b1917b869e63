"""What is measured stands here: a Kamailio with one of the two modules, and clients of its event socket."""

import shutil
import socket
import tempfile
from pathlib import Path

from common.harness import ORIGINAL, Counter, harness, mpath
from common.kamailio import Kamailio
from common.process import Failure

CONFIG = Path(__file__).with_name("kamailio.cfg")


def free_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stand:
    """A context: inside it everything runs, after it everything has ended. `route` says what a client's message
    does: see kamailio.cfg."""

    def __init__(self, module, route, workers=1, children=4):
        self.module = module
        self.children = children
        self.defines = {f"ROUTE_{route}": "", "WORKERS": workers, "CHILDREN": children}
        self.clients = []
        self.kamailio = None

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sipbus-bench-"))
        try:
            self.address = f"127.0.0.1:{free_tcp_port()}"
            defines = {"EVAPI_LISTEN": f'"{self.address}"', **self.defines}
            self.kamailio = Kamailio(CONFIG, mpath(self.module), defines, self.folder)
            self.kamailio.wait_until_it_answers()
            self.kamailio.wait_for("event socket", self.listens)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, kind=None, *_):
        for client in self.clients:
            client.close()
        if self.kamailio:
            # One that is stuck does not end by itself.
            self.kamailio.stop(2 if kind is Failure else 20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def listens(self):
        try:
            socket.create_connection(tuple(self.address.split(":")), 1).close()
            return True
        except OSError:
            return False

    def client(self, kind, *arguments):
        """One or more clients that stay until the end."""
        client = Counter(kind, self.address, *arguments)
        self.clients.append(client)
        return client

    def receivers(self, count):
        """Clients that read and count, and every SIP worker has relayed to them."""
        receivers = self.client("evapi-count", count)
        each, workers = 2_000, self.children
        for _ in range(workers):
            self.kamailio.sip.send("relay", each)
        refused = sum(self.kamailio.sip.receive(20)[1] for _ in range(workers))
        least = receivers.take(workers * each - refused)[0]
        if least != workers * each - refused and self.module != ORIGINAL:
            raise Failure(f"{self.module}: {least} of {workers * each - refused} messages to warm up arrived.")
        return receivers

    def load(self, kind, *arguments):
        return harness(kind, self.address, *arguments, seconds=60)
