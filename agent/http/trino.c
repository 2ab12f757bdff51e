/*
 * trino.c
 *		Logs in to Trino or Presto, asks it, and has it end what it was asked.
 *
 * There is no login in the protocol: a statement that runs is one.  Which server it is, it
 * says without a secret.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers.h"
#include "trino.h"

/*
 * To tell the comments of tables the server opens each table of the schema, so it is not asked for
 * those of a schema with more.
 */
#define MAX_REMARKED_TABLES 500

#define CANCEL_STEP_MS 10

typedef struct Answering
{
	Session *session;
	Question question;
	size_t nvalues; /* of a row; 0: not known yet */
	long count;     /* that the server has counted */
} Answering;

/* ---- logging in ------------------------------------------------------------------------------------ */

/* Tell the version of a server by what it says of itself; false: it is another kind of server. */
static bool
read_info(Session *session, const HttpAnswer *answer)
{
	json_t *info = json_read(session, answer->body.bytes, answer->body.length);
	const char *version = json_text(json_object_get(info, "nodeVersion"), "version");

	if (info != NULL && version == NULL)
		session_fault(session, FAULT_IS_KIND, 0, NULL, "it does not tell its version as it should");
	else if (info != NULL && json_is_true(json_object_get(info, "starting")))
	{
		session_fault(session, FAULT_IS_SERVER, 0, "SERVER_STARTING_UP", "it is starting");
		version = NULL;
	}
	if (version != NULL)
		session_fact(session, FACT_VERSION, version);
	json_decref(info);
	return version != NULL;
}

/* Is it such a server at all?  A proxy may want a secret first, so that this is not told. */
static bool
ask_info(Session *session, TrinoLink *link)
{
	HttpRequest request = {.method = "GET", .path = "/v1/info", .anonymous = true};
	HttpAnswer answer = {0};
	bool good = trino_ask_patiently(session, link->http, &request, &answer);

	if (good && answer.status == 200)
		good = read_info(session, &answer);
	else if (good && answer.status != 401 && answer.status != 403)
	{
		if (answer.status >= 500)
			http_status_fault(session, &answer);
		else
			session_fault(session, FAULT_IS_KIND, answer.status, HTTP_STATE,
						  "it answers to /v1/info with HTTP status %ld", answer.status);
		good = false;
	}
	http_answer_free(&answer);
	return good;
}

/* Run a statement to its end, and tell what goes wrong. */
static bool
run(Session *session, TrinoLink *link, const Text *sql, JsonRowSink sink, void *argument)
{
	TrinoError error = {0};
	bool good = trino_run(session, link, sql, sink, argument, &error);

	if (!good)
		trino_tell(session, &error);
	trino_error_free(&error);
	return good;
}

/*
 * A Presto that checks no passwords takes any: tell that the password was right only if nothing,
 * which is no statement, is refused without it.  Trino refuses a password that it does not check.
 * False: that cannot be found out, and session_fault was called.
 */
static bool
tell_proof(Session *session, TrinoLink *link)
{
	const char *password = session_login(session, LOGIN_PASSWORD);
	HttpRequest request = {.method = "POST",
						   .path = "/v1/statement",
						   .headers = link->headers,
						   .body = "",
						   .type = "text/plain; charset=utf-8",
						   .anonymous = true};
	HttpAnswer answer = {0};
	bool good = true;
	bool proved = !link->dialect.is_presto || session_login(session, LOGIN_PROVE) == NULL;

	if (password == NULL || *password == '\0')
		return true;
	if (!proved)
	{
		good = http_ask(link->http, &request, &answer);
		proved = good && (answer.status == 401 || answer.status == 403);
		http_answer_free(&answer);
	}
	if (proved)
		session_fact(session, FACT_PASSWORD_USED, "1");
	return good;
}

/* The login proper. */
static bool
check_catalog(Session *session, TrinoLink *link)
{
	Text sql = {0};
	bool good;

	trino_write_check(&sql, &link->dialect);
	good = run(session, link, &sql, NULL, NULL);
	text_free(&sql);
	return good;
}

/*
 * A value of Basic authentication, which these servers read as ISO 8859-1: a copy in that,
 * which is kept; the value itself, which is UTF-8, if it has other characters.
 */
static const char *
in_their_encoding(const char *value)
{
	Text copy = {0};

	if (value == NULL)
		return NULL;
	text_add(&copy, "");
	for (const unsigned char *at = (const unsigned char *) value; *at != '\0'; at++)
	{
		char byte = (char) *at;

		if ((*at == 0xC2 || *at == 0xC3) && at[1] != '\0')
		{
			byte = (char) ((at[0] & 3) << 6 | (at[1] & 0x3F));
			at++;
		}
		else if (*at >= 0x80)
		{
			text_free(&copy);
			return value;
		}
		text_add_bytes(&copy, &byte, 1);
	}
	return copy.bytes;
}

