/*
 * registry.c
 *		Reading the registry: connections, their secrets, tokens, and what was imported.
 *
 * The tables belong to the extension's owner and no one else may read them.
 * These scans go below SQL, so no privilege is checked on the way; registry_get
 * and registry_usable check the caller's right on each connection instead, and
 * callers of registry_find, registry_visit and registry_find_credential must do that
 * themselves.
 *
 * What is read is what has been committed by now, whatever the isolation level:
 * a right that was revoked, or a password that was replaced, must not live on in
 * an old snapshot.  One that is read in several steps is read by one snapshot.
 *
 * Owns: what the columns of the registry's tables mean, for those who read them.
 * It must not write.
 */
#include "postgres.h"

#include "access/htup.h"
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/caller.h"
#include "base/compat.h"
#include "base/misplaced_secret.h"
#include "base/name_set.h"
#include "base/remote_text.h"
#include "model/target.h"
#include "registry/registry.h"
#include "registry/registry_scan.h"
#include "registry/roles.h"

/* ---- connections ------------------------------------------------------------------------ */

static Jsonb *
read_secrets(const Caller *caller, int64 connection_id, Snapshot snapshot)
{
	Scan scan;
	ScanKeyData key;
	HeapTuple tuple;
	Jsonb *secrets = NULL;

	bigint_key(&key, SECRET_CONNECTION_ID, connection_id);
	scan_begin(&scan, caller->schema, REGISTRY_SECRET, true, snapshot, 1, &key);
	tuple = systable_getnext(scan.desc);
	if (HeapTupleIsValid(tuple))
		secrets = DatumGetJsonbPCopy(column(&scan, tuple, SECRET_SECRETS));
	scan_end(&scan);
	return secrets;
}

/* The elements of a text[] without nulls: char *, palloc'd. */
static List *
text_list(Datum array)
{
	List *list = NIL;
	Datum *elements;
	int count;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL,
					  &count);
	for (int i = 0; i < count; i++)
		list = lappend(list, TextDatumGetCString(elements[i]));
	return list;
}

/* Everything but the secrets.  The owner is InvalidOid when it was dropped. */
static void
read_entry(const Caller *caller, Scan *scan, HeapTuple tuple, RegistryEntry *entry)
{
	Oid owner = DatumGetObjectId(column(scan, tuple, CONNECTION_OWNER));

	entry->id = DatumGetInt64(column(scan, tuple, CONNECTION_ID));
	entry->name = text_column(scan, tuple, CONNECTION_NAME);
	entry->owner = role_is_enrolled(owner) ? owner : InvalidOid;
	entry->model = DatumGetJsonbPCopy(column(scan, tuple, CONNECTION_MODEL));
	entry->environment_members = text_list(column(scan, tuple, CONNECTION_ENVIRONMENT));
	entry->secrets = NULL;
}

/*
 * Find a connection by name, whichever roles may use it; false when there is none.  A
 * name may be longer than a btree takes: so the index holds a hash, and the name
 * itself is compared.  All palloc'd.
 */
bool
registry_find(const Caller *caller, const char *name, RegistryEntry *entry)
{
	Datum hash = DirectFunctionCall2Coll(hashtextextended, C_COLLATION_OID,
										 CStringGetTextDatum(name), Int64GetDatum(0));
	Snapshot snapshot = snapshot_of_now(caller);
	Scan scan;
	ScanKeyData key;
	HeapTuple tuple;
	bool found = false;

	bigint_key(&key, CONNECTION_NAME_HASH, DatumGetInt64(hash));
	scan_begin(&scan, caller->schema, REGISTRY_CONNECTION, true, snapshot, 1, &key);
	tuple = systable_getnext(scan.desc);
	if (HeapTupleIsValid(tuple))
	{
		read_entry(caller, &scan, tuple, entry);
		found = strcmp(entry->name, name) == 0;
	}
	scan_end(&scan);
	/* By the same snapshot: a password of now must not go to a host of before. */
	if (found)
		entry->secrets = read_secrets(caller, entry->id, snapshot);
	UnregisterSnapshot(snapshot);
	return found;
}

