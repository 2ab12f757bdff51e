/*
 * control.c
 *		One connection to the control database, and one call over it.
 *
 * A call sends in one pipeline, and so in one round trip and one transaction:
 *		1. take on the role, and limit the time, both until the transaction ends
 *		   (an error here ends it, as when that role or the login role has become
 *		   a superuser);
 *		2. the statement itself.
 * Either is prepared ahead of its first use on a connection, in the same
 * pipeline.  The role comes first and in a statement of its own, because
 * privileges are checked when a statement starts.  Rows come one by one, so
 * that memory does not grow with the answer.
 *
 * Nothing here waits without a deadline: the socket does not block, and cancelling,
 * which always blocks, is done in a thread of its own.
 */
#include "control.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control_connection.h"
#include "statements.h"

/* How long the server may need to report that it gave up at the deadline. */
#define SERVER_GRACE_MS 500

/* How often a waiting call asks whether its answer is still wanted. */
#define ABANDONED_CHECK_MS 1000

/* Cancelling may hang with the server: at most this many threads do. */
#define MAX_CANCELLING 16

/* ---- The connection ---- */

bool
control_wait_socket(PGconn *pg, short events, int64_t deadline_ms)
{
	struct pollfd socket = {.fd = PQsocket(pg), .events = events};
	int ready;

	do
		ready = poll(&socket, 1, clock_ms_until(deadline_ms));
	while (ready < 0);
	return ready > 0;
}

void
control_close(ControlConnection *connection)
{
	if (connection == NULL)
		return;
	PQfinish(connection->pg);
	free(connection);
}

/* An idle server sends nothing, unless it reports its end. */
bool
control_is_alive(ControlConnection *connection)
{
	return PQstatus(connection->pg) == CONNECTION_OK &&
		   !control_wait_socket(connection->pg, POLLIN, clock_now_ms());
}

const char *
control_version(const ControlConnection *connection)
{
	return connection->version;
}

/* ---- Sending ---- */

typedef enum Step
{
	STEP_ROLE_PREPARE,
	STEP_ROLE,
	STEP_PREPARE,
	STEP_STATEMENT,
	STEP_SYNC
} Step;

typedef struct Pipeline
{
	Step steps[STEP_SYNC + 1];
	int count;
} Pipeline;

static bool
is_prepared(const ControlConnection *connection, const Statement *statement)
{
	for (int i = 0; i < connection->prepared_count; i++)
		if (connection->prepared[i] == statement)
			return true;
	return false;
}

static bool
send_statement(ControlConnection *connection, Pipeline *pipeline, Step step,
			   const Statement *statement, const char *const *values, int count)
{
	if (!is_prepared(connection, statement))
	{
		pipeline->steps[pipeline->count++] = step - 1;
		if (!PQsendPrepare(connection->pg, statement->name, statement->sql, 0, NULL))
			return false;
	}
	pipeline->steps[pipeline->count++] = step;
	return PQsendQueryPrepared(connection->pg, statement->name, count, values, NULL, NULL, 0);
}

static bool
has_token(const ControlCall *call)
{
	return call->token_hash != NULL && call->token_hash[0] != '\0';
}

static const Statement *
role_statement(const ControlCall *call)
{
	return has_token(call) ? &statement_take_token_role : &statement_take_role;
}

static bool
send_call(ControlConnection *connection, const ControlCall *call, Pipeline *pipeline)
{
	char timeout[16];
	const char *role = call->role ? call->role : "none";
	const char *role_values[] = {has_token(call) ? call->token_hash : role, timeout,
								 connection->allow_superuser ? "true" : "false"};
	int left_ms = clock_ms_until(call->deadline_ms);

	snprintf(timeout, sizeof(timeout), "%d", left_ms > 0 ? left_ms : 1);
	if (!send_statement(connection, pipeline, STEP_ROLE, role_statement(call), role_values, 3) ||
		!send_statement(connection, pipeline, STEP_STATEMENT, call->statement, call->values,
						call->value_count))
		return false;
	pipeline->steps[pipeline->count++] = STEP_SYNC;
	return PQpipelineSync(connection->pg);
}

/* ---- Receiving ---- */

/* Waits until PQgetResult() would not block. */
static ControlOutcome
wait_result(PGconn *pg, const ControlCall *call)
{
	for (;;)
	{
		int64_t deadline_ms = call->deadline_ms + SERVER_GRACE_MS;
		int64_t look_ms = clock_now_ms() + ABANDONED_CHECK_MS;
		int unsent = PQflush(pg);

		if (unsent < 0)
			return CONTROL_LOST;
		/* under TLS a second read takes what the first one left in the TLS layer, unseen by poll() */
		if (PQisBusy(pg) && PQsslInUse(pg) && !PQconsumeInput(pg))
			return CONTROL_LOST;
		if (!PQisBusy(pg))
			return CONTROL_OK;

		if (!control_wait_socket(pg, unsent ? POLLIN | POLLOUT : POLLIN,
								 look_ms < deadline_ms ? look_ms : deadline_ms))
		{
			if (clock_now_ms() >= deadline_ms)
				return CONTROL_TIMEOUT;
			if (call->is_abandoned != NULL && call->is_abandoned(call->context))
				return CONTROL_STOPPED;
		}
		else if (!PQconsumeInput(pg))
			return CONTROL_LOST;
	}
}

static void
copy_field(char *buffer, size_t size, const PGresult *pg_result, int field)
{
	const char *value = PQresultErrorField(pg_result, field);

	snprintf(buffer, size, "%s", value ? value : "");
}

