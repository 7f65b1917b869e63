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

/*
 * All events of a process run on the same message. What a route changed in it must not be seen by
 * the next one, and must not pile up.
 */
static void clean(sip_msg_t *msg)
{
	reset_new_uri(msg);
	reset_dst_uri(msg);
	reset_path_vector(msg);
	reset_instance(msg);
	reset_ruid(msg);
	reset_ua(msg);
	if(msg->add_rm != NULL) {
		free_lump_list(msg->add_rm);
		msg->add_rm = NULL;
	}
	if(msg->body_lumps != NULL) {
		free_lump_list(msg->body_lumps);
		msg->body_lumps = NULL;
	}
	del_nonshm_lump_rpl(&msg->reply_lump);
	msg->flags = 0;
	clear_branches();
	/* Variables of the message: AVPs, XAVPs and their like. */
	ksr_msg_env_reset();
}

int sipbus_event_run(int route, const char *name, const str *callback)
{
	struct run_act_ctx context;
	sr_kemi_eng_t *engine;
	sip_msg_t *msg;
	str event = {(char *)name, (int)strlen(name)};
	int type;
	int ran = 0;

	/* Settings that were changed by RPC meanwhile. */
	cfg_update();
	msg = faked_msg_get_next();
	type = get_route_type();
	set_route_type(EVENT_ROUTE);
	if(route >= 0) {
		init_run_actions_ctx(&context);
		run_top_route(event_rt.rlist[route], msg, &context);
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
		clean(msg);
	return ran;
}
