/*
 * event_rpc.c: the event interface for operators.
 */
#ifndef EVENT_RPC_H
#define EVENT_RPC_H

#include "shim.h"

/* Registers the commands. */
int event_rpc_register(void);

/* event.c, for the commands. */

/* Ends the event that was begun and hands it over; `wanted` as sipbus_event_begin said. */
int event_raise(sip_msg_t *msg, int wanted);
/* Raises an event with parameters from JSON; `msg` may be NULL. */
int event_raise_json(sip_msg_t *msg, sipbus_slice event, sipbus_slice params);
/* Reads an expiry; not 0 if it is none. */
int event_seconds(sipbus_slice text, int64_t *seconds);

#endif
