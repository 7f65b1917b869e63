/*
 * A module's counters as Kamailio statistics, read when they are asked for.
 */
#include "shim.h"

#include "core/counters.h"
#include "core/dprint.h"

#include <stdint.h>

/* The module's name; statistics know a counter by its number in it. */
static const char *counted;

static counter_val_t value(counter_handle_t handle, void *number)
{
	(void)handle;
	return (counter_val_t)sipbus_counter_value(
			counted, (uint32_t)(uintptr_t)number);
}

int sipbus_statistics_register(const char *module)
{
	const char *name;
	uint32_t number;

	counted = module;
	for(number = 0; (name = sipbus_counter_name(module, number)) != NULL;
			number++) {
		if(counter_register(NULL, module, name, 0, value,
				   (void *)(uintptr_t)number, name, 0)
				< 0) {
			LM_ERR("the statistic %s:%s cannot be registered\n", module, name);
			return -1;
		}
	}
	return 0;
}
