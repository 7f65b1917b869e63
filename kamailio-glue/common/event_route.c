/*
 * Runs event routes and KEMI callbacks, each in an environment of its own.
 */
#include "shim.h"

#include "core/action.h"
#include "core/cfg/cfg_struct.h"
#include "core/data_lump.h"
#include "core/data_lump_rpl.h"
#include "core/dprint.h"
#include "core/dset.h"
#include "core/fmsg.h"
#include "core/kemi.h"
#include "core/receive.h"
#include "core/route.h"
#include "core/script_cb.h"
#include "core/usr_avp.h"
#include "core/xavp.h"

/*
 * Ends the variables of the message, AVPs, XAVPs and their like, as ksr_msg_env_reset() does, but
 * only if there are any: that function costs as much as a short route. A route may also have left
 * other lists in place of the process's own, as tm does for a transaction.
 */
static void reset_variables(void)
{
	static const avp_flags_t kinds[] = {AVP_CLASS_URI | AVP_TRACK_FROM,
			AVP_CLASS_URI | AVP_TRACK_TO, AVP_CLASS_USER | AVP_TRACK_FROM,
			AVP_CLASS_USER | AVP_TRACK_TO, AVP_CLASS_DOMAIN | AVP_TRACK_FROM,
			AVP_CLASS_DOMAIN | AVP_TRACK_TO};
	enum
	{
		KINDS = sizeof(kinds) / sizeof(kinds[0])
	};
	/* The process's own, which a reset puts back. */
	static avp_list_t *own[KINDS];
	static sr_xavp_t **own_xavp, **own_xavu, **own_xavi;
	int left;
	int i;

	left = own_xavp == NULL || xavp_get_crt_list() != own_xavp
		   || xavu_get_crt_list() != own_xavu || xavi_get_crt_list() != own_xavi
		   || *own_xavp != NULL || *own_xavu != NULL || *own_xavi != NULL;
	/* The current list can only be asked for by putting another in its place. */
	for(i = 0; i < KINDS && !left; i++)
		left = set_avp_list(kinds[i], own[i]) != own[i] || *own[i] != NULL;
	if(!left)
		return;
	ksr_msg_env_reset();
	for(i = 0; i < KINDS; i++) {
		own[i] = set_avp_list(kinds[i], NULL);
		set_avp_list(kinds[i], own[i]);
	}
	own_xavp = xavp_get_crt_list();
	own_xavu = xavu_get_crt_list();
	own_xavi = xavi_get_crt_list();
}

void sipbus_event_clean(sip_msg_t *msg)
{
	if(msg->new_uri.s != NULL)
		reset_new_uri(msg);
	if(msg->dst_uri.s != NULL)
		reset_dst_uri(msg);
	if(msg->path_vec.s != NULL)
		reset_path_vector(msg);
	if(msg->instance.s != NULL)
		reset_instance(msg);
	if(msg->ruid.s != NULL)
		reset_ruid(msg);
	if(msg->location_ua.s != NULL)
		reset_ua(msg);
	if(msg->add_rm != NULL) {
		free_lump_list(msg->add_rm);
		msg->add_rm = NULL;
	}
	if(msg->body_lumps != NULL) {
		free_lump_list(msg->body_lumps);
		msg->body_lumps = NULL;
	}
	if(msg->reply_lump != NULL)
		del_nonshm_lump_rpl(&msg->reply_lump);
	msg->flags = 0;
	clear_branches();
	reset_variables();
}

/*
 * The route as an event route, or as the route of a request: then with what modules do before and
 * after those.
 */
static void run_route(int route, int type, sip_msg_t *msg)
{
	struct run_act_ctx context;

	if(type == REQUEST_ROUTE && exec_pre_script_cb(msg, REQUEST_CB_TYPE) == 0)
		return;
	init_run_actions_ctx(&context);
	run_top_route(event_rt.rlist[route], msg, &context);
	if(type == REQUEST_ROUTE)
		exec_post_script_cb(msg, REQUEST_CB_TYPE);
}

int sipbus_event_run(int route, const char *name, const str *callback)
{
	return sipbus_event_run_as(EVENT_ROUTE, route, name, callback);
}

int sipbus_event_run_as(
		int as_type, int route, const char *name, const str *callback)
{
	sr_kemi_eng_t *engine;
	sip_msg_t *msg;
	str event = {(char *)name, (int)strlen(name)};
	int type;
	int ran = 0;

	/* Settings that were changed by RPC meanwhile. */
	cfg_update();
	msg = faked_msg_get_next();
	type = get_route_type();
	set_route_type(route >= 0 ? as_type : EVENT_ROUTE);
	if(route >= 0) {
		run_route(route, as_type, msg);
		ran = 1;
	} else if(callback->len > 0) {
		engine = sr_kemi_eng_get();
		if(engine == NULL) {
			LM_ERR("there is an event_callback, but no KEMI engine\n");
		} else {
			if(sr_kemi_route(engine, msg, EVENT_ROUTE, (str *)callback, &event)
					< 0)
				LM_ERR("the event_callback %.*s failed for %s\n", callback->len,
						callback->s, name);
			ran = 1;
		}
	}
	set_route_type(type);
	if(ran)
		sipbus_event_clean(msg);
	return ran;
}
