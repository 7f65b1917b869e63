/*
 * Timeouts of queries, and transactions that wait for an answer.
 */
#include "kazoo.h"

#include "core/dprint.h"
#include "core/kemi.h"
#include "core/locking.h"
#include "core/mem/shm.h"
#include "core/mod_fix.h"
#include "core/pt.h"
#include "core/route.h"

#include "suspend.h"

#include <string.h>

/* The number of a route is its kind and its place among those. */
enum
{
	ONREPLY = 1,
	PLAIN,
	FAILURE,
	FUNCTION
};

#define KIND_SHIFT 24
#define NAME_MAX_BYTES 128
#define FUNCTIONS_MAX 64

/* Names of KEMI functions that were given as routes. They stay, so a number is good everywhere. */
typedef struct functions
{
	gen_lock_t lock;
	uint32_t count;
	char names[FUNCTIONS_MAX][NAME_MAX_BYTES];
} functions;

static functions *shared;

static pv_spec_t *timeout;

int kz_query_init(const sipbus_slice *timeout_variable)
{
	str name = {(char *)timeout_variable->bytes, (int)timeout_variable->len};

	sipbus_suspend_init("kazoo_async_query");
	shared = shm_malloc(sizeof(*shared));
	if(shared == NULL) {
		SHM_MEM_ERROR;
		return -1;
	}
	memset(shared, 0, sizeof(*shared));
	if(lock_init(&shared->lock) == NULL)
		return -1;
	if(name.len == 0)
		return 0;
	timeout = pv_cache_get(&name);
	if(timeout == NULL)
		LM_ERR("amqp_query_timeout_avp = \"%.*s\": it is no variable\n",
				name.len, name.s);
	return timeout == NULL ? -1 : 0;
}

int64_t kz_query_timeout(sip_msg_t *msg)
{
	pv_value_t value;

	if(timeout == NULL)
		return 0;
	memset(&value, 0, sizeof(value));
	if(pv_get_spec_value(msg, timeout, &value) != 0
			|| !(value.flags & PV_VAL_INT) || value.ri <= 0)
		return 0;
	return value.ri;
}

static uint32_t function_number(const char *name)
{
	uint32_t i;

	lock_get(&shared->lock);
	for(i = 0; i < shared->count; i++) {
		if(strcmp(shared->names[i], name) == 0)
			break;
	}
	if(i == shared->count && i < FUNCTIONS_MAX) {
		strcpy(shared->names[i], name);
		shared->count++;
	}
	lock_release(&shared->lock);
	return i < FUNCTIONS_MAX ? FUNCTION << KIND_SHIFT | i : 0;
}

static uint32_t number_in(struct route_list *routes, uint32_t kind, char *name)
{
	int route = route_lookup(routes, name);

	if(route < 0 || routes->rlist[route] == NULL)
		return 0;
	return kind << KIND_SHIFT | (uint32_t)route;
}

uint32_t kz_route(sipbus_slice name, int is_answer, int is_kemi)
{
	char copy[NAME_MAX_BYTES];
	uint32_t number;

	if(name.len == 0 || name.len >= sizeof(copy)) {
		LM_ERR("the name of a route has 1 to %d bytes\n", NAME_MAX_BYTES - 1);
		return 0;
	}
	memcpy(copy, name.bytes, name.len);
	copy[name.len] = '\0';
	number = is_answer ? number_in(&onreply_rt, ONREPLY, copy)
					   : number_in(&failure_rt, FAILURE, copy);
	if(number == 0)
		number = number_in(&main_rt, PLAIN, copy);
	if(number == 0 && is_kemi && sr_kemi_eng_get() != NULL)
		number = function_number(copy);
	if(number == 0)
		LM_ERR("there is neither %s[%s] nor route[%s]\n",
				is_answer ? "onreply_route" : "failure_route", copy, copy);
	return number;
}

int kz_route_fixup(void **param, int number, int is_answer)
{
	sipbus_slice name = {*param, strlen(*param)};

	/* Variables, and expressions that the core evaluates for a call, are looked up then. */
	if(fixup_get_param(param, number, number)->type == STRING_RVE_ST
			|| strchr(*param, PV_MARKER) != NULL)
		return 0;
	return kz_route(name, is_answer, 0) != 0 ? 0 : E_CFG;
}

int kz_query_unrouted(void)
{
	return sipbus_kazoo_query_invalid((uint32_t)process_no,
			"an async query needs a route for the answer and one for the "
			"failure");
}

int kz_query_async(
		sip_msg_t *msg, int64_t timeout_ms, uint32_t answer, uint32_t failure)
{
	sipbus_suspended suspended;
	int result = sipbus_suspend(msg, &suspended);

	if(result <= 0)
		return result;
	result = kazoo_async_query((uint32_t)process_no, timeout_ms,
			suspended.index, suspended.label, answer, failure);
	if(result < 0)
		sipbus_suspend_cancel(&suspended);
	/* 0 ends the script. */
	return result < 0 ? result : 0;
}

int kz_query_continue(
		uint32_t tindex, uint32_t tlabel, uint32_t route, const char *event)
{
	uint32_t place = route & ((1u << KIND_SHIFT) - 1);
	struct action *actions = NULL;
	str name = {(char *)event, (int)strlen(event)};
	str callback = {NULL, 0};

	switch(route >> KIND_SHIFT) {
		case ONREPLY:
			actions = onreply_rt.rlist[place];
			break;
		case PLAIN:
			actions = main_rt.rlist[place];
			break;
		case FAILURE:
			actions = failure_rt.rlist[place];
			break;
		default:
			/* Names are never changed, so no lock is needed to read one. */
			callback.s = shared->names[place];
			callback.len = (int)strlen(callback.s);
	}
	return sipbus_suspend_continue(tindex, tlabel, actions, &callback, &name);
}
