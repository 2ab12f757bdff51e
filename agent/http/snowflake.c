/*
 * snowflake.c
 *		The driver for Snowflake: logs in to its SQL API, and runs statements there.
 *
 * The API takes a programmatic access token, or a token that is signed under the private key
 * of a user, and no password.  It has no login, so the first statement is one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"
#include "jwt.h"
#include "snowflake.h"

#define STATEMENTS      "/api/v2/statements"
#define HOST_SUFFIX     ".snowflakecomputing.com"
#define TOKEN_TYPE      "X-Snowflake-Authorization-Token-Type: "
#define MIN_TOKEN_BYTES 100 /* programmatic access tokens are longer, and passwords are not */
#define TOKEN_LIFE      3540
#define POLL_MS         200
#define GRACE_SECONDS   2

/* ---- faults ----------------------------------------------------------------------------------- */

static void
tell(Session *session, const HttpAnswer *answer, const json_t *body)
{
	const char *code = json_text(body, "code");
	const char *message = json_text(body, "message");
	const char *state = json_text(body, "sqlState");

	if (code == NULL || message == NULL)
		http_status_fault(session, answer);
	else
		session_fault(session, FAULT_IS_SERVER, strtol(code, NULL, 10), state, "%s", message);
}

/* ---- logging in ---------------------------------------------------------------------------------- */

