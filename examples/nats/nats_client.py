#!/usr/bin/env python3
"""A small NATS client, for trying things out without installing one.

usage: nats_client.py URL sub SUBJECT           prints what arrives, until Ctrl-C
       nats_client.py URL pub SUBJECT PAYLOAD   publishes one message
"""

import json
import socket
import sys
from urllib.parse import urlparse


class Client:
    """A connection to one server. The protocol is text: a line per command, payloads with their length before them."""

    def __init__(self, url):
        address = urlparse(url)
        self.socket = socket.create_connection((address.hostname, address.port or 4222), timeout=10)
        self.stream = self.socket.makefile("rb")
        self.stream.readline()  # INFO {...}: what the server can do
        self.send(b"CONNECT " + json.dumps({"verbose": False, "name": "example"}).encode() + b"\r\n")
        self.flush()
        self.socket.settimeout(None)  # from here on a quiet connection is a normal one

    def send(self, data):
        self.socket.sendall(data)

    def flush(self):
        """Returns when the server has worked off all that was sent; only while nothing is subscribed yet."""
        self.send(b"PING\r\n")
        while not (answer := self.stream.readline()).startswith(b"PONG"):
            if answer.startswith(b"PING"):
                self.send(b"PONG\r\n")
            elif not answer.startswith(b"INFO"):
                raise ConnectionError(f"the NATS server answered {answer!r}")

    def publish(self, subject, payload):
        self.send(b"PUB %s %d\r\n%s\r\n" % (subject.encode(), len(payload), payload))

    def subscribe(self, subject):
        """Returns when the server knows of the subscription; then yields (subject, payload) as messages come."""
        self.send(b"SUB %s 1\r\n" % subject.encode())
        self.flush()
        return self.messages()

    def messages(self):
        while line := self.stream.readline():
            if line.startswith(b"PING"):
                self.send(b"PONG\r\n")
            elif line.startswith(b"MSG"):
                fields = line.split()
                length = int(fields[-1])
                yield fields[1].decode(), self.stream.read(length + 2)[:length].decode(errors="replace")

    def close(self):
        # shutdown() first: it wakes up a thread that is reading.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def main(arguments):
    if len(arguments) == 4 and arguments[1] == "pub":
        client = Client(arguments[0])
        client.publish(arguments[2], arguments[3].encode())
        client.flush()
        client.close()
    elif len(arguments) == 3 and arguments[1] == "sub":
        try:
            for subject, payload in Client(arguments[0]).subscribe(arguments[2]):
                print(subject, payload, flush=True)
        except KeyboardInterrupt:
            pass
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
