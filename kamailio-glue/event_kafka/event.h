/*
 * event.c: the event interface. The module's tables are in event_kafka_mod.c.
 */
#ifndef EVENT_H
#define EVENT_H

#include "shim.h"

/* To be called in mod_init: the RPC commands. */
int event_interface_init(void);
/* To be called in child_init, after the shim's: the tables of events. */
int event_interface_child(int rank);

int w_raise_event1(sip_msg_t *msg, char *event, char *unused);
int w_raise_event2(sip_msg_t *msg, char *event, char *values);
int w_raise_event3(sip_msg_t *msg, char *event, char *attributes, char *values);
int w_raise_event_json(sip_msg_t *msg, char *event, char *params);
int w_subscribe_event2(sip_msg_t *msg, char *event, char *socket);
int w_subscribe_event3(sip_msg_t *msg, char *event, char *socket, char *expire);
/* Fixups of all but raise_event, whose are in event_list.h. */
int event_json_fixup(void **param, int number);
int event_subscribe_fixup(void **param, int number);

int ki_raise_event(sip_msg_t *msg, str *event);
int ki_raise_event_json(sip_msg_t *msg, str *event, str *params);
int ki_subscribe_event(sip_msg_t *msg, str *event, str *socket);
int ki_subscribe_event_expire(
		sip_msg_t *msg, str *event, str *socket, int expire);

/* $event(name) */
int event_variable(sip_msg_t *msg, pv_param_t *param, pv_value_t *value);
int event_variable_name(pv_spec_t *spec, str *name);

#endif
