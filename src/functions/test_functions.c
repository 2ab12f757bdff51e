/*
 * test_functions.c
 *		SQL functions that test connections: one, many, and one for the bridge.
 *
 * A test always logs in again: that a session of a minute ago still works would
 * prove nothing about the password.  What the remote answers becomes a row;
 * only what is wrong with the call itself is an error.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/syscache.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "engine/engine.h"
#include "engine/session_cache.h"
#include "functions/diagnosis_steps.h"
#include "listing/json_out.h"
#include "listing/rows.h"
#include "model/model.h"
#include "model/model_bounds.h"
#include "model/target.h"
#include "registry/registry.h"
#include "wire/question.h"

PG_FUNCTION_INFO_V1(dqds_test_connection);
PG_FUNCTION_INFO_V1(dqds_test_connections);
PG_FUNCTION_INFO_V1(dqds_test_connection_json);
PG_FUNCTION_INFO_V1(dqds_close_idle);

typedef struct TestResult
{
	const char *name;   /* of the connection, or NULL */
	const char *result; /* of the published enum */
	Failure failure;
	char *server_version;
	char *tls;
	double elapsed_ms;
	List *warnings; /* about the model (char *) */
} TestResult;

static void
prepare_test(Operation *operation, const Target *target)
{
	memset(operation, 0, sizeof(*operation));
	operation->target = target;
	operation->query.question = QUESTION_PROBE;
	operation->fresh = true;
}

static void
take_outcome(const Operation *operation, TestResult *result)
{
	result->failure = operation->failure;
	result->result = operation->failure.code == DQDS_OK ? "SUCCESS" : "FAILURE";
	result->server_version = operation->server_version;
	result->tls = operation->tls;
	result->elapsed_ms = operation->elapsed_ms;
}

/* What is to be known of a connection's model, whatever becomes of the test. */
static List *
warnings_of(const ConnectionArgument *connection)
{
	return connection->model == NULL ? NIL : model_warnings(connection->model);
}

static void
refuse_existing_name(TestResult *result)
{
	result->result = "CONNECTION_ALREADY_EXISTS";
	failure_set(&result->failure, DQDS_OK, NULL, "connection \"%s\" already exists", result->name);
}

/* May the caller create connections, by any form of that function? */
static bool
may_create(const Caller *caller)
{
	CatCList *functions =
		SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum("dqds_create_connection"));
	bool may = false;

	for (int i = 0; i < functions->n_members && !may; i++)
	{
		Form_pg_proc function = (Form_pg_proc) GETSTRUCT(&functions->members[i]->tuple);

		may = function->pronamespace == caller->schema &&
			  dqds_may_execute(function->oid, caller->role);
	}
	ReleaseSysCacheList(functions);
	return may;
}

/*
 * Is there a connection of this name, as far as the caller may know?  To all who
 * may not use it, it does not exist; but dqds_create_connection would tell.
 */
static bool
name_is_taken(const Caller *caller, const char *name)
{
	RegistryEntry entry;

	return registry_find(caller, name, &entry) &&
		   (registry_may_use(caller, &entry) || may_create(caller));
}

/*
 * Test one connection, with steps (unless NULL) for how far it got; returns
 * whether they were filled.  A model whose name is taken is not tested when the
 * caller wants to know about names before creating it.
 */
static bool
test_one(const Caller *caller, const ConnectionArgument *connection, bool verify_name,
		 DiagnosisStep *steps, TestResult *result)
{
	Operation operation;

	memset(result, 0, sizeof(*result));
	result->name = connection->name;
	result->warnings = warnings_of(connection);
	if (connection->ad_hoc && verify_name && connection->name != NULL &&
		name_is_taken(caller, connection->name))
	{
		refuse_existing_name(result);
		return false;
	}
	prepare_test(&operation, &connection->target);
	if (steps != NULL)
		/* Literal addresses are not for HTTP clients. */
		diagnose_steps(caller, connection, false, &operation, steps);
	else if (connection->failure.code == DQDS_OK)
		engine_run(&operation, 1, caller->role);
	else
		operation.failure = connection->failure;
	take_outcome(&operation, result);
	return steps != NULL;
}

#define RESULT_COLUMNS 9

