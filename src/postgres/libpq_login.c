/*
 * libpq_login.c
 *		From connected to logged in, at one address.
 *
 * libpq is polled and never waited for.  Whether what the server asks for may be
 * done is checked before libpq reads (password_guard.c).
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/encoding.h"
#include "base/failure.h"
#include "base/settings.h"
#include "event/reactor.h"
#include "model/target.h"
#include "postgres/certificate.h"
#include "postgres/certificate_check.h"
#include "postgres/dialect.h"
#include "postgres/failure_postgres.h"
#include "postgres/libpq_link.h"
#include "postgres/libpq_scope.h"
#include "postgres/lost_memory.h"
#include "postgres/password_guard.h"
#include "wire/failure_common.h"
#include "wire/login_trace.h"
#include "wire/wire.h"

/* More than any server has to say before a login is complete; libpq keeps all of it. */
#define MAX_LOGIN_BYTES (256 * 1024)

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
trace_progress(LibpqLink *link, ConnectStage before, ConnectStage after)
{
	LoginTrace *trace = link->common.trace;

	if (trace == NULL || after <= before)
		return;
	if (before == STAGE_TCP)
		trace->connected_us = dqds_now_us();
	if (before == STAGE_TLS)
		trace_tls(trace, link->conn);
}

/* ---- before libpq reads ------------------------------------------------------------------- */

