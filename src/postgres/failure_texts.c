/*
 * failure_texts.c
 *		What a login can end with, and what that means: tables of causes and texts.
 *
 * It must not hold logic: failure_login.c and failure_state.c read the tables, and
 * failure_explain.c fills the templates.  What poolers and QuestDB say is in
 * failure_pooler.c, which has words of its own for some of these causes, such as a password
 * that was refused.
 */
#include "postgres.h"

#include <openssl/x509.h>

#include "postgres/failure_postgres.h"
#include "postgres/failure_internal.h"

#define NOT_POSTGRES                                                                               \
	{                                                                                              \
		DQDS_NOT_POSTGRES, "what answers at %h:%p does not speak the PostgreSQL protocol",         \
			"Check host and port: another service listens there."                                  \
	}

#define CERTIFICATE_DEMANDED                                                                       \
	{                                                                                              \
		DQDS_TLS_FAILED, "the server at %h:%p demands a client certificate",                       \
			"Client certificates are not supported: let the server ask for the password alone."    \
	}

#define PASSWORD_REFUSED                                                                           \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",     \
			"Check the user and the password of the connection.%w"                                 \
	}

/* By PAM, LDAP or RADIUS, none of which tells more. */
#define PASSWORD_REFUSED_ELSEWHERE                                                                 \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",     \
			"Check the user and the password of the connection, and whether a token in its place " \
			"has expired; the server has it checked elsewhere (PAM, LDAP, RADIUS), where it may "  \
			"also get no answer.%w"                                                                \
	}

#define KIND_NOT_SUPPORTED                                                                         \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED,                                                                \
			"the server at %h:%p asks for a kind of authentication that is not supported",         \
			"Use scram-sha-256 for this client and user in the server's pg_hba.conf."              \
	}

#define NO_CONNECT                                                                                 \
	{                                                                                              \
		DQDS_PERMISSION_DENIED,                                                                    \
			"user \"%u\" has no CONNECT privilege on database \"%d\" at %h:%p",                    \
			"On the remote server run: GRANT CONNECT ON DATABASE %D TO %U;"                        \
	}

#define OPTIONS_REFUSED                                                                            \
	{                                                                                              \
		DQDS_INVALID_CONNECTION, "the server at %h:%p refuses the options of the connection: %m",  \
			"Correct options: each setting is written as -c name=value, and a blank in a value "   \
			"with a backslash before it."                                                          \
	}

#define DOES_NOT_LET_IN "the server at %h:%p does not let user \"%u\" log in to database \"%d\""

/*
 * The routine ClientAuthentication refuses by pg_hba.conf, auth_failed after a
 * password or whatever else it asked for, InitializeSessionUserId by the role, and
 * CheckMyDatabase by the database.
 */
