/*
 * http_driver.c
 *		The drivers for servers that are asked over HTTP: their table.
 */
#include "drivers.h"
#include "http.h"

#define MEMORY_MB 96

#define DRIVER(of_provider, name)                                                                  \
	{                                                                                              \
		.provider = (of_provider), .memory_mb = MEMORY_MB, .cancels_logins = true,                 \
		.prepare = http_prepare, .login = name##_login, .ask = name##_ask,                         \
		.cancel = name##_cancel, .leave = name##_leave                                             \
	}

const Driver dqds_drivers[] = {DRIVER("clickhouse", clickhouse),
							   DRIVER("trino", trino),
							   DRIVER("presto", trino),
							   DRIVER("databricks", databricks),
							   DRIVER("snowflake", snowflake),
							   DRIVER("bigquery", bigquery),
							   {NULL}};
