/*
 * clickhouse.c
 *		Logs in to ClickHouse, asks it, and has it end what it was asked.
 *
 * Each query is a request with a number of our own, by which it can be killed: a server does
 * not end a query whose connection is closed.  An answer is a document with all rows, so an
 * error that comes in the middle of it is noticed: it is no such document then.
 *
 * A user who may not set anything is asked without settings.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clickhouse.h"
#include "drivers.h"
#include "json_rows.h"

#define GRACE_MS         2000 /* of the server's limit of time, over the backend's own deadline */
#define KILL_PAUSE_MS    50
#define MAX_KILLS        (CANCEL_TIMEOUT_MS / KILL_PAUSE_MS)
#define CODE             "Code: "
#define EXCEPTION        "DB::Exception: "
#define END_OF_EXCEPTION ", e.what()"

/* Errors that say that a setting cannot be set: unknown, read only, outside its constraint. */
#define UNKNOWN_SETTING    115
#define READ_ONLY          164
#define SETTING_CONSTRAINT 452

typedef struct ClickhouseLink
{
	Http *http;
	bool no_settings; /* the user may not set any */
	ClickhouseDialect dialect;
	char id[48]; /* of the query: the link's own, and a number */
	unsigned long asked;
	volatile bool busy;
	uint64_t random;
} ClickhouseLink;

/* An error of the server, in the text of its answer. */
typedef struct ClickhouseError
{
	long code; /* 0: there is none */
	const char *text;
	size_t length;
} ClickhouseError;

/* Errors that say that no one is let in so. */
#define UNKNOWN_USER          192
#define WRONG_PASSWORD        193
#define REQUIRED_PASSWORD     194
#define AUTHENTICATION_FAILED 516

/* What one question is answered into. */
typedef struct Answering
{
	Session *session;
	ClickhouseLink *link;
	Question question;
	size_t nvalues; /* of a row; 0: not known yet */
	Text version;
} Answering;

/* ---- errors ------------------------------------------------------------------------------------- */

/* Find the error in a text, in which it may have something before it. */
static ClickhouseError
find_error(const char *text)
{
	ClickhouseError error = {0};
	const char *code = strstr(text, CODE);
	const char *end;

	if (code == NULL)
		return error;
	error.code = strtol(code + strlen(CODE), NULL, 10);
	error.text = strstr(code, EXCEPTION);
	error.text = error.text == NULL ? code : error.text + strlen(EXCEPTION);
	end = strstr(error.text, END_OF_EXCEPTION);
	error.length = end == NULL ? strcspn(error.text, "\r\n") : (size_t) (end - error.text);
	return error;
}

static bool
tell_error(Session *session, const ClickhouseError *error)
{
	session_fault(session, FAULT_IS_SERVER, error->code, NULL, "%.*s",
				  error->length > 1000 ? 1000 : (int) error->length, error->text);
	return false;
}

static bool
is_about_settings(long code)
{
	return code == UNKNOWN_SETTING || code == READ_ONLY || code == SETTING_CONSTRAINT;
}

/* ---- a query ------------------------------------------------------------------------------------- */

static void
write_path(Text *path, ClickhouseLink *link, Session *session)
{
	const char *database = session_login(session, LOGIN_DATABASE);
	int seconds = (session_time_left(session) + GRACE_MS) / 1000 + 1;

	snprintf(link->id, sizeof(link->id), "dqds-%016llx-%lu", (unsigned long long) link->random,
			 ++link->asked);
	text_addf(path, "/?query_id=%s", link->id);
	if (database != NULL)
	{
		text_add(path, "&database=");
		http_add_encoded(path, database);
	}
	/* What has more rows than the user may have is an error, and not a part of them. */
	if (!link->no_settings)
		text_addf(path,
				  "&max_execution_time=%d&timeout_overflow_mode=throw&result_overflow_mode=throw"
				  "&read_overflow_mode=throw",
				  seconds);
}

