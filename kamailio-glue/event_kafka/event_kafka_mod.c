/*
 * event_kafka.so: publishes to Kafka with reports of the delivery, and consumes from there.
 */
#include "shim.h"

#include "core/dprint.h"
#include "core/kemi.h"
#include "core/mod_fix.h"
#include "core/pt.h"

#include "event.h"
#include "event_list.h"
#include "report.h"
#include "variable.h"

MODULE_VERSION

static int mod_init(void);
static int child_init(int rank);
static int w_kafka_publish2(sip_msg_t *msg, char *broker, char *message);
static int w_kafka_publish3(
		sip_msg_t *msg, char *broker, char *message, char *key);
static int w_kafka_publish4(
		sip_msg_t *msg, char *broker, char *message, char *key, char *report);
static int w_kafka_publish5(sip_msg_t *msg, char *broker, char *message,
		char *key, char *report, char *headers);
static int publish_fixup(void **param, int number);
static int publish_free(void **param, int number);
static void rpc_stats(rpc_t *rpc, void *context);
static void rpc_tls_reload(rpc_t *rpc, void *context);
static int set_event_callback(modparam_t type, void *value);
static int worker_step(uint32_t worker);

/* Parameters; their meaning is in README.md and src/kafka/settings.rs. */
/* clang-format off */
#define EVENT_KAFKA_SETTINGS(TEXT, NUMBER) \
	TEXT(event_kafka, broker_id) \
	TEXT(event_kafka, consume) \
	NUMBER(event_kafka, report_workers) \
	TEXT(event_kafka, event_subscription) \
	NUMBER(event_kafka, event_subscriptions_max) \
	NUMBER(event_kafka, event_sockets_max) \
	NUMBER(event_kafka, queue_size) \
	NUMBER(event_kafka, message_size_max) \
	NUMBER(event_kafka, queue_full_wait_ms) \
	NUMBER(event_kafka, drain_timeout_ms) \
	NUMBER(event_kafka, inbox_size)

EVENT_KAFKA_SETTINGS(SIPBUS_TEXT_SETTING, SIPBUS_NUMBER_SETTING)

static param_export_t params[] = {
	EVENT_KAFKA_SETTINGS(SIPBUS_TEXT_ROW, SIPBUS_NUMBER_ROW)
	{"event_callback", PARAM_STRING | PARAM_USE_FUNC, (void *)set_event_callback},
	{0, 0, 0}
};

static cmd_export_t cmds[] = {
	{"kafka_publish", SIPBUS_FUNCTION(w_kafka_publish2), 2,
		publish_fixup, publish_free, ANY_ROUTE},
	{"kafka_publish", SIPBUS_FUNCTION(w_kafka_publish3), 3,
		publish_fixup, publish_free, ANY_ROUTE},
	{"kafka_publish", SIPBUS_FUNCTION(w_kafka_publish4), 4,
		publish_fixup, publish_free, ANY_ROUTE},
	{"kafka_publish", SIPBUS_FUNCTION(w_kafka_publish5), 5,
		publish_fixup, publish_free, ANY_ROUTE},
	{"raise_event", SIPBUS_FUNCTION(w_raise_event1), 1,
		event_call_fixup, event_call_free, ANY_ROUTE},
	{"raise_event", SIPBUS_FUNCTION(w_raise_event2), 2,
		event_call_fixup, event_call_free, ANY_ROUTE},
	{"raise_event", SIPBUS_FUNCTION(w_raise_event3), 3,
		event_call_fixup, event_call_free, ANY_ROUTE},
	{"raise_event_json", SIPBUS_FUNCTION(w_raise_event_json), 2,
		event_json_fixup, sipbus_text_free, ANY_ROUTE},
	{"subscribe_event", SIPBUS_FUNCTION(w_subscribe_event2), 2,
		event_subscribe_fixup, sipbus_text_free, ANY_ROUTE},
	{"subscribe_event", SIPBUS_FUNCTION(w_subscribe_event3), 3,
		event_subscribe_fixup, sipbus_text_free, ANY_ROUTE},
	{0, 0, 0, 0, 0, 0}
};

static pv_export_t variables[] = {
	{str_init("kafka"), PVT_OTHER, kafka_variable, 0, kafka_variable_name, 0, 0, 0},
	{str_init("event"), PVT_OTHER, event_variable, 0, event_variable_name, 0, 0, 0},
	{{0, 0}, 0, 0, 0, 0, 0, 0, 0}
};

static const char *rpc_tls_reload_doc[] = {"Reads the certificates again, and connects with them", 0};
static const char *rpc_stats_doc[] = {"What became of the messages, by broker", 0};

/* Registered in mod_init: kafka.so, which may be there too, has the first one as well. */
static rpc_export_t rpc_methods[] = {
	{"kafka.stats", rpc_stats, rpc_stats_doc, 0},
	{"event_kafka.tls_reload", rpc_tls_reload, rpc_tls_reload_doc, 0},
	{0, 0, 0, 0}
};

