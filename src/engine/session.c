/*
 * session.c
 *		One remote session: its life.
 *
 * A session is a state machine that never blocks (session.h draws it); engine.c drives it by
 * telling it of events and of deadlines that have passed.  What it talks over is a Wire
 * (wire.h).  session_connect.c finds an address that takes it, session_facts.c tells others
 * what they may know of it.
 *
 * Owns: its link, the threads that resolve for it, and its deadlines.  All sessions hang on
 * the list of live sessions, so that an error or the end of the backend finds them.  It must
 * not know which wire it is, or decide what to ask, whom to serve first, or what becomes of
 * the rows.
 */
#include "postgres.h"

#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "base/encoding.h"
#include "base/failure.h"
#include "base/settings.h"
#include "engine/limits.h"
#include "engine/session.h"
#include "engine/session_census.h"
#include "engine/session_internal.h"
#include "engine/wires.h"
#include "event/reactor.h"
#include "event/resolver.h"
#include "model/policy.h"
#include "model/target.h"
#include "wire/failure_common.h"
#include "wire/login_trace.h"
#include "wire/wire.h"

/* How long a cancel request may take before the session is closed regardless. */
#define CANCEL_PATIENCE_US (500 * 1000)

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

/*
 * Close a session in whatever state it is and free it.  A query that is still
 * running at the remote is not cancelled here.  Never raises.
 */
void
session_close(Session *session)
{
	session_leave_address(session);
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
	static uint64 last_id = REACTOR_BACKGROUND;
	const Wire *wire = wire_of(target->provider);
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "dqds session", ALLOCSET_SMALL_SIZES);
	Session *session = MemoryContextAllocZero(context, MAXALIGN(sizeof(Session)) + wire->link_size);

	session->context = context;
	/* In one piece: another one makes each malloc() of libpq search for longer. */
	session->link = (WireLink *) ((char *) session + MAXALIGN(sizeof(Session)));
	session->link->wire = wire;
	session->link->id = ++last_id;
	session->link->encoding = REMOTE_CONVERTS;
	session->role = role;
	session->connection_id = target->connection_id;
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
	/* A provider without a server has no host. */
	if (*target->host == '\0')
		return session;
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
	session->link->raw_wanted = true;
}

/* Give the session to an operation, or, with NULLs, take it away. */
void
session_attach(Session *session, const Target *target, void *owner)
{
	session->link->target = target;
	session->link->trace = NULL;
	session->owner = owner;
	session->address_slot = NULL;
}

/* Note in *trace what happens when, until the login has ended; what stood there is of another login. */
void
session_trace(Session *session, LoginTrace *trace)
{
	session->link->trace = trace;
	if (trace == NULL)
		return;
	memset(trace, 0, sizeof(*trace));
	trace->started_us = session->started_us;
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

/* ---- logging in ---------------------------------------------------------------------- */

/* The wire has logged in: may the session be used? */
static void
complete_login(Session *session, Failure *failure)
{
	WireLink *link = session->link;

	if (link->trace != NULL)
		link->trace->logged_in_us = dqds_now_us();
	if (!session_proves_password(session, link->target))
	{
		failure_common(link->target, FAILED_PASSWORD_UNUSED, NULL, failure);
		session->state = SESSION_FAILED;
		return;
	}
	if (session->resolution != NULL)
		resolver_release(session->resolution);
	session->resolution = NULL;
	link->naddresses = 0;
	session->logged_in_us = dqds_now_us();
	if (session_peer(session)->sa_family != AF_UNSPEC)
		census_enter(&session->census);
	session->state = SESSION_IDLE;
}

static void
bring_login_on(Session *session, uint32 events, Failure *failure)
{
	LoginStatus status = session->link->wire->advance(session->link, events, failure);

	if (status == LOGIN_COMPLETE)
		complete_login(session, failure);
	else if (status != LOGIN_UNDER_WAY)
		session_end_attempt(session, status, failure);
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
			if (session->resolution == NULL)
				session_start_without_server(session, failure);
			else if (resolver_done(session->resolution))
				session_take_addresses(session, failure);
			break;
		case SESSION_CONNECTING:
			bring_login_on(session, events, failure);
			break;
		case SESSION_CANCELLING:
			if (session->link->wire->cancelled(session->link))
				session->state = SESSION_FAILED;
			break;
		default:
			break;
	}
}

