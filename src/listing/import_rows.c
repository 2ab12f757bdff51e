/*
 * import_rows.c
 *		The types of the rows that an import keeps, and the schema to which they belong.
 *
 * import_internal.h defines the position of each value.  It must not ask the
 * remote server.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/pg_list.h"

#include "listing/import_internal.h"

const Oid table_row_types[] = {INT4OID, TEXTOID, TEXTOID, INT8OID, TEXTOID};
const Oid column_row_types[] = {INT4OID, TEXTOID, INT4OID, TEXTOID, TEXTOID, INT4OID,
								INT4OID, INT4OID, BOOLOID, BOOLOID, TEXTOID};

/* Make the listing ask about this schema from now on. */
void
import_turn_to_schema(Import *import, int number)
{
	import->listing->schema_name = list_nth(import->schemas, number);
	snprintf(import->schema_number, sizeof(import->schema_number), "%d", number);
}
