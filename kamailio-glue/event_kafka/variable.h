/*
 * $kafka(name): the parts of the message that an event route runs for.
 */
#ifndef EVENT_KAFKA_VARIABLE_H
#define EVENT_KAFKA_VARIABLE_H

#include "shim.h"

int kafka_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
int kafka_variable_name(pv_spec_t *spec, str *name);

#endif
