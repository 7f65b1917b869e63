/*
 * A host that is not Kamailio: calls libsipbus as a shim does, and as a shim must never do.
 * Compiled as C and as C++ by tests/abi_c.rs.
 */
#include "check.h"

static int errors_logged;
static int depth;
static int members;
static char worker_title[64];
static uint64_t published;

static void on_log(int32_t level, const char *text, size_t len)
{
	CHECK(text != NULL && len > 0 && memchr(text, '\n', len) == NULL);
	if(level == SIPBUS_LOG_ERROR) {
		/* Shown by the test only where it fails. */
		printf("%.*s\n", (int)len, text);
		errors_logged++;
	}
}

static int32_t on_event_route(const char *name)
{
	return strcmp(name, "nats:in") == 0 ? 7 : -1;
}

static void on_event_route_each(
		void *context, void (*each)(void *context, const char *name))
{
	each(context, "nats:in");
	each(context, "other:route");
}

/* The number of that counter: figures of what is now come first. */
enum
{
	PUBLISHED = 3
};

static const sipbus_host host = {on_log, on_event_route, on_event_route_each};

static void on_open(void *context, const char *name, int32_t is_list)
{
	(void)is_list;
	CHECK(context == &depth && name != NULL);
	depth++;
}

static void on_close(void *context)
{
	CHECK(context == &depth && depth > 0);
	depth--;
}

static void on_text(
		void *context, const char *name, const char *text, size_t len)
{
	CHECK(context == &depth && name != NULL && (text != NULL || len == 0));
	members++;
}

static void on_number(void *context, const char *name, uint64_t number)
{
	CHECK(context == &depth && name != NULL);
	members++;
	if(strcmp(name, "published") == 0)
		published = number;
}

static const sipbus_report report = {
		&depth, on_open, on_close, on_text, on_number};

static int publish(const char *subject, const char *payload)
{
	return nats_publish(1, slice(subject), slice(payload), slice(""));
}

static void before_anything(void)
{
	sipbus_slice out = {NULL, 0};

	/* No host, no settings, no region: an answer, no crash. */
	CHECK(publish("a", "b") == -1);
	CHECK(sipbus_status(&report) == -1);
	CHECK(sipbus_stats("nats", &report) == -1);
	CHECK(sipbus_counter_value("nats", 0) == 0);
	CHECK(sipbus_nats_worker_title(0) == NULL);
	CHECK(nats_data(&out) == 0 && nats_subject(&out) == 0);
	CHECK(sipbus_supervise(-1) == 1);
	sipbus_nats_event_done(1);
	sipbus_host_set(NULL, NULL);
	sipbus_host_set("nats", NULL);
	sipbus_setting_text(NULL, NULL, NULL);
	sipbus_setting_number("nats", NULL, 1);
}

static void wrong_settings(void)
{
	sipbus_setting_text("nats", "nats_url", "http://user:secret@host");
	sipbus_setting_number("nats", "queue_size", -5);
	CHECK(sipbus_nats_configure(0) == -1);
	CHECK(errors_logged == 2);
}

static void counters(void)
{
	uint32_t count = 0;

	while(sipbus_counter_name("nats", count) != NULL)
		count++;
	CHECK(count > 10);
	CHECK(sipbus_counter_value("nats", count) == 0);
	CHECK(sipbus_counter_name("nobody", 0) == NULL);
	CHECK(sipbus_counter_name(NULL, 0) == NULL);
	CHECK(strcmp(sipbus_counter_name("nats", 0), "connected") == 0);
	CHECK(strcmp(sipbus_counter_name("nats", PUBLISHED), "published") == 0);
}

static void running(void)
{
	char *big = (char *)calloc(1, 2 << 20);
	sipbus_slice large = {big, 2 << 20};
	sipbus_nats_event event;
	int accepted = 0;

	CHECK(publish("a.b", "payload") == 1);
	CHECK(publish("a.b", "") == 1);
	CHECK(publish("a.b", NULL) == 1);
	CHECK(publish("", "x") == -1);
	CHECK(publish(NULL, "x") == -1);
	CHECK(publish("a b", "x") == -1);
	CHECK(nats_publish(1, slice("a"), large, slice(NULL)) == -1);
	CHECK(nats_publish(1, large, slice("x"), slice(NULL)) == -1);
	CHECK(nats_publish(1, slice("a"), slice("x"), slice("r r")) == -1);
	CHECK(nats_publish(4711, slice("a"), slice("x"), slice("")) == -1);
	CHECK(sipbus_nats_publish_invalid(1, "why") == -1);
	CHECK(sipbus_nats_publish_invalid(1, NULL) == -1);
	/* Nobody takes anything: the lane becomes full, and then says so. */
	while(publish("a.b", "payload") == 1)
		CHECK(++accepted < 1000000);
	CHECK(publish("a.b", "payload") == -1);
	CHECK(sipbus_nats_event_wait(99, &event) == -1);
	free(big);
}

static void reports(void)
{
	sipbus_report silent;

	memset(&silent, 0, sizeof(silent));
	CHECK(sipbus_status(&report) == 0);
	CHECK(depth == 0 && members > 10);
	CHECK(sipbus_stats("nats", &report) == 0);
	CHECK(published > 10
			&& published == sipbus_counter_value("nats", PUBLISHED));
	CHECK(sipbus_status(&silent) == 0);
	CHECK(sipbus_status(NULL) == -1);
	CHECK(sipbus_stats("nobody", &report) == -1);
	CHECK(sipbus_stats(NULL, NULL) == -1);
}

int main(int count, char **arguments)
{
	before_anything();
	sipbus_host_set("nats", &host);
	if(count > 1 && strcmp(arguments[1], "wrong") == 0) {
		wrong_settings();
		return 0;
	}
	sipbus_setting_text("nats", "subject_queue_group", "in:group");
	CHECK(sipbus_nats_configure(1) == 0);
	snprintf(worker_title, sizeof(worker_title), "%s",
			sipbus_nats_worker_title(0));
	CHECK(strcmp(worker_title, "nats worker: in:group") == 0);
	CHECK(sipbus_nats_worker_title(2) == NULL);
	CHECK(sipbus_supervisor_claim() == 1 && sipbus_supervisor_claim() == 0);
	counters();
	CHECK(sipbus_create(8) == 0 && sipbus_create(8) == 0);
	running();
	reports();
	return 0;
}
