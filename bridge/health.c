/*
 * health.c
 *		Is the service healthy? The answer takes at most 100 ms.
 *
 * A thread with a connection of its own asks the control database, so that
 * neither an exhausted pool nor a hanging server delays the answer.  It asks
 * only when health is asked for, and not more than once a second.
 */
#include "health.h"

#include <pthread.h>
#include <stdint.h>

#include "clock.h"
#include "control.h"
#include "log.h"
#include "statements.h"

#define RESULT_VALID_MS 1000
#define CALLER_WAIT_MS  80
#define OPEN_TIMEOUT_MS 1000

static struct
{
	const Options *options;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	pthread_cond_t known;
	bool is_wanted;
	bool is_stopping;
	pthread_t thread;
	int64_t checking_since_ms; /* 0: no check is running */
	int64_t checked_ms;        /* when the last check ended; 0: never */
	bool good;                 /* what it said */
} health = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* For the thread only; leaves the connection open for the next time, unless it is broken. */
static bool
check(ControlConnection **connection)
{
	ControlCall call = {.statement = &statement_nothing};
	ControlResult result;
	OpenFailure failure;

	if (*connection != NULL && !control_is_alive(*connection))
	{
		control_close(*connection);
		*connection = NULL;
	}
	if (*connection == NULL)
		*connection = control_open(health.options, clock_now_ms() + OPEN_TIMEOUT_MS, &failure);
	if (*connection == NULL)
	{
		log_event(LOG_WARNING, "the control database cannot be used: %s", failure.why);
		return false;
	}
	call.deadline_ms = clock_now_ms() + CALLER_WAIT_MS;
	control_run(*connection, &call, &result);
	if (result.outcome == CONTROL_OK)
		return true;
	control_close(*connection);
	*connection = NULL;
	return false;
}

static void *
health_main(void *unused)
{
	ControlConnection *connection = NULL;
	bool good;

	(void) unused;
	pthread_mutex_lock(&health.lock);
	for (;;)
	{
		while (!health.is_wanted && !health.is_stopping)
			pthread_cond_wait(&health.wanted, &health.lock);
		if (health.is_stopping)
			break;
		health.is_wanted = false;
		health.checking_since_ms = clock_now_ms();
		pthread_mutex_unlock(&health.lock);

		good = check(&connection);

		pthread_mutex_lock(&health.lock);
		health.good = good;
		health.checked_ms = clock_now_ms();
		health.checking_since_ms = 0;
		pthread_cond_broadcast(&health.known);
	}
	pthread_mutex_unlock(&health.lock);
	if (connection != NULL)
		control_close(connection);
	return NULL;
}

bool
health_start(const Options *options)
{
	health.options = options;
	condition_init(&health.wanted);
	condition_init(&health.known);
	return pthread_create(&health.thread, NULL, health_main, NULL) == 0;
}

/* Closes the connection to the control database; waits for a check that is running, a little more than a second at most. */
void
health_stop(void)
{
	pthread_mutex_lock(&health.lock);
	health.is_stopping = true;
	pthread_cond_signal(&health.wanted);
	pthread_mutex_unlock(&health.lock);
	pthread_join(health.thread, NULL);
}

static bool
is_known(int64_t now_ms)
{
	return health.checked_ms != 0 && now_ms - health.checked_ms < RESULT_VALID_MS;
}

static bool
is_hanging(int64_t now_ms)
{
	return health.checking_since_ms != 0 && now_ms - health.checking_since_ms >= CALLER_WAIT_MS;
}

bool
health_is_good(void)
{
	int64_t began_ms = clock_now_ms();
	int64_t now_ms = began_ms;
	bool good;

	pthread_mutex_lock(&health.lock);
	while (!is_known(now_ms) && !is_hanging(now_ms) && now_ms - began_ms < CALLER_WAIT_MS)
	{
		if (health.checking_since_ms == 0 && !health.is_wanted)
		{
			health.is_wanted = true;
			pthread_cond_signal(&health.wanted);
		}
		condition_wait(&health.known, &health.lock, began_ms + CALLER_WAIT_MS);
		now_ms = clock_now_ms();
	}
	good = is_known(now_ms) && health.good;
	pthread_mutex_unlock(&health.lock);
	return good;
}
