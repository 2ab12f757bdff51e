/*
 * libpq_query.c
 *		Asks over a link that is logged in, and collects the answer.
 *
 * It leaves no state at the remote that a pooler could hand to another
 * client: no SET, only parameterised queries, and a named statement only where
 * the backend's pid proves that there is no pooler.
 *
 * Owns: how much of an answer libpq may hold at a time.  It must not know what
 * becomes of the rows, or when the time is over.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/encoding.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "event/reactor.h"
#include "postgres/dialect.h"
#include "postgres/failure_postgres.h"
#include "postgres/libpq_link.h"
#include "postgres/lost_memory.h"
#include "wire/failure_common.h"
#include "wire/question.h"
#include "wire/wire.h"

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

static void
connection_lost(LibpqLink *link, Failure *failure)
{
	if (failure->code == DQDS_OK)
		diagnose_lost(link->common.target, PQerrorMessage(link->conn), failure);
	link->status = QUERY_BROKEN;
}

StaticAssertDecl(NUM_QUESTIONS <= 32, "a bit for each question");

static bool
is_prepared(const LibpqLink *link)
{
	return (link->prepared[link->query_family] & (1u << link->query.question)) != 0;
}

/* A named statement pays from the second use on, and only where there is no pooler. */
static Phase
next_phase(const LibpqLink *link)
{
	bool postgres = link->family == FAMILY_POSTGRES || link->family == FAMILY_POSTGRES_REENCODED ||
					link->family == FAMILY_SCAN;

	if (link->uses == 0 || !postgres || link->query.question == QUESTION_PROBE)
		return PHASE_EXECUTE;
	if (link->direct == DIRECT_UNKNOWN)
		return PHASE_PROBE;
	if (link->direct == DIRECT_YES && !is_prepared(link))
		return PHASE_PREPARE;
	return PHASE_EXECUTE;
}

static int
send_phase(LibpqLink *link, const char *sql, int nvalues)
{
	const RemoteQuery *query = &link->query;
	static const RemoteQuery probe = {.question = QUESTION_PROBE};
	Family family;
	char name[32];

	snprintf(name, sizeof(name), "dqds_%d_%d", (int) link->query_family, (int) query->question);
	switch (link->phase)
	{
		case PHASE_PROBE:
			sql = dialect_sql(link->family, &probe, &family, &nvalues);
			return PQsendQueryParams(link->conn, sql, 0, NULL, NULL, NULL, NULL, 0);
		case PHASE_PREPARE:
			return PQsendPrepare(link->conn, name, sql, 0, NULL);
		case PHASE_EXECUTE:
			break;
	}
	if (is_prepared(link))
		return PQsendQueryPrepared(link->conn, name, nvalues, query->values, NULL, NULL, 0);
	return PQsendQueryParams(link->conn, sql, nvalues, NULL, query->values, NULL, NULL, 0);
}

static void
flush_output(LibpqLink *link, Failure *failure)
{
	int rc = PQflush(link->conn);

	if (rc < 0)
		connection_lost(link, failure);
	else if (rc > 0)
	{
		reactor_watch(link->fd, EPOLLIN | EPOLLOUT, link->common.id);
		link->unsent = true;
	}
}

static void
start_phase(LibpqLink *link, Failure *failure)
{
	int nvalues;
	const char *sql = dialect_sql(link->family, &link->query, &link->query_family, &nvalues);

	link->phase = next_phase(link);
	if (!send_phase(link, sql, nvalues))
	{
		connection_lost(link, failure);
		return;
	}
	if (link->phase != PHASE_PREPARE)
		PQsetSingleRowMode(link->conn);
	link->reading = false;
	link->status = QUERY_UNDER_WAY;
	flush_output(link, failure);
}

/* The wire's ask. */
bool
libpq_ask(WireLink *common, const RemoteQuery *query, Failure *failure)
{
	LibpqLink *link = (LibpqLink *) common;

	link->query = *query;
	link->complete = false;
	start_phase(link, failure);
	return link->status == QUERY_UNDER_WAY;
}

