"""What is measured stands here: a NATS server of its own, and a Kamailio with one of the two modules."""

import json
import urllib.request
from pathlib import Path

import common.stand
from common.harness import ORIGINAL, OURS, Counter
from common.process import Program

# Connections for publishing: the original has one for each of its publish workers.
PUBLISHERS = {ORIGINAL: 2, OURS: 1}


class Stand(common.stand.Stand):
    config = Path(__file__).with_name("kamailio.cfg")

    def __init__(self, module, consumers=0, **more):
        super().__init__(module, **more)
        self.consumers = consumers

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
        self.run_kamailio(defines)
        self.kamailio.wait_for("connected module", self.is_connected)
        self.counter = self.subscribe()
        self.warm_up(5_000)

    def subscribe(self):
        counter = Counter("count", self.server, "bench")
        self.counters.append(counter)
        return counter

    def is_connected(self):
        connections = self.connections()
        subscribed = sum(connection["subscriptions"] for connection in connections)
        return len(connections) >= PUBLISHERS[self.module] + self.consumers and subscribed >= self.consumers

    def connections(self):
        with urllib.request.urlopen(f"{self.monitor}/connz", timeout=10) as answer:
            return json.load(answer)["connections"]

    def own_processes(self):
        """Those that the module adds to Kamailio's."""
        if self.module == ORIGINAL:
            return self.kamailio.titled("nats")
        return [*self.kamailio.titled("sipbus", "nats"), self.engine()]

    def engine(self):
        return self.kamailio.rpc("sipbus.status")["engine"]["pid"]
