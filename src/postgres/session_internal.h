/*
 * session_internal.h
 *		The inside of a session, for the files that are one module: session*.c.
 *
 * Only these files call libpq, but for its parser (spelling_parameters.c).  session.c
 * owns the life of a session,
 * session_connect.c finds an address that takes it, session_login.c logs it in there,
 * session_query.c asks and collects, libpq_scope.c shields libpq from the server's
 * environment.
 */
#ifndef DQDS_SESSION_INTERNAL_H
#define DQDS_SESSION_INTERNAL_H

#include <sys/socket.h>

#include "lib/ilist.h"
#include "libpq-fe.h"

#include "base/failure.h"
#include "engine/limits.h"
#include "engine/session_census.h"
#include "event/background.h"
#include "event/resolver.h"
#include "model/target.h"
#include "postgres/certificate_check.h"
#include "postgres/dialect.h"
#include "postgres/failure_postgres.h"
#include "postgres/libpq_scope.h"
#include "postgres/password_guard.h"
#include "postgres/session.h"
#include "wire/login_trace.h"
#include "wire/question.h"

#define MAX_ADDRESSES 16

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
	uint64 id;             /* never used again by this backend, never REACTOR_BACKGROUND */
	MemoryContext context; /* holds this struct and key */
	SessionState state;

	/* Identity, for reuse. */
	Oid role;
	int64 connection_id;
	char *key;

	/* Valid only while an operation holds the session; NULL in the cache. */
	const Target *target;
	void *owner;
	LimitSlot *address_slot; /* for the address that is connected to, or NULL */

	/* While resolving and connecting. */
	Resolution *resolution;
	const struct sockaddr *addresses[MAX_ADDRESSES]; /* belong to resolution */
	int naddresses;
	int next_address;
	int64 login_bytes;            /* what waited at the polls of this attempt */
	bool raw_bytes;               /* the remote is to convert nothing */
	bool raw_wanted;              /* at whichever address */
	bool any_kind;                /* prefer-standby: no standby has been found */
	int wrong_kind;               /* servers that target_session_attrs does not want */
	ConnectStage stage;           /* as of the last poll */
	AuthGuard guard;              /* of this attempt */
	CertificateCheck certificate; /* of this attempt */
	Failure passed;               /* of an address before, the one that came furthest */
	ConnectStage passed_stage;    /* which that one reached */
	LoginTrace *trace;            /* what happened when, or NULL; belongs to the operation */
	int64 started_us;
	int64 deadline_us;         /* for the login, or for the query */
	int64 attempt_deadline_us; /* for one of several addresses to begin the authentication */

	/* Once there is a connection.  fd is -1 when libpq holds no socket. */
	PGconn *conn;
	int64 heap_bytes; /* what it has allocated and not freed, about */
	int64 kept_bytes; /* of it, since the login */
	bool external_fd; /* AcquireExternalFD is to be given back */
	int fd;
	struct sockaddr_storage peer;
	CensusEntry census;
	int64 logged_in_us;

	/* While busy. */
	Phase phase;
	RemoteQuery query; /* values belong to the operation */
	Family query_family;
	PGresult *result;    /* here so that an error in a sink does not lose it */
	bool unsent;         /* a part of the question waits for the socket */
	bool answered;       /* a part of the answer has been handed on */
	bool complete;       /* the question's result has come to its end */
	bool reading;        /* something of the answer has been read */
	int64 rowless_bytes; /* what has come since the last row, or since then, about */
	int64 libpq_bytes; /* what libpq has allocated since then, or in the end of the login, about */
	BackgroundJob *cancel;

	/* What is known of the remote. */
	Family family;
	int encoding; /* of text that it sends and takes (encoding.c) */
	Directness direct;
	int uses;                      /* answers completed */
	uint32 prepared[NUM_FAMILIES]; /* a bit for each question */
};

/*
 * How much memory libpq may take in the end of a login, or during an answer.  It
 * makes its buffer as large as a message announces itself, in powers of two; this
 * is enough for a row with the longest comment that the queries ask for
 * (dialect.c), which is 64 kB.  More than that must not be: libpq keeps messages
 * that were not asked for (ParameterStatus), and loses two hundred times the length
 * of others (ParameterDescription), between rows as well, and one read can fill
 * the whole buffer with them before we see it.
 */
#define MAX_LIBPQ_HEAP (200 * 1024)

/* How long a cancel request may take before the session is closed regardless. */
#define CANCEL_PATIENCE_US (500 * 1000)

/* ---- session.c ------------------------------------------------------------------ */

extern void session_fail(Session *session);
extern int64 session_count_heap(Session *session, int64 taken);
extern ConnectStage session_stage(PGconn *conn);
extern void session_release_connection(Session *session);

/* ---- session_connect.c ------------------------------------------------------------ */

extern void session_take_addresses(Session *session, Failure *failure);
extern void session_connect_next(Session *session, Failure *failure);
extern bool session_is_unanswered(const Session *session);
extern void session_end_attempt(Session *session, LoginOutlook outlook, Failure *failure);

/* ---- session_login.c -------------------------------------------------------------- */

extern LoginOutlook session_diagnose_login(Session *session, Failure *failure);
extern void session_poll_login(Session *session, uint32 events, Failure *failure);

/* ---- session_query.c -------------------------------------------------------------- */

extern void session_drop_notifications(PGconn *conn);
extern bool session_start_cancel(Session *session);

#endif /* DQDS_SESSION_INTERNAL_H */
