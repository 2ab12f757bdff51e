/*
 * trino_statement.c
 *		Runs one statement in Trino or Presto.
 *
 * The statement is sent, and each answer says at which URL the next one is to be fetched,
 * until one does not.  The server holds an answer back for a moment while there are no rows,
 * and a server that does not is not asked faster for that.  All URLs are those of this server
 * (http_follow).
 *
 * An answer with the status 502, 503 or 504 means, by the protocol, that the same is to be asked
 * again.
 */
#include <string.h>

#include "trino.h"

#define MAX_PAGES        20000
#define QUICK_PAGES      10 /* without rows, that are fetched without a pause */
#define PAUSE_MS         50
#define MAX_PAUSE_MS     500
#define RETRY_PAUSE_MS   100
#define RESERVED_MS      300 /* of the time that is left, to tell what went wrong */
#define STATEMENT_PATH   "/v1/statement"
#define MAX_SHOWN_LENGTH 1000

/* One statement under way. */
typedef struct Statement
{
	Session *session;
	TrinoLink *link;
	JsonRowSink sink;
	void *argument;
	TrinoError *error;
	long nrows;
	int empty_pages; /* in succession */
} Statement;

/* ---- requests -------------------------------------------------------------------------------- */

static bool
is_passing(long status)
{
	return status == 502 || status == 503 || status == 504;
}

/* As http_ask, and again while the server says that it should be asked again. */
bool
trino_ask_patiently(Session *session, Http *http, const HttpRequest *request, HttpAnswer *answer)
{
	for (;;)
	{
		if (!http_ask(http, request, answer))
			return false;
		if (!is_passing(answer->status) ||
			session_time_left(session) <= RESERVED_MS + RETRY_PAUSE_MS ||
			!http_pause(http, RETRY_PAUSE_MS))
			return true;
		text_clear(&answer->body);
	}
}

/* ---- where it goes on ---------------------------------------------------------------------------- */

/* Note the path of the next answer, NULL for none. */
static void
set_next(TrinoLink *link, const Text *path, bool busy)
{
	pthread_mutex_lock(&link->mutex);
	text_clear(&link->next);
	if (path != NULL)
		text_add(&link->next, path->bytes);
	link->busy = busy;
	pthread_mutex_unlock(&link->mutex);
}

/*
 * Have the server end the statement that is under way, if it is known where it goes on; http
 * is one of http_aside().
 */
