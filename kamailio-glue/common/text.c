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
	/* It is as the configuration has it, the same for every call. */
	int fixed;
} text;

typedef struct buffer
{
	char *bytes;
	size_t size;
	size_t used;
} buffer;

/* One per place of sipbus_text_value; they only grow. */
static buffer buffers[SIPBUS_TEXT_PLACES];

/* Notes the parameter as it is: data, in which no variable is looked for. */
static text *data(void **param, int len)
{
	text *noted = pkg_malloc(sizeof(*noted));

	if(noted == NULL) {
		PKG_MEM_ERROR;
		return NULL;
	}
	memset(noted, 0, sizeof(*noted));
	noted->given = *param;
	noted->value.s = *param;
	noted->value.len = len;
	*param = noted;
	return noted;
}

int sipbus_text_fixup(void **param, int number)
{
	action_u_t *action = fixup_get_param(param, number, number);
	/* A bare variable or expression was evaluated by the core, for this call. */
	int is_value = action->type == STRING_RVE_ST;
	int len = is_value ? action->u.str.len : (int)strlen(*param);
	text *noted = data(param, len);

	if(noted == NULL)
		return E_OUT_OF_MEM;
	noted->fixed = !is_value && strchr(noted->given, '$') == NULL;
	if(!is_value && len > 0
			&& pv_parse_format(&noted->value, &noted->elements) < 0) {
		LM_ERR("parameter %d cannot be understood: %s\n", number, noted->given);
		*param = noted->given;
		pkg_free(noted);
		return E_UNSPEC;
	}
	return 0;
}

int sipbus_text_fixup_twice(void **param, int number)
{
	action_u_t *action = fixup_get_param(param, number, number);
	text *noted;

	if(action->type != STRING_RVE_ST
			|| memchr(*param, '$', (size_t)action->u.str.len) == NULL)
		return sipbus_text_fixup(param, number);
	noted = data(param, action->u.str.len);
	if(noted == NULL)
		return E_OUT_OF_MEM;
	/* Where it cannot be understood it is data after all. */
	if(!sipbus_text_may_name(&noted->value)
			|| pv_parse_format(&noted->value, &noted->elements) < 0)
		noted->elements = NULL;
	return 0;
}

char *sipbus_text_parse(const str *source)
{
	text *parsed = pkg_malloc(sizeof(*parsed) + (size_t)source->len + 1);
	char *copy;

	if(parsed == NULL) {
		PKG_MEM_ERROR;
		return NULL;
	}
	memset(parsed, 0, sizeof(*parsed));
	copy = (char *)(parsed + 1);
	memcpy(copy, source->s, (size_t)source->len);
	copy[source->len] = '\0';
	parsed->given = copy;
	parsed->value.s = copy;
	parsed->value.len = source->len;
	if(source->len > 0
			&& pv_parse_format(&parsed->value, &parsed->elements) < 0) {
		LM_ERR("this cannot be understood: %s\n", copy);
		pkg_free(parsed);
		return NULL;
	}
	return (char *)parsed;
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

const str *sipbus_text_fixed(const char *param)
{
	const text *parsed = (const text *)param;

	return parsed->fixed ? &parsed->value : NULL;
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

/* Text and variables in a row, as Kamailio prints them: $null is "<null>", and one without a value, as a transformation
 * of what is missing, is left out. */
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
			continue;
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
	int missing;

	if(first != NULL) {
		into->used = 0;
		if(first->next != NULL || first->text.len > 0 || first->spec == NULL
				|| first->spec->type == PVT_NONE) {
			if(print(msg, parsed->elements, into) < 0)
				return -1;
			*value = (sipbus_slice){into->bytes, into->used};
			return 0;
		}
		missing = variable(msg, first->spec, &single);
		if(missing > 0)
			return -1;
		if(missing < 0)
			single = (str){"", 0};
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
