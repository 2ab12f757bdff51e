/*
 * statement_scope.c
 *		Keeps statements that contain a password out of the log when they fail.
 *
 * Owns: which arguments may contain a password.  It must not change an error
 * otherwise.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/misplaced_secret.h"

static void
hide_from_log(void *arg)
{
	if (*(bool *) arg)
	{
		errhidestmt(true);
		/* With log_parameter_max_length_on_error the context quotes parameters. */
		errhidecontext(true);
	}
}

/*
 * Log errors without the statement from now on until statement_show(). scope
 * must stay valid until then.
 */
void
statement_hide(StatementScope *scope)
{
	scope->hidden = true;
	scope->callback.callback = hide_from_log;
	scope->callback.arg = &scope->hidden;
	scope->callback.previous = error_context_stack;
	error_context_stack = &scope->callback;
}

static bool
array_may_hold_secret(Datum array)
{
	Datum *elements;
	bool *nulls;
	int count;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char *name;
		bool may_hold_secret;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			continue;
		name = TextDatumGetCString(elements[i]);
		may_hold_secret = name_may_hold_secret(name);
		pfree(name);
		if (may_hold_secret)
			return true;
	}
	return false;
}

/* May any argument that is text, or an array of it, contain a password? */
static bool
arguments_may_hold_secret(FunctionCallInfo fcinfo)
{
	Oid *types;
	int count;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &types, &count);
	for (int i = 0; i < count; i++)
	{
		if (PG_ARGISNULL(i))
			continue;
		if (types[i] == TEXTOID && name_may_hold_secret(text_to_cstring(PG_GETARG_TEXT_PP(i))))
			return true;
		if (types[i] == TEXTARRAYOID && array_may_hold_secret(PG_GETARG_DATUM(i)))
			return true;
	}
	return false;
}

/* The same, but only if an argument that should be a name may contain a password. */
void
statement_hide_names(StatementScope *scope, FunctionCallInfo fcinfo)
{
	bool hidden = arguments_may_hold_secret(fcinfo);

	statement_hide(scope);
	scope->hidden = hidden;
}

/* The same, and also if the function's first argument is a model. */
void
statement_hide_model(StatementScope *scope, const Caller *caller, FunctionCallInfo fcinfo)
{
	statement_hide_names(scope, fcinfo);
	scope->hidden = scope->hidden || argument_is_model(caller, fcinfo);
}

/* Call this before a regular return; an error resets the context itself. */
void
statement_show(StatementScope *scope)
{
	error_context_stack = scope->callback.previous;
}
