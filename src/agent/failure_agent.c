/*
 * failure_agent.c
 *		What a fault that the agent reports means.
 *
 * Owns: what is said of faults that any driver can report, and of the agent itself.  What a
 * kind of server says has its own table (faults_*.c), which is looked at first.  All text that
 * the agent sends is foreign: it is shown on one line, shortened, and without secrets.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "agent/failure_agent.h"
#include "agent/faults.h"
#include "agent/members.h"
#include "agent/protocol.h"
#include "base/encoding.h"
#include "model/provider.h"
#include "model/target.h"
#include "wire/failure_common.h"
#include "wire/failure_explain.h"

#define REFUSED       IN_ANY_PHASE, LOGIN_REFUSED
#define NO_CONNECTION IN_ANY_PHASE, LOGIN_HUNG_UP

#define OTHER_NAME                                                                                 \
	{                                                                                              \
		DQDS_TLS_CERTIFICATE, "the certificate of %h:%p is for another host name",                 \
			"Connect by a name that the certificate holds, or choose a mode that does not check "  \
			"the name."                                                                            \
	}

/* Of OpenSSL: X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH. */
#define WRONG_NAME    62
#define WRONG_ADDRESS 64

/* clang-format off */
static const AgentFault common_faults[] = {
	{FAULT_IS_NETWORK, ECONNREFUSED, NULL, NULL, NO_CONNECTION,
	 {DQDS_CONNECTION_REFUSED, "nothing accepts connections at %h:%p",
	  "Check host and port, and that the server is running and listens on that address."}},
	{FAULT_IS_NETWORK, ETIMEDOUT, NULL, NULL, NO_CONNECTION,
	 {DQDS_UNREACHABLE, "%h:%p does not answer",
	  "Check host, port and the firewalls on the way."}},
	{FAULT_IS_NETWORK, ECONNRESET, NULL, NULL, NO_CONNECTION,
	 {DQDS_CONNECTION_LOST, "the connection to %h:%p was lost",
	  "Try again; look at the log of the remote server if it happens repeatedly."}},
	{FAULT_IS_NETWORK, 0, NULL, NULL, NO_CONNECTION,
	 {DQDS_UNREACHABLE, "%h:%p cannot be reached: %m",
	  "Check host, port and the firewalls on the way."}},
	{FAULT_IS_CERTIFICATE, WRONG_NAME, NULL, NULL, REFUSED, OTHER_NAME},
	{FAULT_IS_CERTIFICATE, WRONG_ADDRESS, NULL, NULL, REFUSED, OTHER_NAME},
	{FAULT_IS_CERTIFICATE, 0, NULL, "host name", REFUSED, OTHER_NAME},
	{FAULT_IS_CERTIFICATE, 0, NULL, NULL, REFUSED,
	 {DQDS_TLS_CERTIFICATE, "the certificate of %h:%p is not trusted: %m",
	  "It must be valid today and issued by an authority in the file of dqds.ssl_root_certs."}},
	{FAULT_IS_NO_TLS, 0, NULL, NULL, REFUSED,
	 {DQDS_TLS_FAILED, "the server at %h:%p does not offer TLS, which the connection demands",
	  "Turn on TLS at the server, or do not demand it in the connection."}},
	{FAULT_IS_TLS, 0, NULL, NULL, REFUSED,
	 {DQDS_TLS_FAILED, "the TLS handshake with %h:%p failed: %m",
	  "Check that the server expects TLS at this port, and the TLS versions and ciphers that both sides allow."}},
	{FAULT_IS_CLEARTEXT, 0, NULL, NULL, REFUSED,
	 {DQDS_AUTHENTICATION_FAILED, "the server at %h:%p asks for the password without TLS, where it could be read on the way",
	  "Use TLS, or set the property allow_cleartext_password to true where the network can be trusted."}},
	{FAULT_IS_KIND, 0, NULL, NULL, REFUSED,
	 {DQDS_WRONG_SERVER, "what answers at %h:%p is no %P server: %m",
	  "Check host and port, and that provider_type says what it is: another service listens there."}},
	{FAULT_IS_LOST, 0, NULL, NULL, NO_CONNECTION,
	 {DQDS_CONNECTION_LOST, "the connection to %h:%p was lost",
	  "Try again; look at the log of the remote server if it happens repeatedly."}},
	{FAULT_IS_BOUND, 0, NULL, NULL, REFUSED,
	 {DQDS_REMOTE_ERROR, "the answer of %h:%p is beyond a bound: %m",
	  "Check that host and port are those of the database, and that provider_type says what it is."}},
	{FAULT_IS_MODEL, 0, NULL, NULL, REFUSED,
	 {DQDS_INVALID_CONNECTION, "the connection to %h:%p cannot be used: %m",
	  "Correct the connection."}},
	{FAULT_IS_PASSWORD, 0, NULL, NULL, REFUSED,
	 {DQDS_PASSWORD_REQUIRED, "the connection to %h:%p needs a password: %m",
	  "Give it in the connection."}},
	{FAULT_IS_DRIVER, 0, NULL, NULL, REFUSED,
	 {DQDS_UNSUPPORTED_PROVIDER, "connections of provider type \"%P\" need a library that is not there: %m",
	  "Install it on the machine of this server, or name it in the setting that the message names."}},
	{FAULT_IS_CAPACITY, 0, NULL, NULL, REFUSED,
	 {DQDS_BUSY, "no capacity is left to connect to %h:%p", "Try again in a moment."}},
	{FAULT_IS_SERVER, 0, NULL, NULL, IN_LOGIN, LOGIN_REFUSED,
	 {DQDS_REMOTE_ERROR, "the server at %h:%p refused the login: %m",
	  "Look at the message, and at the log of the remote server."}},
	{FAULT_IS_SERVER, 0, NULL, NULL, REFUSED,
	 {DQDS_REMOTE_ERROR, "the server at %h:%p reported an error: %m",
	  "Look at the message, and at the log of the remote server."}},
	{NULL},
};
/* clang-format on */

