/*
 * Pseudo-variables that point into the current event.
 */
#include "shim.h"

int sipbus_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value,
		int found, sipbus_slice bytes)
{
	static char empty[] = "";
	str text = {empty, 0};

	if(!found)
		return pv_get_null(msg, param, value);
	if(bytes.len > 0) {
		text.s = (char *)bytes.bytes;
		text.len = (int)bytes.len;
	}
	return pv_get_strval(msg, param, value, &text);
}
