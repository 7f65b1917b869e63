"""What is measured stands here: a NATS server of its own, and a Kamailio with one of the two modules."""

import json
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path

from common.harness import ORIGINAL, OURS, Counter, mpath
from common.kamailio import Kamailio
from common.process import Failure, Program

CONFIG = Path(__file__).with_name("kamailio.cfg")
# Connections for publishing: the original has one for each of its publish workers.
PUBLISHERS = {ORIGINAL: 2, OURS: 1}


class Stand:
    """A context: inside it everything runs, after it everything has ended."""

    def __init__(self, module, consumers=0):
        self.module = module
        self.consumers = consumers
        self.programs = []
        self.counter = None

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sipbus-bench-"))
        try:
            self.start_server()
            if self.module:
                self.start_kamailio()
        except BaseException:
            self.__exit__(sys.exc_info()[0])
            raise
        return self

    def __exit__(self, kind=None, *_):
        if kind is Failure:
            for program in self.programs:
                print(f"{program.name}, the end of its log:\n{program.tail()}", file=sys.stderr)
        # Kamailio before the server, to which it may still have something to say.
        for program in reversed(self.programs):
            program.stop()
        if self.counter:
            self.counter.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_server(self):
        # Ports -1: it takes free ones and writes them down.
        command = ["nats-server", "-a", "127.0.0.1", "-p", "-1", "-m", "-1", "--ports_file_dir", str(self.folder)]
        server = Program("nats-server", command, self.folder)
        self.programs.append(server)

        def ports():
            for file in self.folder.glob("*.ports"):
                return file.read_text()
            return None

        found = json.loads(server.wait_for("port of the NATS server", ports))
        self.server = found["nats"][0].removeprefix("nats://")
        self.monitor = found["monitoring"][0]
        server.wait_for("ready NATS server", lambda: "Server is ready" in server.log.read_text())

    def start_kamailio(self):
        defines = {"NATS_URL": f'"nats://{self.server}"'}
        if self.consumers:
            defines[f"CONSUMERS_{self.consumers}"] = ""
        folder = self.folder / "kamailio"
        folder.mkdir()
        self.kamailio = Kamailio(CONFIG, mpath(self.module), defines, folder)
        self.programs.append(self.kamailio)
        self.kamailio.wait_until_it_answers()
        self.kamailio.wait_for("connected module", self.is_connected)
        self.subscribe()
        self.warm_up()

    def subscribe(self):
        self.counter = Counter("count", self.server, "bench")
        return self.counter

    def is_connected(self):
        connections = self.connections()
        subscribed = sum(connection["subscriptions"] for connection in connections)
        return len(connections) >= PUBLISHERS[self.module] + self.consumers and subscribed >= self.consumers

    def connections(self):
        with urllib.request.urlopen(f"{self.monitor}/connz", timeout=10) as answer:
            return json.load(answer)["connections"]

    def warm_up(self):
        """Each SIP worker has published and every part of the way was used. The loops are long enough that no
        worker can do the work of two."""
        count, workers = 5_000, 4
        for _ in range(workers):
            self.kamailio.sip.send("publish", count)
        refused = sum(self.kamailio.sip.receive()[1] for _ in range(workers))
        arrived = self.counter.take(workers * count - refused)[0]
        if arrived != workers * count - refused:
            raise Failure(f"{self.module}: {arrived} of {workers * count - refused} messages to warm up arrived.")

    def own_processes(self):
        """Those that the module adds to Kamailio's."""
        if self.module == ORIGINAL:
            return self.kamailio.titled("nats")
        return [*self.kamailio.titled("sipbus", "nats"), self.engine()]

    def engine(self):
        return self.kamailio.rpc("sipbus.status")["engine"]["pid"]
