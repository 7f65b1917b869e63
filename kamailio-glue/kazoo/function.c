/*
 * The functions of native scripts.
 */
#include "kazoo.h"

#include "core/dprint.h"
#include "core/pt.h"

/* Where sipbus_text_value puts each parameter; the document comes last and is used where it lies. */
enum
{
	EXCHANGE = 1,
	ROUTING_KEY,
	HEADERS,
	ANSWER = HEADERS,
	FAILURE
};

/* What a message is made of. */
typedef struct message
{
	sipbus_slice exchange;
	sipbus_slice routing_key;
	sipbus_slice headers;
	sipbus_slice json;
} message;

/* NULL, or what is wrong. */
static const char *evaluate(sip_msg_t *msg, char *exchange, char *routing_key,
		char *headers, char *json, message *out)
{
	out->headers = (sipbus_slice){NULL, 0};
	if(sipbus_text_value(msg, exchange, EXCHANGE, &out->exchange) != 0)
		return "the exchange is $null";
	if(sipbus_text_value(msg, routing_key, ROUTING_KEY, &out->routing_key) != 0)
		return "the routing key is $null";
	if(headers != NULL
			&& sipbus_text_value(msg, headers, HEADERS, &out->headers) != 0)
		out->headers = (sipbus_slice){NULL, 0};
	if(sipbus_text_value(msg, json, SIPBUS_TEXT_LAST, &out->json) != 0)
		return "the payload is $null";
	return NULL;
}

static int w_publish_headers(sip_msg_t *msg, char *exchange, char *routing_key,
		char *json, char *headers)
{
	message sent;
	const char *why =
			evaluate(msg, exchange, routing_key, headers, json, &sent);

	if(why != NULL)
		return sipbus_kazoo_invalid((uint32_t)process_no, why);
	return kazoo_publish((uint32_t)process_no, sent.exchange, sent.routing_key,
			sent.json, sent.headers);
}

static int w_publish(
		sip_msg_t *msg, char *exchange, char *routing_key, char *json)
{
	return w_publish_headers(msg, exchange, routing_key, json, NULL);
}

/* Prepares a query: 1, or what the function returns. */
static int prepare(sip_msg_t *msg, char *exchange, char *routing_key,
		char *headers, char *json)
{
	message sent;
	const char *why =
			evaluate(msg, exchange, routing_key, headers, json, &sent);

	if(why != NULL)
		return sipbus_kazoo_query_invalid((uint32_t)process_no, why);
	return sipbus_kazoo_query_prepare((uint32_t)process_no, sent.exchange,
			sent.routing_key, sent.json, sent.headers);
}

static int w_query_headers(sip_msg_t *msg, char *exchange, char *routing_key,
		char *json, char *target, char *headers)
{
	int64_t timeout = kz_query_timeout(msg);
	int result = prepare(msg, exchange, routing_key, headers, json);
	sipbus_slice answer;

	if(result < 0)
		return result;
	result = kazoo_query((uint32_t)process_no, timeout);
	if(result > 0 && target != NULL && kazoo_result(&answer)
			&& kz_assign(msg, kz_target(target), &answer) < 0)
		return -1;
	return result;
}

static int w_query_target(sip_msg_t *msg, char *exchange, char *routing_key,
		char *json, char *target)
{
	return w_query_headers(msg, exchange, routing_key, json, target, NULL);
}

static int w_query(
		sip_msg_t *msg, char *exchange, char *routing_key, char *json)
{
	return w_query_headers(msg, exchange, routing_key, json, NULL, NULL);
}

static int w_async_query(sip_msg_t *msg, char *exchange, char *routing_key,
		char *json, char *answer, char *failure)
{
	int64_t timeout = kz_query_timeout(msg);
	sipbus_slice name = {NULL, 0};
	uint32_t on_answer = 0;
	uint32_t on_failure = 0;

	if(sipbus_text_value(msg, answer, ANSWER, &name) == 0)
		on_answer = kz_route(name, 1, 0);
	if(on_answer != 0 && sipbus_text_value(msg, failure, FAILURE, &name) == 0)
		on_failure = kz_route(name, 0, 0);
	if(on_failure == 0)
		return kz_query_unrouted();
	if(prepare(msg, exchange, routing_key, NULL, json) < 0)
		return -1;
	return kz_query_async(msg, timeout, on_answer, on_failure);
}

/* The sixth parameter is accepted and means nothing, as in the original. */
static int w_async_query_flags(sip_msg_t *msg, char *exchange,
		char *routing_key, char *json, char *answer, char *failure, char *flags)
{
	(void)flags;
	return w_async_query(msg, exchange, routing_key, json, answer, failure);
}

static int w_subscribe(sip_msg_t *msg, char *json)
{
	sipbus_slice document;

	if(sipbus_text_value(msg, json, SIPBUS_TEXT_LAST, &document) != 0)
		document = (sipbus_slice){NULL, 0};
	return kazoo_subscribe(document);
}

