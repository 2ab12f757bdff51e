/*
 * import.c
 *		Fetches tables with their columns from a remote, and stores them in the registry.
 *
 *	1. the tables are listed, then their columns, some tables at a time, over the same session
 *	2. imports of this connection are locked, and it is kept from being dropped
 *	3. tables and columns, both sorted by name, are joined and stored in batches
 *
 * What arrives is kept on disk beyond a few megabytes, and is bounded by
 * dqds.max_answer_size.  Nothing is locked or written while the remote is waited
 * for.  A table that vanishes between the two listings is imported without
 * columns.
 *
 * Owns: the order of these steps and the size of the batches.  It must not know
 * what becomes of the result: an ImportSink does.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "dqds.h"
#include "miscadmin.h"
#include "sorted_rows.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Tables whose columns are asked for at once. */
#define ASKED_TABLES 5000

/* Memory of what is stored at once, about; one table may take more, up to the second limit. */
#define BATCH_BYTES     (4 * 1024 * 1024)
#define MAX_TABLE_BYTES (16 * 1024 * 1024)

/* What a value takes in memory besides its text, about: in a Datum array, and again in an array of SQL. */
#define VALUE_OVERHEAD 48

/* The unique index of the imported tables takes about 2,700 bytes; real names are nowhere near. */
#define MAX_NAME_BYTES 1000

/* Of the answers to QUESTION_TABLES and QUESTION_COLUMNS, in the order of dqds_store_import. */
static const Oid table_types[] = {TEXTOID, TEXTOID, INT8OID, TEXTOID};
static const Oid column_types[] = {TEXTOID, INT4OID, TEXTOID, TEXTOID, INT4OID,
								   INT4OID, INT4OID, BOOLOID, BOOLOID, TEXTOID};

/* Both begin with the name of the table; columns have their position behind it. */
static const AttrNumber sort_keys[] = {1, 2};

#define TABLE_VALUES  lengthof(table_types)
#define COLUMN_VALUES lengthof(column_types)

StaticAssertDecl(COLUMN_VALUES <= MAX_ANSWER_COLUMNS, "a column has more values than an answer");
StaticAssertDecl(2 + TABLE_VALUES + COLUMN_VALUES <= MAX_OWNER_CALL_ARGUMENTS,
				 "dqds_store_import has more arguments than a call can have");

typedef struct Import
{
	const Caller *caller;
	Listing *listing;
	const ImportSink *sink;
	AnswerBudget budget;
	SortedRows tables;
	SortedRows columns;
} Import;

/* What is stored together.  Everything in it is in one memory context. */
typedef struct Batch
{
	MemoryContext context;
	ArrayBuildState *tables[TABLE_VALUES];
	ArrayBuildState *columns[COLUMN_VALUES];
	List *names;         /* of the tables (char *) */
	List *column_counts; /* of each, a list of integers */
	size_t bytes;
} Batch;

/* Take a row of the answer, counting it against the budget. */
static void
take_row(Import *import, SortedRows *rows, const char **values)
{
	size_t bytes = sorted_rows_put(rows, values);

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

/* Nothing is forgotten: of tables and columns that come twice, one is stored. */
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
	listing_run(listing, QUESTION_TABLES, import->caller);
	sorted_rows_sort(&import->tables);
	/* What was asked for has been found: from now on the names decide. */
	listing->contains = NULL;
	listing->max_rows = -1;
}

/* The names of the next tables, some of which may come twice, as a text[]; NULL at the end. */
static Datum
next_names(SortedRows *tables, bool *any)
{
	ArrayBuildState *names = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	int count = 0;

	while (count < ASKED_TABLES && sorted_rows_next(tables))
	{
		/* Copied: the row is gone with the next one. */
		char *name = sorted_rows_name(tables);

		accumArrayResult(names, CStringGetTextDatum(name), false, TEXTOID, CurrentMemoryContext);
		pfree(name);
		count++;
	}
	*any = count > 0;
	return makeArrayResult(names, CurrentMemoryContext);
}

static void
fetch_columns(Import *import)
{
	Listing *listing = import->listing;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dqds import names", ALLOCSET_DEFAULT_SIZES);
	bool any = true;

	listing->emit = take_column;
	while (any)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Datum names = next_names(&import->tables, &any);

		if (any)
		{
			listing_restrict(listing, names);
			listing_run(listing, QUESTION_COLUMNS, import->caller);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	sorted_rows_sort(&import->columns);
	sorted_rows_rewind(&import->tables);
}

/* ---- storing --------------------------------------------------------------------------- */

static void
start_arrays(ArrayBuildState **arrays, const Oid *types, int count)
{
	for (int i = 0; i < count; i++)
		arrays[i] = initArrayResult(types[i], CurrentMemoryContext, false);
}

static void
batch_begin(Batch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);

	start_arrays(batch->tables, table_types, TABLE_VALUES);
	start_arrays(batch->columns, column_types, COLUMN_VALUES);
	batch->names = NIL;
	batch->column_counts = NIL;
	batch->bytes = 0;
	MemoryContextSwitchTo(old);
}

/* Add the current row to arrays, one for each of its values. */
static void
batch_add(Batch *batch, ArrayBuildState **arrays, const SortedRows *rows)
{
	for (int i = 0; i < rows->nvalues; i++)
	{
		Datum value = rows->out->tts_values[i];
		bool isnull = rows->out->tts_isnull[i];

		if (!isnull && rows->types[i] == TEXTOID)
			batch->bytes += VARSIZE_ANY_EXHDR(DatumGetPointer(value));
		batch->bytes += VALUE_OVERHEAD;
		(void) accumArrayResult(arrays[i], value, isnull, rows->types[i], batch->context);
	}
}

