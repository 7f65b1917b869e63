/*
 * What the versions of Kamailio call by other names, or give other types: here and nowhere else.
 */
#ifndef SIPBUS_VERSION_H
#define SIPBUS_VERSION_H

#include "core/sr_module.h"

#include "core/pvar.h"
#include "core/rvalue.h"

/* What pv_get_avp_name() fills in: wider since AVPs have more flags. */
typedef __typeof__(_Generic(
		&pv_get_avp_name,
		int (*)(sip_msg_t *, pv_param_p, int_str *, unsigned short *)
		: (unsigned short)0, default
		: (avp_flags_t)0)) sipbus_avp_type;

/* The operator that makes a number of its operand: numbers of scripts were int, and are long. */
#if VERSIONVAL < 6000000
#define RVE_LONG_OP RVE_INT_OP
#endif

#endif
