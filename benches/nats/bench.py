"""nats.so, side by side with the distribution's."""

import time
from functools import partial
from statistics import median

from common.harness import MODULES, ORIGINAL, OURS, harness
from common.process import cpu_ns, memory_kib, private_kib, region_kib, wake_ups
from common.publishing import BURST, RATE, Publishing
from common.table import STUCK
from nats.stand import Stand

SIZE = 256
# The consumers report each thousand, the load generator writes 256 at a time, and there are 1 or 4 of them.
CONSUMED_UNIT = 32_000
CONSUMED = 32 * CONSUMED_UNIT
# Messages on their way to the consumers: much less than what a server allows a subscriber to be behind.
WINDOW = 64_000
IDLE_SECONDS = 10
MANY = 1_000_000


class Bench(Publishing):
    name = "nats"
    stand = Stand
    bursts, flat_out = 40, 300_000
    target, bare_size = "bench", SIZE
    settles = "delivered"
    faulty = ("rejected", "received_oversized", "unrouted", "server_errors")

    # The parts, each a name on the command line.

    def burst(self):
        found = self.measure("burst", self.alone, self.burst_once)
        self.table.add(f"nats_publish() in a burst of {BURST:,}", "us a call", "less", found["us"], 18)
        self.account(f"{self.count(self.bursts)} bursts", found)

    def publish(self):
        one = self.measure("flat out, 1 worker", self.alone, self.flat_out_once)
        four = self.measure("flat out, 4 workers", Stand, self.flat_out_once)
        bare = self.bare_rates()
        total = self.count(self.flat_out)
        self.table.add(f"nats_publish() flat out, {total:,} in a loop", "us a call", "less", one["us"], 6)
        for what, rates, wanted in (("1 worker", one["rate"], 5), ("4 workers", four["rate"], 3.5)):
            self.table.add(f"delivered to a subscriber, {what}", "messages/s", "more", rates, wanted, bare=bare)
            shares = [f"{median(rates[name]) / median(bare):.0%}" if rates[name] else STUCK for name in MODULES]
            self.table.row(f"{what}: part of the bare client's rate", "", *shares)
        self.table.add("processor time a message, 1 worker", "us", "less", one["cpu"])
        self.table.add("processor time a message, 4 workers", "us", "less", four["cpu"])
        self.account("flat out, 1 worker", one)
        self.account("flat out, 4 workers", four)

    def latency(self):
        found = self.measure("latency", Stand, self.latency_once)
        at = f"script to subscriber at {RATE:,} messages/s"
        self.table.add(f"{at}, p50", "us", "less", found["p50"], 4)
        self.table.add(f"{at}, p99", "us", "less", found["p99"])
        self.account("latency", found)

    def consume(self):
        for workers in (1, 4):
            stand = partial(Stand, consumers=workers)
            found = self.measure(f"consume, {workers}", stand, self.consume_once)
            with_workers = f"{workers} consumer process{'es' if workers > 1 else ''}"
            self.table.add(f"consuming, {with_workers}", "events/s", "more", found["rate"], 1)
            self.table.add(f"processor time an event, {with_workers}", "us", "less", found["cpu"], 1 / 0.6)
            self.account(f"consuming, {with_workers}", found)

    def consume_once(self, stand):
        count = self.count(CONSUMED, CONSUMED_UNIT)
        subjects = [f"event{number + 1}" for number in range(stand.consumers)]
        load = ("consume", stand.server, "consumed", WINDOW)
        harness(*load, CONSUMED_UNIT, SIZE, *subjects)
        pids = stand.kamailio.pids()
        before = cpu_ns(pids)
        consumed, took = harness(*load, count, SIZE, *subjects)
        cpu = cpu_ns(pids) - before
        if stand.module == OURS:
            stand.kamailio.settled("consumed", count + CONSUMED_UNIT)
        lost = count - consumed
        return {"rate": consumed * 1e9 / took, "cpu": cpu / 1e3 / max(1, consumed), "refused": 0, "lost": lost}

    def idle(self):
        found = {module: self.idle_once(module) for module in MODULES}
        after = f"after {self.count(MANY):,} messages"
        for name, what, unit, wanted in (
            ("wakes", f"wake-ups of the engine in {IDLE_SECONDS} s, idle", "", "0"),
            ("all wakes", f"wake-ups of all the module's processes in {IDLE_SECONDS} s, idle", "", ""),
            ("VmRSS", "engine resident, idle", "KiB", "< 16,384"),
            ("RssAnon", "of that its own data", "KiB", ""),
            ("RssFile", "of that program and libraries", "KiB", ""),
            ("RssShmem", "of that shared memory", "KiB", ""),
            ("VmRSS after", f"engine resident {after}", "KiB", ""),
            ("private", "private memory of all the module's processes, idle", "KiB", ""),
            ("private after", f"the same {after}", "KiB", ""),
            ("shm", "Kamailio's shared memory in use, idle", "bytes", ""),
            ("shm after", f"the same {after}", "bytes", "unchanged"),
            ("region", "the module's own shared region, idle", "KiB", ""),
            ("region after", f"the same {after}", "KiB", "unchanged"),
        ):
            self.table.row(what, unit, found[ORIGINAL].get(name), found[OURS].get(name), wanted=wanted)

    def idle_once(self, module):
        """Rests, with one consumer that nobody sends anything, then publishes, then looks again."""
        with Stand(module, 1) as stand:
            # What connecting and warming up started, and the server's first PING, are over.
            time.sleep(IDLE_SECONDS / 2)
            own = stand.own_processes()
            engine = own[-1:] if module == OURS else []
            switches = wake_ups(own), wake_ups(engine)
            time.sleep(IDLE_SECONDS)
            found = {"all wakes": wake_ups(own) - switches[0]}
            if engine:
                found["wakes"] = wake_ups(engine) - switches[1]
            found |= self.memory(stand, own, engine)
            self.publish_many(stand)
            found |= {f"{name} after": value for name, value in self.memory(stand, own, engine).items()}
        self.say(f"idle, {module}: " + ", ".join(f"{name} {value}" for name, value in found.items()))
        return found

    def memory(self, stand, own, engine):
        found = {"private": private_kib(own), "shm": stand.kamailio.rpc("core.shmmem")["used"]}
        if engine:
            found |= memory_kib(engine[0])
            found["region"] = region_kib(engine[0])
        return found

    def publish_many(self, stand):
        count = self.count(MANY) // stand.children
        stand.loops("publish", count)
        stand.counter.take(stand.children * count)
        if stand.module == OURS:
            stand.kamailio.settled("delivered", stand.kamailio.rpc("nats.stats")["accepted"])


PARTS = ("burst", "publish", "latency", "consume", "idle")
