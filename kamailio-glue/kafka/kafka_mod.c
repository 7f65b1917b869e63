/*
 * kafka.so: sends messages to Kafka, with the functions and parameters of Kamailio's own module.
 */
#include "shim.h"

#include "core/dprint.h"
#include "core/kemi.h"
#include "core/mod_fix.h"
#include "core/pt.h"

MODULE_VERSION

static int mod_init(void);
static int child_init(int rank);
static int w_kafka_send(sip_msg_t *msg, char *topic, char *message);
static int w_kafka_send_key(
		sip_msg_t *msg, char *topic, char *message, char *key);
static void rpc_stats(rpc_t *rpc, void *context);
static void rpc_tls_reload(rpc_t *rpc, void *context);
static void rpc_stats_topic(rpc_t *rpc, void *context);

/* Parameters; their meaning is in README.md and src/kafka/settings.rs. */
/* clang-format off */
#define KAFKA_SETTINGS(TEXT, NUMBER) \
	TEXT(kafka, brokers) \
	TEXT(kafka, configuration) \
	TEXT(kafka, topic) \
	NUMBER(kafka, init_without_kafka) \
	NUMBER(kafka, log_without_overflow) \
	NUMBER(kafka, metadata_timeout) \
	NUMBER(kafka, queue_size) \
	NUMBER(kafka, message_size_max) \
	NUMBER(kafka, queue_full_wait_ms) \
	NUMBER(kafka, drain_timeout_ms) \
	NUMBER(kafka, inbox_size)

KAFKA_SETTINGS(SIPBUS_TEXT_SETTING, SIPBUS_NUMBER_SETTING)

static param_export_t params[] = {
	KAFKA_SETTINGS(SIPBUS_TEXT_ROW, SIPBUS_NUMBER_ROW)
	{0, 0, 0}
};

static cmd_export_t cmds[] = {
	{"kafka_send", SIPBUS_FUNCTION(w_kafka_send), 2,
		sipbus_text_fixup, sipbus_text_free, ANY_ROUTE},
	{"kafka_send_key", SIPBUS_FUNCTION(w_kafka_send_key), 3,
		sipbus_text_fixup, sipbus_text_free, ANY_ROUTE},
	{0, 0, 0, 0, 0, 0}
};

static const char *rpc_stats_doc[] = {"What became of the messages, by broker", 0};
static const char *rpc_stats_topic_doc[] = {"What became of the messages to one topic", 0};

/* Registered in mod_init: event_kafka.so, which may be there too, has the first one as well. */
static rpc_export_t rpc_methods[] = {
	{"kafka.stats", rpc_stats, rpc_stats_doc, 0},
	{"kafka.stats_topic", rpc_stats_topic, rpc_stats_topic_doc, 0},
	{"kafka.tls_reload", rpc_tls_reload, sipbus_rpc_tls_reload_doc, 0},
	{0, 0, 0, 0}
};

struct module_exports exports = {
	"kafka",
	DEFAULT_DLFLAGS,
	cmds,
	params,
	0,
	0,
	0,
	mod_init,
	child_init,
	0
};
/* clang-format on */

/* It runs no events. */
static const char *worker_title(uint32_t worker)
{
	(void)worker;
	return NULL;
}

static int worker_step(uint32_t worker)
{
	(void)worker;
	return -1;
}

static const sipbus_shim shim = {
		.name = "kafka",
		.configure = sipbus_kafka_configure,
		.worker_title = worker_title,
		.worker_step = worker_step,
};

static int mod_init(void)
{
	if(sipbus_rpc_register_missing(rpc_methods) < 0)
		return -1;
	return sipbus_shim_init(&shim);
}

static int child_init(int rank)
{
	return sipbus_shim_child(&shim, rank);
}

/* Functions */

static int invalid(const char *why)
{
	return sipbus_kafka_send_invalid((uint32_t)process_no, why);
}

static int w_kafka_send(sip_msg_t *msg, char *topic, char *message)
{
	sipbus_slice to;
	sipbus_slice bytes;

	/* The message comes last: it is used where it lies. */
	if(sipbus_text_value(msg, topic, 1, &to) != 0)
		return invalid("kafka_send: the topic is $null");
	if(sipbus_text_value(msg, message, SIPBUS_TEXT_LAST, &bytes) != 0)
		return invalid("kafka_send: the message is $null");
	return kafka_send((uint32_t)process_no, to, bytes);
}

static int w_kafka_send_key(
		sip_msg_t *msg, char *topic, char *message, char *key)
{
	sipbus_slice to;
	sipbus_slice name;
	sipbus_slice bytes;

	if(sipbus_text_value(msg, topic, 1, &to) != 0)
		return invalid("kafka_send_key: the topic is $null");
	if(sipbus_text_value(msg, key, 2, &name) != 0)
		return invalid("kafka_send_key: the key is $null");
	if(sipbus_text_value(msg, message, SIPBUS_TEXT_LAST, &bytes) != 0)
		return invalid("kafka_send_key: the message is $null");
	return kafka_send_key((uint32_t)process_no, to, bytes, name);
}

/* KEMI */

static int ki_send(sip_msg_t *msg, str *topic, str *message)
{
	(void)msg;
	return kafka_send((uint32_t)process_no, sipbus_slice_of(topic),
			sipbus_slice_of(message));
}

static int ki_send_key(sip_msg_t *msg, str *topic, str *message, str *key)
{
	(void)msg;
	return kafka_send_key((uint32_t)process_no, sipbus_slice_of(topic),
			sipbus_slice_of(message), sipbus_slice_of(key));
}

/* clang-format off */
static sr_kemi_t kemi_exports[] = {
	{str_init("kafka"), str_init("send"), SR_KEMIP_INT, ki_send,
		SIPBUS_KEMI_TEXTS_2},
	{str_init("kafka"), str_init("send_key"), SR_KEMIP_INT, ki_send_key,
		SIPBUS_KEMI_TEXTS_3},
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
	sipbus_rpc_tls_reload(rpc, context, "kafka");
}

static void rpc_stats(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, sipbus_kafka_stats, "kafka");
}

static void rpc_stats_topic(rpc_t *rpc, void *context)
{
	char *topic = NULL;

	if(rpc->scan(context, "s", &topic) != 1 || topic == NULL)
		rpc->fault(context, 400, "The name of a topic is wanted");
	else if(!sipbus_kafka_topic_known(topic))
		rpc->fault(context, 404, "There is no such topic");
	else
		sipbus_rpc_answer(rpc, context, sipbus_kafka_stats_topic, topic);
}
