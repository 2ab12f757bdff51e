/*
 * imported_json.c
 *		Returns imported schemas and tables as JSON for the bridge.
 *
 * The members are those of the published interface, including templates of jobs
 * for its clients; of these jobs only the import exists here.  It must not ask
 * a remote server.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/name_pattern.h"
#include "listing/json_out.h"
#include "registry/registry.h"

PG_FUNCTION_INFO_V1(dqds_imported_schemas_json);
PG_FUNCTION_INFO_V1(dqds_imported_tables_json);

/* The default of the published interface. */
#define DEFAULT_PAGE_SIZE 100

/* Hashes are cut to 53 bits, which every JSON parser represents exactly. */
#define HASH_MASK INT64CONST(9007199254740991)

/* The subject of the answer, and the caller's privileges on it. */
typedef struct ImportedOut
{
	JsonOut json;
	RegistryEntry connection;
	const char *schema_name;
	bool may_change;
	bool is_operator;
	const char *filter; /* for the names of tables; NULL for none */
	int64 skip;         /* how many tables precede the page */
	int64 left;         /* and how many are still wanted; negative for all */
	bool any;           /* an element has been written */
} ImportedOut;

/* ---- members ------------------------------------------------------------------------------ */

static const struct
{
	const char *name;
	const char *check_type; /* NULL for all */
} check_templates[] = {
	{"run_checks_job_template", NULL},
	{"run_profiling_checks_job_template", "profiling"},
	{"run_monitoring_checks_job_template", "monitoring"},
	{"run_partition_checks_job_template", "partitioned"},
};

static const char *const removed_with_data[] = {"deleteErrors",       "deleteStatistics",
												"deleteCheckResults", "deleteSensorReadouts",
												"deleteErrorSamples", "deleteIncidents"};

/* Start the object "name":{ that describes the tables of a job. */
static void
begin_template(ImportedOut *out, const char *name, const char *tables)
{
	StringInfo text = &out->json.text;

	json_out_name(text, name);
	appendStringInfoChar(text, '{');
	json_out_string(text, "connection", out->connection.name);
	json_out_string(text, "fullTableName", tables);
}

static void
append_templates(ImportedOut *out, const char *tables)
{
	StringInfo text = &out->json.text;

	for (int i = 0; i < lengthof(check_templates); i++)
	{
		begin_template(out, check_templates[i].name, tables);
		json_out_boolean(text, "enabled", true);
		json_out_string(text, "checkType", check_templates[i].check_type);
		appendStringInfoChar(text, '}');
	}
	begin_template(out, "collect_statistics_job_template", tables);
	json_out_boolean(text, "enabled", true);
	appendStringInfoString(text, ",\"columnNames\":[]}");
	begin_template(out, "data_clean_job_template", tables);
	for (int i = 0; i < lengthof(removed_with_data); i++)
		json_out_boolean(text, removed_with_data[i], true);
	json_out_boolean(text, "deleteChecksConfiguration", false);
	appendStringInfoChar(text, '}');
}

static void
append_rights(ImportedOut *out)
{
	StringInfo text = &out->json.text;

	json_out_boolean(text, "can_edit", out->may_change);
	json_out_boolean(text, "can_collect_statistics", out->is_operator);
	json_out_boolean(text, "can_run_checks", out->is_operator);
	json_out_boolean(text, "can_delete_data", out->may_change);
}

/* Start an element of the array. */
static StringInfo
begin_element(ImportedOut *out)
{
	json_out_flush(&out->json);
	appendStringInfoString(&out->json.text, out->any ? ",{" : "{");
	out->any = true;
	json_out_string(&out->json.text, "connection_name", out->connection.name);
	return &out->json.text;
}

static void
put_schema(const char *name, void *argument)
{
	ImportedOut *out = argument;
	StringInfo text = begin_element(out);

	CHECK_FOR_INTERRUPTS();
	json_out_string(text, "schema_name", name);
	append_templates(out, psprintf("%s.*", name));
	json_out_name(text, "import_table_job_parameters");
	appendStringInfoChar(text, '{');
	json_out_string(text, "connectionName", out->connection.name);
	json_out_string(text, "schemaName", name);
	appendStringInfoChar(text, '}');
	append_rights(out);
	appendStringInfoChar(text, '}');
}

