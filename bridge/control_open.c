/*
 * control_open.c
 *		Opens a connection to the control database and makes its session ready.
 *
 * It refuses what a bridge must not run on: a login or anonymous role that is a
 * superuser, a database without the extension or with too old a version of it, names
 * that other roles could redirect.
 * Every reason is one of the fixed texts of this file, at most with the version of
 * the extension: libpq's own words may quote any part of the connection string, and
 * the server's may be in any language.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_connection.h"
#include "log.h"
#include "statements.h"

static bool
give_reason(OpenFailure *failure, const char *why)
{
	snprintf(failure->why, sizeof(failure->why), "%s", why);
	return false;
}

/* Notices may quote anything, and libpq would print them on our log. */
static void
ignore_notice(void *unused, const char *message)
{
	(void) unused;
	(void) message;
}

/*
 * What a failed connect means, by what libpq's message contains; the first row
 * that fits decides.  With PQERRORS_SQLSTATE a refusal of the server is its
 * SQLSTATE; the words are those of libpq 15 to 18 and of strerror(), which are
 * English here, since the program sets no locale.
 */
/* clang-format off */
static const struct
{
	const char *words;
	const char *meaning;
} connect_failures[] = {
	{"28P01", "the password is refused"},
	{"28000", "the login is refused"},
	{"3D000", "the database does not exist"},
	{"42501", "the login role may not connect to the database"},
	{"53300", "the server has too many connections"},
	{"57P03", "the server is starting up or shutting down"},
	{"42704", "an option of the connection string is not valid"},
	{"22023", "an option of the connection string is not valid"},
	{"could not translate host name", "the host name cannot be resolved"},
	{"could not parse network address", "hostaddr is not an address"},
	{"definition of service", "the service of the connection string is not defined"},
	{"service file", "the service file cannot be used"},
	{"root certificate", "the root certificate cannot be used"},
	{"certificate file", "the certificate file cannot be used"},
	{"private key", "the private key cannot be used"},
	{"received invalid response", "the service there is not a PostgreSQL server"},
	{"expected authentication request", "the service there is not a PostgreSQL server"},
	{"Unix-domain socket path", "the directory of the socket has too long a name"},
	{"No such file or directory", "there is no socket of a server in the directory that is named as host"},
	{"Permission denied", "the socket of the server may not be used"},
	{"Connection refused", "the connection is refused"},
	{"Connection reset", "the server has closed the connection"},
	{"server closed the connection", "the server has closed the connection"},
	{"Network is unreachable", "the network of the server cannot be reached"},
	{"No route to host", "the server cannot be reached"},
	{"Connection timed out", "no answer in time"},
	{"timeout expired", "no answer in time"},
	{"no password supplied", "the server asks for a password, and none is given"},
	{"read-only", "the server is not in the state that target_session_attrs demands"},
	{"hot standby", "the server is not in the state that target_session_attrs demands"},
	{"standby mode", "the server is not in the state that target_session_attrs demands"},
	{"channel binding", "channel binding, which is required, is not possible"},
	{"does not support SSL", "the server does not offer TLS, which sslmode demands"},
	{"certificate", "TLS: the certificate is not accepted"},
	{"SSL", "TLS cannot be established"},
	{"SCRAM", "the server does not prove that it knows the password"},
	{"authentication", "the server asks for another way to log in"},
	{"invalid", "an option of the connection string is not valid"},
	{"could not match", "an option of the connection string is not valid"},
};
/* clang-format on */

static void
explain_connect_failure(PGconn *pg, OpenFailure *failure)
{
	const char *reason = PQerrorMessage(pg);

	give_reason(failure, "the connection cannot be made");
	for (size_t i = 0; i < sizeof(connect_failures) / sizeof(connect_failures[0]); i++)
		if (strstr(reason, connect_failures[i].words) != NULL)
		{
			give_reason(failure, connect_failures[i].meaning);
			return;
		}
}

static bool
connect_before(PGconn *pg, int64_t deadline_ms, OpenFailure *failure)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	/* the server's words may be in any language, its SQLSTATE is not */
	PQsetErrorVerbosity(pg, PQERRORS_SQLSTATE);
	while (PQstatus(pg) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
		   status != PGRES_POLLING_FAILED)
	{
		if (!control_wait_socket(pg, status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
								 deadline_ms))
			return give_reason(failure, "no answer in time");
		status = PQconnectPoll(pg);
	}
	if (status == PGRES_POLLING_OK)
		return true;
	explain_connect_failure(pg, failure);
	return false;
}

/* The last result of what was sent, or NULL. */
static PGresult *
last_result(PGconn *pg, int64_t deadline_ms)
{
	PGresult *result = NULL;
	PGresult *next;

	for (;;)
	{
		while (PQflush(pg) == 1 || PQisBusy(pg))
			if (!control_wait_socket(pg, POLLIN, deadline_ms) || !PQconsumeInput(pg))
			{
				PQclear(result);
				return NULL;
			}
		next = PQgetResult(pg);
		if (next == NULL)
			return result;
		PQclear(result);
		result = next;
	}
}

