/*
 * The parts of kazoo.so.
 */
#ifndef SIPBUS_KAZOO_H
#define SIPBUS_KAZOO_H

#include "shim.h"

#include "core/kemi.h"

/* target.c: variables that functions write to */

/* Fixup and its free function for a parameter that names a variable. */
int kz_target_fixup(void **param);
int kz_target_free(void **param);
/* The variable of a fixed parameter. */
pv_spec_t *kz_target(char *param);
/* Sets a variable, to $null if `value` is NULL; not 0 if that failed. */
int kz_assign(sip_msg_t *msg, pv_spec_t *target, const sipbus_slice *value);
/* Adds each key of an object to an AVP: the return value of kazoo_json_keys. */
int kz_assign_keys(sip_msg_t *msg, sipbus_slice json, sipbus_slice path,
		pv_spec_t *target);
/* Sets a variable to an encoded text: the return value of kazoo_encode. */
int kz_assign_encoded(sip_msg_t *msg, sipbus_slice text, pv_spec_t *target);

/* bare.c */

/*
 * Lets functions know which variable it is that a script names without quotes. The core would hand
 * over its value. To be called in mod_init, before the core fixes the routes.
 */
int kz_bare_init(void);
/* The variable behind a parameter that kz_bare_init has rewritten, or NULL. */
pv_spec_t *kz_bare(const char *param);

/* query.c: timeouts, and transactions that wait for an answer */

int kz_query_init(const sipbus_slice *timeout_variable);
/* The timeout for a query now, in milliseconds; 0 for that of the settings. */
int64_t kz_query_timeout(sip_msg_t *msg);
/* Fixup for the routes of async queries: those that are known at start must exist. */
int kz_route_fixup(void **param, int number, int is_answer);
/*
 * The number of the route called `name`, in any process of this Kamailio; for a KEMI script that of
 * the function. 0 if there is none.
 */
uint32_t kz_route(sipbus_slice name, int is_answer, int is_kemi);
/* What the script function returns where one of the two routes is missing, which is counted. */
int kz_query_unrouted(void);
/*
 * Suspends the transaction and sends what was prepared: what the script function returns.
 */
int kz_query_async(
		sip_msg_t *msg, int64_t timeout_ms, uint32_t answer, uint32_t failure);
/* Continues a transaction with the route of that number; not 0 if it could not be. */
int kz_query_continue(
		uint32_t tindex, uint32_t tlabel, uint32_t route, const char *event);

/* presence.c */

int kz_presence_init(const sipbus_kazoo_config *config);
/* The return value of the kazoo_pua_publish functions. `kind` is one of sipbus_kazoo_presence. */
int kz_presence_publish(uint32_t kind, sipbus_slice json);

/* transformation.c */

int kz_transformation_register(char *module);

/* document.c: kazoo_json, kazoo_json_keys and kazoo_encode of native scripts, with their fixups */

int kz_w_json(sip_msg_t *msg, char *json, char *path, char *target);
int kz_w_json_keys(sip_msg_t *msg, char *json, char *path, char *target);
int kz_w_encode(sip_msg_t *msg, char *text, char *target);
int kz_json_fixup(void **param, int number);
int kz_json_free(void **param, int number);
int kz_encode_fixup(void **param, int number);
int kz_encode_free(void **param, int number);

/* function.c, kemi.c: what scripts call */

extern cmd_export_t kz_commands[];
extern sr_kemi_t kz_kemi_exports[];

#endif
