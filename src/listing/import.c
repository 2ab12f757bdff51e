/*
 * import.c
 *		Fetches tables with their columns from a remote server, and stores them in the registry.
 *
 *	1. choose the schemas (import_schemas.c)
 *	2. list their tables, then their columns, some tables at a time, over the same session
 *	3. lock the imports of this connection, and keep it from being dropped
 *	4. store the rows (import_store.c)
 *
 * Rows that arrive are kept on disk beyond a few megabytes, and are limited by
 * dqds.max_answer_size for all schemas together.  Nothing is locked or written
 * while waiting for the remote server.  A table that is dropped between the two
 * listings is imported without columns.
 *
 * Owns: the order of these steps, and the report of tables and schemas that
 * were not found.  It must not know what is done with the result: an ImportSink
 * does.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/caller.h"
#include "base/failure.h"
#include "base/name_set.h"
#include "listing/answer_budget.h"
#include "listing/import.h"
#include "listing/import_internal.h"
#include "listing/import_lock.h"
#include "listing/list_arguments.h"
#include "listing/listing.h"
#include "listing/sorted_rows.h"
#include "registry/owner_call.h"
#include "wire/question.h"

/* The number of tables whose columns are requested at once, and about the bytes of their names. */
#define ASKED_TABLES 5000
#define ASKED_BYTES  (100 * 1024)

/*
 * An entry of the unique index of imported tables can have about 2,700 bytes;
 * real names are much shorter.
 */
#define MAX_NAME_BYTES 1000

/*
 * Rows of tables and of columns begin with the schema and the name of the
 * table; for columns, the position follows.
 */
static const AttrNumber sort_keys[] = {1, 2, 3};

/*
 * Keep a row of the answer about the schema that is being listed, and count it
 * against the budget.
 */
static void
take_row(Import *import, SortedRows *rows, const char **values)
{
	const char *row[BEFORE_VALUES + MAX_ANSWER_COLUMNS];
	size_t bytes;

	row[ROW_SCHEMA] = import->schema_number;
	memcpy(row + BEFORE_VALUES, values, sizeof(char *) * (rows->nvalues - BEFORE_VALUES));
	bytes = sorted_rows_put(rows, row);
	answer_budget_take(&import->budget, &import->listing->connection.target, bytes);
}

/* ---- fetching ------------------------------------------------------------------------- */

static void
check_name_length(const Listing *listing, const char *name)
{
	Failure failure = {0};

	if (strlen(name) <= MAX_NAME_BYTES && strlen(listing->schema_name) <= MAX_NAME_BYTES)
		return;
	failure_set(&failure, DQDS_REMOTE_ERROR, "List the schema to see the name.",
				"names of more than %d bytes cannot be imported", MAX_NAME_BYTES);
	failure_raise(&failure);
}

static void
take_table(Listing *listing, const char **values)
{
	Import *import = listing->output;

	check_name_length(listing, values[0]);
	take_row(import, &import->tables, values);
}

static void
take_column(Listing *listing, const char **values)
{
	Import *import = listing->output;

	take_row(import, &import->columns, values);
}

/* On a restart the rows are kept, too: of tables and columns that come twice, one is stored. */
static void
keep_all(Listing *listing)
{
	(void) listing;
}

static void
fetch_tables(Import *import)
{
	Listing *listing = import->listing;

	listing->emit = take_table;
	listing->restart = keep_all;
	listing->output = import;
	for (int i = 0; i < list_length(import->schemas); i++)
	{
		import_turn_to_schema(import, i);
		listing_run(listing, QUESTION_TABLES, import->caller);
	}
	sorted_rows_sort(&import->tables);
	/* The filter has been applied to the tables: from now on they are listed by name. */
	listing->contains = NULL;
	listing->max_rows = -1;
	/* If there was no table, was there a schema? */
	if (import->budget.taken > 0)
		import->schema_found = true;
	else if (import->schemas != NIL && !import->schema_found)
		import_look_for_schema(import);
}

