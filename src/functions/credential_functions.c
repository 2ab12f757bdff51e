/*
 * credential_functions.c
 *		SQL functions that store secrets for use in connection models, and grant them to roles.
 *
 * Only admins have EXECUTE on them.  A call that fails must not put the secret
 * into the log.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/misplaced_secret.h"
#include "base/remote_text.h"
#include "functions/grant_functions.h"
#include "model/policy.h"
#include "model/secret.h"
#include "model/target.h"
#include "registry/owner_call.h"
#include "registry/registry.h"

PG_FUNCTION_INFO_V1(dqds_create_credential_1_1);
PG_FUNCTION_INFO_V1(dqds_replace_credential_1_1);
PG_FUNCTION_INFO_V1(dqds_drop_credential);
PG_FUNCTION_INFO_V1(dqds_grant_credential);
PG_FUNCTION_INFO_V1(dqds_revoke_credential);

/* As in the install script. */
#define MAX_NAME 1000

/* The table's CHECK constraint would quote the whole row in its error, including the secret. */
static void
check_name(const char *name)
{
	if (*name == '\0' || strlen(name) > MAX_NAME)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the name of a credential must have 1 to %d bytes", MAX_NAME)));
}

static void
check_hosts(const char *hosts)
{
	char *bad = policy_bad_host(hosts);

	if (hosts[strspn(hosts, ", \t\n\r")] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the list of allowed hosts must not be empty"),
						errhint("Use * to allow every host.")));
	if (bad != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not a name pattern, an address or a network with an "
							   "optional port",
							   name_may_hold_secret(bad) ? DQDS_MASK : visible_text(bad))));
}

/*
 * A longer secret could not be sent as a password.  With this limit, messages
 * never reveal the length of a stored one.
 */
#define MAX_SECRET_BYTES 8000

static char *
secret_argument(FunctionCallInfo fcinfo, int n)
{
	char *secret = name_argument(fcinfo, n, "the secret");

	if (strlen(secret) > MAX_SECRET_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the secret of a credential may have at most %d bytes", MAX_SECRET_BYTES)));
	return secret;
}

/* The id of the credential named by the first argument.  Errors: 42704 if it is unknown. */
static int64
find_credential(const Caller *caller, FunctionCallInfo fcinfo)
{
	char *name = name_argument(fcinfo, 0, "the name of a credential");
	Credential credential;

	if (!registry_find_credential(caller, name, &credential))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						name_may_hold_secret(name)
							? errmsg("a credential with this name does not exist")
							: errmsg("credential \"%s\" does not exist", visible_text(name)),
						errhint("The view dqds_credentials shows all names.")));
	return credential.id;
}

static void
add_hosts(OwnerCall *call, FunctionCallInfo fcinfo, int n)
{
	char *hosts = name_argument(fcinfo, n, "the list of hosts");

	check_hosts(hosts);
	owner_call_add_text(call, hosts);
}

/* dqds_create_credential(name, secret, allowed_hosts) */
Datum
dqds_create_credential_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {.what = "credential"};
	char *name;
	bool exists;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	PreventCommandIfReadOnly("dqds_create_credential");
	name = name_argument(fcinfo, 0, "the name of a credential");
	check_name(name);
	owner_call_add_text(&call, name);
	owner_call_add_text(&call, secret_argument(fcinfo, 1));
	add_hosts(&call, fcinfo, 2);
	(void) owner_call(&caller, "dqds_store_credential", &call, &exists);
	if (exists)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						errmsg("credential \"%s\" already exists", visible_text(name))));
	statement_show(&scope);
	PG_RETURN_VOID();
}

/* dqds_replace_credential(name, secret, allowed_hosts): NULL keeps the stored hosts */
Datum
dqds_replace_credential_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {.what = "credential"};
	bool dropped;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	PreventCommandIfReadOnly("dqds_replace_credential");
	owner_call_add(&call, INT8OID, Int64GetDatum(find_credential(&caller, fcinfo)), false);
	owner_call_add_text(&call, secret_argument(fcinfo, 1));
	if (PG_ARGISNULL(2))
		owner_call_add_text(&call, NULL);
	else
		add_hosts(&call, fcinfo, 2);
	(void) owner_call(&caller, "dqds_store_credential_secret", &call, &dropped);
	if (dropped)
		owner_call_found_nothing("credential");
	statement_show(&scope);
	PG_RETURN_VOID();
}

/* dqds_drop_credential(name) */
Datum
dqds_drop_credential(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {.what = "credential"};
	int64 id;
	bool dropped;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	PreventCommandIfReadOnly("dqds_drop_credential");
	id = find_credential(&caller, fcinfo);
	owner_call_add(&call, INT8OID, Int64GetDatum(id), false);
	(void) owner_call(&caller, "dqds_remove_credential", &call, &dropped);
	if (dropped || registry_credential_left(&caller, id))
		owner_call_found_nothing("credential");
	statement_show(&scope);
	PG_RETURN_VOID();
}

static const GrantTable credential_grant = {"credential", REGISTRY_CREDENTIAL_GRANT,
											find_credential};

/* dqds_grant_credential(name, role) */
Datum
dqds_grant_credential(PG_FUNCTION_ARGS)
{
	grant_change(fcinfo, &credential_grant, "dqds_grant_credential", "dqds_store_credential_grant",
				 true);
	PG_RETURN_VOID();
}

/* dqds_revoke_credential(name, role): also from a dropped role, by its number */
Datum
dqds_revoke_credential(PG_FUNCTION_ARGS)
{
	grant_change(fcinfo, &credential_grant, "dqds_revoke_credential",
				 "dqds_remove_credential_grant", false);
	PG_RETURN_VOID();
}
