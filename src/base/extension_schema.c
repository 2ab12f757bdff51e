/*
 * extension_schema.c
 *		The schema that the extension was created in.
 *
 * The functions that the bridge calls, and dqds_enrolled, are in pg_catalog (see
 * the install script), all others in the extension's schema.
 *
 * Owns: a cache of the answers for functions in pg_catalog, because a look-up
 * takes some microseconds, which would slow down a listing.  It must not look
 * up anything by the name of a schema.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "utils/fmgroids.h"

#include "base/extension_schema.h"

/* Two functions with the same place evict each other. */
#define REMEMBERED 16

/*
 * A row of pg_proc is unchanged as long as xmin and tid are the same: PL/pgSQL
 * checks its function cache in this way, too.
 */
typedef struct KnownFunction
{
	Oid function;
	TransactionId xmin;
	ItemPointerData tid;
	Oid schema;
} KnownFunction;

static KnownFunction known[REMEMBERED];

static Oid
look_up_schema(void)
{
	Relation table = table_open(ExtensionRelationId, AccessShareLock);
	Oid schema = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("dqds"));
	scan = systable_beginscan(table, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return schema;
}

/*
 * The schema of the extension that a function belongs to; function is its row
 * of pg_proc.  Returns InvalidOid if the extension is being dropped.
 */
Oid
extension_schema(HeapTuple function)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(function);
	TransactionId xmin = HeapTupleHeaderGetRawXmin(function->t_data);
	KnownFunction *place = &known[proc->oid % REMEMBERED];

	if (proc->pronamespace != PG_CATALOG_NAMESPACE)
		return proc->pronamespace;
	if (place->function != proc->oid || place->xmin != xmin ||
		!ItemPointerEquals(&place->tid, &function->t_self))
	{
		Oid schema = look_up_schema();

		if (!OidIsValid(schema))
			return InvalidOid;
		*place = (KnownFunction){proc->oid, xmin, function->t_self, schema};
	}
	return place->schema;
}
