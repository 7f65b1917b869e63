/*
 * The event interface: raising events, subscribing to them, and its variable.
 */
#include "core/sr_module.h"

#include "event.h"

#include "event_list.h"
#include "event_rpc.h"

#include "core/action.h"
#include "core/dprint.h"
#include "core/fmsg.h"
#include "core/parser/msg_parser.h"
#include "core/pt.h"
#include "core/route.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What sipbus_event_begin says. */
enum
{
	WANTED_WITH_CALLID = 2
};

int event_interface_init(void)
{
	return event_rpc_register();
}

int event_interface_child(int rank)
{
	return rank == PROC_INIT ? sipbus_events_create() : 0;
}

/* Raising */

/* The Call-ID of the SIP message that is being processed; that of a made-up one would be a key that
 * all events share. */
static sipbus_slice callid(sip_msg_t *msg)
{
	if(msg == NULL || faked_msg_match(msg))
		return sipbus_slice_of(NULL);
	if(parse_headers(msg, HDR_CALLID_F, 0) < 0 || msg->callid == NULL)
		return sipbus_slice_of(NULL);
	return sipbus_slice_of(&msg->callid->body);
}

/* Runs the event's route, on the message that is being processed if there is one. */
static void run(int route, sip_msg_t *msg)
{
	struct run_act_ctx context;
	int type = get_route_type();
	sip_msg_t *on = msg != NULL ? msg : faked_msg_get_next();

	set_route_type(EVENT_ROUTE);
	init_run_actions_ctx(&context);
	run_top_route(event_rt.rlist[route], on, &context);
	set_route_type(type);
	if(msg == NULL)
		sipbus_event_clean(on);
}

int event_raise(sip_msg_t *msg, int wanted)
{
	sipbus_slice key = {NULL, 0};
	int32_t route = -1;
	int result;

	if(wanted == WANTED_WITH_CALLID)
		key = callid(msg);
	result = raise_event((uint32_t)process_no, key, &route);
	if(route >= 0) {
		run(route, msg);
		sipbus_event_end();
	}
	return result;
}

static int raise_lists(sip_msg_t *msg, const event_call *call,
		const event_list *attributes, const event_list *values)
{
	sipbus_slice name;
	int wanted;

	if(sipbus_text_value(msg, call->name, 1, &name) != 0) {
		LM_ERR("raise_event: the event is $null\n");
		return -1;
	}
	wanted = sipbus_event_begin(name);
	if(wanted <= 0)
		return wanted < 0 ? -1 : 1;
	if(values != NULL && event_list_add(msg, attributes, values) != 0)
		return -1;
	return event_raise(msg, wanted);
}

int w_raise_event1(sip_msg_t *msg, char *event, char *unused)
{
	(void)unused;
	return raise_lists(msg, (event_call *)event, NULL, NULL);
}

int w_raise_event2(sip_msg_t *msg, char *event, char *values)
{
	const event_call *call = (event_call *)event;
	const event_list *list;

	if(event_list_of(call, 0, values, &list) != 0)
		return -1;
	return raise_lists(msg, call, NULL, list);
}

int w_raise_event3(sip_msg_t *msg, char *event, char *attributes, char *values)
{
	const event_call *call = (event_call *)event;
	const event_list *names;
	const event_list *list;

	if(event_list_of(call, 0, attributes, &names) != 0
			|| event_list_of(call, 1, values, &list) != 0)
		return -1;
	return raise_lists(msg, call, names, list);
}

int event_raise_json(sip_msg_t *msg, sipbus_slice event, sipbus_slice params)
{
	int wanted = sipbus_event_begin(event);

	if(wanted <= 0)
		return wanted < 0 ? -1 : 1;
	if(sipbus_event_set(params) != 0)
		return -1;
	return event_raise(msg, wanted);
}

int event_json_fixup(void **param, int number)
{
	const str *name;
	int failed = sipbus_text_fixup(param, number);

	if(failed != 0 || number != 1)
		return failed;
	name = sipbus_text_fixed(*param);
	if(name != NULL && sipbus_event_known(sipbus_slice_of(name)) != 0)
		return E_CFG;
	return 0;
}

