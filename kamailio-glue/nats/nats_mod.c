/*
 * nats.so: publishes to and consumes from NATS.
 */
#include "shim.h"

#include "core/dprint.h"
#include "core/kemi.h"
#include "core/mod_fix.h"
#include "core/pt.h"

MODULE_VERSION

static int mod_init(void);
static int child_init(int rank);
static int w_nats_publish2(sip_msg_t *msg, char *subject, char *payload);
static int w_nats_publish3(
		sip_msg_t *msg, char *subject, char *payload, char *reply);
static int pv_data(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
static int pv_subject(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
static int pv_reply(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
static int pv_header(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
static int pv_header_name(pv_spec_t *spec, str *name);
static void rpc_stats(rpc_t *rpc, void *context);
static void rpc_tls_reload(rpc_t *rpc, void *context);
static int set_event_callback(modparam_t type, void *value);
static int worker_step(uint32_t worker);

/* Parameters; their meaning is in README.md and src/nats/settings.rs. */
/* clang-format off */
#define NATS_SETTINGS(TEXT, NUMBER) \
	TEXT(nats, nats_url) \
	NUMBER(nats, num_publish_workers) \
	TEXT(nats, subject_queue_group) \
	NUMBER(nats, tls) \
	TEXT(nats, tls_ca_file) \
	TEXT(nats, tls_cert_file) \
	TEXT(nats, tls_key_file) \
	TEXT(nats, tls_expected_hostname) \
	TEXT(nats, credentials_file) \
	NUMBER(nats, connect_timeout_ms) \
	NUMBER(nats, reconnect_wait_ms_max) \
	NUMBER(nats, ping_interval_ms) \
	NUMBER(nats, queue_size) \
	NUMBER(nats, message_size_max) \
	NUMBER(nats, queue_full_wait_ms) \
	NUMBER(nats, drain_timeout_ms) \
	NUMBER(nats, inbox_size)

NATS_SETTINGS(SIPBUS_TEXT_SETTING, SIPBUS_NUMBER_SETTING)

static param_export_t params[] = {
	NATS_SETTINGS(SIPBUS_TEXT_ROW, SIPBUS_NUMBER_ROW)
	{"event_callback", PARAM_STRING | PARAM_USE_FUNC, (void *)set_event_callback},
	{0, 0, 0}
};

static cmd_export_t cmds[] = {
	{"nats_publish", SIPBUS_FUNCTION(w_nats_publish2), 2,
		sipbus_text_fixup, sipbus_text_free, ANY_ROUTE},
	{"nats_publish", SIPBUS_FUNCTION(w_nats_publish3), 3,
		sipbus_text_fixup, sipbus_text_free, ANY_ROUTE},
	{0, 0, 0, 0, 0, 0}
};

static pv_export_t variables[] = {
	{str_init("natsData"), PVT_OTHER, pv_data, 0, 0, 0, 0, 0},
	{str_init("natsSubject"), PVT_OTHER, pv_subject, 0, 0, 0, 0, 0},
	{str_init("natsReply"), PVT_OTHER, pv_reply, 0, 0, 0, 0, 0},
	{str_init("natsHeader"), PVT_OTHER, pv_header, 0, pv_header_name, 0, 0, 0},
	{{0, 0}, 0, 0, 0, 0, 0, 0, 0}
};

static const char *rpc_stats_doc[] = {"Counters of the module", 0};

static rpc_export_t rpc_methods[] = {
	{"nats.stats", rpc_stats, rpc_stats_doc, 0},
	{"nats.tls_reload", rpc_tls_reload, sipbus_rpc_tls_reload_doc, 0},
	{0, 0, 0, 0}
};

struct module_exports exports = {
	"nats",
	DEFAULT_DLFLAGS,
	cmds,
	params,
	rpc_methods,
	variables,
	0,
	mod_init,
	child_init,
	0
};
/* clang-format on */

static const char *const connection_routes[] = {
		"connected", "disconnected", NULL};

static sipbus_shim shim = {
		.name = "nats",
		.connection_routes = connection_routes,
		.configure = sipbus_nats_configure,
		.worker_title = sipbus_nats_worker_title,
		.worker_step = worker_step,
};

static int set_event_callback(modparam_t type, void *value)
{
	(void)type;
	return sipbus_shim_callback(&shim, value);
}

static int mod_init(void)
{
	return sipbus_shim_init(&shim);
}

static int child_init(int rank)
{
	return sipbus_shim_child(&shim, rank);
}

static int worker_step(uint32_t worker)
{
	sipbus_nats_event event;

	if(sipbus_nats_event_wait(worker, &event) < 0)
		return -1;
	sipbus_nats_event_done(
			sipbus_event_run(event.route, event.name, &shim.callback));
	return 0;
}

/* nats_publish */

static int invalid(const char *why)
{
	return sipbus_nats_publish_invalid((uint32_t)process_no, why);
}

static int publish(sip_msg_t *msg, char *subject, char *payload, char *reply)
{
	sipbus_slice to;
	sipbus_slice answer = {NULL, 0};
	sipbus_slice bytes;

	/* The payload comes last: it is used where it lies. */
	if(sipbus_text_value(msg, subject, 1, &to) != 0)
		return invalid("nats_publish: the subject is $null");
	if(reply != NULL && sipbus_text_value(msg, reply, 2, &answer) != 0)
		return invalid("nats_publish: the reply subject is $null");
	if(reply != NULL && answer.len == 0)
		return invalid("nats_publish: the reply subject is empty");
	if(sipbus_text_value(msg, payload, SIPBUS_TEXT_LAST, &bytes) != 0)
		return invalid("nats_publish: the payload is $null");
	return nats_publish((uint32_t)process_no, to, bytes, answer);
}

static int w_nats_publish2(sip_msg_t *msg, char *subject, char *payload)
{
	return publish(msg, subject, payload, NULL);
}

static int w_nats_publish3(
		sip_msg_t *msg, char *subject, char *payload, char *reply)
{
	return publish(msg, subject, payload, reply);
}

/* KEMI */

static int ki_nats_publish_request(
		sip_msg_t *msg, str *subject, str *payload, str *reply)
{
	(void)msg;
	if(reply == NULL || reply->len <= 0)
		return invalid("publish_request: the reply subject is empty");
	return nats_publish((uint32_t)process_no, sipbus_slice_of(subject),
			sipbus_slice_of(payload), sipbus_slice_of(reply));
}

static int ki_nats_publish(sip_msg_t *msg, str *subject, str *payload)
{
	(void)msg;
	return nats_publish((uint32_t)process_no, sipbus_slice_of(subject),
			sipbus_slice_of(payload), sipbus_slice_of(NULL));
}

/* clang-format off */
static sr_kemi_t kemi_exports[] = {
	{str_init("nats"), str_init("publish"), SR_KEMIP_INT, ki_nats_publish,
		SIPBUS_KEMI_TEXTS_2},
	{str_init("nats"), str_init("publish_request"), SR_KEMIP_INT, ki_nats_publish_request,
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

/* Pseudo-variables */

static int pv_data(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	sipbus_slice bytes = {NULL, 0};
	int found = nats_data(&bytes);

	return sipbus_variable(msg, param, value, found, bytes);
}

static int pv_subject(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	sipbus_slice bytes = {NULL, 0};
	int found = nats_subject(&bytes);

	return sipbus_variable(msg, param, value, found, bytes);
}

static int pv_reply(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	sipbus_slice bytes = {NULL, 0};
	int found = nats_reply(&bytes);

	return sipbus_variable(msg, param, value, found, bytes);
}

static int pv_header(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	sipbus_slice bytes = {NULL, 0};
	int found =
			nats_header(sipbus_slice_of(&param->pvn.u.isname.name.s), &bytes);

	return sipbus_variable(msg, param, value, found, bytes);
}

static int pv_header_name(pv_spec_t *spec, str *name)
{
	if(name == NULL || name->len <= 0) {
		LM_ERR("$natsHeader needs the name of a header\n");
		return -1;
	}
	spec->pvp.pvn.type = PV_NAME_INTSTR;
	spec->pvp.pvn.u.isname.type = AVP_NAME_STR;
	spec->pvp.pvn.u.isname.name.s = *name;
	return 0;
}

/* RPC */

static void rpc_tls_reload(rpc_t *rpc, void *context)
{
	sipbus_rpc_tls_reload(rpc, context, "nats");
}

static void rpc_stats(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, sipbus_stats, "nats");
}
