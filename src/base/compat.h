/*
 * compat.h
 *		Differences between versions of the control server, and of the C library.
 *
 * It hides the differences between PostgreSQL 15 and 19 as a control server behind one
 * spelling: all tests of PG_VERSION_NUM in src are here.  It must not hold logic of its own,
 * or know versions of remote servers, which the queries in src/postgres tell apart.
 */
#ifndef DQDS_COMPAT_H
#define DQDS_COMPAT_H

#include "postgres.h"

#include <malloc.h>

#include "catalog/pg_foreign_server.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/jsonb.h"

#if PG_VERSION_NUM < 150000
#error "dqds needs PostgreSQL 15 or later"
#endif

/* WaitEventSet moved into its own header in 18. */
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif

/* A WaitEventSet that lives as long as the backend. */
static inline WaitEventSet *
dqds_create_wait_event_set(int nevents)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

/* Bytes that this process has allocated; always 0 where the C library does not report them. */
static inline size_t
dqds_heap_in_use(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}

/* EXECUTE privilege on a function. */
static inline bool
dqds_may_execute(Oid function, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
	return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

/* USAGE on a schema. */
static inline bool
dqds_may_use_schema(Oid schema, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* USAGE on a foreign server. */
static inline bool
dqds_may_use_server(Oid server, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, server, role, ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_foreign_server_aclcheck(server, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* May a role become another one by SET ROLE?  Before PostgreSQL 16 every member may. */
static inline bool
dqds_may_become(Oid member, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return member_can_set_role(member, role);
#else
	return is_member_of_role(member, role);
#endif
}

/* The definition of a setting, or NULL. */
static inline struct config_generic *
dqds_find_setting(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return find_option(name, false, true, 0);
#else
	struct config_generic **settings = get_guc_variables();

	for (int i = 0; i < GetNumConfigOptions(); i++)
		/* a placeholder keeps the spelling in which it was first named */
		if (pg_strcasecmp(settings[i]->name, name) == 0)
			return settings[i];
	return NULL;
#endif
}

/* A JSON value that is being built; zeroes to begin with. */
typedef struct JsonbBuilder
{
#if PG_VERSION_NUM >= 190000
	JsonbInState state;
#else
	JsonbParseState *state;
#endif
} JsonbBuilder;

/* Add a token, with its value where it has one; returns the whole value after the token that ends it. */
static inline JsonbValue *
dqds_push_jsonb(JsonbBuilder *builder, JsonbIteratorToken token, JsonbValue *value)
{
#if PG_VERSION_NUM >= 190000
	pushJsonbValue(&builder->state, token, value);
	return builder->state.result;
#else
	return pushJsonbValue(&builder->state, token, value);
#endif
}

/* Module magic with name and version, where the server keeps them. */
#if PG_VERSION_NUM >= 180000
#define DQDS_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "dqds")
#else
#define DQDS_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif /* DQDS_COMPAT_H */
