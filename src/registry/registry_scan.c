/*
 * registry_scan.c
 *		The tables of the registry: their columns, and scans of them.
 *
 * Columns have names in the catalog, and numbers in the rows.  An extension that
 * was updated may have other numbers than one that was just created.  So each
 * backend looks the numbers up once, and again when the table has changed.
 *
 * Owns: the names of the tables, of their columns, and of the index that each is
 * scanned by.  It must not know what the columns mean, and must not write.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/caller.h"
#include "registry/registry_scan.h"

#define MAX_COLUMNS 6

/* ---- which tables there are --------------------------------------------------------- */

static const struct
{
	const char *name;
	const char *index;
	const char *columns[MAX_COLUMNS]; /* in the order of the enums in registry_scan.h */
} tables[] = {
	[REGISTRY_CONNECTION] = {"dqds_connection",
							 "dqds_connection_name_hash_key",
							 {"id", "name", "name_hash", "owner", "model", "environment_members"}},
	[REGISTRY_SECRET] = {"dqds_connection_secret",
						 "dqds_connection_secret_pkey",
						 {"connection_id", "secrets"}},
	[REGISTRY_CONNECTION_GRANT] = {"dqds_connection_grant",
								   "dqds_connection_grant_pkey",
								   {"connection_id", "grantee"}},
	[REGISTRY_CREDENTIAL] = {"dqds_credential",
							 "dqds_credential_name_key",
							 {"id", "name", "secret", "allowed_hosts"}},
	[REGISTRY_CREDENTIAL_GRANT] = {"dqds_credential_grant",
								   "dqds_credential_grant_pkey",
								   {"credential_id", "grantee"}},
	[REGISTRY_TOKEN] = {"dqds_token", "dqds_token_hash_key", {"role", "token_hash", "expires_at"}},
	[REGISTRY_IMPORTED_TABLE] = {"dqds_imported_table",
								 "dqds_imported_table_name_key",
								 {"connection_id", "schema_name", "table_name"}},
};

/* ---- the numbers of their columns ---------------------------------------------------- */

/* What is known of a table; relation is InvalidOid when that does not hold any more. */
static struct
{
	Oid relation;
	AttrNumber numbers[MAX_COLUMNS];
} known[lengthof(tables)];

/* The catalog has changed: relation InvalidOid means any table. */
static void
forget_table(Datum unused, Oid relation)
{
	for (int i = 0; i < lengthof(known); i++)
		if (!OidIsValid(relation) || known[i].relation == relation)
			known[i].relation = InvalidOid;
}

static void
look_up_columns(RegistryTable table, Oid relation)
{
	static bool watching = false;

	if (!watching)
		CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
	watching = true;
	for (int i = 0; i < MAX_COLUMNS && tables[table].columns[i] != NULL; i++)
	{
		AttrNumber number = get_attnum(relation, tables[table].columns[i]);

		if (number == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" of extension dqds is missing",
							tables[table].columns[i], tables[table].name),
					 errhint("Bring the extension up to date: ALTER EXTENSION dqds UPDATE.")));
		known[table].numbers[i] = number;
	}
	known[table].relation = relation;
}

/* ---- scans ----------------------------------------------------------------------------- */

static Oid
registry_relation(Oid schema, const char *name)
{
	Oid oid = get_relname_relid(name, schema);

	if (!OidIsValid(oid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation \"%s\" of extension dqds is missing", name),
						errhint("Bring the extension up to date: ALTER EXTENSION dqds UPDATE.")));
	return oid;
}

/*
 * Scan a table of the registry by its index, or whole.  The keys, which are
 * changed, tell columns by their place in the enums.  Without a snapshot, what has
 * been committed by now is seen: for a table that is no system catalog, the
 * catalog snapshot is always taken again.
 */
void
scan_begin(Scan *scan, Oid schema, RegistryTable table, bool by_index, Snapshot snapshot, int nkeys,
		   ScanKey keys)
{
	Oid index = by_index ? registry_relation(schema, tables[table].index) : InvalidOid;

	scan->table = table_open(registry_relation(schema, tables[table].name), AccessShareLock);
	if (known[table].relation != RelationGetRelid(scan->table))
		look_up_columns(table, RelationGetRelid(scan->table));
	scan->numbers = known[table].numbers;
	for (int i = 0; i < nkeys; i++)
		keys[i].sk_attno = scan->numbers[keys[i].sk_attno];
	scan->desc = systable_beginscan(scan->table, index, by_index, snapshot, nkeys, keys);
}

void
scan_end(Scan *scan)
{
	systable_endscan(scan->desc);
	table_close(scan->table, AccessShareLock);
}

/* One moment for several scans; to be given back with UnregisterSnapshot. */
Snapshot
snapshot_of_now(const Caller *caller)
{
	Oid table = registry_relation(caller->schema, tables[REGISTRY_CONNECTION].name);

	return RegisterSnapshot(GetCatalogSnapshot(table));
}

/* The value of a column that is never NULL; which is one of the enums. */
Datum
column(Scan *scan, HeapTuple tuple, int which)
{
	bool isnull;

	return heap_getattr(tuple, scan->numbers[which], RelationGetDescr(scan->table), &isnull);
}

/* The same as text, palloc'd. */
char *
text_column(Scan *scan, HeapTuple tuple, int which)
{
	return TextDatumGetCString(column(scan, tuple, which));
}

/* A key for scan_begin: a column of type bigint has this value. */
void
bigint_key(ScanKey key, int which, int64 value)
{
	ScanKeyInit(key, which, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(value));
}