/* The tables of single kinds of servers. */
static const struct
{
	ProviderSet providers;
	const AgentFault *faults;
} tables[] = {
	{MYSQL_PROVIDERS, mysql_faults},
	{ONLY(PROVIDER_TRINO) | ONLY(PROVIDER_PRESTO), trino_faults},
	{ONLY(PROVIDER_CLICKHOUSE), clickhouse_faults},
	{ONLY(PROVIDER_DATABRICKS), databricks_faults},
	{ONLY(PROVIDER_SNOWFLAKE), snowflake_faults},
	{ONLY(PROVIDER_BIGQUERY), bigquery_faults},
	/* All that are asked over HTTP. */
	{ONLY(PROVIDER_TRINO) | ONLY(PROVIDER_PRESTO) | ONLY(PROVIDER_CLICKHOUSE) |
		 ONLY(PROVIDER_DATABRICKS) | ONLY(PROVIDER_SNOWFLAKE) | ONLY(PROVIDER_BIGQUERY),
	 http_faults},
	{ONLY(PROVIDER_DUCKDB), duckdb_faults},
	{MYSQL_PROVIDERS, mysql_faults},
	{ONLY(PROVIDER_SQLSERVER), sqlserver_faults},
	{ONLY(PROVIDER_ORACLE), oracle_faults},
	{ONLY(PROVIDER_DB2), db2_faults},
	{ONLY(PROVIDER_HANA), hana_faults},
	{ONLY(PROVIDER_TERADATA), teradata_faults},
	{ODBC_PROVIDERS, odbc_faults},
};

/* Of the agent itself: nothing that the remote has said or done. */
static const Explanation no_agent = {
	DQDS_UNSUPPORTED_PROVIDER,
	"connections of provider type \"%P\" need the program dqds-agent, which cannot be run: %s",
	"Install dqds with \"make install\" on the machine of this server, or have a superuser set "
	"dqds.agent to the program's file."};
static const Explanation other_agent = {
	DQDS_UNSUPPORTED_PROVIDER, "the program dqds-agent is of another version than the extension",
	"Install both from the same version, or correct the setting dqds.agent."};
static const Explanation agent_ended = {DQDS_REMOTE_ERROR,
										"the driver that was talking to %h:%p ended unexpectedly",
										"Try again; if it happens each time, the answer of the "
										"server is more than the driver can take."};

/* ---- finding the row ---------------------------------------------------------------------------- */

static bool
fits(const AgentFault *row, bool asked, const char *kind, long number, const char *state,
	 const char *text)
{
	return strcmp(row->kind, kind) == 0 &&
		   (row->phase == IN_ANY_PHASE || (row->phase == IN_QUERY) == asked) &&
		   (row->number == 0 || row->number == number) &&
		   (row->state == NULL || (state != NULL && strcmp(row->state, state) == 0)) &&
		   (row->piece == NULL || (text != NULL && strstr(text, row->piece) != NULL));
}

static const AgentFault *
find_row(const AgentFault *row, bool asked, const char *kind, long number, const char *state,
		 const char *text)
{
	for (; row->kind != NULL; row++)
		if (fits(row, asked, kind, number, state, text))
			return row;
	return NULL;
}

/*
 * Explain the fault of which this is the payload, members that are valid, in *failure; asked:
 * it is the answer to a question.  Returns what it means for a login.
 */
LoginStatus
failure_of_fault(const Target *target, bool asked, const char *payload, size_t length,
				 Failure *failure)
{
	const char *kind = member_value(payload, length, FAULT_KIND);
	const char *state = member_value(payload, length, FAULT_STATE);
	const char *text = member_value(payload, length, FAULT_TEXT);
	long number = member_number(payload, length, FAULT_NUMBER);
	const AgentFault *row = NULL;

	if (kind != NULL)
	{
		for (int i = 0; i < lengthof(tables) && row == NULL; i++)
			if (provider_is_in(target->provider, tables[i].providers))
				row = find_row(tables[i].faults, asked, kind, number, state, text);
		if (row == NULL)
			row = find_row(common_faults, asked, kind, number, state, text);
	}
	if (row == NULL)
	{
		failure_agent_ended(target, failure);
		return LOGIN_REFUSED;
	}
	/* In our encoding, in which the secrets are that it may hold. */
	explain(&row->explanation, target, text == NULL ? "" : remote_decode(text, PG_UTF8), NULL,
			failure);
	if (state != NULL)
		note_sqlstate(failure, state);
	return row->outlook;
}

/* The program at this path cannot be run; error: errno. */
void
failure_no_agent(const Target *target, const char *path, int error, Failure *failure)
{
	explain(&no_agent, target, NULL, psprintf("%s: %s", path, strerror(error)), failure);
}

/* The program speaks another version of the protocol. */
void
failure_other_agent(const Target *target, Failure *failure)
{
	explain(&other_agent, target, NULL, NULL, failure);
}

/* The session's process has ended without a word, or has sent what is no frame. */
void
failure_agent_ended(const Target *target, Failure *failure)
{
	explain(&agent_ended, target, NULL, NULL, failure);
}
