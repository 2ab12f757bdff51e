/*
 * engine.c
 *		Runs one or many operations at remote servers in one event loop.
 *
 * A single call is a fan-out of one.  The steps of an operation:
 *
 *	1. the policy looks at the name, and a slot of the target is taken
 *	2. an idle session is taken from the cache, or one is opened; a login that
 *	   the server has no slot for is tried again, without dqds' idle sessions there
 *	3. the session is asked, and each row is handed to the operation's sink
 *	4. the session goes back to the cache if it is clean, else it is closed; that
 *	   of a fresh login only takes the place of one that was there
 *
 * Owns: the order of these steps, the deadlines, and that the time which one
 * operation takes from the loop is not the others' time.  It must not know wires
 * or SQL.  An error raised in between (a cancel, a sink out of memory) cancels
 * what runs at the remotes before it goes on.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/encoding.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/remote_text.h"
#include "base/settings.h"
#include "engine/engine.h"
#include "engine/limits.h"
#include "engine/session.h"
#include "engine/session_cache.h"
#include "engine/session_census.h"
#include "event/background.h"
#include "event/reactor.h"
#include "model/policy.h"
#include "model/secret.h"
#include "model/target.h"
#include "wire/login_trace.h"

/*
 * A step of one operation (a library hashing a password, a handshake with a huge key,
 * a sink writing to disk) keeps all others waiting.  A remote that has answered
 * meanwhile has lost that time, so its deadlines are put off by it, by no more
 * than MAX_PUT_OFF_US in all.  One that is silent has lost nothing: its deadline
 * stands, but is judged by what had come when the loop last looked.
 */
#define MAX_PUT_OFF_US (60 * INT64CONST(1000000))

/*
 * How long to wait before a login is tried again: a server needs a moment to end a
 * session, and another backend one to part with it (session_cache.c).
 */
static const int pauses_ms[] = {10, 40, 250, 700, 1500};

typedef struct Run
{
	Operation *operation;
	Session *session; /* NULL before the start and after the end */
	char *key;
	LimitSlot slot;         /* of the connection, or of the host's name */
	LimitSlot address_slot; /* of the address */
	bool asked;
	bool reused; /* the session came from the cache */
	bool finished;
	int64 login_deadline_us; /* 0: no login has begun */
	int64 again_us;          /* when the login is tried again; 0: it is not */
	int pauses;              /* how often it has been */
	bool in_the_way;         /* dqds had another session there when it was refused */
	int64 started_us;
	int64 put_off_us; /* how much its deadlines were put off for the steps of others */
	int64 busy_us;    /* Fanout's when its own last step was over */
} Run;

/* What one call of engine_run works on. */
typedef struct Fanout
{
	Run *runs;
	int count;
	Oid role;
	int64 looked_us;        /* when the loop last looked for events */
	int64 busy_us;          /* what all steps have taken */
	int64 busy_looked_us;   /* of it, until the loop last looked, */
	int64 busy_looked_2_us; /* and until it looked the time before */
	ReactorEvent *events;
	int max_events;
} Fanout;

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

static void
start(Run *run, Oid role)
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

static void
serve(Run *run, uint32 events, Oid role)
{
	Operation *operation = run->operation;

	if (session_state(run->session) == SESSION_BUSY)
		session_collect(run->session, operation->on_row, operation->sink, &operation->failure);
	else
		session_advance(run->session, events, &operation->failure);
	proceed(run, role);
}

/* ---- the loop ------------------------------------------------------------------ */

/* A step of run that began at started_us is over. */
static void
account_step(Fanout *fanout, Run *run, int64 started_us)
{
	fanout->busy_us += dqds_now_us() - started_us;
	run->busy_us = fanout->busy_us;
	/* There may be many steps before the next wait. */
	CHECK_FOR_INTERRUPTS();
}

/*
 * What this run's event may have waited for is not its remote's time: the event
 * came after the run's own last step, and after the loop had looked for events
 * the time before.
 */
static void
put_off(const Fanout *fanout, Run *run)
{
	int64 waited_us = fanout->busy_us - Max(run->busy_us, fanout->busy_looked_2_us);

	waited_us = Min(waited_us, MAX_PUT_OFF_US - run->put_off_us);
	session_put_off(run->session, waited_us);
	run->put_off_us += waited_us;
}

static void
serve_run(Fanout *fanout, Run *run, uint32 events)
{
	int64 started_us = dqds_now_us();

	put_off(fanout, run);
	serve(run, events, fanout->role);
	account_step(fanout, run, started_us);
}

