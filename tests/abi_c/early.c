/*
 * Every function before there is a host, a setting or a region, and with NULL wherever a pointer can be: an answer, no
 * crash. Compiled as C and as C++ by tests/abi_c.rs.
 */
#include "check.h"

static const sipbus_slice none = {NULL, 0};
static sipbus_slice out;
static int64_t number;
static const sipbus_report silent = {NULL, NULL, NULL, NULL, NULL};

static void settings_and_life(void)
{
	sipbus_host_set(NULL, NULL);
	sipbus_setting_text(NULL, NULL, NULL);
	sipbus_setting_number("nats", NULL, 1);
	CHECK(sipbus_supervise(-1) == 1);
	CHECK(sipbus_stop_seconds() < 3600);
	CHECK(sipbus_status(&silent) == -1 && sipbus_status(NULL) == -1);
	CHECK(sipbus_stats("nats", &silent) == -1);
	CHECK(sipbus_stats(NULL, NULL) == -1);
	CHECK(sipbus_tls_reload("nats", &out) == -1);
	CHECK(sipbus_tls_reload(NULL, NULL) == -1);
	CHECK(sipbus_counter_name(NULL, 0) == NULL);
	CHECK(sipbus_counter_value("kazoo", 0) == 0);
	CHECK(sipbus_nats_worker_title(0) == NULL);
	CHECK(sipbus_kazoo_worker_title(0) == NULL);
	CHECK(sipbus_evapi_worker_title(0) == NULL);
	CHECK(sipbus_event_kafka_worker_title(0) == NULL);
	CHECK(sipbus_kafka_report_workers() == 0);
	sipbus_evapi_destroy();
}

static void nats(void)
{
	CHECK(nats_publish(1, slice("a"), slice("b"), none) == -1);
	CHECK(sipbus_nats_publish_invalid(1, NULL) == -1);
	CHECK(sipbus_nats_event_wait(0, NULL) == -1);
	sipbus_nats_event_done(1);
	CHECK(nats_data(&out) == 0 && nats_data(NULL) == 0);
	CHECK(nats_subject(&out) == 0 && nats_subject(NULL) == 0);
	CHECK(nats_reply(&out) == 0 && nats_reply(NULL) == 0);
	CHECK(nats_header(slice("a"), &out) == 0 && nats_header(none, NULL) == 0);
}

static void evapi(void)
{
	uint32_t index;

	CHECK(evapi_relay(1, slice("a")) == -1);
	CHECK(evapi_multicast(1, slice("a"), slice("b")) == -1);
	CHECK(evapi_unicast(1, slice("a"), none) == -1);
	CHECK(evapi_async_relay(1, slice("a")) < 0);
	CHECK(evapi_async_multicast(1, slice("a"), slice("b")) < 0);
	CHECK(evapi_async_unicast(1, slice("a"), none) < 0);
	CHECK(sipbus_evapi_invalid(1, NULL) == -1);
	CHECK(sipbus_evapi_late(1) == -1);
	CHECK(sipbus_evapi_clients("evapi", &silent) == -1);
	CHECK(sipbus_evapi_clients(NULL, NULL) == -1);
	CHECK(sipbus_evapi_client_close(1, 0) == -1);
	CHECK(sipbus_evapi_event_wait(0, NULL) == -1);
	sipbus_evapi_event_done(1, 1);
	CHECK(evapi_close(1) == -1 && evapi_set_tag(1, slice("a")) == -1);
	CHECK(evapi_msg(&out) == 0 && evapi_msg(NULL) == 0);
	CHECK(evapi_srcaddr(&out) == 0 && evapi_srcaddr(NULL) == 0);
	CHECK(evapi_tag(&out) == 0 && evapi_tag(NULL) == 0);
	CHECK(evapi_conidx(&index) == 0 && evapi_conidx(NULL) == 0);
	CHECK(evapi_srcport(&index) == 0 && evapi_srcport(NULL) == 0);
}

static void kazoo(void)
{
	sipbus_kazoo_config config;

	CHECK(sipbus_kazoo_configured(&config) == -1);
	CHECK(sipbus_kazoo_configured(NULL) == -1);
	CHECK(kazoo_publish(1, slice("e"), slice("k"), slice("{}"), none) == -1);
	CHECK(sipbus_kazoo_invalid(1, NULL) == -1);
	CHECK(sipbus_kazoo_query_prepare(1, slice("e"), none, slice("{}"), none)
			== -1);
	CHECK(sipbus_kazoo_query_invalid(1, NULL) == -1);
	CHECK(kazoo_query(1, 10) == -1);
	CHECK(kazoo_async_query(1, 10, 1, 1, 1, 1) == -1);
	CHECK(kazoo_result(&out) == 0 && kazoo_result(NULL) == 0);
	CHECK(sipbus_kazoo_event_wait(0, NULL) == -1);
	sipbus_kazoo_event_done(1, 1);
	CHECK(kazoo_event_payload(&out) == 0 && kazoo_event_payload(NULL) == 0);
	CHECK(kazoo_event_routing_key(&out) == 0);
	CHECK(kazoo_event_routing_key(NULL) == 0);
	CHECK(sipbus_kazoo_connections("kazoo", &silent) == -1);
	CHECK(sipbus_kazoo_subscriptions(NULL, NULL) == -1);
	CHECK(kazoo_subscribe(slice("{}")) == -1);
	CHECK(kazoo_subscribe_simple(slice("e"), none, none, none) == -1);
}

