/*
 * session.c
 *		One remote session: resolve, connect, log in, ask, collect, cancel, close.
 *
 * The only file that calls libpq.  A session is a state machine that never
 * blocks; engine.c drives it by telling it of socket events and of deadlines
 * that have passed.
 *
 * Owns: the PGconn, its descriptor, the pending PGresult, and the threads that
 * resolve or cancel for it.  All of them hang on the list of live sessions, so
 * that an error or the end of the backend finds them.  It must not decide what
 * to ask, whom to serve first, or what becomes of the rows.
 *
 * A session leaves no state at the remote that a pooler could hand to somebody
 * else: no SET, only parameterised queries, and a named statement only where
 * the backend's pid proves that nobody stands between.
 */
#include "postgres.h"

#include <locale.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "compat.h"
#include "dqds.h"
#include "lib/ilist.h"
#include "libpq-fe.h"
#include "mb/pg_wchar.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#define MAX_ADDRESSES 16

/* How long a cancel request may take before the session is closed regardless. */
#define CANCEL_PATIENCE_US (500 * 1000)

/* A path below a file can never exist, so libpq finds nothing there, whoever asks. */
#define NO_SUCH_FILE "/dev/null/none"

/* What a busy session is doing; each phase is one query at the remote. */
typedef enum Phase
{
	PHASE_PROBE,   /* asks for the backend's pid: is there a pooler between? */
	PHASE_PREPARE, /* names the statement */
	PHASE_EXECUTE  /* the question itself */
} Phase;

typedef enum Directness
{
	DIRECT_UNKNOWN,
	DIRECT_YES,
	DIRECT_NO
} Directness;

struct Session
{
	dlist_node node;       /* in live_sessions */
	MemoryContext context; /* holds this struct and key */
	SessionState state;

	/* Identity, for reuse. */
	Oid role;
	int64 connection_id;
	char *key;

	/* Valid only while an operation holds the session; NULL in the cache. */
	const Target *target;
	void *owner;

	/* While resolving and connecting. */
	Resolution *resolution;
	const struct sockaddr *addresses[MAX_ADDRESSES]; /* belong to resolution */
	int naddresses;
	int next_address;
	bool raw_bytes;     /* ask for names as they are, without conversion */
	ConnectStage stage; /* as of the last poll */
	LoginTrace *trace;  /* what happened when, or NULL; belongs to the operation */
	int64 started_us;
	int64 deadline_us;         /* for the login, or for the query */
	int64 attempt_deadline_us; /* for the TCP connect to one of several addresses */

	/* Once there is a connection.  fd is -1 when libpq holds no socket. */
	PGconn *conn;
	bool external_fd; /* AcquireExternalFD is to be given back */
	int fd;
	struct sockaddr_storage peer;

	/* While busy. */
	Phase phase;
	RemoteQuery query; /* values belong to the operation */
	Family query_family;
	PGresult *result; /* here so that an error in a sink does not lose it */
	bool answered;    /* a part of the answer has been handed on */
	BackgroundJob *cancel;

	/* What is known of the remote. */
	Family family;
	Directness direct;
	int uses;                      /* answers completed */
	uint32 prepared[NUM_FAMILIES]; /* a bit for each question */
};

static dlist_head live_sessions = DLIST_STATIC_INIT(live_sessions);
static bool exit_callback_registered = false;

/* ---- libpq without the server's environment -------------------------------- */

extern char **environ;

/*
 * libpq falls back on PGHOST, PGPASSWORD, PGSERVICE and the like, which belong
 * to the operating system user of the server, never to a caller.  Exchanging
 * the pointer, rather than editing the environment, is safe with our threads,
 * which may call getenv at any time.
 */
static char **
environment_without_pg(void)
{
	static char **filtered = NULL;
	int count = 0;
	int kept = 0;

	if (filtered != NULL)
		return filtered;
	while (environ != NULL && environ[count] != NULL)
		count++;
	filtered = MemoryContextAlloc(TopMemoryContext, sizeof(char *) * (count + 1));
	for (int i = 0; i < count; i++)
		if (strncmp(environ[i], "PG", 2) != 0)
			filtered[kept++] = environ[i];
	filtered[kept] = NULL;
	return filtered;
}

typedef struct LibpqScope
{
	char **environment;
	locale_t locale;
} LibpqScope;

