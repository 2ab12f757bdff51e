/*
 * diagnosis.c
 *		From what libpq and the remote server say to an error code, a message and a hint.
 *
 * What libpq and servers say is in the tables below; a failure that needs neither
 * is noted where it is found, with failure_set().  The texts are templates: %h
 * host, %p port, %d database, %u user, %m what the remote said; and, as
 * identifiers to be pasted into SQL, %D database, %U user, %O the object that the
 * remote's words end in.  What a remote says is foreign input: it is shown only
 * where nothing better is known, on one line, shortened, and without the password.
 *
 * libpq is called with its messages in English (libpq_scope.c), so matching a
 * piece of a message does not depend on a locale; a SQLSTATE is used wherever
 * there is one.
 */
#include "postgres.h"

#include "dqds.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#define MAX_REMOTE_MESSAGE 400

typedef struct Explanation
{
	DqdsErrorCode code;
	const char *message;
	const char *hint;
} Explanation;

/* clang-format off */
#define NOT_POSTGRES \
	{DQDS_NOT_POSTGRES, "what answers at %h:%p does not speak the PostgreSQL protocol", \
	 "Check host and port: another service listens there."}
/* clang-format on */

/* clang-format off */
#define CERTIFICATE_DEMANDED \
	{DQDS_TLS_FAILED, "the server at %h:%p demands a client certificate", \
	 "Client certificates are not supported: let the server ask for the password alone."}
#define TLS_ENDED \
	{DQDS_TLS_FAILED, "the server at %h:%p ended the TLS connection: %m", \
	 "Look at the log of the remote server."}
/* clang-format on */

/* What a SQLSTATE, and a piece of the message (NULL: any), mean when they end a login. */
static const struct
{
	const char *sqlstate;
	const char *piece;
	Explanation explanation;
} login_states[] = {
	{"28P01",
	 NULL,
	 {DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",
	  "Check the user and the password of the connection."}},
	{"28000", "valid client certificate", CERTIFICATE_DEMANDED},
	{"28000",
	 NULL,
	 {DQDS_LOGIN_NOT_ALLOWED,
	  "the server at %h:%p does not let user \"%u\" log in to database \"%d\"",
	  "Check the server's pg_hba.conf for this client, user, database and TLS, and that the role "
	  "has LOGIN."}},
	{"3D000",
	 NULL,
	 {DQDS_DATABASE_NOT_FOUND, "database \"%d\" does not exist at %h:%p",
	  "Check the name of the database; names are case-sensitive."}},
	{"42501",
	 NULL,
	 {DQDS_PERMISSION_DENIED, "user \"%u\" has no CONNECT privilege on database \"%d\" at %h:%p",
	  "On the remote server run: GRANT CONNECT ON DATABASE %D TO %U;"}},
	{"53300",
	 NULL,
	 {DQDS_TOO_MANY_CONNECTIONS, "the server at %h:%p has no connection left for user \"%u\"",
	  "Try again later, or raise max_connections or the limit of the role or database there; with "
	  "a lower dqds.session_idle_timeout, fewer of its idle sessions are dqds' own."}},
	{"57P03",
	 NULL,
	 {DQDS_SERVER_STARTING, "the server at %h:%p is starting up, shutting down or in recovery",
	  "Try again in a moment."}},
	{"55000",
	 NULL,
	 {DQDS_LOGIN_NOT_ALLOWED, "database \"%d\" at %h:%p does not accept connections",
	  "Check ALLOW_CONNECTIONS of that database."}},
	{"57014",
	 NULL,
	 {DQDS_CANCELLED, "the remote server at %h:%p cancelled the query",
	  "Check statement_timeout of user \"%u\" there, or whether somebody cancelled it."}},
	{"57P01",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p ended the connection during login",
	  "Try again; the server may be restarting."}},
	{"57P02",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p crashed during login",
	  "Try again; the server is restarting after a crash."}},
};

/*
 * What a piece of libpq's own message means, by the stage at which it appears.
 * %m is what follows a piece that ends in a colon and a blank, else the whole
 * message.
 */
