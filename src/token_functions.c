/*
 * token_functions.c
 *		SQL functions that make and revoke the tokens of the HTTP bridge.
 *
 * A token is 256 random bits that stand for a role.  It is shown once, to its
 * maker; the database keeps its SHA-256, and the bridge sends that.  So neither
 * a dump nor a log of the control database holds anything that would open it.
 *
 * A maker can hand on only roles that he is a member of himself, and nobody a
 * superuser's or a predefined one.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "common/string.h"
#include "compat.h"
#include "dqds.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dqds_create_token);

#define TOKEN_PREFIX "dqds_"
#define TOKEN_BYTES  32

/* May the caller hand this role on? */
static void
check_token_role(const Caller *caller, Oid role)
{
	char *name = GetUserNameFromId(role, true);

	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role %u does not exist", role)));
	if (superuser_arg(role) || strncmp(name, "pg_", 3) == 0)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("a token cannot stand for role \"%s\"", name),
						errdetail("It is a superuser or a predefined role."),
						errhint("Create a role that has just the level that is needed.")));
	if (!is_member_of_role(caller->role, role))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be member of role \"%s\" to make a token for it", name)));
}

/* When the token expires, as each one must. */
static TimestampTz
read_expiry(FunctionCallInfo fcinfo)
{
	TimestampTz expires;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the time after which a token expires must not be null")));
	expires = DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));
	if (expires <= GetCurrentTimestamp())
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a token must not have expired when it is made")));
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
	/* A text of ASCII has the same bytes as a bytea. */
	return DirectFunctionCall1(sha256_bytea, CStringGetTextDatum(token));
}

/* dqds_create_token(role, expires_in, description): the token, to be seen this once */
Datum
dqds_create_token(PG_FUNCTION_ARGS)
{
	Caller caller;
	OwnerCall call = {0};
	TimestampTz expires;
	char *token;

	caller_init(&caller, fcinfo);
	PreventCommandIfReadOnly("dqds_create_token");
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("role must not be null")));
	check_token_role(&caller, PG_GETARG_OID(0));
	expires = read_expiry(fcinfo);
	token = new_token();

	owner_call_add(&call, REGROLEOID, PG_GETARG_DATUM(0), false);
	owner_call_add(&call, BYTEAOID, hash_of(token), false);
	owner_call_add(&call, REGROLEOID, ObjectIdGetDatum(caller.role), false);
	owner_call_add(&call, TIMESTAMPTZOID, TimestampTzGetDatum(expires), false);
	owner_call_add(&call, TEXTOID, PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2),
				   PG_ARGISNULL(2));
	owner_call(&caller, "dqds_store_token", &call);
	PG_RETURN_TEXT_P(cstring_to_text(token));
}
