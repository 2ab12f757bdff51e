/*
 * import_functions.c
 *		SQL functions that import tables into the registry, and remove them.
 *
 * They read the arguments, run an import (import.c), and return its outcome as
 * rows.  They must not ask the remote server themselves.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/remote_text.h"
#include "listing/import.h"
#include "listing/import_lock.h"
#include "listing/list_arguments.h"
#include "listing/listing.h"
#include "listing/rows.h"
#include "registry/owner_call.h"

PG_FUNCTION_INFO_V1(dqds_import_tables_1_1);
PG_FUNCTION_INFO_V1(dqds_unimport_tables_1_1);

/*
 * Imports belong to a registered connection: a model must name one that the
 * caller may use, and lead to its database.
 */
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

typedef struct ImportRows
{
	const Listing *listing;
	RowsOut rows;
} ImportRows;

/* ncolumns is -1 if it is not known. */
static void
put_stored(void *argument, const char *schema, const char *table, const char *status, int ncolumns)
{
	ImportRows *output = argument;
	Datum values[5];
	bool nulls[5] = {false};

	row_text(&values[0], &nulls[0], output->listing->connection.name);
	row_text(&values[1], &nulls[1], schema);
	row_text(&values[2], &nulls[2], table);
	row_text(&values[3], &nulls[3], status);
	values[4] = Int32GetDatum(ncolumns);
	nulls[4] = ncolumns < 0;
	rows_put(&output->rows, values, nulls);
}

/* A missing table is reported as a row, a missing schema as a notice. */
static void
put_not_found(void *argument, const char *schema, const char *table)
{
	if (table != NULL)
		put_stored(argument, schema, table, "not_found", -1);
	else
		ereport(NOTICE,
				(errmsg("schema \"%s\" was not found", visible_text(schema)),
				 errhint("dqds_list_schemas shows the schemas that the remote user may use.")));
}

/* dqds_import_tables(connection, schema_name, table_name_contains, table_names, tables_import_limit) */
Datum
dqds_import_tables_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	ImportRows output = {.listing = &listing};
	ImportSink sink = {.stored = put_stored, .not_found = put_not_found, .argument = &output};

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	PreventCommandIfReadOnly("dqds_import_tables");
	listing_init(&listing);
	connection_argument(&caller, fcinfo, &listing.connection);
	check_registered(&listing.connection);
	read_import_filters(fcinfo, &listing);
	rows_open(fcinfo, &output.rows);
	import_run(&listing, false, &caller, &sink);
	statement_show(&scope);
	return (Datum) 0;
}

/*
 * dqds_unimport_tables(connection, schema_name, table_names): returns how many
 * tables were removed
 */
Datum
dqds_unimport_tables_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	ConnectionArgument connection;
	OwnerCall call = {0};
	Datum count;

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	PreventCommandIfReadOnly("dqds_unimport_tables");
	connection_argument(&caller, fcinfo, &connection);
	check_registered(&connection);
	owner_call_add(&call, INT8OID, Int64GetDatum(connection.registry_id), false);
	owner_call_add_text(&call, name_argument(fcinfo, 1, "schema_name"));
	owner_call_add(&call, TEXTARRAYOID, PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2),
				   PG_ARGISNULL(2));
	imports_lock(&caller, connection.registry_id);
	count = owner_call(&caller, "dqds_remove_imports", &call, NULL);
	statement_show(&scope);
	PG_RETURN_DATUM(count);
}