static const struct
{
	ConnectStage stage;
	const char *piece;
	Explanation explanation;
} libpq_messages[] = {
	{STAGE_TLS,
	 "certificate verify failed",
	 {DQDS_TLS_CERTIFICATE, "the certificate of %h:%p is not trusted",
	  "It must be valid today and issued by an authority in the file of dqds.ssl_root_certs; "
	  "sslmode require goes without this check."}},
	{STAGE_TLS,
	 "does not match host name",
	 {DQDS_TLS_CERTIFICATE, "the certificate of %h:%p is for another host name",
	  "Connect by a name that the certificate holds, or use sslmode verify-ca."}},
	{STAGE_TLS,
	 "could not get server's host name from server certificate",
	 {DQDS_TLS_CERTIFICATE, "the certificate of %h:%p holds no host name",
	  "Use a certificate with the host's name, or sslmode verify-ca."}},
	{STAGE_TLS,
	 "root certificate file",
	 {DQDS_TLS_CERTIFICATE, "there are no trusted root certificates to check %h:%p against",
	  "Point dqds.ssl_root_certs at a file of root certificates (Debian: package "
	  "ca-certificates)."}},
	{STAGE_TLS,
	 "server does not support SSL",
	 {DQDS_TLS_FAILED, "the server at %h:%p does not offer TLS, but sslmode demands it",
	  "Turn on ssl at the server, or use sslmode prefer."}},
	{STAGE_TLS, "received invalid response to SSL negotiation", NOT_POSTGRES},
	{STAGE_TLS, "received unencrypted data after SSL response", NOT_POSTGRES},
	{STAGE_TLS,
	 "SSL error",
	 {DQDS_TLS_FAILED, "the TLS handshake with %h:%p failed",
	  "Check the TLS versions and ciphers that both sides allow."}},
	{STAGE_STARTUP, "alert certificate required", CERTIFICATE_DEMANDED},
	{STAGE_STARTUP, "SSL error: ", TLS_ENDED},
	{STAGE_STARTUP, "expected authentication request", NOT_POSTGRES},
	{STAGE_STARTUP,
	 "channel binding",
	 {DQDS_AUTHENTICATION_FAILED,
	  "the server at %h:%p does not offer the channel binding that is required",
	  "Use TLS and SCRAM at the server, or drop the property channel_binding."}},
	{STAGE_STARTUP,
	 "session is",
	 {DQDS_LOGIN_NOT_ALLOWED,
	  "the server at %h:%p is not of the kind that target_session_attrs asks for",
	  "Change or drop the property target_session_attrs."}},
	{STAGE_STARTUP,
	 "server is",
	 {DQDS_LOGIN_NOT_ALLOWED,
	  "the server at %h:%p is not of the kind that target_session_attrs asks for",
	  "Change or drop the property target_session_attrs."}},
	/* QuestDB, whose errors all carry SQLSTATE 00000 */
	{STAGE_STARTUP,
	 "invalid username/password",
	 {DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",
	  "Check the user and the password of the connection."}},
	{STAGE_TCP,
	 "invalid ",
	 {DQDS_INVALID_CONNECTION, "a property of the connection to %h:%p is not valid: %m",
	  "Check the values of the connection's properties."}},
	/* PgBouncer, whose errors all carry SQLSTATE 08P01 */
	{STAGE_STARTUP,
	 "08P01: SASL authentication failed",
	 {DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",
	  "Check the user and the password of the connection, and the users of the pooler."}},
	{STAGE_STARTUP,
	 "08P01: password authentication failed",
	 {DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",
	  "Check the user and the password of the connection, and the users of the pooler."}},
	{STAGE_STARTUP,
	 "08P01: database \"",
	 {DQDS_DATABASE_NOT_FOUND,
	  "database \"%d\" does not exist behind the connection pooler at %h:%p",
	  "Check the name of the database; names are case-sensitive."}},
	{STAGE_STARTUP,
	 "no such database",
	 {DQDS_DATABASE_NOT_FOUND, "the connection pooler at %h:%p knows no database \"%d\"",
	  "Check the name of the database in the pooler's configuration."}},
	{STAGE_STARTUP,
	 "no more connections allowed",
	 {DQDS_TOO_MANY_CONNECTIONS, "the connection pooler at %h:%p has no connection left",
	  "Try again later, or raise max_client_conn of the pooler; with a lower "
	  "dqds.session_idle_timeout, fewer of its idle clients are dqds' own."}},
	/* in the words of the server behind it */
	{STAGE_STARTUP,
	 "08P01: canceling statement ",
	 {DQDS_CANCELLED, "the remote server at %h:%p cancelled the query",
	  "Check statement_timeout of user \"%u\" there, or whether somebody cancelled it."}},
	{STAGE_STARTUP,
	 "08P01: terminating connection ",
	 {DQDS_CONNECTION_LOST, "the server at %h:%p ended the connection during login",
	  "Try again; the server may be restarting."}},
	{STAGE_STARTUP,
	 "08P01: the database system is ",
	 {DQDS_SERVER_STARTING, "the server at %h:%p is starting up, shutting down or in recovery",
	  "Try again in a moment."}},
	{STAGE_STARTUP,
	 "unsupported startup parameter",
	 {DQDS_INVALID_CONNECTION, "the connection pooler at %h:%p refuses the option that was sent",
	  "Drop options from the connection, or add it to the pooler's ignore_startup_parameters."}},
};

