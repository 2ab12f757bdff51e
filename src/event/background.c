/*
 * background.c
 *		Running a library call that can block, in a thread.
 *
 * Some calls have no asynchronous form in the libraries we build on: getaddrinfo(),
 * and what cancels a query.  Each is run in a thread that touches
 * nothing of PostgreSQL, and that tells the event loop through an eventfd.  A
 * job whose result is no longer wanted is abandoned: the thread finishes when it
 * finishes and frees what it used.
 *
 * Owns: the threads and the eventfd.  Its threads must not call PostgreSQL
 * (palloc, ereport, latches), and they run with all signals blocked, because a
 * signal of the backend has to be taken by the backend's own thread.
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

/* getaddrinfo with a deep stack of NSS modules needs room; the default of 8 MB does not pay. */
#define THREAD_STACK_SIZE (256 * 1024)

/*
 * A call that is no longer waited for may take its time, and keeps a thread and a
 * socket.  The server is told of that descriptor until the thread has ended, so
 * that it keeps fewer files open itself; and with so many of a kind, no new one of
 * this kind is begun: servers that let cancel requests hang take nothing from the
 * resolution of names.
 */
#define MAX_ABANDONED 128

static pg_atomic_uint32 abandoned_jobs[NUM_BACKGROUND_KINDS]; /* that still run */
static uint32 reserved_descriptors = 0; /* for them, and for some that have just ended */

struct BackgroundJob
{
	pthread_mutex_t mutex; /* guards done and abandoned */
	pthread_cond_t finished;
	bool done;      /* run() has returned */
	bool abandoned; /* the backend let go: the thread frees the job */
	BackgroundKind kind;
	void (*run)(void *);
	void (*dispose)(void *);
	void *argument; /* malloc'd by the caller, freed by dispose */
};

static int wakeup_descriptor = -1;

/* Give back the descriptors of those that have ended. */
static void
release_descriptors(void)
{
	uint32 running = 0;

	for (int kind = 0; kind < NUM_BACKGROUND_KINDS; kind++)
		running += pg_atomic_read_u32(&abandoned_jobs[kind]);
	for (; reserved_descriptors > running; reserved_descriptors--)
		ReleaseExternalFD();
}

/* Make the eventfd and watch it: its events carry REACTOR_BACKGROUND.  To be called at the beginning of each run. */
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
	/* Within the lock: once it is released, the backend may free the job. */
	if (write(wakeup_descriptor, &one, sizeof(one)) < 0)
	{
		/* The counter is full, which is as good as having been written. */
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
 * Start a detached thread with all signals blocked; false when there is none to
 * be had.  It must not call PostgreSQL.
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
 * Start run(argument) in a thread.  argument must be malloc'd, not palloc'd; it
 * belongs to the job from now on and is freed by dispose.  Returns NULL, with
 * the argument disposed of, when no thread or memory could be had, or too many
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

/* Has run() returned?  From then on the caller may read what its argument points to. */
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
 * Wait for the end of a job without serving interrupts: for clean-up only, and
 * with a deadline that is near.  Returns whether it ended.
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

/* Let go of a job, ended or not.  The pointer is dead afterwards. */
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

/* Swallow the wake-up, so that the eventfd is quiet until the next job ends. */
void
background_acknowledge(void)
{
	uint64 count;

	if (read(wakeup_descriptor, &count, sizeof(count)) < 0)
	{
		/* Nothing was pending: a wake-up that had been served already. */
	}
}
