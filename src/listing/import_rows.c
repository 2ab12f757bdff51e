/*
 * import_rows.c
 *		The rows of an import while they are kept, and whose schema they are of.
 *
 * import_internal.h tells which value stands where.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/pg_list.h"

#include "listing/import_internal.h"

const Oid table_row_types[] = {INT4OID, TEXTOID, TEXTOID, INT8OID, TEXTOID};
const Oid column_row_types[] = {INT4OID, TEXTOID, INT4OID, TEXTOID, TEXTOID, INT4OID,
								INT4OID, INT4OID, BOOLOID, BOOLOID, TEXTOID};

/* The listing asks about this schema from now on. */
void
import_turn_to_schema(Import *import, int number)
{
	import->listing->schema_name = list_nth(import->schemas, number);
	snprintf(import->schema_number, sizeof(import->schema_number), "%d", number);
}
