"""event_kafka.so. A package of its own, so that the client library of the same name is not taken for it."""
