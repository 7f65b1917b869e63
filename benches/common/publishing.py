"""What is measured of publishing, alike for nats.so and kazoo.so."""

from statistics import median

import common.bench
from common.harness import harness
from common.process import Failure, cpu_ns

BURST = 1_000
RATE = 1_000


class Publishing(common.bench.Bench):
    # What measures stand in; without a module only the server is there.
    stand = None
    # How many bursts, and how many calls in a loop.
    bursts = None
    flat_out = None
    # The load generator's kinds for the server begin with it.
    protocol = ""
    # Where the subscriber gets its messages from.
    target = None
    # Bytes of a message as a bare client sends it.
    bare_size = None

    def alone(self, module):
        """One SIP worker, so the loop without the call is the same worker's."""
        return self.stand(module, children=1)

    def burst_once(self, stand):
        sip, took, empty, refused, lost = stand.kamailio.sip, [], [], 0, 0
        for _ in range(self.count(self.bursts)):
            empty.append(sip.ask("empty", BURST)[0])
            micros, without = sip.ask("publish", BURST)
            took.append(micros)
            refused += without
            # Nothing of this burst is on its way any more when the next one begins.
            lost += BURST - without - stand.counter.take(BURST - without)[0]
        return {"us": (median(took) - median(empty)) / BURST, "refused": refused, "lost": lost}

    def flat_out_once(self, stand):
        """A long loop in each SIP worker at once."""
        count, workers = self.count(self.flat_out), stand.children
        pids = stand.kamailio.pids()
        begin = cpu_ns(pids)
        empty = median(micros for micros, _ in stand.loops("empty", count))
        before = cpu_ns(pids)
        answers = stand.loops("publish", count)
        accepted = workers * count - sum(refused for _, refused in answers)
        arrived, first, last = stand.counter.take(accepted)
        cpu = cpu_ns(pids) - before - (before - begin)
        took = median(micros for micros, _ in answers)
        return {
            "us": (took - empty) / count,
            "rate": arrived * 1e9 / max(1, last - first),
            "cpu": cpu / 1e3 / max(1, arrived),
            "refused": workers * count - accepted,
            "lost": accepted - arrived,
        }

    def bare_rates(self):
        """What a bare client publishes, in messages a second, by rounds."""
        return [self.bare_rate(turn) for turn in range(self.rounds)]

    def bare_rate(self, turn):
        count = self.count(4 * self.flat_out)
        with self.stand(None) as stand:
            counter = stand.subscribe()
            harness(f"{self.protocol}publish", stand.server, count, self.bare_size, self.target)
            arrived, first, last = counter.take(count)
        if arrived != count:
            raise Failure(f"{arrived} of {count} messages of the bare client arrived.")
        rate = count * 1e9 / (last - first)
        self.say(f"bare client, round {turn + 1}: rate {rate:.4g}")
        return rate

    def latency_once(self, stand):
        count = self.count(5 * RATE)
        sip = f"127.0.0.1:{stand.kamailio.sip.port}"
        arrived, p50, p99, _ = harness(f"{self.protocol}latency", stand.server, self.target, sip, RATE, count)
        return {"p50": p50 / 1e3, "p99": p99 / 1e3, "refused": 0, "lost": count - arrived}
