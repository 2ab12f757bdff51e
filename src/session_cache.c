/*
 * session_cache.c
 *		Idle sessions of this backend, kept for reuse by the same role and target.
 *
 * Owns: the idle sessions and the timer that ends them.  It must not judge
 * whether a caller may use a target: the engine checks that again at each reuse.
 *
 * A backend that waits for its client runs no code of ours, except signal
 * handlers.  So the timer's handler only says good-bye on the socket and shuts it
 * down, which is all that the remote needs to free its backend; our memory
 * follows at the next call.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "dqds.h"
#include "lib/stringinfo.h"
#include "storage/ipc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define MAX_SESSIONS 1024 /* upper bound of dqds.max_cached_sessions */

/* Look again this soon when the handler met the cache in the middle of a change. */
#define RETRY_MS 50

static Session *cached[MAX_SESSIONS];
static volatile sig_atomic_t ncached = 0;
static volatile sig_atomic_t changing = false;
static volatile sig_atomic_t some_shut_down = false;

static bool module_started = false;
static TimeoutId idle_timeout_id;

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
	for (int i = 0; i < target->nparameters; i++)
		append_part(&key, target->parameters[i].keyword, target->parameters[i].value);
	return key.data;
}

/* ---- the timer ------------------------------------------------------------------ */

/* Shut down what has been idle for too long; runs in a signal handler. */
static void
end_idle_sessions(void)
{
	int64 now = dqds_now_us();
	int64 limit = dqds_session_idle_timeout_ms * INT64CONST(1000);
	int64 next = 0;

	for (int i = 0; i < ncached; i++)
	{
		int64 since = session_idle_since(cached[i]);

		if (since == 0)
			continue;
		if (now - since >= limit)
		{
			session_shutdown_socket(cached[i]);
			session_set_idle(cached[i], false);
			some_shut_down = true;
		}
		else if (next == 0 || since + limit - now < next)
			next = since + limit - now;
	}
	if (next != 0)
		enable_timeout_after(idle_timeout_id, (int) (next / 1000) + 1);
}

static void
idle_timeout_handler(void)
{
	if (changing)
		enable_timeout_after(idle_timeout_id, RETRY_MS);
	else
		end_idle_sessions();
}

static void
arm_timer(void)
{
	if (ncached > 0 && !get_timeout_active(idle_timeout_id))
		enable_timeout_after(idle_timeout_id, Max(dqds_session_idle_timeout_ms, 1));
}

/* An error switches all timers of the backend off; switch ours on again. */
static void
after_transaction(XactEvent event, void *arg)
{
	(void) arg;
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT)
		arm_timer();
}

/* A remote that is told good-bye does not log a broken connection. */
static void
close_at_exit(int code, Datum arg)
{
	(void) code;
	(void) arg;
	(void) session_cache_close_all();
}

/* Once for each backend, before anything else of this file. */
void
session_cache_start_module(void)
{
	if (module_started)
		return;
	before_shmem_exit(close_at_exit, (Datum) 0);
	idle_timeout_id = RegisterTimeout(USER_TIMEOUT, idle_timeout_handler);
	RegisterXactCallback(after_transaction, NULL);
	module_started = true;
}

/* ---- the cache -------------------------------------------------------------------- */

static void
remove_at(int position)
{
	changing = true;
	memmove(&cached[position], &cached[position + 1], sizeof(cached[0]) * (ncached - position - 1));
	ncached--;
	changing = false;
}

static void
close_at(int position)
{
	Session *session = cached[position];

	remove_at(position);
	session_close(session);
}

/* Free what the timer's handler has shut down. */
static void
sweep(void)
{
	if (!some_shut_down)
		return;
	some_shut_down = false;
	for (int i = ncached - 1; i >= 0; i--)
		if (session_idle_since(cached[i]) == 0)
			close_at(i);
}

/*
 * Take the idle session of this role and key, or NULL.  Sessions of the same
 * registered connection with another key are closed: its password or host was
 * changed.  The caller owns what it gets.
 */
Session *
session_cache_take(const Target *target, Oid role, const char *key)
{
	Session *found = NULL;

	sweep();
	for (int i = ncached - 1; i >= 0; i--)
	{
		Session *session = cached[i];

		if (found == NULL && session_matches(session, role, key))
		{
			remove_at(i);
			session_set_idle(session, false);
			found = session;
		}
		else if (session_same_connection(session, role, target->connection_id) &&
				 !session_matches(session, role, key))
			close_at(i);
	}
	return found;
}

/*
 * Keep an idle session; it belongs to the cache from now on.  One of the same
 * key is replaced, and the one that has been idle for longest makes room.
 */
void
session_cache_put(Session *session)
{
	sweep();
	session_attach(session, NULL, NULL);
	for (int i = ncached - 1; i >= 0; i--)
		if (session_same_key(cached[i], session))
			close_at(i);
	while (ncached > 0 && ncached >= dqds_max_cached_sessions)
		close_at(0);
	if (dqds_max_cached_sessions == 0 || dqds_session_idle_timeout_ms == 0)
	{
		session_close(session);
		return;
	}
	changing = true;
	cached[ncached] = session;
	ncached++;
	session_set_idle(session, true);
	changing = false;
	arm_timer();
}

/* The remote closed, or spoke without being asked: end this idle session. */
void
session_cache_drop(Session *session)
{
	for (int i = 0; i < ncached; i++)
		if (cached[i] == session)
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
	while (ncached > 0)
	{
		close_at(ncached - 1);
		count++;
	}
	return count;
}
