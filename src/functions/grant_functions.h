/*
 * grant_functions.h
 *		What the functions that grant the use of connections and of credentials share.
 */
#ifndef DQDS_GRANT_FUNCTIONS_H
#define DQDS_GRANT_FUNCTIONS_H

#include "fmgr.h"

#include "registry/registry.h"

typedef struct Caller Caller;

/* A table of grants: what it grants (for messages), and how an argument becomes an id. */
typedef struct GrantTable
{
	const char *what;
	RegistryTable table;
	int64 (*find)(const Caller *caller, FunctionCallInfo fcinfo);
} GrantTable;

extern void grant_change(FunctionCallInfo fcinfo, const GrantTable *grant, const char *command,
						 const char *function, bool names_role);

#endif /* DQDS_GRANT_FUNCTIONS_H */
