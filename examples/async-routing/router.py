#!/usr/bin/env python3
"""The routing program of this example, in Python, with nothing but its standard library. Kamailio asks it where each
call should go. router.js is the same in Node.js.
usage: router.py [HOST:PORT of Kamailio's event socket] [URI of gateway 1] [URI of gateway 2]"""

import json
import re
import socket
import sys
import time

DEFAULTS = ["127.0.0.1:8448", "sip:127.0.0.1:5080", "sip:127.0.0.1:5090"]
ADDRESS, GATEWAY_1, GATEWAY_2 = sys.argv[1:4] + DEFAULTS[len(sys.argv) - 1 :]
RECONNECT_SECONDS = 0.25


def route(callee):
    """Where calls go. Put your own rules, or the questions to your database, here."""
    if re.fullmatch(r"\+?[1-9][0-9]{1,14}", callee):
        # A telephone number (E.164): gateway 1, and if that fails, gateway 2.
        first = {"uri": GATEWAY_1, "headers": {"extra": "X-Hdr-A: abc\r\nX-Hdr-B: bcd\r\n"}}
        second = {"uri": GATEWAY_2, "headers": {"extra": "X-Hdr-C: cde\r\nX-Hdr-D: def\r\n"}}
        return {"routing": "serial", "routes": [first, second]}
    if callee == "support":
        # Both ring at once, and who answers first has the call.
        return {"routing": "parallel", "routes": [{"uri": GATEWAY_1}, {"uri": GATEWAY_2}]}
    # A local extension: Kamailio knows where that phone is.
    return {"routing": "location"}


def answer(text):
    """What to send back, or None where the message asks for nothing."""
    try:
        question = json.loads(text)
    except ValueError:
        print("not JSON:", text)
        return None
    if not isinstance(question, dict) or question.get("event") != "sip-routing":
        return None
    xtra = {"tindex": question.get("tindex"), "tlabel": question.get("tlabel")}
    return json.dumps({"version": "1.0", "xtra": xtra, **route(str(question.get("callee")))})


class Frames:
    """Messages travel as netstrings: the length in bytes, a colon, the message, a comma. TCP knows nothing of
    messages: what arrives at once may be several of them, or a part of one."""

    def __init__(self):
        self.buffer = b""

    def take(self, data):
        """All messages that are complete with this data."""
        self.buffer += data
        messages = []
        while True:
            head, colon, rest = self.buffer.partition(b":")
            if not re.fullmatch(rb"[0-9]{0,9}", head) or (colon and not head):
                raise ValueError(f"no netstring: {head[:20]!r}")
            if not colon or len(rest) <= int(head):
                return messages
            size = int(head)
            if rest[size : size + 1] != b",":
                raise ValueError("a netstring without its comma")
            messages.append(rest[:size].decode(errors="replace"))
            self.buffer = rest[size + 1 :]


def send(connection, text):
    data = text.encode()
    connection.sendall(b"%d:%s," % (len(data), data))


def serve(connection):
    """Answers until the connection ends."""
    frames = Frames()
    send(connection, json.dumps({"version": "1.0", "client": "router.py"}))
    while data := connection.recv(65536):
        for text in frames.take(data):
            reply = answer(text)
            if reply is not None:
                print("asked   ", text)
                print("answered", reply)
                send(connection, reply)


def main():
    sys.stdout.reconfigure(line_buffering=True)
    host, port = ADDRESS.rsplit(":", 1)
    while True:
        try:
            with socket.create_connection((host, int(port))) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                print("connected to", ADDRESS)
                serve(connection)
        except (OSError, ValueError) as error:
            print(f"{ADDRESS}: {error}")
        # Kamailio is away, or was restarted: we try until it is back.
        time.sleep(RECONNECT_SECONDS)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
