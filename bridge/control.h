/*
 * control.h
 *		One connection to the control database, and one call over it.
 */
#ifndef BRIDGE_CONTROL_H
#define BRIDGE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "configuration.h"
#include "statement.h"

typedef struct ControlConnection ControlConnection;

typedef struct ControlCall
{
	const Statement *statement;
	const char *role;       /* to run as; NULL: the token's role, or else the login role */
	const char *token_hash; /* SHA-256 of a token, as a bytea; NULL or "": none */
	const char *const *values;
	int value_count;
	int64_t deadline_ms;

	/* Takes the first column of each row, as it comes; false stops the call.  May be NULL. */
	bool (*on_row)(void *context, const char *data, size_t len);

	/* Asked once a second while waiting; true stops the call.  May be NULL. */
	bool (*is_abandoned)(void *context);
	void *context;
} ControlCall;

typedef enum ControlOutcome
{
	CONTROL_OK,
	CONTROL_REFUSED, /* by an error of the server: sqlstate, message and hint say which */
	CONTROL_BUSY,    /* the pool has no connection to spare; the message says why */
	CONTROL_LOST,    /* the connection broke, or could not be opened */
	CONTROL_TIMEOUT, /* the deadline passed */
	CONTROL_STOPPED  /* by on_row or is_abandoned */
} ControlOutcome;

typedef struct ControlResult
{
	ControlOutcome outcome;
	uint64_t rows; /* that on_row was given */
	bool in_role;  /* refused while the role was taken on, before the statement */
	char role[64]; /* that was taken on */
	char sqlstate[6];
	char message[768]; /* also says why there is no connection, where that may be known */
	char hint[512];
} ControlResult;

/* For the log; the caller appends the SQLSTATE to that of a refusal. */
const char *control_outcome_name(ControlOutcome outcome);

/* Why a connection cannot be had: for the log, without secrets and addresses. */
typedef struct OpenFailure
{
	bool
		is_set_up; /* the database is there, but not as it must be: clients are shown the reason, too */
	char why[256];
} OpenFailure;

/* Connects and prepares the session.  NULL when that does not succeed before the deadline. */
ControlConnection *control_open(const Options *options, int64_t deadline_ms, OpenFailure *failure);
void control_close(ControlConnection *connection);

/* False when an idle connection has been closed by the server. */
bool control_is_alive(ControlConnection *connection);

/*
 * Takes on the role and runs the statement, in one round trip and one
 * transaction.  Unless the outcome is OK or REFUSED the connection must be
 * closed: what still runs on it has been cancelled.
 */
void control_run(ControlConnection *connection, const ControlCall *call, ControlResult *result);

/* Like "PostgreSQL 15.20, dqds 1.0"; lives as long as the connection. */
const char *control_version(const ControlConnection *connection);

#endif /* BRIDGE_CONTROL_H */
