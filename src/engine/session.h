/*
 * session.h
 *		One remote session.
 */
#ifndef DQDS_SESSION_H
#define DQDS_SESSION_H

#include "base/failure.h"
#include "engine/limits.h"
#include "engine/session_census.h"
#include "wire/question.h"
#include "wire/wire.h"

struct sockaddr;

typedef struct Session Session;

/*
 * The states, and what leads from one to the next:
 *
 *	RESOLVING	addresses are there			CONNECTING to the first one
 *				none, not permitted, time		FAILED
 *	CONNECTING	login complete				IDLE, or FAILED without the password that is required
 *				failed, or silent for its share	CONNECTING to the next address, if that can help
 *				failed, no address left, time	FAILED
 *	IDLE		session_ask					BUSY, or FAILED when the connection is lost
 *	BUSY		answer complete, or refused	IDLE
 *				connection lost, bad answer		FAILED
 *				time							CANCELLING, or FAILED when it cannot be cancelled
 *	CANCELLING	the remote has taken note, time	FAILED
 */
typedef enum SessionState
{
	SESSION_RESOLVING,  /* a thread asks for the addresses of the host */
	SESSION_CONNECTING, /* the wire is on its way: TCP, TLS, authentication */
	SESSION_IDLE,       /* logged in, nothing asked */
	SESSION_BUSY,       /* a query was sent, its answer is not complete */
	SESSION_CANCELLING, /* a cancel request is on its way */
	SESSION_FAILED      /* no use any more; only session_close is left */
} SessionState;

extern Session *session_open(const Target *target, Oid role, const char *key, int64 deadline_us,
							 Failure *failure);
extern void session_want_raw(Session *session);
extern int session_encoding(const Session *session);
extern void session_attach(Session *session, const Target *target, void *owner);
extern void session_trace(Session *session, LoginTrace *trace);
extern void session_limit(Session *session, LimitSlot *slot);
extern const struct sockaddr *session_peer(const Session *session);
extern void session_advance(Session *session, uint32 events, Failure *failure);
extern bool session_ask(Session *session, const RemoteQuery *query, Failure *failure);
extern void session_collect(Session *session, RowSink on_row, void *sink, Failure *failure);
extern void session_timed_out(Session *session, Failure *failure);
extern void session_close(Session *session);
extern void session_close_all_busy(void);
extern SessionState session_state(const Session *session);
extern int64 session_deadline(const Session *session);
extern void *session_owner(const Session *session);
extern Session *session_find(uint64 id);
extern void session_put_off(Session *session, int64 us);
extern bool session_answered(const Session *session);
extern void session_facts(const Session *session, WireFacts *facts);
extern bool session_matches(const Session *session, Oid role, const char *key);
extern bool session_same_key(const Session *a, const Session *b);
extern bool session_same_connection(const Session *session, Oid role, int64 connection_id);
extern bool session_still_allowed(const Session *session, const Target *target, Failure *failure);
extern bool session_reusable(const Session *session);
extern int64 session_too_old_at(const Session *session);
extern bool session_asked_back(const Session *session);
extern bool session_same_server(const Session *a, const Session *b);
extern const CensusEntry *session_census(const Session *session);
extern void session_disconnect(Session *session);

#endif /* DQDS_SESSION_H */
