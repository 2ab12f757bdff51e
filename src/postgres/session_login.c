/*
 * session_login.c
 *		A session's way from connected to logged in, at one address.
 *
 * libpq is polled and never waited for.  Whether what the server asks for may be
 * done is checked before libpq reads (password_guard.c), whether the password was
 * used, after.  Which address it is, session_connect.c decides.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/encoding.h"
#include "base/failure.h"
#include "base/settings.h"
#include "engine/session_census.h"
#include "event/reactor.h"
#include "event/resolver.h"
#include "model/target.h"
#include "postgres/certificate.h"
#include "postgres/certificate_check.h"
#include "postgres/dialect.h"
#include "postgres/failure_postgres.h"
#include "postgres/lost_memory.h"
#include "postgres/password_guard.h"
#include "postgres/session.h"
#include "postgres/session_internal.h"
#include "wire/failure_common.h"
#include "wire/login_trace.h"

/* More than any server has to say before a login is complete; libpq keeps all of it. */
#define MAX_LOGIN_BYTES (256 * 1024)

/* Note in *trace what happens when, until the login has ended; what stood there is of another login. */
void
session_trace(Session *session, LoginTrace *trace)
{
	session->trace = trace;
	if (trace == NULL)
		return;
	memset(trace, 0, sizeof(*trace));
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
	trace_peer_certificate(trace, PQsslStruct(conn, "OpenSSL"));
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

/* What libpq says of a login that failed, and what that means for the other addresses. */
LoginOutlook
session_diagnose_login(Session *session, Failure *failure)
{
	LoginEvidence evidence = {.stage = session->stage,
							  .asked_password = session->guard.asked_password,
							  .certificate = &session->certificate};

	if (PQconnectionNeedsPassword(session->conn) && session->target->password == NULL)
	{
		failure_common(session->target, FAILED_PASSWORD_MISSING, NULL, failure);
		return LOGIN_REFUSED;
	}
	return diagnose_connect(session->target, &evidence, PQerrorMessage(session->conn), failure);
}

static void
set_low_water_mark(int fd, int bytes)
{
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

/* What does the server say that libpq is about to read? */
static GuardVerdict
look_ahead(Session *session, int *needed)
{
	const Target *target = session->target;
	bool tls = PQsslInUse(session->conn);

	if (PQstatus(session->conn) == CONNECTION_SSL_STARTUP)
		return tls ? GUARD_PASS : guard_tls_answer(&session->guard, session->fd);
	if (PQstatus(session->conn) != CONNECTION_AWAITING_RESPONSE)
	{
		/* libpq may begin again, on another socket */
		guard_reset(&session->guard, target);
		return GUARD_PASS;
	}
	if (tls)
		return guard_tls(&session->guard, PQsslStruct(session->conn, "OpenSSL"), needed);
	return guard_plain(&session->guard, session->fd, needed);
}

/* May libpq read what has arrived?  If not, either we wait for more or the session has failed. */
static bool
guard_password(Session *session, uint32 events, Failure *failure)
{
	bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	int needed = 1;
	GuardVerdict verdict = look_ahead(session, &needed);

	switch (verdict)
	{
		case GUARD_WAIT:
			if (ended)
				return true;
			/* Be woken when the message can be complete, not by every byte of it. */
			set_low_water_mark(session->fd, needed);
			reactor_watch(session->fd, EPOLLIN | EPOLLRDHUP, session->id);
			return false;
		case GUARD_PASS:
			break;
		default:
			diagnose_guard(session->target, &session->guard, verdict, failure);
			session_fail(session);
			return false;
	}
	if (PQstatus(session->conn) == CONNECTION_AWAITING_RESPONSE)
		set_low_water_mark(session->fd, 1);
	return true;
}

/* Log in again at the same address, and ask the remote to convert nothing. */
static void
log_in_raw(Session *session, Failure *failure)
{
	session->raw_bytes = true;
	session->next_address--;
	failure_clear(failure);
	session_connect_next(session, failure);
}

/*
 * Was the login refused because the server cannot convert between its encoding
 * and ours?  The SQLSTATE stands for other things too, so the name of the function
 * that PostgreSQL reports beside it decides; its words may be of any language.
 */
static bool
cannot_convert(const Session *session, const Failure *failure)
{
	return strcmp(failure->sqlstate, "0A000") == 0 &&
		   strstr(PQerrorMessage(session->conn), "InitializeClientEncoding") != NULL;
}

/* libpq has given up: log in again at this address or another one, if that can help. */
static void
end_login(Session *session, Failure *failure)
{
	LoginOutlook outlook = session_diagnose_login(session, failure);

	if (!session->raw_bytes && cannot_convert(session, failure))
		log_in_raw(session, failure);
	else
		session_end_attempt(session, outlook, failure);
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
		failure_common(target, FAILED_PASSWORD_UNUSED, NULL, failure);
		session_fail(session);
		return;
	}
	/* A pooler may let us in before it asks the server for what that cannot do. */
	if (!session->raw_bytes && !remote_can_convert(encoding))
	{
		log_in_raw(session, failure);
		return;
	}
	PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	session->fd = PQsocket(conn);
	reactor_watch(session->fd, EPOLLIN, session->id);
	if (session->resolution != NULL)
		resolver_release(session->resolution);
	session->resolution = NULL;
	session->naddresses = 0;
	session->certificate.trace = NULL;
	session->encoding = session->raw_bytes ? remote_encoding(encoding) : REMOTE_CONVERTS;
	/* What is not converted there is sorted by its bytes, and here by code point. */
	session->family =
		dialect_family(target->provider, session->raw_bytes ? NULL : encoding, lookalike);
	session->logged_in_us = dqds_now_us();
	census_enter(&session->census);
	session->state = SESSION_IDLE;
}

/* Let libpq go on; what it takes from the authentication on is counted. */
static PostgresPollingStatusType
poll_libpq(Session *session)
{
	ConnStatusType stage = PQstatus(session->conn);
	int64 heap_before = lost_memory_heap();
	PostgresPollingStatusType status;
	int64 taken;
	LibpqScope scope;

	libpq_enter(&scope);
	certificate_watch(&session->certificate);
	status = PQconnectPoll(session->conn);
	certificate_watch(NULL);
	libpq_leave(&scope);
	session_drop_notifications(session->conn);
	taken = session_count_heap(session, lost_memory_heap() - heap_before);
	/* Before it, TLS takes as much as the root certificates need. */
	if (stage == CONNECTION_AWAITING_RESPONSE || stage == CONNECTION_AUTH_OK)
		session->libpq_bytes += taken;
	return status;
}

/* It keeps sending, but never completes the login. */
static void
refuse_login_answer(Session *session, Failure *failure)
{
	failure_common(session->target, FAILED_ANSWER, "more than a login can have", failure);
	session_fail(session);
}

void
session_poll_login(Session *session, uint32 events, Failure *failure)
{
	PostgresPollingStatusType status;
	int waiting = 0;

	if (!guard_password(session, events, failure))
		return;
	if (ioctl(session->fd, FIONREAD, &waiting) == 0)
		session->login_bytes += waiting;
	if (session->login_bytes > MAX_LOGIN_BYTES)
	{
		refuse_login_answer(session, failure);
		return;
	}
	session->stage = session_stage(session->conn);
	status = poll_libpq(session);
	if (status != PGRES_POLLING_FAILED)
		trace_progress(session, session->stage, session_stage(session->conn));
	if (status != PGRES_POLLING_FAILED && session->libpq_bytes > MAX_LIBPQ_HEAP)
	{
		refuse_login_answer(session, failure);
		return;
	}

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
						  session->id);
			break;
		default:
			/* libpq closed its socket, and with it the kernel forgot it. */
			session->fd = -1;
			end_login(session, failure);
	}
}
