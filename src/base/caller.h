/*
 * caller.h
 *		The role that calls a SQL function, and the level that this role has.
 */
#ifndef DQDS_CALLER_H
#define DQDS_CALLER_H

#include "fmgr.h"

typedef struct Caller Caller;

/* The calling role and the called function, looked up once at the entry of each SQL function. */
struct Caller
{
	Oid role;              /* GetUserId() at entry: decides everything */
	Oid function;          /* the SQL function */
	Oid schema;            /* the extension's schema */
	Oid owner;             /* owner of the function: owns the registry's tables too */
	Oid argument_types[3]; /* of the first arguments; InvalidOid beyond the last one */
};

extern bool caller_is_admin(const Caller *caller);
extern bool caller_is_editor(const Caller *caller);
extern bool caller_is_operator(const Caller *caller);
extern void caller_init(Caller *caller, FunctionCallInfo fcinfo);

#endif /* DQDS_CALLER_H */
