/*
 * event_list.c: attributes and values of an event, which scripts give as the names of AVPs.
 */
#ifndef EVENT_LIST_H
#define EVENT_LIST_H

#include "shim.h"

/* Where the members of a list are; NULL for no list. */
typedef struct event_list event_list;

/* The fixed first parameter of raise_event: the event's name, and what follows it. */
typedef struct event_call
{
	/* As sipbus_text_fixup made it. */
	char *name;
	/* The lists that were given without quotes. */
	event_list *bare[2];
} event_call;

/* Fixup and its free function for all parameters of raise_event: a name and up to two lists. */
int event_call_fixup(void **param, int number);
int event_call_free(void **param, int number);

/* The list of a call: its `number` is 0 or 1, `param` what the fixup made. Not 0 if it is none. */
int event_list_of(const event_call *call, int number, char *param,
		const event_list **list);

/*
 * Adds all parameters to the event that was begun: values with the attributes as their names, or
 * without. Not 0 with the reason logged if there are too few attributes.
 */
int event_list_add(
		sip_msg_t *msg, const event_list *attributes, const event_list *values);

#endif
