/*
 * owner_call.c
 *		Calls the extension's internal SQL functions as the owner of its tables.
 *
 * Nobody but the owner may execute those functions.  The identity is switched
 * for the one call only, so nothing of the caller's (a search_path, an operator)
 * runs with it: the call itself is schema-qualified, and the functions set their
 * own search_path.  Whether the caller may have it done is checked before, by
 * those who call this.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "dqds.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Add an argument; its type must be exactly that of the function's parameter. */
void
owner_call_add(OwnerCall *call, Oid type, Datum value, bool isnull)
{
	Assert(call->count < MAX_OWNER_CALL_ARGUMENTS);
	call->types[call->count] = type;
	call->values[call->count] = value;
	call->nulls[call->count] = isnull ? 'n' : ' ';
	call->count++;
}

/* NULL becomes SQL's NULL. */
void
owner_call_add_jsonb(OwnerCall *call, Jsonb *value)
{
	owner_call_add(call, JSONBOID, JsonbPGetDatum(value), value == NULL);
}

void
owner_call_add_text(OwnerCall *call, const char *value)
{
	owner_call_add(call, TEXTOID, CStringGetTextDatum(value), false);
}

/*
 * Run "SELECT * FROM schema.function(...)" as the registry's owner.  The rows
 * are in SPI_tuptable; the caller has connected to SPI and finishes it.  On an
 * error, the abort of the transaction restores the identity.
 */
void
owner_call_rows(const Caller *caller, const char *function, OwnerCall *call)
{
	StringInfoData sql;
	Oid saved_user;
	int saved_context;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT * FROM %s.%s(",
					 quote_identifier(get_namespace_name(caller->schema)), function);
	for (int i = 0; i < call->count; i++)
		appendStringInfo(&sql, "%s$%d", i == 0 ? "" : ", ", i + 1);
	appendStringInfoChar(&sql, ')');

	GetUserIdAndSecContext(&saved_user, &saved_context);
	SetUserIdAndSecContext(caller->owner, saved_context | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_execute_with_args(sql.data, call->count, call->types, call->values, call->nulls, false,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not run %s", function);
	SetUserIdAndSecContext(saved_user, saved_context);
}

/*
 * The same for a function whose result does not matter.  It is called directly: the
 * plan of a query would hold the arguments, a kept secret among them, and every
 * caller may have plans shown to him (debug_print_plan).
 */
void
owner_call(const Caller *caller, const char *function, OwnerCall *call)
{
	LOCAL_FCINFO(fcinfo, MAX_OWNER_CALL_ARGUMENTS);
	FmgrInfo flinfo;
	Oid saved_user;
	int saved_context;
	Oid oid = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(function),
							  PointerGetDatum(buildoidvector(call->types, call->count)),
							  ObjectIdGetDatum(caller->schema));

	if (!OidIsValid(oid))
		elog(ERROR, "function %s of extension dqds is missing", function);
	fmgr_info(oid, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, call->count, DEFAULT_COLLATION_OID, NULL, NULL);
	for (int i = 0; i < call->count; i++)
	{
		fcinfo->args[i].value = call->values[i];
		fcinfo->args[i].isnull = call->nulls[i] == 'n';
	}
	GetUserIdAndSecContext(&saved_user, &saved_context);
	SetUserIdAndSecContext(caller->owner, saved_context | SECURITY_LOCAL_USERID_CHANGE);
	(void) FunctionCallInvoke(fcinfo);
	SetUserIdAndSecContext(saved_user, saved_context);
}
