"""The SIP load: requests of all kinds, evenly over time, and what became of them."""

import random
import threading
import time

from common.kamailio import Sip
from common.process import Failure

# How many a second; the number in the answer's reason phrase tells the kind.
RATES = {"tell": 60, "raise": 10, "ask": 2, "query": 10, "relay": 10}
KINDS = ["plain", *RATES]
MESSAGES = 5
BUSES = ("nats", "kazoo", "kafka", "evapi")
# With so many unanswered, none is sent.
FLYING_MAX = 200
GIVEN_UP_S = 40


def padding(number):
    """Of any length up to a thousand bytes, the same each time."""
    return "x" * random.Random(number).choice((0, 10, 100, 200, 300, 1000))


class Load:
    def __init__(self, port, ledger):
        self.sip = Sip(port)
        self.told = [ledger.flow("told", bus) for bus in BUSES]
        self.raised = ledger.flow("raised", "nats")
        self.numbers = dict.fromkeys(RATES, 0)
        self.flying = {}
        self.counts = {kind: {"answered": 0, "failed": 0} for kind in ("ask", "query", "relay")}
        self.faults = []
        self.requests = self.answers = self.unanswered = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.received = threading.Event()
        self.sender = threading.Thread(target=self.send, daemon=True)
        self.receiver = threading.Thread(target=self.receive, daemon=True)

    def start(self):
        self.receiver.start()
        self.sender.start()

    def send(self):
        begin = time.monotonic()
        sent = dict.fromkeys(RATES, 0)
        while not self.ended.wait(0.01):
            passed = time.monotonic() - begin
            for kind, rate in RATES.items():
                # What could not be sent in time is left out, not made up for.
                due = int(passed * rate) - sent[kind]
                sent[kind] += due
                for _ in range(min(due, 10)):
                    self.request(kind)

    def request(self, kind):
        with self.lock:
            if len(self.flying) >= FLYING_MAX:
                return
            number = self.numbers[kind]
            self.numbers[kind] += 1
            self.flying[kind, number] = time.monotonic()
        self.requests += 1
        self.sip.send(kind, number, f"Padding: {padding(number)}\r\n")

    def receive(self):
        while not self.received.is_set():
            try:
                kind, number, *results = self.sip.receive(0.5)
            except Failure:
                self.give_up()
                continue
            except (ValueError, ConnectionRefusedError) as error:
                self.faults.append(f"an answer that cannot be read: {error}")
                continue
            self.answers += 1
            with self.lock:
                self.flying.pop((KINDS[kind], number), None)
            self.note(KINDS[kind], number, results)

    def note(self, kind, number, results):
        if kind == "tell":
            for flow, bits in zip(self.told, results):
                for place in range(MESSAGES):
                    flow.accept(number * MESSAGES + place, bool(bits >> place & 1))
        elif kind == "raise":
            self.raised.accept(number, bool(results[0]))
        elif results[0] == number:
            self.counts[kind]["answered"] += 1
        else:
            self.counts[kind]["failed"] += 1
            if results[0] != -1:
                self.faults.append(f"{kind} {number} got the answer to {results[0]}")

    def give_up(self):
        with self.lock:
            old = [key for key, since in self.flying.items() if time.monotonic() - since > GIVEN_UP_S]
            for key in old:
                del self.flying[key]
            self.unanswered += len(old)

    def stop(self):
        """Ends the load; waits for the answers that are still to come."""
        self.ended.set()
        self.sender.join()
        deadline = time.monotonic() + GIVEN_UP_S + 1
        while self.flying and time.monotonic() < deadline:
            time.sleep(0.1)
        self.received.set()
        self.receiver.join()