/* ---- asking ---------------------------------------------------------------------------- */

/*
 * Ask an idle session.  The values of the query must stay valid until the answer
 * is complete.  False: the connection is lost, and *failure says so.
 */
bool
session_ask(Session *session, const RemoteQuery *query, Failure *failure)
{
	WireLink *link = session->link;

	link->answered = false;
	session->started_us = dqds_now_us();
	session->deadline_us = session->started_us + dqds_query_timeout_ms * INT64CONST(1000);
	session->state = link->wire->ask(link, query, failure) ? SESSION_BUSY : SESSION_FAILED;
	return session->state == SESSION_BUSY;
}

/*
 * Read what has arrived and hand each row to on_row, which may ereport.  The
 * state tells what came of it: BUSY, there is more to come; IDLE, the answer is
 * complete, or the remote refused it (*failure); FAILED, the connection is gone.
 */
void
session_collect(Session *session, RowSink on_row, void *sink, Failure *failure)
{
	switch (session->link->wire->collect(session->link, on_row, sink, failure))
	{
		case QUERY_UNDER_WAY:
			break;
		case QUERY_ENDED:
			session->state = SESSION_IDLE;
			break;
		case QUERY_BROKEN:
			session->state = SESSION_FAILED;
			break;
	}
}

/* ---- deadlines and clean-up -------------------------------------------------------------- */

static void
start_cancel(Session *session)
{
	session->state = SESSION_FAILED;
	if (!session->link->wire->cancel(session->link))
		return;
	session->state = SESSION_CANCELLING;
	session->deadline_us = dqds_now_us() + CANCEL_PATIENCE_US;
}

static void
time_out_login(Session *session, int64 elapsed_us, Failure *failure)
{
	WireLink *link = session->link;

	failure_in_time(link->target,
					link->stage == STAGE_TCP ? FAILED_CONNECT_IN_TIME : FAILED_LOGIN_IN_TIME,
					elapsed_us, failure);
	if (dqds_now_us() < session->deadline_us && !link->spoken)
		session_connect_next(session, failure);
	else
		session->state = SESSION_FAILED;
}

/*
 * The session's deadline has passed.  A login fails or goes on with the next
 * address; a query is cancelled, and the session is FAILED once the remote has
 * taken note.
 */
void
session_timed_out(Session *session, Failure *failure)
{
	const Target *target = session->link->target;
	int64 elapsed_us = dqds_now_us() - session->started_us;

	switch (session->state)
	{
		case SESSION_RESOLVING:
			failure_in_time(target, FAILED_RESOLVE_IN_TIME, elapsed_us, failure);
			session->state = SESSION_FAILED;
			break;
		case SESSION_CONNECTING:
			time_out_login(session, elapsed_us, failure);
			break;
		case SESSION_BUSY:
			failure_in_time(target, FAILED_QUERY_IN_TIME, dqds_query_timeout_ms * INT64CONST(1000),
							failure);
			start_cancel(session);
			break;
		default:
			session->state = SESSION_FAILED;
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

		if (session->state == SESSION_BUSY)
			start_cancel(session);
	}
	dlist_foreach_modify(iter, &live_sessions)
	{
		Session *session = dlist_container(Session, node, iter.cur);

		if (session->owner == NULL)
			continue;
		if (session->state == SESSION_CANCELLING)
			session->link->wire->await_cancel(session->link, deadline);
		session_close(session);
	}
}

/* The session that an event is for; NULL: it was closed after the event had come. */
Session *
session_find(uint64 id)
{
	dlist_iter iter;

	dlist_foreach(iter, &live_sessions)
	{
		Session *session = dlist_container(Session, node, iter.cur);

		if (session->link->id == id)
			return session;
	}
	return NULL;
}

/*
 * Take leave of the remote and free the connection, so that only the memory of
 * the Session is left for session_close.  It calls nothing of PostgreSQL's, so
 * the thread of session_cache.c may do it, for a session that is not used otherwise.
 */
void
session_disconnect(Session *session)
{
	session->link->wire->leave(session->link);
	census_leave(&session->census);
}
