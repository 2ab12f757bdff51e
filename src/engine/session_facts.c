/*
 * session_facts.c
 *		What others may know of a session.
 *
 * It must not change a session, but for the deadlines that are put off.
 */
#include "postgres.h"

#include "base/failure.h"
#include "base/settings.h"
#include "engine/session.h"
#include "engine/session_census.h"
#include "engine/session_internal.h"
#include "model/policy.h"
#include "model/target.h"
#include "wire/wire.h"

SessionState
session_state(const Session *session)
{
	return session->state;
}

/* When session_timed_out is due, on the dqds_now_us clock. */
int64
session_deadline(const Session *session)
{
	if (session->state == SESSION_CONNECTING && !session->link->spoken)
		return session->attempt_deadline_us;
	return session->deadline_us;
}

/* The address that it is connected to, or was told to connect to; valid as long as the session. */
const struct sockaddr *
session_peer(const Session *session)
{
	return (const struct sockaddr *) &session->link->peer;
}

/* The operation that holds it; NULL: it lies in the cache. */
void *
session_owner(const Session *session)
{
	return session->owner;
}

/* Move the session's deadlines by so many microseconds: time that was not the remote's to use. */
void
session_put_off(Session *session, int64 us)
{
	session->deadline_us += us;
	session->attempt_deadline_us += us;
}

/* Has a part of the current answer been handed on?  Then it must not be asked again. */
bool
session_answered(const Session *session)
{
	return session->link->answered;
}

/* The encoding of text that a session which is logged in sends and takes (encoding.c). */
int
session_encoding(const Session *session)
{
	return session->link->encoding;
}

/* What the remote is, for a session that is logged in. */
void
session_facts(const Session *session, WireFacts *facts)
{
	session->link->wire->facts(session->link, facts);
}

bool
session_matches(const Session *session, Oid role, const char *key)
{
	return session->role == role && strcmp(session->key, key) == 0;
}

bool
session_same_key(const Session *a, const Session *b)
{
	return session_matches(a, b->role, b->key);
}

/* The same registered connection and role, whatever its target is now. */
bool
session_same_connection(const Session *session, Oid role, int64 connection_id)
{
	return connection_id != 0 && session->connection_id == connection_id && session->role == role;
}

/* Has the session, which is logged in, proved the password where that is required? */
bool
session_proves_password(const Session *session, const Target *target)
{
	return !target->password_required || session->link->used_password;
}

/* The policy and the password rule, as they are now, for a session that was made earlier. */
bool
session_still_allowed(const Session *session, const Target *target, Failure *failure)
{
	return (session_peer(session)->sa_family == AF_UNSPEC ||
			policy_allows_address(target, session_peer(session), failure)) &&
		   session_proves_password(session, target);
}

/* Clean enough to be kept. */
bool
session_reusable(const Session *session)
{
	return session->state == SESSION_IDLE && session->link->wire->reusable(session->link);
}

/* When its name has to be resolved and its password tried again; on the dqds_now_us clock. */
int64
session_too_old_at(const Session *session)
{
	return session->logged_in_us + dqds_session_max_age_ms * INT64CONST(1000);
}

/* Does a login at its server lack the slot that it holds?  For any thread. */
bool
session_asked_back(const Session *session)
{
	return census_asked_back(&session->census);
}

/* Are both at the same address and port? */
bool
session_same_server(const Session *a, const Session *b)
{
	return census_same_place(&a->census, &b->census);
}

/* What the census knows of it, once it has an address; valid as long as the session. */
const CensusEntry *
session_census(const Session *session)
{
	return &session->census;
}