static void
set_low_water_mark(int fd, int bytes)
{
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

/* What does the server say that libpq is about to read? */
static GuardVerdict
look_ahead(LibpqLink *link, int *needed)
{
	bool tls = PQsslInUse(link->conn);

	if (PQstatus(link->conn) == CONNECTION_SSL_STARTUP)
		return tls ? GUARD_PASS : guard_tls_answer(&link->guard, link->fd);
	if (PQstatus(link->conn) != CONNECTION_AWAITING_RESPONSE)
	{
		/* libpq may begin again, on another socket */
		guard_reset(&link->guard, link->common.target);
		return GUARD_PASS;
	}
	if (tls)
		return guard_tls(&link->guard, PQsslStruct(link->conn, "OpenSSL"), needed);
	return guard_plain(&link->guard, link->fd, needed);
}

/* May libpq read what has arrived?  GUARD_WAIT: the socket is watched for more. */
static GuardVerdict
guard_password(LibpqLink *link, uint32 events)
{
	bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	int needed = 1;
	GuardVerdict verdict = look_ahead(link, &needed);

	link->common.spoken = link->guard.spoken;
	if (verdict == GUARD_WAIT && ended)
		return GUARD_PASS;
	if (verdict == GUARD_WAIT)
	{
		/* Be woken when the message can be complete, not by every byte of it. */
		set_low_water_mark(link->fd, needed);
		reactor_watch(link->fd, EPOLLIN | EPOLLRDHUP, link->common.id);
	}
	if (verdict == GUARD_PASS && PQstatus(link->conn) == CONNECTION_AWAITING_RESPONSE)
		set_low_water_mark(link->fd, 1);
	return verdict;
}

/* ---- the end ---------------------------------------------------------------------------------- */

/* Log in again at the same address, and ask the remote to convert nothing. */
static LoginStatus
log_in_raw(LibpqLink *link)
{
	link->raw = true;
	link->again = true;
	return LOGIN_AGAIN;
}

/*
 * Was the login refused because the server cannot convert between its encoding
 * and ours?  The SQLSTATE stands for other things too, so the name of the function
 * that PostgreSQL reports beside it decides; its words may be of any language.
 */
static bool
cannot_convert(const LibpqLink *link, const Failure *failure)
{
	return strcmp(failure->sqlstate, "0A000") == 0 &&
		   strstr(PQerrorMessage(link->conn), "InitializeClientEncoding") != NULL;
}

/* libpq has given up. */
static LoginStatus
end_login(LibpqLink *link, Failure *failure)
{
	LoginStatus status = libpq_explain_login(link, failure);

	if (!link->raw && cannot_convert(link, failure))
		return log_in_raw(link);
	if (status == LOGIN_WRONG_KIND && !guard_may_ask_more(&link->guard))
		return LOGIN_NO_MORE;
	return status;
}

static LoginStatus
complete_login(LibpqLink *link)
{
	PGconn *conn = link->conn;
	const char *encoding = PQparameterStatus(conn, "server_encoding");
	bool lookalike = PQparameterStatus(conn, "crdb_version") != NULL ||
					 PQparameterStatus(conn, "mz_version") != NULL;

	/* A pooler may let us in before it asks the server for what that cannot do. */
	if (!link->raw && !remote_can_convert(encoding))
		return log_in_raw(link);
	PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	link->fd = PQsocket(conn);
	reactor_watch(link->fd, EPOLLIN, link->common.id);
	link->certificate.trace = NULL;
	link->logged_in = true;
	link->common.used_password = PQconnectionUsedPassword(conn);
	link->common.encoding = link->raw ? remote_encoding(encoding) : REMOTE_CONVERTS;
	/* What is not converted there is sorted by its bytes, and here by code point. */
	link->family =
		dialect_family(link->common.target->provider, link->raw ? NULL : encoding, lookalike);
	return LOGIN_COMPLETE;
}

/* It keeps sending, but never completes the login. */
static LoginStatus
refuse_login_answer(LibpqLink *link, Failure *failure)
{
	failure_common(link->common.target, FAILED_ANSWER, "more than a login can have", failure);
	return LOGIN_REFUSED;
}

/* ---- polling ------------------------------------------------------------------------------------- */

/* Let libpq go on; what it takes from the authentication on is counted. */
static PostgresPollingStatusType
poll_libpq(LibpqLink *link)
{
	ConnStatusType stage = PQstatus(link->conn);
	int64 heap_before = lost_memory_heap();
	PostgresPollingStatusType status;
	int64 taken;
	LibpqScope scope;

	libpq_enter(&scope);
	certificate_watch(&link->certificate);
	status = PQconnectPoll(link->conn);
	certificate_watch(NULL);
	libpq_leave(&scope);
	libpq_drop_notifications(link->conn);
	taken = libpq_count_heap(link, lost_memory_heap() - heap_before);
	/* Before it, TLS takes as much as the root certificates need. */
	if (stage == CONNECTION_AWAITING_RESPONSE || stage == CONNECTION_AUTH_OK)
		link->libpq_bytes += taken;
	return status;
}

/* Count what waits to be read.  Is it too much for a login? */
static bool
sends_too_much(LibpqLink *link)
{
	int waiting = 0;

	if (ioctl(link->fd, FIONREAD, &waiting) == 0)
		link->login_bytes += waiting;
	return link->login_bytes > MAX_LOGIN_BYTES;
}

/* The wire's advance. */
LoginStatus
libpq_advance(WireLink *common, uint32 events, Failure *failure)
{
	LibpqLink *link = (LibpqLink *) common;
	GuardVerdict verdict = guard_password(link, events);
	PostgresPollingStatusType status;
	ConnectStage before;

	if (verdict == GUARD_WAIT)
		return LOGIN_UNDER_WAY;
	if (verdict != GUARD_PASS)
	{
		diagnose_guard(common->target, &link->guard, verdict, failure);
		return LOGIN_REFUSED;
	}
	if (sends_too_much(link))
		return refuse_login_answer(link, failure);
	before = libpq_stage(link->conn);
	common->stage = before;
	status = poll_libpq(link);
	if (status == PGRES_POLLING_FAILED)
	{
		/* libpq closed its socket, and with it the kernel forgot it. */
		link->fd = -1;
		return end_login(link, failure);
	}
	common->stage = libpq_stage(link->conn);
	trace_progress(link, before, common->stage);
	if (link->libpq_bytes > MAX_LIBPQ_HEAP)
		return refuse_login_answer(link, failure);
	if (status == PGRES_POLLING_OK)
		return complete_login(link);
	link->fd = PQsocket(link->conn);
	reactor_watch(link->fd, status == PGRES_POLLING_READING ? EPOLLIN | EPOLLRDHUP : EPOLLOUT,
				  common->id);
	return LOGIN_UNDER_WAY;
}