#define NO_ROUTE_HINT "Check the host, and the network of the machine that dqds runs on."

#define ENDED_BY_SERVER                                                                            \
	{                                                                                              \
		DQDS_CONNECTION_LOST, "the server at %h:%p ended the connection",                          \
			"Try again; somebody may have ended it, or the server is restarting."                  \
	}

/* Errors of the network, as the C library words them in English, the language libpq is called in. */
static const struct
{
	int error_number;
	Explanation explanation;
} network_errors[] = {
	{ECONNREFUSED,
	 {DQDS_CONNECTION_REFUSED, "nothing listens at %h:%p",
	  "Check host and port, that the server runs, and its listen_addresses."}},
	{ETIMEDOUT,
	 {DQDS_UNREACHABLE, "no answer from %h:%p", "Check host, port and the firewalls on the way."}},
	{EHOSTUNREACH, {DQDS_UNREACHABLE, "no route to %h:%p", NO_ROUTE_HINT}},
	{ENETUNREACH, {DQDS_UNREACHABLE, "no route to %h:%p", NO_ROUTE_HINT}},
	/* it was taken, and closed before we knew */
	{ECONNRESET, ENDED_BY_SERVER},
	{EACCES,
	 {DQDS_UNREACHABLE, "this machine does not permit connections to %h:%p",
	  "Check the firewall of this server."}},
	{EPERM,
	 {DQDS_UNREACHABLE, "this machine does not permit connections to %h:%p",
	  "Check the firewall of this server."}},
	{EADDRNOTAVAIL,
	 {DQDS_UNREACHABLE, "this machine has no address to reach %h:%p from",
	  "Check the network of this server, and that it is not out of local ports."}},
	{EINVAL, {DQDS_UNREACHABLE, "%h:%p cannot be connected to", "Check host and port."}},
};

/* Failures that are known by what we see ourselves, not by what is said. */
static const Explanation known_failures[] = {
	{DQDS_PASSWORD_REQUIRED, "the connection to %h:%p needs a password",
	 "Give the password of user \"%u\" in the connection."},
	{DQDS_BUSY, "no capacity is left to connect to %h:%p", "Try again in a moment."},
	{DQDS_CONNECTION_LOST, "the connection to %h:%p was lost",
	 "Try again; look at the log of the remote server if it happens repeatedly."},
	NOT_POSTGRES,
};

/* Names of ours that the server cannot read are not sent to it a second time (listing.c). */
#define BAD_TEXT                                                                                   \
	{                                                                                              \
		DQDS_REMOTE_ERROR,                                                                         \
			"the catalog of database \"%d\" at %h:%p holds text that the server cannot read or "   \
			"convert: %m",                                                                         \
			"Find the name or comment there that is not valid in the encoding of the database "    \
			"(SHOW server_encoding), and correct it."                                              \
	}

#define NO_CATALOG "user \"%u\" may not read the catalog of database \"%d\" at %h:%p: %m"

