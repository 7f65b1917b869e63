/*
 * $evapi(name): the parts of the event that a route runs for.
 */
#ifndef EVAPI_VARIABLE_H
#define EVAPI_VARIABLE_H

#include "shim.h"

int evapi_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
int evapi_variable_name(pv_spec_t *spec, str *name);

#endif
