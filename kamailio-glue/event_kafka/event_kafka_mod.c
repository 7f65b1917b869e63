/*
 * event_kafka.so: publishes to Kafka with reports of the delivery, and consumes from there.
 */
#include "shim.h"

#include "core/kemi.h"
#include "core/pt.h"

#include "event.h"
#include "event_list.h"
#include "publish.h"
#include "report.h"
#include "variable.h"

MODULE_VERSION

static int mod_init(void);
static int child_init(int rank);
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
		kafka_publish_fixup, kafka_publish_free, ANY_ROUTE},
	{"kafka_publish", SIPBUS_FUNCTION(w_kafka_publish3), 3,
		kafka_publish_fixup, kafka_publish_free, ANY_ROUTE},
	{"kafka_publish", SIPBUS_FUNCTION(w_kafka_publish4), 4,
		kafka_publish_fixup, kafka_publish_free, ANY_ROUTE},
	{"kafka_publish", SIPBUS_FUNCTION(w_kafka_publish5), 5,
		kafka_publish_fixup, kafka_publish_free, ANY_ROUTE},
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

static const char *rpc_stats_doc[] = {"What became of the messages, by broker", 0};

/* Registered in mod_init: kafka.so, which may be there too, has the first one as well. */
static rpc_export_t rpc_methods[] = {
	{"kafka.stats", rpc_stats, rpc_stats_doc, 0},
	{"event_kafka.tls_reload", rpc_tls_reload, sipbus_rpc_tls_reload_doc, 0},
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

/* clang-format off */
static sr_kemi_t kemi_exports[] = {
	{str_init("event_kafka"), str_init("publish"), SR_KEMIP_INT, ki_kafka_publish,
		SIPBUS_KEMI_TEXTS_2},
	{str_init("event_kafka"), str_init("publish_key"), SR_KEMIP_INT, ki_kafka_publish_key,
		SIPBUS_KEMI_TEXTS_3},
	{str_init("event_kafka"), str_init("publish_report"), SR_KEMIP_INT, ki_kafka_publish_report,
		SIPBUS_KEMI_TEXTS_4},
	{str_init("event_kafka"), str_init("publish_headers"), SR_KEMIP_INT, ki_kafka_publish_headers,
		SIPBUS_KEMI_TEXTS_5},
	{str_init("event_kafka"), str_init("raise_event"), SR_KEMIP_INT, ki_raise_event,
		SIPBUS_KEMI_TEXTS_1},
	{str_init("event_kafka"), str_init("raise_event_json"), SR_KEMIP_INT, ki_raise_event_json,
		SIPBUS_KEMI_TEXTS_2},
	{str_init("event_kafka"), str_init("subscribe_event"), SR_KEMIP_INT, ki_subscribe_event,
		SIPBUS_KEMI_TEXTS_2},
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