/* Is the answer one row at most, of a few numbers? */
static bool
expects_little(const LibpqLink *link)
{
	return link->phase != PHASE_EXECUTE || link->query.question == QUESTION_PROBE ||
		   link->query.question == QUESTION_OVERVIEW;
}

/* The server does not do what it was asked: nothing that it says is of use any more. */
static void
refuse_answer(LibpqLink *link, const char *what, Failure *failure)
{
	if (failure->code == DQDS_OK)
		failure_common(link->common.target, FAILED_ANSWER, what, failure);
	link->status = QUERY_BROKEN;
}

static void
hand_on_row(LibpqLink *link, RowSink on_row, void *sink, Failure *failure)
{
	const char *values[MAX_ANSWER_COLUMNS];
	int nvalues = question_answer(link->query.question)->ncolumns;

	if (link->common.answered && expects_little(link))
	{
		refuse_answer(link, "more than one row", failure);
		return;
	}
	link->common.answered = true;
	link->rowless_bytes = 0;
	if (on_row == NULL || failure->code != DQDS_OK)
		return;
	for (int i = 0; i < nvalues; i++)
	{
		if (PQgetlength(link->result, 0, i) > MAX_VALUE_BYTES)
		{
			refuse_answer(link, "a name or comment of more than 1 MB", failure);
			return;
		}
		values[i] = PQgetisnull(link->result, 0, i) ? NULL : PQgetvalue(link->result, 0, i);
	}
	on_row(sink, values, nvalues);
}

/* Rows of the question's answer, or its end. */
static void
take_answer(LibpqLink *link, RowSink on_row, void *sink, Failure *failure)
{
	if (PQnfields(link->result) < question_answer(link->query.question)->ncolumns)
		refuse_answer(link, "an answer with too few columns", failure);
	else if (PQntuples(link->result) == 1)
		hand_on_row(link, on_row, sink, failure);
	if (PQresultStatus(link->result) == PGRES_TUPLES_OK)
		link->complete = true;
}

/* The answer to a probe: our backend's pid, unless a pooler lent us another one. */
static void
note_directness(LibpqLink *link)
{
	if (PQntuples(link->result) != 1 || PQnfields(link->result) < 1)
		return;
	link->direct =
		atoi(PQgetvalue(link->result, 0, 0)) == PQbackendPID(link->conn) ? DIRECT_YES : DIRECT_NO;
}

/* The remote's words; NULL where there are none, or far too many. */
static const char *
error_message(const LibpqLink *link)
{
	const char *message = PQresultErrorField(link->result, PG_DIAG_MESSAGE_PRIMARY);

	if (message == NULL || strlen(message) > MAX_REMOTE_MESSAGE)
		return NULL;
	return remote_decode(message, link->common.encoding);
}

/* The remote refused the query, or libpq could not read its answer. */
static void
take_error(LibpqLink *link, Failure *failure)
{
	const char *sqlstate = PQresultErrorField(link->result, PG_DIAG_SQLSTATE);

	if (failure->code != DQDS_OK)
		return;
	if (sqlstate == NULL || sqlstate[0] == '\0')
	{
		/* It makes no sense of the answer any more, and may wait for its end in vain. */
		diagnose_lost(link->common.target, PQresultErrorMessage(link->result), failure);
		link->status = QUERY_BROKEN;
	}
	else
	{
		diagnose_query(link->common.target, sqlstate, error_message(link), failure);
		if (failure->code == DQDS_REMOTE_ERROR && dialect_has_older(link->query_family))
			failure->cause = CAUSE_OLD_VERSION;
	}
}

