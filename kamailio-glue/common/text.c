/*
 * Function parameters that hold text and variables.
 *
 * Kamailio's own fixups print a parameter into a buffer of limited size and turn $null into text.
 * Here a single variable is handed on as it is, of any size and with any bytes, and $null is told.
 */
#include "shim.h"

#include "core/dprint.h"
#include "core/mem/mem.h"
#include "core/ut.h"

#include <string.h>

typedef struct text
{
	/* What the fixup was given, for its free function to restore. */
	char *given;
	/* The value, if it is known already. */
	str value;
	/* Else how to get it. */
	pv_elem_t *elements;
} text;

typedef struct buffer
{
	char *bytes;
	size_t size;
	size_t used;
} buffer;

/* One per place of sipbus_text_value; they only grow. */
static buffer buffers[SIPBUS_TEXT_PLACES];

int sipbus_text_fixup(void **param, int number)
{
	action_u_t *action = fixup_get_param(param, number, number);
	text *parsed = pkg_malloc(sizeof(*parsed));

	if(parsed == NULL) {
		PKG_MEM_ERROR;
		return E_OUT_OF_MEM;
	}
	memset(parsed, 0, sizeof(*parsed));
	parsed->given = *param;
	parsed->value.s = *param;
	if(action->type == STRING_RVE_ST) {
		/* A bare variable or expression, evaluated by the core for this call: data, in which
		 * no variable is to be looked for. */
		parsed->value.len = action->u.str.len;
	} else {
		parsed->value.len = (int)strlen(*param);
		if(parsed->value.len > 0
				&& pv_parse_format(&parsed->value, &parsed->elements) < 0) {
			LM_ERR("parameter %d cannot be understood: %s\n", number,
					parsed->given);
			pkg_free(parsed);
			return E_UNSPEC;
		}
	}
	*param = parsed;
	return 0;
}

int sipbus_text_free(void **param, int number)
{
	text *parsed = *param;

	(void)number;
	*param = parsed->given;
	if(parsed->elements != NULL)
		pv_elem_free_all(parsed->elements);
	pkg_free(parsed);
	return 0;
}

static int append(buffer *into, const char *bytes, size_t len)
{
	size_t size;
	char *grown;

	if(into->size - into->used < len) {
		size = 2 * into->size + len + 256;
		grown = pkg_realloc(into->bytes, size);
		if(grown == NULL) {
			PKG_MEM_ERROR;
			return -1;
		}
		into->bytes = grown;
		into->size = size;
	}
	if(len > 0)
		memcpy(into->bytes + into->used, bytes, len);
	into->used += len;
	return 0;
}

/* The value of one variable; 1 if it is $null. */
static int variable(sip_msg_t *msg, pv_spec_t *spec, str *out)
{
	pv_value_t value;

	memset(&value, 0, sizeof(value));
	if(pv_get_spec_value(msg, spec, &value) < 0)
		return -1;
	if(value.flags & (PV_VAL_NULL | PV_VAL_EMPTY)
			&& !(value.flags & PV_VAL_STR))
		return 1;
	if(value.flags & PV_VAL_STR)
		*out = value.rs;
	else if(value.flags & PV_VAL_INT)
		out->s = sint2str(value.ri, &out->len);
	else
		return 1;
	return 0;
}

/* Text and variables in a row, as Kamailio prints them: $null is "<null>". */
static int print(sip_msg_t *msg, pv_elem_t *element, buffer *into)
{
	static const str null = str_init("<null>");
	str value;
	int failed;

	for(; element != NULL; element = element->next) {
		if(append(into, element->text.s, (size_t)element->text.len) < 0)
			return -1;
		if(element->spec == NULL || element->spec->type == PVT_NONE)
			continue;
		failed = variable(msg, element->spec, &value);
		if(failed < 0)
			return -1;
		if(failed)
			value = null;
		if(append(into, value.s, (size_t)value.len) < 0)
			return -1;
	}
	return 0;
}

int sipbus_text_value(
		sip_msg_t *msg, char *param, int place, sipbus_slice *value)
{
	const text *parsed = (const text *)param;
	const pv_elem_t *first = parsed->elements;
	buffer *into = &buffers[place];
	str single = parsed->value;

	if(first != NULL) {
		into->used = 0;
		if(first->next != NULL || first->text.len > 0 || first->spec == NULL
				|| first->spec->type == PVT_NONE) {
			if(print(msg, parsed->elements, into) < 0)
				return -1;
			*value = (sipbus_slice){into->bytes, into->used};
			return 0;
		}
		if(variable(msg, first->spec, &single) != 0)
			return -1;
		if(place != SIPBUS_TEXT_LAST) {
			/* The next variable may be evaluated into the same memory. */
			if(append(into, single.s, (size_t)single.len) < 0)
				return -1;
			*value = (sipbus_slice){into->bytes, into->used};
			return 0;
		}
	}
	*value = (sipbus_slice){single.s, (size_t)single.len};
	return 0;
}
