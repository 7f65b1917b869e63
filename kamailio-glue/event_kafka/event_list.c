/*
 * Attributes and values of an event.
 *
 * A script gives them as AVPs, all of whose values are meant. Kamailio hands a bare $avp(x) over by
 * its first value, so that it has to be quoted: "$avp(x)". With a fixed name of the event, whose
 * fixup sees the whole call, it may also be bare, as elsewhere.
 */
#include "core/sr_module.h"

#include "event_list.h"
#include "version.h"

#include "core/dprint.h"
#include "core/mem/mem.h"
#include "core/mod_fix.h"
#include "core/rvalue.h"
#include "core/usr_avp.h"

#include <string.h>

struct event_list
{
	/* What the fixup was given, for its free function to restore. */
	char *given;
	/* One of them, or neither for a value that was evaluated before. */
	const pv_spec_t *spec;
	const struct rvalue *bare;
};

/* A value as scripts have them. */
typedef struct member
{
	int is_text;
	str text;
	int64_t number;
} member;

/* The way through a list. */
typedef struct cursor
{
	const event_list *list;
	struct search_state state;
	int is_begun;
	int is_avp;
} cursor;

/* Fixups */

static event_list *list_new(void)
{
	event_list *list = pkg_malloc(sizeof(*list));

	if(list == NULL)
		PKG_MEM_ERROR;
	else
		memset(list, 0, sizeof(*list));
	return list;
}

/* The list that a bare parameter names, if it is a variable and nothing else. */
static int bare_list(action_u_t *action, event_list **out)
{
	const struct rval_expr *expression = action->u.data;

	if(action->type != RVE_ST || expression->op != RVE_RVAL_OP)
		return 0;
	if(expression->left.rval.type != RV_AVP
			&& expression->left.rval.type != RV_PVAR)
		return 0;
	*out = list_new();
	if(*out == NULL)
		return E_OUT_OF_MEM;
	(*out)->bare = &expression->left.rval;
	return 0;
}

static int name_fixup(void **param)
{
	int is_fixed = fixup_get_param(param, 1, 1)->type != STRING_RVE_ST;
	int count = is_fixed ? fixup_get_param_count(param, 1) : 1;
	event_call *call = pkg_malloc(sizeof(*call));
	const str *name;
	int failed;
	int i;

	if(call == NULL) {
		PKG_MEM_ERROR;
		return E_OUT_OF_MEM;
	}
	memset(call, 0, sizeof(*call));
	for(i = 2; i <= count && i <= 3; i++) {
		failed = bare_list(fixup_get_param(param, 1, i), &call->bare[i - 2]);
		if(failed)
			return failed;
	}
	failed = sipbus_text_fixup(param, 1);
	if(failed)
		return failed;
	call->name = *param;
	*param = call;
	name = sipbus_text_fixed(call->name);
	if(name != NULL && sipbus_event_known(sipbus_slice_of(name)) != 0)
		return E_CFG;
	return 0;
}

static int list_fixup(void **param, int number)
{
	action_u_t *action = fixup_get_param(param, number, number);
	str name = {*param, (int)strlen(*param)};
	event_list *list = list_new();

	if(list == NULL)
		return E_OUT_OF_MEM;
	list->given = *param;
	if(action->type != STRING_RVE_ST) {
		list->spec = pv_cache_get(&name);
		if(list->spec == NULL) {
			LM_ERR("raise_event: \"%s\" is no variable\n", name.s);
			pkg_free(list);
			return E_CFG;
		}
	}
	*param = list;
	return 0;
}

int event_call_fixup(void **param, int number)
{
	return number == 1 ? name_fixup(param) : list_fixup(param, number);
}

int event_call_free(void **param, int number)
{
	event_call *call = *param;
	event_list *list = *param;

	if(number != 1) {
		*param = list->given;
		pkg_free(list);
		return 0;
	}
	*param = call->name;
	if(call->bare[0] != NULL)
		pkg_free(call->bare[0]);
	if(call->bare[1] != NULL)
		pkg_free(call->bare[1]);
	pkg_free(call);
	return sipbus_text_free(param, 1);
}

int event_list_of(const event_call *call, int number, char *param,
		const event_list **list)
{
	*list = call->bare[number];
	if(*list == NULL)
		*list = (const event_list *)param;
	if((*list)->bare != NULL || (*list)->spec != NULL)
		return 0;
	LM_ERR("raise_event: attributes and values must be quoted here: "
		   "\"$avp(name)\"\n");
	return -1;
}

/* Members */

static void member_of_avp(const avp_t *avp, const avp_value_t *from, member *to)
{
	to->is_text = (avp->flags & AVP_VAL_STR) != 0;
	if(to->is_text)
		to->text = from->s;
	else
		to->number = from->n;
}

/* The one value of a variable that is no AVP. */
static int variable(sip_msg_t *msg, const pv_spec_t *spec, member *out)
{
	pv_value_t value;

	memset(&value, 0, sizeof(value));
	if(pv_get_spec_value(msg, (pv_spec_t *)spec, &value) < 0
			|| (value.flags & PV_VAL_NULL))
		return 0;
	out->is_text = !(value.flags & PV_TYPE_INT);
	out->text = value.rs;
	out->number = value.ri;
	return 1;
}

/* The first value; 0 if there is none. */
static int first(sip_msg_t *msg, cursor *at, member *out)
{
	const struct rvalue *bare = at->list->bare;
	const pv_spec_t *spec = at->list->spec;
	avp_flags_t flags = 0;
	sipbus_avp_type type = 0;
	avp_name_t name;
	avp_value_t value;
	avp_t *avp;

	if(bare != NULL && bare->type == RV_AVP) {
		flags = bare->v.avps.type;
		name = bare->v.avps.name;
	} else {
		if(bare != NULL)
			spec = &bare->v.pvs;
		if(spec->type != PVT_AVP)
			return variable(msg, spec, out);
		if(pv_get_avp_name(msg, (pv_param_t *)&spec->pvp, &name, &type) != 0)
			return 0;
		flags = type;
	}
	avp = search_first_avp(flags, name, &value, &at->state);
	if(avp == NULL)
		return 0;
	at->is_avp = 1;
	member_of_avp(avp, &value, out);
	return 1;
}

/* The next value, beginning with the first; 0 behind the last. */
static int next(sip_msg_t *msg, cursor *at, member *out)
{
	avp_value_t value;
	avp_t *avp;

	if(!at->is_begun) {
		at->is_begun = 1;
		return first(msg, at, out);
	}
	avp = at->is_avp ? search_next_avp(&at->state, &value) : NULL;
	if(avp == NULL)
		return 0;
	member_of_avp(avp, &value, out);
	return 1;
}

int event_list_add(
		sip_msg_t *msg, const event_list *attributes, const event_list *values)
{
	cursor names = {.list = attributes};
	cursor at = {.list = values};
	sipbus_slice slice = {NULL, 0};
	member name;
	member value;

	while(next(msg, &at, &value)) {
		if(attributes != NULL) {
			if(!next(msg, &names, &name) || !name.is_text) {
				LM_ERR("raise_event: a value has no attribute, or one that is "
					   "no text\n");
				return -1;
			}
			slice = sipbus_slice_of(&name.text);
		}
		if(value.is_text)
			sipbus_event_add_text(slice, sipbus_slice_of(&value.text));
		else
			sipbus_event_add_number(slice, value.number);
	}
	if(attributes != NULL && next(msg, &names, &name))
		LM_ERR("raise_event: there are more attributes than values\n");
	return 0;
}
