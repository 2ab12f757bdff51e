/*
 * control_open.c
 *		Opens a connection to the control database and makes its session ready.
 *
 * It refuses what a bridge must not run on: a login or anonymous role that is a
 * superuser, a database without the extension.  Reasons go to the log: they say
 * neither the server's address nor anything of the connection string.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_connection.h"
#include "log.h"

/*
 * Run once on a new connection.  A session of its own login role may not be
 * left to a search_path that others can write to.
 */
static const char set_up_sql[] =
	"SELECT r.rolsuper, r.rolinherit, EXISTS (SELECT FROM pg_catalog.pg_roles a "
	"WHERE a.rolname = $2 AND a.rolsuper), pg_catalog.quote_ident(e.nspname), e.extversion, "
	"pg_catalog.has_schema_privilege(e.nspoid, 'USAGE'), "
	"pg_catalog.set_config('search_path', 'pg_catalog, ' || "
	"coalesce(pg_catalog.quote_ident(e.nspname) || ', ', '') || 'pg_temp', false), "
	"pg_catalog.set_config('statement_timeout', $1, false) "
	"FROM pg_catalog.pg_roles r LEFT JOIN "
	"(SELECT n.nspname, n.oid AS nspoid, x.extversion FROM pg_catalog.pg_extension x "
	"JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace WHERE x.extname = 'dqds') e ON true "
	"WHERE r.rolname = session_user";

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

static const struct
{
	const char *sqlstate;
	const char *meaning;
} login_failures[] = {
	{"28P01", "the password is refused"},
	{"28000", "the login is refused"},
	{"3D000", "the database does not exist"},
	{"42501", "the login role may not connect to the database"},
	{"53300", "the server has too many connections"},
	{"57P03", "the server is starting up or shutting down"},
};

/* libpq's message without what comes first: the server's address. */
static void
explain_connect_failure(PGconn *pg, OpenFailure *failure)
{
	const char *reason = PQerrorMessage(pg);

	for (const char *next; (next = strstr(reason, "failed: ")) != NULL;)
		reason = next + strlen("failed: ");
	snprintf(failure->why, sizeof(failure->why), "%.*s", (int) strcspn(reason, "\n"), reason);
	for (size_t i = 0; i < sizeof(login_failures) / sizeof(login_failures[0]); i++)
		if (strstr(reason, login_failures[i].sqlstate) != NULL)
			give_reason(failure, login_failures[i].meaning);
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

/* The result of the set-up query, or NULL. */
static PGresult *
run_set_up(PGconn *pg, const Options *options, int64_t deadline_ms)
{
	char timeout[32];
	const char *values[] = {timeout, options->anonymous_role};
	PGresult *result = NULL;
	PGresult *next;

	snprintf(timeout, sizeof(timeout), "%ds", options->request_timeout);
	if (!PQsendQueryParams(pg, set_up_sql, 2, NULL, values, NULL, NULL, 0))
		return NULL;
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

/* Only once, however many connections are opened. */
static void
warn_of_login_role(const PGresult *result)
{
	static atomic_flag warned = ATOMIC_FLAG_INIT;
	bool inherits = *PQgetvalue(result, 0, 1) == 't';
	bool sees_schema = *PQgetvalue(result, 0, 5) == 't';

	if ((!inherits && sees_schema) || atomic_flag_test_and_set(&warned))
		return;
	if (inherits)
		log_event(LOG_WARNING, "the login role of the control database inherits privileges; it "
							   "should be NOINHERIT");
	if (!sees_schema)
		log_event(LOG_WARNING,
				  "the login role of the control database cannot look up tokens; run "
				  "there: GRANT USAGE ON SCHEMA %s TO (that role)",
				  PQgetvalue(result, 0, 3));
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

static bool
set_up(ControlConnection *connection, const Options *options, int64_t deadline_ms,
	   OpenFailure *failure)
{
	PGresult *result = run_set_up(connection->pg, options, deadline_ms);
	bool good = false;

	failure->is_set_up = true;
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		give_reason(failure, "its session cannot be set up");
	else if (PQgetisnull(result, 0, 3))
		give_reason(failure, "the extension dqds is not installed in it");
	else if (check_login_role(result, options, failure))
	{
		snprintf(connection->schema, sizeof(connection->schema), "%s", PQgetvalue(result, 0, 3));
		snprintf(connection->version, sizeof(connection->version), "PostgreSQL %.40s, dqds %.40s",
				 PQparameterStatus(connection->pg, "server_version"), PQgetvalue(result, 0, 4));
		good = PQenterPipelineMode(connection->pg) == 1;
	}
	PQclear(result);
	return good;
}

ControlConnection *
control_open(const Options *options, int64_t deadline_ms, OpenFailure *failure)
{
	/*
	 * Later keywords win: nobody may choose another encoding, everybody the rest.
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
