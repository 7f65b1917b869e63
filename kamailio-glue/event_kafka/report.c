/*
 * Report routes: their numbers, and running one.
 *
 * A message carries its route as a number to the engine and back. A route's is its place in the
 * configuration, one above. A KEMI script's functions have no place: their names are noted in
 * shared memory when they are used first, since the process that publishes is not the one that runs
 * the report.
 */
#include "core/sr_module.h"

#include "report.h"
#include "report_avp.h"

#include "core/action.h"
#include "core/cfg/cfg_struct.h"
#include "core/dprint.h"
#include "core/fmsg.h"
#include "core/kemi.h"
#include "core/locking.h"
#include "core/mem/mem.h"
#include "core/mem/shm.h"
#include "core/route.h"
#include "core/script_cb.h"

#include <string.h>

/* Functions of a KEMI script, far more than one has. */
#define FUNCTIONS_MAX 64
#define FUNCTION_BYTES 64
/* Above every place in a configuration. */
#define FUNCTION_FIRST 0x10000

typedef struct functions
{
	gen_lock_t lock;
	uint32_t count;
	char names[FUNCTIONS_MAX][FUNCTION_BYTES];
} functions;

/* A parameter; without a route, `given` is empty or names none that there is. */
typedef struct parameter
{
	char *given;
	uint32_t route;
} parameter;

static functions *known;

int kafka_report_init(void)
{
	known = shm_malloc(sizeof(*known));
	if(known == NULL) {
		SHM_MEM_ERROR;
		return -1;
	}
	memset(known, 0, sizeof(*known));
	kafka_avp_init();
	if(lock_init(&known->lock) == NULL) {
		LM_ERR("the lock of the report functions cannot be made\n");
		return -1;
	}
	return 0;
}

static uint32_t route_number(const char *name)
{
	int route = route_lookup(&main_rt, (char *)name);

	if(route < 0 || main_rt.rlist[route] == NULL)
		return 0;
	return (uint32_t)route + 1;
}

static uint32_t function_number(const char *name)
{
	uint32_t i;

	lock_get(&known->lock);
	for(i = 0; i < known->count; i++) {
		if(strcmp(known->names[i], name) == 0)
			break;
	}
	if(i == known->count && i < FUNCTIONS_MAX) {
		strcpy(known->names[i], name);
		known->count++;
	}
	lock_release(&known->lock);
	if(i == FUNCTIONS_MAX) {
		LM_ERR("there are more than %d report functions\n", FUNCTIONS_MAX);
		return 0;
	}
	return FUNCTION_FIRST + i;
}

uint32_t kafka_report_named(const str *name)
{
	char copy[FUNCTION_BYTES];
	uint32_t number;

	if(sipbus_kafka_report_workers() == 0 || name->len <= 0
			|| name->len >= FUNCTION_BYTES
			|| memchr(name->s, '\0', (size_t)name->len) != NULL)
		return 0;
	memcpy(copy, name->s, (size_t)name->len);
	copy[name->len] = '\0';
	number = route_number(copy);
	if(number == 0 && sr_kemi_eng_get() != NULL)
		number = function_number(copy);
	return number;
}

/* Parameters */

int kafka_report_fixup(void **param, int number)
{
	action_u_t *action = fixup_get_param(param, number, number);
	str name = {*param, (int)strlen(*param)};
	/* A bare variable was evaluated for this call, which refuses a wrong name itself. */
	int is_fixed = action->type != STRING_RVE_ST;
	uint32_t route = kafka_report_named(&name);
	parameter *parsed;

	if(is_fixed && strchr(name.s, '$') != NULL) {
		LM_ERR("kafka_publish: the report route must be a fixed name or a bare "
			   "variable\n");
		return E_CFG;
	}
	if(is_fixed && name.len > 0 && route == 0) {
		if(sipbus_kafka_report_workers() == 0)
			LM_ERR("kafka_publish: route[%s] cannot be run, report_workers is "
				   "0\n",
					name.s);
		else
			LM_ERR("kafka_publish: there is no route[%s] to report to\n",
					name.s);
		return E_CFG;
	}
	parsed = pkg_malloc(sizeof(*parsed));
	if(parsed == NULL) {
		PKG_MEM_ERROR;
		return E_OUT_OF_MEM;
	}
	*parsed = (parameter){.given = *param, .route = route};
	*param = parsed;
	return 0;
}

int kafka_report_free(void **param)
{
	parameter *parsed = *param;

	*param = parsed->given;
	pkg_free(parsed);
	return 0;
}

int kafka_report_route(const char *param, uint32_t *route)
{
	const parameter *parsed = (const parameter *)param;

	*route = parsed == NULL ? 0 : parsed->route;
	return *route == 0 && parsed != NULL && *parsed->given != '\0' ? -1 : 0;
}

/* Running one */

static void add_report(const sipbus_kafka_report *report)
{
	kafka_avp_text(KAFKA_AVP_ID, report->broker);
	kafka_avp_number(KAFKA_AVP_STATUS, report->status);
	if(report->key.len > 0)
		kafka_avp_text(KAFKA_AVP_KEY, report->key);
	kafka_avp_text(KAFKA_AVP_MSG, report->message);
	if(report->status != 0)
		kafka_avp_text(KAFKA_AVP_ERROR, report->error);
	if(report->partition >= 0)
		kafka_avp_number(KAFKA_AVP_PARTITION, report->partition);
	if(report->offset >= 0)
		kafka_avp_number(KAFKA_AVP_OFFSET, report->offset);
}

static void run_function(sip_msg_t *msg, sr_kemi_eng_t *engine, char *name)
{
	str function = {name, (int)strlen(name)};

	if(sr_kemi_route(engine, msg, REQUEST_ROUTE, &function, NULL) < 0)
		LM_ERR("the report function %s failed\n", name);
}

static void run_route(sip_msg_t *msg, struct action *route)
{
	struct run_act_ctx context;

	init_run_actions_ctx(&context);
	run_top_route(route, msg, &context);
}

/* The route or function of that number. */
static int run(sip_msg_t *msg, uint32_t number)
{
	sr_kemi_eng_t *engine = sr_kemi_eng_get();
	struct action *route = NULL;
	char *function = NULL;

	if(number >= FUNCTION_FIRST && number - FUNCTION_FIRST < FUNCTIONS_MAX)
		function = known->names[number - FUNCTION_FIRST];
	else if(number > 0 && number <= (uint32_t)main_rt.entries)
		route = main_rt.rlist[number - 1];
	if(route == NULL && (function == NULL || engine == NULL))
		return 0;
	/* Modules end in these what a request began: tm its transaction. */
	if(exec_pre_script_cb(msg, REQUEST_CB_TYPE) == 0)
		return 1;
	if(route != NULL)
		run_route(msg, route);
	else
		run_function(msg, engine, function);
	exec_post_script_cb(msg, REQUEST_CB_TYPE);
	return 1;
}

int kafka_report_run(const sipbus_kafka_report *report)
{
	sip_msg_t *msg = faked_msg_get_next();
	int type = get_route_type();
	int ran;

	/* Settings that were changed by RPC meanwhile. */
	cfg_update();
	set_route_type(REQUEST_ROUTE);
	add_report(report);
	ran = run(msg, report->route);
	set_route_type(type);
	kafka_avp_keep();
	sipbus_event_clean(msg);
	return ran;
}
