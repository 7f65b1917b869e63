/*
 * Suspends the current transaction, takes that back as if it had never been, or continues it.
 */
#ifndef SIPBUS_SUSPEND_H
#define SIPBUS_SUSPEND_H

#include "core/parser/msg_parser.h"
#include "modules/tm/tm_load.h"

typedef struct sipbus_suspended
{
	tm_cell_t *transaction;
	unsigned int index;
	unsigned int label;
	/* As they were before. */
	unsigned int flags;
	struct async_state state;
} sipbus_suspended;

/* Looks for tm, without which there are no `functions` (for messages). To be called in mod_init. */
void sipbus_suspend_init(const char *functions);

/* True if tm is loaded; else an error is logged. */
int sipbus_suspend_possible(void);

/*
 * Suspends the transaction of `msg`, which is created if there is none. 1 with `suspended` filled;
 * -1 if that is not possible; 0, which ends the script, for a retransmission: its transaction is
 * there and has been dealt with.
 */
int sipbus_suspend(sip_msg_t *msg, sipbus_suspended *suspended);

/* The transaction is usable again, in the same route. */
void sipbus_suspend_cancel(const sipbus_suspended *suspended);

/*
 * Continues a transaction with the route `actions`, or without one with the KEMI function
 * `callback`, whose parameter is `event`. 0; -1 if it is not suspended any more, 1 if it was cancelled or
 * timed out in the meantime.
 */
int sipbus_suspend_continue(unsigned int index, unsigned int label,
		struct action *actions, str *callback, str *event);

#endif