/* The end of an answer with status 200. */
static bool
end_answer(Session *session, JsonRows *rows)
{
	ClickhouseError error = find_error(rows->rest.bytes == NULL ? "" : rows->rest.bytes);
	json_t *document;
	bool whole;

	/* It may come within a row, which then has no end. */
	if (error.code == 0 && rows->row.length > 0)
		error = find_error(rows->row.bytes);
	if (error.code != 0)
		return tell_error(session, &error);
	document = json_rows_end(rows);
	if (document == NULL)
		return false;
	whole = json_is_integer(json_object_get(document, "rows")) &&
			json_number(document, "rows") == rows->count;
	json_decref(document);
	if (!whole)
		session_fault(session, FAULT_IS_KIND, 0, NULL, "its answer has no count of its rows");
	return whole;
}

/* Once; *again: it has to be asked without settings. */
static bool
run_once(Session *session, ClickhouseLink *link, const Text *sql, JsonRows *rows, bool *again)
{
	HttpRequest request = {.method = "POST",
						   .body = sql->bytes,
						   .length = sql->length,
						   .type = "text/plain; charset=UTF-8",
						   .sink = json_rows_take,
						   .sink_argument = rows,
						   .endless = true};
	HttpAnswer answer = {0};
	Text path = {0};
	bool good;

	write_path(&path, link, session);
	request.path = path.bytes;
	link->busy = true;
	good = http_ask(link->http, &request, &answer);
	link->busy = false;
	if (good && answer.status == 200)
		good = end_answer(session, rows);
	else if (good)
	{
		ClickhouseError error = find_error(answer.body.length == 0 ? "" : answer.body.bytes);

		good = false;
		*again = !link->no_settings && is_about_settings(error.code);
		if (*again)
			link->no_settings = true;
		else if (error.code != 0)
			tell_error(session, &error);
		else
			http_status_fault(session, &answer);
	}
	http_answer_free(&answer);
	text_free(&path);
	return good;
}

static bool
run(Session *session, ClickhouseLink *link, Text *sql, JsonRowSink sink, void *argument)
{
	JsonRows rows = {.session = session, .sink = sink, .argument = argument};
	bool again = false;
	bool good;

	text_add(sql, " FORMAT JSONCompact");
	good = run_once(session, link, sql, &rows, &again);
	if (again)
		good = run_once(session, link, sql, &rows, &again);
	json_rows_free(&rows);
	return good;
}

/* ---- logging in ------------------------------------------------------------------------------------ */

/* Is it a ClickHouse at all?  Asked without a secret. */
static bool
ping(Session *session, ClickhouseLink *link)
{
	HttpRequest request = {.method = "GET", .path = "/ping", .anonymous = true};
	HttpAnswer answer = {0};
	bool good = false;

	if (http_ask(link->http, &request, &answer))
	{
		good = answer.status == 200 && answer.body.length >= 3 &&
			   strncmp(answer.body.bytes, "Ok.", 3) == 0;
		if (!good && answer.status >= 500)
			http_status_fault(session, &answer);
		else if (!good)
			session_fault(session, FAULT_IS_KIND, answer.status, HTTP_STATE,
						  "it does not answer to /ping as ClickHouse does");
	}
	http_answer_free(&answer);
	return good;
}

/* A row of CLICKHOUSE_DIALECT_SQL. */
static bool
learn(void *argument, const json_t *row)
{
	Answering *answering = argument;
	const char *version = json_string_value(json_array_get(row, 0));
	const char *table = json_string_value(json_array_get(row, 1));
	const char *name = json_string_value(json_array_get(row, 2));

	if (version != NULL && *version != '\0')
		text_add(&answering->version, version);
	if (table != NULL && name != NULL)
		clickhouse_learn(&answering->link->dialect, table, name);
	return true;
}

/* Does it say that a password is missing, or wrong? */
static bool
refuses_login(const HttpAnswer *answer)
{
	long code = find_error(answer->body.length == 0 ? "" : answer->body.bytes).code;

	return answer->status == 401 || answer->status == 403 ||
		   (answer->status != 200 && (code == UNKNOWN_USER || code == WRONG_PASSWORD ||
									  code == REQUIRED_PASSWORD || code == AUTHENTICATION_FAILED));
}

/*
 * A user without a password is let in with any: tell that the password was right only if the user
 * is not let in without it.  False: that cannot be found out, and session_fault was called.
 */
