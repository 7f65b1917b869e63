/*
 * Suspends the current transaction, takes that back as if it had never been, or continues it.
 */
#include "core/sr_module.h"

#include "suspend.h"

#include "core/dprint.h"
#include "core/route.h"

#include <string.h>

static tm_api_t tm;
/* The functions that suspend, for messages. */
static const char *users = "";

void sipbus_suspend_init(const char *functions)
{
	users = functions;
	/* tm is optional; load_tm_api would log its absence as an error. */
	if(find_export("load_tm", NO_SCRIPT, 0) == NULL || load_tm_api(&tm) < 0) {
		memset(&tm, 0, sizeof(tm));
		LM_INFO("tm is not loaded: there are no %s functions\n", users);
	}
}

int sipbus_suspend_possible(void)
{
	if(tm.t_suspend != NULL)
		return 1;
	LM_ERR("the %s functions need the tm module, which is not loaded\n", users);
	return 0;
}

/* The current transaction, or NULL. */
static tm_cell_t *current(void)
{
	tm_cell_t *transaction = tm.t_gett();

	return transaction == T_UNDEFINED ? NULL : transaction;
}

int sipbus_suspend(sip_msg_t *msg, sipbus_suspended *suspended)
{
	int made;
	int result;

	if(!sipbus_suspend_possible())
		return -1;
	if(current() == NULL) {
		/* Its message is a made-up one, which nobody waits for. */
		if(get_route_type() == EVENT_ROUTE) {
			LM_ERR("the %s functions cannot be used in an event route: there "
				   "is no transaction\n",
					users);
			return -1;
		}
		made = tm.t_newtran(msg);
		if(made == 0)
			return 0;
		if(made < 0 || current() == NULL) {
			LM_ERR("the transaction cannot be created\n");
			return -1;
		}
	}
	suspended->transaction = current();
	suspended->flags = suspended->transaction->flags;
	suspended->state = suspended->transaction->async_backup;
	result = tm.t_suspend(msg, &suspended->index, &suspended->label);
	/* 1: it was cancelled already, and nothing is suspended. */
	if(result == 1) {
		LM_DBG("the transaction is cancelled already\n");
		return -1;
	}
	if(result < 0) {
		LM_ERR("the transaction cannot be suspended (%d)\n", result);
		return -1;
	}
	return 1;
}

void sipbus_suspend_cancel(const sipbus_suspended *suspended)
{
	const unsigned int mask = T_ASYNC_SUSPENDED | T_ASYNC_CONTINUE;
	tm_cell_t *transaction = suspended->transaction;

	if(tm.t_cancel_suspend(suspended->index, suspended->label) < 0)
		LM_ERR("the suspend of a transaction cannot be cancelled\n");
	/* tm of 5.6 leaves the transaction marked as suspended, which would keep replies from their
	 * routes, and not marked as continued, although its lock is still held in a resumed route. */
	transaction->flags =
			(typeof(transaction->flags))((transaction->flags & ~mask)
										 | (suspended->flags & mask));
	transaction->async_backup = suspended->state;
}

/* True if it is there and suspended. t_continue keeps a reference to one that is not. */
static int is_suspended(unsigned int index, unsigned int label)
{
	tm_cell_t *before = tm.t_gett();
	int branch = tm.t_gett_branch();
	tm_cell_t *found = NULL;
	int suspended = 0;

	if(tm.t_lookup_ident(&found, index, label) >= 0) {
		suspended = (found->flags & T_ASYNC_SUSPENDED) != 0;
		tm.unref_cell(found);
	}
	tm.t_sett(before, branch);
	return suspended;
}

int sipbus_suspend_continue(unsigned int index, unsigned int label,
		struct action *actions, str *callback, str *event)
{
	if(!sipbus_suspend_possible() || !is_suspended(index, label))
		return -1;
	if(actions != NULL)
		return tm.t_continue(index, label, actions);
	return tm.t_continue_cb(index, label, callback, event);
}