const LoginState login_states[] = {
	{"28P01", NULL, NULL, ALWAYS, PASSWORD_REFUSED},
	{"28000", NULL, "valid client certificate", ALWAYS, CERTIFICATE_DEMANDED},
	/* All its other refusals name host, user and database. */
	{"28000", "ClientAuthentication", NULL, UNNAMED_USER, CERTIFICATE_DEMANDED},
	{"28000",
	 "ClientAuthentication",
	 NULL,
	 TLS_DISABLED,
	 {DQDS_LOGIN_NOT_ALLOWED, DOES_NOT_LET_IN " without TLS",
	  "Set sslmode to require; if that does not help, check the server's pg_hba.conf for this "
	  "client, user and database."}},
	{"28000",
	 "ClientAuthentication",
	 NULL,
	 ALWAYS,
	 {DQDS_LOGIN_NOT_ALLOWED, DOES_NOT_LET_IN,
	  "Check the server's pg_hba.conf for this client, user, database and TLS."}},
	{"28000",
	 "InitializeSessionUserId",
	 NULL,
	 ALWAYS,
	 {DQDS_LOGIN_NOT_ALLOWED, "the server at %h:%p has no user \"%u\" that may log in",
	  "Check the name of the user; if it is right, run on the remote server: ALTER ROLE %U "
	  "LOGIN;"}},
	{"28000", "auth_failed", NULL, ASKED_PASSWORD, PASSWORD_REFUSED_ELSEWHERE},
	{"28000",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_LOGIN_NOT_ALLOWED, DOES_NOT_LET_IN,
	  "Check the server's pg_hba.conf for this client, user, database and TLS, and that the role "
	  "has LOGIN."}},
	{"3D000",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_DATABASE_NOT_FOUND, "database \"%d\" does not exist at %h:%p",
	  "Check the name of the database; names are case-sensitive."}},
	{"42501", "CheckMyDatabase", NULL, ALWAYS, NO_CONNECT},
	{"42501", "", "permission denied for database", ALWAYS, NO_CONNECT},
	{"42501",
	 "",
	 NULL,
	 ALWAYS,
	 {DQDS_PERMISSION_DENIED,
	  "user \"%u\" lacks a privilege to log in to database \"%d\" at %h:%p: %m",
	  "It can be CONNECT on the database (GRANT CONNECT ON DATABASE %D TO %U;), one that a login "
	  "event trigger needs, or one that the options of the connection need."}},
	{"42501",
	 NULL,
	 NULL,
	 OPTIONS_READ,
	 {DQDS_PERMISSION_DENIED,
	  "user \"%u\" may not set at %h:%p what the options of the connection say: %m",
	  "Drop that setting from options, or grant user \"%u\" what it needs."}},
	{"42501",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_PERMISSION_DENIED,
	  "user \"%u\" lacks a privilege to log in to database \"%d\" at %h:%p: %m",
	  "A login event trigger of the database, or a setting of the role or the database, needs the "
	  "privilege that the message names."}},
	{"53300",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_TOO_MANY_CONNECTIONS, "the server at %h:%p has no connection left for user \"%u\"",
	  "Try again later, or raise max_connections or the limit of the role or database there; with "
	  "a lower dqds.session_idle_timeout, fewer of its idle sessions are dqds' own."}},
	{"57P03",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_SERVER_STARTING, "the server at %h:%p is starting up, shutting down or in recovery",
	  "Try again in a moment."}},
	{"55000",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_LOGIN_NOT_ALLOWED, "database \"%d\" at %h:%p does not accept connections",
	  "Check ALLOW_CONNECTIONS of that database."}},
	{"57014",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_CANCELLED, "the remote server at %h:%p cancelled the query",
	  "Check statement_timeout of user \"%u\" there, or whether the query was cancelled by hand."}},
	{"57P01",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p ended the connection during login",
	  "Try again; the server may be restarting."}},
	{"57P02",
	 NULL,
	 NULL,
	 ALWAYS,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p crashed during login",
	  "Try again; the server is restarting after a crash."}},
	{"0A000", "GetSerializableTransactionSnapshot", NULL, ALWAYS, SERIALIZABLE_STANDBY},
	{"0A000", NULL, "serializable mode in a hot standby", ALWAYS, SERIALIZABLE_STANDBY},
	{"22", NULL, NULL, OPTIONS_READ, OPTIONS_REFUSED},
	{"42", NULL, NULL, OPTIONS_READ, OPTIONS_REFUSED},
	{"55P02", NULL, NULL, OPTIONS_READ, OPTIONS_REFUSED},
	{NULL},
};

/*
 * Routines of the server's source that read settings: what they refuse at a login is
 * what its options say.  A name that ends in * stands for all that begin so.
 */
const char *const settings_routines[] = {
	"process_postgres_switches",
	"ParseLongOption",
	"SplitGUCNameValue*",
	"find_option",
	"assignable_custom_variable_name",
	"parse_and_validate_value",
	"call_*", /* call_string_check_hook and the like */
	"set_config_*",
	NULL,
};

#define WRONG_KIND                                                                                 \
	{                                                                                              \
		DQDS_LOGIN_NOT_ALLOWED,                                                                    \
			"the server at %h:%p is not of the kind that target_session_attrs asks for",           \
			"Change or drop the property target_session_attrs."                                    \
	}

#define NO_CHANNEL_BINDING                                                                         \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED,                                                                \
			"the server at %h:%p does not offer the channel binding that is required",             \
			"Use TLS and SCRAM at the server, or drop the property channel_binding."               \
	}

/* Its signature has no hash function of its own: Ed25519, Ed448. */
#define CERTIFICATE_CANNOT_BIND                                                                    \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED,                                                                \
			"the certificate of %h:%p has a signature (Ed25519 or the like) that channel binding " \
			"cannot be used with",                                                                 \
			"Set the property channel_binding of the connection to disable, or give the server a " \
			"certificate with an RSA or ECDSA signature."                                          \
	}

#define ENDED_IN_TLS                                                                               \
	{                                                                                              \
		DQDS_CONNECTION_LOST, "%h:%p ended the connection in the TLS handshake",                   \
			"Try again; if it happens each time, check the TLS versions that both sides allow, "   \
			"and that a proxy in front of the server knows the host name."                         \
	}

#define LOST                                                                                       \
	{                                                                                              \
		DQDS_CONNECTION_LOST, "the connection to %h:%p was lost",                                  \
			"Try again; look at the log of the remote server if it happens repeatedly."            \
	}

