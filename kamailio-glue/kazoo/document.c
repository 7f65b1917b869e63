/*
 * What native scripts ask of JSON documents, and the encoding of keys.
 */
#include "kazoo.h"

#include "core/dprint.h"

/* The document and the field that are asked for; not 0 if there is none. */
static int asked(const char *function, sip_msg_t *msg, char *json, char *path,
		sipbus_slice *document, sipbus_slice *wanted)
{
	if(sipbus_text_value(msg, path, 1, wanted) == 0
			&& sipbus_text_value(msg, json, SIPBUS_TEXT_LAST, document) == 0)
		return 0;
	LM_ERR("%s: the document or the field is $null\n", function);
	return -1;
}

int kz_w_json(sip_msg_t *msg, char *json, char *path, char *target)
{
	sipbus_slice document;
	sipbus_slice wanted;
	sipbus_slice value;

	if(asked("kazoo_json", msg, json, path, &document, &wanted) != 0)
		return -1;
	if(kazoo_json(document, wanted, &value) <= 0)
		return kz_assign(msg, kz_target(target), NULL) < 0 ? -1 : 1;
	return kz_assign(msg, kz_target(target), &value) < 0 ? -1 : 1;
}

int kz_w_json_keys(sip_msg_t *msg, char *json, char *path, char *target)
{
	sipbus_slice document;
	sipbus_slice wanted;

	if(asked("kazoo_json_keys", msg, json, path, &document, &wanted) != 0)
		return -1;
	return kz_assign_keys(msg, document, wanted, kz_target(target));
}

int kz_w_encode(sip_msg_t *msg, char *text, char *target)
{
	sipbus_slice given;

	if(sipbus_text_value(msg, text, SIPBUS_TEXT_LAST, &given) != 0) {
		LM_ERR("kazoo_encode: the text is $null\n");
		return -1;
	}
	return kz_assign_encoded(msg, given, kz_target(target));
}

/* Fixups: the last parameter names a variable. */

int kz_json_fixup(void **param, int number)
{
	return number == 3 ? kz_target_fixup(param)
					   : sipbus_text_fixup(param, number);
}

int kz_json_free(void **param, int number)
{
	return number == 3 ? kz_target_free(param)
					   : sipbus_text_free(param, number);
}

int kz_encode_fixup(void **param, int number)
{
	return number == 2 ? kz_target_fixup(param)
					   : sipbus_text_fixup(param, number);
}

int kz_encode_free(void **param, int number)
{
	return number == 2 ? kz_target_free(param)
					   : sipbus_text_free(param, number);
}