static void json(void)
{
	sipbus_slice list = slice("{'a': [1, {'b': 'text'}], 'c': null}");

	CHECK(kazoo_json(list, slice("a[1].b"), &out) == 1);
	CHECK(out.len == 4 && memcmp(out.bytes, "text", 4) == 0);
	CHECK(kazoo_json(list, slice("nothing"), &out) == 0);
	CHECK(kazoo_json(slice("{"), slice("a"), &out) == -1);
	CHECK(kazoo_json(list, slice("a"), NULL) <= 0);
	CHECK(kazoo_json_count(list, slice("a")) == 2);
	CHECK(kazoo_json_count(none, none) == 0);
	CHECK(kazoo_json_keys(list, none) >= 0);
	CHECK(kazoo_json_keys(slice("{\"o\": {\"x\": 1, \"y\": 2}}"), slice("o"))
			== 2);
	CHECK(kazoo_json_key(0, &out) == 1 && out.len == 1);
	CHECK(kazoo_json_key(2, &out) == 0 && kazoo_json_key(0, NULL) <= 0);
	CHECK(kazoo_encode(slice("a.b c"), &out) == 1);
	CHECK(out.len == 7 && memcmp(out.bytes, "a%2Eb+c", 7) == 0);
	CHECK(kazoo_encode(none, NULL) <= 0);
}

static void presence(void)
{
	sipbus_slice update = slice(
			"{\"Event-Name\": \"update\", \"Event-Package\": \"presence\","
			" \"From\": \"a@b\", \"From-User\": \"a\","
			" \"From-Realm\": \"b\", \"To\": \"c@b\","
			" \"To-User\": \"c\", \"State\": \"offline\","
			" \"Expires\": 60}");
	sipbus_kazoo_row row;
	uint32_t kind;

	memset(&row, 0, sizeof(row));
	for(kind = 0; kind < 6; kind++) {
		CHECK(sipbus_kazoo_presence(kind, none, &row) <= 0);
		CHECK(sipbus_kazoo_presence(kind, slice("{}"), &row) <= 0);
		CHECK(sipbus_kazoo_presence(kind, update, NULL) <= 0);
	}
	CHECK(sipbus_kazoo_presence(SIPBUS_KAZOO_BY_PACKAGE, update, &row) <= 1);
}

static void kafka(void)
{
	sipbus_kafka_report report;

	CHECK(kafka_publish(1, slice("k"), slice("m"), none, 0, none) == -1);
	CHECK(sipbus_kafka_publish_invalid(1, NULL) == -1);
	CHECK(kafka_send(1, slice("t"), slice("m")) == -1);
	CHECK(kafka_send_key(1, slice("t"), slice("m"), slice("k")) == -1);
	CHECK(sipbus_kafka_send_invalid(1, NULL) == -1);
	CHECK(sipbus_kafka_broker_known(slice("k")) == 0);
	CHECK(sipbus_kafka_topic_known(NULL) == 0);
	CHECK(sipbus_kafka_event_wait(0, NULL) == -1);
	sipbus_kafka_event_done(1);
	CHECK(sipbus_kafka_event_report(&report) == 0);
	CHECK(sipbus_kafka_event_report(NULL) == 0);
	CHECK(kafka_msg(&out) == 0 && kafka_msg(NULL) == 0);
	CHECK(kafka_key(&out) == 0 && kafka_key(NULL) == 0);
	CHECK(kafka_topic(&out) == 0 && kafka_topic(NULL) == 0);
	CHECK(kafka_header(none, &out) == 0 && kafka_header(none, NULL) == 0);
	CHECK(kafka_partition(&number) == 0 && kafka_partition(NULL) == 0);
	CHECK(kafka_offset(&number) == 0 && kafka_offset(NULL) == 0);
	CHECK(sipbus_kafka_stats(NULL, &silent) == -1);
	CHECK(sipbus_kafka_stats_topic(NULL, NULL) == -1);
}

static void events(void)
{
	int32_t route;

	CHECK(sipbus_event_begin(slice("E_X")) <= 0);
	sipbus_event_add_text(slice("a"), slice("b"));
	sipbus_event_add_number(none, 1);
	CHECK(sipbus_event_set(slice("{")) == -1);
	CHECK(raise_event(1, none, &route) == -1
			&& raise_event(1, none, NULL) == -1);
	sipbus_event_end();
	CHECK(sipbus_event_variable(slice("name"), &out, &number) == 0);
	CHECK(sipbus_event_variable(none, NULL, NULL) == 0);
	CHECK(sipbus_event_known(none) == -1);
	CHECK(sipbus_event_socket_known(slice("nothing")) == -1);
	CHECK(subscribe_event(slice("E_X"), slice("nats:x"), 1) == -1);
	CHECK(sipbus_event_exists(slice("E_X"), none) <= 0);
	CHECK(sipbus_events_list(&silent) == -1 && sipbus_events_list(NULL) == -1);
	CHECK(sipbus_subscribers_list(none, none, NULL) == -1);
}

int main(void)
{
	settings_and_life();
	nats();
	evapi();
	kazoo();
	json();
	presence();
	kafka();
	events();
	return 0;
}
