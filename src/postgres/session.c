/*
 * session.c
 *		One remote session: its life, and what others may know of it.
 *
 * A session is a state machine that never blocks; engine.c drives it by telling
 * it of socket events and of deadlines that have passed.  The module's other
 * files are session_connect.c, session_login.c and session_query.c; only these four
 * and libpq_scope.c know libpq.
 *
 * Owns: the PGconn, its descriptor, the pending PGresult, and the threads that
 * resolve or cancel for it.  All of them hang on the list of live sessions, so
 * that an error or the end of the backend finds them.  It must not decide what
 * to ask, whom to serve first, or what becomes of the rows.
 */
#include "postgres.h"

#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/encoding.h"
#include "base/failure.h"
#include "base/settings.h"
#include "engine/limits.h"
#include "engine/session_census.h"
#include "event/background.h"
#include "event/reactor.h"
#include "event/resolver.h"
#include "model/policy.h"
#include "model/target.h"
#include "postgres/failure_postgres.h"
#include "postgres/lost_memory.h"
#include "postgres/session.h"
#include "postgres/session_internal.h"
#include "wire/failure_common.h"

static dlist_head live_sessions = DLIST_STATIC_INIT(live_sessions);
static bool exit_callback_registered = false;

/* ---- opening and closing ------------------------------------------------------ */

static void
close_live_sessions_at_exit(int code, Datum arg)
{
	(void) code;
	(void) arg;
	session_close_all_busy();
}

/* Note that libpq has allocated so many bytes, or, negative, has freed them; returns them. */
int64
session_count_heap(Session *session, int64 taken)
{
	session->heap_bytes += taken;
	if (session->state == SESSION_BUSY || session->state == SESSION_IDLE)
		session->kept_bytes += taken;
	return taken;
}

/* Close the connection, if any.  What libpq does not free then is lost. */
void
session_release_connection(Session *session)
{
	int64 heap_before = lost_memory_heap();

	if (session->result != NULL)
		PQclear(session->result);
	session->result = NULL;
	if (session->fd >= 0)
		reactor_forget(session->fd);
	session->fd = -1;
	if (session->conn != NULL)
		PQfinish(session->conn);
	session->conn = NULL;
	census_leave(&session->census);
	(void) session_count_heap(session, lost_memory_heap() - heap_before);
	lost_memory_note((const struct sockaddr *) &session->peer, session->heap_bytes);
	session->heap_bytes = 0;
}

/*
 * Close a session in whatever state it is and free it.  A query that is still
 * running at the remote is not cancelled here.  Never raises.
 */
void
session_close(Session *session)
{
	session_release_connection(session);
	if (session->cancel != NULL)
		background_release(session->cancel);
	if (session->resolution != NULL)
		resolver_release(session->resolution);
	if (session->external_fd)
		ReleaseExternalFD();
	dlist_delete(&session->node);
	MemoryContextDelete(session->context);
}

static Session *
allocate_session(const Target *target, Oid role, const char *key)
{
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "dqds session", ALLOCSET_SMALL_SIZES);
	Session *session = MemoryContextAllocZero(context, sizeof(Session));
	static uint64 last_id = REACTOR_BACKGROUND;

	session->context = context;
	session->id = ++last_id;
	session->role = role;
	session->connection_id = target->connection_id;
	session->encoding = REMOTE_CONVERTS;
	session->fd = -1;
	session->key = MemoryContextStrdup(context, key);
	dlist_push_tail(&live_sessions, &session->node);
	return session;
}

/*
 * Begin a session for role.  key is what session_cache_key made of the target;
 * deadline_us, on the dqds_now_us clock, is that of the login.  Returns NULL with
 * DQDS_BUSY when descriptors or threads are out, else a session in state RESOLVING
 * or CONNECTING.  The caller attaches it, drives it, and hands it to session_close
 * or to the cache.
 */
Session *
session_open(const Target *target, Oid role, const char *key, int64 deadline_us, Failure *failure)
{
	Session *session;

	if (!exit_callback_registered)
	{
		before_shmem_exit(close_live_sessions_at_exit, (Datum) 0);
		exit_callback_registered = true;
	}
	session = allocate_session(target, role, key);
	session->external_fd = AcquireExternalFD();
	if (!session->external_fd)
	{
		session_close(session);
		failure_common(target, FAILED_NO_CAPACITY, NULL, failure);
		return NULL;
	}
	session->started_us = dqds_now_us();
	session->deadline_us = deadline_us;
	session->state = SESSION_RESOLVING;
	session->resolution = resolver_start(target->host, target->port);
	if (session->resolution == NULL)
	{
		session_close(session);
		failure_common(target, FAILED_NO_CAPACITY, NULL, failure);
		return NULL;
	}
	return session;
}