/* What a SQLSTATE, and a piece of the remote's message (NULL: any), mean when they end a query. */
static const struct
{
	const char *sqlstate; /* whole, or the two characters of a class */
	const char *piece;
	Explanation explanation;
} query_states[] = {
	{"42501",
	 "permission denied for table ",
	 {DQDS_PERMISSION_DENIED, NO_CATALOG,
	  "On the remote server, in database \"%d\", run: GRANT SELECT ON pg_catalog.%O TO %U;"}},
	{"42501",
	 NULL,
	 {DQDS_PERMISSION_DENIED, NO_CATALOG,
	  "Grant the privilege that the message names to user \"%u\"."}},
	{"57014",
	 NULL,
	 {DQDS_CANCELLED, "the remote server at %h:%p cancelled the query",
	  "Check statement_timeout of user \"%u\" there, or whether somebody cancelled it."}},
	{"55P03",
	 NULL,
	 {DQDS_CANCELLED, "the remote server at %h:%p cancelled the query, which waited for a lock",
	  "Look for locks on the catalog of database \"%d\", or raise lock_timeout of user \"%u\" "
	  "there."}},
	{"57P01", NULL, ENDED_BY_SERVER},
	{"57P02",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p crashed", "Try again in a moment."}},
	{"57P03",
	 NULL,
	 {DQDS_SERVER_STARTING, "the server at %h:%p is starting up or shutting down",
	  "Try again in a moment."}},
	{"57P05",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p ended the idle connection", "Try again."}},
	{"53300",
	 NULL,
	 {DQDS_TOO_MANY_CONNECTIONS, "the server at %h:%p has no connection left for user \"%u\"",
	  "Try again later, or raise the limit there."}},
	{"22P05", NULL, BAD_TEXT},
	{"22021", NULL, BAD_TEXT},
	{"08",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the connection to %h:%p was lost: %m",
	  "Check the server, and the pooler if there is one between."}},
};

/* Show a foreign text on one line, short, and without any secret. */
static void
append_foreign(StringInfo out, const char *foreign, const Target *target)
{
	StringInfoData text;

	/* Secrets first: what is cut off or replaced below could hide a piece of one from us. */
	initStringInfo(&text);
	appendStringInfoString(&text, secret_hide(target, remote_text(foreign)));

	text.len = strcspn(text.data, "\r\n");
	if (text.len > MAX_REMOTE_MESSAGE)
		text.len = pg_mbcliplen(text.data, text.len, MAX_REMOTE_MESSAGE);
	text.data[text.len] = '\0';
	appendStringInfoString(out, visible_text(text.data));
}

/* An identifier as it stands in SQL, always quoted, so that it can be pasted anywhere. */
static void
append_identifier(StringInfo out, const char *name)
{
	appendStringInfoChar(out, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *name);
	}
	appendStringInfoChar(out, '"');
}

/* Is message these words, in which a plain name follows and nothing else? */
static bool
names_one_object(const char *message, const char *words)
{
	size_t length = strlen(words);

	return strncmp(message, words, length) == 0 && message[length] != '\0' &&
		   strspn(message + length, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
			   strlen(message + length);
}

static char *
fill_template(const char *template, const Target *target, const char *foreign)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const char *c = template; *c != '\0'; c++)
	{
		if (*c != '%')
		{
			appendStringInfoChar(&out, *c);
			continue;
		}
		switch (*++c)
		{
			case 'h':
				appendStringInfoString(&out, target->shown_host);
				break;
			case 'p':
				appendStringInfoString(&out, target->shown_port);
				break;
			case 'd':
				appendStringInfoString(&out, target->shown_database);
				break;
			case 'u':
				appendStringInfoString(&out, target->shown_user);
				break;
			case 'D':
				append_identifier(&out, target->shown_database);
				break;
			case 'U':
				append_identifier(&out, target->shown_user);
				break;
			case 'O':
				append_identifier(&out, strrchr(foreign, ' ') + 1);
				break;
			case 'm':
				append_foreign(&out, foreign, target);
				break;
		}
	}
	return out.data;
}

