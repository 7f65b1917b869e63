/*
 * evapi.so: programs connect to Kamailio, get messages from scripts and send some.
 */
#include "shim.h"

#include "core/kemi.h"
#include "core/pt.h"

#include "function.h"
#include "suspend.h"
#include "variable.h"

MODULE_VERSION

static int mod_init(void);
static int child_init(int rank);
static void mod_destroy(void);
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

static pv_export_t variables[] = {
	{str_init("evapi"), PVT_OTHER, evapi_variable, 0, evapi_variable_name, 0, 0, 0},
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
	evapi_commands,
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

int mod_register(char *path, int *dlflags, void *p1, void *p2)
{
	(void)path;
	(void)dlflags;
	(void)p1;
	(void)p2;
	sipbus_shim_register();
	sr_kemi_modules_add(evapi_kemi_exports);
	return 0;
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
