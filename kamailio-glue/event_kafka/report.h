/*
 * Report routes: what a script runs when Kafka has a message, or does not take it.
 */
#ifndef EVENT_KAFKA_REPORT_H
#define EVENT_KAFKA_REPORT_H

#include "shim.h"

/* Makes what processes share. In mod_init. */
int kafka_report_init(void);

/* Fixup of a parameter that names a route, and its free function. */
int kafka_report_fixup(void **param, int number);
int kafka_report_free(void **param);
/* The number of the route of such a parameter, 0 for none. Not 0 if there is no such route. */
int kafka_report_route(const char *param, uint32_t *route);

/* The number of the route, or under KEMI the function, of that name; 0 if there is none. */
uint32_t kafka_report_named(const str *name);

/* Runs the route of a report. Returns 1 if it was run. */
int kafka_report_run(const sipbus_kafka_report *report);

#endif