/* No environment, and messages in English; nothing between enter and leave may ereport. */
static void
libpq_enter(LibpqScope *scope)
{
	static locale_t c_locale = (locale_t) 0;
	char **filtered = environment_without_pg();

	if (c_locale == (locale_t) 0)
		c_locale = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
	scope->environment = environ;
	environ = filtered;
	scope->locale = c_locale != (locale_t) 0 ? uselocale(c_locale) : (locale_t) 0;
}

static void
libpq_leave(const LibpqScope *scope)
{
	environ = scope->environment;
	if (scope->locale != (locale_t) 0)
		uselocale(scope->locale);
}

static void
ignore_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

/*
 * Notifications would pile up in libpq until somebody takes them, and a hostile
 * server can send millions.  Before the login has come that far, looking for
 * them would disturb libpq.
 */
static void
drop_notifications(PGconn *conn)
{
	PGnotify *notification;

	if (PQstatus(conn) != CONNECTION_AUTH_OK && PQstatus(conn) != CONNECTION_OK)
		return;
	while ((notification = PQnotifies(conn)) != NULL)
		PQfreemem(notification);
}

/* ---- opening and closing ------------------------------------------------------ */

static void
close_live_sessions_at_exit(int code, Datum arg)
{
	(void) code;
	(void) arg;
	session_close_all_busy();
}

static void
release_connection(Session *session)
{
	if (session->result != NULL)
		PQclear(session->result);
	session->result = NULL;
	if (session->fd >= 0)
		reactor_forget(session->fd);
	session->fd = -1;
	if (session->conn != NULL)
		PQfinish(session->conn);
	session->conn = NULL;
}

/*
 * Close a session in whatever state it is and free it.  A query that is still
 * running at the remote is not cancelled here.  Never raises.
 */
void
session_close(Session *session)
{
	release_connection(session);
	if (session->cancel != NULL)
		background_release(session->cancel);
	if (session->resolution != NULL)
		resolver_release(session->resolution);
	if (session->external_fd)
		ReleaseExternalFD();
	dlist_delete(&session->node);
	MemoryContextDelete(session->context);
}

static Session *
allocate_session(const Target *target, Oid role, const char *key)
{
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "dqds session", ALLOCSET_SMALL_SIZES);
	Session *session = MemoryContextAllocZero(context, sizeof(Session));

	session->context = context;
	session->role = role;
	session->connection_id = target->connection_id;
	session->key = MemoryContextStrdup(context, key);
	session->fd = -1;
	dlist_push_tail(&live_sessions, &session->node);
	return session;
}

/*
 * Begin a session for role.  key is what session_cache_key made of the target.
 * Returns NULL with DQDS_BUSY when descriptors or threads are out, else a
 * session in state RESOLVING or CONNECTING.  The caller attaches it, drives it,
 * and hands it to session_close or to the cache.
 */
Session *
session_open(const Target *target, Oid role, const char *key, Failure *failure)
{
	Session *session;

	if (!exit_callback_registered)
	{
		before_shmem_exit(close_live_sessions_at_exit, (Datum) 0);
		exit_callback_registered = true;
	}
	if (!AcquireExternalFD())
	{
		diagnose_known(target, DQDS_BUSY, failure);
		return NULL;
	}
	session = allocate_session(target, role, key);
	session->external_fd = true;
	session->started_us = dqds_now_us();
	session->deadline_us = session->started_us + target->connect_timeout_ms * INT64CONST(1000);
	session->state = SESSION_RESOLVING;
	session->resolution = resolver_start(target->host, target->port);
	if (session->resolution == NULL)
	{
		session_close(session);
		diagnose_known(target, DQDS_BUSY, failure);
		return NULL;
	}
	return session;
}

/* Give the session to an operation, or, with NULLs, take it away. */
void
session_attach(Session *session, const Target *target, void *owner)
{
	session->target = target;
	session->owner = owner;
	session->trace = NULL;
}

/* ---- logging in ------------------------------------------------------------------ */

