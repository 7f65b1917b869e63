/*
 * The variables of a report, $avp(kafka_...).
 *
 * Variables lie in shared memory, where the search for a free piece may pass thousands of empty
 * lists: with five of them a report, a report route's worker did little else. So what the route has
 * left of them is taken out of the list again, and filled anew for the next report.
 */
#include "core/sr_module.h"

#include "report_avp.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"
#include "core/usr_avp.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The list in which a script's variables are. */
#define LIST (AVP_CLASS_URI | AVP_TRACK_FROM)
/* What is larger is given back to the system. */
#define ROOM_MAX 65536

/* How the core stores a number; its type depends on the version. */
typedef struct number_data
{
	str name;
	__typeof__(((avp_value_t *)NULL)->n) val;
} number_data;

typedef struct variable
{
	str name;
	/* In no list: to be filled anew. */
	avp_t *kept;
	/* In the list, as far as we know. */
	avp_t *lent;
	/* Bytes that a text there can have. */
	int room;
} variable;

static variable variables[KAFKA_AVPS] = {
		[KAFKA_AVP_ID] = {.name = str_init("kafka_id")},
		[KAFKA_AVP_STATUS] = {.name = str_init("kafka_status")},
		[KAFKA_AVP_KEY] = {.name = str_init("kafka_key")},
		[KAFKA_AVP_MSG] = {.name = str_init("kafka_msg")},
		[KAFKA_AVP_ERROR] = {.name = str_init("kafka_error")},
		[KAFKA_AVP_PARTITION] = {.name = str_init("kafka_partition")},
		[KAFKA_AVP_OFFSET] = {.name = str_init("kafka_offset")},
};

/* The flag of those that were made here, 0 if there is none left. */
static avp_flags_t own_flag;

/* The list that `lent` ones were put into. */
static avp_list_t *lent_to;

void kafka_avp_init(void)
{
	static char name[] = "sipbus_report";

	own_flag = register_avpflag(name);
}

static avp_list_t *current_list(void)
{
	/* It can only be asked for by putting another in its place. */
	avp_list_t *list = set_avp_list(LIST, NULL);

	set_avp_list(LIST, list);
	return list;
}

static void *data_of(avp_t *avp)
{
	return (char *)avp + offsetof(avp_t, d);
}

/* Fills a kept one. 0 if it is of the other kind or too small. */
static int refill(variable *one, avp_flags_t kind, avp_value_t value)
{
	struct str_str_data *text = data_of(one->kept);
	number_data *number = data_of(one->kept);

	if((one->kept->flags & AVP_VAL_STR) != kind)
		return 0;
	if(kind == 0) {
		number->val = value.n;
		return 1;
	}
	if(value.s.len > one->room)
		return 0;
	memcpy(text->val.s, value.s.s, (size_t)value.s.len);
	text->val.s[value.s.len] = '\0';
	text->val.len = value.s.len;
	return 1;
}

static void put(variable *one, avp_flags_t kind, avp_value_t value)
{
	avp_name_t name = {.s = one->name};
	avp_list_t *list = current_list();

	lent_to = list;
	if(one->kept != NULL && refill(one, kind, value)) {
		one->kept->next = *list;
		*list = one->kept;
		one->lent = one->kept;
		one->kept = NULL;
		return;
	}
	if(one->kept != NULL) {
		shm_free(one->kept);
		one->kept = NULL;
	}
	if(add_avp(LIST | AVP_NAME_STR | kind, name, value) < 0) {
		LM_ERR("$avp(%s) cannot be set\n", one->name.s);
		return;
	}
	/* The core puts a new one in front. */
	one->lent = *list;
	one->lent->flags |= own_flag;
	one->room = kind == 0 ? 0 : value.s.len;
}

void kafka_avp_text(kafka_avp which, sipbus_slice text)
{
	static char empty[] = "";
	avp_value_t value = {.s = {empty, 0}};

	if(text.len > 0)
		value.s = (str){(char *)text.bytes, (int)text.len};
	put(&variables[which], AVP_VAL_STR, value);
}

/* Numbers are ints there; larger ones become text. */
void kafka_avp_number(kafka_avp which, int64_t number)
{
	avp_value_t value = {.n = (int)number};
	char digits[24];
	int len;

	if(number >= INT_MIN && number <= INT_MAX) {
		put(&variables[which], 0, value);
		return;
	}
	len = snprintf(digits, sizeof(digits), "%lld", (long long)number);
	kafka_avp_text(which, (sipbus_slice){digits, (size_t)len});
}

/* Whether it is one that was made here for that variable, and not one that got its place later. */
static int is_own(const variable *one, avp_t *avp)
{
	const str *name;

	if(avp != one->lent || (avp->flags & own_flag) == 0)
		return 0;
	name = get_avp_name(avp);
	return name != NULL && name->len == one->name.len
		   && memcmp(name->s, one->name.s, (size_t)name->len) == 0;
}

static variable *owner(avp_t *avp)
{
	int i;

	for(i = 0; i < KAFKA_AVPS; i++) {
		if(is_own(&variables[i], avp))
			return &variables[i];
	}
	return NULL;
}

/* Takes those that are still there out of the list. */
static void take_back(avp_list_t *list)
{
	avp_t **place = list;
	variable *one;

	while(*place != NULL) {
		one = owner(*place);
		if(one == NULL || one->room > ROOM_MAX) {
			place = &(*place)->next;
			continue;
		}
		one->kept = *place;
		one->lent = NULL;
		*place = one->kept->next;
	}
}

void kafka_avp_keep(void)
{
	avp_list_t *list = current_list();
	int i;

	/* A transaction may have taken the list over, with all that is in it. */
	if(list == lent_to)
		take_back(list);
	for(i = 0; i < KAFKA_AVPS; i++)
		variables[i].lent = NULL;
}
