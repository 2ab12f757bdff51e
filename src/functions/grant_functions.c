/*
 * grant_functions.c
 *		SQL functions that grant connections to roles and change their owners.
 *
 * It also holds the code shared with the functions that grant credentials.
 *
 * Only admins have EXECUTE on them, so they find every connection.  They must
 * not change the levels of roles.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "functions/grant_functions.h"
#include "registry/owner_call.h"
#include "registry/registry.h"
#include "registry/roles.h"

PG_FUNCTION_INFO_V1(dqds_grant_connection);
PG_FUNCTION_INFO_V1(dqds_revoke_connection);
PG_FUNCTION_INFO_V1(dqds_set_connection_owner);

/* The id of the connection named by the first argument.  Errors: those of registry_unknown(). */
static int64
connection_to_grant(const Caller *caller, FunctionCallInfo fcinfo)
{
	char *name = name_argument(fcinfo, 0, "the name of a connection");
	RegistryEntry entry;

	if (!registry_find(caller, name, &entry))
		registry_unknown(name);
	return entry.id;
}

/*
 * Call an internal function, as the owner, with the id of the object and a
 * role. fcinfo is that of the SQL function command, whose arguments are a name
 * and a role.  If names_role is set, the registry refers to the role from now
 * on, so it must exist and is enrolled first; otherwise it may have been
 * dropped.  Errors: 42704, 40001, QD022, and those of grant->find.
 */
void
grant_change(FunctionCallInfo fcinfo, const GrantTable *grant, const char *command,
			 const char *function, bool names_role)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {.what = grant->what};
	int64 id;
	Oid role;
	bool nothing;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	PreventCommandIfReadOnly(command);
	role = names_role ? role_argument(&caller, fcinfo, 1)
					  : role_argument_or_number(&caller, fcinfo, 1);
	id = grant->find(&caller, fcinfo);
	if (names_role)
		role_enrol(&caller, role);
	owner_call_add(&call, INT8OID, Int64GetDatum(id), false);
	owner_call_add(&call, REGROLEOID, ObjectIdGetDatum(role), false);
	(void) owner_call(&caller, function, &call, &nothing);
	/* A grant that is newer than the snapshot of this transaction could not be taken away. */
	if (nothing && (names_role || registry_names_grantee(&caller, grant->table, id, role)))
		owner_call_found_nothing(grant->what);
	statement_show(&scope);
}

static const GrantTable connection_grant = {"connection", REGISTRY_CONNECTION_GRANT,
											connection_to_grant};

/* dqds_grant_connection(name, role) */
Datum
dqds_grant_connection(PG_FUNCTION_ARGS)
{
	grant_change(fcinfo, &connection_grant, "dqds_grant_connection", "dqds_store_connection_grant",
				 true);
	PG_RETURN_VOID();
}

/* dqds_revoke_connection(name, role): also from a dropped role, by its number */
Datum
dqds_revoke_connection(PG_FUNCTION_ARGS)
{
	grant_change(fcinfo, &connection_grant, "dqds_revoke_connection",
				 "dqds_remove_connection_grant", false);
	PG_RETURN_VOID();
}

/* dqds_set_connection_owner(name, new_owner) */
Datum
dqds_set_connection_owner(PG_FUNCTION_ARGS)
{
	grant_change(fcinfo, &connection_grant, "dqds_set_connection_owner",
				 "dqds_store_connection_owner", true);
	PG_RETURN_VOID();
}
