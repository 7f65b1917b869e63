"""What is measured stands here: a RabbitMQ of its own, and a Kamailio with one of the two modules."""

import shutil
import sys
import tempfile
from pathlib import Path

from common.harness import OURS, Counter, harness, mpath
from common.kamailio import TOP, Kamailio
from common.process import Failure, Program

sys.path.append(str(TOP / "examples/kazoo-registrar"))

from rabbitmq import RabbitMq  # noqa: E402

CONFIG = Path(__file__).with_name("kamailio.cfg")
# Where answers to Kamailio wait; the original has 49 more, we have this one.
ANSWERS = "kamailio@bench-<1-1>"
EVENTS = "bench-events"


class Stand:
    """A context: inside it everything runs, after it all has ended. Without a module only the server is there."""

    def __init__(self, module, *defines, workers=1):
        self.module = module
        self.defines = defines
        self.workers = workers
        self.programs = []
        self.counters = []

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
        for counter in self.counters:
            counter.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_server(self):
        rabbitmq = RabbitMq(self.folder)
        self.programs.append(Program("epmd", rabbitmq.name_service, self.folder, rabbitmq.environment))
        server = Program("rabbitmq", rabbitmq.server, self.folder, rabbitmq.environment)
        self.programs.append(server)
        server.wait_for("ready RabbitMQ", lambda: rabbitmq.is_ready(server.log.read_text(errors="replace")), 60)
        self.url = rabbitmq.url
        self.server = f"127.0.0.1:{rabbitmq.port}"

    def start_kamailio(self):
        # These declare the exchange, to which the original could not publish otherwise.
        self.counter = self.subscribe()
        defines = {"AMQP_URL": f'"{self.url}"', "WORKERS": str(self.workers)} | dict.fromkeys(self.defines, "")
        folder = self.folder / "kamailio"
        folder.mkdir()
        self.kamailio = Kamailio(CONFIG, mpath(self.module), defines, folder)
        self.programs.append(self.kamailio)
        self.kamailio.wait_until_it_answers()
        for queue in [ANSWERS] + [EVENTS] * ("CONSUME" in self.defines):
            has_consumer = ("amqp-consumers", self.server, queue)
            self.kamailio.wait_for(f"consumer of {queue}", lambda command=has_consumer: harness(*command)[0])
        self.kamailio.wait_for("connected module", self.is_connected)
        self.warm_up()

    def subscribe(self):
        counter = Counter("amqp-count", self.server, "publish")
        self.counters.append(counter)
        return counter

    def answer(self):
        """Has somebody answer queries."""
        self.counters.append(Counter("amqp-answer", self.server))

    def is_connected(self):
        """One message arrives. The original ends the script where it is not connected."""
        sip = self.kamailio.sip
        try:
            sip.send("publish", 1)
            refused = sip.receive(2)[1]
        except Failure:
            return False
        return self.counter.take(1 - refused)[0] == 1

    def warm_up(self):
        """Each SIP worker has published and every part of the way was used. The loops are long enough that no
        worker can do the work of two."""
        count, workers = 2_000, 4
        for _ in range(workers):
            self.kamailio.sip.send("publish", count)
        refused = sum(self.kamailio.sip.receive()[1] for _ in range(workers))
        arrived = self.counter.take(workers * count - refused)[0]
        if self.module == OURS and arrived != workers * count - refused:
            raise Failure(f"{arrived} of {workers * count - refused} messages to warm up arrived.")
