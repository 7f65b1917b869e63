/*
 * Reports as RPC structures.
 */
#include "shim.h"

#include "core/dprint.h"
#include "core/rpc_lookup.h"

#include <limits.h>
#include <string.h>

/* Structures inside structures; reports are not deeper. */
#define DEPTH_MAX 8

typedef struct answer
{
	rpc_t *rpc;
	/* Open structures and lists, the innermost last. */
	void *open[DEPTH_MAX];
	int is_list[DEPTH_MAX];
	int depth;
	int failed;
} answer;

static void answer_open(void *context, const char *name, int32_t is_list)
{
	answer *to = context;
	void *parent = to->open[to->depth];
	void *child = NULL;
	int added;

	if(to->depth + 1 >= DEPTH_MAX) {
		to->failed = 1;
		return;
	}
	if(to->is_list[to->depth])
		added = to->rpc->array_add(parent, is_list ? "[" : "{", &child);
	else
		added = to->rpc->struct_add(parent, is_list ? "[" : "{", name, &child);
	if(added < 0)
		to->failed = 1;
	to->depth++;
	to->open[to->depth] = child;
	to->is_list[to->depth] = is_list;
}

static void answer_close(void *context)
{
	answer *to = context;

	if(to->depth > 0)
		to->depth--;
}

static void answer_text(
		void *context, const char *name, const char *bytes, size_t len)
{
	answer *to = context;
	str text = {(char *)bytes, (int)len};

	if(to->failed)
		return;
	if(to->rpc->struct_add(to->open[to->depth], "S", name, &text) < 0)
		to->failed = 1;
}

static void answer_number(void *context, const char *name, uint64_t number)
{
	answer *to = context;
	int added;

	if(to->failed)
		return;
	/* kamcmd shows the wide format as a fraction. */
	if(number <= INT_MAX)
		added = to->rpc->struct_add(
				to->open[to->depth], "d", name, (int)number);
	else
		added = to->rpc->struct_add(
				to->open[to->depth], "J", name, (unsigned long long)number);
	if(added < 0)
		to->failed = 1;
}

void sipbus_rpc_answer(rpc_t *rpc, void *context,
		int (*write)(const char *module, const sipbus_report *report),
		const char *module)
{
	answer to = {.rpc = rpc};
	sipbus_report report = {
			.context = &to,
			.open = answer_open,
			.close = answer_close,
			.text = answer_text,
			.number = answer_number,
	};

	if(rpc->add(context, "{", &to.open[0]) < 0) {
		rpc->fault(context, 500, "Out of memory");
		return;
	}
	if(write(module, &report) != 0)
		rpc->fault(context, 503, "Not started yet");
	else if(to.failed)
		rpc->fault(context, 500, "Out of memory");
}

const char *sipbus_rpc_tls_reload_doc[] = {
		"Reads the certificates again, and connects with them", NULL};

void sipbus_rpc_tls_reload(rpc_t *rpc, void *context, const char *module)
{
	sipbus_slice why = {NULL, 0};

	switch(sipbus_tls_reload(module, &why)) {
		case 0:
			rpc->add(context, "s", "OK");
			break;
		case 1:
			rpc->fault(context, 500, "The certificates stay as they are: %.*s",
					(int)why.len, why.bytes);
			break;
		default:
			rpc->fault(context, 503, "Not started yet");
	}
}

static int write_status(const char *module, const sipbus_report *report)
{
	(void)module;
	return sipbus_status(report);
}

static void rpc_status(rpc_t *rpc, void *context)
{
	sipbus_rpc_answer(rpc, context, write_status, NULL);
}

static const char *rpc_status_doc[] = {
		"The engine, and every connector with its lanes and inboxes", NULL};

static rpc_export_t rpc_methods[] = {
		{"sipbus.status", rpc_status, rpc_status_doc, 0}, {0, 0, 0, 0}};

int sipbus_rpc_register(void)
{
	if(rpc_register_array(rpc_methods) != 0) {
		LM_ERR("the RPC commands cannot be registered\n");
		return -1;
	}
	return 0;
}

int sipbus_rpc_register_missing(rpc_export_t *methods)
{
	rpc_export_t *method;

	for(method = methods; method->name != NULL; method++) {
		if(rpc_lookup(method->name, (int)strlen(method->name)) != NULL)
			continue;
		if(rpc_register(method) != 0) {
			LM_ERR("the RPC command %s cannot be registered\n", method->name);
			return -1;
		}
	}
	return 0;
}
