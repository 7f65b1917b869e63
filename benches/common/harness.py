"""The load generator, and the two modules it is used on."""

import subprocess

from common.kamailio import TOP, our_modules, stock_modules
from common.process import Failure

HARNESS = TOP / "target/bench/release/harness"
ORIGINAL, OURS = MODULES = ("original", "sipbus")


def mpath(module):
    """Where Kamailio looks for its modules, so that it takes this one."""
    stock = stock_modules() + "/"
    return {ORIGINAL: stock, OURS: f"{our_modules()}/:{stock}"}[module]


def harness(*arguments, seconds=300):
    """Runs the load generator: the numbers it prints."""
    command = [str(HARNESS), *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{' '.join(command[1:])}: no end within {seconds} seconds.") from error
    if done.returncode != 0:
        raise Failure(f"{' '.join(command[1:])}: {done.stderr.strip()}")
    return [int(word) for word in done.stdout.split()]


class Counter:
    """A load generator that goes on running: the independent receiver."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [str(HARNESS), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self.process.stdout.readline() != "ready\n":
            raise Failure("The receiver was not served.")

    def take(self, wanted):
        """What came since the last time, counts first, then when the first and the last came, in nanoseconds."""
        self.process.stdin.write(f"{wanted}\n")
        self.process.stdin.flush()
        return [int(word) for word in self.process.stdout.readline().split()]

    def close(self):
        self.process.kill()
        self.process.communicate()