/* The account as tokens name it: in capitals, without a region, and with hyphens for dots. */
static void
add_account(Text *text, const char *host)
{
	size_t length = strlen(host);
	size_t suffix = strlen(HOST_SUFFIX);
	Text account = {0};

	if (length > suffix && strcmp(host + length - suffix, HOST_SUFFIX) == 0)
		length -= suffix;
	text_add_bytes(&account, host, length);
	account.bytes[strcspn(account.bytes, ".")] = '\0';
	snowflake_add_name(text, account.bytes);
	for (char *c = text->bytes; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c += 'A' - 'a';
	text_free(&account);
}

/* Sign a token under the user's private key. */
static bool
sign(Session *session, CloudLink *link)
{
	const char *key = session_login(session, "private_key");
	Text subject = {0};
	Text issuer = {0};
	time_t now = time(NULL);
	json_t *claims = NULL;
	bool good;

	add_account(&subject, session_login(session, LOGIN_HOST));
	text_add(&subject, ".");
	snowflake_add_name(&subject, session_login(session, LOGIN_USER));
	text_addf(&issuer, "%s.SHA256:", subject.bytes);
	text_clear(&link->token);
	good = jwt_fingerprint(&issuer, key);
	if (good)
		claims = json_pack("{s:s, s:s, s:I, s:I}", "iss", issuer.bytes, "sub", subject.bytes, "iat",
						   (json_int_t) now, "exp", (json_int_t) now + TOKEN_LIFE);
	good = good && claims != NULL && jwt_sign(&link->token, NULL, claims, key);
	if (!good)
		session_fault(session, FAULT_IS_MODEL, 0, NULL,
					  "the property private_key is no RSA key in PEM without a pass phrase");
	link->signed_at = now;
	link->http->secret = link->token.bytes;
	json_decref(claims);
	text_free(&subject);
	text_free(&issuer);
	return good;
}

static bool
check_secret(Session *session, const char *token, const char *key)
{
	if (key != NULL && *key != '\0')
		return true;
	if (token == NULL || *token == '\0')
		session_fault(session, FAULT_IS_PASSWORD, 0, NULL,
					  "a programmatic access token in place of it, or the property private_key");
	else if (strlen(token) < MIN_TOKEN_BYTES)
		session_fault(session, FAULT_IS_MODEL, 0, NULL,
					  "Snowflake's SQL API takes no ordinary password; give a programmatic access "
					  "token as the password, or a private key as the property private_key");
	else
		return true;
	return false;
}

static bool run(Session *session, CloudLink *link, const Ask *ask);

/* The driver's login. */
bool
snowflake_login(Session *session)
{
	const char *token = session_login(session, LOGIN_PASSWORD);
	const char *key = session_login(session, "private_key");
	bool by_key = key != NULL && *key != '\0';
	Ask probe = {.question = QUESTION_PROBE, .timeout_ms = session_time_left(session)};
	CloudLink *link;

	if (!check_secret(session, token, key))
		return false;
	link = cloud_begin(session, HTTP_BEARER, by_key ? NULL : token);
	if (link == NULL)
		return false;
	link->tell = tell;
	link->headers[0] = "Accept: application/json";
	link->headers[1] = by_key ? TOKEN_TYPE "KEYPAIR_JWT" : TOKEN_TYPE "PROGRAMMATIC_ACCESS_TOKEN";
	link->sign = by_key ? sign : NULL;
	if (!cloud_is_ready(session, link) || !run(session, link, &probe))
		return false;
	session_fact(session, FACT_PASSWORD_USED, "1");
	return true;
}

/* ---- a statement ------------------------------------------------------------------------------------ */

static void
set_name(json_t *body, const char *key, const char *written)
{
	Text name = {0};

	if (written == NULL || *written == '\0')
		return;
	snowflake_add_name(&name, written);
	(void) json_object_set_new(body, key, json_string(name.bytes));
	text_free(&name);
}

static json_t *
statement_body(Session *session, const SnowflakeStatement *statement, int ms)
{
	json_t *body = json_pack("{s:s, s:i}", "statement", statement->sql.bytes, "timeout",
							 ms / 1000 + GRACE_SECONDS);

	if (statement->bindings != NULL)
		(void) json_object_set(body, "bindings", statement->bindings);
	set_name(body, "database", session_login(session, LOGIN_DATABASE));
	set_name(body, "warehouse", session_login(session, "warehouse"));
	set_name(body, "role", session_login(session, "role"));
	return body;
}

/* Wait for the end of a statement that is under way; *answer is replaced. */
static bool
await_statement(Session *session, CloudLink *link, json_t **answer)
{
	const char *handle = json_text(*answer, "statementHandle");
	Text path = {0};
	Text cancel = {0};
	bool good = handle != NULL;

	text_add(&path, STATEMENTS "/");
	http_add_encoded(&path, handle == NULL ? "" : handle);
	text_addf(&cancel, "%s/cancel", path.bytes);
	cloud_may_cancel(link, cancel.bytes);
	while (good && json_object_get(*answer, "resultSetMetaData") == NULL)
	{
		CloudRequest request = {.method = "GET", .path = path.bytes};

		json_decref(*answer);
		*answer = NULL;
		good = http_pause(link->http, POLL_MS);
		if (!good)
			session_fault(session, FAULT_IS_SERVER, 0, NULL, "cancelled");
		good = good && cloud_ask(session, link, &request, answer) == CLOUD_DONE;
	}
	cloud_may_cancel(link, NULL);
	if (handle == NULL)
		session_fault(session, FAULT_IS_KIND, 0, NULL,
					  "it does not tell the handle of a statement");
	text_free(&path);
	text_free(&cancel);
	return good;
}

/* Send a statement, and wait for the first part of its rows; the caller's to free, or NULL. */
static json_t *
ask_statement(Session *session, CloudLink *link, const SnowflakeStatement *statement, int ms)
{
	json_t *body = statement_body(session, statement, ms);
	CloudRequest request = {.method = "POST", .path = STATEMENTS "?async=true", .body = body};
	json_t *answer;
	bool good = cloud_ask(session, link, &request, &answer) == CLOUD_DONE &&
				await_statement(session, link, &answer);

	json_decref(body);
	if (good && json_is_array(json_object_get(answer, "data")))
		return answer;
	if (good)
		session_fault(session, FAULT_IS_KIND, 0, NULL, "its answer has no rows");
	json_decref(answer);
	return NULL;
}

static void
forget_keys(char **last)
{
	for (int i = 0; i < MAX_KEYS; i++)
	{
		free(last[i]);
		last[i] = NULL;
	}
}

/* Put the rows of a part, and keep the keys of the last one. */
static bool
put_rows(Session *session, const SnowflakeStatement *statement, const json_t *data, char **last)
{
	const json_t *row = NULL;
	size_t i;
	bool good = true;

	json_array_foreach(data, i, row)
	{
		good = good && json_row(session, row, json_array_size(row));
	}
	forget_keys(last);
	for (int key = 0; row != NULL && key < statement->nkeys; key++)
	{
		const char *value = json_string_value(json_array_get(row, key));

		last[key] = strdup(value == NULL ? "" : value);
	}
	return good;
}

/* Does the result have more parts than the first? */
static bool
has_more(const json_t *answer)
{
	const json_t *about = json_object_get(answer, "resultSetMetaData");

	return json_array_size(json_object_get(about, "partitionInfo")) > 1;
}

/* Ask a question, and put its rows. */
static bool
run(Session *session, CloudLink *link, const Ask *ask)
{
	char *last[MAX_KEYS] = {NULL};
	bool good = true;
	bool more = true;

	while (good && more)
	{
		SnowflakeStatement statement = {0};
		json_t *answer;

		snowflake_write(&statement, ask);
		if (last[0] != NULL)
			snowflake_go_on(&statement, last);
		text_add(&statement.sql, statement.order);
		answer = ask_statement(session, link, &statement, session_time_left(session));
		good = answer != NULL;
		/* That it has an answer is all that counts. */
		if (ask->question == QUESTION_PROBE)
			more = false;
		else if (good)
		{
			good = put_rows(session, &statement, json_object_get(answer, "data"), last);
			more = statement.nkeys > 0 && has_more(answer) && last[0] != NULL;
		}
		json_decref(answer);
		snowflake_free(&statement);
	}
	forget_keys(last);
	return good;
}

/* The driver's ask. */
bool
snowflake_ask(Session *session, const Ask *ask)
{
	static const char *const one[] = {"1"};
	CloudLink *link = session_state(session);

	return cloud_is_ready(session, link) && run(session, link, ask) &&
		   (ask->question != QUESTION_PROBE || session_row(session, one, NULL, 1));
}

void
snowflake_cancel(Session *session)
{
	cloud_cancel(session);
}

void
snowflake_leave(Session *session)
{
	cloud_leave(session);
}
