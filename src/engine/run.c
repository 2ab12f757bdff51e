/*
 * run.c
 *		The steps of one operation at a remote server:
 *
 *	1. the policy looks at the name, and a slot of the target is taken
 *	2. an idle session is taken from the cache, or one is opened; a login that
 *	   the server has no slot for is tried again, without dqds' idle sessions there
 *	3. the session is asked, and each row is handed to the operation's sink
 *	4. the session goes back to the cache if it is clean, else it is closed; that
 *	   of a fresh login only takes the place of one that was there
 *
 * Owns: the order of these steps.  It must not wait, or know other operations, wires or SQL.
 */
#include "postgres.h"

#include "base/encoding.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/remote_text.h"
#include "base/settings.h"
#include "engine/engine.h"
#include "engine/limits.h"
#include "engine/run.h"
#include "engine/session.h"
#include "engine/session_cache.h"
#include "engine/session_census.h"
#include "model/policy.h"
#include "model/secret.h"
#include "model/target.h"
#include "wire/login_trace.h"

/*
 * How long to wait before a login is tried again: a server needs a moment to end a
 * session, and another backend one to part with it (session_cache.c).
 */
static const int pauses_ms[] = {10, 40, 250, 700, 1500};

static void
note_session(Run *run)
{
	Operation *operation = run->operation;
	WireFacts facts = {0};

	session_facts(run->session, &facts);
	operation->direct = facts.direct;
	if (facts.server_version != NULL)
		operation->server_version =
			remote_line(secret_hide(operation->target, facts.server_version));
	if (facts.tls != NULL)
		operation->tls = pstrdup(facts.tls);
}

/* A fresh login renews the idle session that there was; where there was none, it leaves none. */
static void
keep_or_close(const Run *run, Session *session)
{
	bool keep = !run->operation->fresh || session_cache_drop_same(session);

	if (keep && session_reusable(session))
		session_cache_put(session);
	else
		session_close(session);
}

static void
finish(Run *run)
{
	Session *session = run->session;
	int64 ended_us;

	run->session = NULL;
	run->finished = true;
	ended_us = dqds_now_us();
	run->operation->elapsed_ms = (ended_us - run->started_us) / 1000.0;
	if (run->operation->trace != NULL)
		run->operation->trace->ended_us = ended_us;
	limits_leave(&run->address_slot);
	limits_leave(&run->slot);
	if (session != NULL)
		keep_or_close(run, session);
}

static void
open_session(Run *run, Oid role)
{
	const Target *target = run->operation->target;

	run->asked = false;
	run->reused = false;
	if (run->login_deadline_us == 0)
		run->login_deadline_us = dqds_now_us() + target->connect_timeout_ms * INT64CONST(1000);
	run->session =
		session_open(target, role, run->key, run->login_deadline_us, &run->operation->failure);
	if (run->session == NULL)
	{
		finish(run);
		return;
	}
	if (run->operation->raw)
		session_want_raw(run->session);
	session_attach(run->session, target, run);
	session_trace(run->session, run->operation->trace);
	session_limit(run->session, &run->address_slot);
	session_advance(run->session, 0, &run->operation->failure);
	if (session_state(run->session) == SESSION_FAILED)
		finish(run);
}

/* Will an idle session do for this run?  *failure is the run's. */
static bool
suits(const Run *run, Failure *failure)
{
	const Operation *operation = run->operation;

	return session_still_allowed(run->session, operation->target, failure) &&
		   (!operation->raw || session_encoding(run->session) != REMOTE_CONVERTS);
}

/* Take an idle session if there is one that the policy of this moment still allows. */
static bool
reuse_session(Run *run, Oid role)
{
	const Target *target = run->operation->target;

	run->session = session_cache_take(target, role, run->key, run->started_us);
	if (run->session == NULL)
		return false;
	session_attach(run->session, target, run);
	if (!suits(run, &run->operation->failure))
	{
		session_close(run->session);
		run->session = NULL;
		failure_clear(&run->operation->failure);
		return false;
	}
	run->reused = true;
	return true;
}

static void
ask(Run *run)
{
	Operation *operation = run->operation;

	run->asked = true;
	if (operation->fill != NULL)
		operation->fill(operation->sink, &operation->query, session_encoding(run->session));
	session_ask(run->session, &operation->query, &operation->failure);
}

