/*
 * session_connect.c
 *		A session's way from a host name to a connection: one address after the other.
 *
 * Another address is tried when nothing came of the one before until its server began
 * the authentication: no connection, an end, or silence for its share of the time; and
 * when its server is not of the kind that target_session_attrs asks for.  What a server
 * decides otherwise holds for all.  The deadline is that of the whole login.
 *
 * Owns: what libpq is told.  It must not decide who may connect where: policy.c does,
 * of all addresses before the first is connected to.
 */
#include "postgres.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "mb/pg_wchar.h"

#include "base/error_codes.h"
#include "base/failure.h"
#include "base/settings.h"
#include "engine/limits.h"
#include "engine/session_census.h"
#include "event/reactor.h"
#include "event/resolver.h"
#include "model/policy.h"
#include "model/target.h"
#include "postgres/failure_postgres.h"
#include "postgres/lost_memory.h"
#include "postgres/password_guard.h"
#include "postgres/session.h"
#include "postgres/session_internal.h"
#include "wire/failure_common.h"
#include "wire/login_trace.h"

static void
ignore_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

static socklen_t
address_length(const struct sockaddr *address)
{
	return address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static const char *
literal_address(const struct sockaddr *address, char *buffer, size_t size)
{
	if (getnameinfo(address, address_length(address), buffer, size, NULL, 0, NI_NUMERICHOST) != 0)
		return NULL;
	return buffer;
}

/*
 * A dot at the end of a host name is for name servers: certificates and SNI (RFC 6066)
 * have the name without it.
 */
static const char *
name_without_dot(const char *host)
{
	size_t length = strlen(host);

	return length > 1 && host[length - 1] == '.' ? pnstrdup(host, length - 1) : host;
}

static bool
is_prefer_standby(const TargetParameter *parameter)
{
	return strcmp(parameter->keyword, "target_session_attrs") == 0 &&
		   strcmp(parameter->value, "prefer-standby") == 0;
}

/*
 * What libpq is told of a parameter.  It knows one address alone, so the choice that
 * prefer-standby makes between several is made here: first only standbys are wanted.
 */
static const char *
parameter_value(const Session *session, const TargetParameter *parameter)
{
	if (session->naddresses > 1 && is_prefer_standby(parameter))
		return session->any_kind ? "any" : "standby";
	return parameter->value;
}

/* Start libpq on one address.  Returns NULL when libpq could not even begin. */
static PGconn *
start_libpq(const Session *session, const char *hostaddr)
{
	const Target *target = session->target;
	const char *keywords[24 + MAX_TARGET_PARAMETERS];
	const char *values[24 + MAX_TARGET_PARAMETERS];
	int n = 0;
	char port[8];
	bool verify = strncmp(target->sslmode, "verify-", 7) == 0;
	bool application_name_given = false;
	LibpqScope scope;
	PGconn *conn;

#define ADD(keyword, value) (keywords[n] = (keyword), values[n] = (value), n++)
	snprintf(port, sizeof(port), "%d", target->port);
	ADD("host", name_without_dot(target->host));
	ADD("hostaddr", hostaddr);
	ADD("port", port);
	ADD("dbname", target->database);
	ADD("user", target->user);
	if (target->password != NULL)
		ADD("password", target->password);
	ADD("sslmode", target->sslmode);
	ADD("sslrootcert", verify ? dqds_ssl_root_certs : NO_SUCH_FILE);
	ADD("sslcert", NO_SUCH_FILE);
	ADD("sslkey", NO_SUCH_FILE);
	ADD("sslcrl", NO_SUCH_FILE);
	ADD("passfile", NO_SUCH_FILE);
	if (session->raw_bytes)
		ADD("client_encoding", "SQL_ASCII");
	else
		ADD("client_encoding",
			GetDatabaseEncoding() == PG_SQL_ASCII ? "UTF8" : GetDatabaseEncodingName());
	if (target->options != NULL)
		ADD("options", target->options);
	for (int i = 0; i < target->nparameters; i++)
	{
		application_name_given |= strcmp(target->parameters[i].keyword, "application_name") == 0;
		ADD(target->parameters[i].keyword, parameter_value(session, &target->parameters[i]));
	}
	/* A Kerberos ticket would be one of the server's operating system user.  The last value of a keyword counts. */
	ADD("gssencmode", "disable");
	if (!application_name_given)
		ADD("application_name", "dqds");
	ADD(NULL, NULL);
#undef ADD

	libpq_enter(&scope);
	/* expand_dbname is 0: a database called "host=..." is just a name. */
	conn = PQconnectStartParams(keywords, values, 0);
	libpq_leave(&scope);
	return conn;
}

/* ---- addresses -------------------------------------------------------------------------------- */

/* Give each of the remaining addresses its share of the time, so that a dead one is not all. */
static void
start_attempt(Session *session)
{
	int64 now = dqds_now_us();
	int left = session->naddresses - session->next_address;

	session->attempt_deadline_us = now + (session->deadline_us - now) / (left + 1);
	if (left == 0)
		session->attempt_deadline_us = session->deadline_us;
}

/*
 * Has the server that is connected to not said a word of the authentication yet?  Then
 * another address may do better, and its share of the time is all that it gets.
 */
bool
session_is_unanswered(const Session *session)
{
	return !session->guard.spoken;
}

/* Forget an address that did not work, but keep the failure of the one that came furthest. */
static void
pass_over(Session *session, Failure *failure)
{
	if (failure->code != DQDS_OK)
	{
		if (session->passed.code == DQDS_OK || session->stage >= session->passed_stage)
		{
			session->passed = *failure;
			session->passed_stage = session->stage;
		}
		/* Another server may have another encoding. */
		session->raw_bytes = session->raw_wanted;
	}
	failure_clear(failure);
	session_release_connection(session);
	session->stage = STAGE_TCP;
	session->guard.spoken = false;
	session->guard.asked_password = false;
	memset(&session->certificate, 0, sizeof(session->certificate));
	session->certificate.trace = session->trace;
}

/* Begin to connect to an address; false: it cannot be, and *failure may say why. */
static bool
connect_address(Session *session, const struct sockaddr *address, Failure *failure)
{
	char hostaddr[NI_MAXHOST];
	int64 heap_before;

	if (literal_address(address, hostaddr, sizeof(hostaddr)) == NULL)
		return false;
	memset(&session->peer, 0, sizeof(session->peer));
	memcpy(&session->peer, address, address_length(address));
	if (session->address_slot != NULL &&
		!limits_enter_address(session->target, address, session->address_slot, failure))
		return false;
	if (!lost_memory_permits(session->target, address, failure))
		return false;
	census_arrive(&session->census, address);
	heap_before = lost_memory_heap();
	session->conn = start_libpq(session, hostaddr);
	(void) session_count_heap(session, lost_memory_heap() - heap_before);
	if (session->conn == NULL)
	{
		failure_common(session->target, FAILED_NO_CAPACITY, NULL, failure);
		return false;
	}
	PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(session->conn, ignore_notice, NULL);
	if (PQstatus(session->conn) == CONNECTION_BAD)
	{
		(void) session_diagnose_login(session, failure);
		return false;
	}
	/*
	 * Now, and not only once logged in: libpq would wait without end, and deaf to
	 * every signal, for a server that asks and asks but reads no answer.
	 */
	PQsetnonblocking(session->conn, 1);
	session->login_bytes = 0;
	session->libpq_bytes = 0;
	guard_reset(&session->guard, session->target);
	session->fd = PQsocket(session->conn);
	reactor_watch(session->fd, EPOLLOUT, session->id);
	session->state = SESSION_CONNECTING;
	start_attempt(session);
	return true;
}

/*
 * Each login costs us a computation that the server sets the price of: servers of the
 * wrong kind are asked one after the other only as long as all of them together have not
 * asked for more than one may.
 */
static bool
may_ask_more_servers(const Session *session)
{
	return session->guard.scram_iterations < MAX_SCRAM_ITERATIONS;
}

/* No standby was found where one is preferred: begin again, and take what there is. */
static bool
accept_any_kind(Session *session)
{
	const Target *target = session->target;

	if (session->any_kind || session->wrong_kind == 0 || session->naddresses < 2 ||
		!may_ask_more_servers(session))
		return false;
	for (int i = 0; i < target->nparameters; i++)
		session->any_kind |= is_prefer_standby(&target->parameters[i]);
	if (session->any_kind)
		session->next_address = 0;
	return session->any_kind;
}

/* No address is left, or no more may be asked: which failure tells most? */
static void
conclude(Session *session, Failure *failure)
{
	if (session->wrong_kind > 0 && session->naddresses > 1)
		diagnose_wrong_kind(session->target, session->wrong_kind, session->naddresses, failure);
	else if (session->passed.code != DQDS_OK &&
			 (failure->code == DQDS_OK || session->passed_stage > session->stage))
		*failure = session->passed;
	session_fail(session);
}

/*
 * Connect to the next address that takes us.  Without one left, the failure of the one
 * that came furthest stands, or of the last of several.
 */
void
session_connect_next(Session *session, Failure *failure)
{
	do
		while (session->next_address < session->naddresses)
		{
			pass_over(session, failure);
			if (connect_address(session, session->addresses[session->next_address++], failure))
				return;
		}
	while (accept_any_kind(session));
	conclude(session, failure);
}

/* The login at this address has failed: try another one if that can help. */
void
session_end_attempt(Session *session, LoginOutlook outlook, Failure *failure)
{
	if (outlook == LOGIN_WRONG_KIND)
		session->wrong_kind++;
	if ((outlook == LOGIN_HUNG_UP && session_is_unanswered(session)) ||
		(outlook == LOGIN_WRONG_KIND && may_ask_more_servers(session)))
		session_connect_next(session, failure);
	else if (outlook == LOGIN_WRONG_KIND)
		conclude(session, failure);
	else
		session_fail(session);
}

void
session_take_addresses(Session *session, Failure *failure)
{
	const Target *target = session->target;

	session->naddresses =
		resolver_addresses(session->resolution, session->addresses, MAX_ADDRESSES);
	if (session->naddresses == 0)
	{
		failure_common(target, FAILED_RESOLVE, resolver_error(session->resolution), failure);
		session_fail(session);
		return;
	}
	if (session->trace != NULL)
	{
		char text[NI_MAXHOST];

		session->trace->resolved_us = dqds_now_us();
		for (int i = 0; i < session->naddresses; i++)
			if (literal_address(session->addresses[i], text, sizeof(text)) != NULL)
				trace_address(session->trace, text);
	}
	/* One denied address denies the name: which one libpq would take must not be luck. */
	for (int i = 0; i < session->naddresses; i++)
		if (!policy_allows_address(target, session->addresses[i], failure))
		{
			session_fail(session);
			return;
		}
	session_connect_next(session, failure);
}
