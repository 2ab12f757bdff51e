/*
 * token_functions.c
 *		SQL functions that create, revoke and look up the tokens of the HTTP bridge.
 *
 * A token is 256 random bits that stand for a role.  It is shown once, to the
 * role that creates it; the database stores its SHA-256, and the bridge sends
 * that.  So neither a dump nor a log of the control database contains anything
 * that gives access to it.
 *
 * A token can be created only for a role to which its creator may SET ROLE, and
 * never for a superuser or a predefined role.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "common/string.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/misplaced_secret.h"
#include "registry/owner_call.h"
#include "registry/registry.h"
#include "registry/roles.h"

PG_FUNCTION_INFO_V1(dqds_create_token_1_1);
PG_FUNCTION_INFO_V1(dqds_revoke_token);
PG_FUNCTION_INFO_V1(dqds_token_role);

#define TOKEN_PREFIX "dqds_"
#define TOKEN_BYTES  32

/* May the caller create tokens for this role?  Errors: 42501. */
static void
check_token_role(const Caller *caller, Oid role)
{
	char *name = GetUserNameFromId(role, false);

	if (superuser_arg(role) || strncmp(name, "pg_", 3) == 0)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("a token cannot stand for role \"%s\"", name),
						errdetail("It is a superuser or a predefined role."),
						errhint("Create a role that has only the required level.")));
	if (!dqds_may_become(caller->role, role))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be member of role \"%s\" to create a token for it", name)));
}

/* The lifetime of the token: an interval, or text in that form. */
static Datum
interval_argument(const Caller *caller, FunctionCallInfo fcinfo)
{
	char *value;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the time after which a token expires must not be null")));
	if (caller->argument_types[1] != TEXTOID)
		return PG_GETARG_DATUM(1);
	value = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (name_may_hold_secret(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_DATETIME_FORMAT),
						errmsg("the time after which a token expires must be an interval")));
	return DirectFunctionCall3(interval_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid),
							   Int32GetDatum(-1));
}

/* The time at which the token expires; every token must. */
static TimestampTz
read_expiry(const Caller *caller, FunctionCallInfo fcinfo)
{
	TimestampTz expires = DatumGetTimestampTz(
		DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()),
							interval_argument(caller, fcinfo)));

	if (expires <= GetCurrentTimestamp())
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a token must expire in the future")));
	return expires;
}

static char *
new_token(void)
{
	unsigned char random[TOKEN_BYTES];
	StringInfoData token;

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a token")));
	initStringInfo(&token);
	appendStringInfoString(&token, TOKEN_PREFIX);
	for (int i = 0; i < TOKEN_BYTES; i++)
		appendStringInfo(&token, "%02x", random[i]);
	explicit_bzero(random, sizeof(random));
	return token.data;
}

static Datum
hash_of(const char *token)
{
	/* ASCII text has the same bytes as a bytea. */
	return DirectFunctionCall1(sha256_bytea, CStringGetTextDatum(token));
}

/* dqds_create_token(role, expires_in, description): the token, which is shown only here */
Datum
dqds_create_token_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {.what = "token"};
	TimestampTz expires;
	char *token;
	Oid role;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	PreventCommandIfReadOnly("dqds_create_token");
	role = role_argument(&caller, fcinfo, 0);
	check_token_role(&caller, role);
	expires = read_expiry(&caller, fcinfo);
	token = new_token();

	role_enrol(&caller, role);
	role_enrol(&caller, caller.role);
	owner_call_add(&call, REGROLEOID, ObjectIdGetDatum(role), false);
	owner_call_add(&call, BYTEAOID, hash_of(token), false);
	owner_call_add(&call, REGROLEOID, ObjectIdGetDatum(caller.role), false);
	owner_call_add(&call, TIMESTAMPTZOID, TimestampTzGetDatum(expires), false);
	owner_call_add(&call, TEXTOID, PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2),
				   PG_ARGISNULL(2));
	(void) owner_call(&caller, "dqds_store_token", &call, NULL);
	statement_show(&scope);
	PG_RETURN_TEXT_P(cstring_to_text(token));
}

/* The message does not show the text: it may be the token itself. */
static int64
token_id_from_text(const char *text)
{
	char *end;
	long long id;

	errno = 0;
	id = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), errmsg("token_id must be a number"),
				 errhint("The view dqds_tokens shows the tokens with their numbers.")));
	return id;
}

/* The number of a token: a bigint, an integer, or text in that form. */
static int64
token_id_argument(const Caller *caller, FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("token_id must not be null")));
	switch (caller->argument_types[0])
	{
		case INT4OID:
			return PG_GETARG_INT32(0);
		case TEXTOID:
			return token_id_from_text(text_to_cstring(PG_GETARG_TEXT_PP(0)));
		default:
			return PG_GETARG_INT64(0);
	}
}

/* dqds_revoke_token(token_id); errors: 42704 if there is no such token */
Datum
dqds_revoke_token(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {.what = "token"};
	int64 id;
	bool unknown;

	caller_init(&caller, fcinfo);
	/* The token itself may have been given in place of its number. */
	statement_hide(&scope);
	PreventCommandIfReadOnly("dqds_revoke_token");
	id = token_id_argument(&caller, fcinfo);
	owner_call_add(&call, INT8OID, Int64GetDatum(id), false);
	(void) owner_call(&caller, "dqds_remove_token", &call, &unknown);
	if (unknown)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("token %lld does not exist", (long long) id),
						errhint("The view dqds_tokens shows the tokens.")));
	statement_show(&scope);
	PG_RETURN_VOID();
}

/*
 * dqds_token_role(token_hash): the role of a token.  Errors: 28000, with the
 * same message, for a token that is unknown, has expired, or stands for a role
 * that was dropped or has become a superuser.
 */
Datum
dqds_token_role(PG_FUNCTION_ARGS)
{
	Caller caller;
	Oid role = InvalidOid;
	char *name = NULL;

	caller_init(&caller, fcinfo);
	if (!PG_ARGISNULL(0))
		role = registry_token_role(&caller, PG_GETARG_DATUM(0));
	if (OidIsValid(role) && !superuser_arg(role))
		name = GetUserNameFromId(role, true);
	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
						errmsg("a valid bearer token is required")));
	PG_RETURN_DATUM(DirectFunctionCall1(namein, CStringGetDatum(name)));
}
