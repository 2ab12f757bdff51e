/*
 * libpq_connect.c
 *		The beginning of a login by libpq, at one address.
 *
 * Owns: what libpq is told.  Which address it is, and that it may be connected to, the
 * session has decided.
 */
#include "postgres.h"

#include <netdb.h>
#include <sys/epoll.h>

#include "mb/pg_wchar.h"

#include "base/address.h"
#include "base/failure.h"
#include "base/settings.h"
#include "event/reactor.h"
#include "model/target.h"
#include "postgres/failure_postgres.h"
#include "postgres/libpq_link.h"
#include "postgres/libpq_scope.h"
#include "postgres/lost_memory.h"
#include "postgres/password_guard.h"
#include "wire/failure_common.h"
#include "wire/wire.h"

static void
ignore_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
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
 * prefer-standby makes between several is made by the session: first only standbys are wanted.
 */
static const char *
parameter_value(const LibpqLink *link, const TargetParameter *parameter)
{
	if (link->common.naddresses > 1 && is_prefer_standby(parameter))
		return link->any_kind ? "any" : "standby";
	return parameter->value;
}

/* Start libpq on one address.  Returns NULL when libpq could not even begin. */
static PGconn *
start_libpq(const LibpqLink *link, const char *hostaddr)
{
	const Target *target = link->common.target;
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
	if (link->raw)
		ADD("client_encoding", "SQL_ASCII");
	else
		ADD("client_encoding",
			GetDatabaseEncoding() == PG_SQL_ASCII ? "UTF8" : GetDatabaseEncodingName());
	if (target->options != NULL)
		ADD("options", target->options);
	for (int i = 0; i < target->nparameters; i++)
	{
		application_name_given |= strcmp(target->parameters[i].keyword, "application_name") == 0;
		ADD(target->parameters[i].keyword, parameter_value(link, &target->parameters[i]));
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

/* Make the link ready for an attempt at an address. */
static void
reset_attempt(LibpqLink *link)
{
	/* Another server may have another encoding. */
	if (!link->again)
		link->raw = link->common.raw_wanted;
	link->again = false;
	link->guard.spoken = false;
	link->guard.asked_password = false;
	guard_reset(&link->guard, link->common.target);
	memset(&link->certificate, 0, sizeof(link->certificate));
	link->certificate.trace = link->common.trace;
	link->login_bytes = 0;
	link->libpq_bytes = 0;
}

/* The wire's start. */
bool
libpq_start(WireLink *common, Failure *failure)
{
	LibpqLink *link = (LibpqLink *) common;
	const struct sockaddr *peer = (const struct sockaddr *) &common->peer;
	char hostaddr[NI_MAXHOST];
	int64 heap_before;

	reset_attempt(link);
	if (address_text(peer, hostaddr, sizeof(hostaddr)) == NULL ||
		!lost_memory_permits(common->target, peer, failure))
		return false;
	libpq_start_openssl();
	heap_before = lost_memory_heap();
	link->conn = start_libpq(link, hostaddr);
	(void) libpq_count_heap(link, lost_memory_heap() - heap_before);
	if (link->conn == NULL)
	{
		failure_common(common->target, FAILED_NO_CAPACITY, NULL, failure);
		return false;
	}
	link->fd = -1;
	PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(link->conn, ignore_notice, NULL);
	if (PQstatus(link->conn) == CONNECTION_BAD)
	{
		(void) libpq_explain_login(link, failure);
		return false;
	}
	/*
	 * Now, and not only once logged in: libpq would wait without end, and deaf to
	 * every signal, for a server that asks and asks but reads no answer.
	 */
	PQsetnonblocking(link->conn, 1);
	link->fd = PQsocket(link->conn);
	reactor_watch(link->fd, EPOLLOUT, common->id);
	return true;
}

/* The wire's settle: no standby was found where one is preferred, so what there is is taken. */
bool
libpq_settle(WireLink *common, int wrong, int naddresses, Failure *failure)
{
	LibpqLink *link = (LibpqLink *) common;
	const Target *target = common->target;

	for (int i = 0; i < target->nparameters; i++)
		if (!link->any_kind && is_prefer_standby(&target->parameters[i]) &&
			guard_may_ask_more(&link->guard))
		{
			link->any_kind = true;
			return true;
		}
	diagnose_wrong_kind(target, wrong, naddresses, failure);
	return false;
}
