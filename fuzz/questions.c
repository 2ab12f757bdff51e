/*
 * questions.c
 *		What the fuzz targets of hostile remotes ask: the functions that test, list and import.
 *
 * They are called as a query calls them.  These conditions must hold:
 *
 *	- everything that is returned is text of this database, and JSON where it is JSON
 *	- a message is one line, and never shows the password
 */
#include "questions.h"

#include "backend.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define MAX_ARGUMENTS 9

/* The seeds know their numbers. */
static const struct
{
	const char *function;
	const char *arguments[MAX_ARGUMENTS]; /* SQL's text; the first is the connection, "" is NULL */
	Oid types[MAX_ARGUMENTS];             /* InvalidOid ends them */
	bool is_json;                         /* the rows are pieces of a document */
	int words; /* the first of the columns with messages; 0 if there are none */
	int nwords;
} questions[] = {
	{"dqds_test_connection", {"", "f"}, {TEXTOID, BOOLOID}, false, 1, 4},
	{"dqds_diagnose_connection", {""}, {TEXTOID}, false, 3, 2},
	{"dqds_list_schemas", {"", "t"}, {TEXTOID, BOOLOID}, false, 0, 0},
	{"dqds_list_schemas_json", {"", "f"}, {TEXTOID, BOOLOID}, true, 0, 0},
	{"dqds_list_tables",
	 {"", "s", "", "3", "t", "f", "", "f"},
	 {TEXTOID, TEXTOID, TEXTOID, INT4OID, BOOLOID, BOOLOID, TEXTOID, BOOLOID},
	 false,
	 0,
	 0},
	{"dqds_list_tables",
	 {"", "", "a", "", "f", "t", "b", "t"},
	 {TEXTOID, TEXTOID, TEXTOID, INT4OID, BOOLOID, BOOLOID, TEXTOID, BOOLOID},
	 false,
	 0,
	 0},
	{"dqds_list_tables_json",
	 {"", "s", "", "", "t", "t", "f", "", "f"},
	 {TEXTOID, TEXTOID, TEXTOID, INT4OID, BOOLOID, BOOLOID, BOOLOID, TEXTOID, BOOLOID},
	 true,
	 0,
	 0},
	{"dqds_list_tables_json",
	 {"", "s", "a", "2", "f", "t", "f", "", "f"},
	 {TEXTOID, TEXTOID, TEXTOID, INT4OID, BOOLOID, BOOLOID, BOOLOID, TEXTOID, BOOLOID},
	 true,
	 0,
	 0},
	{"dqds_list_columns", {"", "s", ""}, {TEXTOID, TEXTOID, TEXTARRAYOID}, false, 0, 0},
	{"dqds_list_columns", {"", "s", "{a,b}"}, {TEXTOID, TEXTOID, TEXTARRAYOID}, false, 0, 0},
	{"dqds_import_tables",
	 {"", "s", "", "", ""},
	 {TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, INT4OID},
	 false,
	 0,
	 0},
	{"dqds_test_connections", {""}, {TEXTOID}, false, 2, 4},
	{"dqds_list_columns_json", {"", "s", "a"}, {TEXTOID, TEXTOID, TEXTOID}, true, 0, 0},
};

typedef struct Call
{
	Oid function;
	int nargs;
	NullableDatum arguments[MAX_ARGUMENTS];
} Call;

static Call calls[lengthof(questions)];

/* ---- start ---------------------------------------------------------------------------------- */

static NullableDatum
argument(Oid type, const char *text)
{
	NullableDatum result = {.isnull = *text == '\0'};
	Oid input;
	Oid parameter;

	if (result.isnull)
		return result;
	getTypeInputInfo(type, &input, &parameter);
	result.value = OidInputFunctionCall(input, unconstify(char *, text), parameter, -1);
	return result;
}

/*
 * Prepare the calls, and register connections; in their models %d is the port.  Once, before
 * the first question.
 */
void
questions_start(const Caller *caller, const FuzzConnection *connections, int count, int port)
{
	static const Oid types[] = {TEXTOID, TEXTOID};
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	Oid create = fuzz_function(caller, "dqds_create_connection", 2, types);
	FuzzRows rows;

	for (int i = 0; i < count; i++)
	{
		NullableDatum arguments[] = {argument(TEXTOID, connections[i].name),
									 argument(TEXTOID, psprintf(connections[i].model, port))};

		fuzz_call(create, lengthof(arguments), arguments, &rows);
	}
	for (int i = 0; i < lengthof(questions); i++)
	{
		Call *call = &calls[i];

		while (call->nargs < MAX_ARGUMENTS && OidIsValid(questions[i].types[call->nargs]))
		{
			call->arguments[call->nargs] =
				argument(questions[i].types[call->nargs], questions[i].arguments[call->nargs]);
			call->nargs++;
		}
		call->function =
			fuzz_function(caller, questions[i].function, call->nargs, questions[i].types);
	}
	MemoryContextSwitchTo(old);
}

/* ---- what is answered ----------------------------------------------------------------------------- */

/* Checks a message, part of which a server may have sent. */
static void
check_words(const char *text)
{
	if (text == NULL)
		return;
	fuzz_require(fuzz_find(text, PASSWORD) == NULL, "the password is shown: %s", text);
	for (const char *c = text; *c != '\0'; c++)
		fuzz_require((unsigned char) *c >= ' ' && *c != 0x7f, "the words are not one line: %s",
					 text);
}

static void
check_rows(int question, const FuzzRows *rows)
{
	StringInfoData document;

	initStringInfo(&document);
	for (int i = 0; i < rows->count * rows->ncolumns; i++)
	{
		int column = i % rows->ncolumns - questions[question].words;
		const char *value = rows->values[i];

		if (value == NULL)
			continue;
		fuzz_require(pg_verifymbstr(value, strlen(value), true), "a value is not valid text");
		appendStringInfoString(&document, value);
		if (column >= 0 && column < questions[question].nwords)
			check_words(value);
	}
	fuzz_require(!questions[question].is_json || fuzz_is_json(document.data),
				 "the answer is no JSON: %s", document.data);
}

void
questions_check_error(const FuzzInput *input, const ErrorData *error)
{
	(void) input;
	check_words(error->message);
	check_words(error->hint);
	check_words(error->detail);
}

/* Ask one of the questions, whatever the number is, over the connection of this name. */
void
questions_ask(int number, const char *connection)
{
	int question = number % lengthof(questions);
	Call *call = &calls[question];
	FuzzRows rows;

	call->arguments[0] = argument(TEXTOID, connection);
	fuzz_call(call->function, call->nargs, call->arguments, &rows);
	check_rows(question, &rows);
}
