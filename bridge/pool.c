/*
 * pool.c
 *		The connections to the control database, shared by all requests.
 *
 * A slot is taken under the lock; what takes time (connecting, running) happens
 * outside of it, by the thread that holds the slot.  The slot used last is
 * taken first, so that the others grow idle: their backends are told to close
 * their own idle remote sessions, and after a while are closed themselves.
 */
#include "pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bulkhead.h"
#include "clock.h"
#include "log.h"

/* Longer than this nobody waits for a connection to become free, or to be opened. */
#define QUEUE_TIMEOUT_MS 3000
#define OPEN_TIMEOUT_MS  5000

/*
 * Of those who hold what is waited for, if the last one came so long ago, all
 * of them are stuck, and waiting is in vain: to be refused at once is better.
 */
#define STUCK_MS 500

/* A connection that was dead already fails at once; later, the statement itself may be the cause. */
#define REPEAT_WITHIN_MS 100

/* The keeper: looks this often, gives each slot so long, closes what nobody used for so long. */
#define KEEPER_INTERVAL_MS 1000
#define KEEPER_TIMEOUT_MS  2000
#define IDLE_CLOSE_MS      300000

typedef struct Slot
{
	ControlConnection *connection; /* NULL: not open.  Touched only by who holds the slot */
	Share *share;                  /* of him who holds it; NULL: it is free */
	int64_t idle_since_ms;         /* end of the last request */
	bool sessions_closed;          /* dqds_close_idle() has run since */
} Slot;

