/*
 * registry_write.c
 *		SQL functions that change the registry.
 *
 * Each checks the caller's right and validates what he gave, then runs one of
 * the extension's internal SQL functions as the owner of the registry's tables,
 * which nobody else may execute.  The identity is switched for that call only,
 * so nothing of the caller's (a search_path, an operator) runs with it: the call
 * itself is schema-qualified, and those functions set their own search_path.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "dqds.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dqds_create_connection);
PG_FUNCTION_INFO_V1(dqds_update_connection);
PG_FUNCTION_INFO_V1(dqds_drop_connection);
PG_FUNCTION_INFO_V1(dqds_rename_connection);
PG_FUNCTION_INFO_V1(dqds_import_tables);
PG_FUNCTION_INFO_V1(dqds_import_named_tables);
PG_FUNCTION_INFO_V1(dqds_unimport_tables);

#define MAX_INTERNAL_ARGUMENTS 16 /* dqds_store_import takes them all */

/* A call of an internal function. */
typedef struct InternalCall
{
	int count;
	Oid types[MAX_INTERNAL_ARGUMENTS];
	Datum values[MAX_INTERNAL_ARGUMENTS];
	char nulls[MAX_INTERNAL_ARGUMENTS];
} InternalCall;

static void
add_argument(InternalCall *call, Oid type, Datum value, bool isnull)
{
	Assert(call->count < MAX_INTERNAL_ARGUMENTS);
	call->types[call->count] = type;
	call->values[call->count] = value;
	call->nulls[call->count] = isnull ? 'n' : ' ';
	call->count++;
}

static void
add_jsonb(InternalCall *call, Jsonb *value)
{
	add_argument(call, JSONBOID, JsonbPGetDatum(value), value == NULL);
}

static void
add_text(InternalCall *call, const char *value)
{
	add_argument(call, TEXTOID, CStringGetTextDatum(value), false);
}

/*
 * Run "SELECT * FROM schema.function(...)" as the registry's owner.  The rows
 * are in SPI_tuptable; the caller has connected to SPI and finishes it.  On an
 * error, the abort of the transaction restores the identity.
 */
static void
run_as_owner(const Caller *caller, const char *function, InternalCall *call)
{
	StringInfoData sql;
	Oid saved_user;
	int saved_context;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT * FROM %s.%s(",
					 quote_identifier(get_namespace_name(caller->schema)), function);
	for (int i = 0; i < call->count; i++)
		appendStringInfo(&sql, "%s$%d", i == 0 ? "" : ", ", i + 1);
	appendStringInfoChar(&sql, ')');

	GetUserIdAndSecContext(&saved_user, &saved_context);
	SetUserIdAndSecContext(caller->owner, saved_context | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_execute_with_args(sql.data, call->count, call->types, call->values, call->nulls, false,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not run %s", function);
	SetUserIdAndSecContext(saved_user, saved_context);
}

static void
run_internal(const Caller *caller, const char *function, InternalCall *call)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	run_as_owner(caller, function, call);
	SPI_finish();
}

/* ---- connections ------------------------------------------------------------------- */

static char *
name_argument(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static void
check_new_name(const char *name)
{
	Failure failure;

	if (*name != '\0')
		return;
	failure_set(&failure, DQDS_INVALID_CONNECTION, NULL,
				"the name of a connection must not be empty");
	failure_raise(&failure);
}

/* Passing the server's own trust on to others is for superusers to decide. */
static void
check_password_rule(const Caller *caller, Jsonb *model)
{
	if (model_password_required(model) || superuser_arg(caller->role))
		return;
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("only a superuser may set \"password_required\" to false"),
					errhint("Give a password, or ask a superuser to register the connection.")));
}

/* A connection that the caller may edit: not to be seen is 42704, seen but not owned 42501. */
static void
get_to_edit(const Caller *caller, const char *name, RegistryEntry *entry)
{
	registry_get(caller, name, entry);
	if (!registry_may_edit(caller, entry))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of connection \"%s\"", name)));
}

/* Bring a model into its kept form, or raise what is wrong with it. */
static void
normalize_or_raise(const Caller *caller, Jsonb *model, const RegistryEntry *stored,
				   NormalModel *normal)
{
	Failure failure = {.code = DQDS_OK};

	if (!model_normalize(model, stored == NULL ? NULL : stored->model,
						 stored == NULL ? NULL : stored->secrets, normal, &failure) ||
		!model_validate(normal, &failure))
		failure_raise(&failure);
	check_password_rule(caller, normal->model);
}