/* Does role have what was granted to one of the grantees in a table of grants?  */
static bool
was_granted(const Caller *caller, RegistryTable table, int64 id, Oid role)
{
	Scan scan;
	ScanKeyData key;
	HeapTuple tuple;
	bool granted = false;

	bigint_key(&key, GRANT_OBJECT_ID, id);
	scan_begin(&scan, caller->schema, table, true, NULL, 1, &key);
	while (!granted && HeapTupleIsValid(tuple = systable_getnext(scan.desc)))
	{
		Oid grantee = DatumGetObjectId(column(&scan, tuple, GRANT_GRANTEE));

		granted = has_privs_of_role(role, grantee) && role_is_enrolled(grantee);
	}
	scan_end(&scan);
	return granted;
}

/*
 * Does a table of grants name this very role?  As of now, however old the
 * transaction's snapshot is.
 */
bool
registry_names_grantee(const Caller *caller, RegistryTable table, int64 id, Oid role)
{
	Scan scan;
	ScanKeyData key;
	HeapTuple tuple;
	bool found = false;

	bigint_key(&key, GRANT_OBJECT_ID, id);
	scan_begin(&scan, caller->schema, table, true, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan.desc)))
		found = DatumGetObjectId(column(&scan, tuple, GRANT_GRANTEE)) == role;
	scan_end(&scan);
	return found;
}

/* Tables whose rows belong to a connection or to a credential, with an index on its id. */
typedef struct Dependants
{
	RegistryTable table;
	int owner_id; /* a column */
} Dependants;

static const Dependants of_connection[] = {
	{REGISTRY_SECRET, SECRET_CONNECTION_ID},
	{REGISTRY_CONNECTION_GRANT, GRANT_OBJECT_ID},
	{REGISTRY_IMPORTED_TABLE, IMPORTED_CONNECTION_ID},
};

static const Dependants of_credential[] = {
	{REGISTRY_CREDENTIAL_GRANT, GRANT_OBJECT_ID},
};

static bool
any_left(const Caller *caller, const Dependants *dependants, int count, int64 id)
{
	bool found = false;

	for (int i = 0; i < count && !found; i++)
	{
		Scan scan;
		ScanKeyData key;

		bigint_key(&key, dependants[i].owner_id, id);
		scan_begin(&scan, caller->schema, dependants[i].table, true, NULL, 1, &key);
		found = HeapTupleIsValid(systable_getnext(scan.desc));
		scan_end(&scan);
	}
	return found;
}

/*
 * Is there a row that belongs to this connection, which has just been dropped?
 * One that is newer than the transaction's snapshot could not be removed with it.
 */
bool
registry_connection_left(const Caller *caller, int64 id)
{
	return any_left(caller, of_connection, lengthof(of_connection), id);
}

/* The same for a credential. */
bool
registry_credential_left(const Caller *caller, int64 id)
{
	return any_left(caller, of_credential, lengthof(of_credential), id);
}

/* Owners and admins may edit. */
bool
registry_may_edit(const Caller *caller, const RegistryEntry *entry)
{
	return has_privs_of_role(caller->role, entry->owner) || caller_is_admin(caller);
}

/* Owners, roles that were granted the connection, and admins may use it. */
bool
registry_may_use(const Caller *caller, const RegistryEntry *entry)
{
	return has_privs_of_role(caller->role, entry->owner) ||
		   was_granted(caller, REGISTRY_CONNECTION_GRANT, entry->id, caller->role) ||
		   caller_is_admin(caller);
}

/* The one wording for a connection that is not there and one that the caller may not use. */
void
registry_unknown(const char *name)
{
	if (name_may_hold_secret(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errhidestmt(true), errhidecontext(true),
				 errmsg("a connection with this name does not exist"),
				 errhint("Give the name of a connection, or a JSON object or a URL that describes "
						 "one.")));
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("connection \"%s\" does not exist", visible_text(name)),
					errhint("The view dqds_connections shows the connections that you may use; an "
							"admin grants the use of others with dqds_grant_connection.")));
	pg_unreachable();
}

