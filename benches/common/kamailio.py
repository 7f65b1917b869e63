"""A Kamailio that is measured: its start, its SIP, its RPC."""

import json
import os
import socket
import subprocess
from pathlib import Path

from common.process import Failure, Program, family, wait_for

TOP = Path(__file__).resolve().parent.parent.parent


def stock_modules():
    command = [str(TOP / "kamailio-glue/build/stock-modules")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def our_modules():
    return os.environ.get("SIPBUS_MODULES") or str(TOP / "target/modules")


def mem_join():
    """Kamailio's parameter, whose own default is 1."""
    return os.environ.get("BENCH_MEM_JOIN") or "0"


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sip:
    """Requests over UDP, several at once where that is wanted. Answers are the numbers in their reason phrases."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.sent = 0

    def send(self, user, count, headers=""):
        self.sent += 1
        host, port = self.socket.getsockname()
        self.socket.send(
            f"OPTIONS sip:{user}@127.0.0.1:{self.port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{self.sent}\r\n"
            f"From: <sip:bench@127.0.0.1>;tag=t{self.sent}\r\n"
            f"To: <sip:{user}@127.0.0.1>\r\n"
            f"Call-ID: {self.sent}@{host}:{port}\r\n"
            f"CSeq: {self.sent} OPTIONS\r\n"
            f"Max-Forwards: 10\r\n"
            f"Count: {count}\r\n"
            f"{headers}"
            f"Content-Length: 0\r\n\r\n".encode()
        )

    def receive(self, seconds=120):
        self.socket.settimeout(seconds)
        try:
            text = self.socket.recv(65536).decode(errors="replace")
        except TimeoutError as error:
            raise Failure(f"Kamailio did not answer within {seconds} seconds.") from error
        return [int(word) for word in text.splitlines()[0].split()[3:]]

    def ask(self, user, count):
        self.send(user, count)
        return self.receive()

    def answers(self):
        try:
            self.send("ready", 0)
            return self.receive(0.2)
        except (Failure, ConnectionRefusedError):
            return None


class Kamailio(Program):
    """With the modules of the folder `mpath` names first."""

    def __init__(self, config, mpath, defines, folder):
        self.folder = Path(folder)
        port = free_udp_port()
        values = {
            "SIP_LISTEN": f"udp:127.0.0.1:{port}",
            "RPC_SOCKET": f'"{self.folder}/rpc"',
            "MODULES": f'"{mpath}"',
            "MEM_JOIN": mem_join(),
            **defines,
        }
        options = [part for name, value in values.items() for part in ("-A", f"{name}={value}" if value else name)]
        command = ["kamailio", "-DD", "-E", "-m", "256", "-M", "16", "-f", str(config), *options]
        command += ["-w", str(folder), "-Y", str(folder), "-P", f"{folder}/kamailio.pid"]
        super().__init__("kamailio", command, folder)
        self.port = port
        self.sip = None

    def wait_until_it_answers(self):
        self.wait_for("answer from Kamailio", Sip(self.port).answers)
        # A socket that no late answer can reach.
        self.sip = Sip(self.port)

    def rpc(self, method, *params):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            own = self.folder / "rpc-client"
            own.unlink(missing_ok=True)
            client.bind(str(own))
            client.settimeout(20)
            client.sendto(json.dumps(request).encode(), str(self.folder / "rpc"))
            answer = json.loads(client.recv(1 << 18))
        if "result" not in answer:
            raise Failure(f"{method}: {answer}")
        return answer["result"]

    def pids(self):
        return family(self.process.pid)

    def titled(self, *words):
        """The processes whose description, as Kamailio tells it, has one of the words."""
        listed = self.rpc("core.psx")
        return [entry["PID"] for entry in listed if any(word in entry["DSC"].lower() for word in words)]

    def settled(self, name, value, seconds=20, method="nats.stats"):
        """Waits for a counter of nats.stats, or of another method's."""
        wait_for(f"{name} of {value}", lambda: self.rpc(method)[name] >= value, seconds)
