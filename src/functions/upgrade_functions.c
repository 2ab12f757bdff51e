/*
 * upgrade_functions.c
 *		What the upgrade scripts need and SQL does not offer.
 *
 * A script creates an SQL function for each of these and drops it at its end: so
 * no one can call them at another time.
 *
 * Owns: the warnings about connections that an upgrade has kept, but that the new
 * version would not accept.  It must not change the registry.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "arguments/spelling.h"
#include "base/failure.h"
#include "base/misplaced_secret.h"
#include "base/remote_text.h"
#include "model/model_check.h"
#include "model/model_form.h"

PG_FUNCTION_INFO_V1(dqds_upgrade_privileges_1_1);
PG_FUNCTION_INFO_V1(dqds_upgrade_check_1_1);

#define MAX_SHOWN_NAME 100 /* bytes */

static void
demand_script(void)
{
	if (!creating_extension)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("this function is for the upgrade scripts of dqds only")));
}

/* ---- privileges ------------------------------------------------------------------ */

static void
update_dependencies(Oid function, Oid owner, const Acl *old, const Acl *new)
{
	Oid *old_members;
	Oid *new_members;
	int old_count = aclmembers(old, &old_members);
	int new_count = aclmembers(new, &new_members);

	updateAclDependencies(ProcedureRelationId, function, 0, owner, old_count, old_members,
						  new_count, new_members);
}

/*
 * dqds_upgrade_privileges_1_1(function oid, privileges aclitem[]): give a function
 * these privileges, in place of those that it has.
 *
 * What a script does with GRANT becomes part of the extension (pg_init_privs), and
 * pg_dump leaves it out.  These are privileges that an admin has granted.
 */
Datum
dqds_upgrade_privileges_1_1(PG_FUNCTION_ARGS)
{
	Oid function = PG_GETARG_OID(0);
	Acl *acl = PG_GETARG_ACL_P(1);
	Relation table = table_open(ProcedureRelationId, RowExclusiveLock);
	HeapTuple tuple = SearchSysCacheCopy1(PROCOID, ObjectIdGetDatum(function));
	Datum values[Natts_pg_proc] = {0};
	bool nulls[Natts_pg_proc] = {0};
	bool replaces[Natts_pg_proc] = {0};
	Datum old;
	bool isnull;

	demand_script();
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	old = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proacl, &isnull);
	update_dependencies(function, ((Form_pg_proc) GETSTRUCT(tuple))->proowner,
						isnull ? NULL : DatumGetAclP(old), acl);
	values[Anum_pg_proc_proacl - 1] = PointerGetDatum(acl);
	replaces[Anum_pg_proc_proacl - 1] = true;
	tuple = heap_modify_tuple(tuple, RelationGetDescr(table), values, nulls, replaces);
	CatalogTupleUpdate(table, &tuple->t_self, tuple);
	table_close(table, RowExclusiveLock);
	PG_RETURN_VOID();
}

/* ---- connections ------------------------------------------------------------------- */

/* The name as far as it may be shown, in parentheses; empty if it may hold a secret. */
static const char *
shown_name(const char *name)
{
	int length = strlen(name);

	if (name_may_hold_secret(name))
		return "";
	if (length <= MAX_SHOWN_NAME)
		return psprintf(" (\"%s\")", visible_text(name));
	return psprintf(" (\"%s...\")",
					visible_text(pnstrdup(name, pg_mbcliplen(name, length, MAX_SHOWN_NAME))));
}

/* Can the model be used?  A value of the wrong type is an error for those who call model_validate. */
static bool
model_is_good(const NormalModel *normal, Failure *failure)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool good = false;

	PG_TRY();
	{
		good = model_validate(normal, failure);
	}
	PG_CATCH();
	{
		ErrorData *error;

		if (geterrcode() != ERRCODE_DATATYPE_MISMATCH)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		failure->message = error->message;
	}
	PG_END_TRY();
	return good;
}

/*
 * dqds_upgrade_check_1_1(id bigint, name text, model jsonb, secrets jsonb): warn of
 * what this version would not accept of a connection that it has taken over.
 */
Datum
dqds_upgrade_check_1_1(PG_FUNCTION_ARGS)
{
	long long id = PG_GETARG_INT64(0);
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	NormalModel normal = {.model = PG_GETARG_JSONB_P(2),
						  .secrets = PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3)};
	Failure failure = {.code = DQDS_OK};

	demand_script();
	if (!new_name_usable(name, &failure))
		ereport(WARNING,
				(errhidestmt(true), errhidecontext(true),
				 errmsg("connection %lld%s: %s", id, shown_name(name), failure.message),
				 errhint("Give it another name: SELECT dqds_rename_connection(name, 'NEW NAME') "
						 "FROM dqds_connection WHERE id = %lld.",
						 id)));
	failure_clear(&failure);
	if (!model_is_good(&normal, &failure))
		ereport(
			WARNING,
			(errhidestmt(true), errhidecontext(true),
			 errmsg("connection %lld%s: %s", id, shown_name(name), failure.message),
			 errdetail("The connection cannot be used as it is."),
			 errhint("Correct its model with dqds_patch_connection or dqds_update_connection.%s%s",
					 failure.hint == NULL ? "" : " ", failure.hint == NULL ? "" : failure.hint)));
	PG_RETURN_VOID();
}
