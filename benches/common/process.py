"""Programs a bench starts, and what /proc says of them."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path


class Failure(Exception):
    """The bench could not measure; the text says why, in a sentence."""


def wait_for(what, check, seconds=30):
    """The first true value that check() returns."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"There was no {what} within {seconds} seconds.")
        time.sleep(0.02)


class Program:
    """A server in the foreground, its output in a file. In a session of its own, so that Ctrl-C reaches the bench
    only, which then stops its servers in order."""

    def __init__(self, name, command, folder, env=None):
        self.name = name
        self.log = Path(folder, f"{name}.log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait_for(self, what, check, seconds=30):
        def alive_and_checked():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended: {self.tail()}")
            return check()

        return wait_for(what, alive_and_checked, seconds)

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])

    def stop(self, patience=20):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def signal_all(self, number):
        """To the program and all that descends from it: it is still there, so they are what they were, or gone."""
        for pid in family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        self.signal_all(signal.SIGKILL)
        self.process.wait()


def stat(pid):
    """The fields of /proc/PID/stat behind the name; None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def family(root):
    """The process and all that descend from it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat(entry.name)):
            parents[int(entry.name)] = int(fields[1])
    members = [root]
    for member in members:
        members += [pid for pid, parent in parents.items() if parent == member]
    return members


def cpu_ns(pids):
    """Processor time of all their threads, from the scheduler: exact, where utime and stime count in ticks."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            total += int(task.read_text().split()[0])
    return total


def wake_ups(pids):
    """How often their threads were put on a processor."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/status"):
            for line in task.read_text().splitlines():
                if "ctxt_switches" in line:
                    total += int(line.split()[1])
    return total


def memory_kib(pid):
    """VmRSS and what it is made of: RssAnon, RssFile, RssShmem."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words and "rss" in words[0].lower()}


def private_kib(pids):
    """Memory that only these processes have, each for itself: what is shared with others is left out."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_"):
                total += int(line.split()[1])
    return total


def region_kib(pid):
    """Shared memory without a name in any folder, as mapped by the process."""
    total = 0
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if "/memfd:" in line:
            begin, end = line.split()[0].split("-")
            total += int(end, 16) - int(begin, 16)
    return total // 1024