/* The names of the next tables of a schema as a text[], possibly with duplicates. */
static Datum
next_names(SortedRows *tables, int schema)
{
	ArrayBuildState *names = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	size_t bytes = 0;

	for (int count = 0; count < ASKED_TABLES && bytes < ASKED_BYTES && sorted_rows_any(tables) &&
						sorted_rows_integer(tables, ROW_SCHEMA) == schema;
		 count++)
	{
		/* Copied, because the row is valid only until the next one. */
		char *name = sorted_rows_text(tables, ROW_TABLE);

		bytes += strlen(name);
		accumArrayResult(names, CStringGetTextDatum(name), false, TEXTOID, CurrentMemoryContext);
		pfree(name);
		(void) sorted_rows_next(tables);
	}
	return makeArrayResult(names, CurrentMemoryContext);
}

static void
fetch_columns(Import *import)
{
	Listing *listing = import->listing;
	SortedRows *tables = &import->tables;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dqds import names", ALLOCSET_DEFAULT_SIZES);

	listing->emit = take_column;
	(void) sorted_rows_next(tables);
	while (sorted_rows_any(tables))
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		int schema = sorted_rows_integer(tables, ROW_SCHEMA);

		import_turn_to_schema(import, schema);
		listing_restrict(listing, next_names(tables, schema));
		listing_run(listing, QUESTION_COLUMNS, import->caller);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	listing->names = NULL;
	listing->names_literal = NULL;
	sorted_rows_sort(&import->columns);
	sorted_rows_rewind(tables);
}

/* ---- not found ------------------------------------------------------------------------ */

/* A name that the caller's own filter excludes is not reported. */
static void
report_missing_table(void *argument, const char *name)
{
	const Import *import = argument;

	if (import->contains == NULL || strstr(name, import->contains) != NULL)
		import->sink->not_found(import->sink->argument, import->asked_schema, name);
}

static void
report_missing(Import *import)
{
	if (!import->schema_found)
		import->sink->not_found(import->sink->argument, import->asked_schema, NULL);
	if (import->asked != NULL)
		name_set_visit_unmarked(import->asked, report_missing_table, import);
}

/*
 * Keep the connection from being dropped until the end of the transaction, so
 * that the stored tables belong to it.
 */
static void
keep_connection(const Import *import)
{
	OwnerCall call = {0};
	bool dropped;

	owner_call_add(&call, INT8OID, Int64GetDatum(import->listing->connection.registry_id), false);
	(void) owner_call(import->caller, "dqds_keep_connection", &call, &dropped);
	if (dropped)
		owner_call_found_nothing("connection");
}

/*
 * Import the tables that the listing describes, whose connection must be
 * registered. sink is called for each table, in the order of schemas and names,
 * and then for each requested table or schema that was not found.  If
 * may_be_pattern is set, a schema_name that contains a * means all matching
 * schemas, unless a schema has exactly that name; max_rows applies to each
 * schema.  Errors: class QD for failures at the remote server, 42704 if the
 * connection was dropped concurrently.
 */
void
import_run(Listing *listing, bool may_be_pattern, const Caller *caller, const ImportSink *sink)
{
	Import import = {.caller = caller,
					 .listing = listing,
					 .sink = sink,
					 .asked_schema = listing->schema_name,
					 .contains = listing->contains,
					 .asked = listing->names,
					 .context = CurrentMemoryContext};

	sorted_rows_begin(&import.tables, table_row_types, lengthof(table_row_types), sort_keys, 2);
	sorted_rows_begin(&import.columns, column_row_types, lengthof(column_row_types), sort_keys, 3);
	import_choose_schemas(&import, may_be_pattern);
	fetch_tables(&import);
	fetch_columns(&import);
	imports_lock(caller, listing->connection.registry_id);
	keep_connection(&import);
	if (sink->begin != NULL)
		sink->begin(sink->argument);
	import_store(&import);
	report_missing(&import);
	sorted_rows_end(&import.tables);
	sorted_rows_end(&import.columns);
}