static void
explain(const Explanation *explanation, const Target *target, const char *foreign, Failure *failure)
{
	failure->code = explanation->code;
	failure->message =
		unconstify(char *, visible_text(fill_template(explanation->message, target, foreign)));
	failure->hint =
		unconstify(char *, visible_text(fill_template(explanation->hint, target, foreign)));
	failure->sqlstate[0] = '\0';
}

/* An SQLSTATE, with its end or a colon behind it?  A server may send anything in its place. */
static bool
is_sqlstate(const char *text)
{
	return strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
		   (text[5] == '\0' || text[5] == ':');
}

static void
note_sqlstate(Failure *failure, const char *text)
{
	if (is_sqlstate(text))
		strlcpy(failure->sqlstate, text, sizeof(failure->sqlstate));
}

/*
 * Find the SQLSTATE in a message of libpq with verbosity VERBOSE, in which the
 * server's part reads "SEVERITY:  SQLSTATE: text".  The severity may be
 * translated by the server; what surrounds the state is not.  With sslmode
 * prefer there can be two attempts in it: a wrong password says more than what
 * the second attempt without TLS came to, else the last one counts.
 */
static const char *
find_sqlstate(const char *message)
{
	const char *found = NULL;

	for (const char *c = strstr(message, ":  "); c != NULL; c = strstr(c + 3, ":  "))
	{
		if (!is_sqlstate(c + 3) || strncmp(c + 8, ": ", 2) != 0)
			continue;
		if (found == NULL || strncmp(found, "28P01", 5) != 0)
			found = c + 3;
	}
	return found;
}

/* With options in the startup packet it may be one of them that is refused. */
static const Explanation login_options_denied = {
	DQDS_PERMISSION_DENIED,
	"user \"%u\" has no CONNECT privilege on database \"%d\" at %h:%p, or may not set what the "
	"options of the connection say",
	"Drop options from the connection, or on the remote server run: GRANT CONNECT ON DATABASE %D "
	"TO "
	"%U;"};

static bool
explain_login_state(const Target *target, const char *sqlstate, Failure *failure)
{
	if (strncmp(sqlstate, "42501", 5) == 0 && target->options != NULL)
	{
		explain(&login_options_denied, target, NULL, failure);
		note_sqlstate(failure, sqlstate);
		return true;
	}
	for (int i = 0; i < lengthof(login_states); i++)
	{
		if (strncmp(login_states[i].sqlstate, sqlstate, 5) != 0 ||
			(login_states[i].piece != NULL && strstr(sqlstate, login_states[i].piece) == NULL))
			continue;
		explain(&login_states[i].explanation, target, NULL, failure);
		note_sqlstate(failure, sqlstate);
		return true;
	}
	return false;
}

/*
 * A remote repeats what the options of a connection say after it has read them,
 * so that backslashes in them are gone, and the mask in place of a secret would
 * show that a guess in the options is right.
 */
static bool
hides_login_words(const Target *target)
{
	return target->options != NULL && target->stored_secret;
}

static bool
explain_libpq_message(const Target *target, ConnectStage stage, const char *message,
					  Failure *failure)
{
	for (int i = 0; i < lengthof(libpq_messages); i++)
	{
		const char *piece = libpq_messages[i].piece;
		const char *hit = libpq_messages[i].stage == stage ? strstr(message, piece) : NULL;
		bool leads_in = strlen(piece) > 2 && strcmp(piece + strlen(piece) - 2, ": ") == 0;

		if (hit == NULL)
			continue;
		/* Words that come with a SQLSTATE are the remote's. */
		if (strstr(libpq_messages[i].explanation.message, "%m") != NULL &&
			find_sqlstate(message) != NULL && hides_login_words(target))
			continue;
		explain(&libpq_messages[i].explanation, target, leads_in ? hit + strlen(piece) : message,
				failure);
		return true;
	}
	return false;
}

static bool
explain_network_error(const Target *target, const char *message, Failure *failure)
{
	for (int i = 0; i < lengthof(network_errors); i++)
	{
		if (strstr(message, strerrordesc_np(network_errors[i].error_number)) == NULL)
			continue;
		explain(&network_errors[i].explanation, target, NULL, failure);
		return true;
	}
	return false;
}

