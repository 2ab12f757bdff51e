/*
 * model_functions.c
 *		SQL functions about models that use neither the registry nor a remote server.
 *
 * PUBLIC may execute them, so they must not use anything but their arguments.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "arguments/model_text.h"
#include "arguments/spelling.h"
#include "arguments/statement_scope.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "model/model_bounds.h"

PG_FUNCTION_INFO_V1(dqds_connection_model);

/* dqds_connection_model(spelling): the model for a URL, a conninfo string or JSON text */
Datum
dqds_connection_model(PG_FUNCTION_ARGS)
{
	StatementScope scope;
	Failure failure = {.code = DQDS_OK};
	text *argument = PG_GETARG_TEXT_PP(0);
	Jsonb *model = NULL;

	statement_hide(&scope);
	if (model_looks_like_one(VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(argument)) ||
		model_is_spelled(text_to_cstring(argument)))
		model = model_parse_any(argument, &failure);
	else
		failure_set(&failure, DQDS_INVALID_CONNECTION,
					"Supported are URIs and conninfo strings of libpq, JDBC URLs of postgresql and "
					"redshift, URLs of SQLAlchemy, and JSON objects.",
					"this is not a connection string of a known kind");
	if (model == NULL)
		failure_raise(&failure);
	statement_show(&scope);
	PG_RETURN_JSONB_P(model);
}
