/*
 * kazoo.so: messages to and from AMQP brokers, with JSON in them; presence from such messages.
 */
#include "kazoo.h"

#include "core/dprint.h"
#include "core/fmsg.h"
#include "core/kemi.h"
#include "core/pt.h"
#include "core/route.h"

MODULE_VERSION

static int mod_init(void);
static int child_init(int rank);
static int pv_result(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
static int pv_event(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
static int pv_routing_key(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
static void rpc_connections(rpc_t *rpc, void *context);
static void rpc_subscriptions(rpc_t *rpc, void *context);
static void rpc_stats(rpc_t *rpc, void *context);
static void rpc_tls_reload(rpc_t *rpc, void *context);
static int set_event_callback(modparam_t type, void *value);
static int configure(int connection_events);
static int worker_step(uint32_t worker);

/* Parameters; their meaning is in README.md and src/kazoo/settings.rs. */
/* clang-format off */
#define KAZOO_SETTINGS(TEXT, NUMBER) \
	TEXT(kazoo, node_hostname) \
	TEXT(kazoo, app_name) \
	TEXT(kazoo, amqp_connection) \
	TEXT(kazoo, amqp_primary_zone) \
	NUMBER(kazoo, amqp_max_channels) \
	NUMBER(kazoo, amqp_heartbeats) \
	NUMBER(kazoo, amqp_connect_timeout_sec) \
	NUMBER(kazoo, amqp_connect_timeout_micro) \
	NUMBER(kazoo, reconnect_wait_ms_max) \
	NUMBER(kazoo, publisher_confirms) \
	NUMBER(kazoo, amqp_query_timeout_sec) \
	NUMBER(kazoo, amqp_query_timeout_micro) \
	TEXT(kazoo, amqp_query_timeout_avp) \
	TEXT(kazoo, amqp_result_avp) \
	NUMBER(kazoo, async_queries_max) \
	NUMBER(kazoo, reply_size_max) \
	NUMBER(kazoo, amqp_consumer_processes) \
	NUMBER(kazoo, amqp_consumer_workers) \
	NUMBER(kazoo, prefetch) \
	TEXT(kazoo, amqp_consumer_event_key) \
	TEXT(kazoo, amqp_consumer_event_subkey) \
	TEXT(kazoo, json_escape_char) \
	TEXT(kazoo, amqps_ca_cert) \
	TEXT(kazoo, amqps_cert) \
	TEXT(kazoo, amqps_key) \
	NUMBER(kazoo, amqps_verify_peer) \
	NUMBER(kazoo, amqps_verify_hostname) \
	NUMBER(kazoo, pua_mode) \
	TEXT(kazoo, db_url) \
	TEXT(kazoo, presentity_table) \
	NUMBER(kazoo, pua_include_entity) \
	NUMBER(kazoo, presence_use_full_entity) \
	NUMBER(kazoo, pua_lock_type) \
	NUMBER(kazoo, amqp_command_hashtable_size) \
	NUMBER(kazoo, amqp_waitframe_timeout_sec) \
	NUMBER(kazoo, amqp_waitframe_timeout_micro) \
	NUMBER(kazoo, amqp_consumer_ack_timeout_sec) \
	NUMBER(kazoo, amqp_consumer_ack_timeout_micro) \
	NUMBER(kazoo, amqp_interprocess_timeout_sec) \
	NUMBER(kazoo, amqp_interprocess_timeout_micro) \
	NUMBER(kazoo, amqp_timmer_process_interval) \
	NUMBER(kazoo, amqp_timer_process_interval) \
	NUMBER(kazoo, amqp_internal_loop_count) \
	NUMBER(kazoo, amqp_consumer_loop_count) \
	NUMBER(kazoo, amqp_consumer_ack_loop_count) \
	NUMBER(kazoo, single_consumer_on_reconnect) \
	NUMBER(kazoo, consume_messages_on_reconnect) \
	NUMBER(kazoo, use_federated_exchange) \
	TEXT(kazoo, federated_exchange) \
	NUMBER(kazoo, queue_size) \
	NUMBER(kazoo, message_size_max) \
	NUMBER(kazoo, queue_full_wait_ms) \
	NUMBER(kazoo, drain_timeout_ms) \
	NUMBER(kazoo, inbox_size)

KAZOO_SETTINGS(SIPBUS_TEXT_SETTING, SIPBUS_NUMBER_SETTING)

static param_export_t params[] = {
	KAZOO_SETTINGS(SIPBUS_TEXT_ROW, SIPBUS_NUMBER_ROW)
	{"event_callback", PARAM_STRING | PARAM_USE_FUNC, (void *)set_event_callback},
	{0, 0, 0}
};

static pv_export_t variables[] = {
	{str_init("kzR"), PVT_OTHER, pv_result, 0, 0, 0, 0, 0},
	{str_init("kzE"), PVT_OTHER, pv_event, 0, 0, 0, 0, 0},
	{str_init("kzRK"), PVT_OTHER, pv_routing_key, 0, 0, 0, 0, 0},
	{{0, 0}, 0, 0, 0, 0, 0, 0, 0}
};

static const char *rpc_connections_doc[] = {"The servers and how they stand", 0};
static const char *rpc_subscriptions_doc[] = {"The subscriptions and how they stand", 0};
static const char *rpc_stats_doc[] = {"Counters of the module", 0};

static rpc_export_t rpc_methods[] = {
	{"kazoo.connections", rpc_connections, rpc_connections_doc, 0},
	{"kazoo.subscriptions", rpc_subscriptions, rpc_subscriptions_doc, 0},
	{"kazoo.stats", rpc_stats, rpc_stats_doc, 0},
	{"kazoo.tls_reload", rpc_tls_reload, sipbus_rpc_tls_reload_doc, 0},
	{0, 0, 0, 0}
};

struct module_exports exports = {
	"kazoo",
	DEFAULT_DLFLAGS,
	kz_commands,
	params,
	rpc_methods,
	variables,
	0,
	mod_init,
	child_init,
	0
};
/* clang-format on */

static sipbus_shim shim = {
		.name = "kazoo",
		.configure = configure,
		.worker_title = sipbus_kazoo_worker_title,
		.worker_step = worker_step,
		.worker_rank = PROC_XWORKER,
};

static int set_event_callback(modparam_t type, void *value)
{
	(void)type;
	return sipbus_shim_callback(&shim, value);
}

static int configure(int connection_events)
{
	(void)connection_events;
	return sipbus_kazoo_configure(VERSION);
}

static int mod_init(void)
{
	sipbus_kazoo_config config;

	if(sipbus_shim_init(&shim) < 0 || sipbus_kazoo_configured(&config) < 0)
		return -1;
	if(kz_query_init(&config.timeout_variable) < 0
			|| kz_presence_init(&config) < 0)
		return -1;
	return kz_bare_init();
}

/* event_route[kazoo:mod-init]: 0, or less if Kamailio is not to start. */
static int run_init_route(void)
{
	static char name[] = "kazoo:mod-init";
	int route = route_lookup(&event_rt, name);
	struct run_act_ctx context;
	sip_msg_t *msg;
	int type;

	if(route < 0 || event_rt.rlist[route] == NULL)
		return 0;
	msg = faked_msg_get_next();
	type = get_route_type();
	set_route_type(REQUEST_ROUTE);
	init_run_actions_ctx(&context);
	run_top_route(event_rt.rlist[route], msg, &context);
	set_route_type(type);
	sipbus_event_clean(msg);
	if(context.run_flags & DROP_R_F) {
		LM_ERR("event_route[%s] has ended with drop\n", name);
		return -1;
	}
	return 0;
}

static int run_init_callback(void)
{
	str name = str_init("kazoo:mod-init");
	sr_kemi_eng_t *engine = sr_kemi_eng_get();
	sip_msg_t *msg = faked_msg_get_next();
	int type = get_route_type();
	int failed;

	if(engine == NULL) {
		LM_ERR("there is an event_callback, but no KEMI engine\n");
		return -1;
	}
	failed = sr_kemi_route(engine, msg, EVENT_ROUTE, &shim.callback, &name) < 0;
	set_route_type(type);
	sipbus_event_clean(msg);
	if(failed) {
		LM_ERR("the event_callback %.*s failed for kazoo:mod-init; the module "
			   "of its scripting language must be loaded before kazoo.so\n",
				shim.callback.len, shim.callback.s);
		return -1;
	}
	return 0;
}

static int subscribe(void)
{
	int failed;

	sipbus_kazoo_start();
	failed = shim.callback.len > 0 ? run_init_callback() : run_init_route();
	return sipbus_kazoo_started() < 0 || failed ? -1 : 0;
}

static int child_init(int rank)
{
	if(sipbus_shim_child(&shim, rank) < 0)
		return -1;
	return rank == PROC_INIT ? subscribe() : 0;
}

static int worker_step(uint32_t worker)
{
	sipbus_kazoo_event event;
	int handled = 1;

	if(sipbus_kazoo_event_wait(worker, &event) < 0)
		return -1;
	if(event.resume != 0) {
		kz_query_continue(event.tindex, event.tlabel, event.resume, event.name);
	} else {
		/* As in the original, a callback takes the place of all event routes. */
		handled = sipbus_event_run_as(REQUEST_ROUTE,
				shim.callback.len > 0 ? -1 : event.route, event.name,
				&shim.callback);
	}
	sipbus_kazoo_event_done((uint32_t)process_no, handled);
	return 0;
}

/* Variables */

static int pv_result(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	sipbus_slice bytes = {NULL, 0};

	return sipbus_variable(msg, param, value, kazoo_result(&bytes), bytes);
}

static int pv_event(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	sipbus_slice bytes = {NULL, 0};

	return sipbus_variable(
			msg, param, value, kazoo_event_payload(&bytes), bytes);
}

static int pv_routing_key(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	sipbus_slice bytes = {NULL, 0};

	return sipbus_variable(
			msg, param, value, kazoo_event_routing_key(&bytes), bytes);
}

/* RPC */

static void rpc_connections(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, sipbus_kazoo_connections, "kazoo");
}

static void rpc_subscriptions(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, sipbus_kazoo_subscriptions, "kazoo");
}

static void rpc_tls_reload(rpc_t *rpc, void *context)
{
	sipbus_rpc_tls_reload(rpc, context, "kazoo");
}

static void rpc_stats(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, sipbus_stats, "kazoo");
}

int mod_register(char *path, int *dlflags, void *p1, void *p2)
{
	(void)dlflags;
	(void)p1;
	(void)p2;
	sipbus_shim_register();
	sr_kemi_modules_add(kz_kemi_exports);
	return kz_transformation_register(path);
}