/* Why did a login fail?  message is PQerrorMessage, in English, with verbosity VERBOSE. */
void
diagnose_connect(const Target *target, ConnectStage stage, const char *message, Failure *failure)
{
	const char *sqlstate = find_sqlstate(message);
	static const Explanation unknown = {DQDS_REMOTE_ERROR,
										"the server at %h:%p refused the login: %m",
										"Look at the log of the remote server."};
	static const Explanation hidden = {
		DQDS_REMOTE_ERROR, "the server at %h:%p refused the login",
		"Look at the log of the remote server; its words are not shown where a connection with "
		"options uses a stored secret."};

	if (sqlstate != NULL && explain_login_state(target, sqlstate, failure))
		return;
	if (explain_libpq_message(target, stage, message, failure))
	{
		if (sqlstate != NULL)
			note_sqlstate(failure, sqlstate);
		return;
	}
	if (sqlstate != NULL)
	{
		explain(hides_login_words(target) ? &hidden : &unknown, target, sqlstate + 7, failure);
		note_sqlstate(failure, sqlstate);
		return;
	}
	if (stage == STAGE_TCP && explain_network_error(target, message, failure))
		return;
	diagnose_known(target, stage == STAGE_TCP ? DQDS_UNREACHABLE : DQDS_CONNECTION_LOST, failure);
}

/* A login that reached its deadline: what was the other side doing? */
void
diagnose_no_answer(const Target *target, ConnectStage stage, int elapsed_ms, Failure *failure)
{
	double seconds = elapsed_ms / 1000.0;

	if (stage == STAGE_TCP)
		failure_set(failure, DQDS_UNREACHABLE, "Check host, port and the firewalls on the way.",
					"no answer from %s:%s within %.1f s", target->shown_host, target->shown_port,
					seconds);
	else
		failure_set(
			failure, DQDS_SERVER_SILENT,
			"Check that this is the port of the database, that the server is not overloaded, and "
			"that a pooler in between reaches it.",
			"the server at %s:%s accepted the connection but did not complete the login within "
			"%.1f s",
			target->shown_host, target->shown_port, seconds);
}

/* Why did a query fail?  sqlstate may be NULL: then the connection broke. */
void
diagnose_query(const Target *target, const char *sqlstate, const char *message, Failure *failure)
{
	static const Explanation unknown = {DQDS_REMOTE_ERROR,
										"the server at %h:%p reported an error: %m",
										"Look at the log of the remote server."};
	const Explanation *explanation = &unknown;

	if (sqlstate == NULL || sqlstate[0] == '\0')
	{
		diagnose_known(target, DQDS_CONNECTION_LOST, failure);
		return;
	}
	if (message == NULL)
		message = "";
	for (int i = 0; i < lengthof(query_states); i++)
		if (strncmp(query_states[i].sqlstate, sqlstate, strlen(query_states[i].sqlstate)) == 0 &&
			(query_states[i].piece == NULL || names_one_object(message, query_states[i].piece)))
		{
			explanation = &query_states[i].explanation;
			break;
		}
	explain(explanation, target, message, failure);
	note_sqlstate(failure, sqlstate);
}

/* TLS ended during the login; reason is what OpenSSL says of it. */
void
diagnose_tls_error(const Target *target, const char *reason, Failure *failure)
{
	(void) explain_libpq_message(target, STAGE_STARTUP, psprintf("SSL error: %s", reason), failure);
}

/* An answer that is none; what names it in our own words. */
void
diagnose_answer(const Target *target, const char *what, Failure *failure)
{
	static const Explanation explanation = {
		DQDS_REMOTE_ERROR, "the server at %h:%p sent %m",
		"Check that host and port are those of the database, and that provider_type says what it "
		"is."};

	explain(&explanation, target, what, failure);
}

/* A failure that is known without any words of the remote. */
void
diagnose_known(const Target *target, DqdsErrorCode code, Failure *failure)
{
	for (int i = 0; i < lengthof(known_failures); i++)
		if (known_failures[i].code == code)
		{
			explain(&known_failures[i], target, NULL, failure);
			return;
		}
	failure_set(failure, code, "Check host, port and the firewalls on the way.",
				"could not connect to %s:%s", target->shown_host, target->shown_port);
}