static TrinoLink *
make_link(Session *session)
{
	TrinoLink *link = calloc(1, sizeof(*link));
	const char *user = session_login(session, LOGIN_USER);

	if (link == NULL)
		return NULL;
	pthread_mutex_init(&link->mutex, NULL);
	link->dialect.is_presto = strcmp(session_login(session, LOGIN_PROVIDER), "presto") == 0;
	link->dialect.catalog = session_login(session, LOGIN_DATABASE);
	link->dialect.remarks = !link->dialect.is_presto;
	link->dialect.column_comments = true;
	text_addf(&link->user_header, "X-%s-User: %s", link->dialect.is_presto ? "Presto" : "Trino",
			  user == NULL ? "" : user);
	link->headers[0] = link->user_header.bytes;
	link->headers[1] = link->dialect.is_presto ? "X-Presto-Source: dqds" : "X-Trino-Source: dqds";
	return link;
}

/* The driver's login. */
bool
trino_login(Session *session)
{
	const char *password = session_login(session, LOGIN_PASSWORD);
	bool secret = password != NULL && *password != '\0';
	TrinoLink *link = make_link(session);

	if (link == NULL)
	{
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
		return false;
	}
	if (link->dialect.catalog == NULL)
	{
		session_fault(session, FAULT_IS_MODEL, 0, NULL, "it names no catalog");
		return false;
	}
	link->http = http_open(session, secret ? HTTP_BASIC : HTTP_NO_SECRET,
						   in_their_encoding(session_login(session, LOGIN_USER)),
						   in_their_encoding(password));
	if (link->http == NULL)
		return false;
	session_set_state(session, link);
	return ask_info(session, link) && check_catalog(session, link) && tell_proof(session, link);
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static bool
take_row(void *argument, const json_t *row)
{
	Answering *answering = argument;

	if (trino_is_about_columns(answering->question))
		return trino_column_row(answering->session, row, answering->question);
	if (answering->nvalues == 0)
		answering->nvalues = json_array_size(row);
	return json_row(answering->session, row, answering->nvalues);
}

static bool
take_count(void *argument, const json_t *row)
{
	Answering *answering = argument;

	answering->count = (long) json_integer_value(json_array_get(row, 0));
	return true;
}

/* Decide whether comments are asked for; false: a fault was told. */
static bool
decide_remarks(Session *session, TrinoLink *link, const Ask *ask, TrinoDialect *dialect)
{
	Answering answering = {.session = session};
	Text sql = {0};
	bool good;

	if (!dialect->remarks || !trino_is_about_tables(ask->question) ||
		ask->question == QUESTION_TABLE_NAMES)
		return true;
	trino_write_count(&sql, ask, dialect, MAX_REMARKED_TABLES + 1);
	good = run(session, link, &sql, take_count, &answering);
	dialect->remarks = answering.count <= MAX_REMARKED_TABLES;
	text_free(&sql);
	return good;
}

/* Can the same be asked for less?  Then *dialect, and what is asked from now on, is for that. */
static bool
asks_for_less(TrinoLink *link, const Ask *ask, const TrinoError *error, TrinoDialect *dialect)
{
	bool *part = trino_is_about_columns(ask->question)  ? &dialect->column_comments
				 : trino_is_about_tables(ask->question) ? &dialect->remarks
														: NULL;

	if (error->told || error->after_rows || part == NULL || !*part)
		return false;
	*part = false;
	if (part == &dialect->column_comments)
		link->dialect.column_comments = false;
	else
		link->dialect.remarks = false;
	return true;
}

/* The driver's ask. */
bool
trino_ask(Session *session, const Ask *ask)
{
	TrinoLink *link = session_state(session);
	Answering answering = {.session = session, .question = ask->question};
	TrinoDialect dialect = link->dialect;
	bool good = false;
	bool again = true;

	if (!decide_remarks(session, link, ask, &dialect))
		return false;
	while (again)
	{
		TrinoError error = {0};
		Text sql = {0};

		trino_write(&sql, ask, &dialect);
		good = trino_run(session, link, &sql, take_row, &answering, &error);
		again = !good && asks_for_less(link, ask, &error, &dialect);
		if (!good && !again)
			trino_tell(session, &error);
		trino_error_free(&error);
		text_free(&sql);
	}
	return good;
}

/* ---- the end -------------------------------------------------------------------------------------------- */

/* Is there a statement under way of which it is not known yet where it goes on? */
static bool
has_just_begun(TrinoLink *link)
{
	bool begun;

	pthread_mutex_lock(&link->mutex);
	begun = link->busy && link->next.length == 0;
	pthread_mutex_unlock(&link->mutex);
	return begun;
}

/* The driver's cancel. */
void
trino_cancel(Session *session)
{
	TrinoLink *link = session_state(session);
	Http *aside = link == NULL ? NULL : http_aside(link->http);

	if (aside == NULL)
		return;
	for (int ms = 0; ms < CANCEL_TIMEOUT_MS && has_just_begun(link); ms += CANCEL_STEP_MS)
		(void) http_pause(aside, CANCEL_STEP_MS);
	trino_end_statement(link, aside);
	http_abort(link->http);
	http_close(aside);
}

/* The driver's leave: a server knows of no session. */
void
trino_leave(Session *session)
{
	TrinoLink *link = session_state(session);

	if (link != NULL)
		http_close(link->http);
}