static int w_subscribe_simple(sip_msg_t *msg, char *exchange, char *type,
		char *queue, char *routing_key)
{
	char *params[4] = {exchange, type, queue, routing_key};
	sipbus_slice values[4];
	int i;

	for(i = 0; i < 4; i++) {
		if(sipbus_text_value(msg, params[i], i + 1, &values[i]) != 0)
			values[i] = (sipbus_slice){NULL, 0};
	}
	return kazoo_subscribe_simple(values[0], values[1], values[2], values[3]);
}

static int presence(sip_msg_t *msg, char *json, uint32_t kind)
{
	sipbus_slice document;

	if(sipbus_text_value(msg, json, SIPBUS_TEXT_LAST, &document) != 0) {
		LM_ERR("kazoo_pua_publish: the document is $null\n");
		return -1;
	}
	return kz_presence_publish(kind, document);
}

static int w_pua_publish(sip_msg_t *msg, char *json)
{
	return presence(msg, json, SIPBUS_KAZOO_BY_PACKAGE);
}

static int w_pua_publish_mwi(sip_msg_t *msg, char *json)
{
	return presence(msg, json, SIPBUS_KAZOO_MWI);
}

static int w_pua_publish_presence(sip_msg_t *msg, char *json)
{
	return presence(msg, json, SIPBUS_KAZOO_PRESENCE);
}

static int w_pua_publish_dialoginfo(sip_msg_t *msg, char *json)
{
	return presence(msg, json, SIPBUS_KAZOO_DIALOGINFO);
}

/* Fixups */

/* Exchange and routing key come first. The original's manual builds the key in two steps; what a
 * document or header holds may be a caller's and is never evaluated. */
static int message_fixup(void **param, int number)
{
	return number <= 2 ? sipbus_text_fixup_twice(param, number)
					   : sipbus_text_fixup(param, number);
}

static int query_fixup(void **param, int number)
{
	return number == 4 ? kz_target_fixup(param) : message_fixup(param, number);
}

static int query_free(void **param, int number)
{
	return number == 4 ? kz_target_free(param)
					   : sipbus_text_free(param, number);
}

static int async_fixup(void **param, int number)
{
	if((number == 4 || number == 5)
			&& kz_route_fixup(param, number, number == 4) < 0)
		return E_CFG;
	return message_fixup(param, number);
}

/* clang-format off */
#define TEXTS sipbus_text_fixup, sipbus_text_free, ANY_ROUTE
#define MESSAGE message_fixup, sipbus_text_free, ANY_ROUTE
#define ASYNC async_fixup, sipbus_text_free, ANY_ROUTE

cmd_export_t kz_commands[] = {
	{"kazoo_publish", SIPBUS_FUNCTION(w_publish), 3, MESSAGE},
	{"kazoo_publish", SIPBUS_FUNCTION(w_publish_headers), 4, MESSAGE},
	{"kazoo_query", SIPBUS_FUNCTION(w_query), 3, MESSAGE},
	{"kazoo_query", SIPBUS_FUNCTION(w_query_target), 4, query_fixup, query_free, ANY_ROUTE},
	{"kazoo_query", SIPBUS_FUNCTION(w_query_headers), 5, query_fixup, query_free, ANY_ROUTE},
	{"kazoo_async_query", SIPBUS_FUNCTION(w_async_query), 5, ASYNC},
	{"kazoo_async_query", SIPBUS_FUNCTION(w_async_query_flags), 6, ASYNC},
	{"kazoo_query_async", SIPBUS_FUNCTION(w_async_query), 5, ASYNC},
	{"kazoo_query_async", SIPBUS_FUNCTION(w_async_query_flags), 6, ASYNC},
	{"kazoo_subscribe", SIPBUS_FUNCTION(w_subscribe), 1, TEXTS},
	{"kazoo_subscribe", SIPBUS_FUNCTION(w_subscribe_simple), 4, TEXTS},
	{"kazoo_json", SIPBUS_FUNCTION(kz_w_json), 3, kz_json_fixup, kz_json_free, ANY_ROUTE},
	{"kazoo_json_keys", SIPBUS_FUNCTION(kz_w_json_keys), 3, kz_json_fixup, kz_json_free, ANY_ROUTE},
	{"kazoo_encode", SIPBUS_FUNCTION(kz_w_encode), 2, kz_encode_fixup, kz_encode_free, ANY_ROUTE},
	{"kazoo_pua_publish", SIPBUS_FUNCTION(w_pua_publish), 1, TEXTS},
	{"kazoo_pua_publish_mwi", SIPBUS_FUNCTION(w_pua_publish_mwi), 1, TEXTS},
	{"kazoo_pua_publish_presence", SIPBUS_FUNCTION(w_pua_publish_presence), 1, TEXTS},
	{"kazoo_pua_publish_dialoginfo", SIPBUS_FUNCTION(w_pua_publish_dialoginfo), 1, TEXTS},
	{0, 0, 0, 0, 0, 0}
};
/* clang-format on */
