/*
 * What every shim is made of. A shim is the tables of one module and three-line wrappers; the rest
 * is here, compiled into each.
 *
 * sr_module.h comes first: it decides what the other headers mean.
 */
#ifndef SIPBUS_SHIM_H
#define SIPBUS_SHIM_H

#include "core/sr_module.h"

#include "core/pvar.h"
#include "core/rpc.h"
#include "core/str.h"

#include "sipbus_host.h"
#include "sipbus.h"

/* lifecycle.c: from mod_init to the processes */

typedef struct sipbus_shim
{
	/* The module's name. */
	const char *name;
	/* The second parts of the event routes of the connection, NULL at the end. */
	const char *const *connection_routes;
	/* The KEMI callback, if the configuration has one. */
	str callback;
	/* Checks the settings; not 0 if any is wrong, which was logged then. */
	int (*configure)(int connection_events);
	/* Title of an event worker, NULL behind the last. */
	const char *(*worker_title)(uint32_t worker);
	/* Waits for the worker's next event and handles it: 0; above 0 if there will be no more, below if
	 * that failed. */
	int (*worker_step)(uint32_t worker);
	/* Not 0 if the worker handles events until the engine has ended; NULL if none does. */
	int (*worker_outlives_stop)(uint32_t worker);
	/* What event workers are in the child_init of other modules, if not PROC_RPC. */
	int worker_rank;
} sipbus_shim;

/* Makes the host known to libsipbus. To be called in mod_register. */
void sipbus_shim_register(void);
/* The body of mod_init. */
int sipbus_shim_init(const sipbus_shim *shim);
/* The body of child_init. */
int sipbus_shim_child(const sipbus_shim *shim, int rank);

/* The body of the setter of event_callback. */
int sipbus_shim_callback(sipbus_shim *shim, void *value);

/* A text of Kamailio's as libsipbus takes it. */
static inline sipbus_slice sipbus_slice_of(const str *text)
{
	if(text == NULL || text->s == NULL || text->len < 0)
		return (sipbus_slice){NULL, 0};
	return (sipbus_slice){text->s, (size_t)text->len};
}

/* event_route.c */

/*
 * Runs event route `route`, or without one (-1) the callback with the event's name. Returns 1 if
 * there was something to run.
 */
int sipbus_event_run(int route, const char *name, const str *callback);

/* The same, the route as one of type `as_type`: EVENT_ROUTE or REQUEST_ROUTE. */
int sipbus_event_run_as(
		int as_type, int route, const char *name, const str *callback);

/*
 * All events of a process run on the same message. What a route changed in it must not be seen by
 * the next one, and must not pile up. Most routes change nothing: that is looked at first.
 */
void sipbus_event_clean(sip_msg_t *msg);

/* text.c: function parameters that hold text and variables */

/* Fixup and its free function, for every parameter of every function. */
int sipbus_text_fixup(void **param, int number);

/*
 * The same for a parameter that scripts have always been able to build in two steps: where a bare
 * variable's value names variables, those are evaluated as well, as Kamailio's own fixup does.
 */
int sipbus_text_fixup_twice(void **param, int number);

/*
 * Whether the variables that a text names may be parsed: those that were before, and new ones until there are 256 in
 * this process.
 */
int sipbus_text_may_name(const str *text);
int sipbus_text_free(void **param, int number);
/* The value of a parameter without variables, else NULL: for fixups that check it at start. */
const str *sipbus_text_fixed(const char *param);
/* The same for text that is no parameter; NULL if it cannot be understood. */
char *sipbus_text_parse(const str *source);

/*
 * The value of a parameter, byte for byte. It stays valid until the same `place` is used again;
 * that of SIPBUS_TEXT_LAST only until any variable is evaluated, and costs no copy. Returns not 0
 * if the parameter is $null or cannot be evaluated.
 */
enum
{
	SIPBUS_TEXT_LAST = 0,
	SIPBUS_TEXT_PLACES = 8
};
int sipbus_text_value(
		sip_msg_t *msg, char *param, int place, sipbus_slice *value);

/* rpc.c */

/* Answers an RPC with the report that `write` makes. */
void sipbus_rpc_answer(rpc_t *rpc, void *context,
		int (*write)(const char *module, const sipbus_report *report),
		const char *module);
/* The body of the RPC command that has a module read its certificates again. */
void sipbus_rpc_tls_reload(rpc_t *rpc, void *context, const char *module);
/* Its help, for modules that connect to a server. */
extern const char *sipbus_rpc_tls_reload_doc[];
/* Registers sipbus.status; once per Kamailio. */
int sipbus_rpc_register(void);
/* Registers those commands of a table that no module has registered yet. */
int sipbus_rpc_register_missing(rpc_export_t *methods);

/* statistics.c */

/* Registers all counters of a module as Kamailio statistics. */
int sipbus_statistics_register(const char *module);

/* variable.c */

/* A pseudo-variable's value: `found` as the getters of sipbus.h return it. */
int sipbus_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value,
		int found, sipbus_slice bytes);

/* clang-format off */
/* The parameters of a KEMI function that are so many texts, in its row of the table. */
#define SIPBUS_KEMI_TEXTS_0 {SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}
#define SIPBUS_KEMI_TEXTS_1 {SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}
#define SIPBUS_KEMI_TEXTS_2 {SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}
#define SIPBUS_KEMI_TEXTS_3 {SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE}
#define SIPBUS_KEMI_TEXTS_4 {SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE}
#define SIPBUS_KEMI_TEXTS_5 {SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE}
/* clang-format on */

/* A function of any number of arguments in the table of commands. */
#define SIPBUS_FUNCTION(function) ((cmd_function)(void (*)(void))(function))

/*
 * Settings: SIPBUS_TEXT_SETTING(nats, nats_url) defines the function that notes one, and
 * SIPBUS_TEXT_ROW(nats_url) is its line in the table of parameters.
 */
#define SIPBUS_TEXT_SETTING(module, setting)                   \
	static int set_##setting(modparam_t type, void *value)     \
	{                                                          \
		(void)type;                                            \
		sipbus_setting_text(#module, #setting, (char *)value); \
		return 0;                                              \
	}
#define SIPBUS_NUMBER_SETTING(module, setting)                 \
	static int set_##setting(modparam_t type, void *value)     \
	{                                                          \
		(void)type;                                            \
		sipbus_setting_number(#module, #setting, (long)value); \
		return 0;                                              \
	}
#define SIPBUS_TEXT_ROW(module, setting) \
	{#setting, PARAM_STRING | PARAM_USE_FUNC, (void *)set_##setting},
#define SIPBUS_NUMBER_ROW(module, setting) \
	{#setting, PARAM_INT | PARAM_USE_FUNC, (void *)set_##setting},

#endif
