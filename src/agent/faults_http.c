/*
 * faults_http.c
 *		What errors of servers mean that are asked over HTTP.
 *
 * It must hold nothing but the tables.  Of Trino and Presto the state is the name of an error,
 * of ClickHouse the number is its code, both of their documentation; a fault whose state is
 * "HTTP" has an HTTP status as its number.
 */
#include "postgres.h"

#include "agent/faults.h"
#include "agent/protocol.h"

#define AT_LOGIN        IN_LOGIN, LOGIN_REFUSED
#define AT_QUERY        IN_QUERY, LOGIN_REFUSED
#define AT_ANY_TIME     IN_ANY_PHASE, LOGIN_REFUSED
#define NO_CONNECTION   IN_ANY_PHASE, LOGIN_HUNG_UP
#define BY_STATUS(code) FAULT_IS_SERVER, (code), "HTTP", NULL
#define BY_NAME(name)   FAULT_IS_SERVER, 0, (name), NULL
#define BY_CODE(code)   FAULT_IS_SERVER, (code), NULL, NULL

#define SECRET_REFUSED                                                                             \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED, "the server at %h:%p does not let user \"%u\" log in",         \
			"Check the user and the password of the connection.%w"                                 \
	}

#define NOT_PERMITTED                                                                              \
	{                                                                                              \
		DQDS_LOGIN_NOT_ALLOWED, "the server at %h:%p does not permit this to user \"%u\": %m",     \
			"Let the user connect from this machine and run queries."                              \
	}

#define NO_PRIVILEGE                                                                               \
	{                                                                                              \
		DQDS_PERMISSION_DENIED, "user \"%u\" lacks a privilege at %h:%p: %m",                      \
			"Grant the privilege that the message names."                                          \
	}

#define TOO_MANY_QUERIES                                                                           \
	{                                                                                              \
		DQDS_TOO_MANY_CONNECTIONS, "the server at %h:%p has too many queries under way: %m",       \
			"Try again later, or raise its limits."                                                \
	}

#define NOT_READY                                                                                  \
	{                                                                                              \
		DQDS_SERVER_STARTING, "the server at %h:%p is not ready: %m", "Try again in a moment."     \
	}

#define KILLED_THERE                                                                               \
	{                                                                                              \
		DQDS_CANCELLED, "the remote server at %h:%p cancelled the query",                          \
			"Check whether the query was killed by hand."                                          \
	}

#define TIME_IS_UP                                                                                 \
	{                                                                                              \
		DQDS_TIMEOUT, "the query at %h:%p was cancelled by the server because of its time: %m",    \
			"Check the limits of time there, or raise dqds.query_timeout."                         \
	}

#define NO_SUCH_DATABASE                                                                           \
	{                                                                                              \
		DQDS_DATABASE_NOT_FOUND, "database \"%d\" does not exist at %h:%p",                        \
			"Check the name of the database, or leave it out: all can be listed without it."       \
	}

#define NO_SUCH_CATALOG                                                                            \
	{                                                                                              \
		DQDS_DATABASE_NOT_FOUND, "catalog \"%d\" does not exist at %h:%p",                         \
			"Check the name of the catalog; SHOW CATALOGS lists them there."                       \
	}

