/*
 * evapi.so: programs connect to Kamailio, get messages from scripts and send some.
 */
#include "shim.h"

#include "core/dprint.h"
#include "core/kemi.h"
#include "core/mod_fix.h"
#include "core/pt.h"

#include "continue.h"
#include "suspend.h"

MODULE_VERSION

static int mod_init(void);
static int child_init(int rank);
static void mod_destroy(void);
static int w_evapi_relay(sip_msg_t *msg, char *data, char *tag);
static int w_evapi_multicast(sip_msg_t *msg, char *data, char *tag);
static int w_evapi_unicast(sip_msg_t *msg, char *data, char *tag);
static int w_evapi_async_relay(sip_msg_t *msg, char *data, char *tag);
static int w_evapi_async_multicast(sip_msg_t *msg, char *data, char *tag);
static int w_evapi_async_unicast(sip_msg_t *msg, char *data, char *tag);
static int w_evapi_close(sip_msg_t *msg, char *unused, char *unused_too);
static int w_evapi_set_tag(sip_msg_t *msg, char *tag, char *unused);
static int async_fixup(void **param, int number);
static int pv_evapi(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
static int pv_evapi_name(pv_spec_t *spec, str *name);
static void rpc_clients(rpc_t *rpc, void *context);
static void rpc_close(rpc_t *rpc, void *context);
static void rpc_stats(rpc_t *rpc, void *context);
static void rpc_tls_reload(rpc_t *rpc, void *context);
static int set_event_callback(modparam_t type, void *value);
static int worker_step(uint32_t worker);

/* Parameters; their meaning is in README.md and src/evapi/settings.rs. */
/* clang-format off */
#define EVAPI_SETTINGS(TEXT, NUMBER) \
	NUMBER(evapi, workers) \
	TEXT(evapi, bind_addr) \
	NUMBER(evapi, netstring_format) \
	NUMBER(evapi, max_clients) \
	NUMBER(evapi, wait_idle) \
	NUMBER(evapi, wait_increase) \
	NUMBER(evapi, send_task_timeout) \
	NUMBER(evapi, send_data_timeout) \
	NUMBER(evapi, context_mlimit) \
	NUMBER(evapi, client_buffer_size) \
	TEXT(evapi, client_full_policy) \
	NUMBER(evapi, frame_size_max) \
	NUMBER(evapi, spread_messages) \
	NUMBER(evapi, busy_poll) \
	TEXT(evapi, unix_socket_mode) \
	TEXT(evapi, unix_socket_owner) \
	TEXT(evapi, tls_cert_file) \
	TEXT(evapi, tls_key_file) \
	TEXT(evapi, tls_ca_file) \
	TEXT(evapi, shared_secret) \
	NUMBER(evapi, login_timeout_ms) \
	NUMBER(evapi, queue_size) \
	NUMBER(evapi, message_size_max) \
	NUMBER(evapi, queue_full_wait_ms) \
	NUMBER(evapi, drain_timeout_ms) \
	NUMBER(evapi, inbox_size)

EVAPI_SETTINGS(SIPBUS_TEXT_SETTING, SIPBUS_NUMBER_SETTING)

static param_export_t params[] = {
	EVAPI_SETTINGS(SIPBUS_TEXT_ROW, SIPBUS_NUMBER_ROW)
	{"event_callback", PARAM_STRING | PARAM_USE_FUNC, (void *)set_event_callback},
	{0, 0, 0}
};

static cmd_export_t cmds[] = {
	{"evapi_relay", SIPBUS_FUNCTION(w_evapi_relay), 1,
		sipbus_text_fixup, sipbus_text_free, ANY_ROUTE},
	{"evapi_multicast", SIPBUS_FUNCTION(w_evapi_multicast), 2,
		sipbus_text_fixup, sipbus_text_free, ANY_ROUTE},
	{"evapi_unicast", SIPBUS_FUNCTION(w_evapi_unicast), 2,
		sipbus_text_fixup, sipbus_text_free, ANY_ROUTE},
	{"evapi_async_relay", SIPBUS_FUNCTION(w_evapi_async_relay), 1,
		async_fixup, sipbus_text_free, REQUEST_ROUTE},
	{"evapi_async_multicast", SIPBUS_FUNCTION(w_evapi_async_multicast), 2,
		async_fixup, sipbus_text_free, REQUEST_ROUTE},
	{"evapi_async_unicast", SIPBUS_FUNCTION(w_evapi_async_unicast), 2,
		async_fixup, sipbus_text_free, REQUEST_ROUTE},
	{"evapi_continue", SIPBUS_FUNCTION(w_evapi_continue), 3,
		async_fixup, sipbus_text_free, ANY_ROUTE},
	{"evapi_close", SIPBUS_FUNCTION(w_evapi_close), 0, 0, 0, ANY_ROUTE},
	{"evapi_close", SIPBUS_FUNCTION(w_evapi_close), 1, 0, 0, ANY_ROUTE},
	{"evapi_set_tag", SIPBUS_FUNCTION(w_evapi_set_tag), 1,
		sipbus_text_fixup, sipbus_text_free, ANY_ROUTE},
	{0, 0, 0, 0, 0, 0}
};

static pv_export_t variables[] = {
	{str_init("evapi"), PVT_OTHER, pv_evapi, 0, pv_evapi_name, 0, 0, 0},
	{{0, 0}, 0, 0, 0, 0, 0, 0, 0}
};

static const char *rpc_clients_doc[] = {"The clients that are there", 0};
static const char *rpc_close_doc[] = {"Closes the client with that index", 0};
static const char *rpc_tls_reload_doc[] = {"Reads the certificates again; clients that are there stay", 0};
static const char *rpc_stats_doc[] = {"Counters of the module", 0};

static rpc_export_t rpc_methods[] = {
	{"evapi.clients", rpc_clients, rpc_clients_doc, 0},
	{"evapi.close", rpc_close, rpc_close_doc, 0},
	{"evapi.stats", rpc_stats, rpc_stats_doc, 0},
	{"evapi.tls_reload", rpc_tls_reload, rpc_tls_reload_doc, 0},
	{0, 0, 0, 0}
};

struct module_exports exports = {
	"evapi",
	DEFAULT_DLFLAGS,
	cmds,
	params,
	rpc_methods,
	variables,
	0,
	mod_init,
	child_init,
	mod_destroy
};
/* clang-format on */

static const char *const connection_routes[] = {
		"connection-new", "connection-closed", NULL};

static sipbus_shim shim = {
		.name = "evapi",
		.connection_routes = connection_routes,
		.configure = sipbus_evapi_configure,
		.worker_title = sipbus_evapi_worker_title,
		.worker_step = worker_step,
};

static int set_event_callback(modparam_t type, void *value)
{
	(void)type;
	return sipbus_shim_callback(&shim, value);
}

static int mod_init(void)
{
	sipbus_suspend_init("evapi_async");
	return sipbus_shim_init(&shim);
}

static int child_init(int rank)
{
	return sipbus_shim_child(&shim, rank);
}

static void mod_destroy(void)
{
	sipbus_evapi_destroy();
}

static int worker_step(uint32_t worker)
{
	sipbus_evapi_event event;

	if(sipbus_evapi_event_wait(worker, &event) < 0)
		return -1;
	sipbus_evapi_event_done((uint32_t)process_no,
			sipbus_event_run(event.route, event.name, &shim.callback));
	return 0;
}

/* Functions. Each evaluates its parameters and calls one of these. */

typedef enum receivers
{
	ALL,
	TAGGED,
	FIRST
} receivers;

static int relay(receivers to, sipbus_slice data, sipbus_slice tag)
{
	uint32_t process = (uint32_t)process_no;

	switch(to) {
		case TAGGED:
			return evapi_multicast(process, data, tag);
		case FIRST:
			return evapi_unicast(process, data, tag);
		default:
			return evapi_relay(process, data);
	}
}

static int async_relay(receivers to, sipbus_slice data, sipbus_slice tag)
{
	uint32_t process = (uint32_t)process_no;

	switch(to) {
		case TAGGED:
			return evapi_async_multicast(process, data, tag);
		case FIRST:
			return evapi_async_unicast(process, data, tag);
		default:
			return evapi_async_relay(process, data);
	}
}

static int invalid(const char *why)
{
	return sipbus_evapi_invalid((uint32_t)process_no, why);
}

/* The parameters' values: 0, or what the function returns. */
static int evaluate(sip_msg_t *msg, char *data, char *tag, sipbus_slice *bytes,
		sipbus_slice *name)
{
	*name = (sipbus_slice){NULL, 0};
	/* The data comes last: it is used where it lies. */
	if(tag != NULL && sipbus_text_value(msg, tag, 1, name) != 0)
		return invalid("the tag is $null");
	if(sipbus_text_value(msg, data, SIPBUS_TEXT_LAST, bytes) != 0)
		return invalid("the data is $null");
	return 0;
}

static int script_relay(receivers to, sip_msg_t *msg, char *data, char *tag)
{
	sipbus_slice bytes;
	sipbus_slice name;
	int failed = evaluate(msg, data, tag, &bytes, &name);

	return failed ? failed : relay(to, bytes, name);
}

static int script_async(receivers to, sip_msg_t *msg, char *data, char *tag)
{
	sipbus_suspended suspended;
	sipbus_slice bytes;
	sipbus_slice name;
	int result = sipbus_suspend(msg, &suspended);

	if(result <= 0)
		return result;
	/* Now $T(id_index) and $T(id_label) are those to continue with. */
	result = evaluate(msg, data, tag, &bytes, &name);
	if(result == 0)
		result = async_relay(to, bytes, name);
	if(result < 0)
		sipbus_suspend_cancel(&suspended);
	return result;
}

static int w_evapi_relay(sip_msg_t *msg, char *data, char *tag)
{
	(void)tag;
	return script_relay(ALL, msg, data, NULL);
}

static int w_evapi_multicast(sip_msg_t *msg, char *data, char *tag)
{
	return script_relay(TAGGED, msg, data, tag);
}

static int w_evapi_unicast(sip_msg_t *msg, char *data, char *tag)
{
	return script_relay(FIRST, msg, data, tag);
}

static int w_evapi_async_relay(sip_msg_t *msg, char *data, char *tag)
{
	(void)tag;
	return script_async(ALL, msg, data, NULL);
}

static int w_evapi_async_multicast(sip_msg_t *msg, char *data, char *tag)
{
	return script_async(TAGGED, msg, data, tag);
}

static int w_evapi_async_unicast(sip_msg_t *msg, char *data, char *tag)
{
	return script_async(FIRST, msg, data, tag);
}

static int async_fixup(void **param, int number)
{
	if(!sipbus_suspend_possible())
		return E_CFG;
	return sipbus_text_fixup(param, number);
}

static int w_evapi_close(sip_msg_t *msg, char *unused, char *unused_too)
{
	(void)msg;
	(void)unused;
	(void)unused_too;
	return evapi_close((uint32_t)process_no);
}

static int w_evapi_set_tag(sip_msg_t *msg, char *tag, char *unused)
{
	sipbus_slice name;

	(void)unused;
	if(sipbus_text_value(msg, tag, 1, &name) != 0) {
		LM_ERR("evapi_set_tag: the tag is $null\n");
		return -1;
	}
	return evapi_set_tag((uint32_t)process_no, name);
}

/* KEMI */

static int ki_relay(sip_msg_t *msg, str *data)
{
	(void)msg;
	return relay(ALL, sipbus_slice_of(data), sipbus_slice_of(NULL));
}

static int ki_relay_multicast(sip_msg_t *msg, str *data, str *tag)
{
	(void)msg;
	return relay(TAGGED, sipbus_slice_of(data), sipbus_slice_of(tag));
}

static int ki_relay_unicast(sip_msg_t *msg, str *data, str *tag)
{
	(void)msg;
	return relay(FIRST, sipbus_slice_of(data), sipbus_slice_of(tag));
}

static int ki_async(receivers to, sip_msg_t *msg, str *data, str *tag)
{
	sipbus_suspended suspended;
	int result = sipbus_suspend(msg, &suspended);

	if(result <= 0)
		return result;
	result = async_relay(to, sipbus_slice_of(data), sipbus_slice_of(tag));
	if(result < 0)
		sipbus_suspend_cancel(&suspended);
	return result;
}

static int ki_async_relay(sip_msg_t *msg, str *data)
{
	return ki_async(ALL, msg, data, NULL);
}

static int ki_async_multicast(sip_msg_t *msg, str *data, str *tag)
{
	return ki_async(TAGGED, msg, data, tag);
}

static int ki_async_unicast(sip_msg_t *msg, str *data, str *tag)
{
	return ki_async(FIRST, msg, data, tag);
}

static int ki_close(sip_msg_t *msg)
{
	(void)msg;
	return evapi_close((uint32_t)process_no);
}

static int ki_set_tag(sip_msg_t *msg, str *tag)
{
	(void)msg;
	return evapi_set_tag((uint32_t)process_no, sipbus_slice_of(tag));
}

/* clang-format off */
static sr_kemi_t kemi_exports[] = {
	{str_init("evapi"), str_init("relay"), SR_KEMIP_INT, ki_relay, SIPBUS_KEMI_TEXTS_1},
	{str_init("evapi"), str_init("relay_multicast"), SR_KEMIP_INT, ki_relay_multicast, SIPBUS_KEMI_TEXTS_2},
	{str_init("evapi"), str_init("relay_unicast"), SR_KEMIP_INT, ki_relay_unicast, SIPBUS_KEMI_TEXTS_2},
	{str_init("evapi"), str_init("async_relay"), SR_KEMIP_INT, ki_async_relay, SIPBUS_KEMI_TEXTS_1},
	{str_init("evapi"), str_init("async_multicast"), SR_KEMIP_INT, ki_async_multicast, SIPBUS_KEMI_TEXTS_2},
	{str_init("evapi"), str_init("async_unicast"), SR_KEMIP_INT, ki_async_unicast, SIPBUS_KEMI_TEXTS_2},
	{str_init("evapi"), str_init("close"), SR_KEMIP_INT, ki_close, SIPBUS_KEMI_TEXTS_0},
	{str_init("evapi"), str_init("set_tag"), SR_KEMIP_INT, ki_set_tag, SIPBUS_KEMI_TEXTS_1},
	{str_init("evapi"), str_init("continue"), SR_KEMIP_INT, ki_evapi_continue,
		{SR_KEMIP_INT, SR_KEMIP_INT, SR_KEMIP_STR,
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

/* $evapi(name) */

typedef struct part
{
	const char *name;
	/* One of them. */
	int (*text)(sipbus_slice *out);
	int (*number)(uint32_t *out);
} part;

static const part parts[] = {
		{"msg", evapi_msg, NULL},
		{"conidx", NULL, evapi_conidx},
		{"srcaddr", evapi_srcaddr, NULL},
		{"srcport", NULL, evapi_srcport},
		{"tag", evapi_tag, NULL},
};

static int pv_evapi_name(pv_spec_t *spec, str *name)
{
	size_t i;

	for(i = 0; name != NULL && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if(name->len == (int)strlen(parts[i].name)
				&& strncmp(name->s, parts[i].name, (size_t)name->len) == 0) {
			spec->pvp.pvn.type = PV_NAME_INTSTR;
			spec->pvp.pvn.u.isname.type = 0;
			spec->pvp.pvn.u.isname.name.n = (int)i;
			return 0;
		}
	}
	LM_ERR("$evapi(name): the name must be msg, conidx, srcaddr, srcport or "
		   "tag\n");
	return -1;
}

static int pv_evapi(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	const part *wanted = &parts[param->pvn.u.isname.name.n];
	sipbus_slice bytes = {NULL, 0};
	uint32_t number = 0;

	if(wanted->text != NULL)
		return sipbus_variable(msg, param, value, wanted->text(&bytes), bytes);
	if(!wanted->number(&number))
		return pv_get_null(msg, param, value);
	return pv_get_uintval(msg, param, value, number);
}

/* RPC */

static void rpc_clients(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, sipbus_evapi_clients, "evapi");
}

static void rpc_close(rpc_t *rpc, void *context)
{
	int index = -1;

	if(rpc->scan(context, "d", &index) != 1 || index < 0)
		rpc->fault(context, 400, "The index of a client is wanted");
	else if(sipbus_evapi_client_close((uint32_t)process_no, (uint32_t)index)
			< 0)
		rpc->fault(context, 404, "There is no such client");
}

static void rpc_tls_reload(rpc_t *rpc, void *context)
{
	sipbus_rpc_tls_reload(rpc, context, "evapi");
}

static void rpc_stats(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, sipbus_stats, "evapi");
}
