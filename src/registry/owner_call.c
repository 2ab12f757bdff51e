/*
 * owner_call.c
 *		Runs the extension's internal SQL functions as the owner of its tables.
 *
 * No one else may execute those functions.  The user ID is switched for a
 * single call.  No code that runs as the owner is looked up by a name that
 * another role could have taken: the functions are found by name and argument
 * types in the extension's schema, where no other function can have both, and
 * their bodies were parsed when the extension was created.  The callers of this
 * file check beforehand whether the calling role may make the change.
 *
 * A change waits only briefly for other transactions, and then fails with
 * DQDS_BUSY: a caller that keeps a lock must not block all others.
 *
 * Owns: the switch of the user ID, the settings in force meanwhile, and the
 * translation of errors of tables into errors that the caller understands.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/caller.h"
#include "base/compat.h"
#include "base/failure.h"
#include "registry/owner_call.h"

/* How long a change waits for a lock, unless the caller has set lock_timeout. */
#define LOCK_TIMEOUT_MS 1000

/* ---- arguments ---------------------------------------------------------------------- */

/*
 * Add an argument; its type must be exactly that of the function's parameter.
 * Datums are not copied.
 */
void
owner_call_add(OwnerCall *call, Oid type, Datum value, bool isnull)
{
	if (call->count >= MAX_OWNER_CALL_ARGUMENTS)
		elog(ERROR, "an internal function has more than %d arguments", MAX_OWNER_CALL_ARGUMENTS);
	call->types[call->count] = type;
	call->values[call->count] = value;
	call->nulls[call->count] = isnull;
	call->count++;
}

/* NULL becomes a null argument. */
void
owner_call_add_jsonb(OwnerCall *call, Jsonb *value)
{
	owner_call_add(call, JSONBOID, JsonbPGetDatum(value), value == NULL);
}

/* NULL becomes a null argument. */
void
owner_call_add_text(OwnerCall *call, const char *value)
{
	owner_call_add(call, TEXTOID, value == NULL ? (Datum) 0 : CStringGetTextDatum(value),
				   value == NULL);
}

#define AUTO_EXPLAIN_PARAMETERS "auto_explain.log_parameter_max_length"

/* ---- as the owner -------------------------------------------------------------------- */

/* context: who may set that; the caller's own rights do not matter. */
static void
set_locally(const char *name, const char *value, GucContext context)
{
	(void) set_config_option(name, value, context, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* These are in force until the GUC nesting level ends, also by an error. */
static void
set_settings(void)
{
	char timeout[16];

	if (LockTimeout == 0)
	{
		snprintf(timeout, sizeof(timeout), "%d", LOCK_TIMEOUT_MS);
		set_locally("lock_timeout", timeout, PGC_USERSET);
	}
	set_locally("search_path", "pg_catalog, pg_temp", PGC_USERSET);
	/*
	 * A custom plan would contain the arguments, including a secret, and any
	 * caller can have plans logged.
	 */
	set_locally("plan_cache_mode", "force_generic_plan", PGC_USERSET);
	/* What is searched for has an index; statistics, which may be old, must not say otherwise. */
	set_locally("enable_seqscan", "off", PGC_USERSET);
	set_locally("jit", "off", PGC_USERSET);
	/* From PostgreSQL 16 on auto_explain logs the arguments as well, where it is loaded. */
	if (dqds_find_setting(AUTO_EXPLAIN_PARAMETERS) != NULL)
		set_locally(AUTO_EXPLAIN_PARAMETERS, "0", PGC_SUSET);
}

/*
 * Has the same privilege been changed concurrently?  GRANT and REVOKE do not
 * take privileges_lock(), and their concurrent change is reported as an
 * internal error.
 */
static bool
is_concurrent_update(void)
{
	ErrorData *error = CopyErrorData();
	bool result =
		error->sqlerrcode == ERRCODE_INTERNAL_ERROR && error->message != NULL &&
		strncmp(error->message, "tuple concurrently ", strlen("tuple concurrently ")) == 0;

	FreeErrorData(error);
	return result;
}

/*
 * Report that an object that was just found cannot be changed: it was dropped
 * meanwhile, or it is newer than this transaction's snapshot, to which changes
 * are limited.  Always raises an error: 42704 or 40001.
 */
void
owner_call_found_nothing(const char *what)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("the %s was dropped concurrently", what)));
}

/* In place of the error that there is. */
static void
raise_busy(const char *what)
{
	Failure failure;

	FlushErrorState();
	failure_set(&failure, DQDS_BUSY, "Try again in a moment.",
				"another transaction is changing the same %s", what);
	failure_raise(&failure);
}

