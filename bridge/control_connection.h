/*
 * control_connection.h
 *		What control.c and control_open.c share, and how many statements a connection can have prepared.
 */
#ifndef BRIDGE_CONTROL_CONNECTION_H
#define BRIDGE_CONTROL_CONNECTION_H

#include <libpq-fe.h>

#include "control.h"

/* Enough for all statements: routes.c asserts it. */
#define MAX_PREPARED 40

struct ControlConnection
{
	PGconn *pg; /* in pipeline mode, not blocking */
	char version[128];
	bool allow_superuser; /* for the role of a request without a token */
	const Statement *prepared[MAX_PREPARED];
	int prepared_count;
};

/* Waits for events of poll(2) on the socket; false when the deadline passed. */
bool control_wait_socket(PGconn *pg, short events, int64_t deadline_ms);

#endif /* BRIDGE_CONTROL_CONNECTION_H */
