/*
 * engine.c
 *		Runs one or many operations at remote servers in one event loop.
 *
 * A single call is a fan-out of one.  What the steps of an operation are, run.c says.
 *
 * Owns: the loop, and that the time which one operation takes from it is not the others'
 * time.  It must not know wires or SQL.  An error raised in between (a cancel, a sink out
 * of memory) cancels what runs at the remotes before it goes on.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/failure.h"
#include "base/settings.h"
#include "engine/engine.h"
#include "engine/run.h"
#include "engine/session.h"
#include "engine/session_cache.h"
#include "event/background.h"
#include "event/reactor.h"

/*
 * A step of one operation (a library hashing a password, a handshake with a huge key,
 * a sink writing to disk) keeps all others waiting.  A remote that has answered
 * meanwhile has lost that time, so its deadlines are put off by it, by no more
 * than MAX_PUT_OFF_US in all.  One that is silent has lost nothing: its deadline
 * stands, but is judged by what had come when the loop last looked.
 */
#define MAX_PUT_OFF_US (60 * INT64CONST(1000000))

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
	run_serve(run, events, fanout->role);
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
		run_time_out(run, fanout->role);
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
		run_log_in_again(run, fanout->role);
		account_step(fanout, run, started_us);
	}
}

/* Start what there is capacity for; returns how many are under way. */
static int
start_pending(Fanout *fanout)
{
	int active = 0;

	for (int i = 0; i < fanout->count; i++)
		if (run_is_under_way(&fanout->runs[i]))
			active++;
	for (int i = 0; i < fanout->count && active < dqds_max_parallel; i++)
	{
		Run *run = &fanout->runs[i];

		if (run_is_under_way(run) || run->finished)
			continue;
		run_start(run, fanout->role);
		account_step(fanout, run, run->started_us);
		if (run_is_under_way(run))
			active++;
	}
	return active;
}

static int64
nearest_deadline(const Fanout *fanout)
{
	int64 nearest = PG_INT64_MAX;

	for (int i = 0; i < fanout->count; i++)
		nearest = Min(nearest, run_deadline(&fanout->runs[i]));
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

/* The same; no session is left busy by an error. */
static void
run_all_or_close(Fanout *fanout)
{
	PG_TRY();
	{
		run_all(fanout);
	}
	PG_CATCH();
	{
		session_close_all_busy();
		PG_RE_THROW();
	}
	PG_END_TRY();
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

	run_all_or_close(&fanout);
	pfree(fanout.runs);
}
