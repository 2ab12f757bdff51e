/*
 * background.c
 *		Runs library calls that can block in threads.
 *
 * Two calls have no asynchronous form in the libraries we use: getaddrinfo()
 * and libpq's PQcancel().  Each is run in a thread that touches nothing of
 * PostgreSQL and notifies the event loop through an eventfd.  A job whose
 * result is no longer wanted is abandoned: its thread frees the job when the
 * call returns.
 *
 * Owns: the threads and the eventfd.  Its threads must not call PostgreSQL
 * (palloc, ereport, latches), and run with all signals blocked, because the
 * backend's signals must be delivered to its main thread.
 */
#include "postgres.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "port/atomics.h"
#include "storage/fd.h"

#include "base/compat.h"
#include "event/background.h"
#include "event/reactor.h"

/* Enough for getaddrinfo() with several NSS modules; the default of 8 MB is not needed. */
#define THREAD_STACK_SIZE (256 * 1024)

/*
 * An abandoned call may run for long, and keeps a thread and a socket.  Its
 * descriptor is reserved (ReserveExternalFD) until the thread has ended, so
 * that the backend keeps fewer files open.  If this many calls of a kind hang,
 * no new one of that kind is started; the kinds are counted apart, so that
 * servers where cancel requests hang do not prevent name resolution.
 */
#define MAX_ABANDONED 128

static pg_atomic_uint32 abandoned_jobs[NUM_BACKGROUND_KINDS]; /* that are still running */
static uint32 reserved_descriptors = 0; /* for these, and for some that have just ended */

struct BackgroundJob
{
	pthread_mutex_t mutex; /* guards done and abandoned */
	pthread_cond_t finished;
	bool done;      /* run() has returned */
	bool abandoned; /* the backend has released it: the thread frees the job */
	BackgroundKind kind;
	void (*run)(void *);
	void (*dispose)(void *);
	void *argument; /* malloc'd by the caller, freed by dispose */
};

static int wakeup_descriptor = -1;

/* Release the reserved descriptors of abandoned jobs that have ended. */
static void
release_descriptors(void)
{
	uint32 running = 0;

	for (int kind = 0; kind < NUM_BACKGROUND_KINDS; kind++)
		running += pg_atomic_read_u32(&abandoned_jobs[kind]);
	for (; reserved_descriptors > running; reserved_descriptors--)
		ReleaseExternalFD();
}

/*
 * Create the eventfd, and watch it: its events have the owner
 * REACTOR_BACKGROUND.  Must be called at the beginning of each run.  Errors:
 * those of reactor_watch(), or of the system.
 */
void
background_start_module(void)
{
	int descriptor;

	release_descriptors();
	if (wakeup_descriptor >= 0)
		return;
	descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (descriptor < 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not create an eventfd: %m")));
	PG_TRY();
	{
		reactor_watch(descriptor, EPOLLIN, REACTOR_BACKGROUND);
	}
	PG_CATCH();
	{
		close(descriptor);
		PG_RE_THROW();
	}
	PG_END_TRY();
	ReserveExternalFD();
	wakeup_descriptor = descriptor;
}

static void
free_job(BackgroundJob *job)
{
	job->dispose(job->argument);
	pthread_cond_destroy(&job->finished);
	pthread_mutex_destroy(&job->mutex);
	free(job);
}

static void *
thread_main(void *arg)
{
	BackgroundJob *job = arg;
	uint64 one = 1;
	bool abandoned;

	job->run(job->argument);

	pthread_mutex_lock(&job->mutex);
	job->done = true;
	abandoned = job->abandoned;
	pthread_cond_signal(&job->finished);
	/* Do this while holding the lock: once it is released, the backend may free the job. */
	if (write(wakeup_descriptor, &one, sizeof(one)) < 0)
	{
		/* The counter is full, so the backend will be woken up anyway. */
	}
	pthread_mutex_unlock(&job->mutex);

	if (abandoned)
	{
		BackgroundKind kind = job->kind;

		free_job(job);
		pg_atomic_fetch_sub_u32(&abandoned_jobs[kind], 1);
	}
	return NULL;
}

/*
 * Start a detached thread with all signals blocked; returns false if none can
 * be created.  The thread must not call PostgreSQL.
 */
bool
background_thread(void *(*main_function)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int rc;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attributes, main_function, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);

	pthread_attr_destroy(&attributes);
	return rc == 0;
}

/*
 * Start run(argument) in a thread. argument must be malloc'd, not palloc'd; it
 * belongs to the job from now on and is freed by dispose.  Returns NULL, after
 * disposing of the argument, if there is no thread or memory, or if too many
 * earlier calls of the same kind still hang.
 */
BackgroundJob *
background_run(BackgroundKind kind, void (*run)(void *), void (*dispose)(void *), void *argument)
{
	BackgroundJob *job = NULL;
	pthread_condattr_t clock;

	if (pg_atomic_read_u32(&abandoned_jobs[kind]) < MAX_ABANDONED)
		job = calloc(1, sizeof(BackgroundJob));
	if (job == NULL)
	{
		dispose(argument);
		return NULL;
	}
	pthread_mutex_init(&job->mutex, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&job->finished, &clock);
	pthread_condattr_destroy(&clock);
	job->kind = kind;
	job->run = run;
	job->dispose = dispose;
	job->argument = argument;

	if (!background_thread(thread_main, job))
	{
		free_job(job);
		return NULL;
	}
	return job;
}

/* Has run() returned?  If so, the caller may read what its argument points to. */
bool
background_done(BackgroundJob *job)
{
	bool done;

	pthread_mutex_lock(&job->mutex);
	done = job->done;
	pthread_mutex_unlock(&job->mutex);
	return done;
}

/*
 * Wait for the end of a job without processing interrupts: only for clean-up,
 * with a near deadline (in the time of dqds_now_us).  Returns whether the job
 * has ended.
 */
bool
background_wait(BackgroundJob *job, int64 deadline_us)
{
	struct timespec until = {.tv_sec = deadline_us / 1000000,
							 .tv_nsec = (deadline_us % 1000000) * 1000};
	int rc = 0;
	bool done;

	pthread_mutex_lock(&job->mutex);
	while (!job->done && rc == 0)
		rc = pthread_cond_timedwait(&job->finished, &job->mutex, &until);
	done = job->done;
	pthread_mutex_unlock(&job->mutex);
	return done;
}

/* Release a job, whether it has ended or not.  The pointer is invalid afterwards. */
void
background_release(BackgroundJob *job)
{
	bool done;

	pthread_mutex_lock(&job->mutex);
	done = job->done;
	job->abandoned = true;
	if (!done)
		pg_atomic_fetch_add_u32(&abandoned_jobs[job->kind], 1);
	pthread_mutex_unlock(&job->mutex);
	if (done)
		free_job(job);
	else
	{
		ReserveExternalFD();
		reserved_descriptors++;
	}
}

/* Reset the eventfd, so that it is not readable until the next job ends. */
void
background_acknowledge(void)
{
	uint64 count;

	if (read(wakeup_descriptor, &count, sizeof(count)) < 0)
	{
		/* Nothing was pending: the event had been processed already. */
	}
}
