/*
 * What a host (Kamailio, through a shim) offers to libsipbus.
 *
 * Everything here is called by libsipbus in the thread that called libsipbus, never from another
 * one, and must not block. Texts given to the host live until the call returns; they have a length
 * where one is passed, otherwise a NUL at their end.
 */
#ifndef SIPBUS_HOST_H
#define SIPBUS_HOST_H

#include <stddef.h>
#include <stdint.h>

/* Log levels; the numbers are Kamailio's. */
#define SIPBUS_LOG_ERROR (-1)
#define SIPBUS_LOG_WARNING 0
#define SIPBUS_LOG_NOTICE 1
#define SIPBUS_LOG_INFO 2
#define SIPBUS_LOG_DEBUG 3

/* The host itself. The table must outlive the process. */
typedef struct sipbus_host
{
	/* Logs one line, without a line end. */
	void (*log)(int32_t level, const char *text, size_t len);
	/* Index of the event route of that name (with its "module:"), or -1 if there is none. */
	int32_t (*event_route)(const char *name);
	/* Calls each with the name of every event route. */
	void (*event_route_each)(
			void *context, void (*each)(void *context, const char *name));
} sipbus_host;

/*
 * Takes a report: a tree of structures and lists. Members of a list have an empty name.
 */
typedef struct sipbus_report
{
	/* Given back with each call. */
	void *context;
	/* Begins a structure inside the current one, or a list if is_list is not 0. */
	void (*open)(void *context, const char *name, int32_t is_list);
	/* Ends what the matching open began. */
	void (*close)(void *context);
	/* Adds a text. */
	void (*text)(void *context, const char *name, const char *text, size_t len);
	/* Adds a number. */
	void (*number)(void *context, const char *name, uint64_t number);
} sipbus_report;

#endif
