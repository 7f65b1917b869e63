/*
 * Rows of the presentity table, through Kamailio's database API.
 */
#include "kazoo.h"

#include "core/dprint.h"
#include "lib/srdb1/db.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What identifies a row, most significant last. */
#define KEYS 4

static db_func_t database;
static db1_con_t *connection;
/* The process that opened it. */
static pid_t owner;
static str url;
static str table;
static db_locking_t lock_type;
/* True if rows can be written at all. */
static int enabled;

/* As db_bind_mod of a library that only database drivers come with. */
static int bind_driver(void)
{
	db_bind_api_f bind_api;
	const char *colon = strchr(url.s, ':');
	size_t len = colon != NULL ? (size_t)(colon - url.s) : (size_t)url.len;
	char name[64];

	if((size_t)snprintf(name, sizeof(name), "db_%.*s", (int)len, url.s)
			>= sizeof(name)) {
		LM_ERR("db_url: it names no database driver\n");
		return -1;
	}
	bind_api = (db_bind_api_f)(void (*)(void))find_mod_export(
			name, "db_bind_api", 0, 0);
	if(bind_api == NULL || bind_api(&database) < 0) {
		LM_ERR("db_url: the module %s is not loaded\n", name);
		return -1;
	}
	if(database.init == NULL || database.close == NULL
			|| database.use_table == NULL || database.insert == NULL
			|| database.delete == NULL) {
		LM_ERR("db_url: %s cannot write\n", name);
		return -1;
	}
	return 0;
}

static int connect_database(void)
{
	if(connection != NULL && owner == getpid())
		return 0;
	/* One that was opened before a fork belongs to the other process. */
	connection = database.init(&url);
	owner = getpid();
	if(connection == NULL) {
		LM_ERR("the presentity database cannot be connected to\n");
		return -1;
	}
	return 0;
}

int kz_presence_init(const sipbus_kazoo_config *config)
{
	if(!config->presence)
		return 0;
	url.s = (char *)config->db_url.bytes;
	url.len = (int)config->db_url.len;
	table.s = (char *)config->presentity_table.bytes;
	table.len = (int)config->presentity_table.len;
	lock_type = (db_locking_t)config->lock_type;
	if(bind_driver() < 0 || connect_database() < 0)
		return -1;
	/* Other processes open their own. */
	database.close(connection);
	connection = NULL;
	enabled = 1;
	return 0;
}

static void key(db_key_t *keys, db_val_t *values, int at, str *name,
		db_type_t type, sipbus_slice text)
{
	keys[at] = name;
	memset(&values[at], 0, sizeof(values[at]));
	values[at].type = type;
	if(type == DB1_BLOB) {
		values[at].val.blob_val.s = (char *)text.bytes;
		values[at].val.blob_val.len = (int)text.len;
	} else {
		values[at].val.str_val.s = (char *)text.bytes;
		values[at].val.str_val.len = (int)text.len;
	}
}

static void number(
		db_key_t *keys, db_val_t *values, int at, str *name, int64_t value)
{
	keys[at] = name;
	memset(&values[at], 0, sizeof(values[at]));
	values[at].type = DB1_INT;
	values[at].val.int_val = value > INT_MAX ? INT_MAX : (int)value;
}

enum
{
	COLUMNS = 9
};

static void fill(const sipbus_kazoo_row *row, db_key_t *keys, db_val_t *values)
{
	static str names[COLUMNS] = {str_init("event"), str_init("domain"),
			str_init("username"), str_init("etag"), str_init("sender"),
			str_init("body"), str_init("received_time"), str_init("expires"),
			str_init("priority")};

	key(keys, values, 0, &names[0], DB1_STR, row->event);
	key(keys, values, 1, &names[1], DB1_STR, row->domain);
	key(keys, values, 2, &names[2], DB1_STR, row->username);
	key(keys, values, 3, &names[3], DB1_STR, row->etag);
	key(keys, values, 4, &names[4], DB1_STR, row->sender);
	key(keys, values, 5, &names[5], DB1_BLOB, row->body);
	number(keys, values, 6, &names[6], time(NULL));
	number(keys, values, 7, &names[7], row->expires);
	number(keys, values, 8, &names[8], 0);
}

/* `matching`: how many of the keys decide which rows are replaced. */
static int write_row(db_key_t *keys, db_val_t *values, int matching)
{
	db_op_t operators[KEYS] = {OP_EQ, OP_EQ, OP_EQ, OP_EQ};

	if(matching == KEYS && database.replace != NULL)
		return database.replace(connection, keys, values, COLUMNS, KEYS, 0);
	if(database.delete(connection, keys, operators, values, matching) < 0)
		return -1;
	return database.insert(connection, keys, values, COLUMNS);
}

static int store(const sipbus_kazoo_row *row)
{
	db_key_t keys[COLUMNS];
	db_val_t values[COLUMNS];
	int matching = KEYS - (int)row->reset;
	int written;

	if(connect_database() < 0 || database.use_table(connection, &table) < 0)
		return -1;
	if(matching < 1)
		matching = 1;
	fill(row, keys, values);
	if(database.start_transaction != NULL
			&& database.start_transaction(connection, lock_type) < 0)
		return -1;
	written = write_row(keys, values, matching);
	if(written < 0) {
		if(database.abort_transaction != NULL)
			database.abort_transaction(connection);
		return -1;
	}
	if(database.end_transaction != NULL
			&& database.end_transaction(connection) < 0)
		return -1;
	return 0;
}

int kz_presence_publish(uint32_t kind, sipbus_slice json)
{
	sipbus_kazoo_row row;
	int found;

	if(!enabled) {
		LM_ERR("kazoo_pua_publish needs pua_mode = 1 and db_url\n");
		return -1;
	}
	found = sipbus_kazoo_presence(kind, json, &row);
	if(found <= 0)
		return found < 0 ? -1 : 1;
	if(store(&row) < 0) {
		LM_ERR("the state of %.*s@%.*s cannot be written\n",
				(int)row.username.len, row.username.bytes, (int)row.domain.len,
				row.domain.bytes);
		return -1;
	}
	return 1;
}