struct module_exports exports = {
	"event_kafka",
	DEFAULT_DLFLAGS,
	cmds,
	params,
	0,
	variables,
	0,
	mod_init,
	child_init,
	0
};
/* clang-format on */

/* A stop delivers messages too, and these workers come first. */
static int runs_reports(uint32_t worker)
{
	return worker < sipbus_kafka_report_workers();
}

static sipbus_shim shim = {
		.name = "event_kafka",
		.configure = sipbus_event_kafka_configure,
		.worker_title = sipbus_event_kafka_worker_title,
		.worker_step = worker_step,
		.worker_outlives_stop = runs_reports,
};

static int set_event_callback(modparam_t type, void *value)
{
	(void)type;
	return sipbus_shim_callback(&shim, value);
}

static int mod_init(void)
{
	if(kafka_report_init() < 0)
		return -1;
	if(sipbus_rpc_register_missing(rpc_methods) < 0)
		return -1;
	if(event_interface_init() < 0)
		return -1;
	return sipbus_shim_init(&shim);
}

static int child_init(int rank)
{
	if(sipbus_shim_child(&shim, rank) < 0)
		return -1;
	return event_interface_child(rank);
}

static int worker_step(uint32_t worker)
{
	sipbus_kafka_event event;
	sipbus_kafka_report report;
	int ran = sipbus_kafka_event_wait(worker, &event);

	if(ran <= 0)
		return ran < 0 ? -1 : 1;
	if(sipbus_kafka_event_report(&report))
		ran = kafka_report_run(&report);
	else
		ran = sipbus_event_run(event.route, event.name, &shim.callback);
	sipbus_kafka_event_done(ran);
	return 0;
}

/* kafka_publish */

static int invalid(const char *why)
{
	return sipbus_kafka_publish_invalid((uint32_t)process_no, why);
}

static int publish_fixup(void **param, int number)
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

static int publish_free(void **param, int number)
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

static int w_kafka_publish2(sip_msg_t *msg, char *broker, char *message)
{
	return publish(msg, broker, message, NULL, NULL, NULL);
}

static int w_kafka_publish3(
		sip_msg_t *msg, char *broker, char *message, char *key)
{
	return publish(msg, broker, message, key, NULL, NULL);
}

static int w_kafka_publish4(
		sip_msg_t *msg, char *broker, char *message, char *key, char *report)
{
	return publish(msg, broker, message, key, report, NULL);
}

static int w_kafka_publish5(sip_msg_t *msg, char *broker, char *message,
		char *key, char *report, char *headers)
{
	return publish(msg, broker, message, key, report, headers);
}

/* KEMI */

static int ki_publish_headers(sip_msg_t *msg, str *broker, str *message,
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

static int ki_publish_report(
		sip_msg_t *msg, str *broker, str *message, str *key, str *report)
{
	return ki_publish_headers(msg, broker, message, key, report, NULL);
}

static int ki_publish_key(sip_msg_t *msg, str *broker, str *message, str *key)
{
	return ki_publish_headers(msg, broker, message, key, NULL, NULL);
}

static int ki_publish(sip_msg_t *msg, str *broker, str *message)
{
	return ki_publish_headers(msg, broker, message, NULL, NULL, NULL);
}

/* clang-format off */
static sr_kemi_t kemi_exports[] = {
	{str_init("event_kafka"), str_init("publish"), SR_KEMIP_INT, ki_publish,
		{SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE,
		 SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}},
	{str_init("event_kafka"), str_init("publish_key"), SR_KEMIP_INT, ki_publish_key,
		{SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR,
		 SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}},
	{str_init("event_kafka"), str_init("publish_report"), SR_KEMIP_INT, ki_publish_report,
		{SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR,
		 SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE}},
	{str_init("event_kafka"), str_init("publish_headers"), SR_KEMIP_INT, ki_publish_headers,
		{SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR,
		 SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE}},
	{str_init("event_kafka"), str_init("raise_event"), SR_KEMIP_INT, ki_raise_event,
		{SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE,
		 SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}},
	{str_init("event_kafka"), str_init("raise_event_json"), SR_KEMIP_INT, ki_raise_event_json,
		{SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE,
		 SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}},
	{str_init("event_kafka"), str_init("subscribe_event"), SR_KEMIP_INT, ki_subscribe_event,
		{SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE,
		 SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}},
	{str_init("event_kafka"), str_init("subscribe_event_expire"), SR_KEMIP_INT, ki_subscribe_event_expire,
		{SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_INT,
		 SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}},
	{{0, 0}, {0, 0}, 0, NULL, {0, 0, 0, 0, 0, 0}}
};
/* clang-format on */

int mod_register(char *path, int *dlflags, void *p1, void *p2)
{
	(void)path;
	(void)dlflags;
	(void)p1;
	(void)p2;
	sipbus_shim_register();
	sr_kemi_modules_add(kemi_exports);
	return 0;
}

/* RPC */

static void rpc_tls_reload(rpc_t *rpc, void *context)
{
	sipbus_rpc_tls_reload(rpc, context, "event_kafka");
}

static void rpc_stats(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, sipbus_kafka_stats, "event_kafka");
}
