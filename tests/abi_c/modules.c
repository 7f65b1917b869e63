/*
 * All modules but nats, configured together in a host that is not Kamailio: what they accept while no engine runs.
 * Compiled as C and as C++ by tests/abi_c.rs.
 */
#include "check.h"

static int errors_logged;
static int members;
static const sipbus_slice none = {NULL, 0};
static char socket_path[256];

static void on_log(int32_t level, const char *text, size_t len)
{
	if(level == SIPBUS_LOG_ERROR) {
		/* Shown by the test only where it fails. */
		printf("%.*s\n", (int)len, text);
		errors_logged++;
	}
}

static int32_t on_event_route(const char *name)
{
	return strcmp(name, "event:E_X") == 0 ? 3 : -1;
}

static void on_event_route_each(
		void *context, void (*each)(void *context, const char *name))
{
	each(context, "event:E_X");
}

static const sipbus_host host = {on_log, on_event_route, on_event_route_each};

static void on_open(void *context, const char *name, int32_t is_list)
{
	(void)context;
	(void)is_list;
	CHECK(name != NULL);
}

static void on_close(void *context)
{
	(void)context;
}

static void on_text(
		void *context, const char *name, const char *text, size_t len)
{
	(void)context;
	CHECK(name != NULL && (text != NULL || len == 0));
	members++;
}

static void on_number(void *context, const char *name, uint64_t number)
{
	(void)context;
	(void)number;
	CHECK(name != NULL);
	members++;
}

static const sipbus_report report = {
		NULL, on_open, on_close, on_text, on_number};

static void configure(void)
{
	sipbus_kazoo_config config;

	sipbus_setting_text("evapi", "bind_addr", socket_path);
	sipbus_setting_number("evapi", "workers", 2);
	CHECK(sipbus_evapi_configure(1) == 0);
	CHECK(strcmp(sipbus_evapi_worker_title(1), "evapi worker: 1") == 0);
	/* Asked again, it is the same text. */
	CHECK(sipbus_evapi_worker_title(1) == sipbus_evapi_worker_title(1));
	CHECK(sipbus_evapi_worker_title(2) == NULL);

	sipbus_setting_text("kazoo", "node_hostname", "host");
	sipbus_setting_number("kazoo", "pua_mode", 0);
	CHECK(sipbus_kazoo_configure("1.0") == 0);
	CHECK(sipbus_kazoo_configured(&config) == 0 && config.presence == 0);
	CHECK(strcmp(sipbus_kazoo_worker_title(0), "kazoo worker: 0") == 0);

	sipbus_setting_text("event_kafka", "broker_id", "[k]127.0.0.1:1/topic");
	CHECK(sipbus_event_kafka_configure(0) == 0);
	CHECK(sipbus_event_kafka_worker_title(0) != NULL);
	CHECK(sipbus_kafka_report_workers() == 1);
	CHECK(sipbus_kafka_broker_known(slice("k")) != 0);
	CHECK(sipbus_kafka_broker_known(slice("other")) == 0);
	CHECK(sipbus_event_known(slice("E_X")) == 0);
	CHECK(sipbus_event_known(none) == -1);

	sipbus_setting_text("kafka", "brokers", "127.0.0.1:1");
	sipbus_setting_text("kafka", "topic", "name=calls");
	sipbus_setting_number("kafka", "init_without_kafka", 1);
	CHECK(sipbus_kafka_configure(0) == 0);
	CHECK(sipbus_kafka_topic_known("calls") != 0);
	CHECK(sipbus_kafka_topic_known("other") == 0);
}

static void subscribe(void)
{
	sipbus_kazoo_start();
	CHECK(kazoo_subscribe(slice("{'exchange': 'e', 'type': 'topic'}")) == 1);
	CHECK(kazoo_subscribe_simple(
				  slice("e"), slice("topic"), slice("q"), slice("k"))
			== 1);
	CHECK(sipbus_kazoo_started() == 0);
	CHECK(kazoo_subscribe(slice("{'exchange': 'e', 'type': 'topic'}")) == -1);
	CHECK(sipbus_events_create() == 0);
	CHECK(subscribe_event(slice("E_X"), slice("evapi:tag"), 60) == 1);
	CHECK(subscribe_event(slice("E_X"), slice("nobody:x"), 60) == -1);
	CHECK(sipbus_event_exists(slice("E_X"), slice("evapi:tag")) == 1);
	CHECK(sipbus_event_exists(slice("E_X"), slice("evapi:other")) == -1);
	CHECK(sipbus_event_exists(slice("E_Y"), none) == 0);
}

