/*
 * engine.h
 *		Runs one or many operations at remote servers in one event loop.
 */
#ifndef DQDS_ENGINE_H
#define DQDS_ENGINE_H

#include "base/failure.h"
#include "engine/session.h"
#include "wire/question.h"

typedef struct Target Target;
typedef struct LoginTrace LoginTrace;

/*
 * Fills in the values of a query, before it is asked, as bytes of that encoding
 * (encoding.c), in which the text of the answer will come too.
 */
typedef void (*QueryFiller)(void *sink, RemoteQuery *query, int encoding);

/* One thing to do at one remote.  The caller fills the first part, engine_run the second. */
typedef struct Operation
{
	const Target *target;
	RemoteQuery query;
	bool fresh;        /* prove the login: never reuse a session, and leave no further one */
	bool raw;          /* the remote must convert nothing; false: it may */
	QueryFiller fill;  /* may be NULL: the query is filled, or needs no values */
	RowSink on_row;    /* may be NULL */
	void *sink;        /* for both */
	LoginTrace *trace; /* wanted of a fresh login; may be NULL */

	Failure failure; /* code DQDS_OK: it worked */
	double elapsed_ms;

	/* Of a fresh login that worked. */
	char *server_version; /* palloc'd, NULL when not known */
	char *tls;            /* protocol version, NULL without TLS */
	bool direct;          /* proven: no pooler between */
} Operation;

extern void engine_run(Operation *operations, int count, Oid role);

#endif /* DQDS_ENGINE_H */
