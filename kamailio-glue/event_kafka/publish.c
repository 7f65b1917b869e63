/*
 * kafka_publish, for native and KEMI scripts.
 */
#include "publish.h"

#include "report.h"

#include "core/dprint.h"
#include "core/error.h"
#include "core/pt.h"

static int invalid(const char *why)
{
	return sipbus_kafka_publish_invalid((uint32_t)process_no, why);
}

int kafka_publish_fixup(void **param, int number)
{
	const str *fixed;
	int failed;

	if(number == 4)
		return kafka_report_fixup(param, number);
	failed = sipbus_text_fixup(param, number);
	if(failed != 0 || number != 1)
		return failed;
	fixed = sipbus_text_fixed(*param);
	if(fixed == NULL || sipbus_kafka_broker_known(sipbus_slice_of(fixed)))
		return 0;
	LM_ERR("kafka_publish: no broker_id has the ID \"%.*s\"\n", fixed->len,
			fixed->s);
	return E_CFG;
}

int kafka_publish_free(void **param, int number)
{
	if(number == 4)
		return kafka_report_free(param);
	return sipbus_text_free(param, number);
}

static int publish(sip_msg_t *msg, char *broker, char *message, char *key,
		char *report, char *headers)
{
	const sipbus_slice none = {NULL, 0};
	sipbus_slice to;
	sipbus_slice name = none;
	sipbus_slice lines = none;
	sipbus_slice bytes;
	uint32_t route;

	if(sipbus_text_value(msg, broker, 1, &to) != 0)
		return invalid("kafka_publish: the broker ID is $null");
	if(kafka_report_route(report, &route) != 0)
		return invalid("kafka_publish: there is no such report route");
	/* No key and $null are the same, so that a report can be asked for without a key. */
	if(key != NULL && sipbus_text_value(msg, key, 2, &name) != 0)
		name = none;
	if(headers != NULL && sipbus_text_value(msg, headers, 3, &lines) != 0)
		lines = none;
	/* The message comes last: it is used where it lies. */
	if(sipbus_text_value(msg, message, SIPBUS_TEXT_LAST, &bytes) != 0)
		return invalid("kafka_publish: the message is $null");
	return kafka_publish((uint32_t)process_no, to, bytes, name, route, lines);
}

int w_kafka_publish2(sip_msg_t *msg, char *broker, char *message)
{
	return publish(msg, broker, message, NULL, NULL, NULL);
}

int w_kafka_publish3(sip_msg_t *msg, char *broker, char *message, char *key)
{
	return publish(msg, broker, message, key, NULL, NULL);
}

int w_kafka_publish4(
		sip_msg_t *msg, char *broker, char *message, char *key, char *report)
{
	return publish(msg, broker, message, key, report, NULL);
}

int w_kafka_publish5(sip_msg_t *msg, char *broker, char *message, char *key,
		char *report, char *headers)
{
	return publish(msg, broker, message, key, report, headers);
}

/* KEMI */

int ki_kafka_publish_headers(sip_msg_t *msg, str *broker, str *message,
		str *key, str *report, str *headers)
{
	uint32_t route = 0;

	(void)msg;
	if(report != NULL && report->len > 0) {
		route = kafka_report_named(report);
		if(route == 0)
			return invalid("kafka_publish: there is no such report route");
	}
	return kafka_publish((uint32_t)process_no, sipbus_slice_of(broker),
			sipbus_slice_of(message), sipbus_slice_of(key), route,
			sipbus_slice_of(headers));
}

int ki_kafka_publish_report(
		sip_msg_t *msg, str *broker, str *message, str *key, str *report)
{
	return ki_kafka_publish_headers(msg, broker, message, key, report, NULL);
}

int ki_kafka_publish_key(sip_msg_t *msg, str *broker, str *message, str *key)
{
	return ki_kafka_publish_headers(msg, broker, message, key, NULL, NULL);
}

int ki_kafka_publish(sip_msg_t *msg, str *broker, str *message)
{
	return ki_kafka_publish_headers(msg, broker, message, NULL, NULL, NULL);
}
