/*
 * session_cache.c
 *		Idle sessions of this backend, kept for reuse by the same role and target.
 *
 * A session is kept until it has been idle for dqds.session_idle_timeout, or its
 * login is older than dqds.session_max_age, or a login at its server lacks a
 * slot, whichever comes first.
 *
 * Owns: the idle sessions, and the thread that ends them.  It must not judge
 * whether a caller may use a target: the engine checks that again at each reuse.
 *
 * A backend that waits for its client runs no code of ours, and PostgreSQL's
 * timers are switched off by every error.  So a thread watches the clock.  It
 * takes leave of the remote properly, which only needs the wire; our own memory
 * follows at the next call.  Under the mutex a session belongs either to the
 * cache, where the thread may end it, or to the backend, never to both.
 */
#include "postgres.h"

#include <pthread.h>
#include <time.h>

#include "lib/stringinfo.h"
#include "storage/ipc.h"

#include "base/settings.h"
#include "engine/session.h"
#include "engine/session_cache.h"
#include "event/background.h"
#include "model/target.h"

#define MAX_SESSIONS 1024 /* upper bound of dqds.max_cached_sessions */

/* While there are idle sessions, the thread looks this often whether they are asked back. */
#define LOOK_INTERVAL_US (250 * 1000)

typedef struct Entry
{
	Session *session;
	int64 expires_us; /* idle for too long or too old; on the dqds_now_us clock */
	bool ended;       /* the thread has disconnected it */
} Entry;

/* Guarded by mutex; oldest first. */
static Entry entries[MAX_SESSIONS];
static int nentries = 0;
static int64 thread_wakes_us = 0; /* when the thread looks next; 0: when it is signalled */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;

static bool thread_started = false;

/* ---- the key ----------------------------------------------------------------- */

static void
append_part(StringInfo key, const char *name, const char *value)
{
	/* Lengths, so that no value can imitate another combination of values. */
	if (value != NULL)
		appendStringInfo(key, "%s=%zu:%s;", name, strlen(value), value);
}

/* Everything that makes one session different from another, password included; palloc'd. */
char *
session_cache_key(const Target *target)
{
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfo(&key, "%lld;%d;%d;%d%d;", (long long) target->connection_id,
					 (int) target->provider, target->port, target->password_required,
					 target->allow_cleartext);
	append_part(&key, "host", target->host);
	append_part(&key, "database", target->database);
	append_part(&key, "user", target->user);
	append_part(&key, "password", target->password);
	append_part(&key, "sslmode", target->sslmode);
	append_part(&key, "options", target->options);
	append_part(&key, "roots", dqds_ssl_root_certs);
	/* Files of this machine are read as these settings permit. */
	if (*target->host == '\0')
	{
		append_part(&key, "library", dqds_duckdb_library);
		append_part(&key, "allowed", dqds_duckdb_directories);
	}
	for (int i = 0; i < target->nparameters; i++)
		append_part(&key, target->parameters[i].keyword, target->parameters[i].value);
	return key.data;
}

/* ---- the thread ------------------------------------------------------------------ */

/* End what has expired or is asked back; returns when to look next, 0 for never.  Under the mutex. */
static int64
end_expired(int64 now_us)
{
	int64 next_us = 0;

	for (int i = 0; i < nentries; i++)
	{
		if (entries[i].ended)
			continue;
		if (entries[i].expires_us <= now_us || session_asked_back(entries[i].session))
		{
			session_disconnect(entries[i].session);
			entries[i].ended = true;
		}
		else if (next_us == 0 || entries[i].expires_us < next_us)
			next_us = Min(entries[i].expires_us, now_us + LOOK_INTERVAL_US);
	}
	return next_us;
}

static void *
thread_main(void *argument)
{
	(void) argument;
	pthread_mutex_lock(&mutex);
	for (;;)
	{
		int64 next_us = end_expired(dqds_now_us());
		struct timespec until = {.tv_sec = next_us / 1000000,
								 .tv_nsec = (next_us % 1000000) * 1000};

		thread_wakes_us = next_us;
		if (next_us == 0)
			pthread_cond_wait(&changed, &mutex);
		else
			(void) pthread_cond_timedwait(&changed, &mutex, &until);
	}
	return NULL;
}

/* A remote that is told good-bye does not log a broken connection. */
static void
close_at_exit(int code, Datum arg)
{
	(void) code;
	(void) arg;
	(void) session_cache_close_all();
}

