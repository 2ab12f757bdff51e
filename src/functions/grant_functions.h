/*
 * grant_functions.h
 *		Code shared by the functions that grant connections and those that grant credentials.
 */
#ifndef DQDS_GRANT_FUNCTIONS_H
#define DQDS_GRANT_FUNCTIONS_H

#include "fmgr.h"

#include "registry/registry.h"

typedef struct Caller Caller;

/*
 * A table of grants: the kind of object (for messages), and how to find an
 * object's id.
 */
typedef struct GrantTable
{
	const char *what;
	RegistryTable table;
	int64 (*find)(const Caller *caller, FunctionCallInfo fcinfo);
} GrantTable;

extern void grant_change(FunctionCallInfo fcinfo, const GrantTable *grant, const char *command,
						 const char *function, bool names_role);

#endif /* DQDS_GRANT_FUNCTIONS_H */
