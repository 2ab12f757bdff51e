/*
 * list_functions.c
 *		SQL functions that list schemas, tables and columns.
 *
 * They read the arguments, run a listing, and return its rows.  A row has the names
 * of the connection and the schema, and the values of the answer in their order
 * (wire/question.c).  Between them are already_imported and
 * import_table_job_parameters, which no remote knows.  The functions must not know the
 * queries.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/name_set.h"
#include "listing/list_arguments.h"
#include "listing/listing.h"
#include "listing/rows.h"
#include "registry/registry.h"
#include "wire/question.h"

PG_FUNCTION_INFO_V1(dqds_list_schemas_1_1);
PG_FUNCTION_INFO_V1(dqds_list_tables_1_1);
PG_FUNCTION_INFO_V1(dqds_list_columns_1_1);

/* The destination of the rows, and the values added to them. */
typedef struct Output
{
	RowsOut rows;
	const Caller *caller;
	Jsonb *parameters; /* of imports, without the schema */
	NameSet *imported;
	char *imported_schema;          /* the schema of these tables; NULL before the first one */
	MemoryContext imported_context; /* of these two, reset when the schema changes */
} Output;

/* ---- rows ------------------------------------------------------------------------------ */

static void
push_member(JsonbBuilder *state, const char *name, const char *value)
{
	JsonbValue item = {.type = jbvString};

	if (value == NULL)
		return;
	item.val.string.val = unconstify(char *, name);
	item.val.string.len = strlen(name);
	(void) dqds_push_jsonb(state, WJB_KEY, &item);
	item.val.string.val = unconstify(char *, value);
	item.val.string.len = strlen(value);
	(void) dqds_push_jsonb(state, WJB_VALUE, &item);
}

/*
 * The parameters for importing a schema differ only in its name: they are made
 * once, with an empty name, and each row gets a copy with the name inserted.
 */
static Jsonb *
import_parameters(const char *connection_name)
{
	JsonbBuilder state = {0};

	(void) dqds_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	push_member(&state, "connectionName", connection_name);
	push_member(&state, "schemaName", "");
	return JsonbValueToJsonb(dqds_push_jsonb(&state, WJB_END_OBJECT, NULL));
}

/*
 * A jsonb begins with the keys, the shorter one first, followed by the values
 * in the same order.  So the name of the schema precedes that of the
 * connection, which is at the end.  Its length is in the entry after those of
 * the keys.
 */
static Datum
with_schema(const Jsonb *parameters, const char *connection_name, const char *schema_name)
{
	size_t length = strlen(schema_name);
	size_t rest = connection_name == NULL ? 0 : strlen(connection_name);
	size_t before = VARSIZE(parameters) - rest;
	Jsonb *copy = palloc(before + length + rest);
	char *name = (char *) copy + before;

	memcpy(copy, parameters, before);
	memcpy(name, schema_name, length);
	memcpy(name + length, (const char *) parameters + before, rest);
	copy->root.children[JB_ROOT_COUNT(copy)] |= length;
	SET_VARSIZE(copy, before + length + rest);
	return JsonbPGetDatum(copy);
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
	values[3] = with_schema(output->parameters, listing->connection.name, remote[0]);
	row_text(&values[4], &nulls[4], remote[1]);
	rows_put(&output->rows, values, nulls);
}

/* The imported tables of this schema; rows are sorted by schema. */
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
	/* If all schemas are listed, the first value is the schema. */
	const char *schema = listing->schema_name == NULL ? *remote++ : listing->schema_name;
	Datum values[3 + TABLE_DETAIL_VALUES];
	bool nulls[3 + TABLE_DETAIL_VALUES] = {false};

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
	Datum values[2 + MAX_ANSWER_COLUMNS];
	bool nulls[2 + MAX_ANSWER_COLUMNS];

	row_text(&values[0], &nulls[0], listing->connection.name);
	row_text(&values[1], &nulls[1], listing->schema_name);
	row_values(&values[2], &nulls[2], question_answer(listing->question), remote);
	rows_put(&output->rows, values, nulls);
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
	listing->output = output;
	listing_run(listing, question, caller);
}

/* dqds_list_schemas(connection, include_system) */
Datum
dqds_list_schemas_1_1(PG_FUNCTION_ARGS)
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
	output.parameters = import_parameters(listing.connection.name);
	output.imported = imported_schemas(&caller, listing.connection.registry_id);
	run_rows(&listing, QUESTION_SCHEMA_DETAILS, &caller, fcinfo, &output);
	statement_show(&scope);
	return (Datum) 0;
}

/*
 * dqds_list_tables(connection, schema_name, table_name_contains, max_rows,
 * include_partitions, case_insensitive, table_name_excludes, include_sizes)
 */
Datum
dqds_list_tables_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output = {.caller = &caller};

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	listing_init(&listing);
	connection_argument(&caller, fcinfo, &listing.connection);
	listing.schema_name = optional_text_argument(fcinfo, 1);
	listing_read_filters(&listing, fcinfo, 4);
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
dqds_list_columns_1_1(PG_FUNCTION_ARGS)
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
