/*
 * What the programs of this folder have in common.
 */
#ifndef SIPBUS_ABI_CHECK_H
#define SIPBUS_ABI_CHECK_H

#include "sipbus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                               \
	do {                                                               \
		if(!(condition)) {                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
					#condition);                                       \
			exit(1);                                                   \
		}                                                              \
	} while(0)

static sipbus_slice slice(const char *text)
{
	sipbus_slice bytes = {text, text == NULL ? 0 : strlen(text)};

	return bytes;
}

#endif
