/*
 * import_store.c
 *		Joins the fetched tables and columns, and stores them in the registry.
 *
 * Both are sorted by schema and name, and stored in batches.
 *
 * Owns: the size of the batches.  It must not ask the remote server.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/failure.h"
#include "listing/import_internal.h"
#include "listing/sorted_rows.h"
#include "registry/owner_call.h"

/* The approximate memory of one batch; a single table may take more, up to the second limit. */
#define BATCH_BYTES     (4 * 1024 * 1024)
#define MAX_TABLE_BYTES (16 * 1024 * 1024)

/*
 * The approximate memory of a value besides its text, in a Datum array and
 * again in an SQL array.
 */
#define VALUE_OVERHEAD 48

/* Tables and columns that are stored together.  All of it is in one memory context. */
typedef struct Batch
{
	MemoryContext context;
	ArrayBuildState *tables[TABLE_VALUES];
	ArrayBuildState *columns[COLUMN_VALUES];
	List *names;         /* of the tables (char *) */
	List *column_counts; /* of each table, a list of integers */
	size_t bytes;
} Batch;

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

	start_arrays(batch->tables, table_row_types + BEFORE_VALUES, TABLE_VALUES);
	start_arrays(batch->columns, column_row_types + BEFORE_VALUES, COLUMN_VALUES);
	batch->names = NIL;
	batch->column_counts = NIL;
	batch->bytes = 0;
	MemoryContextSwitchTo(old);
}

/* Add the values of the current row to one array each. */
static void
batch_add(Batch *batch, ArrayBuildState **arrays, const SortedRows *rows)
{
	for (int i = BEFORE_VALUES; i < rows->nvalues; i++)
	{
		Datum value = rows->out->tts_values[i];
		bool isnull = rows->out->tts_isnull[i];

		if (!isnull && rows->types[i] == TEXTOID)
			batch->bytes += VARSIZE_ANY_EXHDR(DatumGetPointer(value));
		batch->bytes += VALUE_OVERHEAD;
		(void) accumArrayResult(arrays[i - BEFORE_VALUES], value, isnull, rows->types[i],
								batch->context);
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

/* Pass the values of a column to the sink. */
static void
show_column(const Import *import, const SortedRows *columns)
{
	if (import->sink->column != NULL)
		import->sink->column(import->sink->argument, columns->out->tts_values + BEFORE_VALUES,
							 columns->out->tts_isnull + BEFORE_VALUES);
}

/*
 * Compare the current column with a table: negative if it comes before the
 * table's columns, 0 if it is one of them.
 */
static int
compare_to_table(const SortedRows *columns, int schema, const char *name)
{
	int of_schema = sorted_rows_integer(columns, ROW_SCHEMA);
	char *of_table;
	int result;

	if (of_schema != schema)
		return of_schema - schema;
	of_table = sorted_rows_text(columns, ROW_TABLE);
	result = strcmp(of_table, name);
	pfree(of_table);
	return result;
}

/* Add the columns of a table, and return their number.  Columns of earlier tables are skipped. */
static int
add_columns(Import *import, Batch *batch, int schema, const char *name)
{
	SortedRows *columns = &import->columns;
	size_t before = batch->bytes;
	int32 last_position = PG_INT32_MIN;
	int count = 0;
	int order;

	while (sorted_rows_any(columns) && (order = compare_to_table(columns, schema, name)) <= 0)
	{
		int32 position = sorted_rows_integer(columns, ROW_POSITION);

		/* Of two columns at the same position, the first one is stored. */
		if (order == 0 && (count == 0 || position != last_position))
		{
			batch_add(batch, batch->columns, columns);
			check_table_size(import, name, batch->bytes - before);
			show_column(import, columns);
			last_position = position;
			count++;
		}
		(void) sorted_rows_next(columns);
	}
	return count;
}

/* Add the current table with its columns. */
static void
add_table(Import *import, Batch *batch, int schema, char *name)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	int count;

	batch_add(batch, batch->tables, &import->tables);
	if (import->sink->table != NULL)
		import->sink->table(import->sink->argument, name);
	count = add_columns(import, batch, schema, name);
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

/* Report the status of each table to the sink. */
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
		import->sink->stored(import->sink->argument, import->listing->schema_name,
							 list_nth(batch->names, i), TextDatumGetCString(elements[i]),
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
		add_arrays(&call, batch->tables, table_row_types + BEFORE_VALUES, TABLE_VALUES);
		add_arrays(&call, batch->columns, column_row_types + BEFORE_VALUES, COLUMN_VALUES);
		statuses = owner_call(import->caller, "dqds_store_import", &call, NULL);
		report(import, batch, statuses);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(batch->context);
	batch_begin(batch);
}

/*
 * Join tables and columns, and store them; a batch has tables of one schema.  A
 * table that arrived twice is stored once.  Errors: QD023 for a table that is
 * too large, and those of owner_call().
 */
void
import_store(Import *import)
{
	Batch batch = {.context = AllocSetContextCreate(CurrentMemoryContext, "dqds import",
													ALLOCSET_DEFAULT_SIZES)};
	int schema = -1;
	char *last = NULL;

	batch_begin(&batch);
	(void) sorted_rows_next(&import->columns);
	while (sorted_rows_next(&import->tables))
	{
		int of_schema = sorted_rows_integer(&import->tables, ROW_SCHEMA);
		char *name = sorted_rows_text(&import->tables, ROW_TABLE);
		bool is_new = of_schema != schema || strcmp(last, name) != 0;

		CHECK_FOR_INTERRUPTS();
		if (of_schema != schema || batch.bytes >= BATCH_BYTES)
			batch_store(import, &batch);
		if (of_schema != schema)
			import_turn_to_schema(import, of_schema);
		if (is_new)
			add_table(import, &batch, of_schema, name);
		if (last != NULL)
			pfree(last);
		last = name;
		schema = of_schema;
	}
	batch_store(import, &batch);
	MemoryContextDelete(batch.context);
}
