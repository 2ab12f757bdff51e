/*
 * cloud.c
 *		What the drivers for Databricks, Snowflake and BigQuery have in common.
 *
 * All are asked over HTTPS for JSON, with a bearer's token, and list page by page in an order
 * of their own.  It must not know which of them it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud.h"

#define MAX_PAGES     20000
#define TOKEN_SECONDS (45 * 60) /* after which a token is signed again: they last an hour */
#define NUMBER_BYTES  24

/* ---- the link ---------------------------------------------------------------------------------- */

/* Begin a login with this secret, which stays the caller's; NULL: session_fault was called. */
CloudLink *
cloud_begin(Session *session, HttpScheme scheme, const char *secret)
{
	CloudLink *link = calloc(1, sizeof(*link));

	if (link == NULL)
	{
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
		return NULL;
	}
	pthread_mutex_init(&link->mutex, NULL);
	link->catalog = session_login(session, LOGIN_DATABASE);
	link->http = http_open(session, scheme, session_login(session, LOGIN_USER), secret);
	if (link->http == NULL)
	{
		free(link);
		return NULL;
	}
	session_set_state(session, link);
	return link;
}

/* See that the token lasts for a question; false: session_fault was called. */
bool
cloud_is_ready(Session *session, CloudLink *link)
{
	return link->sign == NULL || time(NULL) - link->signed_at < TOKEN_SECONDS ||
		   link->sign(session, link);
}

/* ---- asking --------------------------------------------------------------------------------------- */

static bool
is_success(long status)
{
	return status >= 200 && status < 300;
}

static json_t *
read_object(const HttpAnswer *answer)
{
	json_t *body = answer->body.length == 0
					   ? NULL
					   : json_loadb(answer->body.bytes, answer->body.length, 0, NULL);

	if (body == NULL || json_is_object(body))
		return body;
	json_decref(body);
	return NULL;
}

/* Make something of an answer that has come. */
static CloudOutcome
take_answer(Session *session, CloudLink *link, const CloudRequest *request,
			const HttpAnswer *answer, json_t **value)
{
	json_t *body;

	if (is_success(answer->status))
	{
		*value = json_read(session, answer->body.bytes, answer->body.length);
		return *value == NULL ? CLOUD_FAILED : CLOUD_DONE;
	}
	if (answer->status == 404 && request->may_be_missing)
		return CLOUD_MISSING;
	body = read_object(answer);
	link->tell(session, answer, body);
	json_decref(body);
	return CLOUD_FAILED;
}

/* Send a request; *answer, if it is DONE, is the caller's to free by json_decref(). */
CloudOutcome
cloud_ask(Session *session, CloudLink *link, const CloudRequest *request, json_t **answer)
{
	HttpRequest http_request = {
		.method = request->method, .path = request->path, .headers = link->headers};
	HttpAnswer http_answer = {0};
	char *body = request->body == NULL ? NULL : json_dumps(request->body, JSON_COMPACT);
	CloudOutcome outcome = CLOUD_FAILED;

	*answer = NULL;
	http_request.body = body;
	http_request.length = body == NULL ? 0 : strlen(body);
	if (http_ask(link->http, &http_request, &http_answer))
		outcome = take_answer(session, link, request, &http_answer, answer);
	http_answer_free(&http_answer);
	free(body);
	return outcome;
}

/*
 * Ask for all pages of a listing, which may be missing: path has a query already, parameter is
 * the one by which the next page is asked for, and member what tells it.  False: session_fault
 * was called.
 */
bool
cloud_pages(Session *session, CloudLink *link, const Text *path, const char *parameter,
			const char *member, CloudPage take, void *argument)
{
	Text next = {0};
	bool good = true;
	bool more = true;

	text_add(&next, path->bytes);
	for (int count = 0; good && more; count++)
	{
		CloudRequest request = {.method = "GET", .path = next.bytes, .may_be_missing = true};
		json_t *page;
		CloudOutcome outcome = cloud_ask(session, link, &request, &page);
		const char *token = json_text(page, member);

		good = outcome == CLOUD_MISSING || (outcome == CLOUD_DONE && take(argument, page));
		more = token != NULL && *token != '\0';
		if (good && more && count >= MAX_PAGES)
		{
			session_fault(session, FAULT_IS_BOUND, 0, NULL, "more than %d pages", MAX_PAGES);
			good = false;
		}
		text_clear(&next);
		text_addf(&next, "%s&%s=", path->bytes, parameter);
		if (more)
			http_add_encoded(&next, token);
		json_decref(page);
	}
	text_free(&next);
	return good;
}