static socklen_t
address_length(const struct sockaddr *address)
{
	return address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static const char *
literal_address(const struct sockaddr *address, char *buffer, size_t size)
{
	if (getnameinfo(address, address_length(address), buffer, size, NULL, 0, NI_NUMERICHOST) != 0)
		return NULL;
	return buffer;
}

/* Note in *trace what happens when, until the login has ended. */
void
session_trace(Session *session, LoginTrace *trace)
{
	session->trace = trace;
	if (trace != NULL)
		trace->started_us = session->started_us;
}

/* What the server showed of itself in the TLS handshake. */
static void
trace_tls(LoginTrace *trace, PGconn *conn)
{
	trace->encrypted_us = dqds_now_us();
	trace->tls = PQsslInUse(conn) != 0;
	if (!trace->tls)
		return;
	strlcpy(trace->tls_protocol, PQsslAttribute(conn, "protocol"), sizeof(trace->tls_protocol));
	strlcpy(trace->tls_cipher, PQsslAttribute(conn, "cipher"), sizeof(trace->tls_cipher));
	trace_certificate(trace, PQsslStruct(conn, "OpenSSL"));
}

/* The login has come from one stage to the next. */
static void
trace_progress(Session *session, ConnectStage before, ConnectStage after)
{
	LoginTrace *trace = session->trace;

	if (trace == NULL || after <= before)
		return;
	if (before == STAGE_TCP)
		trace->connected_us = dqds_now_us();
	if (before == STAGE_TLS)
		trace_tls(trace, session->conn);
}

/* Start libpq on one address.  Returns NULL when libpq could not even begin. */
static PGconn *
start_libpq(const Target *target, const char *hostaddr, bool raw_bytes)
{
	const char *keywords[24 + MAX_TARGET_PARAMETERS];
	const char *values[24 + MAX_TARGET_PARAMETERS];
	int n = 0;
	char port[8];
	bool verify = strncmp(target->sslmode, "verify-", 7) == 0;
	bool gssencmode_given = false;
	bool application_name_given = false;
	LibpqScope scope;
	PGconn *conn;

#define ADD(keyword, value) (keywords[n] = (keyword), values[n] = (value), n++)
	snprintf(port, sizeof(port), "%d", target->port);
	ADD("host", target->host);
	ADD("hostaddr", hostaddr);
	ADD("port", port);
	ADD("dbname", target->database);
	ADD("user", target->user);
	if (target->password != NULL)
		ADD("password", target->password);
	ADD("sslmode", target->sslmode);
	ADD("sslrootcert", verify ? dqds_ssl_root_certs : NO_SUCH_FILE);
	ADD("sslcert", NO_SUCH_FILE);
	ADD("sslkey", NO_SUCH_FILE);
	ADD("sslcrl", NO_SUCH_FILE);
	ADD("passfile", NO_SUCH_FILE);
	if (raw_bytes)
		ADD("client_encoding", "SQL_ASCII");
	else
		ADD("client_encoding",
			GetDatabaseEncoding() == PG_SQL_ASCII ? "UTF8" : GetDatabaseEncodingName());
	if (target->options != NULL)
		ADD("options", target->options);
	for (int i = 0; i < target->nparameters; i++)
	{
		gssencmode_given |= strcmp(target->parameters[i].keyword, "gssencmode") == 0;
		application_name_given |= strcmp(target->parameters[i].keyword, "application_name") == 0;
		ADD(target->parameters[i].keyword, target->parameters[i].value);
	}
	/* A Kerberos ticket would be one of the server's operating system user. */
	if (!gssencmode_given)
		ADD("gssencmode", "disable");
	if (!application_name_given)
		ADD("application_name", "dqds");
	ADD(NULL, NULL);
#undef ADD

	libpq_enter(&scope);
	/* expand_dbname is 0: a database called "host=..." is just a name. */
	conn = PQconnectStartParams(keywords, values, 0);
	libpq_leave(&scope);
	return conn;
}

static void
fail(Session *session)
{
	session->state = SESSION_FAILED;
}

static void
diagnose_login(Session *session, Failure *failure)
{
	if (PQconnectionNeedsPassword(session->conn) && session->target->password == NULL)
		diagnose_known(session->target, DQDS_PASSWORD_REQUIRED, failure);
	else
		diagnose_connect(session->target, session->stage, PQerrorMessage(session->conn), failure);
}

/* Give each of the remaining addresses its share of the time, so that a dead one is not all. */
static void
start_attempt(Session *session)
{
	int64 now = dqds_now_us();
	int left = session->naddresses - session->next_address;

	session->attempt_deadline_us = now + (session->deadline_us - now) / (left + 1);
	if (left == 0)
		session->attempt_deadline_us = session->deadline_us;
}

/* Connect to the next address that takes us; without one left, the failure of the last stands. */
static void
connect_next(Session *session, Failure *failure)
{
	while (session->next_address < session->naddresses)
	{
		const struct sockaddr *address = session->addresses[session->next_address++];
		char hostaddr[NI_MAXHOST];

		release_connection(session);
		failure->code = DQDS_OK;
		if (literal_address(address, hostaddr, sizeof(hostaddr)) == NULL)
			continue;
		memset(&session->peer, 0, sizeof(session->peer));
		memcpy(&session->peer, address, address_length(address));
		session->conn = start_libpq(session->target, hostaddr, session->raw_bytes);
		if (session->conn == NULL)
		{
			diagnose_known(session->target, DQDS_BUSY, failure);
			continue;
		}
		PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
		PQsetNoticeReceiver(session->conn, ignore_notice, NULL);
		session->stage = STAGE_TCP;
		if (PQstatus(session->conn) == CONNECTION_BAD)
		{
			diagnose_login(session, failure);
			continue;
		}
		session->fd = PQsocket(session->conn);
		reactor_watch(session->fd, EPOLLOUT, session);
		session->state = SESSION_CONNECTING;
		start_attempt(session);
		return;
	}
	fail(session);
}

static void
take_addresses(Session *session, Failure *failure)
{
	const Target *target = session->target;

	session->naddresses =
		resolver_addresses(session->resolution, session->addresses, MAX_ADDRESSES);
	if (session->naddresses == 0)
	{
		failure_set(failure, DQDS_HOST_NOT_FOUND,
					"Check the spelling of the host name, and that this server can resolve it.",
					"host name \"%s\" could not be resolved: %s", target->host,
					resolver_error(session->resolution));
		fail(session);
		return;
	}
	if (session->trace != NULL)
	{
		char text[NI_MAXHOST];

		session->trace->resolved_us = dqds_now_us();
		for (int i = 0; i < session->naddresses; i++)
			if (literal_address(session->addresses[i], text, sizeof(text)) != NULL)
				trace_address(session->trace, text);
	}
	/* One denied address denies the name: which one libpq would take must not be luck. */
	for (int i = 0; i < session->naddresses; i++)
		if (!policy_allows_address(target, session->addresses[i], failure))
		{
			fail(session);
			return;
		}
	connect_next(session, failure);
}

static ConnectStage
stage_of(PGconn *conn)
{
	switch (PQstatus(conn))
	{
		case CONNECTION_STARTED:
			return STAGE_TCP;
		case CONNECTION_SSL_STARTUP:
			return STAGE_TLS;
		default:
			return STAGE_STARTUP;
	}
}

static void
set_low_water_mark(int fd, int bytes)
{
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

static void
refuse_cleartext(Session *session, Failure *failure)
{
	failure_set(failure, DQDS_AUTHENTICATION_FAILED,
				"Use TLS (sslmode require) or SCRAM at the server; the property "
				"allow_cleartext_password set to true permits it for this connection.",
				"the server at %s:%d asks for the password in clear text without TLS",
				session->target->host, session->target->port);
	fail(session);
}

/* What does the server say that libpq is about to read? */
static GuardVerdict
look_ahead(const Session *session, int *needed)
{
	const Target *target = session->target;

	if (PQsslInUse(session->conn))
		return GUARD_PASS;
	if (PQstatus(session->conn) == CONNECTION_SSL_STARTUP)
		return guard_tls_answer(session->fd);
	if (PQstatus(session->conn) == CONNECTION_AWAITING_RESPONSE && !target->allow_cleartext &&
		target->password != NULL)
		return guard_authentication(session->fd, needed);
	return GUARD_PASS;
}

/* May libpq read what has arrived?  If not, either we wait for more or the session has failed. */
static bool
guard_password(Session *session, uint32 events, Failure *failure)
{
	bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	int needed = 1;

	switch (look_ahead(session, &needed))
	{
		case GUARD_WAIT:
			if (ended)
				return true;
			/* Be woken when the message can be complete, not by every byte of it. */
			set_low_water_mark(session->fd, needed);
			reactor_watch(session->fd, EPOLLIN | EPOLLRDHUP, session);
			return false;
		case GUARD_CLEARTEXT:
			refuse_cleartext(session, failure);
			return false;
		case GUARD_FORGED:
			diagnose_known(session->target, DQDS_NOT_POSTGRES, failure);
			fail(session);
			return false;
		case GUARD_PASS:
			break;
	}
	if (PQstatus(session->conn) == CONNECTION_AWAITING_RESPONSE)
		set_low_water_mark(session->fd, 1);
	return true;
}

static void
complete_login(Session *session, Failure *failure)
{
	const Target *target = session->target;
	PGconn *conn = session->conn;
	const char *encoding = PQparameterStatus(conn, "server_encoding");
	bool lookalike = PQparameterStatus(conn, "crdb_version") != NULL ||
					 PQparameterStatus(conn, "mz_version") != NULL;

	if (target->password_required && !PQconnectionUsedPassword(conn))
	{
		failure_set(
			failure, DQDS_PASSWORD_REQUIRED,
			"Make the server ask for a password (scram-sha-256 in its pg_hba.conf), or have a "
			"superuser set password_required to false in a registered connection.",
			"the server at %s:%d did not ask for the password of user \"%s\"", target->host,
			target->port, target->user);
		fail(session);
		return;
	}
	/* Such a server cannot convert, and would refuse to send bytes that are no UTF-8: log in anew. */
	if (encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0 && !session->raw_bytes)
	{
		session->raw_bytes = true;
		session->next_address--;
		connect_next(session, failure);
		return;
	}
	PQsetnonblocking(conn, 1);
	PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	session->fd = PQsocket(conn);
	reactor_watch(session->fd, EPOLLIN, session);
	if (session->resolution != NULL)
		resolver_release(session->resolution);
	session->resolution = NULL;
	session->naddresses = 0;
	session->family = dialect_family(target->provider, encoding, lookalike);
	session->state = SESSION_IDLE;
}

static void
poll_login(Session *session, uint32 events, Failure *failure)
{
	LibpqScope scope;
	PostgresPollingStatusType status;

	if (!guard_password(session, events, failure))
		return;
	session->stage = stage_of(session->conn);
	libpq_enter(&scope);
	status = PQconnectPoll(session->conn);
	libpq_leave(&scope);
	drop_notifications(session->conn);
	if (status != PGRES_POLLING_FAILED)
		trace_progress(session, session->stage, stage_of(session->conn));

	switch (status)
	{
		case PGRES_POLLING_OK:
			if (session->trace != NULL)
				session->trace->logged_in_us = dqds_now_us();
			complete_login(session, failure);
			break;
		case PGRES_POLLING_READING:
		case PGRES_POLLING_WRITING:
			session->fd = PQsocket(session->conn);
			reactor_watch(session->fd,
						  status == PGRES_POLLING_READING ? EPOLLIN | EPOLLRDHUP : EPOLLOUT,
						  session);
			break;
		default:
			/* libpq closed its socket, and with it the kernel forgot it. */
			session->fd = -1;
			diagnose_login(session, failure);
			if (session->stage == STAGE_TCP)
				connect_next(session, failure);
			else
				fail(session);
	}
}

/*
 * Something happened that concerns this session: an event on its socket, or the
 * end of one of its threads.  Moves a login or a cancel on; on failure the state
 * is FAILED and *failure tells why.
 */
void
session_advance(Session *session, uint32 events, Failure *failure)
{
	switch (session->state)
	{
		case SESSION_RESOLVING:
			if (resolver_done(session->resolution))
				take_addresses(session, failure);
			break;
		case SESSION_CONNECTING:
			poll_login(session, events, failure);
			break;
		case SESSION_CANCELLING:
			if (background_done(session->cancel))
				fail(session);
			break;
		default:
			break;
	}
}

/* ---- asking and collecting ---------------------------------------------------------- */

static void
connection_lost(Session *session, Failure *failure)
{
	if (failure->code == DQDS_OK)
		diagnose_known(session->target, DQDS_CONNECTION_LOST, failure);
	fail(session);
}

static bool
is_prepared(const Session *session)
{
	return (session->prepared[session->query_family] & (1u << session->query.question)) != 0;
}

/* A named statement pays from the second use on, and only where nobody stands between. */
static Phase
next_phase(const Session *session)
{
	bool postgres = session->family == FAMILY_POSTGRES ||
					session->family == FAMILY_POSTGRES_REENCODED || session->family == FAMILY_SCAN;

	if (session->uses == 0 || !postgres || session->query.question == QUESTION_PROBE)
		return PHASE_EXECUTE;
	if (session->direct == DIRECT_UNKNOWN)
		return PHASE_PROBE;
	if (session->direct == DIRECT_YES && !is_prepared(session))
		return PHASE_PREPARE;
	return PHASE_EXECUTE;
}

static int
send_phase(Session *session, const char *sql, int nvalues)
{
	const RemoteQuery *query = &session->query;
	static const RemoteQuery probe = {.question = QUESTION_PROBE};
	Family family;
	char name[32];

	snprintf(name, sizeof(name), "dqds_%d_%d", (int) session->query_family, (int) query->question);
	switch (session->phase)
	{
		case PHASE_PROBE:
			sql = dialect_sql(session->family, &probe, &family, &nvalues);
			return PQsendQueryParams(session->conn, sql, 0, NULL, NULL, NULL, NULL, 0);
		case PHASE_PREPARE:
			return PQsendPrepare(session->conn, name, sql, 0, NULL);
		case PHASE_EXECUTE:
			break;
	}
	if (is_prepared(session))
		return PQsendQueryPrepared(session->conn, name, nvalues, query->values, NULL, NULL, 0);
	return PQsendQueryParams(session->conn, sql, nvalues, NULL, query->values, NULL, NULL, 0);
}

static void
flush_output(Session *session, Failure *failure)
{
	int rc = PQflush(session->conn);

	if (rc < 0)
		connection_lost(session, failure);
	else if (rc > 0)
		reactor_watch(session->fd, EPOLLIN | EPOLLOUT, session);
}

static void
start_phase(Session *session, Failure *failure)
{
	int nvalues;
	const char *sql =
		dialect_sql(session->family, &session->query, &session->query_family, &nvalues);

	session->phase = next_phase(session);
	if (!send_phase(session, sql, nvalues))
	{
		connection_lost(session, failure);
		return;
	}
	if (session->phase == PHASE_EXECUTE)
		PQsetSingleRowMode(session->conn);
	session->state = SESSION_BUSY;
	flush_output(session, failure);
}

/*
 * Ask an idle session.  The values of the query must stay valid until the answer
 * is complete.  False: the connection is lost, and *failure says so.
 */
bool
session_ask(Session *session, const RemoteQuery *query, Failure *failure)
{
	session->query = *query;
	session->answered = false;
	session->started_us = dqds_now_us();
	session->deadline_us = session->started_us + dqds_query_timeout_ms * INT64CONST(1000);
	start_phase(session, failure);
	return session->state == SESSION_BUSY;
}

static void
hand_on_row(Session *session, RowSink on_row, void *sink)
{
	const char *values[MAX_ANSWER_COLUMNS];
	int nvalues = Min(PQnfields(session->result), (int) lengthof(values));

	session->answered = true;
	if (on_row == NULL)
		return;
	for (int i = 0; i < nvalues; i++)
		values[i] = PQgetisnull(session->result, 0, i) ? NULL : PQgetvalue(session->result, 0, i);
	on_row(sink, values, nvalues);
}

/* The answer to a probe: our backend's pid, unless a pooler lent us somebody else's backend. */
static void
note_directness(Session *session)
{
	if (PQntuples(session->result) != 1 || PQnfields(session->result) < 1)
		return;
	session->direct = atoi(PQgetvalue(session->result, 0, 0)) == PQbackendPID(session->conn)
						  ? DIRECT_YES
						  : DIRECT_NO;
}

/*
 * A parameter that the remote's encoding has no characters for: no name there
 * can be like it.  The same SQLSTATE without a context would be about a value
 * that the remote sends.
 */
static bool
is_unreadable_parameter(const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return sqlstate != NULL && strcmp(sqlstate, "22P05") == 0 &&
		   PQresultErrorField(result, PG_DIAG_CONTEXT) != NULL;
}

static void
take_result(Session *session, RowSink on_row, void *sink, Failure *failure)
{
	bool probing = session->phase == PHASE_PROBE || session->query.question == QUESTION_PROBE ||
				   session->query.question == QUESTION_OVERVIEW;

	switch (PQresultStatus(session->result))
	{
		case PGRES_SINGLE_TUPLE:
		case PGRES_TUPLES_OK:
			if (probing && PQntuples(session->result) == 1)
				note_directness(session);
			if (session->phase == PHASE_EXECUTE && PQntuples(session->result) == 1)
				hand_on_row(session, on_row, sink);
			break;
		case PGRES_COMMAND_OK:
			if (session->phase == PHASE_PREPARE)
				session->prepared[session->query_family] |= 1u << session->query.question;
			break;
		case PGRES_COPY_OUT:
		case PGRES_COPY_IN:
		case PGRES_COPY_BOTH:
			/* Nobody asked for that, and libpq would give this same result for ever. */
			connection_lost(session, failure);
			break;
		default:
			if (failure->code == DQDS_OK && is_unreadable_parameter(session->result))
				failure->unreadable_parameter = true;
			if (failure->code == DQDS_OK)
				diagnose_query(
					session->target, PQresultErrorField(session->result, PG_DIAG_SQLSTATE),
					PQresultErrorField(session->result, PG_DIAG_MESSAGE_PRIMARY), failure);
	}
}

/* All results of the phase are in. */
static void
end_phase(Session *session, Failure *failure)
{
	if (PQstatus(session->conn) != CONNECTION_OK)
		connection_lost(session, failure);
	else if (PQtransactionStatus(session->conn) != PQTRANS_IDLE)
		connection_lost(session, failure);
	else if (failure->code == DQDS_OK && session->phase != PHASE_EXECUTE)
		start_phase(session, failure);
	else
	{
		session->uses++;
		session->state = SESSION_IDLE;
	}
}

/*
 * Read what has arrived and hand each row to on_row, which may ereport.  The
 * state tells what came of it: BUSY, there is more to come; IDLE, the answer is
 * complete, or the remote refused it (*failure); FAILED, the connection is gone.
 */
void
session_collect(Session *session, RowSink on_row, void *sink, Failure *failure)
{
	if (!PQconsumeInput(session->conn))
	{
		/* A last message of the server may have been read before the end of the line. */
		session->result = PQgetResult(session->conn);
		if (session->result != NULL)
			take_result(session, NULL, NULL, failure);
		connection_lost(session, failure);
		return;
	}
	if (PQflush(session->conn) == 0)
		reactor_watch(session->fd, EPOLLIN, session);
	drop_notifications(session->conn);

	while (session->state == SESSION_BUSY && !PQisBusy(session->conn))
	{
		session->result = PQgetResult(session->conn);
		if (session->result == NULL)
		{
			end_phase(session, failure);
			continue;
		}
		take_result(session, on_row, sink, failure);
		PQclear(session->result);
		session->result = NULL;
		if (PQstatus(session->conn) == CONNECTION_BAD)
			connection_lost(session, failure);
	}
}

/* ---- cancelling ------------------------------------------------------------------------ */

static void
run_cancel(void *argument)
{
	char message[256];

	(void) PQcancel(argument, message, sizeof(message));
}

static void
free_cancel(void *argument)
{
	PQfreeCancel(argument);
}

/* Send a cancel request by a thread, since PQcancel blocks.  False: it could not be sent. */
static bool
start_cancel(Session *session)
{
	PGcancel *cancel = PQgetCancel(session->conn);

	if (cancel == NULL)
		return false;
	session->cancel = background_run(run_cancel, free_cancel, cancel);
	if (session->cancel == NULL)
		return false;
	session->state = SESSION_CANCELLING;
	session->deadline_us = dqds_now_us() + CANCEL_PATIENCE_US;
	return true;
}

static void
time_out_query(Session *session, Failure *failure)
{
	failure_set(
		failure, DQDS_TIMEOUT,
		"Look for locks on the catalog of the remote database, or raise dqds.query_timeout.",
		"the query at %s:%d did not finish within %.1f s and was cancelled", session->target->host,
		session->target->port, dqds_query_timeout_ms / 1000.0);
	if (!start_cancel(session))
		fail(session);
}

/*
 * The session's deadline has passed.  A login fails or goes on with the next
 * address; a query is cancelled, and the session is FAILED once the remote has
 * taken note.
 */
void
session_timed_out(Session *session, Failure *failure)
{
	int elapsed_ms = (int) ((dqds_now_us() - session->started_us) / 1000);

	switch (session->state)
	{
		case SESSION_RESOLVING:
			failure_set(failure, DQDS_HOST_NOT_FOUND,
						"Check that the name servers of this server answer.",
						"host name \"%s\" could not be resolved within %.1f s",
						session->target->host, elapsed_ms / 1000.0);
			fail(session);
			break;
		case SESSION_CONNECTING:
			session->stage = stage_of(session->conn);
			diagnose_no_answer(session->target, session->stage, elapsed_ms, failure);
			if (dqds_now_us() < session->deadline_us && session->stage == STAGE_TCP)
				connect_next(session, failure);
			else
				fail(session);
			break;
		case SESSION_BUSY:
			time_out_query(session, failure);
			break;
		default:
			fail(session);
	}
}

/*
 * Clean-up after an error or at the end of the backend: cancel what runs at the
 * remotes, wait a moment for these requests to arrive, and close every session
 * that an operation holds.  Never raises, serves no interrupts.
 */
void
session_close_all_busy(void)
{
	dlist_mutable_iter iter;
	int64 deadline = dqds_now_us() + CANCEL_PATIENCE_US;

	dlist_foreach_modify(iter, &live_sessions)
	{
		Session *session = dlist_container(Session, node, iter.cur);

		if (session->state == SESSION_BUSY && session->conn != NULL)
			(void) start_cancel(session);
	}
	dlist_foreach_modify(iter, &live_sessions)
	{
		Session *session = dlist_container(Session, node, iter.cur);

		if (session->owner == NULL)
			continue;
		if (session->cancel != NULL)
			(void) background_wait(session->cancel, deadline);
		session_close(session);
	}
}

/* ---- what others may know ------------------------------------------------------------------- */

SessionState
session_state(const Session *session)
{
	return session->state;
}

/* When session_timed_out is due, on the dqds_now_us clock. */
int64
session_deadline(const Session *session)
{
	if (session->state == SESSION_CONNECTING && stage_of(session->conn) == STAGE_TCP)
		return session->attempt_deadline_us;
	return session->deadline_us;
}

/* The operation that holds it; NULL: it lies in the cache. */
void *
session_owner(const Session *session)
{
	return session->owner;
}

/* An event may name a session that was closed meanwhile: is the pointer still good? */
bool
session_is_live(const Session *session)
{
	dlist_iter iter;

	dlist_foreach(iter, &live_sessions)
	{
		if (dlist_container(Session, node, iter.cur) == session)
			return true;
	}
	return false;
}

/* Has a part of the current answer been handed on?  Then it must not be asked again. */
bool
session_answered(const Session *session)
{
	return session->answered;
}

/* TLS protocol version, NULL without TLS; valid as long as the session. */
const char *
session_tls(const Session *session)
{
	return PQsslInUse(session->conn) ? PQsslAttribute(session->conn, "protocol") : NULL;
}

/* Is it proven that nobody stands between us and the remote's backend? */
bool
session_is_direct(const Session *session)
{
	return session->direct == DIRECT_YES;
}

const char *
session_server_version(const Session *session)
{
	return PQparameterStatus(session->conn, "server_version");
}

bool
session_matches(const Session *session, Oid role, const char *key)
{
	return session->role == role && strcmp(session->key, key) == 0;
}

bool
session_same_key(const Session *a, const Session *b)
{
	return session_matches(a, b->role, b->key);
}

/* The same registered connection and role, whatever its target is now. */
bool
session_same_connection(const Session *session, Oid role, int64 connection_id)
{
	return connection_id != 0 && session->connection_id == connection_id && session->role == role;
}

/* The policy and the password rule, as they are now, for a session that was made earlier. */
bool
session_still_allowed(const Session *session, const Target *target, Failure *failure)
{
	return policy_allows_address(target, (const struct sockaddr *) &session->peer, failure) &&
		   (!target->password_required || PQconnectionUsedPassword(session->conn));
}

/* Clean enough to be kept. */
bool
session_reusable(const Session *session)
{
	return session->state == SESSION_IDLE && PQstatus(session->conn) == CONNECTION_OK &&
		   PQtransactionStatus(session->conn) == PQTRANS_IDLE;
}

/*
 * Take leave of the remote and free the connection, so that only the memory of
 * the Session is left for session_close.  It calls nothing of PostgreSQL's, so
 * the thread of session_cache.c may do it, for a session that nobody else uses.
 */
void
session_disconnect(Session *session)
{
	/* libpq closes the socket, and with it the kernel forgets that it was watched. */
	PQfinish(session->conn);
	session->conn = NULL;
	session->fd = -1;
}
