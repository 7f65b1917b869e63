"""What happens to the servers meanwhile: one after the other is restarted, or stopped and continued."""

import signal
import threading
import time

from common.process import Failure
from peers import settled

STOPPED_S = 5
PATIENCE_S = 60


class Trouble:
    def __init__(self, stand, pause, say):
        self.stand = stand
        self.pause = pause
        self.say = say
        self.happened = {}
        self.faults = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()

    def run(self):
        turns = [self.restart_nats, self.stop_kafka, self.restart_rabbitmq, self.stop_nats, self.stop_rabbitmq]
        turn = 0
        while not self.ended.wait(self.pause):
            what = turns[turn % len(turns)]
            name = what.__name__.replace("_", " ")
            turn += 1
            began = time.monotonic()
            try:
                what()
            except (Failure, OSError) as error:
                self.faults.append(f"{name}: {error}")
            self.happened[name] = self.happened.get(name, 0) + 1
            self.say(f"{name}, {time.monotonic() - began:.0f} s")

    def restart_nats(self):
        """NATS events are sent at most once: while there is nobody to get them, none are sent."""
        nats = self.stand.nats_peer
        nats.may_send.clear()
        time.sleep(0.5)
        if not settled([self.stand.nats_events], PATIENCE_S):
            self.faults.append("events over nats did not all come before the restart")
        self.restart(self.stand.nats_gate, nats, self.stand.kill_nats, self.stand.start_nats)
        self.stand.wait_until_subscribed()
        nats.may_send.set()

    def restart_rabbitmq(self):
        stand = self.stand
        self.restart(stand.rabbitmq_gate, stand.amqp_peer, stand.kill_rabbitmq, stand.start_rabbitmq)

    def restart(self, gate, peer, kill, start):
        """What the server confirmed is on its way to the receiver, who shall have it before the server is killed: what a
        server forgets is not our module's loss. For the same reason the receiver is there first afterwards."""
        gate.shut()
        if not peer.drained(PATIENCE_S):
            self.faults.append(f"{peer.bus}: what the server had confirmed did not come")
        peer.ready.clear()
        kill()
        start()
        if not peer.ready.wait(PATIENCE_S):
            self.faults.append(f"{peer.bus}: the receiver is not connected again: {peer.failed}")
        gate.open()

    def stop_kafka(self):
        self.hold(self.stand.tansu)

    def stop_nats(self):
        self.hold(self.stand.nats)

    def stop_rabbitmq(self):
        self.hold(self.stand.rabbitmq)

    def hold(self, server):
        """All processes of the server stand still, and their connections stay."""
        server.signal_all(signal.SIGSTOP)
        try:
            self.ended.wait(STOPPED_S)
        finally:
            server.signal_all(signal.SIGCONT)

    def stop(self):
        self.ended.set()
        self.thread.join()
