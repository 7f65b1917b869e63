"""What soaks stands here: the servers, the gates in front of two of them, the other ends of the buses, and a Kamailio
with all modules."""

import json
import shutil
import signal
import socket
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

from common.harness import OURS, mpath
from common.kamailio import TOP, Kamailio
from common.process import Failure, Program, wait_for

from rabbitmq import RabbitMq, free_port

from clients import Guests, Steady
from gate import Gate
from ledger import Ledger
from load import Load, padding
from peers import Amqp, Kafka, Nats

CONFIG = Path(__file__).with_name("kamailio.cfg")
# Events a second on each bus, and how often a guest comes.
EVENTS_RATE = 20
GUEST_PAUSE_S = 0.5


class Stand:
    """A context: inside it everything runs, after it everything has ended."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sipbus-soak-"))
        self.programs = []
        self.closed_first = []
        self.rpc_lock = threading.Lock()
        self.starts = 0
        self.kamailio = None
        self.ledger = Ledger()
        try:
            self.start_servers()
            self.start_peers()
            self.start_kamailio()
            self.start_clients()
        except BaseException:
            self.__exit__(sys.exc_info()[0])
            raise
        return self

    def __exit__(self, kind=None, *_):
        if kind is Failure:
            for program in self.programs:
                print(f"{program.name}, the end of its log:\n{program.tail()}", file=sys.stderr)
        for each in self.closed_first:
            each.close()
        for program in reversed(self.programs):
            if program.process.poll() is None:
                program.signal_all(signal.SIGCONT)
                program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # The servers.

    def program(self, name, command, env=None):
        program = Program(name, command, self.folder, env)
        self.programs.append(program)
        return program

    def start_servers(self):
        self.nats_port, self.monitor_port = free_port(), free_port()
        self.start_nats()
        self.rabbitmq_files = RabbitMq(self.folder)
        self.program("epmd", self.rabbitmq_files.name_service, self.rabbitmq_files.environment)
        self.start_rabbitmq()
        self.nats_gate = Gate(free_port(), self.nats_port)
        self.rabbitmq_gate = Gate(free_port(), self.rabbitmq_files.port)
        for gate in (self.nats_gate, self.rabbitmq_gate):
            gate.open()
            self.closed_first.append(gate)
        self.start_tansu()

    def start_nats(self):
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(self.nats_port), "-m", str(self.monitor_port)]
        self.starts += 1
        self.nats = self.program(f"nats-server-{self.starts}", command)
        self.nats.wait_for("ready NATS server", lambda: "Server is ready" in self.nats.log.read_text())

    def kill_nats(self):
        self.kill(self.nats)

    def start_rabbitmq(self):
        files = self.rabbitmq_files
        self.starts += 1
        self.rabbitmq = self.program(f"rabbitmq-{self.starts}", files.server, files.environment)
        log = self.rabbitmq.log
        self.rabbitmq.wait_for("ready RabbitMQ", lambda: files.is_ready(log.read_text(errors="replace")), 120)

    def kill_rabbitmq(self):
        self.kill(self.rabbitmq)

    def kill(self, program):
        program.kill()
        self.programs.remove(program)
        program.log.unlink()

    def start_tansu(self):
        fetched = TOP / "target/tansu"
        tansu = str(fetched) if fetched.exists() else "tansu"
        self.bootstrap = f"127.0.0.1:{free_port()}"
        url = f"tcp://{self.bootstrap}"
        self.tansu = self.program("tansu", [tansu, "broker", "--silent", "--listener-url", url,
                                            "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"])
        for topic in ("soak-in", "soak-out"):
            self.tansu.wait_for(f"topic {topic}", lambda name=topic: self.make_topic(tansu, url, name))

    def make_topic(self, tansu, url, name):
        self.starts += 1
        made = Program(f"topic-{self.starts}", [tansu, "topic", "create", "--broker", url, name], self.folder)
        return made.process.wait() == 0

    def wait_until_subscribed(self):
        def subscribed():
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor_port}/connz?subs=1", timeout=10) as answer:
                connections = json.load(answer)["connections"]
            return any("soak.event" in each.get("subscriptions_list", ()) for each in connections)

        wait_for("subscription of Kamailio at the NATS server", subscribed, 60)

    # The other ends.

    def peer(self, make, address, word, over):
        events = self.ledger.flow(word, over)
        peer = make(address, self.ledger, events, EVENTS_RATE, padding)
        peer.start()
        self.closed_first.insert(0, peer)
        return peer, events

    def start_peers(self):
        self.nats_peer, self.nats_events = self.peer(Nats, f"127.0.0.1:{self.nats_port}", "nats", "evapi")
        self.amqp_peer, _ = self.peer(Amqp, self.rabbitmq_files.url, "kazoo", "nats")
        self.kafka_peer, _ = self.peer(Kafka, self.bootstrap, "kafka", "kazoo")
        self.peers = [self.nats_peer, self.amqp_peer, self.kafka_peer]
        for peer in self.peers:
            if not peer.ready.wait(30):
                raise Failure(f"{peer.bus}: the receiver is not served: {peer.failed}")

    def start_kamailio(self):
        self.evapi = ("127.0.0.1", free_port())
        defines = {
            "NATS_URL": f'"nats://127.0.0.1:{self.nats_gate.port}"',
            "AMQP_URL": f'"amqp://guest:guest@127.0.0.1:{self.rabbitmq_gate.port}"',
            "KAFKA_SOCKET": f'"[soak]{self.bootstrap}/soak-out?g.linger.ms=50"',
            "KAFKA_CONSUME": f'"brokers={self.bootstrap};group=soak;topics=soak-in;workers=2;'
                             't.auto.offset.reset=earliest"',
            "EVAPI_LISTEN": f'"{self.evapi[0]}:{self.evapi[1]}"',
        }
        folder = self.folder / "kamailio"
        folder.mkdir()
        self.kamailio = Kamailio(CONFIG, mpath(OURS), defines, folder)
        self.programs.append(self.kamailio)
        self.kamailio.wait_until_it_answers()
        self.kamailio.wait_for("connected modules", self.is_connected)
        self.wait_until_subscribed()

    def is_connected(self):
        connectors = self.rpc("sipbus.status")["connectors"]
        subscriptions = self.rpc("kazoo.subscriptions")["subscriptions"]
        return (all(each["state"] == "connected" for each in connectors)
                and all(each["state"] == "open" for each in subscriptions))

    def start_clients(self):
        steady, _ = self.peer(Steady, self.evapi, "evapi", "kafka")
        self.steady = steady
        self.peers.append(steady)
        wait_for("client that has its name", lambda: "steady" in json.dumps(self.rpc("evapi.clients")))
        self.guests = Guests(self.evapi, GUEST_PAUSE_S)
        self.closed_first.insert(0, self.guests)
        self.load = Load(self.kamailio.port, self.ledger)

    def start_all(self):
        for peer in self.peers:
            peer.may_send.set()
        self.guests.start()
        self.load.start()

    def rpc(self, method, *params):
        with self.rpc_lock:
            return self.kamailio.rpc(method, *params)
