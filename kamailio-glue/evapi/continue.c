/*
 * evapi_continue: resumes a transaction that an evapi_async function has suspended. Against t_continue
 * of tmx, an answer that comes too late is counted, and leaves nothing in tm.
 */
#include "shim.h"

#include "continue.h"
#include "suspend.h"

#include "core/dprint.h"
#include "core/pt.h"
#include "core/route.h"
#include "core/ut.h"

static int invalid(const char *why)
{
	return sipbus_evapi_invalid((uint32_t)process_no, why);
}

static int number(sip_msg_t *msg, char *param, int place, unsigned int *value)
{
	sipbus_slice text;
	str digits;

	if(sipbus_text_value(msg, param, place, &text) != 0 || text.len == 0)
		return -1;
	digits.s = (char *)text.bytes;
	digits.len = (int)text.len;
	return str2int(&digits, value);
}

/* 1, or -1 for an answer that is too late or the second one. */
static int resume(unsigned int index, unsigned int label,
		struct action *actions, str *function)
{
	str event = str_init("evapi:continue");

	if(sipbus_suspend_continue(index, label, actions, function, &event) != 0)
		return sipbus_evapi_late((uint32_t)process_no);
	return 1;
}

int w_evapi_continue(sip_msg_t *msg, char *index, char *label, char *route)
{
	unsigned int tindex = 0;
	unsigned int tlabel = 0;
	sipbus_slice name;
	char copy[256];
	int found;

	if(number(msg, index, 1, &tindex) != 0)
		return invalid("evapi_continue: the index is no number");
	if(number(msg, label, 1, &tlabel) != 0)
		return invalid("evapi_continue: the label is no number");
	if(sipbus_text_value(msg, route, 1, &name) != 0 || name.len == 0
			|| name.len >= sizeof(copy))
		return invalid("evapi_continue: there is no name of a route");
	memcpy(copy, name.bytes, name.len);
	copy[name.len] = '\0';
	found = route_lookup(&main_rt, copy);
	if(found < 0 || main_rt.rlist[found] == NULL)
		return invalid("evapi_continue: there is no such route");
	return resume(tindex, tlabel, main_rt.rlist[found], NULL);
}

int ki_evapi_continue(sip_msg_t *msg, int index, int label, str *function)
{
	(void)msg;
	if(function == NULL || function->s == NULL || function->len <= 0)
		return invalid("continue: there is no name of a function");
	return resume((unsigned int)index, (unsigned int)label, NULL, function);
}
