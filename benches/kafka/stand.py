"""What is measured stands here: a mock cluster in a program of its own, and a Kamailio with event_kafka.so."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common.harness import HARNESS, OURS, mpath
from common.kamailio import Kamailio
from common.process import Failure, wait_for

CONFIG = Path(__file__).with_name("kamailio.cfg")


class Cluster:
    """librdkafka's mock cluster. It keeps 5 MiB a partition, so what is to be consumed needs many."""

    def __init__(self, partitions):
        command = [str(HARNESS), "kafka-cluster", str(partitions), "bench", "consumed"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.brokers = self.process.stdout.readline().strip()
        if not self.brokers:
            raise Failure("The mock cluster did not start.")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()


class Stand:
    """A context: inside it Kamailio runs, after it everything has ended."""

    def __init__(self, cluster, consume=None, children=4):
        self.cluster = cluster
        self.children = children
        self.consume = consume

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sipbus-bench-"))
        defines = {"CHILDREN": str(self.children), "KAFKA_SOCKET": f'"[bench]{self.cluster.brokers}/bench"'}
        if self.consume:
            defines["CONSUME"] = f'"brokers={self.cluster.brokers};{self.consume}"'
        self.kamailio = Kamailio(CONFIG, mpath(OURS), defines, self.folder)
        try:
            self.kamailio.wait_until_it_answers()
        except BaseException:
            self.__exit__(sys.exc_info()[0])
            raise
        return self

    def __exit__(self, kind=None, *_):
        if kind is Failure:
            print(f"kamailio, the end of its log:\n{self.kamailio.tail()}", file=sys.stderr)
        self.kamailio.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def counter(self, name):
        found = self.kamailio.rpc("stats.fetchn", f"event_kafka:{name}")
        return int(found[f"event_kafka.{name}"])

    def settled(self, name, value, seconds=60):
        wait_for(f"{name} of {value}", lambda: self.counter(name) >= value, seconds)
