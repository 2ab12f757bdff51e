/*
 * session_query.c
 *		A logged-in session: ask, collect, cancel.
 *
 * A session leaves no state at the remote that a pooler could hand to another
 * client: no SET, only parameterised queries, and a named statement only where
 * the backend's pid proves that there is no pooler.
 *
 * Owns: how much of an answer libpq may hold at a time.  It must not know what
 * becomes of the rows.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "port/atomics.h"

#include "base/compat.h"
#include "base/encoding.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/settings.h"
#include "event/background.h"
#include "event/reactor.h"
#include "postgres/dialect.h"
#include "postgres/failure_postgres.h"
#include "postgres/lost_memory.h"
#include "postgres/session.h"
#include "postgres/session_internal.h"
#include "wire/failure_common.h"
#include "wire/question.h"

/* Longer than any name, and than any comment as the queries cut it. */
#define MAX_VALUE_BYTES (1024 * 1024)

/*
 * What may come without a row: one with long values, and some more; and where the
 * answer is short, less.  The bytes that wait for a read are counted at most as
 * MAX_READ_BYTES, because a read need not take them all.
 */
#define MAX_ROWLESS_BYTES (2 * 1024 * 1024)
#define MAX_SHORT_BYTES   (64 * 1024)
#define MAX_READ_BYTES    (64 * 1024)

/* An error's text that is longer is not looked at. */
#define MAX_REMOTE_MESSAGE (64 * 1024)

/*
 * Notifications would pile up in libpq until they are taken, and a hostile server
 * can send millions.  Before the login has come that far, looking for them would
 * disturb libpq.
 */
void
session_drop_notifications(PGconn *conn)
{
	PGnotify *notification;

	if (PQstatus(conn) != CONNECTION_AUTH_OK && PQstatus(conn) != CONNECTION_OK)
		return;
	while ((notification = PQnotifies(conn)) != NULL)
		PQfreemem(notification);
}

static void
connection_lost(Session *session, Failure *failure)
{
	if (failure->code == DQDS_OK)
		diagnose_lost(session->target, PQerrorMessage(session->conn), failure);
	session_fail(session);
}

StaticAssertDecl(NUM_QUESTIONS <= 32, "a bit for each question");

static bool
is_prepared(const Session *session)
{
	return (session->prepared[session->query_family] & (1u << session->query.question)) != 0;
}

/* A named statement pays from the second use on, and only where there is no pooler. */
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
	{
		reactor_watch(session->fd, EPOLLIN | EPOLLOUT, session->id);
		session->unsent = true;
	}
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
	if (session->phase != PHASE_PREPARE)
		PQsetSingleRowMode(session->conn);
	session->reading = false;
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
	session->complete = false;
	session->started_us = dqds_now_us();
	session->deadline_us = session->started_us + dqds_query_timeout_ms * INT64CONST(1000);
	start_phase(session, failure);
	return session->state == SESSION_BUSY;
}

/* Is the answer one row at most, of a few numbers? */
static bool
expects_little(const Session *session)
{
	return session->phase != PHASE_EXECUTE || session->query.question == QUESTION_PROBE ||
		   session->query.question == QUESTION_OVERVIEW;
}

/* The server does not do what it was asked: nothing that it says is of use any more. */
static void
refuse_answer(Session *session, const char *what, Failure *failure)
{
	if (failure->code == DQDS_OK)
		failure_common(session->target, FAILED_ANSWER, what, failure);
	session_fail(session);
}

static void
hand_on_row(Session *session, RowSink on_row, void *sink, Failure *failure)
{
	const char *values[MAX_ANSWER_COLUMNS];
	int nvalues = question_answer(session->query.question)->ncolumns;

	if (session->answered && expects_little(session))
	{
		refuse_answer(session, "more than one row", failure);
		return;
	}
	session->answered = true;
	session->rowless_bytes = 0;
	if (on_row == NULL || failure->code != DQDS_OK)
		return;
	for (int i = 0; i < nvalues; i++)
	{
		if (PQgetlength(session->result, 0, i) > MAX_VALUE_BYTES)
		{
			refuse_answer(session, "a name or comment of more than 1 MB", failure);
			return;
		}
		values[i] = PQgetisnull(session->result, 0, i) ? NULL : PQgetvalue(session->result, 0, i);
	}
	on_row(sink, values, nvalues);
}

/* Rows of the question's answer, or its end. */
static void
take_answer(Session *session, RowSink on_row, void *sink, Failure *failure)
{
	if (PQnfields(session->result) < question_answer(session->query.question)->ncolumns)
		refuse_answer(session, "an answer with too few columns", failure);
	else if (PQntuples(session->result) == 1)
		hand_on_row(session, on_row, sink, failure);
	if (PQresultStatus(session->result) == PGRES_TUPLES_OK)
		session->complete = true;
}

/* The answer to a probe: our backend's pid, unless a pooler lent us another one. */
static void
note_directness(Session *session)
{
	if (PQntuples(session->result) != 1 || PQnfields(session->result) < 1)
		return;
	session->direct = atoi(PQgetvalue(session->result, 0, 0)) == PQbackendPID(session->conn)
						  ? DIRECT_YES
						  : DIRECT_NO;
}