static bool
bind_names(PGconn *pg, int64_t deadline_ms)
{
	PGresult *result = PQsendQuery(pg, sql_bind_names) ? last_result(pg, deadline_ms) : NULL;
	bool good = PQresultStatus(result) == PGRES_COMMAND_OK;

	PQclear(result);
	return good;
}

/* The result of the set-up query, or NULL. */
static PGresult *
run_set_up(PGconn *pg, const Options *options, int64_t deadline_ms)
{
	char timeout[32];
	const char *values[] = {timeout, options->anonymous_role};

	snprintf(timeout, sizeof(timeout), "%ds", options->request_timeout);
	if (!bind_names(pg, deadline_ms) ||
		!PQsendQueryParams(pg, sql_set_up, 2, NULL, values, NULL, NULL, 0))
		return NULL;
	return last_result(pg, deadline_ms);
}

/* Only once, however many connections are opened. */
static void
warn_of_login_role(const PGresult *result)
{
	static atomic_flag warned = ATOMIC_FLAG_INIT;
	bool inherits = *PQgetvalue(result, 0, 1) == 't';

	if (inherits && !atomic_flag_test_and_set(&warned))
		log_event(LOG_WARNING, "the login role of the control database inherits privileges; it "
							   "should be NOINHERIT");
}

static bool
check_login_role(const PGresult *result, const Options *options, OpenFailure *failure)
{
	if (*PQgetvalue(result, 0, 0) == 't' && !options->allow_superuser)
		return give_reason(failure, "its login role is a superuser, which needs --allow-superuser");
	if (*PQgetvalue(result, 0, 2) == 't' && !options->allow_superuser)
		return give_reason(failure,
						   "the anonymous role is a superuser, which needs --allow-superuser");
	warn_of_login_role(result);
	return true;
}

/* The oldest version of the extension that has every function that this program calls. */
#define NEEDED_MAJOR 1
#define NEEDED_MINOR 1

static bool
check_version(const char *version, OpenFailure *failure)
{
	int major = 0;
	int minor = 0;

	if (sscanf(version, "%d.%d", &major, &minor) >= 1 &&
		(major > NEEDED_MAJOR || (major == NEEDED_MAJOR && minor >= NEEDED_MINOR)))
		return true;
	snprintf(
		failure->why, sizeof(failure->why),
		"the extension dqds in it is of version %.20s, but %d.%d or later is needed; run ALTER "
		"EXTENSION dqds UPDATE",
		version, NEEDED_MAJOR, NEEDED_MINOR);
	return false;
}

static bool
set_up(ControlConnection *connection, const Options *options, int64_t deadline_ms,
	   OpenFailure *failure)
{
	PGresult *result = run_set_up(connection->pg, options, deadline_ms);
	bool good = false;

	failure->is_set_up = true;
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		give_reason(failure, "its session cannot be set up");
	else if (strcmp(PQgetvalue(result, 0, 4), search_path_wanted) != 0)
		give_reason(failure, "its session does not keep its search_path");
	else if (PQgetisnull(result, 0, 3))
		give_reason(failure, "the extension dqds is not installed in it");
	else if (check_version(PQgetvalue(result, 0, 3), failure) &&
			 check_login_role(result, options, failure))
	{
		snprintf(connection->version, sizeof(connection->version), "PostgreSQL %.40s, dqds %.40s",
				 PQparameterStatus(connection->pg, "server_version"), PQgetvalue(result, 0, 3));
		good = PQenterPipelineMode(connection->pg) == 1;
	}
	PQclear(result);
	return good;
}

ControlConnection *
control_open(const Options *options, int64_t deadline_ms, OpenFailure *failure)
{
	/*
	 * Later keywords win: the connection string may not choose another encoding,
	 * but may choose the rest.
	 * A server that vanished without a word is noticed in seconds, not in hours;
	 * and what GSSAPI has decrypted already, poll() would not see.
	 */
	const char *keywords[] = {"application_name",
							  "tcp_user_timeout",
							  "keepalives_idle",
							  "keepalives_interval",
							  "keepalives_count",
							  "gssencmode",
							  "dbname",
							  "client_encoding",
							  NULL};
	const char *values[] = {"dqds-bridge",       "10000", "10", "5", "2", "disable",
							options->control_db, "UTF8",  NULL};
	ControlConnection *connection = calloc(1, sizeof(*connection));

	*failure = (OpenFailure){.why = "out of memory"};
	if (connection == NULL)
		return NULL;
	connection->allow_superuser = options->allow_superuser;
	connection->pg = PQconnectStartParams(keywords, values, 1);
	if (connection->pg != NULL)
	{
		PQsetNoticeProcessor(connection->pg, ignore_notice, NULL);
		if (connect_before(connection->pg, deadline_ms, failure) &&
			PQsetnonblocking(connection->pg, 1) == 0 &&
			set_up(connection, options, deadline_ms, failure))
			return connection;
	}
	control_close(connection);
	return NULL;
}
