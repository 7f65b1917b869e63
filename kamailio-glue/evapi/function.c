/*
 * The functions of scripts, native and KEMI.
 */
#include "function.h"

#include "continue.h"
#include "suspend.h"

#include "core/dprint.h"
#include "core/error.h"
#include "core/pt.h"

/* Each function evaluates its parameters and calls one of these. */

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

/* clang-format off */
cmd_export_t evapi_commands[] = {
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
/* clang-format on */

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
sr_kemi_t evapi_kemi_exports[] = {
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
