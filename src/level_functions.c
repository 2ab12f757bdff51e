/*
 * level_functions.c
 *		SQL functions that give a role a level, and take it away.
 *
 * A level is nothing but PostgreSQL's privileges on the objects that
 * dqds_level_objects() in the install script lists.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "dqds.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dqds_grant);
PG_FUNCTION_INFO_V1(dqds_revoke);

/* One more than the highest rank of a level. */
#define BEYOND_RANKS 100

typedef struct LevelChange
{
	const Caller *caller;
	bool granted; /* else revoked */
	char *level;
	Oid role;
} LevelChange;

/* The rank of a level; an unknown one is the error 22023. */
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

/* The privileges of the ranks from first to last, as GRANT takes them: an array of text. */
static ArrayType *
level_privileges(const Caller *caller, int first, int last)
{
	OwnerCall call = {0};

	owner_call_add(&call, INT4OID, Int32GetDatum(first), false);
	owner_call_add(&call, INT4OID, Int32GetDatum(last), false);
	return DatumGetArrayTypeP(owner_call_inside(caller, "dqds_level_privileges", &call, NULL));
}

/* Without USAGE on the schema no privilege in it is of use. */
static void
grant_usage(const LevelChange *change, const char *role)
{
	if (!dqds_may_use_schema(change->caller->schema, change->role))
		owner_command(psprintf("GRANT USAGE ON SCHEMA %s TO %s",
							   quote_identifier(get_namespace_name(change->caller->schema)), role));
}

/* A level includes those before it, so a role that loses one loses those after it. */
static void
change_level(void *argument)
{
	const LevelChange *change = argument;
	const char *role = quote_identifier(GetUserNameFromId(change->role, false));
	int rank = level_rank(change->caller, change->level);
	Datum *privileges;
	bool *nulls;
	int count;

	privileges_lock(change->caller);
	deconstruct_array(level_privileges(change->caller, change->granted ? 0 : rank,
									   change->granted ? rank : BEYOND_RANKS),
					  TEXTOID, -1, false, TYPALIGN_INT, &privileges, &nulls, &count);
	for (int i = 0; i < count; i++)
		owner_command(psprintf(change->granted ? "GRANT %s TO %s" : "REVOKE %s FROM %s",
							   TextDatumGetCString(privileges[i]), role));
	if (change->granted)
		grant_usage(change, role);
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
	/* By now: the first connection of the role would have to wait for others that change privileges. */
	if (granted)
		role_enrol(&caller, change.role);
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