/* An error ends the pipeline: there is one at most, but for the end of the connection. */
static void
keep_error(ControlResult *result, const PGresult *pg_result, Step step)
{
	result->outcome = CONTROL_REFUSED;
	result->in_role = step <= STEP_ROLE;
	copy_field(result->sqlstate, sizeof(result->sqlstate), pg_result, PG_DIAG_SQLSTATE);
	copy_field(result->message, sizeof(result->message), pg_result, PG_DIAG_MESSAGE_PRIMARY);
	copy_field(result->hint, sizeof(result->hint), pg_result, PG_DIAG_MESSAGE_HINT);
}

static void
remember_prepared(ControlConnection *connection, const Statement *statement)
{
	/* routes.c sees to it that there is room; without, it would be prepared again and fail */
	if (connection->prepared_count < MAX_PREPARED)
		connection->prepared[connection->prepared_count++] = statement;
}

/* Gives the row to the caller; false: enough. */
static bool
pass_row(const ControlCall *call, const PGresult *pg_result, ControlResult *result)
{
	result->rows++;
	return call->on_row == NULL || call->on_row(call->context, PQgetvalue(pg_result, 0, 0),
												(size_t) PQgetlength(pg_result, 0, 0));
}

/*
 * Takes what the server answered to one step, which ends with a NULL, or for the
 * sync with itself: an error of the commit, and the NULL behind it, come before.
 */
static ControlOutcome
receive_step(ControlConnection *connection, const ControlCall *call, Step step,
			 ControlResult *result)
{
	PGconn *pg = connection->pg;
	ControlOutcome outcome;
	PGresult *pg_result;
	bool ended = false;
	int nulls = 0;

	if (step == STEP_STATEMENT)
		PQsetSingleRowMode(pg);
	while (!ended)
	{
		outcome = wait_result(pg, call);
		if (outcome != CONTROL_OK)
			return outcome;
		pg_result = PQgetResult(pg);
		ended = pg_result == NULL && step != STEP_SYNC;
		if (pg_result == NULL && nulls++ > 0)
			return CONTROL_LOST; /* there is no sync to come */
		switch (PQresultStatus(pg_result))
		{
			case PGRES_COMMAND_OK:
				if (step == STEP_ROLE_PREPARE || step == STEP_PREPARE)
					remember_prepared(connection, step == STEP_PREPARE ? call->statement
																	   : role_statement(call));
				break;
			case PGRES_SINGLE_TUPLE:
				if (!pass_row(call, pg_result, result))
					outcome = CONTROL_STOPPED;
				break;
			case PGRES_TUPLES_OK:
				if (step == STEP_ROLE && PQntuples(pg_result) == 1)
					snprintf(result->role, sizeof(result->role), "%s", PQgetvalue(pg_result, 0, 0));
				break;
			case PGRES_PIPELINE_SYNC:
				/* ahead of its time: from here on, answers would be taken for those of other steps */
				if (step != STEP_SYNC)
					outcome = CONTROL_LOST;
				ended = true;
				break;
			case PGRES_FATAL_ERROR:
				/* NULL, at the end of a step, reads as this too */
				if (pg_result != NULL)
					keep_error(result, pg_result, step);
				break;
			default:
				break;
		}
		PQclear(pg_result);
		if (PQstatus(pg) != CONNECTION_OK)
			return CONTROL_LOST;
		if (outcome != CONTROL_OK)
			return outcome;
	}
	return CONTROL_OK;
}

/* ---- Cancelling ---- */

static atomic_int cancelling;

static void *
cancel_main(void *argument)
{
	PGcancel *cancel = argument;
	char ignored[256];

	PQcancel(cancel, ignored, sizeof(ignored));
	PQfreeCancel(cancel);
	atomic_fetch_sub(&cancelling, 1);
	return NULL;
}

/*
 * Stops what the server still does for us.  It may hang, and so may PQcancel():
 * nothing waits for it.  Should it fail, statement_timeout ends the statement.
 */
static void
cancel_in_background(PGconn *pg)
{
	PGcancel *cancel = PQgetCancel(pg);
	pthread_t thread;

	if (cancel == NULL)
		return;
	if (atomic_fetch_add(&cancelling, 1) < MAX_CANCELLING &&
		pthread_create(&thread, NULL, cancel_main, cancel) == 0)
	{
		pthread_detach(thread);
		return;
	}
	atomic_fetch_sub(&cancelling, 1);
	PQfreeCancel(cancel);
}

/* ---- The call ---- */

const char *
control_outcome_name(ControlOutcome outcome)
{
	switch (outcome)
	{
		case CONTROL_OK:
			return "ok";
		case CONTROL_REFUSED:
			return "SQLSTATE ";
		case CONTROL_BUSY:
			return "no connection to the control database is free";
		case CONTROL_LOST:
			return "the connection to the control database was lost";
		case CONTROL_TIMEOUT:
			return "timed out";
		case CONTROL_STOPPED:
			break;
	}
	return "the client is gone";
}

void
control_run(ControlConnection *connection, const ControlCall *call, ControlResult *result)
{
	Pipeline pipeline = {.count = 0};
	ControlOutcome outcome = CONTROL_OK;

	*result = (ControlResult){.outcome = CONTROL_OK};
	if (!send_call(connection, call, &pipeline))
		outcome = CONTROL_LOST;
	for (int i = 0; i < pipeline.count && outcome == CONTROL_OK; i++)
		outcome = receive_step(connection, call, pipeline.steps[i], result);

	if (outcome == CONTROL_TIMEOUT || outcome == CONTROL_STOPPED)
		cancel_in_background(connection->pg);
	if (outcome != CONTROL_OK)
		result->outcome = outcome;
}
