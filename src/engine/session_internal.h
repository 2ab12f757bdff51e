/*
 * session_internal.h
 *		The inside of a session, for the files that are one module: session.c,
 *		session_connect.c and session_facts.c.
 */
#ifndef DQDS_SESSION_INTERNAL_H
#define DQDS_SESSION_INTERNAL_H

#include "lib/ilist.h"

#include "base/failure.h"
#include "engine/limits.h"
#include "engine/session.h"
#include "engine/session_census.h"
#include "event/resolver.h"
#include "wire/wire.h"

#define MAX_ADDRESSES 16

struct Session
{
	dlist_node node;       /* in live_sessions */
	MemoryContext context; /* holds this struct, with link behind it, and key */
	SessionState state;
	WireLink *link;

	/* Identity, for reuse. */
	Oid role;
	int64 connection_id;
	char *key;

	/* Valid only while an operation holds the session; NULL in the cache. */
	void *owner;
	LimitSlot *address_slot; /* for the address that is connected to, or NULL */

	/* While resolving and connecting. */
	Resolution *resolution;
	const struct sockaddr *addresses[MAX_ADDRESSES]; /* belong to resolution */
	int next_address;
	int wrong_kind;            /* servers that are not of the kind that is asked for */
	Failure passed;            /* of an address before, the one that came furthest */
	ConnectStage passed_stage; /* which that one reached */
	int64 started_us;
	int64 deadline_us;         /* for the login, or for the query, or for the cancel */
	int64 attempt_deadline_us; /* for one of several addresses to begin the authentication */

	bool external_fd; /* AcquireExternalFD is to be given back */
	CensusEntry census;
	int64 logged_in_us;
};

/* ---- session_connect.c ------------------------------------------------------------ */

extern void session_take_addresses(Session *session, Failure *failure);
extern void session_start_without_server(Session *session, Failure *failure);
extern void session_connect_next(Session *session, Failure *failure);
extern void session_end_attempt(Session *session, LoginStatus status, Failure *failure);
extern void session_leave_address(Session *session);

/* ---- session_facts.c -------------------------------------------------------------- */

extern bool session_proves_password(const Session *session, const Target *target);

#endif /* DQDS_SESSION_INTERNAL_H */