/* For a session that was just opened: it asks the remote to convert nothing. */
void
session_want_raw(Session *session)
{
	session->raw_wanted = true;
	session->raw_bytes = true;
}

/* Give the session to an operation, or, with NULLs, take it away. */
void
session_attach(Session *session, const Target *target, void *owner)
{
	session->target = target;
	session->owner = owner;
	session->trace = NULL;
	session->certificate.trace = NULL;
	session->address_slot = NULL;
}

/*
 * From now on the session takes *slot for each address that it connects to; the
 * caller gives it back.
 */
void
session_limit(Session *session, LimitSlot *slot)
{
	session->address_slot = slot;
}

/* ---- moving on ----------------------------------------------------------------------- */

/* It is of no more use; the caller has noted why. */
void
session_fail(Session *session)
{
	session->state = SESSION_FAILED;
}

/* How far the login has come. */
ConnectStage
session_stage(PGconn *conn)
{
	switch (PQstatus(conn))
	{
		case CONNECTION_STARTED:
			return STAGE_TCP;
		case CONNECTION_SSL_STARTUP:
			return STAGE_TLS;
		default:
			return STAGE_STARTUP;
	}
}

/*
 * Something happened that concerns this session: an event on its socket, or the
 * end of one of its threads.  Moves a login or a cancel on; on failure the state
 * is FAILED and *failure tells why.
 */
void
session_advance(Session *session, uint32 events, Failure *failure)
{
	switch (session->state)
	{
		case SESSION_RESOLVING:
			if (resolver_done(session->resolution))
				session_take_addresses(session, failure);
			break;
		case SESSION_CONNECTING:
			session_poll_login(session, events, failure);
			break;
		case SESSION_CANCELLING:
			if (background_done(session->cancel))
				session_fail(session);
			break;
		default:
			break;
	}
}

static void
time_out_query(Session *session, Failure *failure)
{
	failure_in_time(session->target, FAILED_QUERY_IN_TIME, dqds_query_timeout_ms * INT64CONST(1000),
					failure);
	if (!session_start_cancel(session))
		session_fail(session);
}

/*
 * The session's deadline has passed.  A login fails or goes on with the next
 * address; a query is cancelled, and the session is FAILED once the remote has
 * taken note.
 */
void
session_timed_out(Session *session, Failure *failure)
{
	int64 elapsed_us = dqds_now_us() - session->started_us;

	switch (session->state)
	{
		case SESSION_RESOLVING:
			failure_in_time(session->target, FAILED_RESOLVE_IN_TIME, elapsed_us, failure);
			session_fail(session);
			break;
		case SESSION_CONNECTING:
			session->stage = session_stage(session->conn);
			failure_in_time(session->target,
							session->stage == STAGE_TCP ? FAILED_CONNECT_IN_TIME
														: FAILED_LOGIN_IN_TIME,
							elapsed_us, failure);
			if (dqds_now_us() < session->deadline_us && session_is_unanswered(session))
				session_connect_next(session, failure);
			else
				session_fail(session);
			break;
		case SESSION_BUSY:
			time_out_query(session, failure);
			break;
		default:
			session_fail(session);
	}
}

/*
 * Clean-up after an error or at the end of the backend: cancel what runs at the
 * remotes, wait a moment for these requests to arrive, and close every session
 * that an operation holds.  Never raises, serves no interrupts.
 */
void
session_close_all_busy(void)
{
	dlist_mutable_iter iter;
	int64 deadline = dqds_now_us() + CANCEL_PATIENCE_US;

	dlist_foreach_modify(iter, &live_sessions)
	{
		Session *session = dlist_container(Session, node, iter.cur);

		if (session->state == SESSION_BUSY && session->conn != NULL)
			(void) session_start_cancel(session);
	}
	dlist_foreach_modify(iter, &live_sessions)
	{
		Session *session = dlist_container(Session, node, iter.cur);

		if (session->owner == NULL)
			continue;
		if (session->cancel != NULL)
			(void) background_wait(session->cancel, deadline);
		session_close(session);
	}
}

