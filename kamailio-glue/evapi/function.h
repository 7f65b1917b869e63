/*
 * The functions of scripts, native and KEMI.
 */
#ifndef EVAPI_FUNCTION_H
#define EVAPI_FUNCTION_H

#include "shim.h"

#include "core/kemi.h"

extern cmd_export_t evapi_commands[];
extern sr_kemi_t evapi_kemi_exports[];

#endif
