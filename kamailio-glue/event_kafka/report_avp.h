#ifndef SIPBUS_REPORT_AVP_H
#define SIPBUS_REPORT_AVP_H

#include "../common/shim.h"

/* The variables of a report. */
typedef enum kafka_avp
{
	KAFKA_AVP_ID,
	KAFKA_AVP_STATUS,
	KAFKA_AVP_KEY,
	KAFKA_AVP_MSG,
	KAFKA_AVP_ERROR,
	KAFKA_AVP_PARTITION,
	KAFKA_AVP_OFFSET,
	KAFKA_AVPS
} kafka_avp;

/* From mod_init, once. */
void kafka_avp_init(void);

void kafka_avp_text(kafka_avp which, sipbus_slice text);
void kafka_avp_number(kafka_avp which, int64_t number);

/* Takes what the route has left of them, before the script's own variables are ended. */
void kafka_avp_keep(void);

#endif
