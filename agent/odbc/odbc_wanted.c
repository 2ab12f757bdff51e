/*
 * odbc_wanted.c
 *		Which names a question is about, and the way of rows through the sorter.
 *
 * The catalog functions take patterns, and compare names as the source likes to: what they
 * find is compared here again, by bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "odbc_link.h"

#define ALWAYS NULL

/* Schemas of sources' own, by provider; without regard to case. */
static const struct
{
	const char *provider; /* ALWAYS: any, since a driver may be of any source */
	const char *name;
} system_schemas[] = {
	{ALWAYS, "information_schema"},
	{ALWAYS, "pg_catalog"},
	{ALWAYS, "pg_toast"},
	{ALWAYS, "performance_schema"},
	{ALWAYS, "mysql"},
	{ALWAYS, "sys"},
	{"sqlserver", "guest"},
	{"sqlserver", "db_owner"},
	{"sqlserver", "db_accessadmin"},
	{"sqlserver", "db_securityadmin"},
	{"sqlserver", "db_ddladmin"},
	{"sqlserver", "db_backupoperator"},
	{"sqlserver", "db_datareader"},
	{"sqlserver", "db_datawriter"},
	{"sqlserver", "db_denydatareader"},
	{"sqlserver", "db_denydatawriter"},
	{"db2", "syscat"},
	{"db2", "sysibm"},
	{"db2", "sysibmadm"},
	{"db2", "sysibminternal"},
	{"db2", "sysibmts"},
	{"db2", "sysfun"},
	{"db2", "sysproc"},
	{"db2", "syspublic"},
	{"db2", "sysstat"},
	{"db2", "systools"},
	{"db2", "nullid"},
	{"db2", "sqlj"},
	{"oracle", "system"},
	{"oracle", "outln"},
	{"oracle", "dbsnmp"},
	{"oracle", "appqossys"},
	{"oracle", "audsys"},
	{"oracle", "ctxsys"},
	{"oracle", "dbsfwuser"},
	{"oracle", "dvsys"},
	{"oracle", "gsmadmin_internal"},
	{"oracle", "lbacsys"},
	{"oracle", "mdsys"},
	{"oracle", "ojvmsys"},
	{"oracle", "olapsys"},
	{"oracle", "ordsys"},
	{"oracle", "orddata"},
	{"oracle", "wmsys"},
	{"oracle", "xdb"},
	{"hana", "_sys_audit"},
	{"hana", "_sys_bi"},
	{"hana", "_sys_bic"},
	{"hana", "_sys_data_anonymization"},
	{"hana", "_sys_epm"},
	{"hana", "_sys_plan_stability"},
	{"hana", "_sys_repo"},
	{"hana", "_sys_rt"},
	{"hana", "_sys_security"},
	{"hana", "_sys_sql_analyzer"},
	{"hana", "_sys_statistics"},
	{"hana", "_sys_task"},
	{"hana", "_sys_telemetry"},
	{"hana", "_sys_workload_replay"},
	{"hana", "_sys_xs"},
	{"hana", "sap_pa_apl"},
	{"teradata", "dbc"},
	{"teradata", "all"},
	{"teradata", "console"},
	{"teradata", "crashdumps"},
	{"teradata", "default"},
	{"teradata", "external_ap"},
	{"teradata", "extuser"},
	{"teradata", "locklogshredder"},
	{"teradata", "public"},
	{"teradata", "sqlj"},
	{"teradata", "sysadmin"},
	{"teradata", "sysbar"},
	{"teradata", "sysjdbc"},
	{"teradata", "syslib"},
	{"teradata", "sysspatial"},
	{"teradata", "systemfe"},
	{"teradata", "sysudtlib"},
	{"teradata", "sysuif"},
	{"teradata", "tdpuser"},
	{"teradata", "td_sysfnlib"},
	{"teradata", "td_sysxml"},
};

static bool
is_system_schema(const Session *session, const char *schema)
{
	const char *provider = session_login(session, LOGIN_PROVIDER);

	for (size_t i = 0; i < sizeof(system_schemas) / sizeof(system_schemas[0]); i++)
		if (strcasecmp(system_schemas[i].name, schema) == 0 &&
			(system_schemas[i].provider == ALWAYS ||
			 strcmp(system_schemas[i].provider, provider) == 0))
			return true;
	return false;
}

/* Is a question that names no schema, but says whether those of the system count, about this one? */
bool
wants_schema(const Session *session, const char *schema, const Ask *ask)
{
	bool system = ask->question != QUESTION_OVERVIEW && value_is_true(ask->values[0]);

	return system || !is_system_schema(session, schema);
}

/* Does a table meet the filters of a question about tables? */
bool
wants_table(const Ask *ask, const char *table)
{
	return (ask->values[1] == NULL || strstr(table, ask->values[1]) != NULL) &&
		   (ask->values[4] == NULL || strstr(table, ask->values[4]) == NULL);
}

/* Put a row into the sorter; false: session_fault was called. */
bool
keep_row(Session *session, Sorter *sorter, const char *const *values)
{
	if (sorter_add(sorter, values))
		return true;
	session_fault(session, FAULT_IS_BOUND, 0, NULL, "more than %d MB of names to sort",
				  (int) (MAX_SORTED_BYTES / (1024 * 1024)));
	return false;
}

/* Is the row the same as the last one in all that rows are sorted by? */
static bool
is_again(const Sorter *sorter, const char *const *last, const char *const *row)
{
	for (int i = 0; last != NULL && sorter->keys[i] != '\0'; i++)
		if (row[i] == NULL || last[i] == NULL || strcmp(row[i], last[i]) != 0)
			return false;
	return last != NULL;
}

/* Sort the rows and send each once, up to the limit of a question about tables.  The sorter is freed. */
bool
send_rows(Session *session, Sorter *sorter, const Ask *ask)
{
	bool tables = ask->question >= QUESTION_TABLE_NAMES && ask->question <= QUESTION_ALL_TABLES;
	long left = tables && ask->values[2] != NULL ? strtol(ask->values[2], NULL, 10) : -1;
	const char *const *last = NULL;
	const char **row;
	bool good = true;

	sorter_sort(sorter);
	while (good && left != 0 && (row = sorter_next(sorter)) != NULL)
		if (!is_again(sorter, last, row))
		{
			good = session_row(session, row, NULL, sorter->nvalues);
			last = row;
			left--;
		}
	sorter_free(sorter);
	return good;
}
