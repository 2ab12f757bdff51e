/*
 * clock.h
 *		The one clock of the bridge: milliseconds that never jump.
 *
 * Every deadline is such a number, so that timeouts never add up.
 * Condition variables must be made by condition_init(), or their waits would
 * follow the wall clock.
 */
#ifndef BRIDGE_CLOCK_H
#define BRIDGE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline int64_t
clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Milliseconds until the deadline, as poll() wants them; 0 once it has passed. */
static inline int
clock_ms_until(int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_now_ms();

	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int) left;
}

static inline void
condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* Returns false when the deadline passed; wakes without a reason too, as pthread_cond_wait does. */
static inline bool
condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_ms)
{
	struct timespec until = {.tv_sec = (time_t) (deadline_ms / 1000),
							 .tv_nsec = (long) (deadline_ms % 1000) * 1000000};

	return pthread_cond_timedwait(condition, lock, &until) == 0;
}

#endif /* BRIDGE_CLOCK_H */
