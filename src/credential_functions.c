/*
 * credential_functions.c
 *		SQL functions that store secrets for connection models to refer to.
 *
 * They are in C so that a failing call does not put the secret into the log.
 * Dropping and granting, which hold no secret, are in SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "dqds.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(dqds_create_credential);
PG_FUNCTION_INFO_V1(dqds_replace_credential);

/* As in the install script. */
#define MAX_NAME 1000

/* The table's own check would quote the whole row, secret and all, in its error. */
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
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a credential must be for some hosts"), errhint("Use * for every host.")));
	if (bad != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not a name pattern, an address or a network with an "
							   "optional port",
							   bad)));
}

static void
store(FunctionCallInfo fcinfo, const char *function, bool hosts_required)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {0};
	char *name;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	PreventCommandIfReadOnly("storing a credential");
	name = name_argument(fcinfo, 0, "the name of a credential");
	check_name(name);
	owner_call_add_text(&call, name);
	owner_call_add_text(&call, name_argument(fcinfo, 1, "the secret"));
	if (hosts_required || !PG_ARGISNULL(2))
	{
		char *hosts = name_argument(fcinfo, 2, "the list of hosts");

		check_hosts(hosts);
		owner_call_add_text(&call, hosts);
	}
	else
		owner_call_add(&call, TEXTOID, (Datum) 0, true);
	owner_call(&caller, function, &call);
	statement_show(&scope);
}

/* dqds_create_credential(name, secret, allowed_hosts) */
Datum
dqds_create_credential(PG_FUNCTION_ARGS)
{
	store(fcinfo, "dqds_store_credential", true);
	PG_RETURN_VOID();
}

/* dqds_replace_credential(name, secret, allowed_hosts): without hosts, those stored stay */
Datum
dqds_replace_credential(PG_FUNCTION_ARGS)
{
	store(fcinfo, "dqds_store_credential_secret", false);
	PG_RETURN_VOID();
}
