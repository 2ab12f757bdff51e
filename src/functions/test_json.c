/*
 * test_json.c
 *		dqds_test_connection_json: the test of a connection for the bridge.
 *
 * The members of the published interface are followed by others, the last of which are the
 * steps of a diagnosis, if they are wanted (diagnosis_json.c).  It must not connect:
 * connection_test.c does.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "functions/connection_test.h"
#include "functions/diagnosis_json.h"
#include "functions/diagnosis_steps.h"
#include "listing/json_out.h"
#include "model/model.h"

PG_FUNCTION_INFO_V1(dqds_test_connection_json_1_1);

/* Append the warnings, if there are any; most models have none. */
static void
append_warnings(StringInfo text, List *warnings)
{
	ListCell *cell;

	if (warnings == NIL)
		return;
	json_out_name(text, "warnings");
	foreach (cell, warnings)
	{
		appendStringInfoChar(text, cell == list_head(warnings) ? '[' : ',');
		escape_json(text, lfirst(cell));
	}
	appendStringInfoChar(text, ']');
}

static void
append_result(StringInfo text, const TestResult *result)
{
	const Failure *failure = &result->failure;

	json_out_string(text, "connectionTestResult", result->result);
	json_out_string(text, "errorMessage", failure->message);
	if (failure->code != DQDS_OK)
	{
		json_out_string(text, "errorCode", error_code_name(failure->code));
		json_out_string(text, "hint", failure->hint);
	}
	if (failure->sqlstate[0] != '\0')
		json_out_string(text, "sqlstate", failure->sqlstate);
	json_out_string(text, "serverVersion", result->server_version);
	json_out_string(text, "tls", result->tls);
	json_out_name(text, "elapsedMs");
	appendStringInfo(text, "%.3f", result->elapsed_ms);
	append_warnings(text, result->warnings);
}

/*
 * The connection_name of a model that has no other member, which then stands
 * for the registered connection; else NULL.
 */
static char *
only_name(const Caller *caller, FunctionCallInfo fcinfo)
{
	Failure failure;
	Jsonb *model = model_argument(caller, fcinfo, 0, &failure);

	return model != NULL && JB_ROOT_COUNT(model) == 1 ? model_connection_name(model) : NULL;
}

/*
 * dqds_test_connection_json(model text, verify_name_uniqueness, details): for
 * the bridge, one document.  If details is true, it includes how far the test
 * got, unless the name is taken and there was no test.  If
 * verify_name_uniqueness is false, a model with only a name tests the
 * registered connection.
 */
Datum
dqds_test_connection_json_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	ConnectionArgument connection;
	TestResult result;
	DiagnosisStep steps[DIAGNOSIS_STEPS];
	bool details = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	bool verify_name = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);
	char *name;
	JsonOut out;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	json_out_open(fcinfo, &out);
	name = verify_name ? NULL : only_name(&caller, fcinfo);
	if (name != NULL)
		connection_by_name(&caller, name, &connection);
	else
		connection_model_argument(&caller, fcinfo, &connection);
	details = test_connection(&caller, &connection, verify_name, details ? steps : NULL, &result);

	appendStringInfoChar(&out.text, '{');
	append_result(&out.text, &result);
	if (details)
		diagnosis_json_append(&out.text, steps);
	appendStringInfoChar(&out.text, '}');
	json_out_close(&out);
	statement_show(&scope);
	return (Datum) 0;
}
