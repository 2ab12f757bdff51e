/*
 * caller.c
 *		The role that calls a SQL function, and the level that this role has.
 *
 * A role has a level if it may execute a certain function that lower levels may
 * not.
 *
 * It must not know what the called function does.
 */
#include "postgres.h"

#include "access/htup.h"
#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "base/caller.h"
#include "base/compat.h"
#include "base/extension_schema.h"

/*
 * Fill in the calling role and the SQL function; each SQL function calls this
 * first.  PostgreSQL checked EXECUTE when the query began, for the role at that
 * time: a cursor may be fetched from as another role, or after the privilege
 * was revoked.  Errors: 42501.
 */
void
caller_init(Caller *caller, FunctionCallInfo fcinfo)
{
	HeapTuple tuple;
	Form_pg_proc proc;

	/* Otherwise a long transaction would miss privileges that were revoked meanwhile. */
	AcceptInvalidationMessages();
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	caller->role = GetUserId();
	caller->function = fcinfo->flinfo->fn_oid;
	if (!dqds_may_execute(caller->function, caller->role))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, NameStr(proc->proname));
	caller->schema = extension_schema(tuple);
	caller->owner = proc->proowner;
	for (int i = 0; i < lengthof(caller->argument_types); i++)
		caller->argument_types[i] = i < proc->pronargs ? proc->proargtypes.values[i] : InvalidOid;
	ReleaseSysCache(tuple);
}

/* May the caller execute the extension's function with this name and these argument types? */
static bool
caller_may_execute(const Caller *caller, const char *name, const Oid *types, int count)
{
	Oid function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
								   PointerGetDatum(buildoidvector(types, count)),
								   ObjectIdGetDatum(caller->schema));

	return OidIsValid(function) && dqds_may_execute(function, caller->role);
}

/* Is the caller an admin?  The privilege to grant levels is itself the level. */
bool
caller_is_admin(const Caller *caller)
{
	static const Oid types[] = {TEXTOID, REGROLEOID};

	return caller_may_execute(caller, "dqds_grant", types, lengthof(types));
}

/* May the caller change its own connections? */
bool
caller_is_editor(const Caller *caller)
{
	static const Oid types[] = {TEXTOID, TEXTOID};

	return caller_may_execute(caller, "dqds_update_connection", types, lengthof(types));
}

/* May the caller test connections and list what they hold? */
bool
caller_is_operator(const Caller *caller)
{
	static const Oid types[] = {TEXTOID, BOOLOID};

	return caller_may_execute(caller, "dqds_list_schemas", types, lengthof(types));
}