static bool
tell_proof(Session *session, ClickhouseLink *link)
{
	const char *password = session_login(session, LOGIN_PASSWORD);
	HttpRequest request = {.method = "POST",
						   .path = "/",
						   .body = "SELECT 1",
						   .length = strlen("SELECT 1"),
						   .type = "text/plain; charset=UTF-8"};
	HttpAnswer answer = {0};
	bool good = true;
	bool proved = session_login(session, LOGIN_PROVE) == NULL;

	if (password == NULL || *password == '\0')
		return true;
	if (!proved)
	{
		link->http->secret = "";
		good = http_ask(link->http, &request, &answer);
		link->http->secret = password;
		proved = good && refuses_login(&answer);
		http_answer_free(&answer);
	}
	if (proved)
		session_fact(session, FACT_PASSWORD_USED, "1");
	return good;
}

static bool
learn_dialect(Session *session, ClickhouseLink *link)
{
	Answering answering = {.session = session, .link = link};
	Text sql = {0};
	bool good;

	text_add(&sql, CLICKHOUSE_DIALECT_SQL);
	good = run(session, link, &sql, learn, &answering);
	if (good && answering.version.length > 0)
		session_fact(session, FACT_VERSION, answering.version.bytes);
	text_free(&answering.version);
	text_free(&sql);
	return good;
}

/* The driver's login. */
bool
clickhouse_login(Session *session)
{
	ClickhouseLink *link = calloc(1, sizeof(*link));
	const char *user = session_login(session, LOGIN_USER);

	if (link == NULL || getrandom(&link->random, sizeof(link->random), 0) < 0)
	{
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
		return false;
	}
	link->http = http_open(session, user == NULL ? HTTP_NO_SECRET : HTTP_BASIC, user,
						   session_login(session, LOGIN_PASSWORD));
	if (link->http == NULL)
		return false;
	session_set_state(session, link);
	return ping(session, link) && learn_dialect(session, link) && tell_proof(session, link);
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static bool
take_row(void *argument, const json_t *row)
{
	Answering *answering = argument;

	if (clickhouse_is_about_columns(answering->question))
		return clickhouse_column_row(answering->session, row, answering->question);
	if (answering->nvalues == 0)
		answering->nvalues = json_array_size(row);
	return json_row(answering->session, row, answering->nvalues);
}

/* The driver's ask. */
bool
clickhouse_ask(Session *session, const Ask *ask)
{
	ClickhouseLink *link = session_state(session);
	Answering answering = {.session = session, .link = link, .question = ask->question};
	Text sql = {0};
	bool good;

	clickhouse_write(&sql, ask, &link->dialect);
	good = run(session, link, &sql, take_row, &answering);
	text_free(&sql);
	return good;
}

/* ---- the end -------------------------------------------------------------------------------------------- */

/* Kill the query; false: the server does not have it, or not yet. */
static bool
kill_query(Http *aside, const Text *sql)
{
	HttpRequest request = {.method = "POST",
						   .path = "/",
						   .body = sql->bytes,
						   .length = sql->length,
						   .type = "text/plain; charset=UTF-8"};
	HttpAnswer answer = {0};
	bool killed =
		http_ask(aside, &request, &answer) && answer.status == 200 && answer.body.length > 0;

	http_answer_free(&answer);
	return killed;
}

/* The driver's cancel. */
void
clickhouse_cancel(Session *session)
{
	ClickhouseLink *link = session_state(session);
	Http *aside = link == NULL ? NULL : http_aside(link->http);
	Text sql = {0};

	if (aside == NULL)
		return;
	text_addf(&sql, "KILL QUERY WHERE query_id = '%s' SYNC", link->id);
	for (int i = 0; i < MAX_KILLS && link->busy && !kill_query(aside, &sql); i++)
		(void) http_pause(aside, KILL_PAUSE_MS);
	http_abort(link->http);
	http_close(aside);
	text_free(&sql);
}

/* The driver's leave: a server knows of no session. */
void
clickhouse_leave(Session *session)
{
	ClickhouseLink *link = session_state(session);

	if (link != NULL)
		http_close(link->http);
}