/* Once for each backend; false: without the thread, nothing is kept. */
static bool
start_thread(void)
{
	pthread_condattr_t clock;

	if (thread_started)
		return true;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &clock);
	pthread_condattr_destroy(&clock);
	thread_started = background_thread(thread_main, NULL);
	if (thread_started)
		before_shmem_exit(close_at_exit, (Datum) 0);
	return thread_started;
}

/* ---- the cache -------------------------------------------------------------------- */

/* From now on the session is the caller's. */
static Session *
remove_at(int position)
{
	Session *session;

	pthread_mutex_lock(&mutex);
	session = entries[position].session;
	memmove(&entries[position], &entries[position + 1],
			sizeof(entries[0]) * (nentries - position - 1));
	nentries--;
	pthread_mutex_unlock(&mutex);
	return session;
}

static void
close_at(int position)
{
	session_close(remove_at(position));
}

static bool
has_ended(int position)
{
	bool ended;

	pthread_mutex_lock(&mutex);
	ended = entries[position].ended;
	pthread_mutex_unlock(&mutex);
	return ended;
}

/* Free what the thread has ended. */
static void
sweep(void)
{
	for (int i = nentries - 1; i >= 0; i--)
		if (has_ended(i))
			close_at(i);
}

/*
 * Take the idle session of this role and key that is not too old at now_us (on the
 * dqds_now_us clock), or NULL.  Sessions of the same registered connection with
 * another key are closed: its password or host was changed.  The caller owns what
 * it gets.
 */
Session *
session_cache_take(const Target *target, Oid role, const char *key, int64 now_us)
{
	for (int i = nentries - 1; i >= 0; i--)
	{
		Session *session = entries[i].session;

		if (session_matches(session, role, key))
		{
			session = remove_at(i);
			/* The thread may have been quicker, or late. */
			if (session_reusable(session) && session_too_old_at(session) > now_us)
				return session;
			session_close(session);
		}
		else if (session_same_connection(session, role, target->connection_id))
			close_at(i);
	}
	return NULL;
}

static void
add(Session *session, int64 expires_us)
{
	pthread_mutex_lock(&mutex);
	entries[nentries].session = session;
	entries[nentries].expires_us = expires_us;
	entries[nentries].ended = false;
	nentries++;
	/* At its next look it sees this entry too; to wake it at each call would cost more than the query. */
	if (thread_wakes_us == 0 || entries[nentries - 1].expires_us < thread_wakes_us)
		pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mutex);
}

/*
 * Keep an idle session, unless its time is over; it belongs to the cache from now
 * on.  One of the same key is replaced, and the one that has been idle for longest
 * makes room.
 */
void
session_cache_put(Session *session)
{
	int64 now_us = dqds_now_us();
	int64 expires_us =
		Min(now_us + dqds_session_idle_timeout_ms * INT64CONST(1000), session_too_old_at(session));

	sweep();
	session_attach(session, NULL, NULL);
	(void) session_cache_drop_same(session);
	while (nentries > 0 && nentries >= dqds_max_cached_sessions)
		close_at(0);
	if (dqds_max_cached_sessions == 0 || expires_us <= now_us || session_asked_back(session) ||
		!start_thread())
		session_close(session);
	else
		add(session, expires_us);
}

/* End the idle session of the same role and key, if there is one; returns whether there was. */
bool
session_cache_drop_same(const Session *session)
{
	bool found = false;

	for (int i = nentries - 1; i >= 0; i--)
		if (session_same_key(entries[i].session, session))
		{
			close_at(i);
			found = true;
		}
	return found;
}

/* End the idle sessions at the same server, of whatever role and target. */
void
session_cache_drop_beside(const Session *session)
{
	for (int i = nentries - 1; i >= 0; i--)
		if (session_same_server(entries[i].session, session))
			close_at(i);
}

/* How many sessions it holds. */
int
session_cache_count(void)
{
	return nentries;
}

/* The remote closed, or spoke without being asked: end this idle session. */
void
session_cache_drop(Session *session)
{
	for (int i = 0; i < nentries; i++)
		if (entries[i].session == session)
		{
			close_at(i);
			return;
		}
}

/* Close all idle sessions; returns how many there were. */
int
session_cache_close_all(void)
{
	int count = 0;

	sweep();
	for (; nentries > 0; count++)
		close_at(nentries - 1);
	return count;
}