/* clang-format off */
const AgentFault trino_faults[] = {
	{BY_NAME("CATALOG_NOT_FOUND"), AT_ANY_TIME, NO_SUCH_CATALOG},
	/* Presto's word for it has no name of its own. */
	{FAULT_IS_SERVER, 0, "SYNTAX_ERROR", "Catalog ", AT_ANY_TIME, NO_SUCH_CATALOG},
	{BY_NAME("MISSING_CATALOG_NAME"), AT_ANY_TIME, NO_SUCH_CATALOG},
	{BY_NAME("PERMISSION_DENIED"), AT_ANY_TIME, NO_PRIVILEGE},
	{BY_NAME("QUERY_QUEUE_FULL"), AT_ANY_TIME, TOO_MANY_QUERIES},
	{BY_NAME("QUERY_REJECTED"), AT_ANY_TIME, TOO_MANY_QUERIES},
	{BY_NAME("CLUSTER_OUT_OF_MEMORY"), AT_ANY_TIME, TOO_MANY_QUERIES},
	{BY_NAME("SERVER_STARTING_UP"), AT_ANY_TIME, NOT_READY},
	{BY_NAME("SERVER_SHUTTING_DOWN"), AT_ANY_TIME, NOT_READY},
	{BY_NAME("NO_NODES_AVAILABLE"), AT_ANY_TIME, NOT_READY},
	{BY_NAME("USER_CANCELED"), AT_QUERY, KILLED_THERE},
	{BY_NAME("ADMINISTRATIVELY_KILLED"), AT_ANY_TIME, KILLED_THERE},
	{BY_NAME("ADMINISTRATIVELY_PREEMPTED"), AT_ANY_TIME, KILLED_THERE},
	{BY_NAME("ABANDONED_QUERY"), AT_ANY_TIME, KILLED_THERE},
	{BY_NAME("EXCEEDED_TIME_LIMIT"), AT_ANY_TIME, TIME_IS_UP},
	{BY_NAME("EXCEEDED_CPU_LIMIT"), AT_ANY_TIME, TIME_IS_UP},
	{FAULT_IS_SERVER, 401, "HTTP", "insecure authentication", AT_ANY_TIME,
	 {DQDS_AUTHENTICATION_FAILED, "the server at %h:%p takes no password of user \"%u\": %m",
	  "Leave the password out, or have passwords turned on there (http-server.authentication.type)."}},
	{NULL},
};

const AgentFault clickhouse_faults[] = {
	{BY_CODE(192), AT_LOGIN, SECRET_REFUSED},
	{BY_CODE(193), AT_LOGIN, SECRET_REFUSED},
	{BY_CODE(194), AT_LOGIN, SECRET_REFUSED},
	{BY_CODE(516), AT_LOGIN, SECRET_REFUSED},
	{BY_CODE(195), AT_LOGIN, NOT_PERMITTED},
	{BY_CODE(81), AT_LOGIN, NO_SUCH_DATABASE},
	{BY_CODE(164), AT_ANY_TIME, NO_PRIVILEGE},
	{BY_CODE(291), AT_ANY_TIME, NO_PRIVILEGE},
	{BY_CODE(497), AT_ANY_TIME, NO_PRIVILEGE},
	{BY_CODE(202), AT_ANY_TIME, TOO_MANY_QUERIES},
	{BY_CODE(201), AT_ANY_TIME, TOO_MANY_QUERIES},
	{BY_CODE(394), AT_QUERY, KILLED_THERE},
	{BY_CODE(159), AT_ANY_TIME, TIME_IS_UP},
	{BY_CODE(160), AT_ANY_TIME, TIME_IS_UP},
	{NULL},
};

const AgentFault http_faults[] = {
	{BY_STATUS(401), AT_ANY_TIME, SECRET_REFUSED},
	{BY_STATUS(403), AT_LOGIN, NOT_PERMITTED},
	{BY_STATUS(403), AT_ANY_TIME, NO_PRIVILEGE},
	{BY_STATUS(429), AT_ANY_TIME, TOO_MANY_QUERIES},
	{BY_STATUS(502), AT_ANY_TIME, NOT_READY},
	{BY_STATUS(503), AT_ANY_TIME, NOT_READY},
	{BY_STATUS(504), AT_ANY_TIME, NOT_READY},
	{FAULT_IS_KIND, 0, "HTTP", "redirect", AT_ANY_TIME,
	 {DQDS_WRONG_SERVER, "what answers at %h:%p is no %P server: %m",
	  "Give the host and the port of the server itself, and check whether it expects TLS."}},
	{FAULT_IS_CLEARTEXT, 0, "HTTP", NULL, AT_ANY_TIME,
	 {DQDS_AUTHENTICATION_FAILED, "the connection to %h:%p has a password but no TLS, so that it could be read on the way",
	  "Use TLS, or set the property allow_cleartext_password to true where the network can be trusted."}},
	{FAULT_IS_TLS, 0, NULL, "wrong version number", AT_ANY_TIME,
	 {DQDS_TLS_FAILED, "the server at %h:%p does not offer TLS, which the connection demands",
	  "Give the port at which the server expects HTTPS, or do not demand TLS in the connection."}},
	{FAULT_IS_LOST, 0, NULL, NULL, IN_LOGIN, LOGIN_HUNG_UP,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p closed the connection without a whole answer: %m",
	  "Check that the port is that of HTTP, or that of HTTPS if the connection demands TLS."}},
	{NULL},
};
/* clang-format on */
