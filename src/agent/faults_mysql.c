/*
 * faults_mysql.c
 *		What errors of MySQL and MariaDB mean.
 *
 * It must hold nothing but the table.  Numbers are those of the servers' and the client
 * library's documentation.
 */
#include "postgres.h"

#include "agent/faults.h"
#include "agent/protocol.h"

#define BY_SERVER(number) FAULT_IS_SERVER, (number), NULL, NULL
#define AT_LOGIN          IN_LOGIN, LOGIN_REFUSED
#define AT_ANY_TIME       IN_ANY_PHASE, LOGIN_REFUSED

#define PASSWORD_REFUSED                                                                           \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",     \
			"Check the user and the password of the connection, and whether the user may log in "  \
			"from this machine and without TLS.%w"                                                 \
	}

#define KIND_NOT_SUPPORTED                                                                         \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED,                                                                \
			"the server at %h:%p asks user \"%u\" for a kind of authentication that is not "       \
			"possible here",                                                                       \
			"Check the name of the user; use caching_sha2_password, mysql_native_password or "     \
			"ed25519 for it, and TLS."                                                             \
	}

#define LOCKED                                                                                     \
	{                                                                                              \
		DQDS_LOGIN_NOT_ALLOWED, "user \"%u\" at %h:%p is locked or its password has expired: %m",  \
			"Have the account unlocked, or its password renewed, on the remote server."            \
	}

#define HOST_REFUSED                                                                               \
	{                                                                                              \
		DQDS_LOGIN_NOT_ALLOWED, "the server at %h:%p does not let this machine log in: %m",        \
			"Let user \"%u\" log in from this machine, or end the block there with FLUSH HOSTS."   \
	}

#define NO_DATABASE                                                                                \
	{                                                                                              \
		DQDS_DATABASE_NOT_FOUND, "database \"%d\" does not exist at %h:%p",                        \
			"Check the name of the database, or leave it out: all can be listed without it."       \
	}

#define NO_RIGHT_TO_DATABASE                                                                       \
	{                                                                                              \
		DQDS_PERMISSION_DENIED, "user \"%u\" may not use database \"%d\" at %h:%p",                \
			"Check the name of the database, which this server does not tell from one that may "   \
			"not be used; or run on the remote server: GRANT SELECT ON the database TO the user."  \
	}

#define DENIED                                                                                     \
	{                                                                                              \
		DQDS_PERMISSION_DENIED, "user \"%u\" lacks a privilege at %h:%p: %m",                      \
			"Grant the privilege that the message names."                                          \
	}

#define FULL                                                                                       \
	{                                                                                              \
		DQDS_TOO_MANY_CONNECTIONS, "the server at %h:%p has no connection left for user \"%u\"",   \
			"Try again later, or raise max_connections or the limit of the user there."            \
	}

#define STARTING                                                                                   \
	{                                                                                              \
		DQDS_SERVER_STARTING, "the server at %h:%p is starting or shutting down",                  \
			"Try again in a moment."                                                               \
	}

#define CANCELLED                                                                                  \
	{                                                                                              \
		DQDS_CANCELLED, "the remote server at %h:%p cancelled the query",                          \
			"Check whether the query was killed by hand."                                          \
	}

#define OUT_OF_TIME                                                                                \
	{                                                                                              \
		DQDS_TIMEOUT, "the query at %h:%p was cancelled by the server because of its time",        \
			"Check max_execution_time or max_statement_time there, or raise dqds.query_timeout."   \
	}

/* clang-format off */
const AgentFault mysql_faults[] = {
	{BY_SERVER(1045), AT_LOGIN, PASSWORD_REFUSED},
	{BY_SERVER(1698), AT_LOGIN, PASSWORD_REFUSED},
	{BY_SERVER(1251), AT_LOGIN, KIND_NOT_SUPPORTED},
	{BY_SERVER(2059), AT_LOGIN, KIND_NOT_SUPPORTED}, /* the library has no such plugin */
	{BY_SERVER(5010), AT_LOGIN, KIND_NOT_SUPPORTED}, /* it may not be used */
	{BY_SERVER(3118), AT_LOGIN, LOCKED},
	{BY_SERVER(4151), AT_LOGIN, LOCKED},
	{BY_SERVER(1862), AT_ANY_TIME, LOCKED},
	{BY_SERVER(1820), AT_ANY_TIME, LOCKED},
	{BY_SERVER(1129), AT_LOGIN, HOST_REFUSED},
	{BY_SERVER(1130), AT_LOGIN, HOST_REFUSED},
	{BY_SERVER(1049), AT_LOGIN, NO_DATABASE},
	{BY_SERVER(1044), AT_LOGIN, NO_RIGHT_TO_DATABASE},
	{BY_SERVER(1142), AT_ANY_TIME, DENIED},
	{BY_SERVER(1143), AT_ANY_TIME, DENIED},
	{BY_SERVER(1227), AT_ANY_TIME, DENIED},
	{BY_SERVER(1040), AT_ANY_TIME, FULL},
	{BY_SERVER(1203), AT_ANY_TIME, FULL},
	{BY_SERVER(1226), AT_ANY_TIME, FULL},
	{BY_SERVER(1053), AT_ANY_TIME, STARTING},
	{BY_SERVER(1317), IN_QUERY, LOGIN_REFUSED, CANCELLED},
	{BY_SERVER(1969), IN_QUERY, LOGIN_REFUSED, OUT_OF_TIME},
	{BY_SERVER(3024), IN_QUERY, LOGIN_REFUSED, OUT_OF_TIME},
	{NULL},
};
/* clang-format on */
