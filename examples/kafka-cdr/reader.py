#!/usr/bin/python3
"""Reads call records from Kafka and prints each call when it has ended: reader.py BOOTSTRAP TOPIC
Needs Debian's python3-kafka."""

import json
import sys

from kafka import KafkaConsumer, TopicPartition


def records(bootstrap, topic):
    """All records of the topic, from its beginning, and then those that come."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    partitions = consumer.partitions_for_topic(topic) or {0}
    consumer.assign([TopicPartition(topic, number) for number in partitions])
    print("reading", flush=True)
    for record in consumer:
        yield record


def main():
    started = {}
    for record in records(*sys.argv[1:3]):
        call = json.loads(record.value)
        where = f"partition {record.partition}, offset {record.offset}"
        print(f"{call['event']:6} key {record.key.decode()}, {where}", flush=True)
        if call["event"] == "start":
            started[call["call_id"]] = call
        elif call["event"] == "end":
            # The key keeps a call's records in order: its start was read before.
            start = started.pop(call["call_id"])
            print(f"call   {call['from']} to {call['to']}: {call['time'] - start['time']} s", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
