/*
 * echo_driver.c
 *		A module of the agent for tests: its drivers log in nowhere, and report what they were told.
 *
 * t/extension/121_provider_models.pl puts it beside a copy of the program, under the names of
 * all modules.
 */
#include <stdio.h>
#include <string.h>

#include "driver.h"

/* The members that are reported; of a secret, the bytes in hexadecimal digits, which nothing masks. */
static const char *const members[] = {LOGIN_HOST,          LOGIN_ADDRESS,
									  LOGIN_PORT,          LOGIN_DATABASE,
									  LOGIN_USER,          LOGIN_TLS,
									  LOGIN_TIMEOUT_MS,    LOGIN_CLEARTEXT,
									  "warehouse",         "role",
									  "http_path",         "instance_number",
									  "db2_platform_type", "billing_project_id",
									  "quota_project_id",  "jobs_create_project",
									  "read_mode",         "files_format_type",
									  "directories"};
static const char *const secrets[] = {LOGIN_PASSWORD, "private_key"};

static bool
login(Session *session)
{
	char text[1000] = "";

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (session_login(session, members[i]) != NULL)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s;", members[i],
					 session_login(session, members[i]));
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
	{
		const char *value = session_login(session, secrets[i]);

		if (value == NULL)
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s=", secrets[i], value);
		for (; *value != '\0'; value++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%02x",
					 (unsigned char) *value);
		strncat(text, ";", sizeof(text) - strlen(text) - 1);
	}
	session_fault(session, FAULT_IS_MODEL, 0, NULL, "%s", text);
	return false;
}

static bool
ask(Session *session, const Ask *question)
{
	(void) session;
	(void) question;
	return false;
}

static void
nothing(Session *session)
{
	(void) session;
}

#define ECHOES(provider)                                                                           \
	{                                                                                              \
		provider, 64, NULL, login, ask, nothing, nothing                                           \
	}

const Driver dqds_drivers[] = {
	ECHOES("mysql"),      ECHOES("mariadb"),    ECHOES("trino"),     ECHOES("presto"),
	ECHOES("clickhouse"), ECHOES("databricks"), ECHOES("snowflake"), ECHOES("bigquery"),
	ECHOES("sqlserver"),  ECHOES("db2"),        ECHOES("oracle"),    ECHOES("hana"),
	ECHOES("teradata"),   ECHOES("spark"),      ECHOES("duckdb"),    {NULL}};