static void publish(void)
{
	CHECK(evapi_relay(1, slice("text")) == 1);
	CHECK(evapi_relay(1, none) == -1);
	CHECK(evapi_multicast(1, slice("text"), slice("tag")) == 1);
	CHECK(evapi_unicast(1, slice("text"), slice("tag")) == 1);
	CHECK(evapi_async_relay(1, slice("text")) == -2);
	CHECK(evapi_async_multicast(1, slice("text"), slice("tag")) == -2);
	CHECK(evapi_async_unicast(1, slice("text"), slice("tag")) == -2);
	CHECK(sipbus_evapi_late(1) == -1);
	CHECK(kazoo_publish(1, slice("e"), slice("k"), slice("{'a': 1}"), none)
			== 1);
	CHECK(kazoo_publish(1, slice("e"), slice("k"), slice("[]"), none) == -1);
	/* No server is connected. */
	CHECK(sipbus_kazoo_query_prepare(
				  1, slice("e"), slice("k"), slice("{}"), none)
			== -1);
	CHECK(kazoo_query(1, 10) == -1);
	CHECK(kafka_publish(
				  1, slice("k"), slice("m"), slice("key"), 5, slice("a=b"))
			== 1);
	CHECK(kafka_publish(1, slice("other"), slice("m"), none, 0, none) == -1);
	CHECK(kafka_publish(1, slice("k"), slice("m"), none, 0, slice("=")) == -1);
	CHECK(kafka_send(1, slice("calls"), slice("m")) == 1);
	CHECK(kafka_send_key(1, slice("calls"), slice("m"), slice("key")) == 1);
	CHECK(kafka_send(1, slice("other"), slice("m")) == -1);
}

static void raise_events(void)
{
	sipbus_slice text;
	int64_t number = 0;
	int32_t route = -1;

	CHECK(sipbus_event_begin(slice("E_X")) >= 1);
	sipbus_event_add_text(slice("name"), slice("value"));
	sipbus_event_add_number(slice("count"), 42);
	CHECK(raise_event(1, none, &route) == 1 && route == 3);
	CHECK(sipbus_event_variable(slice("count"), &text, &number) == 2);
	CHECK(number == 42);
	CHECK(sipbus_event_variable(slice("name"), &text, &number) == 1);
	sipbus_event_end();
	CHECK(sipbus_event_variable(slice("name"), &text, &number) == 0);
	CHECK(sipbus_event_begin(slice("E_X")) >= 1);
	CHECK(sipbus_event_set(slice("{\"a\": [1, 2]}")) == 0);
	CHECK(raise_event(1, slice("id"), &route) == 1);
	sipbus_event_end();
}

static void reports(void)
{
	CHECK(sipbus_status(&report) == 0);
	CHECK(sipbus_evapi_clients("evapi", &report) == 0);
	CHECK(sipbus_kazoo_connections("kazoo", &report) == 0);
	CHECK(sipbus_kazoo_subscriptions("kazoo", &report) == 0);
	CHECK(sipbus_kafka_stats("event_kafka", &report) == 0);
	CHECK(sipbus_kafka_stats_topic("calls", &report) == 0);
	CHECK(sipbus_kafka_stats_topic("other", &report) == -1);
	CHECK(sipbus_events_list(&report) == 0);
	CHECK(sipbus_subscribers_list(none, none, &report) == 0);
	CHECK(sipbus_stats("kazoo", &report) == 0);
	CHECK(members > 50);
	CHECK(sipbus_evapi_client_close(1, 0) == -1);
}

int main(void)
{
	const char *folder = getenv("SIPBUS_TEST_FOLDER");

	snprintf(socket_path, sizeof(socket_path), "unix:%s/evapi.sock",
			folder == NULL ? "." : folder);
	sipbus_host_set("nats", &host);
	configure();
	CHECK(errors_logged == 1); /* the event without a name */
	CHECK(sipbus_create(8) == 0);
	subscribe();
	publish();
	raise_events();
	reports();
	sipbus_evapi_destroy();
	return 0;
}
