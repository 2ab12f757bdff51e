/*
 * privileges.c
 *		Grants privileges on objects of the extension to roles, and revokes them.
 *
 * It executes the parsed form of GRANT and REVOKE, not their text: a command
 * would run the event triggers of the database as the owner, with objects whose
 * names the caller may have chosen.  The parsed form refers to objects by the
 * names in the catalog: if a schema is renamed at that moment, the privilege
 * may be changed on another object that has taken the name, or on none; but no
 * code of that object runs.
 *
 * Owns: the parsed commands, and the locks under which they run.  It must not
 * decide which role gets which privilege: its callers do, within owner_run().
 */
#include "postgres.h"

#include "access/htup.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/pg_list.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "engine/limits.h"
#include "registry/privileges.h"

/* A function's qualified name and argument types, as GRANT takes them. */
static Node *
function_name(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	ObjectWithArgs *name = makeNode(ObjectWithArgs);
	Form_pg_proc proc;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	name->objname = list_make2(makeString(get_namespace_name(proc->pronamespace)),
							   makeString(pstrdup(NameStr(proc->proname))));
	for (int i = 0; i < proc->pronargs; i++)
		name->objargs =
			lappend(name->objargs, makeTypeNameFromOid(proc->proargtypes.values[i], -1));
	ReleaseSysCache(tuple);
	return (Node *) name;
}

static Node *
relation_name(Oid relation)
{
	return (Node *) makeRangeVar(get_namespace_name(get_rel_namespace(relation)),
								 get_rel_name(relation), -1);
}

static Node *
schema_name(Oid schema)
{
	return (Node *) makeString(get_namespace_name(schema));
}

typedef struct PrivilegeKind
{
	ObjectType type;
	const char *privilege;
	Node *(*name)(Oid object);
} PrivilegeKind;

static const PrivilegeKind kinds[] = {
	[PRIVILEGE_EXECUTE] = {OBJECT_FUNCTION, "execute", function_name},
	[PRIVILEGE_SELECT] = {OBJECT_TABLE, "select", relation_name},
	[PRIVILEGE_USAGE] = {OBJECT_SCHEMA, "usage", schema_name},
};

static List *
grantees(Oid role)
{
	RoleSpec *grantee = makeNode(RoleSpec);

	grantee->roletype = ROLESPEC_CSTRING;
	grantee->rolename = GetUserNameFromId(role, false);
	grantee->location = -1;
	return list_make1(grantee);
}

static List *
privileges(const char *name)
{
	AccessPriv *privilege = makeNode(AccessPriv);

	privilege->priv_name = pstrdup(name);
	return list_make1(privilege);
}

/*
 * Grant a role one kind of privilege on count objects or, unless granted,
 * revoke it.  Must be called within owner_run(), holding privileges_lock().
 * Errors: those of GRANT and REVOKE.
 */
void
privileges_change(Privilege privilege, const Oid *objects, int count, Oid role, bool granted)
{
	GrantStmt *statement = makeNode(GrantStmt);

	if (count == 0)
		return;
	statement->is_grant = granted;
	statement->targtype = ACL_TARGET_OBJECT;
	statement->objtype = kinds[privilege].type;
	for (int i = 0; i < count; i++)
		statement->objects = lappend(statement->objects, kinds[privilege].name(objects[i]));
	statement->privileges = privileges(kinds[privilege].privilege);
	statement->grantees = grantees(role);
	statement->behavior = DROP_RESTRICT;
	ExecuteGrantStmt(statement);
	CommandCounterIncrement();
}

/*
 * Take a lock until the end of the transaction, because PostgreSQL refuses two
 * concurrent changes of the privileges on one object.  If wait is false, it
 * returns false if another transaction holds the lock.  There are two locks, so
 * that a long transaction that enrols a role does not keep admins from changing
 * levels.
 */
bool
privileges_lock(PrivilegesLock lock, bool wait)
{
	LOCKTAG tag;

	limits_privileges_tag(&tag, (uint32) lock);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}
