/*
 * connection_argument.c
 *		A function's connection argument: the name of a registered connection, or a model.
 *
 * Text that begins with a brace is a model.  Other text is a name if there is a
 * connection with this name, whether the caller may use it or not; if there is
 * none, it may be another spelling of a model.  So a name that another role has
 * chosen is never used as the caller's own model.
 *
 * Owns: the rules that distinguish the two, and the restrictions on ad-hoc
 * models.  A stored secret is put into a target here, which is passed only to
 * the engine: no SQL ever sees it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "arguments/connection_argument.h"
#include "arguments/model_text.h"
#include "arguments/spelling.h"
#include "base/caller.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "model/model.h"
#include "model/model_bounds.h"
#include "model/model_form.h"
#include "model/policy.h"
#include "model/target.h"
#include "registry/environment.h"
#include "registry/registry.h"

static void
init_result(ConnectionArgument *result)
{
	memset(result, 0, sizeof(*result));
	result->failure.code = DQDS_OK;
}

bool
argument_is_model(const Caller *caller, FunctionCallInfo fcinfo)
{
	text *argument;

	if (PG_ARGISNULL(0))
		return false;
	if (caller->argument_types[0] != TEXTOID)
		return true;
	argument = PG_GETARG_TEXT_PP(0);
	return model_looks_like_one(VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(argument));
}

/*
 * Is this text, which looks like a model, the name of a connection as well?
 * Such names can no longer be created, but may exist.  A query that takes names
 * from the registry means the connection, and must not use a name that another
 * role chose as the caller's own model.
 */
static bool
is_name_too(const Caller *caller, const char *text, Failure *failure)
{
	RegistryEntry entry;

	if (!registry_find(caller, text, &entry))
		return false;
	failure_set(failure, DQDS_INVALID_CONNECTION,
				"Give the connection another name with dqds_rename_connection.",
				"the connection model is also the name of a connection");
	return true;
}

/* Make a target of a registered connection that the caller may use. */
void
connection_of_entry(const Caller *caller, const RegistryEntry *entry, ConnectionArgument *result)
{
	/* References in the model are resolved for the owner, as in a SECURITY DEFINER function. */
	SecretScope scope = {.caller = caller,
						 .find_credential = registry_credential,
						 .role = entry->owner,
						 .environment_members = entry->environment_members};

	init_result(result);
	result->name = entry->name;
	result->model = entry->model;
	result->registry_id = entry->id;
	if (!model_to_target(entry->model, entry->secrets, &scope, &result->target, &result->failure))
		return;
	result->target.connection_id = entry->id;
	result->target.connection_name = entry->name;
	result->target.stored_secret = true;
	policy_limit_timeout(caller, entry->owner, &result->target);
}

/*
 * Look up a connection by name only, whatever the name looks like.  Errors:
 * 42704 if it is unknown.
 */
void
connection_by_name(const Caller *caller, const char *name, ConnectionArgument *result)
{
	RegistryEntry entry;

	registry_get(caller, name, &entry);
	connection_of_entry(caller, &entry, result);
}

/*
 * Use a model, which must be within bounds.  A mask in it stands for the secret
 * that is stored under the model's connection_name, if the caller may use that
 * connection.
 */
void
connection_by_model(const Caller *caller, Jsonb *model, ConnectionArgument *result)
{
	SecretScope scope = {
		.caller = caller, .find_credential = registry_credential, .role = caller->role};
	RegistryEntry entry;
	NormalModel normal;
	bool registered;

	init_result(result);
	result->ad_hoc = true;
	result->model = model;
	result->name = model_connection_name(model);
	registered = result->name != NULL && registry_find(caller, result->name, &entry) &&
				 registry_may_use(caller, &entry);
	if (!model_normalize(model, registered ? entry.model : NULL, registered ? entry.secrets : NULL,
						 &normal, &result->failure))
		return;
	/*
	 * Options can set another role at the remote server: only a role that may
	 * edit the connection may choose them for its secret.
	 */
	if (normal.kept_secret && !registry_may_edit(caller, &entry) &&
		!model_same_options(normal.model, entry.model))
	{
		(void) model_secret_missing(&result->failure, "password");
		return;
	}
	/* Imports of that connection do not concern another database. */
	if (registered && model_same_database(normal.model, entry.model))
		result->registry_id = entry.id;
	/*
	 * A masked reference was not written by this caller: its writer must also
	 * be allowed to use it.
	 */
	if (normal.kept_secret)
		scope.writer = entry.owner;
	(void) environment_members(caller, &normal, registered ? &entry : NULL,
							   &scope.environment_members, NULL);
	if (!model_to_target(normal.model, normal.secrets, &scope, &result->target, &result->failure))
		return;
	result->target.connection_name = result->name;
	/* With the secret of a connection it is counted as that connection, whatever limit was sent. */
	if (normal.kept_secret)
	{
		result->target.connection_id = entry.id;
		result->target.stored_secret = true;
		result->target.parallel_limit = model_parallel_limit(entry.model);
	}
	if (!model_password_required(normal.model))
		failure_set(
			&result->failure, DQDS_INVALID_CONNECTION,
			"Only a registered connection may go without a password, when a superuser "
			"registers it.",
			"\"password_required\" cannot be false in a connection model that is not registered");
}

