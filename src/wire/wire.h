/*
 * wire.h
 *		The seam between a session and what carries it: a client library, a protocol, another
 *		program.
 *
 * A Wire is a table of functions, and a WireLink one connection over it.  The session
 * (engine/session.c) owns the link, the deadlines and the order of the calls; the wire owns
 * what is behind it.  engine/wires.c says which provider has which wire.
 *
 * No function waits.  A wire watches its socket (reactor_watch) with the id of its link as
 * owner, at most one at a time, and is called at each event.  A call of a library that can
 * block, to cancel, is run by a thread (background_run), at whose end cancelled() is called.
 * The socket stays watched for reading while nothing is asked: a remote that then speaks, or
 * goes away, ends the session.
 *
 * No function raises, but for lack of memory or descriptors, and but for what a sink raises.
 * A call that fails sets *failure, in the current memory context, and leaves the link in a
 * state in which release() works; it does not close anything itself.
 *
 * The engine acts on some failures.  DQDS_CONNECTION_LOST of a link that was used before and
 * has brought no row: it had died, and another one takes its place.  DQDS_CONNECTION_LOST or
 * DQDS_TOO_MANY_CONNECTIONS of a login: it may be tried again without dqds' idle sessions
 * there.  Failure.cause: the question may be asked in another way, or again.
 */
#ifndef DQDS_WIRE_H
#define DQDS_WIRE_H

#include <sys/socket.h>

#include "base/failure.h"
#include "model/target.h"
#include "wire/login_trace.h"
#include "wire/question.h"

typedef struct Wire Wire;

/* How far a login has come. */
typedef enum ConnectStage
{
	STAGE_TCP,
	STAGE_TLS,
	STAGE_STARTUP /* from the first word about the login to its end */
} ConnectStage;

/* What has become of a login. */
typedef enum LoginStatus
{
	LOGIN_UNDER_WAY,
	LOGIN_COMPLETE,
	LOGIN_AGAIN,      /* it must begin again at the same address; at most once for each address */
	LOGIN_REFUSED,    /* it has failed for all addresses of the name: the server has decided */
	LOGIN_HUNG_UP,    /* there was no connection, or it ended without a reason */
	LOGIN_WRONG_KIND, /* the server is not of the kind that the model asks for */
	LOGIN_NO_MORE     /* the same, and no further server may be asked */
} LoginStatus;

/* What has become of a question. */
typedef enum QueryStatus
{
	QUERY_UNDER_WAY,
	QUERY_ENDED, /* the answer is complete, or the remote has refused the question (*failure) */
	QUERY_BROKEN /* nothing more can be asked over this link (*failure) */
} QueryStatus;

/* What a caller does with one row, of as many values as question_answer says.  May ereport. */
typedef void (*RowSink)(void *sink, const char **values, int nvalues);

/* What can be told of a remote that is logged in to; strings live as long as the link is unchanged. */
typedef struct WireFacts
{
	const char *server_version; /* NULL: not known */
	const char *tls;            /* protocol version; NULL: without TLS */
	bool direct;                /* it is proven that there is no pooler between */
} WireFacts;

/* One connection.  The struct of a wire begins with this one, and is made of zeros. */
typedef struct WireLink
{
	/* The session's to set. */
	const Wire *wire;
	uint64 id;            /* the owner of its socket's events; of no other link, ever */
	const Target *target; /* NULL while no operation holds the session */
	LoginTrace *trace;    /* to be filled by a login, or NULL */
	bool raw_wanted;      /* the remote is to convert no text */
	int naddresses;       /* that the host has; until the login is complete */
	/* The one to connect to: resolved, and permitted by the policy; AF_UNSPEC: there is no server. */
	struct sockaddr_storage peer;

	/*
	 * The wire's to set.  In a login, for which the session sets both to zero before each start:
	 * how far it is, and whether the server has said anything about the authentication, after which
	 * no other address is tried.
	 */
	ConnectStage stage;
	bool spoken;
	/* Once it is complete. */
	int encoding;       /* of text that is sent and taken (encoding.c) */
	bool used_password; /* the remote has asked for the password, and it was right */
	/* While something is asked; the session sets it to false before. */
	bool answered; /* a row has come */
} WireLink;

struct Wire
{
	const char *name;
	size_t link_size; /* of its own struct */

	/* Can servers of a provider be asked a question at all?  The others are not asked it. */
	bool (*can_answer)(Provider provider, Question question);

	/*
	 * Begin a login at link->peer for link->target.  False: it could not even begin, and *failure
	 * may say why; the next address is tried.
	 */
	bool (*start)(WireLink *link, Failure *failure);

	/*
	 * Bring a login on.  events are those of the socket (EPOLLIN, ...), or 0.  Fills link->trace but
	 * for the addresses and the times at which it was resolved, logged in and ended.
	 */
	LoginStatus (*advance)(WireLink *link, uint32 events, Failure *failure);

	/*
	 * All addresses were tried, and so many of them have servers of the wrong kind.  True: any kind
	 * will do from now on, so they are tried again; false: *failure says what is missing.  At most
	 * once true.  NULL for a wire that knows no kinds.
	 */
	bool (*settle)(WireLink *link, int wrong, int naddresses, Failure *failure);

	/*
	 * Ask.  The values of the query stay valid until the answer is complete.  Rows come in the order
	 * of their names' bytes.  Filters and limits may be left out: they are applied again where the
	 * rows arrive.  False: QUERY_BROKEN.
	 */
	bool (*ask)(WireLink *link, const RemoteQuery *query, Failure *failure);

	/*
	 * Read what has come of the answer, and hand each row to on_row, which may be NULL; no row once
	 * *failure is set.  What the remote sends is bounded here: a row, and what comes without one.
	 */
	QueryStatus (*collect)(WireLink *link, RowSink on_row, void *sink, Failure *failure);

	/*
	 * Have the remote end what it was asked.  The link is of no use afterwards, and collect is not
	 * called any more.  False: that cannot be begun.
	 */
	bool (*cancel)(WireLink *link);

	/* Has the remote taken note?  Called at each event of the socket, and when a thread has ended. */
	bool (*cancelled)(WireLink *link);

	/*
	 * The same at the end of the backend or after an error: wait for it, until deadline_us on the
	 * dqds_now_us clock.  Serves no interrupts, raises nothing.
	 */
	void (*await_cancel)(WireLink *link, int64 deadline_us);

	/* Is it clean enough to be used by another call?  For a link that is asked nothing. */
	bool (*reusable)(const WireLink *link);

	/* For a link that is logged in. */
	void (*facts)(const WireLink *link, WireFacts *facts);

	/*
	 * Take leave of the remote and free what is not PostgreSQL's memory, for a link that is asked
	 * nothing and is watched by nothing else.  It is called in a thread: nothing of PostgreSQL may be
	 * called in it.  release() still follows.
	 */
	void (*leave)(WireLink *link);

	/*
	 * Free all that the link holds, in whatever state it is; it may be started again afterwards, or
	 * released once more.  What was asked is not cancelled.  Raises nothing.
	 */
	void (*release)(WireLink *link);
};

#endif /* DQDS_WIRE_H */