/* A text[] of a list of char *; NULL for an empty one. */
static void
put_texts(Datum *value, bool *isnull, List *texts)
{
	Datum *elements = palloc(sizeof(Datum) * Max(list_length(texts), 1));
	ListCell *cell;
	int count = 0;

	*isnull = texts == NIL;
	*value = (Datum) 0;
	foreach (cell, texts)
		elements[count++] = CStringGetTextDatum(lfirst(cell));
	if (count > 0)
		*value =
			PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The columns from connection_test_result on. */
static void
put_result(const TestResult *result, Datum *values, bool *nulls)
{
	const Failure *failure = &result->failure;
	bool failed = failure->code != DQDS_OK;

	row_text(&values[0], &nulls[0], result->result);
	row_text(&values[1], &nulls[1], failure->message);
	row_text(&values[2], &nulls[2], failed ? error_code_name(failure->code) : NULL);
	row_text(&values[3], &nulls[3], failure->sqlstate[0] != '\0' ? failure->sqlstate : NULL);
	row_text(&values[4], &nulls[4], failed ? failure->hint : NULL);
	row_text(&values[5], &nulls[5], result->server_version);
	row_text(&values[6], &nulls[6], result->tls);
	values[7] = Float8GetDatum(result->elapsed_ms);
	nulls[7] = false;
	put_texts(&values[8], &nulls[8], result->warnings);
}

/* dqds_test_connection(connection, verify_name_uniqueness) */
Datum
dqds_test_connection(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	ConnectionArgument connection;
	TestResult result;
	RowsOut rows;
	Datum values[RESULT_COLUMNS];
	bool nulls[RESULT_COLUMNS];

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	rows_open(fcinfo, &rows);
	connection_argument(&caller, fcinfo, &connection);
	(void) test_one(&caller, &connection, PG_ARGISNULL(1) || PG_GETARG_BOOL(1), NULL, &result);
	put_result(&result, values, nulls);
	rows_put(&rows, values, nulls);
	statement_show(&scope);
	return (Datum) 0;
}

/* Nothing without warnings: most models have none. */
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

static void
append_steps(StringInfo text, const DiagnosisStep *steps)
{
	json_out_name(text, "details");
	for (int i = 0; i < DIAGNOSIS_STEPS; i++)
	{
		appendStringInfoString(text, i == 0 ? "[{" : ",{");
		json_out_string(text, "step", steps[i].name);
		json_out_string(text, "status", steps[i].status);
		if (steps[i].elapsed_ms >= 0)
		{
			json_out_name(text, "elapsedMs");
			appendStringInfo(text, "%.3f", steps[i].elapsed_ms);
		}
		json_out_string(text, "message", steps[i].message);
		json_out_string(text, "hint", steps[i].hint);
		appendStringInfoChar(text, '}');
	}
	appendStringInfoChar(text, ']');
}

/*
 * The name of the connection, if a model says nothing else: it then stands for the
 * registered one.
 */
static char *
only_name(const Caller *caller, FunctionCallInfo fcinfo)
{
	Failure failure;
	Jsonb *model = model_argument(caller, fcinfo, 0, &failure);

	return model != NULL && JB_ROOT_COUNT(model) == 1 ? model_connection_name(model) : NULL;
}

/*
 * dqds_test_connection_json(model text, verify_name_uniqueness, details): for the
 * bridge, one document.  With details the test tells how far it got, unless the
 * name is taken and there was no test.  Where the name is not to be verified, a
 * model of nothing but a name tests the registered connection.
 */
Datum
dqds_test_connection_json(PG_FUNCTION_ARGS)
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
	details = test_one(&caller, &connection, verify_name, details ? steps : NULL, &result);

	appendStringInfoChar(&out.text, '{');
	append_result(&out.text, &result);
	if (details)
		append_steps(&out.text, steps);
	appendStringInfoChar(&out.text, '}');
	json_out_close(&out);
	statement_show(&scope);
	return (Datum) 0;
}

/*
 * The array that a literal is.  Errors: 22P02, without PostgreSQL's own words, which
 * quote the text: it may be a model that was given for a name.
 */
static Datum
parse_names(const char *literal)
{
	MemoryContext context = CurrentMemoryContext;
	Datum names = (Datum) 0;

	PG_TRY();
	{
		names = OidInputFunctionCall(F_ARRAY_IN, unconstify(char *, literal), TEXTOID, -1);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						errmsg("the names of connections are not a valid array"),
						errhint("Give the name of a connection, or an array of names; "
								"dqds_test_connection takes a connection model.")));
	}
	PG_END_TRY();
	return names;
}

/* The first argument as an array of names.  A literal that begins with a brace was an array before there was text for it. */
static Datum
names_to_test(const Caller *caller, FunctionCallInfo fcinfo)
{
	Datum name = PG_GETARG_DATUM(0);
	char *literal;

	if (caller->argument_types[0] != TEXTOID)
		return name;
	literal = TextDatumGetCString(name);
	if (model_looks_like_one(literal, strlen(literal)))
		return parse_names(literal);
	return PointerGetDatum(construct_array(&name, 1, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The connections to test: those named, or all that the caller may use. */
static List *
connections_to_test(const Caller *caller, FunctionCallInfo fcinfo)
{
	List *entries = NIL;
	Datum *names;
	bool *nulls;
	int count;

	if (PG_ARGISNULL(0))
		return registry_usable(caller);
	deconstruct_array(DatumGetArrayTypeP(names_to_test(caller, fcinfo)), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		RegistryEntry *entry = palloc(sizeof(RegistryEntry));

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("the name of a connection must not be null")));
		registry_get(caller, TextDatumGetCString(names[i]), entry);
		entries = lappend(entries, entry);
	}
	return entries;
}

/* dqds_test_connections(connections): all at once, a row each */
Datum
dqds_test_connections(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	RowsOut rows;
	List *entries;
	int count;
	int noperations = 0;
	ConnectionArgument *connections;
	Operation *operations;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	rows_open(fcinfo, &rows);
	entries = connections_to_test(&caller, fcinfo);
	count = list_length(entries);
	connections = palloc0(sizeof(ConnectionArgument) * Max(count, 1));
	operations = palloc0(sizeof(Operation) * Max(count, 1));

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		connection_of_entry(&caller, list_nth(entries, i), &connections[i]);
		if (connections[i].failure.code == DQDS_OK)
			prepare_test(&operations[noperations++], &connections[i].target);
	}
	engine_run(operations, noperations, caller.role);

	noperations = 0;
	for (int i = 0; i < count; i++)
	{
		TestResult result = {.name = connections[i].name,
							 .result = "FAILURE",
							 .failure = connections[i].failure,
							 .warnings = warnings_of(&connections[i])};
		Datum values[1 + RESULT_COLUMNS];
		bool nulls[1 + RESULT_COLUMNS];

		if (connections[i].failure.code == DQDS_OK)
			take_outcome(&operations[noperations++], &result);
		row_text(&values[0], &nulls[0], result.name);
		put_result(&result, values + 1, nulls + 1);
		rows_put(&rows, values, nulls);
	}
	statement_show(&scope);
	return (Datum) 0;
}

/* dqds_close_idle(): how many idle sessions of this backend were closed */
Datum
dqds_close_idle(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_INT32(session_cache_close_all());
}