/* ---- what others may know ------------------------------------------------------------------- */

SessionState
session_state(const Session *session)
{
	return session->state;
}

/* When session_timed_out is due, on the dqds_now_us clock. */
int64
session_deadline(const Session *session)
{
	if (session->state == SESSION_CONNECTING && session_is_unanswered(session))
		return session->attempt_deadline_us;
	return session->deadline_us;
}

/* The address that it is connected to, or was told to connect to; valid as long as the session. */
const struct sockaddr *
session_peer(const Session *session)
{
	return (const struct sockaddr *) &session->peer;
}

/* The operation that holds it; NULL: it lies in the cache. */
void *
session_owner(const Session *session)
{
	return session->owner;
}

/* The session that an event is for; NULL: it was closed after the event had come. */
Session *
session_find(uint64 id)
{
	dlist_iter iter;

	dlist_foreach(iter, &live_sessions)
	{
		Session *session = dlist_container(Session, node, iter.cur);

		if (session->id == id)
			return session;
	}
	return NULL;
}

/* Move the session's deadlines by so many microseconds: time that was not the remote's to use. */
void
session_put_off(Session *session, int64 us)
{
	session->deadline_us += us;
	session->attempt_deadline_us += us;
}

/* Has a part of the current answer been handed on?  Then it must not be asked again. */
bool
session_answered(const Session *session)
{
	return session->answered;
}

/* TLS protocol version, NULL without TLS; valid as long as the session. */
const char *
session_tls(const Session *session)
{
	return PQsslInUse(session->conn) ? PQsslAttribute(session->conn, "protocol") : NULL;
}

/* The encoding of text that a session which is logged in sends and takes (encoding.c). */
int
session_encoding(const Session *session)
{
	return session->encoding;
}

/* Is it proven that there is no pooler between us and the remote's backend? */
bool
session_is_direct(const Session *session)
{
	return session->direct == DIRECT_YES;
}

const char *
session_server_version(const Session *session)
{
	return PQparameterStatus(session->conn, "server_version");
}

bool
session_matches(const Session *session, Oid role, const char *key)
{
	return session->role == role && strcmp(session->key, key) == 0;
}

bool
session_same_key(const Session *a, const Session *b)
{
	return session_matches(a, b->role, b->key);
}

/* The same registered connection and role, whatever its target is now. */
bool
session_same_connection(const Session *session, Oid role, int64 connection_id)
{
	return connection_id != 0 && session->connection_id == connection_id && session->role == role;
}

/* The policy and the password rule, as they are now, for a session that was made earlier. */
bool
session_still_allowed(const Session *session, const Target *target, Failure *failure)
{
	return policy_allows_address(target, session_peer(session), failure) &&
		   (!target->password_required || PQconnectionUsedPassword(session->conn));
}

/* Clean enough to be kept. */
bool
session_reusable(const Session *session)
{
	return session->state == SESSION_IDLE && session->kept_bytes <= MAX_LIBPQ_HEAP &&
		   PQstatus(session->conn) == CONNECTION_OK &&
		   PQtransactionStatus(session->conn) == PQTRANS_IDLE;
}

/* When its name has to be resolved and its password tried again; on the dqds_now_us clock. */
int64
session_too_old_at(const Session *session)
{
	return session->logged_in_us + dqds_session_max_age_ms * INT64CONST(1000);
}

/* Does a login at its server lack the slot that it holds?  For any thread. */
bool
session_asked_back(const Session *session)
{
	return census_asked_back(&session->census);
}

/* Are both at the same address and port? */
bool
session_same_server(const Session *a, const Session *b)
{
	return census_same_place(&a->census, &b->census);
}

/* What the census knows of it, once it has an address; valid as long as the session. */
const CensusEntry *
session_census(const Session *session)
{
	return &session->census;
}

/*
 * Take leave of the remote and free the connection, so that only the memory of
 * the Session is left for session_close.  It calls nothing of PostgreSQL's, so
 * the thread of session_cache.c may do it, for a session that is not used otherwise.
 */
void
session_disconnect(Session *session)
{
	int64 heap_before = lost_memory_heap();

	/* libpq closes the socket, and with it the kernel forgets that it was watched. */
	PQfinish(session->conn);
	census_leave(&session->census);
	session->heap_bytes += lost_memory_heap() - heap_before;
	session->conn = NULL;
	session->fd = -1;
}
