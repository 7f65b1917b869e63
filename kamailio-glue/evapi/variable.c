/*
 * $evapi(name): the parts of the event that a route runs for.
 */
#include "variable.h"

#include "core/dprint.h"

typedef struct part
{
	const char *name;
	/* One of them. */
	int (*text)(sipbus_slice *out);
	int (*number)(uint32_t *out);
} part;

static const part parts[] = {
		{"msg", evapi_msg, NULL},
		{"conidx", NULL, evapi_conidx},
		{"srcaddr", evapi_srcaddr, NULL},
		{"srcport", NULL, evapi_srcport},
		{"tag", evapi_tag, NULL},
};

int evapi_variable_name(pv_spec_t *spec, str *name)
{
	size_t i;

	for(i = 0; name != NULL && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if(name->len == (int)strlen(parts[i].name)
				&& strncmp(name->s, parts[i].name, (size_t)name->len) == 0) {
			spec->pvp.pvn.type = PV_NAME_INTSTR;
			spec->pvp.pvn.u.isname.type = 0;
			spec->pvp.pvn.u.isname.name.n = (int)i;
			return 0;
		}
	}
	LM_ERR("$evapi(name): the name must be msg, conidx, srcaddr, srcport or "
		   "tag\n");
	return -1;
}

int evapi_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	const part *wanted = &parts[param->pvn.u.isname.name.n];
	sipbus_slice bytes = {NULL, 0};
	uint32_t number = 0;

	if(wanted->text != NULL)
		return sipbus_variable(msg, param, value, wanted->text(&bytes), bytes);
	if(!wanted->number(&number))
		return pv_get_null(msg, param, value);
	return pv_get_uintval(msg, param, value, number);
}