/* ---- cancelling -------------------------------------------------------------------------------------- */

/* From now on, a POST to this path ends what is asked; NULL: nothing is. */
void
cloud_may_cancel(CloudLink *link, const char *path)
{
	pthread_mutex_lock(&link->mutex);
	text_clear(&link->cancel_path);
	if (path != NULL)
		text_add(&link->cancel_path, path);
	pthread_mutex_unlock(&link->mutex);
}

/* The drivers' cancel. */
void
cloud_cancel(Session *session)
{
	CloudLink *link = session_state(session);
	Http *aside = link == NULL ? NULL : http_aside(link->http);
	Text path = {0};

	if (aside == NULL)
		return;
	text_add(&path, "");
	pthread_mutex_lock(&link->mutex);
	if (link->cancel_path.length > 0)
		text_add(&path, link->cancel_path.bytes);
	pthread_mutex_unlock(&link->mutex);
	if (path.length > 0)
	{
		HttpRequest request = {.method = "POST",
							   .path = path.bytes,
							   .headers = link->headers,
							   .body = "{}",
							   .length = 2};
		HttpAnswer answer = {0};

		(void) http_ask(aside, &request, &answer);
		http_answer_free(&answer);
	}
	text_free(&path);
	http_abort(link->http);
	http_close(aside);
}

/* The drivers' leave: these servers know of no session. */
void
cloud_leave(Session *session)
{
	CloudLink *link = session_state(session);

	if (link != NULL)
		http_close(link->http);
}

/* ---- rows ------------------------------------------------------------------------------------------------ */

/* Does a table's name pass the filters of the question? */
bool
cloud_is_wanted(const Ask *ask, const char *name)
{
	return (ask->values[1] == NULL || strstr(name, ask->values[1]) != NULL) &&
		   (ask->values[4] == NULL || strstr(name, ask->values[4]) == NULL);
}

/* Keep a row until all have come; false: session_fault was called. */
bool
cloud_add(Session *session, Sorter *sorter, const char *const *values)
{
	if (sorter_add(sorter, values))
		return true;
	session_fault(session, FAULT_IS_BOUND, 0, NULL, "more than %zu MB of names",
				  sorter->max_bytes / (1024 * 1024));
	return false;
}

/* Put the rows in order, as far as a limit, which may be NULL; the sorter is freed. */
bool
cloud_put(Session *session, Sorter *sorter, int nvalues, const char *limit)
{
	long left = limit == NULL ? -1 : strtol(limit, NULL, 10);
	const char **row;
	bool good = true;

	sorter_sort(sorter);
	for (; good && left != 0 && (row = sorter_next(sorter)) != NULL; left--)
		good = session_row(session, row, NULL, nvalues);
	sorter_free(sorter);
	return good;
}

/* A whole number, which may be written as text, as text in this room; NULL: it is none. */
const char *
cloud_number(const json_t *value, char *room, size_t size)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		snprintf(room, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (text != NULL && *text != '\0' && strspn(text, "0123456789") == strlen(text) &&
			 strlen(text) < size)
		snprintf(room, size, "%s", text);
	else
		return NULL;
	return room;
}

bool
cloud_is_about_details(Question question)
{
	return question == QUESTION_COLUMN_DETAILS || question == QUESTION_COLUMN_DETAILS_OF;
}

/* How many values a row of a question about tables has, from the name of the table on. */
int
cloud_table_values(Question question)
{
	return question == QUESTION_TABLE_NAMES ? 1 : question == QUESTION_TABLES ? 4 : 9;
}

/*
 * Put the overview of a service that tells its schemas, which were gathered, and of tables
 * nothing without a listing of each schema.  good: they were gathered whole.  Frees them.
 */
bool
cloud_put_overview(Session *session, Sorter *schemas, bool good)
{
	char count[NUMBER_BYTES];
	const char *values[] = {NULL, NULL, count, count};

	snprintf(count, sizeof(count), "%zu", schemas->nrows);
	sorter_free(schemas);
	return good && session_row(session, values, NULL, 4);
}