/* dqds_create_connection(name, model): the name given here wins over the model's own */
Datum
dqds_create_connection(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	InternalCall call = {0};
	NormalModel normal;
	char *name;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	PreventCommandIfReadOnly("dqds_create_connection");
	name = name_argument(fcinfo, 0, "the name of a connection");
	check_new_name(name);
	normalize_or_raise(&caller, model_argument(&caller, fcinfo, 1), NULL, &normal);

	add_text(&call, name);
	add_argument(&call, REGROLEOID, ObjectIdGetDatum(caller.role), false);
	add_jsonb(&call, normal.model);
	add_jsonb(&call, normal.secrets);
	run_internal(&caller, "dqds_store_connection", &call);
	statement_show(&scope);
	PG_RETURN_VOID();
}

/* dqds_update_connection(name, model): a mask keeps the secret that is stored */
Datum
dqds_update_connection(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	InternalCall call = {0};
	RegistryEntry entry;
	NormalModel normal;
	Jsonb *model;
	char *name;
	char *own_name;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	PreventCommandIfReadOnly("dqds_update_connection");
	name = name_argument(fcinfo, 0, "the name of a connection");
	model = model_argument(&caller, fcinfo, 1);
	get_to_edit(&caller, name, &entry);
	own_name = model_connection_name(model);
	if (own_name != NULL && strcmp(own_name, name) != 0)
	{
		Failure failure;

		failure_set(&failure, DQDS_INVALID_CONNECTION,
					"Use dqds_rename_connection to give a connection another name.",
					"the model is of connection \"%s\", not of \"%s\"", own_name, name);
		failure_raise(&failure);
	}
	normalize_or_raise(&caller, model, &entry, &normal);

	add_argument(&call, INT8OID, Int64GetDatum(entry.id), false);
	add_jsonb(&call, normal.model);
	add_jsonb(&call, normal.secrets);
	run_internal(&caller, "dqds_replace_connection", &call);
	statement_show(&scope);
	PG_RETURN_VOID();
}

/* dqds_drop_connection(name): its imports and grants go with it */
Datum
dqds_drop_connection(PG_FUNCTION_ARGS)
{
	Caller caller;
	InternalCall call = {0};
	RegistryEntry entry;

	caller_init(&caller, fcinfo);
	PreventCommandIfReadOnly("dqds_drop_connection");
	get_to_edit(&caller, name_argument(fcinfo, 0, "the name of a connection"), &entry);
	add_argument(&call, INT8OID, Int64GetDatum(entry.id), false);
	run_internal(&caller, "dqds_remove_connection", &call);
	PG_RETURN_VOID();
}

/* dqds_rename_connection(name, new_name): imports and grants stay */
Datum
dqds_rename_connection(PG_FUNCTION_ARGS)
{
	Caller caller;
	InternalCall call = {0};
	RegistryEntry entry;
	char *new_name;

	caller_init(&caller, fcinfo);
	PreventCommandIfReadOnly("dqds_rename_connection");
	get_to_edit(&caller, name_argument(fcinfo, 0, "the name of a connection"), &entry);
	new_name = name_argument(fcinfo, 1, "the new name of a connection");
	check_new_name(new_name);
	add_argument(&call, INT8OID, Int64GetDatum(entry.id), false);
	add_text(&call, new_name);
	run_internal(&caller, "dqds_store_connection_name", &call);
	PG_RETURN_VOID();
}

/* ---- imports ------------------------------------------------------------------------------ */

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
add_collected(InternalCall *call, const Collected *collected)
{
	for (int i = 0; i < collected->nvalues; i++)
		add_argument(call, TEXTARRAYOID, collected_array(collected, i), false);
}

/* Imports belong to a registered connection: a model must name one that the caller may use. */
static void
check_registered(const ConnectionArgument *connection)
{
	if (connection->registry_id != 0)
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("tables can be imported only for a registered connection"),
					errhint("Register it with dqds_create_connection, then give its name.")));
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
	InternalCall call = {0};
	Collected *columns = make_collected(COLUMN_VALUES);

	listing_restrict(listing, collected_array(tables, 0));
	listing->emit = collect_column;
	listing->output = columns;
	listing_run(listing, QUESTION_COLUMNS, caller);

	add_argument(&call, INT8OID, Int64GetDatum(listing->connection.registry_id), false);
	add_text(&call, listing->schema_name);
	add_collected(&call, tables);
	add_collected(&call, columns);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	run_as_owner(caller, "dqds_store_import", &call);
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
	InternalCall call = {0};
	int64 count;
	bool isnull;

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	PreventCommandIfReadOnly("dqds_unimport_tables");
	connection_argument(&caller, fcinfo, &connection);
	check_registered(&connection);
	add_argument(&call, INT8OID, Int64GetDatum(connection.registry_id), false);
	add_text(&call, name_argument(fcinfo, 1, "schema_name"));
	add_argument(&call, TEXTARRAYOID, PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2),
				 PG_ARGISNULL(2));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	run_as_owner(&caller, "dqds_remove_imports", &call);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	statement_show(&scope);
	PG_RETURN_INT64(count);
}
