/*
 * error.c
 *		Why a request failed, and the error body that the client gets.
 *
 * Knows which SQLSTATE becomes which HTTP status.  For class QD that is a column of the table
 * of routes (routes.c), except for busy, which is 503 on every route.  The words about a limit
 * of the bridge are not here: bulkhead.c has those about the pool, seats.c those about the
 * threads.
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../src/base/error_codes.h"
#include "control.h"
#include "log.h"

typedef struct SqlstateRule
{
	const char *prefix; /* of the SQLSTATE; the first rule that fits decides */
	int status;
	const char *message; /* NULL: the server's own primary message */
} SqlstateRule;

/* With these the server's hint, which says what is missing, is a second sentence. */
static bool
has_use_for_hint(int status)
{
	return status == 403 || status == 404;
}

/* clang-format off */
static const SqlstateRule sqlstate_rules[] = {
	/* what was sent cannot be read */
	{"22P02", 400, NULL}, /* not JSON */
	{"22021", 400, NULL}, /* not UTF-8 */
	{"22P05", 400, NULL}, /* a character that cannot be stored, \u0000 for one */
	{"2203", 400, NULL},  /* further ways not to be JSON */
	{"42804", 400, NULL}, /* wrong type in a known key */
	{"54001", 400, "the JSON is nested too deeply"},
	/* it can be read, but not used */
	{"22023", 406, NULL},
	{"28000", 401, NULL}, /* a token that is unknown or has expired */
	{"42501", 403, NULL},
	{"42704", 404, NULL},
	{"42710", 409, NULL},
	{"23505", 409, NULL},
	/* not now */
	{"57014", 504, "the control database did not answer in time"},
	{"25006", 503, NULL}, /* a standby was asked to write */
	{"40", 503, "the control database could not run this now, try again"},
	{"53", 503, "the control database is out of resources"},
	{"57P0", 503, "the control database is not available"},
	{"08", 503, "the control database is not available"},
};

static const struct
{
	int status;
	const char *phrase;
} reason_phrases[] = {
	{200, "OK"}, {201, "Created"}, {204, "No Content"},
	{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
	{405, "Method Not Allowed"}, {406, "Not Acceptable"}, {408, "Request Timeout"},
	{409, "Conflict"}, {411, "Length Required"}, {413, "Content Too Large"},
	{415, "Unsupported Media Type"}, {417, "Expectation Failed"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

static const struct
{
	const char *sqlstate;
	const char *name;
} remote_errors[] = {
#define REMOTE_ERROR(symbol, sqlstate, name) {sqlstate, name},
	DQDS_ERROR_CODES(REMOTE_ERROR)
#undef REMOTE_ERROR
};
/* clang-format on */

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

bool
fail(Failure *failure, int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(failure->message, sizeof(failure->message), format, arguments);
	va_end(arguments);
	failure->status = status;
	return false;
}

static const char *
remote_error_name(const char *sqlstate)
{
	for (size_t i = 0; i < LENGTH(remote_errors); i++)
		if (strcmp(remote_errors[i].sqlstate, sqlstate) == 0)
			return remote_errors[i].name;
	return "remote_error";
}

/* The server's own words: its message, and its hint as a second sentence. */
static bool
fail_with_hint(Failure *failure, int status, const char *prefix, const ControlResult *result)
{
	return fail(failure, status, "%s%s%s%s", prefix, result->message,
				result->hint[0] != '\0' ? ". " : "", result->hint);
}

/* The source of the data failed, not the control database. */
static bool
fail_remote(Failure *failure, const ControlResult *result, int remote_status)
{
	failure->error_code = remote_error_name(result->sqlstate);
	if (strcmp(failure->error_code, "busy") == 0)
		remote_status = 503;
	return fail_with_hint(failure, remote_status,
						  remote_status == 400 ? "Source database connection error: " : "", result);
}

static bool
fail_sqlstate(Failure *failure, const ControlResult *result, int remote_status)
{
	if (strncmp(result->sqlstate, "QD", 2) == 0)
		return fail_remote(failure, result, remote_status);

	for (size_t i = 0; i < LENGTH(sqlstate_rules); i++)
	{
		const SqlstateRule *rule = &sqlstate_rules[i];

		/* what goes wrong while the role is taken on is no fault of the request */
		if (strncmp(result->sqlstate, rule->prefix, strlen(rule->prefix)) != 0 ||
			(result->in_role && rule->status < 500 && rule->status != 401))
			continue;
		if (has_use_for_hint(rule->status))
			return fail_with_hint(failure, rule->status, "", result);
		return fail(failure, rule->status, "%s", rule->message ? rule->message : result->message);
	}
	if (result->in_role && strcmp(result->sqlstate, "42501") == 0)
	{
		log_event(LOG_ERROR, "the role of a request cannot be taken on: the login role of the "
							 "bridge must be a member of "
							 "it, and have USAGE on the schema of dqds");
		return fail(failure, 403,
					"the bridge may not take on the role of this request; its login role must be "
					"granted that role");
	}
	if (result->in_role && strcmp(result->sqlstate, "22023") == 0)
	{
		log_event(LOG_ERROR,
				  "the role of a request cannot be taken on: it does not exist, or it or "
				  "the login role is a superuser, which needs --allow-superuser");
		return fail(failure, 503,
					"the role of this request cannot be taken on: it does not exist, or it or the "
					"login role of the bridge is a superuser");
	}
	log_event(LOG_ERROR,
			  result->in_role ? "the role of a request cannot be taken on: SQLSTATE %s"
							  : "a statement failed: SQLSTATE %s",
			  result->sqlstate);
	return fail(failure, 500, "internal error");
}

bool
fail_control(Failure *failure, const ControlResult *result, int remote_status)
{
	switch (result->outcome)
	{
		case CONTROL_BUSY:
			failure->error_code = "busy";
			return fail(failure, 503, "%s", result->message);
		case CONTROL_TIMEOUT:
			return fail(failure, 504, "the control database did not answer in time");
		case CONTROL_REFUSED:
			return fail_sqlstate(failure, result, remote_status);
		case CONTROL_OK:
		case CONTROL_STOPPED:
		case CONTROL_LOST:
			break;
	}
	/* a message without an SQLSTATE is our own; the last words of a dying server are not shown */
	if (result->message[0] != '\0' && result->sqlstate[0] == '\0')
		return fail(failure, 503, "the control database cannot be used: %s", result->message);
	return fail(failure, 503, "the control database is not available");
}

const char *
reason_phrase(int status)
{
	for (size_t i = 0; i < LENGTH(reason_phrases); i++)
		if (reason_phrases[i].status == status)
			return reason_phrases[i].phrase;
	return "Error";
}

void
append_error_body(Text *body, const Failure *failure, const char *path)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	text_print(body, "{\"timestamp\":%lld,\"status\":%d,\"error\":\"%s\",\"message\":",
			   (long long) now.tv_sec * 1000 + now.tv_nsec / 1000000, failure->status,
			   reason_phrase(failure->status));
	text_append_json(body, failure->message);
	text_print(body, ",\"path\":");
	text_append_json(body, path);
	if (failure->error_code != NULL)
		text_print(body, ",\"errorCode\":\"%s\"", failure->error_code);
	text_append(body, "}", 1);
}