/* A hash of the names of connection, schema and table. */
static int64
table_hash(const ImportedOut *out, const char *table_name)
{
	const char *const names[] = {out->connection.name, out->schema_name, table_name};
	Datum hash = Int64GetDatum(0);

	for (int i = 0; i < lengthof(names); i++)
		hash = DirectFunctionCall2Coll(hashtextextended, C_COLLATION_OID,
									   CStringGetTextDatum(names[i]), hash);
	return DatumGetInt64(hash) & HASH_MASK;
}

static void
append_table(ImportedOut *out, const char *name)
{
	StringInfo text = begin_element(out);

	json_out_name(text, "table_hash");
	appendStringInfo(text, "%lld", (long long) table_hash(out, name));
	json_out_name(text, "target");
	appendStringInfoChar(text, '{');
	json_out_string(text, "schema_name", out->schema_name);
	json_out_string(text, "table_name", name);
	appendStringInfoChar(text, '}');
	append_templates(out, psprintf("%s.%s", out->schema_name, name));
	append_rights(out);
	appendStringInfoChar(text, '}');
}

/* Does a name pass the filter?  A filter without a * is a substring. */
static bool
passes(const char *filter, const char *name)
{
	return filter == NULL || name_fits_pattern(name, filter);
}

static bool
put_table(const char *name, void *argument)
{
	ImportedOut *out = argument;

	if (out->left == 0)
		return false;
	if (!passes(out->filter, name))
		return true;
	if (out->skip > 0)
	{
		out->skip--;
		return true;
	}
	append_table(out, name);
	if (out->left > 0)
		out->left--;
	return true;
}

/* ---- functions ---------------------------------------------------------------------------- */

/* Find the connection named by the first argument, and what the caller may do with it. */
static void
find_connection(const Caller *caller, FunctionCallInfo fcinfo, ImportedOut *out)
{
	registry_get(caller, name_argument(fcinfo, 0, "connection_name"), &out->connection);
	out->may_change = registry_may_edit(caller, &out->connection) && caller_is_editor(caller);
	out->is_operator = caller_is_operator(caller);
}

/* Argument n (from 0), whose value must be at least 1; fallback if it is NULL.  Errors: 22023. */
static int64
counting_argument(FunctionCallInfo fcinfo, int n, const char *name, int64 fallback)
{
	if (PG_ARGISNULL(n))
		return fallback;
	if (PG_GETARG_INT32(n) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be at least 1", name)));
	return PG_GETARG_INT32(n);
}

/* If neither page nor size is given, all tables are returned. */
static void
read_page(FunctionCallInfo fcinfo, ImportedOut *out)
{
	int64 page = counting_argument(fcinfo, 3, "page", 1);
	int64 size = counting_argument(fcinfo, 4, "limit", DEFAULT_PAGE_SIZE);

	out->left = -1;
	if (PG_ARGISNULL(3) && PG_ARGISNULL(4))
		return;
	out->skip = (page - 1) * size;
	out->left = size;
}

static void
read_filter(FunctionCallInfo fcinfo, ImportedOut *out)
{
	char *filter = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (filter != NULL && *filter != '\0')
		out->filter = is_name_pattern(filter) ? filter : psprintf("*%s*", filter);
}

/* dqds_imported_schemas_json(connection_name) */
Datum
dqds_imported_schemas_json(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	ImportedOut out = {0};

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	find_connection(&caller, fcinfo, &out);
	json_out_open(fcinfo, &out.json);
	appendStringInfoChar(&out.json.text, '[');
	imported_schemas_visit(&caller, out.connection.id, put_schema, &out);
	appendStringInfoChar(&out.json.text, ']');
	json_out_close(&out.json);
	statement_show(&scope);
	return (Datum) 0;
}

/* dqds_imported_tables_json(connection_name, schema_name, filter, page, page_size) */
Datum
dqds_imported_tables_json(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	ImportedOut out = {0};

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	find_connection(&caller, fcinfo, &out);
	out.schema_name = name_argument(fcinfo, 1, "schema_name");
	read_filter(fcinfo, &out);
	read_page(fcinfo, &out);
	json_out_open(fcinfo, &out.json);
	appendStringInfoChar(&out.json.text, '[');
	imported_tables_visit(&caller, out.connection.id, out.schema_name, put_table, &out);
	appendStringInfoChar(&out.json.text, ']');
	json_out_close(&out.json);
	statement_show(&scope);
	return (Datum) 0;
}
