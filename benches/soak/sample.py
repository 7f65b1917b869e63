"""What the processes hold, sampled every few seconds: memory, descriptors, threads, lanes."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from common.process import Failure, memory_kib

MODULES = ("nats", "kazoo", "event_kafka", "evapi")


def anonymous_kib(pid):
    """What a process has allocated and written, of pages it shares with others its part. Files are left out: a part of those
    moves whenever another program maps the same libraries. So is the shared memory, which is measured as a whole."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1])
    raise Failure(f"process {pid} has no Pss_Anon: this needs Linux 5.3 or newer")


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def region_used_kib(pid):
    """Of the memory that all map, the pages that were touched: as the process's descriptor of it tells."""
    total = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(entry).startswith("/memfd:"):
                total += os.stat(entry).st_blocks
    return total // 2


class Sampler:
    """`series`: by name, what was measured at which second since the begin."""

    def __init__(self, stand, pause):
        self.stand = stand
        self.pause = pause
        self.series = {}
        self.faults = []
        self.engines = set()
        self.begin = time.monotonic()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.processes = self.named()

    def named(self):
        """Process ids by what Kamailio calls them, the same each time: its processes never end."""
        names = {}
        for entry in self.stand.rpc("core.psx"):
            names[f"{entry['IDX']} {entry['DSC']}"] = entry["PID"]
        return names

    def start(self):
        self.thread.start()

    def run(self):
        while not self.ended.wait(self.pause):
            try:
                self.sample()
            except (Failure, OSError) as error:
                self.faults.append(f"a sample: {error}")

    def note(self, name, value):
        self.series.setdefault(name, []).append((time.monotonic() - self.begin, value))

    def sample(self):
        status = self.stand.rpc("sipbus.status")
        engine = status["engine"]["pid"]
        self.engines.add(engine)
        processes = self.processes | {"sipbus-engine": engine}
        for name, pid in processes.items():
            self.note(f"anonymous of {name}", anonymous_kib(pid))
            self.note(f"Rss of {name}", memory_kib(pid)["VmRSS"])
            self.note(f"descriptors of {name}", descriptors(pid))
            self.note(f"threads of {name}", threads(pid))
        self.note("region, touched", region_used_kib(engine))
        self.note_kamailio()
        self.note_queues(status)

    def note_kamailio(self):
        shared = self.stand.rpc("core.shmmem")
        self.note("shm, used", int(shared["used"]) / 1024)
        self.note("shm, fragments", int(shared["fragments"]))
        pids = {pid: name for name, pid in self.processes.items()}
        for entry in self.stand.rpc("pkg.stats"):
            if entry["pid"] in pids:
                self.note(f"pkg of {pids[entry['pid']]}", int(entry["used"]) / 1024)
        self.note("transactions", int(self.stand.rpc("tm.stats")["current"]))

    def note_queues(self, status):
        lanes, queued, waiting = 0, 0, 0
        for connector in status["connectors"]:
            lanes += len(connector["lanes"])
            queued += sum(lane["used"] for lane in connector["lanes"])
            waiting += sum(inbox["used"] for inbox in connector["inboxes"])
        self.note("lanes", lanes)
        self.note("queued in lanes", queued / 1024)
        self.note("waiting in inboxes", waiting / 1024)
        self.note("evapi clients", len(self.stand.rpc("evapi.clients")["clients"]))

    def stop(self):
        self.ended.set()
        self.thread.join()


def counters(stand, module):
    """All statistics of a module."""
    found = stand.rpc("stats.fetch", f"{module}:")
    return {name.partition(".")[2]: int(value) for name, value in found.items()}
