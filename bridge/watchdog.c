/*
 * watchdog.c
 *		Ends reading from, or writing to, a socket when its deadline passes.
 *
 * CivetWeb's own timeout starts again with every byte, and its reads and writes
 * cannot be interrupted.  A shutdown() from another thread ends them at once.
 * One thread keeps all deadlines; it sleeps when there are none.
 */
#include "watchdog.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>

#include "clock.h"

static struct
{
	pthread_mutex_t lock;
	pthread_cond_t changed;
	Watch *first;
	int64_t wakes_ms; /* when the thread looks again by itself; -1: never */
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER, .wakes_ms = -1};

static void
unlink_watch(Watch *watch)
{
	if (watch->previous != NULL)
		watch->previous->next = watch->next;
	else
		watchdog.first = watch->next;
	if (watch->next != NULL)
		watch->next->previous = watch->previous;
}

/* Ends what is overdue; returns the next deadline, or -1 when there is none. */
static int64_t
end_overdue(void)
{
	int64_t now = clock_now_ms();
	int64_t nearest = -1;
	Watch *next;

	for (Watch *watch = watchdog.first; watch != NULL; watch = next)
	{
		next = watch->next;
		if (watch->deadline_ms <= now)
		{
			shutdown(watch->descriptor, watch->how);
			watch->expired = true;
			unlink_watch(watch);
		}
		else if (nearest < 0 || watch->deadline_ms < nearest)
			nearest = watch->deadline_ms;
	}
	return nearest;
}

static void *
watchdog_main(void *unused)
{
	(void) unused;
	pthread_mutex_lock(&watchdog.lock);
	for (;;)
	{
		watchdog.wakes_ms = end_overdue();
		if (watchdog.wakes_ms < 0)
			pthread_cond_wait(&watchdog.changed, &watchdog.lock);
		else
			condition_wait(&watchdog.changed, &watchdog.lock, watchdog.wakes_ms);
	}
	return NULL;
}

bool
watchdog_start(void)
{
	pthread_t thread;

	condition_init(&watchdog.changed);
	if (pthread_create(&thread, NULL, watchdog_main, NULL) != 0)
		return false;
	pthread_detach(thread);
	return true;
}

void
watchdog_add(Watch *watch, int descriptor, int how, int64_t deadline_ms)
{
	*watch = (Watch){.descriptor = descriptor, .how = how, .deadline_ms = deadline_ms};

	pthread_mutex_lock(&watchdog.lock);
	watch->next = watchdog.first;
	if (watchdog.first != NULL)
		watchdog.first->previous = watch;
	watchdog.first = watch;
	if (watchdog.wakes_ms < 0 || deadline_ms < watchdog.wakes_ms)
		pthread_cond_signal(&watchdog.changed);
	pthread_mutex_unlock(&watchdog.lock);
}

bool
watchdog_remove(Watch *watch)
{
	bool expired;

	pthread_mutex_lock(&watchdog.lock);
	if (!watch->expired)
		unlink_watch(watch);
	expired = watch->expired;
	pthread_mutex_unlock(&watchdog.lock);
	return expired;
}
