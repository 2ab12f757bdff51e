/*
 * import_functions.c
 *		SQL functions that import tables into the registry, and forget them.
 *
 * An import is a listing of tables, then of their columns in batches, each of
 * which is stored by an internal function (owner_call.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "dqds.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dqds_import_tables);
PG_FUNCTION_INFO_V1(dqds_import_named_tables);
PG_FUNCTION_INFO_V1(dqds_unimport_tables);

#define TABLE_VALUES  4  /* name, kind, estimate, comment */
#define COLUMN_VALUES 10 /* as in the answer to QUESTION_COLUMNS */

/* Tables whose columns are fetched and stored together: bounds the memory of a large import. */
#define BATCH_TABLES 5000

/* A listing's rows as one text[] for each column of the answer. */
typedef struct Collected
{
	int nrows;
	int nvalues;
	ArrayBuildState *arrays[COLUMN_VALUES];
} Collected;

static Collected *
make_collected(int nvalues)
{
	Collected *collected = palloc0(sizeof(Collected));

	collected->nvalues = nvalues;
	for (int i = 0; i < nvalues; i++)
		collected->arrays[i] = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	return collected;
}

/* The unique index of the imported tables takes about 2,700 bytes; real names are nowhere near. */
#define MAX_NAME_BYTES 1000

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
collect_row(Collected *collected, const char **values)
{
	for (int i = 0; i < collected->nvalues; i++)
		accumArrayResult(collected->arrays[i],
						 values[i] == NULL ? (Datum) 0 : CStringGetTextDatum(values[i]),
						 values[i] == NULL, TEXTOID, CurrentMemoryContext);
	collected->nrows++;
}

/* The tables, in batches: a list of Collected in the context of the import. */
typedef struct Batches
{
	List *list;
	MemoryContext context;
} Batches;

static void
collect_table(Listing *listing, const char **values)
{
	Batches *batches = listing->output;
	Collected *last = batches->list == NIL ? NULL : llast(batches->list);

	check_name_length(listing, values[0]);
	if (last == NULL || last->nrows >= BATCH_TABLES)
	{
		MemoryContext old = MemoryContextSwitchTo(batches->context);

		last = make_collected(TABLE_VALUES);
		batches->list = lappend(batches->list, last);
		MemoryContextSwitchTo(old);
	}
	collect_row(last, values);
}

static void
collect_column(Listing *listing, const char **values)
{
	collect_row(listing->output, values);
}

static Datum
collected_array(const Collected *collected, int i)
{
	return makeArrayResult(collected->arrays[i], CurrentMemoryContext);
}

static void
add_collected(OwnerCall *call, const Collected *collected)
{
	for (int i = 0; i < collected->nvalues; i++)
		owner_call_add(call, TEXTARRAYOID, collected_array(collected, i), false);
}

/* Imports belong to a registered connection: a model must name one that the caller may use, and lead there. */
static void
check_registered(const ConnectionArgument *connection)
{
	if (connection->failure.code != DQDS_OK)
		failure_raise(&connection->failure);
	if (connection->registry_id != 0)
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("tables can be imported only for a registered connection"),
					errhint("Give the name of a registered connection, or a model with its "
							"connection_name that leads to the same database.")));
}

/* What was stored becomes the function's result. */
static void
put_imported(RowsOut *rows)
{
	int natts = rows->desc->natts;
	Datum *values = palloc(sizeof(Datum) * natts);
	bool *nulls = palloc(sizeof(bool) * natts);

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
		rows_put(rows, values, nulls);
	}
}

/* Fetch the columns of a batch of tables and store both. */
static void
import_batch(const Caller *caller, Listing *listing, const Collected *tables, RowsOut *rows)
{
	OwnerCall call = {0};
	Collected *columns = make_collected(COLUMN_VALUES);

	listing_restrict(listing, collected_array(tables, 0));
	listing->emit = collect_column;
	listing->output = columns;
	listing_run(listing, QUESTION_COLUMNS, caller);

	owner_call_add(&call, INT8OID, Int64GetDatum(listing->connection.registry_id), false);
	owner_call_add_text(&call, listing->schema_name);
	add_collected(&call, tables);
	add_collected(&call, columns);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	owner_call_rows(caller, "dqds_store_import", &call);
	put_imported(rows);
	SPI_finish();
}

static void
read_import_filters(FunctionCallInfo fcinfo, Listing *listing)
{
	listing->schema_name = name_argument(fcinfo, 1, "schema_name");
	if (!PG_ARGISNULL(2))
		listing->contains = text_to_cstring(PG_GETARG_TEXT_PP(2));
	if (!PG_ARGISNULL(3))
		listing_restrict(listing, PG_GETARG_DATUM(3));
	if (PG_ARGISNULL(4))
		return;
	listing->max_rows = PG_GETARG_INT32(4);
	if (listing->max_rows < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("tables_import_limit must not be negative")));
}

/*
 * The tables are listed first and their columns after, over the same session;
 * a table that vanishes in between is imported without columns.
 */
static void
import_tables(FunctionCallInfo fcinfo, const Caller *caller, Listing *listing)
{
	Batches batches = {.list = NIL, .context = CurrentMemoryContext};
	RowsOut rows;
	ListCell *cell;

	read_import_filters(fcinfo, listing);
	rows_open(fcinfo, &rows);
	listing->emit = collect_table;
	listing->output = &batches;
	listing_run(listing, QUESTION_TABLES, caller);

	listing->contains = NULL;
	listing->max_rows = -1;
	foreach (cell, batches.list)
	{
		MemoryContext batch_context =
			AllocSetContextCreate(CurrentMemoryContext, "dqds import", ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(batch_context);

		import_batch(caller, listing, lfirst(cell), &rows);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(batch_context);
	}
}

/* dqds_import_tables(connection, schema_name, table_name_contains, table_names, tables_import_limit) */
Datum
dqds_import_tables(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	PreventCommandIfReadOnly("dqds_import_tables");
	listing_init(&listing);
	connection_argument(&caller, fcinfo, &listing.connection);
	check_registered(&listing.connection);
	import_tables(fcinfo, &caller, &listing);
	statement_show(&scope);
	return (Datum) 0;
}

/* dqds_import_named_tables: the same for the bridge, where a connection is always a name */
Datum
dqds_import_named_tables(PG_FUNCTION_ARGS)
{
	Caller caller;
	Listing listing;

	caller_init(&caller, fcinfo);
	PreventCommandIfReadOnly("dqds_import_tables");
	listing_init(&listing);
	connection_by_name(&caller, name_argument(fcinfo, 0, "connection_name"), &listing.connection);
	import_tables(fcinfo, &caller, &listing);
	return (Datum) 0;
}

/* dqds_unimport_tables(connection, schema_name, table_names): how many were forgotten */
Datum
dqds_unimport_tables(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	ConnectionArgument connection;
	OwnerCall call = {0};
	int64 count;
	bool isnull;

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	PreventCommandIfReadOnly("dqds_unimport_tables");
	connection_argument(&caller, fcinfo, &connection);
	check_registered(&connection);
	owner_call_add(&call, INT8OID, Int64GetDatum(connection.registry_id), false);
	owner_call_add_text(&call, name_argument(fcinfo, 1, "schema_name"));
	owner_call_add(&call, TEXTARRAYOID, PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2),
				   PG_ARGISNULL(2));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	owner_call_rows(&caller, "dqds_remove_imports", &call);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	statement_show(&scope);
	PG_RETURN_INT64(count);
}
