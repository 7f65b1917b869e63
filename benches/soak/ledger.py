"""Who was told what: for each flow, which numbers were accepted or refused, and how often each one came."""

import threading

ACCEPTED, REFUSED = 1, 2


class Flow:
    """Messages with numbers from 0, on their way from one side to the other."""

    def __init__(self, name):
        self.name = name
        self.told = bytearray()
        self.came = bytearray()
        self.lock = threading.Lock()

    @staticmethod
    def at(table, number):
        if number >= len(table):
            table.extend(bytes(number + 4096 - len(table)))
        return number

    def accept(self, number, accepted=True):
        with self.lock:
            self.told[self.at(self.told, number)] = ACCEPTED if accepted else REFUSED

    def receive(self, number):
        with self.lock:
            place = self.at(self.came, number)
            self.came[place] = min(self.came[place] + 1, 255)

    def lost(self):
        """Accepted, and not there."""
        with self.lock:
            came = self.came.ljust(len(self.told), b"\0")
            return [number for number, told in enumerate(self.told) if told == ACCEPTED and not came[number]]

    def counts(self):
        lost = len(self.lost())
        with self.lock:
            told = self.told.ljust(len(self.came), b"\0")
            refused_and_came = sum(1 for was, came in zip(told, self.came) if was == REFUSED and came)
            return {
                "accepted": self.told.count(ACCEPTED),
                "refused": self.told.count(REFUSED),
                "received": len(self.came) - self.came.count(0),
                "twice": sum(came - 1 for came in self.came if came > 1),
                "lost": lost,
                "refused but came": refused_and_came,
            }


class Ledger:
    """All flows, by the word their messages begin with and the bus they come over."""

    def __init__(self):
        self.flows = {}
        self.unknown = 0

    def flow(self, word, bus):
        return self.flows.setdefault((word, bus), Flow(f"{word}, over {bus}"))

    def came(self, bus, word, number):
        found = self.flows.get((word, bus))
        if found and number.isdigit():
            found.receive(int(number))
        else:
            self.unknown += 1
