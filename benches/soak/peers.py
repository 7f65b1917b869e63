"""The other ends of the buses: each receives what Kamailio tells and sends events for Kamailio, both by number."""

import json
import re
import threading
import time

import pika
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from nats_client import Client


class Peer:
    """Two threads, one that receives and one that sends `rate` events a second while nobody pauses it. What fails,
    since a server is away, is tried again."""

    bus = ""

    def __init__(self, ledger, events, rate, padding):
        self.ledger = ledger
        self.events = events
        self.rate = rate
        self.padding = padding
        self.next = 0
        self.failed = None
        self.may_send = threading.Event()
        self.ended = threading.Event()
        self.ready = threading.Event()
        self.threads = [threading.Thread(target=self.again, args=(work,), daemon=True)
                        for work in (self.receive, self.send)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def again(self, work):
        while not self.ended.is_set():
            try:
                work()
            except Exception as error:  # pylint: disable=broad-except; each client library has errors of its own
                self.failed = error
                self.ended.wait(0.1)

    def pace(self):
        """Waits until the next event is due; False at the end."""
        while not self.may_send.wait(0.2):
            if self.ended.is_set():
                return False
        return not self.ended.wait(1 / self.rate)

    def text(self, number):
        return f"event:{number}:{self.padding(number)}".encode()

    def sent(self):
        """The event is where it cannot be lost any more."""
        self.events.accept(self.next)
        self.next += 1

    def text_came(self, text):
        fields = text.split(":", 2)
        if len(fields) < 2:
            self.ledger.unknown += 1
        else:
            self.ledger.came(self.bus, fields[0], fields[1])

    def close(self):
        self.ended.set()


class Nats(Peer):
    bus = "nats"

    def __init__(self, server, *arguments):
        super().__init__(*arguments)
        self.url = f"nats://{server}"
        self.mark_came = threading.Event()

    def receive(self):
        client = Client(self.url)
        try:
            messages = client.subscribe("soak.told")
            self.ready.set()
            for _, payload in messages:
                if payload == "mark":
                    self.mark_came.set()
                elif payload.startswith("{"):
                    self.ledger.came(self.bus, "raised", re.search(r'"number": ?(\d+)', payload).group(1))
                else:
                    self.text_came(payload)
        finally:
            self.ready.clear()
            client.close()

    def drained(self, seconds):
        """Whether all that the server took before has come, as it does before what is published now."""
        self.mark_came.clear()
        client = Client(self.url)
        client.publish("soak.told", b"mark")
        client.flush()
        client.close()
        return self.mark_came.wait(seconds)

    def send(self):
        client = Client(self.url)
        try:
            while self.pace():
                client.publish("soak.event", self.text(self.next))
                client.flush()
                self.sent()
        finally:
            client.close()


class Amqp(Peer):
    bus = "kazoo"

    def __init__(self, url, *arguments):
        super().__init__(*arguments)
        self.url = url
        self.mark_came = threading.Event()
        self.mark_wanted = threading.Event()
        self.answered = 0

    def channel(self):
        channel = pika.BlockingConnection(pika.URLParameters(self.url)).channel()
        channel.exchange_declare("soak", "topic", durable=True)
        channel.exchange_declare("targeted", "direct")
        return channel

    def receive(self):
        channel = self.channel()
        for queue, key, called in (("soak-told", "told", self.on_told), ("soak-questions", "question", self.answer)):
            channel.queue_declare(queue, durable=True)
            channel.queue_bind(queue, "soak", key)
            channel.basic_consume(queue, called, auto_ack=True)
        self.ready.set()
        try:
            while not self.ended.is_set():
                channel.connection.process_data_events(0.2)
        finally:
            self.ready.clear()
            channel.connection.close()

    def on_told(self, _channel, _method, _properties, body):
        if body == b"mark":
            self.mark_came.set()
            return
        message = json.loads(body)
        self.ledger.came(self.bus, message["Event-Name"], message["Number"])

    def answer(self, channel, _method, _properties, body):
        question = json.loads(body)
        answer = {"Event-Category": "soak", "Event-Name": "answer", "Msg-ID": question["Msg-ID"],
                  "Number": question["Number"], "Padding": self.padding(int(question["Number"]))}
        channel.basic_publish("targeted", question["Server-ID"], json.dumps(answer).encode())
        self.answered += 1

    def drained(self, seconds):
        self.mark_came.clear()
        self.mark_wanted.set()
        return self.mark_came.wait(seconds)

    def send(self):
        channel = self.channel()
        channel.confirm_delivery()
        kept = pika.BasicProperties(delivery_mode=2)
        try:
            while self.pace_or_mark():
                if self.mark_wanted.is_set():
                    channel.basic_publish("soak", "told", b"mark")
                    self.mark_wanted.clear()
                    continue
                message = {"Event-Category": "soak", "Event-Name": "event", "Number": str(self.next),
                           "Padding": self.padding(self.next)}
                channel.basic_publish("soak", "event", json.dumps(message).encode(), kept)
                self.sent()
        finally:
            channel.connection.close()

    def pace_or_mark(self):
        while not self.may_send.is_set():
            if self.mark_wanted.wait(0.05) or self.ended.is_set():
                break
        return not self.ended.wait(1 / self.rate)


class Kafka(Peer):
    bus = "kafka"

    def __init__(self, bootstrap, *arguments):
        super().__init__(*arguments)
        self.bootstrap = bootstrap
        self.consumer = None

    def receive(self):
        # The consumer outlives errors: so it goes on where it was.
        if not self.consumer:
            self.consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False,
                                          auto_offset_reset="earliest", fetch_max_wait_ms=200)
            partitions = self.consumer.partitions_for_topic("soak-out")
            self.consumer.assign([TopicPartition("soak-out", number) for number in partitions])
            self.ready.set()
        while not self.ended.is_set():
            for records in self.consumer.poll(200).values():
                for record in records:
                    self.text_came(record.value.decode())

    def send(self):
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", retries=10)
        try:
            while self.pace():
                producer.send("soak-in", self.text(self.next)).get(60)
                self.sent()
        finally:
            producer.close(1)


def settled(flows, seconds):
    """Whether within the time nothing is on its way any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(flow.lost() for flow in flows):
            return True
        time.sleep(0.2)
    return False