static void
take_result(LibpqLink *link, RowSink on_row, void *sink, Failure *failure)
{
	bool probing = link->phase == PHASE_PROBE || link->query.question == QUESTION_PROBE ||
				   link->query.question == QUESTION_OVERVIEW;

	switch (PQresultStatus(link->result))
	{
		case PGRES_SINGLE_TUPLE:
		case PGRES_TUPLES_OK:
			if (probing && PQntuples(link->result) == 1)
				note_directness(link);
			if (link->phase == PHASE_EXECUTE)
				take_answer(link, on_row, sink, failure);
			break;
		case PGRES_COMMAND_OK:
			if (link->phase == PHASE_PREPARE)
				link->prepared[link->query_family] |= 1u << link->query.question;
			break;
		case PGRES_COPY_OUT:
		case PGRES_COPY_IN:
		case PGRES_COPY_BOTH:
			/* It was not asked for, and libpq would give this same result for ever. */
			refuse_answer(link, "a copy of data in place of an answer", failure);
			break;
		default:
			take_error(link, failure);
	}
}

/* All results of the phase are in. */
static void
end_phase(LibpqLink *link, Failure *failure)
{
	if (PQstatus(link->conn) != CONNECTION_OK)
		connection_lost(link, failure);
	else if (PQtransactionStatus(link->conn) != PQTRANS_IDLE)
		connection_lost(link, failure);
	else if (failure->code == DQDS_OK && link->phase != PHASE_EXECUTE)
	{
		/* A server that does not answer the probe with one row is not probed again. */
		if (link->phase == PHASE_PROBE && link->direct == DIRECT_UNKNOWN)
			link->direct = DIRECT_NO;
		start_phase(link, failure);
	}
	else if (failure->code == DQDS_OK && !link->complete)
		refuse_answer(link, "no answer to a query", failure);
	else
	{
		link->uses++;
		link->status = QUERY_ENDED;
	}
}

/* Count what waits to be read.  Is it too much without a row?  The first read is always fine. */
static bool
sends_too_much(LibpqLink *link)
{
	int waiting = 0;

	if (!link->reading)
	{
		link->reading = true;
		link->rowless_bytes = 0;
		link->libpq_bytes = 0;
		return false;
	}
	(void) ioctl(link->fd, FIONREAD, &waiting);
	link->rowless_bytes += Min(waiting, MAX_READ_BYTES);
	return link->rowless_bytes > (expects_little(link) ? MAX_SHORT_BYTES : MAX_ROWLESS_BYTES);
}

/* Hand on all results that are complete. */
static void
take_results(LibpqLink *link, RowSink on_row, void *sink, Failure *failure)
{
	while (link->status == QUERY_UNDER_WAY && !PQisBusy(link->conn))
	{
		link->result = PQgetResult(link->conn);
		if (link->result == NULL)
		{
			end_phase(link, failure);
			continue;
		}
		take_result(link, on_row, sink, failure);
		PQclear(link->result);
		link->result = NULL;
		if (PQstatus(link->conn) == CONNECTION_BAD)
			connection_lost(link, failure);
	}
}

/* The wire's collect. */
QueryStatus
libpq_collect(WireLink *common, RowSink on_row, void *sink, Failure *failure)
{
	LibpqLink *link = (LibpqLink *) common;
	int64 heap_before = lost_memory_heap_of_libpq();

	if (sends_too_much(link))
	{
		refuse_answer(link, "more than a row can have", failure);
		return link->status;
	}
	if (!PQconsumeInput(link->conn))
	{
		/* A last message of the server may have been read before the end of the line. */
		link->result = PQgetResult(link->conn);
		if (link->result != NULL)
			take_result(link, NULL, NULL, failure);
		connection_lost(link, failure);
		return link->status;
	}
	if (link->unsent && PQflush(link->conn) == 0)
	{
		reactor_watch(link->fd, EPOLLIN, common->id);
		link->unsent = false;
	}
	libpq_drop_notifications(link->conn);

	take_results(link, on_row, sink, failure);
	link->libpq_bytes += libpq_count_heap(link, lost_memory_heap_of_libpq() - heap_before);
	if (link->status == QUERY_UNDER_WAY && link->libpq_bytes > MAX_LIBPQ_HEAP)
		refuse_answer(link, "more than a row can have", failure);
	return link->status;
}
