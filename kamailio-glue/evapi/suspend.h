/*
 * Suspends the current transaction, and takes that back as if it had never been.
 */
#ifndef EVAPI_SUSPEND_H
#define EVAPI_SUSPEND_H

#include "core/parser/msg_parser.h"
#include "modules/tm/tm_load.h"

typedef struct evapi_suspended
{
	tm_cell_t *transaction;
	unsigned int index;
	unsigned int label;
	/* As they were before. */
	unsigned int flags;
	struct async_state state;
} evapi_suspended;

/* Looks for tm. To be called in mod_init. */
void evapi_suspend_init(void);

/* True if tm is loaded. */
int evapi_suspend_possible(void);

/*
 * Suspends the transaction of `msg`, which is created if there is none. 1 with `suspended` filled;
 * -1 if that is not possible; 0, which ends the script, for a retransmission: its transaction is
 * there and has been dealt with.
 */
int evapi_suspend(sip_msg_t *msg, evapi_suspended *suspended);

/* The transaction is usable again, in the same route. */
void evapi_suspend_cancel(const evapi_suspended *suspended);

#endif
