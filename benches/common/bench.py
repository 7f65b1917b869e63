"""What the benches of two modules side by side have in common."""

from collections import defaultdict

from common.harness import MODULES, OURS
from common.process import Failure
from common.table import STUCK, Table


class Bench:
    """The parts are methods; each adds rows to the table, and to the faults what must not happen."""

    # The module, as its RPCs call it.
    name = None
    # The counter that comes to what was accepted, where there is one.
    settles = None
    # Counters that must be 0 in the end.
    faulty = ()

    def __init__(self, rounds, scale, say):
        self.rounds = rounds
        self.scale = scale
        self.say = say
        self.table = Table()
        self.faults = []

    def count(self, whole, unit=1):
        return max(1, round(whole * self.scale / unit)) * unit

    def measure(self, part, stand, once, modules=MODULES):
        """Runs once(stand(module)) for each module in turn, in every round: name of the figure -> module -> values.
        A module that got stuck has no values, and no more rounds."""
        found, stuck = defaultdict(lambda: dict.fromkeys(modules)), set()
        for turn in range(self.rounds):
            for module in modules:
                if module in stuck:
                    continue
                what = f"{part}, round {turn + 1}, {module}"
                try:
                    figures = self.run(part, stand(module), once)
                except Failure as failure:
                    self.say(f"{what}: {STUCK}: {failure}")
                    stuck.add(module)
                    for values in found.values():
                        values[module] = None
                    if module == OURS:
                        self.faults.append(f"{part}: {failure}")
                    continue
                self.tell(what, figures)
                for name, value in figures.items():
                    found[name][module] = (found[name][module] or []) + [value]
        return found

    def run(self, part, context, once):
        with context as stand:
            figures = once(stand)
            if stand.module == OURS:
                self.check_counters(part, stand)
        return figures

    def tell(self, what, figures):
        self.say(f"{what}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))

    def check_counters(self, part, stand):
        """What our own counters say of the same."""
        method = f"{self.name}.stats"
        stats = stand.kamailio.rpc(method)
        if self.settles:
            stand.kamailio.settled(self.settles, stats["accepted"], method=method)
        for name in self.faulty:
            if stats[name]:
                self.faults.append(f"{part}: {stats[name]} {name}")

    def account(self, what, found):
        """A row for what is missing, over all rounds; ours must not lose anything. `of` is how many there were."""
        cells = []
        for module in MODULES:
            if not found["lost"][module]:
                cells.append(STUCK)
                continue
            refused, lost = (sum(found[kind][module]) for kind in ("refused", "lost"))
            share = f" ({lost / sum(found['of'][module]):.2%})" if lost and "of" in found else ""
            cells.append(f"{refused:,} / {lost:,}{share}")
            if module == OURS and lost:
                self.faults.append(f"{what}: {lost} lost")
        self.table.row(f"{what}: refused / lost", "messages", *cells, wanted="0 / 0")
