/*
 * old_functions.c
 *		The C functions that earlier versions of the extension name in the catalog.
 *
 * The library is replaced for all databases at once, and the extension is updated
 * in each of them later.  Until then its functions are those of the earlier
 * version, with its arguments, results and tables.  So a C function whose
 * arguments, result or tables change gets a new name, which ends in the version
 * of that change, and the old name stays here and tells what to do.  The other
 * way round, a session that had loaded the earlier library before does not find
 * the new name, and fails with that error.
 *
 * Owns: the names of earlier versions.  It must not do anything else.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/lsyscache.h"

/* The call may hold a password, so the statement stays out of the log.  Errors: 55000, always. */
__attribute__((noreturn)) static void
demand_update(FunctionCallInfo fcinfo, const char *version)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errhidestmt(true),
					errhidecontext(true),
					errmsg("function \"%s\" belongs to dqds %s, but the library of dqds is %s",
						   get_func_name(fcinfo->flinfo->fn_oid), version, DQDS_VERSION),
					errhint("Run ALTER EXTENSION dqds UPDATE in this database.")));
	pg_unreachable();
}

#define OLD_FUNCTION(name, version)                                                                \
	PG_FUNCTION_INFO_V1(name);                                                                     \
	Datum name(PG_FUNCTION_ARGS)                                                                   \
	{                                                                                              \
		demand_update(fcinfo, version);                                                            \
	}

/* All that use the registry: its tables have changed.  dqds_close_idle is as it was. */
OLD_FUNCTION(dqds_create_connection, "1.0")
OLD_FUNCTION(dqds_create_credential, "1.0")
OLD_FUNCTION(dqds_create_token, "1.0")
OLD_FUNCTION(dqds_diagnose_connection, "1.0")
OLD_FUNCTION(dqds_drop_connection, "1.0")
OLD_FUNCTION(dqds_import_named_tables, "1.0")
OLD_FUNCTION(dqds_import_tables, "1.0")
OLD_FUNCTION(dqds_list_columns, "1.0")
OLD_FUNCTION(dqds_list_schemas, "1.0")
OLD_FUNCTION(dqds_list_schemas_json, "1.0")
OLD_FUNCTION(dqds_list_tables, "1.0")
OLD_FUNCTION(dqds_list_tables_json, "1.0")
OLD_FUNCTION(dqds_rename_connection, "1.0")
OLD_FUNCTION(dqds_replace_credential, "1.0")
OLD_FUNCTION(dqds_test_connection, "1.0")
OLD_FUNCTION(dqds_test_connection_json, "1.0")
OLD_FUNCTION(dqds_test_connections, "1.0")
OLD_FUNCTION(dqds_unimport_tables, "1.0")
OLD_FUNCTION(dqds_update_connection, "1.0")
