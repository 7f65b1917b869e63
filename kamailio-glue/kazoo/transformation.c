/*
 * {kz.json,path}, {kz.json.count,path} and {kz.encode}.
 */
#include "kazoo.h"

#include "core/dprint.h"
#include "core/mem/mem.h"
#include "core/trim.h"
#include "core/ut.h"

#include <string.h>
#include <strings.h>

enum
{
	ENCODE = 1,
	JSON,
	JSON_COUNT
};

/* Results that can be used at the same time, as in comparisons. */
#define RESULTS 8

/* Where sipbus_text_value puts a path, beside the parameters of a function; a path may have variables
 * whose transformations have paths. */
#define PATH_PLACE (SIPBUS_TEXT_PLACES - PATHS)
#define PATHS 3

typedef struct path
{
	str source;
	char *text;
	struct path *next;
} path;

/* Every path of the configuration, once. */
static path *paths;

static path *path_of(const str *source)
{
	path *known;

	for(known = paths; known != NULL; known = known->next) {
		if(known->source.len == source->len
				&& memcmp(known->source.s, source->s, (size_t)source->len) == 0)
			return known;
	}
	known = pkg_malloc(sizeof(*known) + (size_t)source->len);
	if(known == NULL) {
		PKG_MEM_ERROR;
		return NULL;
	}
	memset(known, 0, sizeof(*known));
	known->source.s = (char *)(known + 1);
	known->source.len = source->len;
	memcpy(known->source.s, source->s, (size_t)source->len);
	known->text = sipbus_text_parse(source);
	if(known->text == NULL) {
		pkg_free(known);
		return NULL;
	}
	known->next = paths;
	paths = known;
	return known;
}

/* A value that stays while others are made. */
static int keep(sipbus_slice value, str *out)
{
	static struct
	{
		char *bytes;
		size_t size;
	} results[RESULTS];
	static unsigned int next;
	char *grown;

	next = (next + 1) % RESULTS;
	if(value.len >= results[next].size) {
		grown = pkg_realloc(results[next].bytes, 2 * value.len + 64);
		if(grown == NULL) {
			PKG_MEM_ERROR;
			return -1;
		}
		results[next].bytes = grown;
		results[next].size = 2 * value.len + 64;
	}
	if(value.len > 0)
		memcpy(results[next].bytes, value.bytes, value.len);
	results[next].bytes[value.len] = '\0';
	out->s = results[next].bytes;
	out->len = (int)value.len;
	return 0;
}

static int evaluate_path(
		sip_msg_t *msg, const tr_param_t *param, sipbus_slice *value)
{
	static int depth;
	int failed;

	if(depth == PATHS) {
		LM_ERR("transformations of kazoo are nested too deep\n");
		return -1;
	}
	depth++;
	failed = sipbus_text_value(
			msg, param->v.data, PATH_PLACE + depth - 1, value);
	depth--;
	return failed;
}

static int evaluate(
		sip_msg_t *msg, tr_param_t *param, int subtype, pv_value_t *value)
{
	sipbus_slice given;
	sipbus_slice wanted = {NULL, 0};
	sipbus_slice found = {NULL, 0};
	str text = {NULL, 0};
	int count = 0;

	if(value == NULL || !(value->flags & PV_VAL_STR))
		return -1;
	if(subtype != ENCODE && evaluate_path(msg, param, &wanted) != 0)
		return -1;
	given = sipbus_slice_of(&value->rs);
	if(subtype == JSON_COUNT) {
		count = kazoo_json_count(given, wanted);
		found.bytes = sint2str(count, &text.len);
		found.len = (size_t)text.len;
	} else if(subtype == ENCODE) {
		kazoo_encode(given, &found);
	} else {
		/* What is missing is empty. */
		kazoo_json(given, wanted, &found);
	}
	if(keep(found, &text) != 0)
		return -1;
	pv_value_destroy(value);
	value->flags = PV_VAL_STR;
	if(subtype == JSON_COUNT)
		value->flags |= PV_TYPE_INT | PV_VAL_INT;
	value->ri = count;
	value->rs = text;
	return 0;
}

/* The end of the parameter that begins at `at`: the bracket that is not its own. */
static char *parameter_end(char *at, const char *end)
{
	int depth = 0;

	for(; at < end && *at != '\0'; at++) {
		if(*at == TR_LBRACKET)
			depth++;
		else if(*at == TR_RBRACKET && depth-- == 0)
			return at;
	}
	return NULL;
}

static char *parse(str *in, trans_t *transformation)
{
	const char *end = in->s + in->len;
	char *at = in->s;
	str source;
	path *known;
	str *name = &transformation->name;

	while(at < end && *at != TR_PARAM_MARKER && *at != TR_RBRACKET)
		at++;
	if(at >= end)
		return NULL;
	name->s = in->s;
	name->len = (int)(at - in->s);
	trim(name);
	transformation->trf = evaluate;
	if(name->len == 6 && strncasecmp(name->s, "encode", 6) == 0)
		transformation->subtype = ENCODE;
	else if(name->len == 4 && strncasecmp(name->s, "json", 4) == 0)
		transformation->subtype = JSON;
	else if(name->len == 10 && strncasecmp(name->s, "json.count", 10) == 0)
		transformation->subtype = JSON_COUNT;
	else
		return NULL;
	if(transformation->subtype == ENCODE)
		return *at == TR_RBRACKET ? at : NULL;
	if(*at != TR_PARAM_MARKER)
		return NULL;
	for(at++; at < end && (*at == ' ' || *at == '\t' || *at == '\n'); at++)
		;
	source.s = at;
	at = parameter_end(at, end);
	if(at == NULL)
		return NULL;
	source.len = (int)(at - source.s);
	while(source.len > 0 && strchr("\t\n", source.s[source.len - 1]) != NULL)
		source.len--;
	known = path_of(&source);
	if(known == NULL)
		return NULL;
	/* The core frees what it finds here. */
	transformation->params = pkg_malloc(sizeof(*transformation->params));
	if(transformation->params == NULL) {
		PKG_MEM_ERROR;
		return NULL;
	}
	memset(transformation->params, 0, sizeof(*transformation->params));
	transformation->params->type = TR_PARAM_OTHER;
	transformation->params->v.data = known->text;
	return at;
}

static char *parse_or_tell(str *in, trans_t *transformation)
{
	char *end = parse(in, transformation);

	if(end == NULL)
		LM_ERR("this is no kazoo transformation: {kz.%.*s\n", in->len, in->s);
	return end;
}

int kz_transformation_register(char *module)
{
	static char class[] = "kz";
	static tr_export_t transformations[] = {
			{{class, sizeof(class) - 1}, parse_or_tell}, {{NULL, 0}, NULL}};

	return register_trans_mod(module, transformations);
}
