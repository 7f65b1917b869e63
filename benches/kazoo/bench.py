"""kazoo.so, side by side with the distribution's."""

from functools import partial
from statistics import median

from common.harness import OURS, harness
from common.process import cpu_ns
from common.publishing import BURST, RATE, Publishing
from common.table import STUCK
from kazoo.stand import Stand

SIZE = 256
QUERIES = 4_000
# The bare client's queries in turn with Kamailio's.
TURNS = 5
# Requests, at so many at a time.
ASYNC = {1: 4_000, 32: 20_000}
# The load generator writes 256 at a time.
CONSUMED_UNIT = 25_600
CONSUMED = 10 * CONSUMED_UNIT
WINDOW = 25_600
# What each worker may not have told of yet.
UNTOLD = 100


def without_confirms(module):
    return Stand(module, "WITHOUT_CONFIRMS", children=1)


def consuming(module, workers):
    return Stand(module, "CONSUME", workers=workers)


class Bench(Publishing):
    name = "kazoo"
    stand = Stand
    bursts, flat_out = 20, 60_000
    # A message that was completed has about twice its size.
    protocol, target, bare_size = "amqp-", "publish", 2 * SIZE
    settles = "confirmed"
    faulty = ("rejected", "returned", "received_oversized", "received_unreadable", "unrouted", "server_errors")

    # The parts, each a name on the command line.

    def burst(self):
        found = self.measure("burst", self.alone, self.burst_once)
        self.table.add(f"kazoo_publish() in a burst of {BURST:,}", "us a call", "less", found["us"], 30)
        self.account(f"{self.count(self.bursts)} bursts", found)

    def publish(self):
        one = self.measure("flat out, 1 worker", self.alone, self.flat_out_once)
        unconfirmed = self.measure("without confirms", without_confirms, self.flat_out_once, [OURS])
        four = self.measure("flat out, 4 workers", Stand, self.flat_out_once)
        bare = self.bare_rates()
        # The original has no confirms.
        unconfirmed = {name: values for name, values in one["rate"].items() if name != OURS} | unconfirmed["rate"]
        total, delivered = self.count(self.flat_out), "delivered to a subscriber"
        self.table.add(f"kazoo_publish() flat out, {total:,} in a loop", "us a call", "less", one["us"])
        self.table.add(f"{delivered}, 1 worker, ours with confirms", "messages/s", "more", one["rate"], 2)
        self.table.add(f"{delivered}, 1 worker, without confirms", "messages/s", "more", unconfirmed, 2.5, bare=bare)
        self.table.add(f"{delivered}, 4 workers, ours with confirms", "messages/s", "more", four["rate"])
        self.table.add("processor time a message, 1 worker", "us", "less", one["cpu"])
        self.account("flat out, 1 worker", one)
        self.account("flat out, 4 workers", four)

    def latency(self):
        found = self.measure("latency", Stand, self.latency_once)
        at = f"script to subscriber at {RATE:,} messages/s"
        self.table.add(f"{at}, p50", "us", "less", found["p50"])
        self.table.add(f"{at}, p99", "us", "less", found["p99"])
        self.account("latency", found)

    def query(self):
        """The original's kazoo_query() ends the process that calls it: nothing to compare with but a bare client."""
        found = self.measure("query", Stand, self.query_once, modules=[OURS])
        ours, bare, failed = (found[name][OURS] for name in ("us", "bare", "failed"))
        if not ours:
            self.table.row("kazoo_query(), 1 in flight, p50", "us", "crashes", STUCK)
            return
        self.table.row("kazoo_query(), 1 in flight, p50", "us", "crashes", median(ours), "less", bare=median(bare))
        ratio = median(one / other for one, other in zip(ours, bare))
        self.table.row("kazoo_query() to a bare client", "", None, f"{ratio:.2f}", wanted="<= 1.3")
        self.table.row("queries that failed", "", "all", sum(failed), wanted="0")
        if sum(failed):
            self.faults.append(f"query: {sum(failed)} failed")

    def query_once(self, stand):
        """SIP requests that make a query, minus those that do not."""
        stand.answer()
        count, sip = self.count(QUERIES) // TURNS, f"127.0.0.1:{stand.kamailio.sip.port}"
        found, failed = {"ask": [], "plain": [], "bare": []}, 0
        for _ in range(TURNS):
            for user in ("ask", "plain"):
                answered, _, _, p50, _ = harness("roundtrip", sip, user, count, 1)
                found[user].append(p50 / 1e3)
                failed += count - answered
            found["bare"].append(harness("amqp-query", stand.server, count)[0] / 1e3)
        ask, plain, bare = (median(values) for values in found.values())
        return {"us": ask - plain, "bare": bare, "failed": failed}

    def asynchronous(self):
        for flying, wanted in ((1, None), (32, 3)):
            once = partial(self.async_once, flying=flying)
            found = self.measure(f"async query, {flying} in flight", Stand, once)
            what = f"kazoo_async_query(), {flying} in flight"
            self.table.add(what, "queries/s", "more", found["rate"], wanted)
            self.table.add(f"{what}, p50", "us", "less", found["p50"])
            self.account(what, found)

    def async_once(self, stand, flying):
        stand.answer()
        count = self.count(ASYNC[flying])
        sip = f"127.0.0.1:{stand.kamailio.sip.port}"
        answered, failed, took, p50, _ = harness("roundtrip", sip, "async", count, flying)
        rate, lost = answered * 1e9 / max(1, took), count - answered - failed
        return {"rate": rate, "p50": p50 / 1e3, "refused": failed, "lost": lost}

    def consume(self):
        for workers, wanted in ((1, 1), (4, 1.5)):
            stand = partial(consuming, workers=workers)
            found = self.measure(f"consume, {workers}", stand, partial(self.consume_once, workers=workers))
            with_workers = f"{workers} worker{'s' if workers > 1 else ''}"
            what = f"consuming, {with_workers}, ours acknowledges behind the route"
            self.table.add(what, "events/s", "more", found["rate"], wanted)
            self.table.add(f"processor time an event, {with_workers}", "us", "less", found["cpu"])
            self.account(f"consuming, {with_workers}", found)

    def consume_once(self, stand, workers):
        count, slack = self.count(CONSUMED, CONSUMED_UNIT), workers * UNTOLD
        load = ("amqp-consume", stand.server, WINDOW)
        harness(*load, CONSUMED_UNIT, SIZE, UNTOLD, slack)
        pids = stand.kamailio.pids()
        before = cpu_ns(pids)
        consumed, took = harness(*load, count, SIZE, UNTOLD, slack)
        cpu = cpu_ns(pids) - before
        if stand.module == OURS:
            stand.kamailio.settled("consumed", count + CONSUMED_UNIT, method="kazoo.stats")
            stand.kamailio.settled("acked", count + CONSUMED_UNIT, method="kazoo.stats")
        lost = max(0, count - slack - consumed)
        return {"rate": consumed * 1e9 / took, "cpu": cpu / 1e3 / max(1, consumed), "refused": 0, "lost": lost}


PARTS = ("burst", "publish", "latency", "query", "asynchronous", "consume")
