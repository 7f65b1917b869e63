"""evapi.so, side by side with the distribution's."""

import time
from functools import partial
from statistics import median

import common.bench
from common.harness import OURS
from common.process import Failure, wait_for
from evapi.stand import Stand

SIZE = 256
CLIENTS = 8
BURST, BURSTS = 200, 100
# Calls in a loop, to 1 client and to 8.
FLAT_OUT = {1: 100_000, CLIENTS: 40_000}
# Requests, at so many at a time.
ROUNDTRIPS = {1: 4_000, 32: 20_000}
# So much for a client that does not read: more than the system takes for it, less than client_buffer_size.
FLOOD = 40_000
EVENT_SIZE = 32
# The script reports each thousand, and the clients send an equal part each.
INBOUND_UNIT = 8_000
INBOUND = 100 * INBOUND_UNIT
SLOW = 8_000

answering = partial(Stand, route="ANSWER")
# One SIP worker, so the loop without the call is the same worker's.
alone = partial(answering, children=1)


class Bench(common.bench.Bench):
    name = "evapi"
    faulty = ("clients_closed_full", "frames_dropped", "garbage", "discarded")

    # The parts, each a name on the command line.

    def relay(self):
        wanted = {1: (10, None, 3), CLIENTS: (None, "ours with 1 client", 3)}
        for clients, (cheaper, words, more) in wanted.items():
            once = partial(self.relay_once, clients=clients)
            found = self.measure(f"relay, {clients}", alone, once)
            to = f"{clients} client{'s' if clients > 1 else ''}"
            burst = f"evapi_relay() in a burst of {BURST}, {to}"
            flat = f"evapi_relay() flat out, {self.count(FLAT_OUT[clients]):,} in a loop, {to}"
            self.table.add(burst, "us a call", "less", found["burst"], cheaper, words)
            self.table.add(f"{burst}, fastest tenth", "us a call", "less", found["fast"], cheaper, words)
            self.table.add(flat, "us a call", "less", found["flat"])
            each = " each of" if clients > 1 else ""
            self.table.add(f"delivered to{each} {to}", "frames/s", "more", found["rate"], more)
            self.account(to, found)

    def relay_once(self, stand, clients):
        sip, receivers = stand.kamailio.sip, stand.receivers(clients)
        took, empty, refused, lost, bursts = [], [], 0, 0, self.count(BURSTS)
        for _ in range(bursts):
            micros, without, idle = sip.ask("relay", BURST)
            took.append(micros - idle)
            empty.append(idle / BURST)
            refused += without
            # Nothing of this burst is on its way any more when the next one begins.
            lost += clients * (BURST - without) - receivers.take(BURST - without)[1]
        count = self.count(FLAT_OUT[clients])
        begin = time.time_ns()
        sip.send("relay", count)
        micros, without, idle = sip.receive(30)
        least, total, _, last = receivers.take(count - without)
        return {
            "burst": median(took) / BURST,
            "fast": sorted(took)[bursts // 10] / BURST,
            # The loop alone may just have been interrupted for long.
            "flat": micros / count - min(idle / count, median(empty)),
            "rate": least * 1e9 / max(1, last - begin - 1000 * idle),
            "refused": refused + without,
            "lost": lost + clients * (count - without) - total,
            "of": clients * (bursts * BURST + count),
        }

    def roundtrip(self):
        """evapi_async_relay(), the client's answer, t_continue() and a reply."""
        found = self.measure("round trips", answering, self.roundtrip_once)
        what, alone = "async round trips", "replies by tm alone"
        self.table.add(f"{what}, 32 in flight", "a second", "more", found["rate32"], 1.1)
        self.table.add(f"{alone}, 32 in flight", "a second", "more", found["plain32"])
        self.table.add(f"{what}, 1 in flight, p50", "us", "less", found["p50"], 1.25)
        self.table.add(f"{what}, 1 in flight, p99", "us", "less", found["p99"])
        self.table.add(f"{alone}, 1 in flight, p50", "us", "less", found["plain p50"])
        beside = f"{what} beside a client that does not read"
        stalled = self.measure(beside, answering, self.stalled_once)
        self.table.add(f"{beside}, p50", "us", "less", stalled["p50"])
        self.table.add(f"{beside}, p99", "us", "less", stalled["p99"], words="as without it")
        self.account(what, found)

    def trips(self, stand, user, flying):
        count = self.count(ROUNDTRIPS[flying])
        sip = f"127.0.0.1:{stand.kamailio.port}"
        answered, failed, took, p50, p99 = stand.load("evapi-roundtrip", sip, user, count, flying)
        if answered + failed < count / 2:
            raise Failure(f"{answered} of {count} requests were answered.")
        return answered * 1e9 / max(1, took), p50 / 1e3, p99 / 1e3, count - answered

    def roundtrip_once(self, stand):
        rate, _, _, lost32 = self.trips(stand, "async", 32)
        _, p50, p99, lost1 = self.trips(stand, "async", 1)
        plain = self.trips(stand, "plain", 32)[0]
        plain_p50 = self.trips(stand, "plain", 1)[1]
        return {
            "rate32": rate, "p50": p50, "p99": p99, "plain32": plain, "plain p50": plain_p50,
            "refused": 0, "lost": lost32 + lost1, "of": sum(map(self.count, ROUNDTRIPS.values())),
        }  # fmt: skip

    def stalled_once(self, stand):
        stand.client("evapi-stall")
        stand.kamailio.sip.send("relay", FLOOD)
        refused = stand.kamailio.sip.receive(10)[1]
        if stand.module == OURS:
            self.clogged(stand, refused)
        _, p50, p99, _ = self.trips(stand, "async", 1)
        return {"p50": p50, "p99": p99}

    def clogged(self, stand, refused):
        """That client is there, and all waits for it that it did not read."""

        def buffered():
            clients = stand.kamailio.rpc("evapi.clients")["clients"]
            return any(client["buffered"] + client["bytes_out"] >= (FLOOD - refused) * SIZE for client in clients)

        wait_for("full client", buffered)

    def inbound(self):
        for clients, wanted in ((1, 0.8), (CLIENTS, None)):
            once = partial(self.inbound_once, clients=clients)
            found = self.measure(f"inbound, {clients}", partial(Stand, route="COUNT"), once)
            what = f"messages of {clients} client{'s' if clients > 1 else ''}, 1 worker"
            self.table.add(what, "events/s", "more", found["rate"], wanted)
            self.account(what, found)

    def inbound_once(self, stand, clients):
        count = self.count(INBOUND, INBOUND_UNIT)
        handled, took = stand.load("evapi-send", clients, count, EVENT_SIZE, 1_000)
        if handled < count / 10:
            raise Failure(f"{handled} of {count} messages were handled.")
        return {"rate": handled * 1e9 / max(1, took), "refused": 0, "lost": count - handled, "of": count}

    def workers(self):
        for workers in (1, 2, 4):
            stand = partial(Stand, route="SLOW", workers=workers)
            found = self.measure(f"routes of 100 us, {workers}", stand, self.slow_once)
            what = f"messages of {CLIENTS} clients, routes of 100 us, workers {workers}"
            self.table.add(what, "events/s", "more", found["rate"], words=workers > 1 and "growing")
            self.account(what, found)

    def slow_once(self, stand):
        count = self.count(SLOW, CLIENTS)
        handled, took = stand.load("evapi-send", CLIENTS, count, EVENT_SIZE, 1)
        return {"rate": handled * 1e9 / max(1, took), "refused": 0, "lost": count - handled, "of": count}


PARTS = ("relay", "roundtrip", "inbound", "workers")
