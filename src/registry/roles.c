/*
 * roles.c
 *		The roles to which the registry refers: their type, and which of them still exist.
 *
 * PostgreSQL may reuse the OID of a dropped role, and after a dump is restored,
 * roles have other OIDs.  So an OID alone does not identify a role.  A role to
 * which the registry refers is enrolled: it is granted EXECUTE on the function
 * dqds_enrolled().  PostgreSQL refuses to drop a role that has such a grant,
 * and DROP OWNED revokes it; so the OID of a role without it is void. pg_dump
 * includes the grant, by the name of the role.
 *
 * Owns: the type dqds_role, the enrolment of roles, and arguments that are
 * roles.  It must not decide what a role may do.
 */
#include "postgres.h"

#include "access/htup.h"
#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/caller.h"
#include "base/misplaced_secret.h"
#include "registry/owner_call.h"
#include "registry/privileges.h"
#include "registry/roles.h"

PG_FUNCTION_INFO_V1(dqds_enrolled);
PG_FUNCTION_INFO_V1(dqds_role_in);
PG_FUNCTION_INFO_V1(dqds_role_out);
PG_FUNCTION_INFO_V1(dqds_live_role);

#define ENROLLED_FUNCTION "dqds_enrolled"

/* ---- enrolment -------------------------------------------------------------------- */

/*
 * It is in pg_catalog, so that GRANT ...  ON ALL FUNCTIONS IN SCHEMA for the
 * extension's schema enrols no one.
 */
static Oid
enrolled_function(void)
{
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(ENROLLED_FUNCTION),
						   PointerGetDatum(buildoidvector(NULL, 0)),
						   ObjectIdGetDatum(PG_CATALOG_NAMESPACE));
}

/* Is EXECUTE granted to this role itself, not to PUBLIC or to a role that it is a member of? */
static bool
is_grantee(Acl *acl, Oid role)
{
	const AclItem *items = ACL_DAT(acl);

	for (int i = 0; i < ACL_NUM(acl); i++)
		if (items[i].ai_grantee == role && (ACLITEM_GET_PRIVS(items[i]) & ACL_EXECUTE) != 0)
			return true;
	return false;
}

/* Do the registry's entries for this OID apply to the role that has it now? */
bool
role_is_enrolled(Oid role)
{
	HeapTuple tuple;
	Datum value;
	bool isnull;
	bool enrolled = false;

	if (!OidIsValid(role))
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(enrolled_function()));
	if (!HeapTupleIsValid(tuple))
		return false;
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proacl, &isnull);
	if (!isnull)
	{
		Acl *acl = DatumGetAclP(value);

		enrolled = is_grantee(acl, role);
		/*
		 * The list can be long, and this runs for each row: do not keep it
		 * until the end of the query.
		 */
		if (acl != (Acl *) DatumGetPointer(value))
			pfree(acl);
	}
	ReleaseSysCache(tuple);
	return enrolled;
}

typedef struct Enrolment
{
	const Caller *caller;
	Oid role;
	bool wait; /* for a concurrent enrolment; else this one is skipped */
} Enrolment;

/* Runs as the owner.  Removes the entries of an earlier role with the same OID first. */
static void
enrol(void *argument)
{
	const Enrolment *enrolment = argument;
	Oid function = enrolled_function();
	OwnerCall call = {0};

	if (!privileges_lock(PRIVILEGES_OF_ENROLMENT, enrolment->wait))
		return;
	/* Another transaction may have done it meanwhile. */
	AcceptInvalidationMessages();
	if (role_is_enrolled(enrolment->role))
		return;
	owner_call_add(&call, REGROLEOID, ObjectIdGetDatum(enrolment->role), false);
	(void) owner_call_inside(enrolment->caller, "dqds_forget_role", &call, NULL);
	privileges_change(PRIVILEGE_EXECUTE, &function, 1, enrolment->role, true);
}

/*
 * Enrol an existing role; must be called before a row of the registry refers to
 * it.  Errors: QD022 if another transaction that enrols a role takes too long.
 */
void
role_enrol(const Caller *caller, Oid role)
{
	Enrolment enrolment = {caller, role, true};

	if (!role_is_enrolled(role))
		owner_run(caller, "role", enrol, &enrolment);
}

/* The same, but does nothing if another transaction is enrolling a role. */
void
role_enrol_at_once(const Caller *caller, Oid role)
{
	Enrolment enrolment = {caller, role, false};

	if (!role_is_enrolled(role))
		owner_run(caller, "role", enrol, &enrolment);
}

/* dqds_enrolled(): only its privileges matter */
Datum
dqds_enrolled(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_VOID();
}

/* ---- the type ---------------------------------------------------------------------- */

/* dqds_role_in: a name as in SQL, or - for no role; a number is taken as no role, too */
Datum
dqds_role_in(PG_FUNCTION_ARGS)
{
	char *text = PG_GETARG_CSTRING(0);

	if (strcmp(text, "-") == 0 || strspn(text, "0123456789") == strlen(text))
		PG_RETURN_OID(InvalidOid);
	return DirectFunctionCall1(regrolein, CStringGetDatum(text));
}

/* dqds_role_out */
Datum
dqds_role_out(PG_FUNCTION_ARGS)
{
	Oid role = PG_GETARG_OID(0);
	char *name = role_is_enrolled(role) ? GetUserNameFromId(role, true) : NULL;

	PG_RETURN_CSTRING(name == NULL ? pstrdup("-") : pstrdup(quote_identifier(name)));
}

/* dqds_live_role(role): the role, 0 when it was dropped */
Datum
dqds_live_role(PG_FUNCTION_ARGS)
{
	Oid role = PG_GETARG_OID(0);

	PG_RETURN_OID(role_is_enrolled(role) ? role : InvalidOid);
}

/* ---- arguments ---------------------------------------------------------------------- */

/* Is this the name of a role, as for to_regrole()? */
static bool
is_role_name(text *name)
{
	LOCAL_FCINFO(call, 1);

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = PointerGetDatum(name);
	call->args[0].isnull = false;
	(void) to_regrole(call);
	return !call->isnull;
}

/* Like the input function of regrole, but no message shows text that may be a secret. */
static Oid
role_of_text(text *argument)
{
	char *name = text_to_cstring(argument);

	if (name_may_hold_secret(name) && !is_role_name(argument))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errhidestmt(true), errhidecontext(true),
						errmsg("a role with this name does not exist")));
	return DatumGetObjectId(DirectFunctionCall1(regrolein, CStringGetDatum(name)));
}

static Oid
role_of_argument(const Caller *caller, FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("role must not be null")));
	if (caller->argument_types[n] != TEXTOID)
		return PG_GETARG_OID(n);
	return role_of_text(PG_GETARG_TEXT_PP(n));
}

/*
 * An existing role, in argument n (from 0), a regrole or text as regrole takes
 * it.  Errors: 22004 for NULL, 42704 for a role that does not exist.
 */
Oid
role_argument(const Caller *caller, FunctionCallInfo fcinfo, int n)
{
	Oid role = role_of_argument(caller, fcinfo, n);

	/* regrole accepts any number, and - for no role */
	if (GetUserNameFromId(role, true) == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						OidIsValid(role) ? errmsg("role \"%u\" does not exist", role)
										 : errmsg("role \"-\" does not exist")));
	return role;
}

/*
 * The same, but it may be the number of a dropped role, so that grants to that
 * can still be revoked.
 */
Oid
role_argument_or_number(const Caller *caller, FunctionCallInfo fcinfo, int n)
{
	return role_of_argument(caller, fcinfo, n);
}
