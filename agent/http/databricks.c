/*
 * databricks.c
 *		The driver for Databricks: logs in, and runs a statement at a SQL warehouse.
 *
 * The listings need no warehouse, which may be asleep: it is used only to prove that it can be
 * (QUESTION_PROBE), and only if http_path names one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "databricks.h"
#include "drivers.h"

#define UNITY      "/api/2.1/unity-catalog/"
#define STATEMENTS "/api/2.0/sql/statements"
#define POLL_MS    200

/* ---- faults -------------------------------------------------------------------------------- */

static void
tell(Session *session, const HttpAnswer *answer, const json_t *body)
{
	const char *code = json_text(body, "error_code");
	const char *message = json_text(body, "message");

	if (message == NULL)
		http_status_fault(session, answer);
	else
		session_fault(session, FAULT_IS_SERVER, answer->status, code == NULL ? "" : code, "%s",
					  message);
}

/* ---- logging in ------------------------------------------------------------------------------ */

/* The catalog that the workspace has, if the connection names none. */
static bool
find_catalog(Session *session, CloudLink *link)
{
	CloudRequest request = {.method = "GET", .path = UNITY "current-metastore-assignment"};
	json_t *answer;
	const char *name;

	if (link->catalog != NULL)
		return true;
	if (cloud_ask(session, link, &request, &answer) != CLOUD_DONE)
		return false;
	name = json_text(answer, "default_catalog_name");
	if (name != NULL)
	{
		text_add(&link->own_catalog, name);
		link->catalog = link->own_catalog.bytes;
	}
	else
		session_fault(session, FAULT_IS_MODEL, 0, NULL,
					  "it names no catalog, and the workspace has no default");
	json_decref(answer);
	return name != NULL;
}

/* The login proper: the token is wrong, the catalog is not there, or it may not be used. */
static bool
check_catalog(Session *session, CloudLink *link)
{
	Text path = {0};
	CloudRequest request = {.method = "GET"};
	json_t *answer;
	bool good;

	text_add(&path, UNITY "catalogs/");
	http_add_encoded(&path, link->catalog);
	request.path = path.bytes;
	good = cloud_ask(session, link, &request, &answer) == CLOUD_DONE;
	if (good && json_text(answer, "name") == NULL)
	{
		session_fault(session, FAULT_IS_KIND, 0, NULL, "it does not describe a catalog");
		good = false;
	}
	json_decref(answer);
	text_free(&path);
	return good;
}

/* The driver's login. */
bool
databricks_login(Session *session)
{
	const char *token = session_login(session, LOGIN_PASSWORD);
	CloudLink *link;

	if (token == NULL || *token == '\0')
	{
		session_fault(session, FAULT_IS_PASSWORD, 0, NULL, "an access token");
		return false;
	}
	link = cloud_begin(session, HTTP_BEARER, token);
	if (link == NULL)
		return false;
	link->tell = tell;
	if (!find_catalog(session, link) || !check_catalog(session, link))
		return false;
	session_fact(session, FACT_PASSWORD_USED, "1");
	return true;
}

/* ---- a statement --------------------------------------------------------------------------------- */

/* The warehouse that a path such as /sql/1.0/warehouses/ID names; NULL: none. */
static const char *
warehouse_of(const char *http_path)
{
	static const char *const marks[] = {"/warehouses/", "/endpoints/"};

	for (size_t i = 0; http_path != NULL && i < sizeof(marks) / sizeof(marks[0]); i++)
	{
		const char *mark = strstr(http_path, marks[i]);

		if (mark != NULL && mark[strlen(marks[i])] != '\0')
			return mark + strlen(marks[i]);
	}
	return NULL;
}

/* Has the statement ended well?  If not, *over says whether it has ended at all, which was told. */
static bool
has_succeeded(Session *session, const json_t *answer, bool *over)
{
	const json_t *status = json_object_get(answer, "status");
	const json_t *error = json_object_get(status, "error");
	const char *state = json_text(status, "state");
	const char *message = json_text(error, "message");
	const char *code = json_text(error, "error_code");

	*over = state == NULL || (strcmp(state, "PENDING") != 0 && strcmp(state, "RUNNING") != 0);
	if (state != NULL && strcmp(state, "SUCCEEDED") == 0)
		return true;
	if (state == NULL)
		session_fault(session, FAULT_IS_KIND, 0, NULL, "it does not tell the state of a statement");
	else if (*over)
		session_fault(session, FAULT_IS_SERVER, 0, code == NULL ? state : code, "%s",
					  message == NULL ? state : message);
	return false;
}

/* Wait for the end of a statement; the backend keeps the deadline. */
static bool
await_statement(Session *session, CloudLink *link, json_t *answer)
{
	Text path = {0};
	Text cancel = {0};
	const char *id = json_text(answer, "statement_id");
	bool over;
	bool good = has_succeeded(session, answer, &over);

	text_add(&path, STATEMENTS "/");
	http_add_encoded(&path, id == NULL ? "" : id);
	text_addf(&cancel, "%s/cancel", path.bytes);
	cloud_may_cancel(link, cancel.bytes);
	while (!over)
	{
		CloudRequest request = {.method = "GET", .path = path.bytes};
		json_t *again = NULL;

		over = true;
		if (!http_pause(link->http, POLL_MS))
			session_fault(session, FAULT_IS_SERVER, 0, "CANCELED", "cancelled");
		else if (cloud_ask(session, link, &request, &again) == CLOUD_DONE)
			good = has_succeeded(session, again, &over);
		json_decref(again);
	}
	cloud_may_cancel(link, NULL);
	text_free(&path);
	text_free(&cancel);
	return good;
}

/* Prove that a statement runs at the warehouse that http_path names, if it names one. */
bool
databricks_probe(Session *session, CloudLink *link)
{
	static const char *const one[] = {"1"};
	const char *warehouse = warehouse_of(session_login(session, "http_path"));
	CloudRequest request = {.method = "POST", .path = STATEMENTS};
	json_t *answer = NULL;
	json_t *body;
	bool good;

	if (warehouse == NULL)
		return check_catalog(session, link) && session_row(session, one, NULL, 1);
	body = json_pack("{s:s, s:s, s:s}", "warehouse_id", warehouse, "statement", "SELECT 1",
					 "wait_timeout", "0s");
	request.body = body;
	good = cloud_ask(session, link, &request, &answer) == CLOUD_DONE &&
		   await_statement(session, link, answer);
	json_decref(answer);
	json_decref(body);
	return good && session_row(session, one, NULL, 1);
}

/* ---- the end ------------------------------------------------------------------------------------ */

void
databricks_cancel(Session *session)
{
	cloud_cancel(session);
}

void
databricks_leave(Session *session)
{
	cloud_leave(session);
}
