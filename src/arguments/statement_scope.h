/*
 * statement_scope.h
 *		Keeps statements that contain a password out of the log when they fail.
 */
#ifndef DQDS_STATEMENT_SCOPE_H
#define DQDS_STATEMENT_SCOPE_H

#include "fmgr.h"

typedef struct Caller Caller;

/* While it is active, errors are logged without their statement. */
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
