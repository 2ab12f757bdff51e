/*
 * list_json.c
 *		SQL functions that list schemas and tables as JSON, for the bridge.
 *
 * Columns, constraints and indexes become JSON in detail_functions.c.
 *
 * They read the arguments, run a listing, and write its rows.  They accept only
 * names of connections, because a path segment is a name whatever it looks
 * like.  They must not know the queries.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/name_set.h"
#include "listing/json_out.h"
#include "listing/list_arguments.h"
#include "listing/listing.h"
#include "registry/registry.h"
#include "wire/question.h"

PG_FUNCTION_INFO_V1(dqds_list_schemas_json_1_1);
PG_FUNCTION_INFO_V1(dqds_list_tables_json_1_1);

/* The destination of the elements. */
typedef struct Output
{
	JsonOut json;
	NameSet *imported;
	bool details;          /* include more about a table than its name */
	StringInfoData shared; /* the members with which every element begins */
} Output;

/* Write the members with which all elements begin, once: a listing may have very many elements. */
static void
write_shared(Output *output, const Listing *listing)
{
	initStringInfo(&output->shared);
	json_out_string(&output->shared, "connectionName", listing->connection.name);
	json_out_string(&output->shared, "schemaName", listing->schema_name);
}

/* Start an element of the array. */
static StringInfo
begin_element(Output *output)
{
	json_out_element(&output->json);
	appendBinaryStringInfo(&output->json.text, output->shared.data, output->shared.len);
	return &output->json.text;
}

static void
append_imported(StringInfo text, Output *output, const char *name)
{
	json_out_name(text, "alreadyImported");
	appendStringInfoString(text, name_set_has(output->imported, name) ? "true" : "false");
}

/* Append a number or boolean, whose spelling listing.c has checked; nothing for NULL. */
static void
append_plain(StringInfo text, const char *name, const char *value)
{
	if (value == NULL)
		return;
	json_out_name(text, name);
	appendStringInfoString(text, value);
}

static void
emit_schema_json(Listing *listing, const char **remote)
{
	Output *output = listing->output;
	StringInfo text = begin_element(output);

	json_out_string(text, "schemaName", remote[0]);
	append_imported(text, output, remote[0]);
	json_out_name(text, "importTableJobParameters");
	appendStringInfoChar(text, '{');
	appendBinaryStringInfo(text, output->shared.data, output->shared.len);
	json_out_string(text, "schemaName", remote[0]);
	appendStringInfoString(text, "}}");
}

static void
emit_table_json(Listing *listing, const char **remote)
{
	Output *output = listing->output;
	StringInfo text = begin_element(output);

	json_out_string(text, "tableName", remote[0]);
	append_imported(text, output, remote[0]);
	if (output->details)
	{
		json_out_string(text, "tableKind", remote[1]);
		append_plain(text, "estimatedRows", remote[2]);
		json_out_string(text, "comment", remote[3]);
		json_out_string(text, "partitionOf", remote[4]);
		json_out_string(text, "owner", remote[5]);
		append_plain(text, "sizeBytes", remote[6]);
		json_out_string(text, "extension", remote[7]);
		append_plain(text, "canSelect", remote[8]);
	}
	appendStringInfoChar(text, '}');
}

static void
restart_json(Listing *listing)
{
	Output *output = listing->output;

	json_out_clear(&output->json);
	appendStringInfoChar(&output->json.text, '[');
}

static void
run_json(Listing *listing, Question question, const Caller *caller, FunctionCallInfo fcinfo,
		 Output *output)
{
	json_out_open(fcinfo, &output->json);
	output->json.rows.source = &listing->connection.target;
	appendStringInfoChar(&output->json.text, '[');
	write_shared(output, listing);
	listing->restart = restart_json;
	listing->output = output;
	listing_run(listing, question, caller);
	appendStringInfoChar(&output->json.text, ']');
	json_out_close(&output->json);
}

/* dqds_list_schemas_json(connection_name, include_system) */
Datum
dqds_list_schemas_json_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	listing_init(&listing);
	connection_by_name(&caller, name_argument(fcinfo, 0, "connection_name"), &listing.connection);
	listing.include_system = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	listing.emit = emit_schema_json;
	output.imported = imported_schemas(&caller, listing.connection.registry_id);
	run_json(&listing, QUESTION_SCHEMAS, &caller, fcinfo, &output);
	statement_show(&scope);
	return (Datum) 0;
}

/*
 * dqds_list_tables_json(connection_name, schema_name, table_name_contains, max_rows, details,
 * include_partitions, case_insensitive, table_name_excludes, include_sizes)
 */
Datum
dqds_list_tables_json_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	listing_init(&listing);
	connection_by_name(&caller, name_argument(fcinfo, 0, "connection_name"), &listing.connection);
	listing.schema_name = name_argument(fcinfo, 1, "schema_name");
	listing_read_filters(&listing, fcinfo, 5);
	listing.emit = emit_table_json;
	output.details = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	output.imported = imported_tables(&caller, listing.connection.registry_id, listing.schema_name);
	run_json(&listing, output.details ? QUESTION_TABLE_DETAILS : QUESTION_TABLE_NAMES, &caller,
			 fcinfo, &output);
	statement_show(&scope);
	return (Datum) 0;
}
