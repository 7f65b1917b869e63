/*
 * kafka_publish, for native and KEMI scripts.
 */
#ifndef EVENT_KAFKA_PUBLISH_H
#define EVENT_KAFKA_PUBLISH_H

#include "shim.h"

/* Fixup and its free function for all its parameters. */
int kafka_publish_fixup(void **param, int number);
int kafka_publish_free(void **param, int number);

int w_kafka_publish2(sip_msg_t *msg, char *broker, char *message);
int w_kafka_publish3(sip_msg_t *msg, char *broker, char *message, char *key);
int w_kafka_publish4(
		sip_msg_t *msg, char *broker, char *message, char *key, char *report);
int w_kafka_publish5(sip_msg_t *msg, char *broker, char *message, char *key,
		char *report, char *headers);

int ki_kafka_publish(sip_msg_t *msg, str *broker, str *message);
int ki_kafka_publish_key(sip_msg_t *msg, str *broker, str *message, str *key);
int ki_kafka_publish_report(
		sip_msg_t *msg, str *broker, str *message, str *key, str *report);
int ki_kafka_publish_headers(sip_msg_t *msg, str *broker, str *message,
		str *key, str *report, str *headers);

#endif
