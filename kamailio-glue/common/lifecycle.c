/*
 * A shim's life: settings in mod_init, the region in PROC_INIT, processes in PROC_MAIN.
 */
#include "shim.h"

#include "core/cfg/cfg_struct.h"
#include "core/dprint.h"
#include "core/fmsg.h"
#include "core/pt.h"
#include "core/route.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Whether this shim is the one that forks the supervisor. */
static int supervises = 0;

/* The host's table: logging and event routes */

static void host_log(int32_t level, const char *text, size_t len)
{
	int width = (int)len;

	switch(level) {
		case SIPBUS_LOG_ERROR:
			LM_ERR("%.*s\n", width, text);
			break;
		case SIPBUS_LOG_WARNING:
			LM_WARN("%.*s\n", width, text);
			break;
		case SIPBUS_LOG_NOTICE:
			LM_NOTICE("%.*s\n", width, text);
			break;
		case SIPBUS_LOG_INFO:
			LM_INFO("%.*s\n", width, text);
			break;
		default:
			LM_DBG("%.*s\n", width, text);
	}
}

static int32_t host_event_route(const char *name)
{
	char copy[512];
	int route;

	if((size_t)snprintf(copy, sizeof(copy), "%s", name) >= sizeof(copy))
		return -1;
	route = route_lookup(&event_rt, copy);
	return route >= 0 && event_rt.rlist[route] != NULL ? route : -1;
}

static void host_event_route_each(
		void *context, void (*each)(void *context, const char *name))
{
	int i;
	struct str_hash_entry *entry;
	char name[512];

	for(i = 0; i < event_rt.names.size; i++) {
		clist_foreach(&event_rt.names.table[i], entry, next)
		{
			snprintf(name, sizeof(name), "%.*s", entry->key.len, entry->key.s);
			if(host_event_route(name) >= 0)
				each(context, name);
		}
	}
}

static const sipbus_host host = {
		.log = host_log,
		.event_route = host_event_route,
		.event_route_each = host_event_route_each,
};

void sipbus_shim_register(void)
{
	sipbus_host_set(MOD_NAME, &host);
}

int sipbus_shim_callback(sipbus_shim *shim, void *value)
{
	shim->callback.s = value;
	shim->callback.len = (int)strlen(value);
	sipbus_setting_text(shim->name, "event_callback", value);
	return 0;
}

/* mod_init */

static uint32_t workers(const sipbus_shim *shim)
{
	uint32_t count = 0;

	while(shim->worker_title(count) != NULL)
		count++;
	return count;
}

/* True if the script wants to hear of the connection. */
static int wants_connection_events(const sipbus_shim *shim)
{
	const char *const *route;
	char name[128];

	if(shim->callback.len > 0)
		return 1;
	for(route = shim->connection_routes; route != NULL && *route; route++) {
		snprintf(name, sizeof(name), "%s:%s", shim->name, *route);
		if(host_event_route(name) >= 0)
			return 1;
	}
	return 0;
}

/*
 * A module may run the engine's program to check its settings. Kamailio must not hear of that child's
 * end: as long as it has not looked into that, it takes no other signal, also none to stop.
 */
static int configure(const sipbus_shim *shim)
{
	struct sigaction usual = {.sa_handler = SIG_DFL};
	struct sigaction before;
	int failed;

	if(sigaction(SIGCHLD, &usual, &before) < 0)
		return -1;
	failed = shim->configure(wants_connection_events(shim));
	sigaction(SIGCHLD, &before, NULL);
	return failed;
}

int sipbus_shim_init(const sipbus_shim *shim)
{
	int processes;

	if(faked_msg_init() < 0) {
		LM_ERR("the message that event routes run on cannot be made\n");
		return -1;
	}
	if(configure(shim) != 0)
		return -1;
	if(sipbus_statistics_register(shim->name) < 0)
		return -1;
	supervises = sipbus_supervisor_claim();
	if(supervises && sipbus_rpc_register() < 0)
		return -1;
	processes = (int)workers(shim) + supervises;
	register_procs(processes);
	cfg_register_child(processes);
	return 0;
}

/* Processes */

/*
 * Forks with the signals of a stop blocked. A child that has not run yet would take them in the
 * handler of the main process, whose flag nobody reads there, and the stop would wait for it.
 */
static int fork_blocked(
		int child_id, const char *title, int make_sock, sigset_t *before)
{
	sigset_t stops;
	char copy[128];
	int pid;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	if(sigprocmask(SIG_BLOCK, &stops, before) < 0)
		return -1;
	snprintf(copy, sizeof(copy), "%s", title);
	pid = fork_process(child_id, copy, make_sock);
	if(pid != 0)
		sigprocmask(SIG_SETMASK, before, NULL);
	return pid;
}

static int supervisor(void)
{
	sigset_t stops;
	int signals;

	/* Kamailio's own handler would end the process at once, with accepted
	 * messages still in their lanes: these signals stay blocked and are read. */
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	signals = signalfd(-1, &stops, SFD_CLOEXEC);
	if(signals < 0)
		return 1;
	return sipbus_supervise(signals);
}

static int fork_supervisor(void)
{
	sigset_t before;
	int pid = fork_blocked(PROC_NOCHLDINIT, "sipbus supervisor", 0, &before);

	if(pid == 0) {
		if(cfg_child_init() < 0)
			_exit(1);
		/* Not exit(): what other modules left for their main process is not ours to run. */
		_exit(supervisor());
	}
	return pid;
}

/* Seconds that a worker may still take after the word to stop. */
static unsigned int grace;

static void on_stop(int number)
{
	(void)number;
	alarm(grace);
}

/*
 * Lets the worker go on after the word to stop, until the engine has delivered and the worker has
 * run what came of that; at the latest until an alarm ends it.
 */
static void outlive_stop(void)
{
	struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
	struct sigaction end = {.sa_handler = SIG_DFL};

	grace = sipbus_stop_seconds();
	sigaction(SIGALRM, &end, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
}

static int fork_worker(const sipbus_shim *shim, uint32_t worker)
{
	const char *title = shim->worker_title(worker);
	int rank = shim->worker_rank != 0 ? shim->worker_rank : PROC_RPC;
	sigset_t before;
	int pid = fork_blocked(rank, title, 1, &before);
	int ended;

	if(pid == 0) {
		if(shim->worker_outlives_stop != NULL
				&& shim->worker_outlives_stop(worker))
			outlive_stop();
		sigprocmask(SIG_SETMASK, &before, NULL);
		if(cfg_child_init() < 0)
			_exit(1);
		while((ended = shim->worker_step(worker)) == 0)
			;
		if(ended > 0)
			_exit(0);
		LM_CRIT("%s ends\n", title);
		_exit(1);
	}
	return pid;
}

int sipbus_shim_child(const sipbus_shim *shim, int rank)
{
	uint32_t worker;

	if(rank == PROC_INIT)
		return sipbus_create((uint32_t)get_max_procs());
	if(rank != PROC_MAIN)
		return 0;
	if(supervises && fork_supervisor() < 0) {
		LM_ERR("the supervisor of the engine cannot be forked\n");
		return -1;
	}
	for(worker = 0; shim->worker_title(worker) != NULL; worker++) {
		if(fork_worker(shim, worker) < 0) {
			LM_ERR("%s cannot be forked\n", shim->worker_title(worker));
			return -1;
		}
	}
	return 0;
}
