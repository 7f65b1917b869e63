/*
 * The event interface for operators, with the commands of OpenSIPS.
 */
#include "core/sr_module.h"

#include "event_rpc.h"

#include "core/dprint.h"
#include "core/rpc_lookup.h"

/* Seconds that a subscription lasts if nothing else is said. */
#define EXPIRE_DEFAULT 3600

/* What subscribers_list is asked for; a process answers one command at a time. */
static sipbus_slice wanted_event;
static sipbus_slice wanted_socket;

/* The next parameter, with NULL bytes if there is none. 0, or -1 and a fault if it is neither a text nor a number. */
static int optional(rpc_t *rpc, void *context, sipbus_slice *value)
{
	static char none[] = "";
	str text = {none, 0};

	if(rpc->scan(context, "*.S", &text) >= 1) {
		*value = sipbus_slice_of(&text);
		return 0;
	}
	*value = sipbus_slice_of(NULL);
	/* What jsonrpcs cannot read it replaces by NULL, and what is missing it leaves alone; both count as not scanned. */
	if(text.s == none)
		return 0;
	rpc->fault(context, 400,
			"A parameter is neither a text nor a number: give JSON as one "
			"text");
	return -1;
}

static void rpc_subscribe(rpc_t *rpc, void *context)
{
	str event;
	str socket;
	sipbus_slice expire;
	int64_t seconds = EXPIRE_DEFAULT;

	if(rpc->scan(context, "SS", &event, &socket) < 2) {
		rpc->fault(context, 400, "Event and socket are wanted");
		return;
	}
	if(optional(rpc, context, &expire) != 0)
		return;
	if(expire.len > 0 && event_seconds(expire, &seconds) != 0) {
		rpc->fault(context, 400, "Negative expire value, or no number");
		return;
	}
	if(subscribe_event(
			   sipbus_slice_of(&event), sipbus_slice_of(&socket), seconds)
			< 0)
		rpc->fault(context, 400, "Bad parameter value");
	else
		rpc->add(context, "s", "OK");
}

static int write_events(const char *module, const sipbus_report *report)
{
	(void)module;
	return sipbus_events_list(report);
}

static void rpc_events(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, write_events, NULL);
}

static int write_subscribers(const char *module, const sipbus_report *report)
{
	(void)module;
	return sipbus_subscribers_list(wanted_event, wanted_socket, report);
}

static void rpc_subscribers(rpc_t *rpc, void *context)
{
	wanted_socket = sipbus_slice_of(NULL);
	if(optional(rpc, context, &wanted_event) != 0)
		return;
	if(wanted_event.len > 0) {
		if(optional(rpc, context, &wanted_socket) != 0)
			return;
		switch(sipbus_event_exists(wanted_event, wanted_socket)) {
			case 0:
				rpc->fault(context, 404, "Event not published");
				return;
			case -1:
				rpc->fault(context, 404, "Subscriber does not exist");
				return;
		}
	}
	sipbus_rpc_answer(rpc, context, write_subscribers, NULL);
}

/* A list of parameters without names, or none. -2 after a fault. */
static int raise_plain(
		sipbus_slice event, sipbus_slice param, rpc_t *rpc, void *context)
{
	const sipbus_slice unnamed = {NULL, 0};
	int wanted = sipbus_event_begin(event);

	if(wanted <= 0)
		return wanted;
	while(param.bytes != NULL) {
		sipbus_event_add_text(unnamed, param);
		if(optional(rpc, context, &param) != 0)
			return -2;
	}
	return event_raise(NULL, wanted);
}

static void rpc_raise(rpc_t *rpc, void *context)
{
	str name;
	sipbus_slice event;
	sipbus_slice param;
	int result;

	if(rpc->scan(context, "S", &name) < 1) {
		rpc->fault(context, 400, "An event is wanted");
		return;
	}
	event = sipbus_slice_of(&name);
	if(optional(rpc, context, &param) != 0)
		return;
	if(param.len > 0 && (*param.bytes == '{' || *param.bytes == '['))
		result = event_raise_json(NULL, event, param);
	else
		result = raise_plain(event, param, rpc, context);
	if(result == -2)
		return;
	if(result < 0)
		rpc->fault(context, 500, "The event was not handed to all subscribers");
	else
		rpc->add(context, "s", "OK");
}

/* clang-format off */
static const char *subscribe_doc[] = {
	"Subscribes a socket to an event: event, socket[, expire]", 0};
static const char *events_doc[] = {"The events that were named", 0};
static const char *subscribers_doc[] = {
	"Who has subscribed: [event[, socket]]", 0};
static const char *raise_doc[] = {
	"Raises an event: event[, JSON object or array, or values]", 0};

static rpc_export_t methods[] = {
	{"event_subscribe", rpc_subscribe, subscribe_doc, 0},
	{"events_list", rpc_events, events_doc, 0},
	{"subscribers_list", rpc_subscribers, subscribers_doc, 0},
	{"raise_event", rpc_raise, raise_doc, 0},
	{"evi.subscribe", rpc_subscribe, subscribe_doc, 0},
	{"evi.list", rpc_events, events_doc, 0},
	{"evi.subscribers", rpc_subscribers, subscribers_doc, 0},
	{"evi.raise", rpc_raise, raise_doc, 0},
	{0, 0, 0, 0}
};
/* clang-format on */

int event_rpc_register(void)
{
	if(rpc_register_array(methods) != 0) {
		LM_ERR("the RPC commands of events cannot be registered\n");
		return -1;
	}
	return 0;
}
