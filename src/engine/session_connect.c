/*
 * session_connect.c
 *		A session's way from a host name to a login: one address after the other.
 *
 * Another address is tried when nothing came of the one before until its server began
 * the authentication: no connection, an end, or silence for its share of the time; and
 * when its server is not of the kind that the model asks for.  What a server
 * decides otherwise holds for all.  The deadline is that of the whole login.
 *
 * Owns: the order of the addresses.  It must not decide who may connect where: policy.c
 * does, of all addresses before the first is connected to.  What is said to a server is
 * the wire's.
 */
#include "postgres.h"

#include <netdb.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/failure.h"
#include "base/settings.h"
#include "engine/limits.h"
#include "engine/session_census.h"
#include "engine/session_internal.h"
#include "event/resolver.h"
#include "model/policy.h"
#include "model/target.h"
#include "wire/failure_common.h"
#include "wire/login_trace.h"
#include "wire/wire.h"

/* Give each of the remaining addresses its share of the time, so that a dead one is not all. */
static void
start_attempt(Session *session)
{
	int64 now = dqds_now_us();
	int left = session->link->naddresses - session->next_address;

	session->attempt_deadline_us = now + (session->deadline_us - now) / (left + 1);
	if (left == 0)
		session->attempt_deadline_us = session->deadline_us;
}

/* Close the connection, if any. */
void
session_leave_address(Session *session)
{
	session->link->wire->release(session->link);
	census_leave(&session->census);
}

/* Forget an address that did not work, but keep the failure of the one that came furthest. */
static void
pass_over(Session *session, Failure *failure)
{
	WireLink *link = session->link;

	if (failure->code != DQDS_OK &&
		(session->passed.code == DQDS_OK || link->stage >= session->passed_stage))
	{
		session->passed = *failure;
		session->passed_stage = link->stage;
	}
	failure_clear(failure);
	session_leave_address(session);
	link->stage = STAGE_TCP;
	link->spoken = false;
}

/* Begin to connect to an address; false: it cannot be, and *failure may say why. */
static bool
connect_address(Session *session, const struct sockaddr *address, Failure *failure)
{
	WireLink *link = session->link;

	memset(&link->peer, 0, sizeof(link->peer));
	memcpy(&link->peer, address, address_length(address));
	if (session->address_slot != NULL &&
		!limits_enter_address(link->target, address, session->address_slot, failure))
		return false;
	census_arrive(&session->census, address);
	if (!link->wire->start(link, failure))
		return false;
	session->state = SESSION_CONNECTING;
	start_attempt(session);
	return true;
}

/* The session has failed; a wire need not say why it could not even begin. */
static void
fail_to_begin(Session *session, Failure *failure)
{
	if (failure->code == DQDS_OK)
		failure_common(session->link->target, FAILED_NO_CAPACITY, NULL, failure);
	session->state = SESSION_FAILED;
}

/*
 * No address is left, or no more may be asked.  True: all are tried again; else the session has
 * failed with what tells most.
 */
static bool
begin_again(Session *session, Failure *failure)
{
	WireLink *link = session->link;

	if (session->wrong_kind > 0 && link->naddresses > 1)
	{
		if (link->wire->settle(link, session->wrong_kind, link->naddresses, failure))
		{
			session->next_address = 0;
			return true;
		}
	}
	else if (session->passed.code != DQDS_OK &&
			 (failure->code == DQDS_OK || session->passed_stage > link->stage))
		*failure = session->passed;
	fail_to_begin(session, failure);
	return false;
}

/*
 * Connect to the next address that takes us.  Without one left, the failure of the one
 * that came furthest stands, or of the last of several.
 */
void
session_connect_next(Session *session, Failure *failure)
{
	do
		while (session->next_address < session->link->naddresses)
		{
			pass_over(session, failure);
			if (connect_address(session, session->addresses[session->next_address++], failure))
				return;
		}
	while (begin_again(session, failure));
}

/* The login at this address has not come to its end: try another one if that can help. */
void
session_end_attempt(Session *session, LoginStatus status, Failure *failure)
{
	bool next = false;

	switch (status)
	{
		case LOGIN_AGAIN:
			failure_clear(failure);
			session->next_address--;
			next = true;
			break;
		case LOGIN_HUNG_UP:
			next = !session->link->spoken;
			break;
		case LOGIN_WRONG_KIND:
			session->wrong_kind++;
			next = true;
			break;
		case LOGIN_NO_MORE:
			session->wrong_kind++;
			next = begin_again(session, failure);
			break;
		default:
			break;
	}
	if (next)
		session_connect_next(session, failure);
	else
		session->state = SESSION_FAILED;
}

static void
trace_addresses(const Session *session)
{
	LoginTrace *trace = session->link->trace;
	char text[NI_MAXHOST];

	if (trace == NULL)
		return;
	trace->resolved_us = dqds_now_us();
	for (int i = 0; i < session->link->naddresses; i++)
		if (address_text(session->addresses[i], text, sizeof(text)) != NULL)
			trace_address(trace, text);
}

/* The provider has no server: there is nothing to resolve, and no policy of hosts to ask. */
void
session_start_without_server(Session *session, Failure *failure)
{
	WireLink *link = session->link;

	session->attempt_deadline_us = session->deadline_us;
	if (link->wire->start(link, failure))
		session->state = SESSION_CONNECTING;
	else
		fail_to_begin(session, failure);
}

/* The host's name is resolved: connect to its addresses, if all of them may be connected to. */
void
session_take_addresses(Session *session, Failure *failure)
{
	WireLink *link = session->link;

	link->naddresses = resolver_addresses(session->resolution, session->addresses, MAX_ADDRESSES);
	if (link->naddresses == 0)
	{
		failure_common(link->target, FAILED_RESOLVE, resolver_error(session->resolution), failure);
		session->state = SESSION_FAILED;
		return;
	}
	trace_addresses(session);
	/* One denied address denies the name: which one is connected to must not be luck. */
	for (int i = 0; i < link->naddresses; i++)
		if (!policy_allows_address(link->target, session->addresses[i], failure))
		{
			session->state = SESSION_FAILED;
			return;
		}
	session_connect_next(session, failure);
}
