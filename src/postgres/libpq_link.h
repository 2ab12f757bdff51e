/*
 * libpq_link.h
 *		One connection by libpq, for the files that are this wire: libpq_*.c.
 *
 * libpq_wire.c holds the table of functions, libpq_connect.c begins at an address,
 * libpq_login.c logs in there, libpq_query.c asks and collects, libpq_cancel.c cancels,
 * libpq_link.c has what they share, and libpq_scope.c shields libpq from the server's
 * environment.  Only they and conninfo.c call libpq.
 */
#ifndef DQDS_LIBPQ_LINK_H
#define DQDS_LIBPQ_LINK_H

#include "libpq-fe.h"

#include "event/background.h"
#include "postgres/certificate_check.h"
#include "postgres/dialect.h"
#include "postgres/password_guard.h"
#include "wire/question.h"
#include "wire/wire.h"

/* What a link is doing while something is asked; each phase is one query at the remote. */
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

typedef struct LibpqLink
{
	WireLink common; /* first, so that either is the other */

	/* fd is that of the connection while there is one, and -1 while libpq has closed it. */
	PGconn *conn;
	int fd;
	int64 heap_bytes; /* what libpq has allocated and not freed, about */
	int64 kept_bytes; /* of it, since the login */
	bool logged_in;

	/* While logging in. */
	int64 login_bytes;            /* what waited at the polls of this attempt */
	bool raw;                     /* the remote is to convert nothing */
	bool again;                   /* the next attempt is at the same server */
	bool any_kind;                /* prefer-standby: no standby has been found */
	AuthGuard guard;              /* of this attempt */
	CertificateCheck certificate; /* of this attempt */

	/* While something is asked. */
	QueryStatus status;
	Phase phase;
	RemoteQuery query; /* values belong to the operation */
	Family query_family;
	PGresult *result;    /* here so that an error in a sink does not lose it */
	bool unsent;         /* a part of the question waits for the socket */
	bool complete;       /* the question's result has come to its end */
	bool reading;        /* something of the answer has been read */
	int64 rowless_bytes; /* what has come since the last row, or since then, about */
	int64 libpq_bytes; /* what libpq has allocated since then, or in the end of the login, about */
	BackgroundJob *cancel;

	/* What is known of the remote. */
	Family family;
	Directness direct;
	int uses;                      /* answers completed */
	uint32 prepared[NUM_FAMILIES]; /* a bit for each question */
} LibpqLink;

/*
 * How much memory libpq may take in the end of a login, or during an answer.  It
 * makes its buffer as large as a message announces itself, in powers of two; this
 * is enough for a row with the longest comment that the queries ask for
 * (catalog_sql.h), which is 64 kB.  More than that must not be: libpq keeps messages
 * that were not asked for (ParameterStatus), and loses two hundred times the length
 * of others (ParameterDescription), between rows as well, and one read can fill
 * the whole buffer with them before we see it.
 */
#define MAX_LIBPQ_HEAP (200 * 1024)

/* ---- libpq_link.c ------------------------------------------------------------------ */

extern int64 libpq_count_heap(LibpqLink *link, int64 taken);
extern void libpq_drop_notifications(PGconn *conn);
extern ConnectStage libpq_stage(const PGconn *conn);
extern LoginStatus libpq_explain_login(const LibpqLink *link, Failure *failure);

/* ---- the functions of the wire ------------------------------------------------------- */

extern bool libpq_start(WireLink *common, Failure *failure);
extern bool libpq_settle(WireLink *common, int wrong, int naddresses, Failure *failure);
extern LoginStatus libpq_advance(WireLink *common, uint32 events, Failure *failure);
extern bool libpq_ask(WireLink *common, const RemoteQuery *query, Failure *failure);
extern QueryStatus libpq_collect(WireLink *common, RowSink on_row, void *sink, Failure *failure);
extern bool libpq_cancel(WireLink *common);
extern bool libpq_cancelled(WireLink *common);
extern void libpq_await_cancel(WireLink *common, int64 deadline_us);

#endif /* DQDS_LIBPQ_LINK_H */
