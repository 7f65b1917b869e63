/*
 * The functions of KEMI scripts.
 */
#include "kazoo.h"

#include "core/dprint.h"
#include "core/kemi.h"
#include "core/pt.h"

static int ki_publish_headers(sip_msg_t *msg, str *exchange, str *routing_key,
		str *json, str *headers)
{
	(void)msg;
	return kazoo_publish((uint32_t)process_no, sipbus_slice_of(exchange),
			sipbus_slice_of(routing_key), sipbus_slice_of(json),
			sipbus_slice_of(headers));
}

static int ki_publish(
		sip_msg_t *msg, str *exchange, str *routing_key, str *json)
{
	return ki_publish_headers(msg, exchange, routing_key, json, NULL);
}

static int prepare(str *exchange, str *routing_key, str *json, str *headers)
{
	return sipbus_kazoo_query_prepare((uint32_t)process_no,
			sipbus_slice_of(exchange), sipbus_slice_of(routing_key),
			sipbus_slice_of(json), sipbus_slice_of(headers));
}

static int ki_query_headers(sip_msg_t *msg, str *exchange, str *routing_key,
		str *json, str *headers)
{
	int64_t timeout = kz_query_timeout(msg);

	if(prepare(exchange, routing_key, json, headers) < 0)
		return -1;
	return kazoo_query((uint32_t)process_no, timeout);
}

static int ki_query(sip_msg_t *msg, str *exchange, str *routing_key, str *json)
{
	return ki_query_headers(msg, exchange, routing_key, json, NULL);
}

static int ki_async_query(sip_msg_t *msg, str *exchange, str *routing_key,
		str *json, str *answer, str *failure)
{
	int64_t timeout = kz_query_timeout(msg);
	uint32_t on_answer = kz_route(sipbus_slice_of(answer), 1, 1);
	uint32_t on_failure = kz_route(sipbus_slice_of(failure), 0, 1);

	if(on_answer == 0 || on_failure == 0)
		return kz_query_unrouted();
	if(prepare(exchange, routing_key, json, NULL) < 0)
		return -1;
	return kz_query_async(msg, timeout, on_answer, on_failure);
}

static int ki_subscribe(sip_msg_t *msg, str *json)
{
	(void)msg;
	return kazoo_subscribe(sipbus_slice_of(json));
}

static int ki_subscribe_simple(
		sip_msg_t *msg, str *exchange, str *type, str *queue, str *routing_key)
{
	(void)msg;
	return kazoo_subscribe_simple(sipbus_slice_of(exchange),
			sipbus_slice_of(type), sipbus_slice_of(queue),
			sipbus_slice_of(routing_key));
}

/* The variable called `name`, to be written to. */
static pv_spec_t *target(str *name)
{
	pv_spec_t *variable = name != NULL && name->s != NULL && name->len > 0
								  ? pv_cache_get(name)
								  : NULL;

	if(variable == NULL || variable->setf == NULL) {
		LM_ERR("the last parameter must name a variable that can be written\n");
		return NULL;
	}
	return variable;
}

static int ki_json(sip_msg_t *msg, str *json, str *path, str *name)
{
	pv_spec_t *to = target(name);
	sipbus_slice value;
	int found;

	if(to == NULL)
		return -1;
	found = kazoo_json(sipbus_slice_of(json), sipbus_slice_of(path), &value);
	return kz_assign(msg, to, found > 0 ? &value : NULL) < 0 ? -1 : 1;
}

static int ki_json_keys(sip_msg_t *msg, str *json, str *path, str *name)
{
	pv_spec_t *to = target(name);

	if(to == NULL)
		return -1;
	return kz_assign_keys(
			msg, sipbus_slice_of(json), sipbus_slice_of(path), to);
}

static int ki_encode(sip_msg_t *msg, str *text, str *name)
{
	pv_spec_t *to = target(name);

	return to == NULL ? -1 : kz_assign_encoded(msg, sipbus_slice_of(text), to);
}

static int ki_pua_publish(sip_msg_t *msg, str *json)
{
	(void)msg;
	return kz_presence_publish(SIPBUS_KAZOO_BY_PACKAGE, sipbus_slice_of(json));
}

static int ki_pua_publish_mwi(sip_msg_t *msg, str *json)
{
	(void)msg;
	return kz_presence_publish(SIPBUS_KAZOO_MWI, sipbus_slice_of(json));
}

static int ki_pua_publish_presence(sip_msg_t *msg, str *json)
{
	(void)msg;
	return kz_presence_publish(SIPBUS_KAZOO_PRESENCE, sipbus_slice_of(json));
}

static int ki_pua_publish_dialoginfo(sip_msg_t *msg, str *json)
{
	(void)msg;
	return kz_presence_publish(SIPBUS_KAZOO_DIALOGINFO, sipbus_slice_of(json));
}

/* clang-format off */
#define ROW(name, function, texts) \
	{str_init("kazoo"), str_init(name), SR_KEMIP_INT, function, texts}

sr_kemi_t kz_kemi_exports[] = {
	ROW("kazoo_publish", ki_publish, SIPBUS_KEMI_TEXTS_3),
	ROW("kazoo_publish_headers", ki_publish_headers, SIPBUS_KEMI_TEXTS_4),
	ROW("kazoo_query", ki_query, SIPBUS_KEMI_TEXTS_3),
	ROW("kazoo_query_headers", ki_query_headers, SIPBUS_KEMI_TEXTS_4),
	ROW("kazoo_async_query", ki_async_query, SIPBUS_KEMI_TEXTS_5),
	ROW("kazoo_query_async", ki_async_query, SIPBUS_KEMI_TEXTS_5),
	ROW("kazoo_subscribe", ki_subscribe, SIPBUS_KEMI_TEXTS_1),
	ROW("kazoo_subscribe_simple", ki_subscribe_simple, SIPBUS_KEMI_TEXTS_4),
	ROW("kazoo_json", ki_json, SIPBUS_KEMI_TEXTS_3),
	ROW("kazoo_json_keys", ki_json_keys, SIPBUS_KEMI_TEXTS_3),
	ROW("kazoo_encode", ki_encode, SIPBUS_KEMI_TEXTS_2),
	ROW("kazoo_pua_publish", ki_pua_publish, SIPBUS_KEMI_TEXTS_1),
	ROW("kazoo_pua_publish_mwi", ki_pua_publish_mwi, SIPBUS_KEMI_TEXTS_1),
	ROW("kazoo_pua_publish_presence", ki_pua_publish_presence, SIPBUS_KEMI_TEXTS_1),
	ROW("kazoo_pua_publish_dialoginfo", ki_pua_publish_dialoginfo, SIPBUS_KEMI_TEXTS_1),
	{{0, 0}, {0, 0}, 0, NULL, {0, 0, 0, 0, 0, 0}}
};
/* clang-format on */
