/*
 * Pseudo-variables that point into the current event.
 */
#include "shim.h"

#include "core/dprint.h"
#include "core/mem/mem.h"
#include "core/pvapi.h"

#include <string.h>

/*
 * Regular expressions and some modules want text that ends with a NUL. Where none follows, which is
 * always inside the event, the value is copied: into one of the core's buffers in turn, so that
 * several variables can be used together, or if it is too long for them into one of its own.
 */
static char *terminated(sipbus_slice bytes)
{
	static char *large;
	static size_t large_size;
	char *copy;

	if(bytes.len < (size_t)pv_get_buffer_size()) {
		copy = pv_get_buffer();
	} else {
		if(bytes.len >= large_size) {
			copy = pkg_realloc(large, bytes.len + 1);
			if(copy == NULL) {
				PKG_MEM_ERROR;
				return NULL;
			}
			large = copy;
			large_size = bytes.len + 1;
		}
		copy = large;
	}
	memcpy(copy, bytes.bytes, bytes.len);
	copy[bytes.len] = '\0';
	return copy;
}

int sipbus_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value,
		int found, sipbus_slice bytes)
{
	static char empty[] = "";
	str text = {empty, 0};

	if(!found)
		return pv_get_null(msg, param, value);
	if(bytes.len > 0) {
		text.s = (char *)bytes.bytes;
		if(text.s[bytes.len] != '\0')
			text.s = terminated(bytes);
		if(text.s == NULL)
			return pv_get_null(msg, param, value);
		text.len = (int)bytes.len;
	}
	return pv_get_strval(msg, param, value, &text);
}
