"""What is measured stands here: a RabbitMQ of its own, and a Kamailio with one of the two modules."""

import sys
from pathlib import Path

import common.stand
from common.harness import Counter, harness
from common.kamailio import TOP
from common.process import Failure, Program

sys.path.append(str(TOP / "examples/kazoo-registrar"))

from rabbitmq import RabbitMq  # noqa: E402

# Where answers to Kamailio wait; the original has 49 more, we have this one.
ANSWERS = "kamailio@bench-<1-1>"
EVENTS = "bench-events"


class Stand(common.stand.Stand):
    config = Path(__file__).with_name("kamailio.cfg")

    def __init__(self, module, *defines, workers=1, **more):
        super().__init__(module, **more)
        self.defines = defines
        self.workers = workers

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
        self.run_kamailio(defines)
        for queue in [ANSWERS] + [EVENTS] * ("CONSUME" in self.defines):
            has_consumer = ("amqp-consumers", self.server, queue)
            self.kamailio.wait_for(f"consumer of {queue}", lambda command=has_consumer: harness(*command)[0])
        self.kamailio.wait_for("connected module", self.is_connected)
        self.warm_up(2_000)

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
