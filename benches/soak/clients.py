"""Clients of the event socket: one that stays, reads and answers all the time, and guests that come and go."""

import random
import socket
import struct
import threading
from contextlib import suppress

from peers import Peer

GUESTS_MAX = 6


def netstring(data):
    return b"%d:%s," % (len(data), data)


class Steady(Peer):
    bus = "evapi"

    def __init__(self, address, *arguments):
        super().__init__(*arguments)
        self.address = address
        self.socket = None
        self.writing = threading.Lock()
        self.connections = 0

    def write(self, data):
        with self.writing:
            self.socket.sendall(netstring(data))

    def receive(self):
        self.socket = socket.create_connection(self.address)
        self.connections += 1
        stream = self.socket.makefile("rb")
        self.write(b"name:steady")
        self.ready.set()
        while digits := self.digits(stream):
            text = stream.read(int(digits) + 1)[:-1].decode()
            if text.startswith("ask:"):
                self.write(b"answer:" + text.removeprefix("ask:").encode())
            else:
                self.text_came(text)
        raise ConnectionError("Kamailio closed the connection of the client that stays.")

    @staticmethod
    def digits(stream):
        digits = b""
        while (byte := stream.read(1)) not in (b":", b""):
            digits += byte
        return digits

    def send(self):
        self.ready.wait()
        while self.pace():
            self.write(self.text(self.next))
            self.sent()

    def close(self):
        super().close()
        if self.socket:
            with suppress(OSError):  # Kamailio may have ended already
                self.socket.shutdown(socket.SHUT_RDWR)


class Guests:
    """One comes each `pause` seconds; some go in order, some by a reset, some in the middle of a message, and some never
    read."""

    def __init__(self, address, pause):
        self.address = address
        self.pause = pause
        self.came = 0
        self.present = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()

    def run(self):
        chance = random.Random(1)
        while not self.ended.wait(self.pause):
            try:
                self.come(chance)
                if len(self.present) > GUESTS_MAX:
                    self.go(self.present.pop(chance.randrange(len(self.present))), chance)
            except OSError:
                continue
        for guest in self.present:
            guest.close()

    def come(self, chance):
        guest = socket.create_connection(self.address)
        self.present.append(guest)
        self.came += 1
        guest.sendall(netstring(b"name:guest"))
        guest.setblocking(False)
        for one in self.present:
            if chance.random() < 0.7:
                self.read(one)

    @staticmethod
    def read(guest):
        try:
            while guest.recv(1 << 16):
                pass
        except OSError:
            pass

    @staticmethod
    def go(guest, chance):
        way = chance.randrange(3)
        if way == 1:
            guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way == 2:
            guest.send(b"100:this is not all")
        guest.close()

    def close(self):
        self.ended.set()
        self.thread.join()
