/*
 * evapi_continue: resumes a transaction that an evapi_async function has suspended.
 */
#ifndef EVAPI_CONTINUE_H
#define EVAPI_CONTINUE_H

#include "core/parser/msg_parser.h"

/* evapi_continue(index, label, route) */
int w_evapi_continue(sip_msg_t *msg, char *index, char *label, char *route);
/* KSR.evapi.continue(index, label, function) */
int ki_evapi_continue(sip_msg_t *msg, int index, int label, str *function);

#endif
