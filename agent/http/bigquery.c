/*
 * bigquery.c
 *		The driver for BigQuery: logs in to its REST API.
 *
 * It logs in with tokens that it signs itself under the key of a service account, so that no
 * other server has to be asked for them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bigquery.h"
#include "drivers.h"
#include "jwt.h"

#define PROJECTS   "/bigquery/v2/projects/"
#define AUDIENCE   "https://bigquery.googleapis.com/"
#define TOKEN_LIFE 3600

/* ---- faults ------------------------------------------------------------------------------------ */

/* The state is the reason of the first error. */
static void
tell(Session *session, const HttpAnswer *answer, const json_t *body)
{
	const json_t *error = json_object_get(body, "error");
	const json_t *first = json_array_get(json_object_get(error, "errors"), 0);
	const char *message = json_text(error, "message");
	const char *reason = json_text(first, "reason");

	if (reason == NULL)
		reason = json_text(error, "status");
	if (message == NULL)
		http_status_fault(session, answer);
	else
		session_fault(session, FAULT_IS_SERVER, answer->status, reason == NULL ? "" : reason, "%s",
					  message);
}

/* ---- logging in ----------------------------------------------------------------------------------- */

/* Sign a token under the key of the service account. */
static bool
sign(Session *session, CloudLink *link)
{
	const char *content = session_login(session, LOGIN_PASSWORD);
	json_t *key = content == NULL ? NULL : json_loads(content, 0, NULL);
	const char *email = json_text(key, "client_email");
	const char *pem = json_text(key, "private_key");
	time_t now = time(NULL);
	json_t *claims = NULL;
	bool good = email != NULL && pem != NULL;

	text_clear(&link->token);
	if (good)
		claims = json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", email, "sub", email, "aud", AUDIENCE,
						   "iat", (json_int_t) now, "exp", (json_int_t) now + TOKEN_LIFE);
	good = good && claims != NULL &&
		   jwt_sign(&link->token, json_text(key, "private_key_id"), claims, pem);
	if (!good)
		session_fault(session, FAULT_IS_MODEL, 0, NULL,
					  "json_key_content is not the content of a key file of a service account");
	link->signed_at = now;
	link->http->secret = link->token.bytes;
	json_decref(claims);
	json_decref(key);
	return good;
}

/* Begin a path below the project in an empty text. */
void
bigquery_begin_path(Text *path, const CloudLink *link)
{
	text_add(path, PROJECTS);
	http_add_encoded(path, link->catalog);
}

/* The login proper: the key is unknown, or the project is not there. */
bool
bigquery_check_project(Session *session, CloudLink *link)
{
	Text path = {0};
	CloudRequest request = {.method = "GET"};
	json_t *answer;
	bool good;

	bigquery_begin_path(&path, link);
	text_add(&path, "/datasets?maxResults=1");
	request.path = path.bytes;
	good = cloud_ask(session, link, &request, &answer) == CLOUD_DONE;
	if (good && json_text(answer, "kind") == NULL)
	{
		session_fault(session, FAULT_IS_KIND, 0, NULL, "it does not answer as BigQuery does");
		good = false;
	}
	json_decref(answer);
	text_free(&path);
	return good;
}

/* The driver's login. */
bool
bigquery_login(Session *session)
{
	const char *content = session_login(session, LOGIN_PASSWORD);
	const char *quota = session_login(session, "quota_project_id");
	CloudLink *link;

	if (content == NULL || *content == '\0')
	{
		session_fault(session, FAULT_IS_PASSWORD, 0, NULL,
					  "the key of a service account in its place, json_key_content");
		return false;
	}
	link = cloud_begin(session, HTTP_BEARER, NULL);
	if (link == NULL)
		return false;
	link->tell = tell;
	link->sign = sign;
	if (quota != NULL && *quota != '\0')
	{
		text_addf(&link->header_texts[0], "x-goog-user-project: %s", quota);
		link->headers[0] = link->header_texts[0].bytes;
	}
	if (!cloud_is_ready(session, link) || !bigquery_check_project(session, link))
		return false;
	session_fact(session, FACT_PASSWORD_USED, "1");
	return true;
}

/* ---- the end ------------------------------------------------------------------------------------ */

void
bigquery_cancel(Session *session)
{
	cloud_cancel(session);
}

void
bigquery_leave(Session *session)
{
	cloud_leave(session);
}
