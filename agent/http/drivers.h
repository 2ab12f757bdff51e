/*
 * drivers.h
 *		The drivers of this module; http_driver.c has their table.
 */
#ifndef DQDS_HTTP_DRIVERS_H
#define DQDS_HTTP_DRIVERS_H

#include "driver.h"

/* The functions of a driver whose names begin with its own. */
#define HTTP_DRIVER_FUNCTIONS(name)                                                                \
	extern bool name##_login(Session *session);                                                    \
	extern bool name##_ask(Session *session, const Ask *ask);                                      \
	extern void name##_cancel(Session *session);                                                   \
	extern void name##_leave(Session *session)

HTTP_DRIVER_FUNCTIONS(clickhouse);
HTTP_DRIVER_FUNCTIONS(trino);
HTTP_DRIVER_FUNCTIONS(databricks);
HTTP_DRIVER_FUNCTIONS(snowflake);
HTTP_DRIVER_FUNCTIONS(bigquery);

#endif /* DQDS_HTTP_DRIVERS_H */