/* In place of an error of the tables, one that the caller understands. */
static void
explain_error(const char *what)
{
	switch (geterrcode())
	{
		case ERRCODE_INTERNAL_ERROR:
			if (is_concurrent_update())
				raise_busy(what);
			break;
		case ERRCODE_LOCK_NOT_AVAILABLE:
			raise_busy(what);
			break;
		case ERRCODE_UNIQUE_VIOLATION:
			FlushErrorState();
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
							errmsg("a %s with this name already exists", what)));
			break;
		default:
			break;
	}
}

/* The common part of owner_run() and owner_read(). */
static void
run_as_owner(const Caller *caller, const char *what, void (*work)(void *argument), void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	int level = NewGUCNestLevel();
	Oid saved_user;
	int saved_context;

	GetUserIdAndSecContext(&saved_user, &saved_context);
	SetUserIdAndSecContext(caller->owner, saved_context | SECURITY_LOCAL_USERID_CHANGE);
	set_settings();
	PG_TRY();
	{
		work(argument);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		explain_error(what);
		PG_RE_THROW();
	}
	PG_END_TRY();
	/* After an error, the end of the transaction or subtransaction restores both. */
	SetUserIdAndSecContext(saved_user, saved_context);
	AtEOXact_GUC(true, level);
}

/*
 * Run work(argument) as the owner of the registry. what is the kind of object
 * that it changes, for messages.  Errors: QD022 if it has to wait too long for
 * another transaction, 42704 if the object was dropped concurrently, 42710 if its
 * name is taken, and those of work.
 */
void
owner_run(const Caller *caller, const char *what, void (*work)(void *argument), void *argument)
{
	/*
	 * All changes pass here, so this also stops a function that a parallel safe
	 * one calls by mistake.
	 */
	PreventCommandIfParallelMode(get_func_name(caller->function));
	run_as_owner(caller, what, work, argument);
	/* Make the change visible to the rest of the statement. */
	CommandCounterIncrement();
}

/* The extension's function with this name and the argument types of call. */
static Oid
internal_function(const Caller *caller, const char *function, const OwnerCall *call)
{
	Oid oid = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(function),
							  PointerGetDatum(buildoidvector(call->types, call->count)),
							  ObjectIdGetDatum(caller->schema));

	if (!OidIsValid(oid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("function \"%s\" of extension dqds is missing", function),
						errhint("Bring the extension up to date: ALTER EXTENSION dqds UPDATE.")));
	return oid;
}

/*
 * Call an internal function without switching the user ID: for functions that
 * need no privilege, and within owner_run().  Returns its value; isnull may be
 * NULL.  The call is direct, because the plan of a query would contain the
 * arguments.
 */
Datum
owner_call_inside(const Caller *caller, const char *function, OwnerCall *call, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, MAX_OWNER_CALL_ARGUMENTS);
	FmgrInfo flinfo;
	Datum result;

	fmgr_info(internal_function(caller, function, call), &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, call->count, DEFAULT_COLLATION_OID, NULL, NULL);
	for (int i = 0; i < call->count; i++)
	{
		fcinfo->args[i].value = call->values[i];
		fcinfo->args[i].isnull = call->nulls[i];
	}
	result = FunctionCallInvoke(fcinfo);
	if (isnull != NULL)
		*isnull = fcinfo->isnull;
	return result;
}

typedef struct Invocation
{
	const Caller *caller;
	const char *function;
	OwnerCall *call;
	Datum result;
	bool isnull;
} Invocation;

static void
invoke(void *argument)
{
	Invocation *invocation = argument;

	invocation->result = owner_call_inside(invocation->caller, invocation->function,
										   invocation->call, &invocation->isnull);
}

/*
 * Call an internal function as the owner; returns its value. isnull may be
 * NULL.  Errors: those of owner_run().
 */
Datum
owner_call(const Caller *caller, const char *function, OwnerCall *call, bool *isnull)
{
	Invocation invocation = {caller, function, call, (Datum) 0, false};

	owner_run(caller, call->what == NULL ? "connection" : call->what, invoke, &invocation);
	if (isnull != NULL)
		*isnull = invocation.isnull;
	return invocation.result;
}

/* The same for an internal function that only reads. */
Datum
owner_read(const Caller *caller, const char *function, OwnerCall *call, bool *isnull)
{
	Invocation invocation = {caller, function, call, (Datum) 0, false};

	run_as_owner(caller, call->what, invoke, &invocation);
	*isnull = invocation.isnull;
	return invocation.result;
}
