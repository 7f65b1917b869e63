#!/usr/bin/python3
"""The other end of the bus: a directory that knows the users, and a switch that knows who is on the phone.

usage: directory.py AMQP-URL [USER:PASSWORD ...]

It answers Kamailio's questions for passwords, prints what Kamailio tells about registrations, and reports calls to
whoever has a lamp for somebody. Lines of its standard input make it ask and tell:
  query USER REALM            who is registered?
  flush USER REALM            is not to be registered any more
  call USER REALM STATE       early, confirmed, terminated
Each line of its output is one event, as JSON.
"""

import json
import sys
import threading
import uuid

import pika

NODE = "directory@example"


def encoded(word):
    """A word of a routing key, the way {kz.encode} writes it."""
    kept = "-_~"
    return "".join(c if c.isascii() and c.isalnum() or c in kept else f"%{ord(c):02X}" for c in word)


class Directory:
    def __init__(self, url, users):
        self.users = users
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        for exchange in ("callmgr", "registrar", "presence", "subscriptions"):
            self.channel.exchange_declare(exchange, "topic")
        self.channel.exchange_declare("targeted", "direct")
        self.own = self.channel.queue_declare("", exclusive=True).method.queue
        # Where answers to our own questions go.
        self.channel.queue_bind(self.own, "targeted", NODE)
        self.channel.queue_bind(self.own, "callmgr", "authn.req.*")
        self.channel.queue_bind(self.own, "registrar", "registration.success.#")
        self.channel.queue_bind(self.own, "subscriptions", "subscription.new")
        self.channel.basic_consume(self.own, self.on_message, auto_ack=True)

    def run(self):
        print(json.dumps({"Event-Name": "ready"}), flush=True)
        threading.Thread(target=self.read_commands, daemon=True).start()
        self.channel.start_consuming()

    def read_commands(self):
        for line in sys.stdin:
            words = line.split()
            # Channels belong to the thread that consumes.
            self.connection.add_callback_threadsafe(lambda words=words: self.command(*words))

    def command(self, verb, user, realm, state=None):
        if verb == "call":
            self.report(user, realm, state)
            return
        message = {"Event-Category": "directory", "Event-Name": f"reg_{verb}", "Username": user, "Realm": realm}
        self.publish("registrar", f"registration.{verb}.{encoded(realm)}", message)

    def on_message(self, _channel, _method, _properties, body):
        message = json.loads(body)
        if message["Event-Name"] == "authn_req":
            self.authenticate(message)
            return
        print(json.dumps(message), flush=True)

    def authenticate(self, question):
        user = question["Auth-User"]
        answer = {"Event-Category": "directory", "Event-Name": "authn_err"}
        if user in self.users:
            answer |= {"Event-Name": "authn_resp", "Auth-Method": "password", "Auth-Password": self.users[user]}
        self.answer(question, answer)

    def answer(self, question, answer):
        """Goes to the queue that the question names, under the number by which its asker knows it."""
        self.publish("targeted", question["Server-ID"], answer | {"Msg-ID": question["Msg-ID"]})

    def report(self, user, realm, state):
        """What a switch says of a call: the state of a dialog."""
        address = f"sip:{user}@{realm}"
        self.publish("presence", f"update.dialog.{encoded(realm)}", {
            "Event-Category": "presence", "Event-Name": "update", "Event-Package": "dialog", "State": state,
            "From": address, "From-User": user, "From-Realm": realm, "From-Tag": "f",
            "To": f"sip:somebody@{realm}", "To-User": "somebody", "To-Realm": realm, "To-Tag": "t",
            "Direction": "initiator", "Call-ID": f"call-of-{user}", "Switch-URI": "sip:switch.example",
            "Expires": 3600 if state != "terminated" else 10,
        })

    def publish(self, exchange, key, message):
        message = {"App-Name": "directory", "App-Version": "1", "Node": NODE, "Msg-ID": str(uuid.uuid4()),
                   "Server-ID": NODE} | message
        properties = pika.BasicProperties(content_type="application/json")
        self.channel.basic_publish(exchange, key, json.dumps(message).encode(), properties)


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    url, *users = arguments
    directory = Directory(url, dict(user.split(":", 1) for user in users))
    try:
        directory.run()
    except KeyboardInterrupt:
        pass
    except pika.exceptions.AMQPError as error:
        print(f"directory.py: {error!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
