/*
 * test_functions.c
 *		SQL functions that test one connection, or many at once.
 *
 * The result of a test is always a row; only a fault in the call itself is an
 * error.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "engine/engine.h"
#include "functions/connection_test.h"
#include "listing/rows.h"
#include "model/model_bounds.h"
#include "registry/registry.h"

PG_FUNCTION_INFO_V1(dqds_test_connection_1_1);
PG_FUNCTION_INFO_V1(dqds_test_connections_1_1);

#define RESULT_COLUMNS 9

/* Set a text[] from a list of char *; NULL for an empty one. */
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

/* Set the columns from connection_test_result on. */
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
dqds_test_connection_1_1(PG_FUNCTION_ARGS)
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
	(void) test_connection(&caller, &connection, PG_ARGISNULL(1) || PG_GETARG_BOOL(1), NULL,
						   &result);
	put_result(&result, values, nulls);
	rows_put(&rows, values, nulls);
	statement_show(&scope);
	return (Datum) 0;
}

/*
 * Parse an array literal.  Errors: 22P02, without PostgreSQL's own message,
 * which quotes the text: it may be a model that was given as a name.
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

/*
 * The first argument as an array of names.  Text that begins with a brace is an
 * array literal: the argument was of type text[] before text was accepted.
 */
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

/* The connections to test: the named ones, or all that the caller may use. */
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

/* dqds_test_connections(connections): all at once, one row for each */
Datum
dqds_test_connections_1_1(PG_FUNCTION_ARGS)
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
			test_prepare(&operations[noperations++], &connections[i].target);
	}
	engine_run(operations, noperations, caller.role);

	noperations = 0;
	for (int i = 0; i < count; i++)
	{
		TestResult result = {.name = connections[i].name,
							 .result = "FAILURE",
							 .failure = connections[i].failure,
							 .warnings = test_warnings(&connections[i])};
		Datum values[1 + RESULT_COLUMNS];
		bool nulls[1 + RESULT_COLUMNS];

		if (connections[i].failure.code == DQDS_OK)
			test_take_outcome(&operations[noperations++], &result);
		row_text(&values[0], &nulls[0], result.name);
		put_result(&result, values + 1, nulls + 1);
		rows_put(&rows, values, nulls);
	}
	statement_show(&scope);
	return (Datum) 0;
}
