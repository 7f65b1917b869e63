"""event_kafka.so, side by side with the library alone: a ThreadedProducer, or a BaseConsumer in a group that is polled,
with the same settings on the same cluster. There is no original for Kamailio."""

import time
from statistics import median

import common.bench
from common.harness import OURS, harness
from common.process import Failure, cpu_ns
from kafka.stand import Cluster, Stand

SIZE = 256
BURST, BURSTS = 1_000, 40
FLAT_OUT = 1_000_000
WORKERS = 4
REPORTED = 200_000
CONSUMED, PARTITIONS = 800_000, 64


class Bench(common.bench.Bench):
    name = "event_kafka"

    def repeat(self, part, once, partitions=16):
        """The figures of once(cluster), of every round, by name."""
        found = {}
        for turn in range(self.rounds):
            with Cluster(partitions) as cluster:
                figures = once(cluster)
            self.tell(f"{part}, round {turn + 1}", figures)
            for name, value in figures.items():
                found.setdefault(name, []).append(value)
        return found

    def check(self, stand, part, accepted):
        delivered = stand.counter("delivered")
        if delivered != accepted or stand.counter("rejected"):
            self.faults.append(f"{part}: {accepted - delivered} of {accepted} lost")

    # The parts, each a name on the command line.

    def burst(self):
        found = self.repeat("burst", self.burst_once)
        for what in ("kafka_publish()", "with a report route"):
            self.table.row(f"{what} in a burst of {BURST:,}", "us a call", None, median(found[what]), wanted="< 0.5")

    def burst_once(self, cluster):
        # One SIP worker, so the loop without the call is the same worker's.
        with Stand(cluster, children=1) as stand:
            sip, figures, accepted = stand.kamailio.sip, {}, 0
            for what, route in (("kafka_publish()", "publish"), ("with a report route", "report")):
                took, empty = [], []
                for _ in range(self.count(BURSTS)):
                    empty.append(sip.ask("empty", BURST)[0])
                    micros, refused = sip.ask(route, BURST)
                    took.append(micros)
                    accepted += BURST - refused
                    # Nothing of this burst is on its way any more when the next one begins.
                    stand.settled("delivered", accepted)
                figures[what] = (median(took) - median(empty)) / BURST
            self.check(stand, "burst", accepted)
            return figures

    def publish(self):
        found = self.repeat("publish", lambda cluster: self.publish_once(cluster, "publish", FLAT_OUT))
        self.table.add("delivered, flat out from 4 workers", "messages/s", "more",
                       {OURS: found["ours"]}, 0.8, bare=found["bare"])
        self.table.row("processor time a message", "us", None, median(found["cpu"]))
        self.table.row("calls refused", "", None, sum(found["refused"]))

    def report(self):
        found = self.repeat("report", lambda cluster: self.publish_once(cluster, "report", REPORTED))
        self.table.add("delivered and reported to a route, flat out", "messages/s", "more",
                       {OURS: found["ours"]}, bare=found["bare"])

    def publish_once(self, cluster, route, whole):
        count = self.count(whole, WORKERS)
        with Stand(cluster) as stand:
            sip = stand.kamailio.sip
            for _ in range(WORKERS):
                sip.ask(route, 100)
            warm = WORKERS * 100
            stand.settled("delivered", warm)
            # Kamailio answers before all its processes are there.
            pids = stand.kamailio.pids()
            before, begin = cpu_ns(pids), time.monotonic_ns()
            for _ in range(WORKERS):
                sip.send(route, count // WORKERS)
            refused = sum(sip.receive()[1] for _ in range(WORKERS))
            accepted = count - refused
            stand.settled("delivered", warm + accepted)
            took = time.monotonic_ns() - begin
            cpu = cpu_ns(pids) - before
            self.check(stand, route, warm + accepted)
        delivered, bare_took = harness("kafka-produce", cluster.brokers, "bench", count, SIZE, 0)
        return {
            "bare": delivered * 1e9 / bare_took,
            "ours": accepted * 1e9 / took,
            "cpu": cpu / 1e3 / accepted,
            "refused": refused,
        }

    def consume(self):
        for workers in (1, 4):
            found = self.repeat(
                f"consume, {workers}", lambda cluster, w=workers: self.consume_once(cluster, w), PARTITIONS
            )
            what = f"consuming, {workers} event worker{'s' if workers > 1 else ''}"
            self.table.add(what, "events/s", "more", {OURS: found["ours"]}, bare=found["bare"],
                           words=">= 500,000, or the bare client's" if workers == 1 else None)
            self.table.add(f"{what}: processor time an event", "us", "less", {OURS: found["cpu"]}, bare=found["bare cpu"])

    def consume_once(self, cluster, workers):
        count = self.count(CONSUMED, WORKERS)
        filled, _ = harness("kafka-produce", cluster.brokers, "consumed", count, SIZE, PARTITIONS)
        if filled != count:
            raise Failure(f"The cluster has {filled} of {count} records.")
        _, bare_took, bare_cpu = harness("kafka-consume", cluster.brokers, "consumed", count)
        line = f"group=bench;topics=consumed;workers={workers};t.auto.offset.reset=earliest"
        with Stand(cluster, line) as stand:
            # The first event comes when the group is formed, which takes seconds.
            stand.settled("consumed", 1)
            pids = stand.kamailio.pids()
            first, begin, before = stand.counter("consumed"), time.monotonic_ns(), cpu_ns(pids)
            stand.settled("consumed", count)
            took, cpu = time.monotonic_ns() - begin, cpu_ns(pids) - before
        return {
            "bare": count * 1e9 / bare_took,
            "ours": (count - first) * 1e9 / took,
            "bare cpu": bare_cpu / 1e3 / count,
            "cpu": cpu / 1e3 / (count - first),
        }


PARTS = ("burst", "publish", "report", "consume")