/* A cached session can turn out to be dead, which is no failure: begin again, once. */
static bool
replace_dead_session(Run *run, Oid role)
{
	Operation *operation = run->operation;

	if (!run->reused || operation->failure.code != DQDS_CONNECTION_LOST ||
		session_answered(run->session))
		return false;
	session_close(run->session);
	run->session = NULL;
	failure_clear(&operation->failure);
	open_session(run, role);
	return true;
}

/*
 * May a session of dqds hold the slot that a login lacks?  A server that has none
 * left says so, or hangs up on those who come.  What is idle there is given up,
 * by other backends in a moment.  A login that has got the slot may not be known
 * to be complete yet, so that a first refusal is always doubted.
 */
static bool
is_in_the_way(Run *run)
{
	DqdsErrorCode code = run->operation->failure.code;

	if (code != DQDS_TOO_MANY_CONNECTIONS && code != DQDS_CONNECTION_LOST)
		return false;
	if (census_ask_back(session_census(run->session)))
		run->in_the_way = true;
	session_cache_drop_beside(run->session);
	return run->in_the_way || (run->pauses == 0 && code == DQDS_TOO_MANY_CONNECTIONS);
}

/* A login that may succeed without dqds' other sessions is tried again, until its deadline. */
static bool
postpone_login(Run *run)
{
	int64 again_us;

	if (run->asked || run->pauses >= lengthof(pauses_ms) || !is_in_the_way(run))
		return false;
	run->login_deadline_us = session_deadline(run->session);
	again_us = dqds_now_us() + pauses_ms[run->pauses] * INT64CONST(1000);
	if (again_us >= run->login_deadline_us)
		return false;
	session_close(run->session);
	run->session = NULL;
	run->again_us = again_us;
	run->pauses++;
	return true;
}

/* Bring a run on as far as its session's state allows without waiting. */
static void
proceed(Run *run, Oid role)
{
	if (session_state(run->session) == SESSION_IDLE && !run->asked)
		ask(run);
	if (session_state(run->session) == SESSION_FAILED)
	{
		if (!replace_dead_session(run, role) && !postpone_login(run))
			finish(run);
	}
	else if (session_state(run->session) == SESSION_IDLE)
	{
		if (run->operation->fresh)
			note_session(run);
		finish(run);
	}
}

/* Begin; the run's operation may have ended when it returns. */
void
run_start(Run *run, Oid role)
{
	Operation *operation = run->operation;
	const Target *target = operation->target;

	run->started_us = dqds_now_us();
	if (!policy_allows_name(target, &operation->failure) ||
		!limits_enter(target, &run->slot, &operation->failure))
	{
		finish(run);
		return;
	}
	run->key = session_cache_key(target);
	if (operation->fresh || !reuse_session(run, role))
		open_session(run, role);
	else if (limits_enter_address(target, session_peer(run->session), &run->address_slot,
								  &operation->failure))
		proceed(run, role);
	else
		finish(run);
}

/* Something has happened to the run's session: an event of its socket, or (events 0) the end of a thread. */
void
run_serve(Run *run, uint32 events, Oid role)
{
	Operation *operation = run->operation;

	if (session_state(run->session) == SESSION_BUSY)
		session_collect(run->session, operation->on_row, operation->sink, &operation->failure);
	else
		session_advance(run->session, events, &operation->failure);
	proceed(run, role);
}

/* The deadline of the run's session has passed. */
void
run_time_out(Run *run, Oid role)
{
	session_timed_out(run->session, &run->operation->failure);
	proceed(run, role);
}

/* The pause is over: try the login again. */
void
run_log_in_again(Run *run, Oid role)
{
	run->again_us = 0;
	run->operation->failure = (Failure){0};
	open_session(run, role);
}

bool
run_is_under_way(const Run *run)
{
	return run->session != NULL || run->again_us != 0;
}

/* When run_time_out or run_log_in_again is due, on the dqds_now_us clock; PG_INT64_MAX: never. */
int64
run_deadline(const Run *run)
{
	if (run->session != NULL)
		return session_deadline(run->session);
	return run->again_us != 0 ? run->again_us : PG_INT64_MAX;
}