/* The remote's words; NULL where there are none, or far too many. */
static const char *
error_message(const Session *session)
{
	const char *message = PQresultErrorField(session->result, PG_DIAG_MESSAGE_PRIMARY);

	if (message == NULL || strlen(message) > MAX_REMOTE_MESSAGE)
		return NULL;
	return remote_decode(message, session->encoding);
}

/* The remote refused the query, or libpq could not read its answer. */
static void
take_error(Session *session, Failure *failure)
{
	const char *sqlstate = PQresultErrorField(session->result, PG_DIAG_SQLSTATE);

	if (failure->code != DQDS_OK)
		return;
	if (sqlstate == NULL || sqlstate[0] == '\0')
	{
		/* It makes no sense of the answer any more, and may wait for its end in vain. */
		diagnose_lost(session->target, PQresultErrorMessage(session->result), failure);
		session_fail(session);
	}
	else
	{
		diagnose_query(session->target, sqlstate, error_message(session), failure);
		if (failure->code == DQDS_REMOTE_ERROR && dialect_has_older(session->query_family))
			failure->cause = CAUSE_OLD_VERSION;
	}
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
			if (session->phase == PHASE_EXECUTE)
				take_answer(session, on_row, sink, failure);
			break;
		case PGRES_COMMAND_OK:
			if (session->phase == PHASE_PREPARE)
				session->prepared[session->query_family] |= 1u << session->query.question;
			break;
		case PGRES_COPY_OUT:
		case PGRES_COPY_IN:
		case PGRES_COPY_BOTH:
			/* It was not asked for, and libpq would give this same result for ever. */
			refuse_answer(session, "a copy of data in place of an answer", failure);
			break;
		default:
			take_error(session, failure);
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
	{
		/* A server that does not answer the probe with one row is not probed again. */
		if (session->phase == PHASE_PROBE && session->direct == DIRECT_UNKNOWN)
			session->direct = DIRECT_NO;
		start_phase(session, failure);
	}
	else if (failure->code == DQDS_OK && !session->complete)
		refuse_answer(session, "no answer to a query", failure);
	else
	{
		session->uses++;
		session->state = SESSION_IDLE;
	}
}

/* Count what waits to be read.  Is it too much without a row?  The first read is always fine. */
static bool
sends_too_much(Session *session)
{
	int waiting = 0;

	if (!session->reading)
	{
		session->reading = true;
		session->rowless_bytes = 0;
		session->libpq_bytes = 0;
		return false;
	}
	(void) ioctl(session->fd, FIONREAD, &waiting);
	session->rowless_bytes += Min(waiting, MAX_READ_BYTES);
	return session->rowless_bytes > (expects_little(session) ? MAX_SHORT_BYTES : MAX_ROWLESS_BYTES);
}

/* Hand on all results that are complete. */
static void
take_results(Session *session, RowSink on_row, void *sink, Failure *failure)
{
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

/*
 * Read what has arrived and hand each row to on_row, which may ereport.  The
 * state tells what came of it: BUSY, there is more to come; IDLE, the answer is
 * complete, or the remote refused it (*failure); FAILED, the connection is gone.
 */
void
session_collect(Session *session, RowSink on_row, void *sink, Failure *failure)
{
	int64 heap_before = lost_memory_heap_of_libpq();

	if (sends_too_much(session))
	{
		refuse_answer(session, "more than a row can have", failure);
		return;
	}
	if (!PQconsumeInput(session->conn))
	{
		/* A last message of the server may have been read before the end of the line. */
		session->result = PQgetResult(session->conn);
		if (session->result != NULL)
			take_result(session, NULL, NULL, failure);
		connection_lost(session, failure);
		return;
	}
	if (session->unsent && PQflush(session->conn) == 0)
	{
		reactor_watch(session->fd, EPOLLIN, session->id);
		session->unsent = false;
	}
	session_drop_notifications(session->conn);

	take_results(session, on_row, sink, failure);
	session->libpq_bytes += session_count_heap(session, lost_memory_heap_of_libpq() - heap_before);
	if (session->state == SESSION_BUSY && session->libpq_bytes > MAX_LIBPQ_HEAP)
		refuse_answer(session, "more than a row can have", failure);
}

/* ---- cancelling ------------------------------------------------------------------------ */

/*
 * PQcancel waits for the server to close, without a deadline: each server that does
 * not keeps a thread and a socket.  So many of this backend may hang, and no more.
 */
#define MAX_CANCELLING 256

static pg_atomic_uint32 cancelling;

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
	pg_atomic_fetch_sub_u32(&cancelling, 1);
}

/* Send a cancel request by a thread, since PQcancel blocks.  False: it could not be sent. */
bool
session_start_cancel(Session *session)
{
	PGcancel *cancel;

	if (pg_atomic_read_u32(&cancelling) >= MAX_CANCELLING)
		return false;
	cancel = PQgetCancel(session->conn);
	if (cancel == NULL)
		return false;
	pg_atomic_fetch_add_u32(&cancelling, 1);
	session->cancel = background_run(BACKGROUND_CANCEL, run_cancel, free_cancel, cancel);
	if (session->cancel == NULL)
		return false;
	/* It is no longer read: what still comes would wake us over and over. */
	reactor_forget(session->fd);
	session->state = SESSION_CANCELLING;
	session->deadline_us = dqds_now_us() + CANCEL_PATIENCE_US;
	return true;
}
