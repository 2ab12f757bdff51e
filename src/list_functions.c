/*
 * list_functions.c
 *		SQL functions that list schemas, tables and columns, as rows and as JSON.
 *
 * Thin entry points: arguments in, a listing run, each row emitted.  The
 * functions ending in _json are for the bridge; they take names only, because a
 * path segment is a name whatever it looks like.
 */
#include "postgres.h"

#include "dqds.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dqds_list_schemas);
PG_FUNCTION_INFO_V1(dqds_list_tables);
PG_FUNCTION_INFO_V1(dqds_list_columns);
PG_FUNCTION_INFO_V1(dqds_list_schemas_json);
PG_FUNCTION_INFO_V1(dqds_list_tables_json);

/* Where the rows go: one of the two is open. */
typedef struct Output
{
	RowsOut rows;
	JsonOut json;
	const Caller *caller;
	NameSet *imported;
	char *imported_schema;          /* whose tables these are; NULL: of none yet */
	MemoryContext imported_context; /* of these two, where the schema changes */
	bool details;                   /* JSON: what is known of a table besides its name */
} Output;

/* ---- arguments --------------------------------------------------------------------- */

static char *
optional_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* A number of rows; -1 for NULL, which is no limit. */
static int64
row_limit(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		return -1;
	if (PG_GETARG_INT32(n) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of rows must not be negative")));
	return PG_GETARG_INT32(n);
}

/* ---- rows ------------------------------------------------------------------------------ */

static void
push_member(JsonbParseState **state, const char *name, const char *value)
{
	JsonbValue item = {.type = jbvString};

	if (value == NULL)
		return;
	item.val.string.val = unconstify(char *, name);
	item.val.string.len = strlen(name);
	(void) pushJsonbValue(state, WJB_KEY, &item);
	item.val.string.val = unconstify(char *, value);
	item.val.string.len = strlen(value);
	(void) pushJsonbValue(state, WJB_VALUE, &item);
}

static Datum
import_parameters(const char *connection_name, const char *schema_name)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_member(&state, "connectionName", connection_name);
	push_member(&state, "schemaName", schema_name);
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static void
emit_schema_row(Listing *listing, const char **remote)
{
	Output *output = listing->output;
	Datum values[5];
	bool nulls[5] = {false};

	row_text(&values[0], &nulls[0], listing->connection.name);
	row_text(&values[1], &nulls[1], remote[0]);
	values[2] = BoolGetDatum(name_set_has(output->imported, remote[0]));
	values[3] = import_parameters(listing->connection.name, remote[0]);
	row_text(&values[4], &nulls[4], remote[1]);
	rows_put(&output->rows, values, nulls);
}

/* The imported tables of this schema; rows come schema by schema. */
static NameSet *
imported_of(Listing *listing, const char *schema)
{
	Output *output = listing->output;
	MemoryContext old;

	if (output->imported_schema != NULL && strcmp(output->imported_schema, schema) == 0)
		return output->imported;
	MemoryContextReset(output->imported_context);
	old = MemoryContextSwitchTo(output->imported_context);
	output->imported_schema = pstrdup(schema);
	output->imported =
		imported_tables(output->caller, listing->connection.registry_id, output->imported_schema);
	MemoryContextSwitchTo(old);
	return output->imported;
}

static void
emit_table_row(Listing *listing, const char **remote)
{
	Output *output = listing->output;
	/* Where all schemas are listed, the first value is the schema. */
	const char *schema = listing->schema_name == NULL ? *remote++ : listing->schema_name;
	Datum values[12];
	bool nulls[12] = {false};

	row_text(&values[0], &nulls[0], listing->connection.name);
	row_text(&values[1], &nulls[1], schema);
	row_text(&values[2], &nulls[2], remote[0]);
	values[3] = BoolGetDatum(name_set_has(imported_of(listing, schema), remote[0]));
	row_text(&values[4], &nulls[4], remote[1]);
	row_integer(&values[5], &nulls[5], remote[2], true);
	row_text(&values[6], &nulls[6], remote[3]);
	row_text(&values[7], &nulls[7], remote[4]);
	row_text(&values[8], &nulls[8], remote[5]);
	row_integer(&values[9], &nulls[9], remote[6], true);
	row_text(&values[10], &nulls[10], remote[7]);
	row_boolean(&values[11], &nulls[11], remote[8]);
	rows_put(&output->rows, values, nulls);
}

static void
emit_column_row(Listing *listing, const char **remote)
{
	Output *output = listing->output;
	Datum values[21];
	bool nulls[21] = {false};

	row_text(&values[0], &nulls[0], listing->connection.name);
	row_text(&values[1], &nulls[1], listing->schema_name);
	row_text(&values[2], &nulls[2], remote[0]);
	row_integer(&values[3], &nulls[3], remote[1], false);
	row_text(&values[4], &nulls[4], remote[2]);
	row_text(&values[5], &nulls[5], remote[3]);
	row_integer(&values[6], &nulls[6], remote[4], false);
	row_integer(&values[7], &nulls[7], remote[5], false);
	row_integer(&values[8], &nulls[8], remote[6], false);
	row_boolean(&values[9], &nulls[9], remote[7]);
	row_boolean(&values[10], &nulls[10], remote[8]);
	row_text(&values[11], &nulls[11], remote[9]);
	row_text(&values[12], &nulls[12], remote[10]);
	row_text(&values[13], &nulls[13], remote[11]);
	row_text_array(&values[14], &nulls[14], remote[12]);
	row_text(&values[15], &nulls[15], remote[13]);
	row_text(&values[16], &nulls[16], remote[14]);
	row_text(&values[17], &nulls[17], remote[15]);
	row_boolean(&values[18], &nulls[18], remote[16]);
	row_integer(&values[19], &nulls[19], remote[17], false);
	row_text(&values[20], &nulls[20], remote[18]);
	rows_put(&output->rows, values, nulls);
}

static void
run(Listing *listing, Question question, const Caller *caller, Output *output)
{
	listing->output = output;
	listing_run(listing, question, caller);
}

static void
restart_rows(Listing *listing)
{
	Output *output = listing->output;

	rows_clear(&output->rows);
}

static void
run_rows(Listing *listing, Question question, const Caller *caller, FunctionCallInfo fcinfo,
		 Output *output)
{
	rows_open(fcinfo, &output->rows);
	output->rows.source = &listing->connection.target;
	listing->restart = restart_rows;
	run(listing, question, caller, output);
}

/* dqds_list_schemas(connection, include_system) */
Datum
dqds_list_schemas(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output;

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	listing_init(&listing);
	connection_argument(&caller, fcinfo, &listing.connection);
	listing.include_system = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	listing.emit = emit_schema_row;
	output.imported = imported_schemas(&caller, listing.connection.registry_id);
	run_rows(&listing, QUESTION_SCHEMA_DETAILS, &caller, fcinfo, &output);
	statement_show(&scope);
	return (Datum) 0;
}

/* Which tables: the arguments from number 1 on, of the functions for rows and for JSON. */
static void
read_table_filters(FunctionCallInfo fcinfo, Listing *listing, int first_option)
{
	listing->contains = optional_text(fcinfo, 2);
	listing->max_rows = row_limit(fcinfo, 3);
	listing->partitions = PG_ARGISNULL(first_option) || PG_GETARG_BOOL(first_option);
	listing->ignore_case = !PG_ARGISNULL(first_option + 1) && PG_GETARG_BOOL(first_option + 1);
	listing->excludes = optional_text(fcinfo, first_option + 2);
	listing->sizes = !PG_ARGISNULL(first_option + 3) && PG_GETARG_BOOL(first_option + 3);
}

/*
 * dqds_list_tables(connection, schema_name, table_name_contains, max_rows,
 * include_partitions, case_insensitive, table_name_excludes, include_sizes)
 */
Datum
dqds_list_tables(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output = {.caller = &caller};

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	listing_init(&listing);
	connection_argument(&caller, fcinfo, &listing.connection);
	listing.schema_name = optional_text(fcinfo, 1);
	read_table_filters(fcinfo, &listing, 4);
	listing.emit = emit_table_row;
	output.imported_context =
		AllocSetContextCreate(CurrentMemoryContext, "dqds imported tables", ALLOCSET_DEFAULT_SIZES);
	run_rows(&listing, listing.schema_name == NULL ? QUESTION_ALL_TABLES : QUESTION_TABLE_DETAILS,
			 &caller, fcinfo, &output);
	statement_show(&scope);
	return (Datum) 0;
}

/* dqds_list_columns(connection, schema_name, table_names) */
Datum
dqds_list_columns(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output;

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	listing_init(&listing);
	connection_argument(&caller, fcinfo, &listing.connection);
	listing.schema_name = name_argument(fcinfo, 1, "schema_name");
	listing_restrict_to_argument(&listing, &caller, fcinfo, 2);
	listing.emit = emit_column_row;
	run_rows(&listing, QUESTION_COLUMN_DETAILS, &caller, fcinfo, &output);
	statement_show(&scope);
	return (Datum) 0;
}

/* ---- JSON --------------------------------------------------------------------------------- */

/* Start an element of the array. */
static StringInfo
begin_element(Output *output)
{
	json_out_element(&output->json);
	return &output->json.text;
}

static void
append_imported(StringInfo text, Output *output, const char *name)
{
	json_out_name(text, "alreadyImported");
	appendStringInfoString(text, name_set_has(output->imported, name) ? "true" : "false");
}

/* A number or boolean, in the one spelling that it has (listing.c); nothing for NULL. */
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

	json_out_string(text, "connectionName", listing->connection.name);
	json_out_string(text, "schemaName", remote[0]);
	append_imported(text, output, remote[0]);
	json_out_name(text, "importTableJobParameters");
	appendStringInfoChar(text, '{');
	json_out_string(text, "connectionName", listing->connection.name);
	json_out_string(text, "schemaName", remote[0]);
	appendStringInfoString(text, "}}");
}

static void
emit_table_json(Listing *listing, const char **remote)
{
	Output *output = listing->output;
	StringInfo text = begin_element(output);

	json_out_string(text, "connectionName", listing->connection.name);
	json_out_string(text, "schemaName", listing->schema_name);
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
	listing->restart = restart_json;
	run(listing, question, caller, output);
	appendStringInfoChar(&output->json.text, ']');
	json_out_close(&output->json);
}

/* dqds_list_schemas_json(connection_name, include_system) */
Datum
dqds_list_schemas_json(PG_FUNCTION_ARGS)
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
dqds_list_tables_json(PG_FUNCTION_ARGS)
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
	read_table_filters(fcinfo, &listing, 5);
	listing.emit = emit_table_json;
	output.details = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	output.imported = imported_tables(&caller, listing.connection.registry_id, listing.schema_name);
	run_json(&listing, output.details ? QUESTION_TABLE_DETAILS : QUESTION_TABLE_NAMES, &caller,
			 fcinfo, &output);
	statement_show(&scope);
	return (Datum) 0;
}