const LibpqMessage libpq_messages[] = {
	{STAGE_TLS,
	 "certificate verify failed",
	 LOGIN_REFUSED,
	 {DQDS_TLS_CERTIFICATE, "the certificate of %h:%p is not trusted",
	  "It must be valid today and issued by an authority in the file of dqds.ssl_root_certs; "
	  "sslmode require goes without this check."}},
	{STAGE_TLS,
	 "does not match host name",
	 LOGIN_REFUSED,
	 {DQDS_TLS_CERTIFICATE, "the certificate of %h:%p is for another host name",
	  "Connect by a name that the certificate holds, or use sslmode verify-ca."}},
	{STAGE_TLS,
	 "could not get server's host name from server certificate",
	 LOGIN_REFUSED,
	 {DQDS_TLS_CERTIFICATE, "the certificate of %h:%p holds no host name",
	  "Use a certificate with the host's name, or sslmode verify-ca."}},
	{STAGE_TLS,
	 "root certificate file",
	 LOGIN_REFUSED,
	 {DQDS_TLS_CERTIFICATE, "there are no trusted root certificates to check %h:%p against",
	  "Point dqds.ssl_root_certs at a file of root certificates (Debian: package "
	  "ca-certificates)."}},
	{STAGE_TLS,
	 "server does not support SSL",
	 LOGIN_REFUSED,
	 {DQDS_TLS_FAILED, "the server at %h:%p does not offer TLS, but sslmode demands it",
	  "Turn on ssl at the server, or use sslmode prefer."}},
	{STAGE_TLS,
	 "error response during SSL exchange",
	 LOGIN_REFUSED,
	 {DQDS_REMOTE_ERROR, "the server at %h:%p answered the request for TLS with an error",
	  "It may have no connection or process left, or be starting: try again in a moment; with "
	  "sslmode disable it says what is wrong."}},
	{STAGE_TLS, "received invalid response to SSL negotiation", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_TLS, "received unencrypted data after SSL response", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_TLS, "SSL SYSCALL error", LOGIN_HUNG_UP, ENDED_IN_TLS},
	{STAGE_TLS, "unexpected eof while reading", LOGIN_HUNG_UP, ENDED_IN_TLS},
	{STAGE_TLS, "server closed the connection unexpectedly", LOGIN_HUNG_UP, ENDED_IN_TLS},
	{STAGE_TLS, "could not receive data from server", LOGIN_HUNG_UP, ENDED_IN_TLS},
	{STAGE_TLS, "could not send ", LOGIN_HUNG_UP, LOST},
	{STAGE_TLS,
	 "SSL error",
	 LOGIN_REFUSED,
	 {DQDS_TLS_FAILED, "the TLS handshake with %h:%p failed",
	  "Check the TLS versions and ciphers that both sides allow."}},
	{STAGE_STARTUP, "alert certificate required", LOGIN_REFUSED, CERTIFICATE_DEMANDED},
	{STAGE_STARTUP, "SSL SYSCALL error", LOGIN_HUNG_UP, LOST},
	{STAGE_STARTUP, "unexpected eof while reading", LOGIN_HUNG_UP, LOST},
	{STAGE_STARTUP,
	 "SSL error: ",
	 LOGIN_REFUSED,
	 {DQDS_TLS_FAILED, "the server at %h:%p ended the TLS connection: %m",
	  "Look at the log of the remote server."}},
	{STAGE_STARTUP, "server closed the connection unexpectedly", LOGIN_HUNG_UP, LOST},
	{STAGE_STARTUP, "SSL connection has been closed unexpectedly", LOGIN_HUNG_UP, LOST},
	{STAGE_STARTUP, "could not receive data from server", LOGIN_HUNG_UP, LOST},
	{STAGE_STARTUP, "could not send ", LOGIN_HUNG_UP, LOST},
	{STAGE_STARTUP, "expected authentication request", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_STARTUP, "received invalid authentication request", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_STARTUP, "received invalid error message", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_STARTUP, "protocol negotiation message", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_STARTUP, "unexpected message from server during startup", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_STARTUP, "malformed SCRAM message", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_STARTUP, "invalid SCRAM response", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_STARTUP, "over a non-SSL connection", LOGIN_REFUSED, NOT_POSTGRES},
	{STAGE_STARTUP, "could not find digest for NID", LOGIN_REFUSED, CERTIFICATE_CANNOT_BIND},
	{STAGE_STARTUP, "could not determine server certificate signature algorithm", LOGIN_REFUSED,
	 CERTIFICATE_CANNOT_BIND},
	{STAGE_STARTUP, "SASL authentication mechanisms are supported", LOGIN_REFUSED,
	 KIND_NOT_SUPPORTED},
	{STAGE_STARTUP, "requires OAuth authentication", LOGIN_REFUSED, KIND_NOT_SUPPORTED},
	{STAGE_STARTUP, "channel binding", LOGIN_REFUSED, NO_CHANNEL_BINDING},
	{STAGE_STARTUP,
	 "incorrect server signature",
	 LOGIN_REFUSED,
	 {DQDS_AUTHENTICATION_FAILED,
	  "what answers at %h:%p has not proved that it knows the password of user \"%u\"",
	  "Check host and port: it may be a proxy that takes any password, or another server in the "
	  "place of yours."}},
	{STAGE_STARTUP,
	 "could not fork new process",
	 LOGIN_REFUSED,
	 {DQDS_TOO_MANY_CONNECTIONS, "the server at %h:%p could not start a process for the connection",
	  "Try again later; the machine of the server has no memory or no process left."}},
	{STAGE_STARTUP, "session is ", LOGIN_WRONG_KIND, WRONG_KIND},
	{STAGE_STARTUP, "server is ", LOGIN_WRONG_KIND, WRONG_KIND},
	{STAGE_TCP,
	 "invalid ",
	 LOGIN_REFUSED,
	 {DQDS_INVALID_CONNECTION, "a property of the connection to %h:%p is not valid: %m",
	  "Check the values of the connection's properties."}},
	{STAGE_TCP, NULL},
};

