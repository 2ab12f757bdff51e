/*
 * statement_scope.h
 *		Errors that are logged without their statement.
 */
#ifndef DQDS_STATEMENT_SCOPE_H
#define DQDS_STATEMENT_SCOPE_H

#include "fmgr.h"

typedef struct Caller Caller;

/* While it lasts, errors are logged without their statement, which holds a password. */
typedef struct StatementScope
{
	ErrorContextCallback callback;
	bool hidden;
} StatementScope;

extern void statement_hide(StatementScope *scope);
extern void statement_hide_names(StatementScope *scope, FunctionCallInfo fcinfo);
extern void statement_hide_model(StatementScope *scope, const Caller *caller,
								 FunctionCallInfo fcinfo);
extern void statement_show(StatementScope *scope);

#endif /* DQDS_STATEMENT_SCOPE_H */