void
trino_end_statement(TrinoLink *link, Http *http)
{
	HttpRequest request = {.method = "DELETE", .headers = link->headers};
	HttpAnswer answer = {0};
	Text path = {0};

	pthread_mutex_lock(&link->mutex);
	if (link->next.length > 0)
		text_add(&path, link->next.bytes);
	pthread_mutex_unlock(&link->mutex);
	if (path.length > 0)
	{
		request.path = path.bytes;
		(void) http_ask(http, &request, &answer);
	}
	http_answer_free(&answer);
	text_free(&path);
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static bool
take_row(void *argument, const json_t *row)
{
	Statement *statement = argument;

	statement->nrows++;
	return statement->sink == NULL || statement->sink(statement->argument, row);
}

static void
copy_error(TrinoError *error, const json_t *told, bool after_rows)
{
	const char *name = json_text(told, "errorName");
	const char *text = json_text(told, "message");

	error->code = json_number(told, "errorCode");
	text_add(&error->name, name == NULL ? "" : name);
	text_add(&error->text, text == NULL ? "unknown error" : text);
	error->after_rows = after_rows;
}

/* Report an error, unless that was done. */
void
trino_tell(Session *session, TrinoError *error)
{
	if (!error->told)
		session_fault(session, FAULT_IS_SERVER, error->code, error->name.bytes, "%.*s",
					  MAX_SHOWN_LENGTH, error->text.bytes);
	error->told = true;
}

void
trino_error_free(TrinoError *error)
{
	text_free(&error->name);
	text_free(&error->text);
}

/*
 * Read what is around the rows of an answer, and write into *next the path of the next one, or
 * nothing.  False: there was an error.
 */
static bool
read_page(Statement *statement, JsonRows *rows, Text *next)
{
	json_t *page = json_rows_end(rows);
	const json_t *told = json_object_get(page, "error");
	const char *url = json_text(page, "nextUri");
	bool good = page != NULL && !json_is_object(told);

	text_clear(next);
	if (page == NULL)
		statement->error->told = true;
	else if (json_text(page, "id") == NULL)
	{
		session_fault(statement->session, FAULT_IS_KIND, 0, NULL, "its answer names no query");
		statement->error->told = true;
		good = false;
	}
	else if (!good)
		copy_error(statement->error, told, statement->nrows > 0);
	else if (url != NULL && !http_follow(statement->link->http, url, next))
	{
		statement->error->told = true;
		good = false;
	}
	json_decref(page);
	return good;
}

/* Fetch one answer; as read_page. */
static bool
fetch_page(Statement *statement, HttpRequest *request, Text *next)
{
	JsonRows rows = {.session = statement->session, .sink = take_row, .argument = statement};
	HttpAnswer answer = {0};
	long before = statement->nrows;
	bool good;

	request->headers = statement->link->headers;
	request->sink = json_rows_take;
	request->sink_argument = &rows;
	good = trino_ask_patiently(statement->session, statement->link->http, request, &answer);
	if (good && answer.status != 200)
	{
		http_status_fault(statement->session, &answer);
		good = false;
	}
	if (!good)
		statement->error->told = true;
	else
		good = read_page(statement, &rows, next);
	statement->empty_pages = statement->nrows > before ? 0 : statement->empty_pages + 1;
	json_rows_free(&rows);
	http_answer_free(&answer);
	return good;
}

/* Wait before the next answer is fetched, if many had no rows. */
static bool
pause_between(Statement *statement)
{
	int beyond = statement->empty_pages - QUICK_PAGES;
	int ms = beyond * PAUSE_MS;

	if (beyond <= 0)
		return true;
	if (http_pause(statement->link->http, ms > MAX_PAUSE_MS ? MAX_PAUSE_MS : ms))
		return true;
	session_fault(statement->session, FAULT_IS_LOST, 0, NULL, "cancelled");
	statement->error->told = true;
	return false;
}

static bool
has_too_many(Statement *statement, int pages)
{
	if (pages < MAX_PAGES)
		return false;
	session_fault(statement->session, FAULT_IS_BOUND, 0, NULL, "more than %d pages", MAX_PAGES);
	statement->error->told = true;
	return true;
}

/* What has failed here goes on there: end it, in little time. */
static void
give_up(TrinoLink *link)
{
	Http *aside = http_aside(link->http);

	if (aside == NULL)
		return;
	trino_end_statement(link, aside);
	http_close(aside);
}

/*
 * Run a statement, and hand its rows to the sink.  False: *error says why, which has to be told
 * by trino_tell(); it was made of zeros, and is the caller's to free by trino_error_free().
 */
bool
trino_run(Session *session, TrinoLink *link, const Text *sql, JsonRowSink sink, void *argument,
		  TrinoError *error)
{
	Statement statement = {
		.session = session, .link = link, .sink = sink, .argument = argument, .error = error};
	HttpRequest request = {.method = "POST",
						   .path = STATEMENT_PATH,
						   .body = sql->bytes,
						   .length = sql->length,
						   .type = "text/plain; charset=utf-8"};
	Text next = {0};
	Text path = {0};
	bool good;

	set_next(link, NULL, true);
	good = fetch_page(&statement, &request, &next);
	for (int pages = 1; good && next.length > 0; pages++)
	{
		set_next(link, &next, true);
		text_clear(&path);
		text_add(&path, next.bytes);
		request = (HttpRequest){.method = "GET", .path = path.bytes};
		good = pause_between(&statement) && !has_too_many(&statement, pages) &&
			   fetch_page(&statement, &request, &next);
	}
	if (!good && error->told && !session_is_cancelled(session))
		give_up(link);
	set_next(link, NULL, false);
	text_free(&next);
	text_free(&path);
	return good;
}