const GuardRefusal guard_refusals[] = {
	{GUARD_CLEARTEXT,
	 {DQDS_AUTHENTICATION_FAILED,
	  "the server at %h:%p asks for the password in clear text without verified TLS",
	  "Use sslmode verify-full or verify-ca, or SCRAM at the server; the property "
	  "allow_cleartext_password set to true permits it for this connection."}},
	{GUARD_EXPENSIVE,
	 {DQDS_AUTHENTICATION_FAILED, "the server at %h:%p asks for too many iterations of SCRAM",
	  "Lower scram_iterations at the server, and set the password of the user again."}},
	{GUARD_UNSUPPORTED, KIND_NOT_SUPPORTED},
	{GUARD_FORGED, NOT_POSTGRES},
	{0},
};

#define NO_ROUTE_HINT "Check the host, and the network of the machine that dqds runs on."

const NetworkError network_errors[] = {
	{ECONNREFUSED,
	 {DQDS_CONNECTION_REFUSED, "nothing listens at %h:%p",
	  "Check host and port, that the server runs, and its listen_addresses."}},
	{ETIMEDOUT,
	 {DQDS_UNREACHABLE, "no answer from %h:%p", "Check host, port and the firewalls on the way."}},
	{EHOSTUNREACH, {DQDS_UNREACHABLE, "no route to %h:%p", NO_ROUTE_HINT}},
	{ENETUNREACH, {DQDS_UNREACHABLE, "no route to %h:%p", NO_ROUTE_HINT}},
	/* it was taken, and closed before we knew */
	{ECONNRESET,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p ended the connection",
	  "Try again; it may have been ended by hand, or the server is restarting."}},
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
	{0},
};

#define OR_REQUIRE " sslmode require goes without this check."

#define UNKNOWN_AUTHORITY_HINT                                                                     \
	"Add the certificate of that authority to the file of dqds.ssl_root_certs, or let the server " \
	"send the certificates between it and its own;" OR_REQUIRE

#define UNKNOWN_AUTHORITY                                                                          \
	"its issuer \"%s\" is not known here", "an authority above it, \"%s\", is not known here",     \
		UNKNOWN_AUTHORITY_HINT

const CertificateError certificate_errors[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, "it has expired",
	 "the certificate of an authority above it, issued by \"%s\", has expired",
	 "Renew the certificate;" OR_REQUIRE},
	{X509_V_ERR_CERT_NOT_YET_VALID, "it is not valid yet",
	 "the certificate of an authority above it, issued by \"%s\", is not valid yet",
	 "Compare the clocks of both machines with the dates of the certificate;" OR_REQUIRE},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "it is signed by itself, and not known here",
	 "an authority above it, \"%s\", is not known here",
	 "Add that certificate to the file of dqds.ssl_root_certs;" OR_REQUIRE},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, UNKNOWN_AUTHORITY},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNKNOWN_AUTHORITY},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, UNKNOWN_AUTHORITY},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, UNKNOWN_AUTHORITY},
	{X509_V_OK},
};
