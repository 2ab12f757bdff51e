/*
 * level_functions.c
 *		SQL functions that grant a level to a role, revoke it, and find the level that a caller lacks.
 *
 * A level consists only of PostgreSQL privileges on the objects that
 * dqds_level_objects() in the install script lists, which is where levels are
 * defined.  Here only one hint repeats their names, which
 * t/extension/116_documents.pl compares.  This file must not grant connections
 * or credentials.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/misplaced_secret.h"
#include "base/remote_text.h"
#include "registry/owner_call.h"
#include "registry/privileges.h"
#include "registry/roles.h"

PG_FUNCTION_INFO_V1(dqds_grant);
PG_FUNCTION_INFO_V1(dqds_revoke);
PG_FUNCTION_INFO_V1(dqds_missing_level);

/* Above the highest rank of a level. */
#define BEYOND_RANKS 100

typedef struct LevelChange
{
	const Caller *caller;
	bool granted; /* else it is revoked */
	char *level;
	Oid role;
} LevelChange;

/* The rank of a level.  Errors: 22023 if it is unknown. */
static int
level_rank(const Caller *caller, const char *level)
{
	OwnerCall call = {0};
	bool unknown;
	Datum rank;

	owner_call_add_text(&call, level);
	rank = owner_call_inside(caller, "dqds_level_rank", &call, &unknown);
	if (unknown)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 name_may_hold_secret(level) ? errmsg("unknown level")
											 : errmsg("unknown level \"%s\"", visible_text(level)),
				 errhint("Levels are viewer, operator, editor and admin.")));
	return DatumGetInt32(rank);
}

/* Change the privileges on the views, or functions, of the levels with ranks from first to last. */
static void
change_kind(const LevelChange *change, const char *kind, Privilege privilege, int first, int last)
{
	OwnerCall call = {0};
	bool none;
	Datum members;
	ArrayType *array;

	owner_call_add_text(&call, kind);
	owner_call_add(&call, INT4OID, Int32GetDatum(first), false);
	owner_call_add(&call, INT4OID, Int32GetDatum(last), false);
	members = owner_call_inside(change->caller, "dqds_level_members", &call, &none);
	if (none)
		return;
	array = DatumGetArrayTypeP(members);
	privileges_change(privilege, (Oid *) ARR_DATA_PTR(array),
					  ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)), change->role,
					  change->granted);
}

/* Without USAGE on the schema, privileges on its objects have no effect. */
static void
grant_usage(const LevelChange *change)
{
	if (!dqds_may_use_schema(change->caller->schema, change->role))
		privileges_change(PRIVILEGE_USAGE, &change->caller->schema, 1, change->role, true);
}

/* A level includes all lower ones, so a role that loses a level loses the higher ones, too. */
static void
change_level(void *argument)
{
	const LevelChange *change = argument;
	int rank = level_rank(change->caller, change->level);
	int first = change->granted ? 0 : rank;
	int last = change->granted ? rank : BEYOND_RANKS;

	(void) privileges_lock(PRIVILEGES_OF_LEVELS, true);
	change_kind(change, "view", PRIVILEGE_SELECT, first, last);
	change_kind(change, "function", PRIVILEGE_EXECUTE, first, last);
	if (change->granted)
		grant_usage(change);
}

static void
run_change(FunctionCallInfo fcinfo, bool granted)
{
	Caller caller;
	StatementScope scope;
	LevelChange change = {.caller = &caller, .granted = granted};

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	PreventCommandIfReadOnly(granted ? "dqds_grant" : "dqds_revoke");
	change.level = name_argument(fcinfo, 0, "level");
	change.role = role_argument(&caller, fcinfo, 1);
	owner_run(&caller, "privilege", change_level, &change);
	/*
	 * Enrol the role now, if possible without waiting, so that its first
	 * connection need not wait for the lock.
	 */
	if (granted)
		role_enrol_at_once(&caller, change.role);
	statement_show(&scope);
}

/* dqds_grant(level, role) */
Datum
dqds_grant(PG_FUNCTION_ARGS)
{
	run_change(fcinfo, true);
	PG_RETURN_VOID();
}

/* dqds_revoke(level, role) */
Datum
dqds_revoke(PG_FUNCTION_ARGS)
{
	run_change(fcinfo, false);
	PG_RETURN_VOID();
}

/* ---- missing level -------------------------------------------------------------------- */

/* May the caller execute the function with this name that the bridge calls? */
static bool
may_call_for_bridge(const Caller *caller, const char *name)
{
	CatCList *functions = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	bool may = false;

	for (int i = 0; i < functions->n_members && !may; i++)
	{
		Form_pg_proc function = (Form_pg_proc) GETSTRUCT(&functions->members[i]->tuple);

		may = function->pronamespace == PG_CATALOG_NAMESPACE &&
			  dqds_may_execute(function->oid, caller->role);
	}
	ReleaseSysCacheList(functions);
	return may;
}

/* The lowest level that includes a function; NULL if none does. */
static char *
level_of(const Caller *caller, const char *function)
{
	OwnerCall call = {.what = "privilege"};
	bool none;
	Datum level;

	owner_call_add_text(&call, function);
	level = owner_read(caller, "dqds_level_of", &call, &none);
	return none ? NULL : TextDatumGetCString(level);
}

/*
 * dqds_missing_level(function_name, name_role): a message saying which level
 * the caller needs for a function that the bridge calls; NULL if the caller
 * lacks none.  The message contains the name of the role only if name_role is
 * true.
 */
Datum
dqds_missing_level(PG_FUNCTION_ARGS)
{
	Caller caller;
	char *function;
	char *level;
	char *role;

	caller_init(&caller, fcinfo);
	function = name_argument(fcinfo, 0, "function_name");
	level = may_call_for_bridge(&caller, function) ? NULL : level_of(&caller, function);
	if (level == NULL)
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1) || !PG_GETARG_BOOL(1))
		PG_RETURN_TEXT_P(cstring_to_text(
			psprintf("this needs the level %s, which an admin grants with dqds_grant('%s', ROLE)",
					 level, level)));
	role = GetUserNameFromId(caller.role, false);
	PG_RETURN_TEXT_P(cstring_to_text(
		psprintf("role \"%s\" needs the level %s, which an admin grants with dqds_grant('%s', %s)",
				 visible_text(role), level, level, quote_literal_cstr(quote_identifier(role)))));
}