static void
check_table_size(const Import *import, const char *name, size_t bytes)
{
	Failure failure = {0};

	if (bytes <= MAX_TABLE_BYTES)
		return;
	failure_set(&failure, DQDS_REMOTE_ERROR, "Leave this table out of the import.",
				"the columns of table \"%s\" take more than %d MB", name,
				MAX_TABLE_BYTES / 1024 / 1024);
	failure_raise(&failure);
}

/* The values of a column, for the sink, as text again where they are text. */
static void
show_column(const Import *import, const SortedRows *columns)
{
	if (import->sink->column != NULL)
		import->sink->column(import->sink->argument, columns->out->tts_values,
							 columns->out->tts_isnull);
}

/* Add the columns of the table called name; returns how many.  Columns of tables before it are left out. */
static int
add_columns(Import *import, Batch *batch, const char *name)
{
	SortedRows *columns = &import->columns;
	size_t before = batch->bytes;
	int32 last_position = PG_INT32_MIN;
	int count = 0;
	char *of;

	while ((of = sorted_rows_name(columns)) != NULL && strcmp(of, name) <= 0)
	{
		int32 position = DatumGetInt32(columns->out->tts_values[1]);

		/* Of two columns in the same place, the first one counts. */
		if (strcmp(of, name) == 0 && (count == 0 || position != last_position))
		{
			batch_add(batch, batch->columns, columns);
			check_table_size(import, name, batch->bytes - before);
			show_column(import, columns);
			last_position = position;
			count++;
		}
		pfree(of);
		(void) sorted_rows_next(columns);
	}
	return count;
}

/* Add the current table with its columns. */
static void
add_table(Import *import, Batch *batch, char *name)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	int count;

	batch_add(batch, batch->tables, &import->tables);
	if (import->sink->table != NULL)
		import->sink->table(import->sink->argument, name);
	count = add_columns(import, batch, name);
	batch->names = lappend(batch->names, pstrdup(name));
	batch->column_counts = lappend_int(batch->column_counts, count);
	MemoryContextSwitchTo(old);
}

static void
add_arrays(OwnerCall *call, ArrayBuildState **arrays, const Oid *types, int count)
{
	for (int i = 0; i < count; i++)
		owner_call_add(call, get_array_type(types[i]),
					   makeArrayResult(arrays[i], CurrentMemoryContext), false);
}

/* Tell the sink what became of each table. */
static void
report(const Import *import, const Batch *batch, Datum statuses)
{
	Datum *elements;
	bool *nulls;
	int count;

	if (import->sink->stored == NULL)
		return;
	deconstruct_array(DatumGetArrayTypeP(statuses), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
		import->sink->stored(import->sink->argument, list_nth(batch->names, i),
							 TextDatumGetCString(elements[i]),
							 list_nth_int(batch->column_counts, i));
}

static void
batch_store(Import *import, Batch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	OwnerCall call = {0};
	Datum statuses;

	if (batch->names != NIL)
	{
		owner_call_add(&call, INT8OID, Int64GetDatum(import->listing->connection.registry_id),
					   false);
		owner_call_add_text(&call, import->listing->schema_name);
		add_arrays(&call, batch->tables, table_types, TABLE_VALUES);
		add_arrays(&call, batch->columns, column_types, COLUMN_VALUES);
		statuses = owner_call(import->caller, "dqds_store_import", &call, NULL);
		report(import, batch, statuses);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(batch->context);
	batch_begin(batch);
}

/* The connection stays until the end of the transaction: else what is stored would be no one's. */
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

/* Join tables and columns, and store them.  A table that came twice is stored once. */
static void
store(Import *import)
{
	Batch batch = {.context = AllocSetContextCreate(CurrentMemoryContext, "dqds import",
													ALLOCSET_DEFAULT_SIZES)};
	char *last = NULL;

	batch_begin(&batch);
	(void) sorted_rows_next(&import->columns);
	while (sorted_rows_next(&import->tables))
	{
		char *name = sorted_rows_name(&import->tables);

		CHECK_FOR_INTERRUPTS();
		if (last == NULL || strcmp(last, name) != 0)
			add_table(import, &batch, name);
		if (last != NULL)
			pfree(last);
		last = name;
		if (batch.bytes >= BATCH_BYTES)
			batch_store(import, &batch);
	}
	batch_store(import, &batch);
	MemoryContextDelete(batch.context);
}

/*
 * Import what the listing asks for, whose connection is registered; sink is told
 * of each table, in the order of their names.  Errors: those of class QD for what
 * the remote does, 42704 when the connection was dropped meanwhile.
 */
void
import_run(Listing *listing, const Caller *caller, const ImportSink *sink)
{
	Import import = {.caller = caller, .listing = listing, .sink = sink};

	sorted_rows_begin(&import.tables, table_types, TABLE_VALUES, sort_keys, 1);
	sorted_rows_begin(&import.columns, column_types, COLUMN_VALUES, sort_keys, 2);
	fetch_tables(&import);
	fetch_columns(&import);
	imports_lock(caller, listing->connection.registry_id);
	keep_connection(&import);
	store(&import);
	sorted_rows_end(&import.tables);
	sorted_rows_end(&import.columns);
}
