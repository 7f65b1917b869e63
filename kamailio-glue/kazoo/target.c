/*
 * Variables that functions write to.
 */
#include "kazoo.h"

#include "version.h"

#include "core/dprint.h"
#include "core/lvalue.h"
#include "core/mem/mem.h"
#include "core/usr_avp.h"

#include <string.h>

typedef struct target
{
	/* What the fixup was given, for its free function to restore. */
	char *given;
	pv_spec_t *variable;
} target;

static pv_spec_t *named(char *name)
{
	str text = {name, (int)strlen(name)};
	pv_spec_t *variable = kz_bare(name);

	/* Kept by the core, for good. */
	if(variable == NULL)
		variable = pv_cache_get(&text);
	if(variable == NULL)
		LM_ERR("\"%s\" is no variable; the function writes to one\n", name);
	else if(variable->setf == NULL)
		LM_ERR("\"%s\" is read only; the function writes to it\n", name);
	else
		return variable;
	return NULL;
}

int kz_target_fixup(void **param)
{
	pv_spec_t *variable = named(*param);
	target *fixed;

	if(variable == NULL)
		return E_UNSPEC;
	fixed = pkg_malloc(sizeof(*fixed));
	if(fixed == NULL) {
		PKG_MEM_ERROR;
		return E_OUT_OF_MEM;
	}
	fixed->given = *param;
	fixed->variable = variable;
	*param = fixed;
	return 0;
}

int kz_target_free(void **param)
{
	target *fixed = *param;

	*param = fixed->given;
	pkg_free(fixed);
	return 0;
}

pv_spec_t *kz_target(char *param)
{
	return ((target *)param)->variable;
}

int kz_assign(sip_msg_t *msg, pv_spec_t *to, const sipbus_slice *value)
{
	static char empty[] = "";
	pv_value_t assigned;

	memset(&assigned, 0, sizeof(assigned));
	if(value == NULL) {
		assigned.flags = PV_VAL_NULL;
	} else {
		assigned.flags = PV_VAL_STR;
		assigned.rs.s = value->len > 0 ? (char *)value->bytes : empty;
		assigned.rs.len = (int)value->len;
	}
	return pv_set_spec_value(msg, to, EQ_T, &assigned);
}

int kz_assign_keys(
		sip_msg_t *msg, sipbus_slice json, sipbus_slice path, pv_spec_t *to)
{
	sipbus_avp_type type;
	sipbus_slice key;
	int_str value;
	int_str name;
	int32_t i;

	if(to->type != PVT_AVP
			|| pv_get_avp_name(msg, &to->pvp, &name, &type) != 0) {
		LM_ERR("kazoo_json_keys: the keys are written to an AVP\n");
		return -1;
	}
	if(kazoo_json_keys(json, path) < 0)
		return -1;
	for(i = 0; kazoo_json_key((uint32_t)i, &key); i++) {
		value.s.s = (char *)key.bytes;
		value.s.len = (int)key.len;
		if(add_avp((avp_flags_t)(AVP_VAL_STR | type), name, value) < 0) {
			LM_ERR("kazoo_json_keys: the AVP cannot be written\n");
			return -1;
		}
	}
	return 1;
}

int kz_assign_encoded(sip_msg_t *msg, sipbus_slice text, pv_spec_t *to)
{
	sipbus_slice encoded;

	if(text.len > SIPBUS_KAZOO_SHORT_BYTES_MAX) {
		LM_ERR("kazoo_encode: a text of %zu bytes is over %d\n", text.len,
				SIPBUS_KAZOO_SHORT_BYTES_MAX);
		return -1;
	}
	if(kazoo_encode(text, &encoded) <= 0)
		return -1;
	return kz_assign(msg, to, &encoded) < 0 ? -1 : 1;
}