/* A thread has ended; which one is for the sessions to find out. */
static void
serve_threads(Fanout *fanout)
{
	background_acknowledge();
	for (int i = 0; i < fanout->count; i++)
	{
		Run *run = &fanout->runs[i];
		SessionState state;

		if (run->session == NULL)
			continue;
		state = session_state(run->session);
		if (state == SESSION_RESOLVING || state == SESSION_CANCELLING)
			serve_run(fanout, run, 0);
	}
}

static void
serve_event(Fanout *fanout, const ReactorEvent *event)
{
	Session *session;
	Run *run;

	if (event->owner == REACTOR_BACKGROUND)
	{
		serve_threads(fanout);
		return;
	}
	session = session_find(event->owner);
	if (session == NULL)
		return;
	run = session_owner(session);
	if (run != NULL)
		serve_run(fanout, run, event->events);
	else
		session_cache_drop(session);
}

static void
serve_deadlines(Fanout *fanout)
{
	for (int i = 0; i < fanout->count; i++)
	{
		Run *run = &fanout->runs[i];
		int64 started_us;

		if (run->session == NULL || session_deadline(run->session) > fanout->looked_us)
			continue;
		started_us = dqds_now_us();
		session_timed_out(run->session, &run->operation->failure);
		proceed(run, fanout->role);
		account_step(fanout, run, started_us);
	}
}

/* Try the logins again whose pause is over. */
static void
serve_postponed(Fanout *fanout)
{
	for (int i = 0; i < fanout->count; i++)
	{
		Run *run = &fanout->runs[i];
		int64 started_us;

		if (run->again_us == 0 || run->again_us > fanout->looked_us)
			continue;
		started_us = dqds_now_us();
		run->again_us = 0;
		run->operation->failure = (Failure){0};
		open_session(run, fanout->role);
		account_step(fanout, run, started_us);
	}
}

static bool
is_under_way(const Run *run)
{
	return run->session != NULL || run->again_us != 0;
}

/* Start what there is capacity for; returns how many are under way. */
static int
start_pending(Fanout *fanout)
{
	int active = 0;

	for (int i = 0; i < fanout->count; i++)
		if (is_under_way(&fanout->runs[i]))
			active++;
	for (int i = 0; i < fanout->count && active < dqds_max_parallel; i++)
	{
		Run *run = &fanout->runs[i];

		if (is_under_way(run) || run->finished)
			continue;
		start(run, fanout->role);
		account_step(fanout, run, run->started_us);
		if (is_under_way(run))
			active++;
	}
	return active;
}

static int64
nearest_deadline(const Fanout *fanout)
{
	int64 nearest = PG_INT64_MAX;

	for (int i = 0; i < fanout->count; i++)
	{
		const Run *run = &fanout->runs[i];

		if (run->session != NULL)
			nearest = Min(nearest, session_deadline(run->session));
		else if (run->again_us != 0)
			nearest = Min(nearest, run->again_us);
	}
	return nearest;
}

/* Wait for events, and take all that have come. */
static int
look(Fanout *fanout)
{
	int nevents = reactor_wait(nearest_deadline(fanout), fanout->events, fanout->max_events);

	fanout->looked_us = dqds_now_us();
	fanout->busy_looked_2_us = fanout->busy_looked_us;
	fanout->busy_looked_us = fanout->busy_us;
	return nevents;
}

static void
run_all(Fanout *fanout)
{
	/* One for each session, of the cache as well, and one for the threads. */
	fanout->max_events = Min(fanout->count, dqds_max_parallel) + session_cache_count() + 1;
	fanout->events = palloc(sizeof(ReactorEvent) * fanout->max_events);
	while (start_pending(fanout) > 0)
	{
		int nevents = look(fanout);

		for (int i = 0; i < nevents; i++)
			serve_event(fanout, &fanout->events[i]);
		serve_deadlines(fanout);
		serve_postponed(fanout);
	}
	pfree(fanout->events);
}

/*
 * Run the operations for role, all at once as far as dqds.max_parallel goes, and
 * return when each has its outcome.  Rows go to the sinks as they arrive.
 * Raises only what is local: a cancel, a sink's error, descriptors running out.
 */
void
engine_run(Operation *operations, int count, Oid role)
{
	Fanout fanout = {.count = count, .role = role};

	fanout.runs = palloc0(sizeof(Run) * Max(count, 1));
	reactor_start();
	background_start_module();
	for (int i = 0; i < count; i++)
	{
		fanout.runs[i].operation = &operations[i];
		failure_clear(&operations[i].failure);
	}

	PG_TRY();
	{
		run_all(&fanout);
	}
	PG_CATCH();
	{
		session_close_all_busy();
		PG_RE_THROW();
	}
	PG_END_TRY();
	pfree(fanout.runs);
}