/* Find a connection that the caller may use; any other name is the error 42704. */
void
registry_get(const Caller *caller, const char *name, RegistryEntry *entry)
{
	if (!registry_find(caller, name, entry) || !registry_may_use(caller, entry))
		registry_unknown(name);
}

static int
compare_entries(const ListCell *a, const ListCell *b)
{
	return strcmp(((RegistryEntry *) lfirst(a))->name, ((RegistryEntry *) lfirst(b))->name);
}

/* All connections that the caller may use, sorted by name: a list of RegistryEntry. */
List *
registry_usable(const Caller *caller)
{
	Snapshot snapshot = snapshot_of_now(caller);
	Scan scan;
	HeapTuple tuple;
	List *entries = NIL;

	scan_begin(&scan, caller->schema, REGISTRY_CONNECTION, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan.desc)))
	{
		RegistryEntry *entry = palloc(sizeof(RegistryEntry));

		read_entry(caller, &scan, tuple, entry);
		if (!registry_may_use(caller, entry))
			continue;
		entry->secrets = read_secrets(caller, entry->id, snapshot);
		entries = lappend(entries, entry);
	}
	scan_end(&scan);
	UnregisterSnapshot(snapshot);
	list_sort(entries, compare_entries);
	return entries;
}

/*
 * Call visit for every connection there is, with its secrets, no matter who may
 * use it.  visit must copy what it wants to keep.
 */
void
registry_visit(const Caller *caller, void (*visit)(const RegistryEntry *entry, void *argument),
			   void *argument)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dqds connection", ALLOCSET_DEFAULT_SIZES);
	Snapshot snapshot = snapshot_of_now(caller);
	Scan scan;
	HeapTuple tuple;

	scan_begin(&scan, caller->schema, REGISTRY_CONNECTION, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan.desc)))
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		RegistryEntry entry;

		CHECK_FOR_INTERRUPTS();
		read_entry(caller, &scan, tuple, &entry);
		entry.secrets = read_secrets(caller, entry.id, snapshot);
		visit(&entry, argument);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	scan_end(&scan);
	UnregisterSnapshot(snapshot);
	MemoryContextDelete(context);
}

/* ---- credentials ----------------------------------------------------------------------------- */

/* Find a stored credential, whichever roles may use it; false when there is none.  All palloc'd. */
bool
registry_find_credential(const Caller *caller, const char *name, Credential *credential)
{
	Scan scan;
	ScanKeyData key;
	HeapTuple tuple;
	bool found;

	ScanKeyInit(&key, CREDENTIAL_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	scan_begin(&scan, caller->schema, REGISTRY_CREDENTIAL, true, NULL, 1, &key);
	tuple = systable_getnext(scan.desc);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		credential->id = DatumGetInt64(column(&scan, tuple, CREDENTIAL_ID));
		credential->secret = text_column(&scan, tuple, CREDENTIAL_SECRET);
		credential->allowed_hosts = text_column(&scan, tuple, CREDENTIAL_ALLOWED_HOSTS);
	}
	scan_end(&scan);
	return found;
}

/*
 * Find a stored credential that was granted to role; one that was not, and one
 * that is not there, are the same false.  The secret is palloc'd.
 */
bool
registry_credential(const Caller *caller, const char *name, Oid role, Credential *credential)
{
	return registry_find_credential(caller, name, credential) &&
		   was_granted(caller, REGISTRY_CREDENTIAL_GRANT, credential->id, role);
}

/* ---- tokens ----------------------------------------------------------------------------------- */

/* The role of a token that has not expired, by the token's SHA-256 (a bytea); InvalidOid: there is none. */
Oid
registry_token_role(const Caller *caller, Datum token_hash)
{
	Scan scan;
	ScanKeyData key;
	HeapTuple tuple;
	Oid role = InvalidOid;

	ScanKeyInit(&key, TOKEN_HASH, BTEqualStrategyNumber, F_BYTEAEQ, token_hash);
	scan_begin(&scan, caller->schema, REGISTRY_TOKEN, true, NULL, 1, &key);
	tuple = systable_getnext(scan.desc);
	if (HeapTupleIsValid(tuple) &&
		DatumGetTimestampTz(column(&scan, tuple, TOKEN_EXPIRES_AT)) > GetCurrentTimestamp())
		role = DatumGetObjectId(column(&scan, tuple, TOKEN_ROLE));
	scan_end(&scan);
	return role_is_enrolled(role) ? role : InvalidOid;
}

