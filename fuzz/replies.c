/*
 * replies.c
 *		Fuzz target: answers of a hostile server.
 *
 * The input is three bytes of choice (where its bytes begin and how they are
 * sent; the kind of server; the question), followed by the bytes that the
 * server sends (hostile_server.c).  The functions that test, list and import
 * are called as a query calls them.  These conditions must hold:
 *
 *	- an error is one of those that the contract has for remote failures
 *	- everything that is returned is text of this database, and JSON where it is JSON
 *	- a message is one line, and never shows the password
 */
#include "backend.h"

#include "base/caller.h"
#include "base/settings.h"
#include "engine/session_cache.h"
#include "event/background.h"

#include "catalog/pg_type.h"
#include "hostile_server.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "messages.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define PASSWORD "never-to-be-shown"

/* The timeout of a question; a server that keeps the connection open uses all of it. */
#define TIMEOUT_MS      2000
#define HOLD_TIMEOUT_MS 10

/* A session is reused as long as the server has bytes left: it then knows more about the server. */
#define MAX_QUESTIONS 3

/* ---- at which kind of server -------------------------------------------------------- */

/* Connections that start() registers; %d is the port. */
static const struct
{
	const char *name;
	const char *model;
} connections[] = {
	{"postgresql",
	 "{\"provider_type\": \"postgresql\", \"postgresql\": {\"host\": \"127.0.0.1\", \"port\": %d,"
	 " \"user\": \"u\", \"database\": \"d\", \"password\": \"" PASSWORD
	 "\", \"sslmode\": \"disable\"}}"},
	{"prefer",
	 "{\"provider_type\": \"postgresql\", \"postgresql\": {\"host\": \"127.0.0.1\", \"port\": %d,"
	 " \"user\": \"u\", \"database\": \"d\", \"password\": \"" PASSWORD "\", \"properties\":"
	 " {\"target_session_attrs\": \"read-write\"}}}"},
	{"redshift",
	 "{\"provider_type\": \"redshift\", \"redshift\": {\"host\": \"127.0.0.1\", \"port\": %d,"
	 " \"user\": \"u\", \"password\": \"" PASSWORD "\", \"sslmode\": \"require\"}}"},
	{"questdb",
	 "{\"provider_type\": \"questdb\", \"questdb\": {\"host\": \"127.0.0.1\", \"port\": %d,"
	 " \"user\": \"u\", \"password\": \"" PASSWORD "\", \"sslmode\": \"allow\", \"properties\":"
	 " {\"allow_cleartext_password\": true}}}"},
};

/* ---- what is asked of it ---------------------------------------------------------------- */

#define MAX_ARGUMENTS 9

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

static void
register_connections(const Caller *caller, int port)
{
	static const Oid types[] = {TEXTOID, TEXTOID};
	Oid create = fuzz_function(caller, "dqds_create_connection", 2, types);
	FuzzRows rows;

	for (int i = 0; i < lengthof(connections); i++)
	{
		NullableDatum arguments[] = {argument(TEXTOID, connections[i].name),
									 argument(TEXTOID, psprintf(connections[i].model, port))};

		fuzz_call(create, lengthof(arguments), arguments, &rows);
	}
}

static void
start(const Caller *caller)
{
	int port = hostile_start(background_thread);
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	fuzz_require(port > 0, "the hostile server does not start");
	register_connections(caller, port);
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

/* ---- an input ----------------------------------------------------------------------------------------- */

static HostileScript script;

/* By the first byte; what takes time is rare. */
static const HostileDelivery deliveries[] = {
	DELIVER_IN_TURN,   DELIVER_IN_TURN,   DELIVER_IN_TURN,   DELIVER_IN_TURN,
	DELIVER_IN_TURN,   DELIVER_IN_TURN,   DELIVER_IN_TURN,   DELIVER_IN_TURN,
	DELIVER_AT_ONCE,   DELIVER_AT_ONCE,   DELIVER_AT_ONCE,   DELIVER_AT_ONCE,
	DELIVER_IN_PIECES, DELIVER_IN_PIECES, DELIVER_IN_PIECES, DELIVER_AND_HOLD};

static void
run(const FuzzInput *input)
{
	const uint8 *choice = input->data;
	int question;
	Call *call;
	FuzzRows rows;

	if (input->size < MESSAGES_OFFSET)
		return;
	script = (HostileScript){.begin = choice[0] % NUM_BEGINS,
							 .delivery = deliveries[choice[0] / NUM_BEGINS % lengthof(deliveries)],
							 .bytes = input->data + MESSAGES_OFFSET,
							 .size = input->size - MESSAGES_OFFSET};
	question = choice[2] % lengthof(questions);
	call = &calls[question];
	call->arguments[0] = argument(TEXTOID, connections[choice[1] % lengthof(connections)].name);
	dqds_connect_timeout_ms = dqds_query_timeout_ms =
		script.delivery == DELIVER_AND_HOLD ? HOLD_TIMEOUT_MS : TIMEOUT_MS;

	hostile_play(&script);
	for (int i = 0; i < MAX_QUESTIONS && (i == 0 || hostile_has_more()); i++)
	{
		fuzz_call(call->function, call->nargs, call->arguments, &rows);
		check_rows(question, &rows);
	}
}

static void
clean(void)
{
	(void) session_cache_close_all();
	hostile_end();
}

static void
check_error(const FuzzInput *input, const ErrorData *error)
{
	(void) input;
	check_words(error->message);
	check_words(error->hint);
	check_words(error->detail);
}

/*
 * libpq 15 leaks a result if a ParameterDescription or the start of a COPY
 * arrives unexpectedly: it replaces the result by a new one.
 */
static size_t
forgotten(const FuzzInput *input)
{
	size_t count = 0;

	for (size_t i = MESSAGES_OFFSET; i + 2 < input->size; i++)
		count += memchr("tGHW", input->data[i], 4) != NULL && input->data[i + 1] == 0 &&
				 input->data[i + 2] == 0;
	return count * (8192 + 8 * input->size);
}

/* Contract, 4: the codes of failures that a server can cause. */
static const char *const sqlstates[] = {"QD004", "QD005", "QD006", "QD007", "QD008", "QD009",
										"QD010", "QD011", "QD012", "QD013", "QD014", "QD015",
										"QD016", "QD017", "QD020", "QD023", NULL};

const FuzzTarget fuzz_replies = {.name = "replies",
								 .start = start,
								 .run = run,
								 .clean = clean,
								 .mutate = mutate_messages,
								 .forgotten = forgotten,
								 .check_error = check_error,
								 .sqlstates = sqlstates};
