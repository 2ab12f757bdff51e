/*
 * registry_scan.h
 *		The tables of the registry: their columns, and scans of them.
 */
#ifndef DQDS_REGISTRY_SCAN_H
#define DQDS_REGISTRY_SCAN_H

#include "access/genam.h"
#include "access/htup.h"
#include "access/skey.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "registry/registry.h"

/*
 * Columns, by their place in registry_scan.c's lists of names.  Which number each
 * has in its table is looked up there.
 */
enum
{
	CONNECTION_ID,
	CONNECTION_NAME,
	CONNECTION_NAME_HASH,
	CONNECTION_OWNER,
	CONNECTION_MODEL,
	CONNECTION_ENVIRONMENT
};

enum
{
	SECRET_CONNECTION_ID,
	SECRET_SECRETS
};

/* The same in both tables of grants. */
enum
{
	GRANT_OBJECT_ID,
	GRANT_GRANTEE
};

enum
{
	CREDENTIAL_ID,
	CREDENTIAL_NAME,
	CREDENTIAL_SECRET,
	CREDENTIAL_ALLOWED_HOSTS
};

enum
{
	TOKEN_ROLE,
	TOKEN_HASH,
	TOKEN_EXPIRES_AT
};

enum
{
	IMPORTED_CONNECTION_ID,
	IMPORTED_SCHEMA_NAME,
	IMPORTED_TABLE_NAME
};

typedef struct Scan
{
	Relation table;
	const AttrNumber *numbers; /* of its columns */
	SysScanDesc desc;
} Scan;

extern void scan_begin(Scan *scan, Oid schema, RegistryTable table, bool by_index,
					   Snapshot snapshot, int nkeys, ScanKey keys);
extern void scan_end(Scan *scan);
extern Snapshot snapshot_of_now(const Caller *caller);
extern Datum column(Scan *scan, HeapTuple tuple, int which);
extern char *text_column(Scan *scan, HeapTuple tuple, int which);
extern void bigint_key(ScanKey key, int which, int64 value);

#endif /* DQDS_REGISTRY_SCAN_H */