int w_raise_event_json(sip_msg_t *msg, char *event, char *params)
{
	sipbus_slice name;
	sipbus_slice json;

	if(sipbus_text_value(msg, event, 1, &name) != 0
			|| sipbus_text_value(msg, params, SIPBUS_TEXT_LAST, &json) != 0) {
		LM_ERR("raise_event_json: a parameter is $null\n");
		return -1;
	}
	return event_raise_json(msg, name, json);
}

int ki_raise_event(sip_msg_t *msg, str *event)
{
	int wanted = sipbus_event_begin(sipbus_slice_of(event));

	if(wanted <= 0)
		return wanted < 0 ? -1 : 1;
	return event_raise(msg, wanted);
}

int ki_raise_event_json(sip_msg_t *msg, str *event, str *params)
{
	return event_raise_json(
			msg, sipbus_slice_of(event), sipbus_slice_of(params));
}

/* Subscribing */

int event_subscribe_fixup(void **param, int number)
{
	const str *fixed;
	int failed = sipbus_text_fixup(param, number);

	if(failed != 0 || number > 2)
		return failed;
	fixed = sipbus_text_fixed(*param);
	if(fixed == NULL)
		return 0;
	failed = number == 1 ? sipbus_event_known(sipbus_slice_of(fixed))
						 : sipbus_event_socket_known(sipbus_slice_of(fixed));
	return failed != 0 ? E_CFG : 0;
}

int event_seconds(sipbus_slice text, int64_t *seconds)
{
	char copy[16];
	char *end;

	if(text.len == 0 || text.len >= sizeof(copy))
		return -1;
	memcpy(copy, text.bytes, text.len);
	copy[text.len] = '\0';
	*seconds = strtol(copy, &end, 10);
	return *end != '\0' || *seconds < 0 ? -1 : 0;
}

int w_subscribe_event2(sip_msg_t *msg, char *event, char *socket)
{
	return w_subscribe_event3(msg, event, socket, NULL);
}

int w_subscribe_event3(sip_msg_t *msg, char *event, char *socket, char *expire)
{
	sipbus_slice name;
	sipbus_slice to;
	sipbus_slice text;
	int64_t seconds = -1;

	if(sipbus_text_value(msg, event, 1, &name) != 0
			|| sipbus_text_value(msg, socket, 2, &to) != 0) {
		LM_ERR("subscribe_event: a parameter is $null\n");
		return -1;
	}
	if(expire != NULL
			&& (sipbus_text_value(msg, expire, SIPBUS_TEXT_LAST, &text) != 0
					|| event_seconds(text, &seconds) != 0)) {
		LM_ERR("subscribe_event: expire must be a number of seconds\n");
		return -1;
	}
	return subscribe_event(name, to, seconds);
}

int ki_subscribe_event(sip_msg_t *msg, str *event, str *socket)
{
	(void)msg;
	return subscribe_event(sipbus_slice_of(event), sipbus_slice_of(socket), -1);
}

int ki_subscribe_event_expire(
		sip_msg_t *msg, str *event, str *socket, int expire)
{
	(void)msg;
	if(expire < 0) {
		LM_ERR("subscribe_event_expire: expire must not be negative\n");
		return -1;
	}
	return subscribe_event(
			sipbus_slice_of(event), sipbus_slice_of(socket), expire);
}

/* $event(name) */

int event_variable_name(pv_spec_t *spec, str *name)
{
	if(name == NULL || name->len <= 0) {
		LM_ERR("$event(name) needs a name: that of a parameter, or name\n");
		return -1;
	}
	spec->pvp.pvn.type = PV_NAME_INTSTR;
	spec->pvp.pvn.u.isname.type = AVP_NAME_STR;
	spec->pvp.pvn.u.isname.name.s = *name;
	return 0;
}

int event_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	sipbus_slice text = {NULL, 0};
	char digits[24];
	int64_t number = 0;
	int found = sipbus_event_variable(
			sipbus_slice_of(&param->pvn.u.isname.name.s), &text, &number);

	if(found != 2)
		return sipbus_variable(msg, param, value, found, text);
	if(number >= INT_MIN && number <= INT_MAX)
		return pv_get_sintval(msg, param, value, (int)number);
	/* Numbers are ints there; a larger one is text. It has no NUL that stays, and is copied. */
	text.len =
			(size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number);
	digits[text.len] = ' ';
	text.bytes = digits;
	return sipbus_variable(msg, param, value, 1, text);
}
