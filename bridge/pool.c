/*
 * pool.c
 *		The connections to the control database, shared by all requests.
 *
 * A slot is taken under the lock; what takes time (connecting, running) happens
 * outside of it, by the thread that holds the slot.  The slot used last is
 * taken first, so that the others grow idle and are closed after a while.
 *
 * Which request may have a slot is decided by bulkhead.c.
 */
#include "pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

/* No call waits longer than this for a connection to become free, or to be opened. */
#define QUEUE_TIMEOUT_MS 3000
#define OPEN_TIMEOUT_MS  5000

/* A connection that was dead already fails at once; later, the statement itself may be the cause. */
#define REPEAT_WITHIN_MS 100

/* The keeper looks this often, and closes connections that were not used for so long. */
#define KEEPER_INTERVAL_MS 1000
#define IDLE_CLOSE_MS      300000

typedef struct Slot
{
	ControlConnection *connection; /* NULL: not open.  For the thread that holds the slot only */
	bool taken;
	const Demand *demand;  /* what it is taken for; NULL: for the keeper, or not taken */
	int64_t idle_since_ms; /* end of the last request */
} Slot;

/* A call that waits in take_slot(), on the stack of its thread. */
typedef struct Waiter
{
	const Demand *demand;
	pthread_cond_t granted;
	Slot *slot; /* NULL until give_slot() has found one for it */
	struct Waiter *next;
} Waiter;

static struct
{
	const Options *options;
	pthread_mutex_t lock;
	pthread_cond_t stopping_changed;
	pthread_t keeper;
	Slot *slots;
	int size;
	Waiter *waiters; /* in the order in which they came */
	int waiting;
	int max_busy; /* calls at once; the threads that are left can still answer the health route */
	bool stopping;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- Slots ---- */

/* Under the lock: the free slot used last, of those with a connection if there are any. */
static Slot *
find_free(void)
{
	Slot *best = NULL;

	for (int i = 0; i < pool.size; i++)
	{
		Slot *slot = &pool.slots[i];

		if (slot->taken)
			continue;
		if (best == NULL || (slot->connection != NULL && best->connection == NULL) ||
			(slot->connection != NULL && slot->idle_since_ms > best->idle_since_ms))
			best = slot;
	}
	return best;
}

/* Under the lock. */
static Usage
count_usage(const Demand *demand)
{
	Usage usage = {0};

	for (int i = 0; i < pool.size; i++)
		if (pool.slots[i].demand != NULL)
			bulkhead_count(&usage, demand, pool.slots[i].demand);
	return usage;
}

/* Under the lock: takes a free slot; NULL: *limit is the reason that there is none. */
static Slot *
try_slot(const Demand *demand, Limit *limit)
{
	Usage usage = count_usage(demand);
	Slot *slot;

	if (!bulkhead_has_room(&usage, limit))
		return NULL;
	slot = find_free();
	/* without one the limit is the pool: the keeper has one of it, for a moment */
	if (slot != NULL)
	{
		slot->taken = true;
		slot->demand = demand;
	}
	return slot;
}

/* Under the lock: each waiting call that may have a slot now gets one. */
static void
serve_waiters(void)
{
	Waiter **link = &pool.waiters;
	Limit ignored;

	while (*link != NULL)
	{
		Waiter *waiter = *link;

		waiter->slot = try_slot(waiter->demand, &ignored);
		if (waiter->slot == NULL)
			link = &waiter->next;
		else
		{
			*link = waiter->next;
			pthread_cond_signal(&waiter->granted);
		}
	}
}

/* Under the lock, which it gives up while it waits. */
static Slot *
wait_for_slot(const Demand *demand, int64_t deadline_ms)
{
	Waiter waiter = {.demand = demand};
	Waiter **link = &pool.waiters;

	condition_init(&waiter.granted);
	while (*link != NULL)
		link = &(*link)->next;
	*link = &waiter;
	pool.waiting++;
	while (waiter.slot == NULL && condition_wait(&waiter.granted, &pool.lock, deadline_ms))
		;
	pool.waiting--;
	if (waiter.slot == NULL)
	{
		for (link = &pool.waiters; *link != &waiter;)
			link = &(*link)->next;
		*link = waiter.next;
	}
	pthread_cond_destroy(&waiter.granted);
	return waiter.slot;
}

/* Under the lock. */
static bool
may_wait(void)
{
	int busy = pool.waiting;

	for (int i = 0; i < pool.size; i++)
		busy += pool.slots[i].demand != NULL;
	return busy < pool.max_busy;
}

/* NULL, with the reason in the result, when the demand gets none until the deadline. */
static Slot *
take_slot(const Demand *demand, int64_t deadline_ms, ControlResult *result)
{
	Slot *slot;
	Limit limit;

	pthread_mutex_lock(&pool.lock);
	slot = try_slot(demand, &limit);
	if (slot == NULL && may_wait())
	{
		slot = wait_for_slot(demand, deadline_ms);
		/* the limit may be another one than before the wait */
		if (slot == NULL)
			slot = try_slot(demand, &limit);
	}
	pthread_mutex_unlock(&pool.lock);
	if (slot == NULL)
	{
		*result = (ControlResult){.outcome = CONTROL_BUSY};
		bulkhead_explain(&limit, result->message, sizeof(result->message));
	}
	return slot;
}

static void
give_slot(Slot *slot)
{
	pthread_mutex_lock(&pool.lock);
	slot->taken = false;
	slot->demand = NULL;
	serve_waiters();
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
pool_run(const ControlCall *call, const Demand *demand, bool may_repeat, ControlResult *result)
{
	int64_t queue_deadline_ms = clock_now_ms() + QUEUE_TIMEOUT_MS;
	Slot *slot = take_slot(
		demand, queue_deadline_ms < call->deadline_ms ? queue_deadline_ms : call->deadline_ms,
		result);

	if (slot == NULL)
		return;
	run_in_slot(slot, call, may_repeat, result);
	slot->idle_since_ms = clock_now_ms();
	give_slot(slot);
}

/* ---- The keeper ---- */

/* Takes a slot that was idle since the last look; false: it is in use. */
static bool
take_idle(Slot *slot)
{
	bool idle;

	pthread_mutex_lock(&pool.lock);
	idle = !slot->taken && slot->connection != NULL &&
		   clock_now_ms() - slot->idle_since_ms >= KEEPER_INTERVAL_MS;
	if (idle)
		slot->taken = true;
	pthread_mutex_unlock(&pool.lock);
	return idle;
}

/* Closes dead and old connections.  It sends nothing to the server. */
static void
keep_slot(Slot *slot)
{
	if (clock_now_ms() - slot->idle_since_ms > IDLE_CLOSE_MS || !control_is_alive(slot->connection))
		close_slot(slot);
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
	condition_init(&pool.stopping_changed);
	bulkhead_start(options->pool_size, options->threads);
	return pool.slots != NULL && pthread_create(&pool.keeper, NULL, keeper_main, NULL) == 0;
}

/* No call may be running any more. */
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
}