/*
 * Use the first argument of a function, which is always a model.  Errors: those
 * of model_argument(); a model that is out of bounds sets result->failure.
 */
void
connection_model_argument(const Caller *caller, FunctionCallInfo fcinfo, ConnectionArgument *result)
{
	Jsonb *model;

	init_result(result);
	model = model_argument(caller, fcinfo, 0, &result->failure);
	if (model != NULL)
		connection_by_model(caller, model, result);
}

/* Use text that does not begin with a brace. */
static void
connection_by_text(const Caller *caller, text *argument, ConnectionArgument *result)
{
	char *name = text_to_cstring(argument);
	RegistryEntry entry;
	Jsonb *model;

	if (registry_find(caller, name, &entry))
	{
		if (!registry_may_use(caller, &entry))
			registry_unknown(name);
		connection_of_entry(caller, &entry, result);
		return;
	}
	if (!model_is_spelled(name))
		registry_unknown(name);
	init_result(result);
	model = model_parse_any(argument, &result->failure);
	if (model != NULL)
		connection_by_model(caller, model, result);
}

/*
 * Read the first argument of a function that takes a connection.  Errors: 22004
 * for NULL, 42704 for a name that is unknown or that this caller may not use,
 * 22P02 for invalid JSON, 42804 for JSON of a wrong type.  All other failures
 * are set in result->failure.
 */
void
connection_argument(const Caller *caller, FunctionCallInfo fcinfo, ConnectionArgument *result)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("connection must not be null"),
				 errhint("Give the name of a connection, or a connection model.")));
	if (!argument_is_model(caller, fcinfo))
	{
		connection_by_text(caller, PG_GETARG_TEXT_PP(0), result);
		return;
	}
	init_result(result);
	if (caller->argument_types[0] != TEXTOID ||
		!is_name_too(caller, text_to_cstring(PG_GETARG_TEXT_PP(0)), &result->failure))
		connection_model_argument(caller, fcinfo, result);
}

/*
 * A name in argument n (from 0), palloc'd.  Errors: 22004 for NULL, with a
 * message that begins with what.
 */
char *
name_argument(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * A model in argument n (from 0), of type text, json or jsonb.  Returns NULL
 * for a model that is out of bounds, and *failure is then
 * DQDS_INVALID_CONNECTION.  Errors: 22004 for NULL, and those of model_parse().
 */
Jsonb *
model_argument(const Caller *caller, FunctionCallInfo fcinfo, int n, Failure *failure)
{
	Oid type = caller->argument_types[n];
	Jsonb *model;

	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the connection model must not be null")));
	/* The type json stores its text. */
	if (type != JSONBOID)
		return model_parse(PG_GETARG_TEXT_PP(n), failure);
	model = PG_GETARG_JSONB_P(n);
	return model_within_bounds(model, failure) ? model : NULL;
}

/* The same, but text may also be in a spelling other than JSON. */
Jsonb *
spelled_model_argument(const Caller *caller, FunctionCallInfo fcinfo, int n, Failure *failure)
{
	if (caller->argument_types[n] == TEXTOID && !PG_ARGISNULL(n))
		return model_parse_any(PG_GETARG_TEXT_PP(n), failure);
	return model_argument(caller, fcinfo, n, failure);
}