static struct
{
	const Options *options;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	pthread_cond_t stopping_changed;
	pthread_t keeper;
	Slot *slots;
	int size;
	int waiting;  /* calls in take_slot() */
	int max_busy; /* calls at once; the threads that are left can still answer the health route */
	bool stopping;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/*
 * dqds.session_idle_timeout is the server's to know.  It is there from the
 * first call on that loaded the extension; before, there are no sessions.
 */
static const Statement close_idle = {
	"dqds_bridge_close_idle",
	"SELECT @extschema@.dqds_close_idle() WHERE $1::double precision >= coalesce(extract(epoch "
	"FROM nullif(pg_catalog.current_setting('dqds.session_idle_timeout', true), '')::interval), "
	"60)"};

/* ---- Slots ---- */

/* Under the lock: the free slot used last, of those with a connection if there are any. */
static Slot *
find_free(void)
{
	Slot *best = NULL;

	for (int i = 0; i < pool.size; i++)
	{
		Slot *slot = &pool.slots[i];

		if (slot->share != NULL)
			continue;
		if (best == NULL || (slot->connection != NULL && best->connection == NULL) ||
			(slot->connection != NULL && slot->idle_since_ms > best->idle_since_ms))
			best = slot;
	}
	return best;
}

/* Waits while there is hope that the share gets room; false: there is none. */
static bool
wait_for_room(const Share *share, int64_t deadline_ms)
{
	int64_t stuck_ms = bulkhead_moved_ms(share) + STUCK_MS;
	int64_t until_ms = stuck_ms < deadline_ms ? stuck_ms : deadline_ms;

	if (clock_now_ms() >= until_ms)
		return false;
	condition_wait(&pool.freed, &pool.lock, until_ms);
	return true;
}

/* Under the lock, as is all that knows a Share. */
static void
hold_slot(Slot *slot, Share *share)
{
	slot->share = share;
	bulkhead_enter(share);
}

/* NULL, with the reason in the result, when there is none for a call that waits for the target. */
static Slot *
take_slot(uint64_t target, int64_t deadline_ms, ControlResult *result)
{
	Slot *slot;
	Share *share;
	bool may_wait;

	pthread_mutex_lock(&pool.lock);
	may_wait = bulkhead_in_use() + pool.waiting++ < pool.max_busy;
	do
	{
		share = bulkhead_share(target);
		slot = bulkhead_has_room(share) ? find_free() : NULL;
	} while (slot == NULL && may_wait && wait_for_room(share, deadline_ms));
	pool.waiting--;
	if (slot != NULL)
		hold_slot(slot, share);
	else
	{
		*result = (ControlResult){.outcome = CONTROL_BUSY};
		bulkhead_explain(share, result->message, sizeof(result->message));
	}
	pthread_mutex_unlock(&pool.lock);
	return slot;
}

/* Those who wait may wait for different targets: all of them look. */
static void
give_slot(Slot *slot)
{
	pthread_mutex_lock(&pool.lock);
	bulkhead_leave(slot->share);
	slot->share = NULL;
	pthread_cond_broadcast(&pool.freed);
	pthread_mutex_unlock(&pool.lock);
}

static void
close_slot(Slot *slot)
{
	control_close(slot->connection);
	slot->connection = NULL;
}

/* Fills in the result when it cannot. */
static bool
open_slot(Slot *slot, int64_t deadline_ms, ControlResult *result)
{
	int64_t open_deadline_ms = clock_now_ms() + OPEN_TIMEOUT_MS;
	OpenFailure failure;

	if (open_deadline_ms > deadline_ms)
		open_deadline_ms = deadline_ms;
	slot->connection = control_open(pool.options, open_deadline_ms, &failure);
	if (slot->connection != NULL)
		return true;

	log_event(LOG_WARNING, "the control database cannot be used: %s", failure.why);
	*result = (ControlResult){.outcome = CONTROL_LOST};
	if (failure.is_set_up)
		snprintf(result->message, sizeof(result->message), "%s", failure.why);
	return false;
}

/* ---- Calls ---- */

static bool
may_keep(const ControlResult *result)
{
	/* a plan that went stale, or lost: a new connection is the cure */
	return result->outcome == CONTROL_OK ||
		   (result->outcome == CONTROL_REFUSED && strcmp(result->sqlstate, "0A000") != 0 &&
			strcmp(result->sqlstate, "26000") != 0 && strncmp(result->sqlstate, "42P", 3) != 0 &&
			strcmp(result->sqlstate, "42883") != 0 && strcmp(result->sqlstate, "3F000") != 0);
}

static void
run_in_slot(Slot *slot, const ControlCall *call, bool may_repeat, ControlResult *result)
{
	int64_t began_ms = clock_now_ms();
	bool reused = slot->connection != NULL && control_is_alive(slot->connection);

	if (!reused)
		close_slot(slot);
	if (!reused && !open_slot(slot, call->deadline_ms, result))
		return;
	control_run(slot->connection, call, result);
	if (!may_keep(result))
		close_slot(slot);

	/*
	 * The server may end an idle connection while we write to it.  And what was
	 * refused because the extension has changed was rolled back: on a new
	 * connection, every call may be tried again.
	 */
	may_repeat = result->outcome == CONTROL_REFUSED ? slot->connection == NULL
													: result->outcome == CONTROL_LOST && may_repeat;
	if (may_repeat && reused && result->rows == 0 && clock_now_ms() - began_ms < REPEAT_WITHIN_MS &&
		open_slot(slot, call->deadline_ms, result))
	{
		control_run(slot->connection, call, result);
		if (!may_keep(result))
			close_slot(slot);
	}
}

void
pool_run(const ControlCall *call, uint64_t target, bool may_repeat, ControlResult *result)
{
	int64_t queue_deadline_ms = clock_now_ms() + QUEUE_TIMEOUT_MS;
	Slot *slot = take_slot(
		target, queue_deadline_ms < call->deadline_ms ? queue_deadline_ms : call->deadline_ms,
		result);

	if (slot == NULL)
		return;
	run_in_slot(slot, call, may_repeat, result);
	slot->idle_since_ms = clock_now_ms();
	slot->sessions_closed = false;
	give_slot(slot);
}

/* ---- The keeper ---- */

static void
close_idle_sessions(Slot *slot, int64_t idle_ms)
{
	char seconds[32];
	const char *values[] = {seconds};
	ControlCall call = {.statement = &close_idle,
						.values = values,
						.value_count = 1,
						.deadline_ms = clock_now_ms() + KEEPER_TIMEOUT_MS};
	ControlResult result;

	snprintf(seconds, sizeof(seconds), "%lld.%03d", (long long) idle_ms / 1000,
			 (int) (idle_ms % 1000));
	control_run(slot->connection, &call, &result);
	/* refused for want of USAGE on the schema: then the extension does it alone, by its own clock */
	slot->sessions_closed = result.rows > 0 || result.outcome == CONTROL_REFUSED;
	/* remote sessions end with their backend, too */
	if (!may_keep(&result))
		close_slot(slot);
}

static void
keep_slot(Slot *slot)
{
	int64_t idle_ms = clock_now_ms() - slot->idle_since_ms;

	if (idle_ms > IDLE_CLOSE_MS || !control_is_alive(slot->connection))
		close_slot(slot);
	else if (!slot->sessions_closed)
		close_idle_sessions(slot, idle_ms);
}

/* Takes a slot that was idle since the last look; false: somebody needs it. */
static bool
take_idle(Slot *slot)
{
	bool idle;

	pthread_mutex_lock(&pool.lock);
	idle = slot->share == NULL && slot->connection != NULL &&
		   clock_now_ms() - slot->idle_since_ms >= KEEPER_INTERVAL_MS;
	if (idle)
		hold_slot(slot, bulkhead_share(bulkhead_target(WAITS_FOR_NOTHING, NULL)));
	pthread_mutex_unlock(&pool.lock);
	return idle;
}

static bool
sleep_unless_stopping(void)
{
	int64_t until_ms = clock_now_ms() + KEEPER_INTERVAL_MS;
	bool stopping;

	pthread_mutex_lock(&pool.lock);
	while (!pool.stopping && condition_wait(&pool.stopping_changed, &pool.lock, until_ms))
		;
	stopping = pool.stopping;
	pthread_mutex_unlock(&pool.lock);
	return !stopping;
}

static void *
keeper_main(void *unused)
{
	(void) unused;
	while (sleep_unless_stopping())
		for (int i = 0; i < pool.size; i++)
			if (take_idle(&pool.slots[i]))
			{
				keep_slot(&pool.slots[i]);
				give_slot(&pool.slots[i]);
			}
	return NULL;
}

/* ---- Start and stop ---- */

bool
pool_start(const Options *options)
{
	int spare_threads = (options->threads + 3) / 4;

	pool.options = options;
	pool.size = options->pool_size;
	pool.max_busy = options->threads - spare_threads;
	pool.slots = calloc((size_t) pool.size, sizeof(Slot));
	condition_init(&pool.freed);
	condition_init(&pool.stopping_changed);
	return pool.slots != NULL && bulkhead_start(options->pool_size, options->threads) &&
		   pthread_create(&pool.keeper, NULL, keeper_main, NULL) == 0;
}

/* Nobody may run a call any more. */
void
pool_stop(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.stopping = true;
	pthread_cond_signal(&pool.stopping_changed);
	pthread_mutex_unlock(&pool.lock);
	pthread_join(pool.keeper, NULL);

	for (int i = 0; i < pool.size; i++)
		close_slot(&pool.slots[i]);
	free(pool.slots);
	bulkhead_stop();
}
