/*
 * caller.c
 *		Who calls what, and which level the caller has.
 *
 * A level is the privilege to execute a function that it has and lower ones have not.
 *
 * It must not know what the function does.
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
 * Fill in who calls which SQL function; to be done first in each of them.
 * PostgreSQL checked EXECUTE when the query began, and as the role of that time:
 * a cursor may be fetched from as another role, and after the privilege was
 * revoked.  Errors: 42501.
 */
void
caller_init(Caller *caller, FunctionCallInfo fcinfo)
{
	HeapTuple tuple;
	Form_pg_proc proc;

	/* A long transaction would not hear of what was revoked meanwhile. */
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

/* May the caller execute the function of the extension that has this name and these types? */
static bool
caller_may_execute(const Caller *caller, const char *name, const Oid *types, int count)
{
	Oid function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
								   PointerGetDatum(buildoidvector(types, count)),
								   ObjectIdGetDatum(caller->schema));

	return OidIsValid(function) && dqds_may_execute(function, caller->role);
}

/* A caller that may grant levels is an admin: the privilege itself is the level. */
bool
caller_is_admin(const Caller *caller)
{
	static const Oid types[] = {TEXTOID, REGROLEOID};

	return caller_may_execute(caller, "dqds_grant", types, lengthof(types));
}

/* May the caller change connections of its own? */
bool
caller_is_editor(const Caller *caller)
{
	static const Oid types[] = {TEXTOID, TEXTOID};

	return caller_may_execute(caller, "dqds_update_connection", types, lengthof(types));
}

/* May the caller test and list? */
bool
caller_is_operator(const Caller *caller)
{
	static const Oid types[] = {TEXTOID, BOOLOID};

	return caller_may_execute(caller, "dqds_list_schemas", types, lengthof(types));
}