/* ---- what was imported --------------------------------------------------------------------- */

/* Scan the imported tables of one schema, sorted by the bytes of their names; keys has room for two. */
static void
scan_imported_tables(const Caller *caller, int64 connection_id, const char *schema_name,
					 ScanKeyData *keys, Scan *scan)
{
	bigint_key(&keys[0], IMPORTED_CONNECTION_ID, connection_id);
	ScanKeyInit(&keys[1], IMPORTED_SCHEMA_NAME, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(schema_name));
	scan_begin(scan, caller->schema, REGISTRY_IMPORTED_TABLE, true, NULL, 2, keys);
}

/*
 * Call visit for each table of a schema that was imported, sorted by the bytes of
 * their names, until it returns false.  It must copy what it wants to keep.
 */
void
imported_tables_visit(const Caller *caller, int64 connection_id, const char *schema_name,
					  bool (*visit)(const char *name, void *argument), void *argument)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dqds imported table", ALLOCSET_SMALL_SIZES);
	Scan scan;
	ScanKeyData keys[2];
	HeapTuple tuple;
	bool more = true;

	scan_imported_tables(caller, connection_id, schema_name, keys, &scan);
	while (more && HeapTupleIsValid(tuple = systable_getnext(scan.desc)))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		more = visit(text_column(&scan, tuple, IMPORTED_TABLE_NAME), argument);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	scan_end(&scan);
	MemoryContextDelete(context);
}

/* The tables of one schema that were imported; palloc'd.  connection_id 0: none. */
NameSet *
imported_tables(const Caller *caller, int64 connection_id, const char *schema_name)
{
	NameSet *imported = name_set_make();
	Scan scan;
	ScanKeyData keys[2];
	HeapTuple tuple;

	if (connection_id == 0)
		return imported;
	scan_imported_tables(caller, connection_id, schema_name, keys, &scan);
	while (HeapTupleIsValid(tuple = systable_getnext(scan.desc)))
		name_set_add(imported, text_column(&scan, tuple, IMPORTED_TABLE_NAME));
	scan_end(&scan);
	return imported;
}

/*
 * Call visit for each schema of which something was imported, sorted by the bytes
 * of their names.  The index is read by leaps: one descent for each schema,
 * however many tables it has.
 */
void
imported_schemas_visit(const Caller *caller, int64 connection_id,
					   void (*visit)(const char *name, void *argument), void *argument)
{
	char *last = NULL;

	while (connection_id != 0)
	{
		Scan scan;
		ScanKeyData keys[2];
		HeapTuple tuple;

		bigint_key(&keys[0], IMPORTED_CONNECTION_ID, connection_id);
		if (last != NULL)
			ScanKeyInit(&keys[1], IMPORTED_SCHEMA_NAME, BTGreaterStrategyNumber, F_TEXT_GT,
						CStringGetTextDatum(last));
		scan_begin(&scan, caller->schema, REGISTRY_IMPORTED_TABLE, true, NULL, last == NULL ? 1 : 2,
				   keys);
		tuple = systable_getnext(scan.desc);
		last = HeapTupleIsValid(tuple) ? text_column(&scan, tuple, IMPORTED_SCHEMA_NAME) : NULL;
		scan_end(&scan);
		if (last == NULL)
			break;
		visit(last, argument);
	}
}

static void
add_to_set(const char *name, void *argument)
{
	name_set_add(argument, unconstify(char *, name));
}

/* The same as a set; palloc'd. */
NameSet *
imported_schemas(const Caller *caller, int64 connection_id)
{
	NameSet *imported = name_set_make();

	imported_schemas_visit(caller, connection_id, add_to_set, imported);
	return imported;
}
