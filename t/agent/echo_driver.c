/*
 * echo_driver.c
 *		A module of the agent for tests: its drivers log in nowhere, and write down what they were told.
 *
 * t/extension/121_provider_models.pl puts it beside a copy of the program, under the names of
 * all modules; SEEN is the file.  The fault repeats the secrets, as a careless driver would.
 * The user "in" is let in, and so is a provider that reads files, and there are no rows.
 */
#include <stdio.h>
#include <string.h>

#include "driver.h"

/* The members that are written down, by their names. */
static const char *const members[] = {
	LOGIN_HOST,         LOGIN_ADDRESS,         LOGIN_PORT,          LOGIN_DATABASE,
	LOGIN_USER,         LOGIN_PASSWORD,        LOGIN_TLS,           LOGIN_TIMEOUT_MS,
	LOGIN_CLEARTEXT,    "private_key",         "warehouse",         "role",
	"http_path",        "instance_number",     "db2_platform_type", "billing_project_id",
	"quota_project_id", "jobs_create_project", "read_mode",         "files_format_type",
	"directories"};

static bool
is(Session *session, const char *member, const char *value)
{
	const char *told = session_login(session, member);

	return told != NULL && strcmp(told, value) == 0;
}

static bool
login(Session *session)
{
	FILE *seen = fopen(SEEN, "a");

	for (size_t i = 0; seen != NULL && i < sizeof(members) / sizeof(members[0]); i++)
		if (session_login(session, members[i]) != NULL)
			fprintf(seen, "%s=%s\n", members[i], session_login(session, members[i]));
	if (seen != NULL)
		fclose(seen);
	if (is(session, LOGIN_USER, "in"))
		session_fact(session, FACT_PASSWORD_USED, "1");
	if (is(session, LOGIN_USER, "in") || is(session, "read_mode", "files"))
		return true;
	session_fault(session, FAULT_IS_MODEL, 0, NULL, "told %s and %s",
				  session_login(session, LOGIN_PASSWORD), session_login(session, "private_key"));
	return false;
}

static bool
ask(Session *session, const Ask *question)
{
	(void) session;
	(void) question;
	return true;
}

static void
nothing(Session *session)
{
	(void) session;
}

#define ECHOES(name)                                                                               \
	{                                                                                              \
		.provider = (name), .memory_mb = 64, .login = login, .ask = ask, .cancel = nothing,        \
		.leave = nothing                                                                           \
	}

const Driver dqds_drivers[] = {
	ECHOES("mysql"),      ECHOES("mariadb"),    ECHOES("trino"),     ECHOES("presto"),
	ECHOES("clickhouse"), ECHOES("databricks"), ECHOES("snowflake"), ECHOES("bigquery"),
	ECHOES("sqlserver"),  ECHOES("db2"),        ECHOES("oracle"),    ECHOES("hana"),
	ECHOES("teradata"),   ECHOES("spark"),      ECHOES("duckdb"),    {NULL}};
