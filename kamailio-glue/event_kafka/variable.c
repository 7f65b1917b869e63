/*
 * $kafka(name): the parts of the message that an event route runs for.
 */
#include "core/sr_module.h"

#include "variable.h"

#include "core/dprint.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef struct part
{
	const char *name;
	/* One of them. */
	int (*text)(sipbus_slice *out);
	int (*number)(int64_t *out);
} part;

static const part parts[] = {
		{"msg", kafka_msg, NULL},
		{"key", kafka_key, NULL},
		{"topic", kafka_topic, NULL},
		{"partition", NULL, kafka_partition},
		{"offset", NULL, kafka_offset},
};

static const char header[] = "header.";

int kafka_variable_name(pv_spec_t *spec, str *name)
{
	const int prefix = (int)sizeof(header) - 1;
	size_t i;

	spec->pvp.pvn.type = PV_NAME_INTSTR;
	for(i = 0; name != NULL && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if(name->len == (int)strlen(parts[i].name)
				&& strncmp(name->s, parts[i].name, (size_t)name->len) == 0) {
			spec->pvp.pvn.u.isname.type = 0;
			spec->pvp.pvn.u.isname.name.n = (int)i;
			return 0;
		}
	}
	if(name != NULL && name->len > prefix
			&& strncmp(name->s, header, (size_t)prefix) == 0) {
		spec->pvp.pvn.u.isname.type = AVP_NAME_STR;
		spec->pvp.pvn.u.isname.name.s.s = name->s + prefix;
		spec->pvp.pvn.u.isname.name.s.len = name->len - prefix;
		return 0;
	}
	LM_ERR("$kafka(name): the name must be msg, key, topic, partition, offset "
		   "or header.NAME\n");
	return -1;
}

/* Numbers are ints there; larger ones are text only. */
static int number_value(sip_msg_t *msg, pv_param_t *param, pv_value_t *value,
		int found, int64_t number)
{
	static char digits[24];
	str text = {digits, 0};

	if(!found)
		return pv_get_null(msg, param, value);
	if(number >= INT_MIN && number <= INT_MAX)
		return pv_get_sintval(msg, param, value, (int)number);
	text.len = snprintf(digits, sizeof(digits), "%lld", (long long)number);
	return pv_get_strval(msg, param, value, &text);
}

int kafka_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value)
{
	const pv_name_t *wanted = &param->pvn;
	const part *simple;
	sipbus_slice bytes = {NULL, 0};
	int64_t number = 0;
	int found;

	if(wanted->u.isname.type == AVP_NAME_STR) {
		found = kafka_header(sipbus_slice_of(&wanted->u.isname.name.s), &bytes);
		return sipbus_variable(msg, param, value, found, bytes);
	}
	simple = &parts[wanted->u.isname.name.n];
	if(simple->text != NULL) {
		found = simple->text(&bytes);
		return sipbus_variable(msg, param, value, found, bytes);
	}
	found = simple->number(&number);
	return number_value(msg, param, value, found, number);
}
