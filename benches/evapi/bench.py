"""evapi.so, side by side with the distribution's."""

import time
from collections import defaultdict
from statistics import median

from common.harness import MODULES, OURS
from common.process import Failure, wait_for
from common.table import Table
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


class Bench:
    def __init__(self, rounds, scale, say):
        self.rounds = rounds
        self.scale = scale
        self.say = say
        self.table = Table(*MODULES)
        self.faults = []

    def count(self, whole, unit=1):
        return max(1, round(whole * self.scale / unit)) * unit

    def measure(self, part, route, once, workers=1):
        """Runs once(stand) for each module in turn, in every round: name of the figure -> module -> values. A module
        that got stuck has no values, and no more rounds."""
        found, stuck = defaultdict(dict), set()
        for turn in range(self.rounds):
            for module in MODULES:
                if module not in stuck:
                    self.measure_once(part, turn, Stand(module, route, workers), once, found, stuck)
        return defaultdict(
            lambda: dict.fromkeys(MODULES),
            {name: {module: values.get(module) for module in MODULES} for name, values in found.items()},
        )

    def measure_once(self, part, turn, context, once, found, stuck):
        with context as stand:
            try:
                figures = once(stand)
            except Failure as failure:
                self.say(f"{part}, round {turn + 1}, {stand.module}: stuck: {failure}")
                stand.stuck = True
                stuck.add(stand.module)
                for values in found.values():
                    values.pop(stand.module, None)
                if stand.module == OURS:
                    self.faults.append(f"{part}: {failure}")
                return
            if stand.module == OURS:
                self.check_counters(part, stand)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.say(f"{part}, round {turn + 1}, {stand.module}: {shown}")
        for name, value in figures.items():
            found[name].setdefault(stand.module, []).append(value)

    def check_counters(self, part, stand):
        """What our own counters say of the same."""
        stats = stand.kamailio.rpc("evapi.stats")
        for name in ("clients_closed_full", "frames_dropped", "garbage", "discarded"):
            if stats[name]:
                self.faults.append(f"{part}: {stats[name]} {name}")

    def add(self, what, unit, better, measured, wanted=None, words=None):
        """A row of medians, also where one of the modules got stuck; `words` say what is wanted that is no ratio."""
        if all(measured[module] for module in MODULES) and not words:
            self.table.add(what, unit, better, measured, wanted)
            return
        cells = [median(measured[module]) if measured[module] else "stuck" for module in MODULES]
        ratio = None
        if "stuck" not in cells and all(cells):
            ratio = f"{cells[0] / cells[1] if better == 'less' else cells[1] / cells[0]:.2f}"
        self.table.row(what, unit, *cells, ratio, wanted=words or (wanted and f">= {wanted:.3g}"))

    def account(self, what, found):
        """A row for what is missing, over all rounds; ours must not lose anything."""
        cells = []
        for module in MODULES:
            if not found["lost"][module]:
                cells.append("stuck")
                continue
            refused, lost, of = (sum(found[kind][module]) for kind in ("refused", "lost", "of"))
            share = f" ({lost / of:.2%})" if lost else ""
            cells.append(f"{refused:,} / {lost:,}{share}")
            if module == OURS and lost:
                self.faults.append(f"{what}: {lost} lost")
        self.table.row(f"{what}: refused / lost", "messages", *cells, wanted="0 / 0")

    # The parts, each a name on the command line.

    def relay(self):
        wanted = {1: (10, None, 3), CLIENTS: (None, "ours with 1 client", 3)}
        for clients, (cheaper, words, more) in wanted.items():
            found = self.measure(f"relay, {clients}", "ANSWER", lambda stand, n=clients: self.relay_once(stand, n))
            to = f"{clients} client{'s' if clients > 1 else ''}"
            flat = f"flat out, {self.count(FLAT_OUT[clients]):,} in a loop"
            self.add(f"evapi_relay() in a burst of {BURST}, {to}", "us a call", "less", found["burst"], cheaper, words)
            self.add("the same, the fastest tenth of the bursts", "us a call", "less", found["fast"], cheaper, words)
            self.add(f"evapi_relay() {flat}, {to}", "us a call", "less", found["flat"])
            each = " each of" if clients > 1 else ""
            self.add(f"delivered to{each} {to}", "frames/s", "more", found["rate"], more)
            self.account(to, found)

    def relay_once(self, stand, clients):
        sip, receivers = stand.kamailio.sip, stand.receivers(clients)
        took, refused, lost, bursts = [], 0, 0, self.count(BURSTS)
        for _ in range(bursts):
            micros, without, idle = sip.ask("relay", BURST)
            took.append(micros - idle)
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
            "flat": (micros - idle) / count,
            "rate": least * 1e9 / max(1, last - begin - 1000 * idle),
            "refused": refused + without,
            "lost": lost + clients * (count - without) - total,
            "of": clients * (bursts * BURST + count),
        }

    def roundtrip(self):
        found = self.measure("round trips", "ANSWER", self.roundtrip_once)
        what = "async round trips (evapi_async_relay(), answer, t_continue(), reply)"
        self.add(f"{what}, 32 in flight", "a second", "more", found["rate32"], 1.1)
        self.add("the same by tm alone, 32 in flight", "a second", "more", found["plain32"])
        self.add(f"{what}, 1 in flight, p50", "us", "less", found["p50"], 1.25)
        self.add("the same, p99", "us", "less", found["p99"])
        self.add("the same by tm alone, p50", "us", "less", found["plain p50"])
        beside = "round trips beside a client that does not read"
        stalled = self.measure(beside, "ANSWER", self.stalled_once)
        self.add(f"{beside}, 1 in flight, p50", "us", "less", stalled["p50"])
        self.add("the same, p99", "us", "less", stalled["p99"], words="as without it")
        self.account("round trips", found)

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
            found = self.measure(
                f"inbound, {clients}", "COUNT", lambda stand, n=clients: self.inbound_once(stand, n)
            )  # fmt: skip
            what = f"messages of {clients} client{'s' if clients > 1 else ''}, 1 worker"
            self.add(what, "events/s", "more", found["rate"], wanted)
            self.account(what, found)

    def inbound_once(self, stand, clients):
        count = self.count(INBOUND, INBOUND_UNIT)
        handled, took = stand.load("evapi-send", clients, count, EVENT_SIZE, 1_000)
        if handled < count / 10:
            raise Failure(f"{handled} of {count} messages were handled.")
        return {"rate": handled * 1e9 / max(1, took), "refused": 0, "lost": count - handled, "of": count}

    def workers(self):
        for workers in (1, 2, 4):
            found = self.measure(f"routes of 100 us, {workers}", "SLOW", self.slow_once, workers)
            what = f"messages of {CLIENTS} clients, routes of 100 us, workers {workers}"
            self.add(what, "events/s", "more", found["rate"], words=workers > 1 and "growing")
            self.account(what, found)

    def slow_once(self, stand):
        count = self.count(SLOW, CLIENTS)
        handled, took = stand.load("evapi-send", CLIENTS, count, EVENT_SIZE, 1)
        return {"rate": handled * 1e9 / max(1, took), "refused": 0, "lost": count - handled, "of": count}


PARTS = ("relay", "roundtrip", "inbound", "workers")
