/*
 * faults_odbc.c
 *		What errors of sources mean that are reached through ODBC.
 *
 * It must hold nothing but tables.  Numbers are those of the servers' documentation, as their
 * ODBC drivers report them, and states those of ODBC.  Each provider has a table of its own,
 * since their numbers differ; that of the states comes behind them.
 */
#include "postgres.h"

#include "agent/faults.h"
#include "agent/protocol.h"

#define BY_NUMBER(number) FAULT_IS_SERVER, (number), NULL, NULL
#define BY_STATE(state)   FAULT_IS_SERVER, 0, (state), NULL
#define BY_PIECE(piece)   FAULT_IS_SERVER, 0, NULL, (piece)
#define AT_LOGIN          IN_LOGIN, LOGIN_REFUSED
#define AT_LOGIN_UNHEARD  IN_LOGIN, LOGIN_HUNG_UP
#define AT_ANY_TIME       IN_ANY_PHASE, LOGIN_REFUSED
#define AT_QUESTION       IN_QUERY, LOGIN_REFUSED

#define ODBC_PASSWORD_REFUSED                                                                      \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",     \
			"Check the user and the password of the connection.%w"                                 \
	}

#define ODBC_LOCKED                                                                                \
	{                                                                                              \
		DQDS_LOGIN_NOT_ALLOWED,                                                                    \
			"user \"%u\" at %h:%p is locked, or its password has to be changed: %m",               \
			"Have the account unlocked, or its password renewed, on the remote server."            \
	}

#define ODBC_NOT_LET_IN                                                                            \
	{                                                                                              \
		DQDS_LOGIN_NOT_ALLOWED, "the server at %h:%p does not let user \"%u\" log in: %m",         \
			"Grant the user the right to log in on the remote server."                             \
	}

#define ODBC_NO_DATABASE                                                                           \
	{                                                                                              \
		DQDS_DATABASE_NOT_FOUND, "database \"%d\" does not exist at %h:%p",                        \
			"Check the name of the database, and that user \"%u\" may use it."                     \
	}

#define ODBC_DENIED                                                                                \
	{                                                                                              \
		DQDS_PERMISSION_DENIED, "user \"%u\" lacks a privilege at %h:%p: %m",                      \
			"Grant the privilege that the message names."                                          \
	}

#define ODBC_FULL                                                                                  \
	{                                                                                              \
		DQDS_TOO_MANY_CONNECTIONS, "the server at %h:%p has no connection left for user \"%u\"",   \
			"Try again later, or raise the limit of connections there."                            \
	}

#define ODBC_STARTING                                                                              \
	{                                                                                              \
		DQDS_SERVER_STARTING, "the server at %h:%p is starting, shutting down or unavailable: %m", \
			"Try again in a moment."                                                               \
	}

#define ODBC_SILENT                                                                                \
	{                                                                                              \
		DQDS_SERVER_SILENT, "the server at %h:%p did not complete the login in time",              \
			"Check that this is the port of the database, and that the server is not overloaded."  \
	}

#define ODBC_OUT_OF_TIME                                                                           \
	{                                                                                              \
		DQDS_TIMEOUT, "the query at %h:%p was cancelled because of its time",                      \
			"Check that the remote server is not overloaded, or raise dqds.query_timeout."         \
	}

#define ODBC_CANCELLED                                                                             \
	{                                                                                              \
		DQDS_CANCELLED, "the remote server at %h:%p cancelled the query",                          \
			"Check whether the query was ended by hand."                                           \
	}

#define ODBC_NOT_REACHED                                                                           \
	{                                                                                              \
		DQDS_UNREACHABLE, "the driver cannot connect to %h:%p: %m",                                \
			"Check host and port, and that provider_type says what listens there."                 \
	}

#define ODBC_NOT_SUPPORTED                                                                         \
	{                                                                                              \
		DQDS_REMOTE_ERROR, "the ODBC driver for %h:%p cannot list what was asked for: %m",         \
			"Check that dqds.odbc_drivers names the right driver for provider type \"%P\"."        \
	}

/* clang-format off */
const AgentFault sqlserver_faults[] = {
	{BY_NUMBER(18456), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_NUMBER(18452), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_NUMBER(18486), AT_LOGIN, ODBC_LOCKED},
	{BY_NUMBER(18487), AT_LOGIN, ODBC_LOCKED},
	{BY_NUMBER(18488), AT_LOGIN, ODBC_LOCKED},
	{BY_NUMBER(18470), AT_LOGIN, ODBC_LOCKED}, /* the account is disabled */
	{BY_NUMBER(40615), AT_LOGIN, ODBC_NOT_LET_IN}, /* by Azure's firewall */
	{BY_NUMBER(4060), AT_LOGIN, ODBC_NO_DATABASE},
	{BY_NUMBER(4063), AT_LOGIN, ODBC_NO_DATABASE},
	{BY_NUMBER(911), AT_LOGIN, ODBC_NO_DATABASE},
	{BY_NUMBER(229), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(230), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(297), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(300), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(916), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(10928), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(10929), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(17809), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(6005), AT_ANY_TIME, ODBC_STARTING},
	{BY_NUMBER(17142), AT_ANY_TIME, ODBC_STARTING},
	{BY_NUMBER(18401), AT_ANY_TIME, ODBC_STARTING},
	{BY_NUMBER(40613), AT_ANY_TIME, ODBC_STARTING},
	{BY_NUMBER(3617), AT_QUESTION, ODBC_CANCELLED},
	{NULL},
};

const AgentFault oracle_faults[] = {
	{BY_NUMBER(1017), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_NUMBER(1005), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_NUMBER(28000), AT_LOGIN, ODBC_LOCKED},
	{BY_NUMBER(28001), AT_LOGIN, ODBC_LOCKED},
	{BY_NUMBER(1045), AT_LOGIN, ODBC_NOT_LET_IN},
	{BY_NUMBER(12514), AT_LOGIN, ODBC_NO_DATABASE},
	{BY_NUMBER(12505), AT_LOGIN, ODBC_NO_DATABASE},
	{BY_NUMBER(1031), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(18), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(20), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(2391), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(12516), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(12520), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(1033), AT_ANY_TIME, ODBC_STARTING},
	{BY_NUMBER(1034), AT_ANY_TIME, ODBC_STARTING},
	{BY_NUMBER(1089), AT_ANY_TIME, ODBC_STARTING},
	{BY_NUMBER(1013), AT_QUESTION, ODBC_CANCELLED},
	{NULL},
};

/* The driver's numbers are those of SQLCODEs, and negative. */
const AgentFault db2_faults[] = {
	{BY_NUMBER(-30082), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_NUMBER(-1060), AT_LOGIN, ODBC_NOT_LET_IN},
	{BY_NUMBER(-30061), AT_LOGIN, ODBC_NO_DATABASE},
	{BY_NUMBER(-1013), AT_LOGIN, ODBC_NO_DATABASE},
	{BY_NUMBER(-551), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(-552), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(-1040), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(-1226), AT_ANY_TIME, ODBC_FULL},
	{BY_NUMBER(-1035), AT_ANY_TIME, ODBC_STARTING},
	{BY_NUMBER(-952), AT_QUESTION, ODBC_CANCELLED},
	{BY_NUMBER(-30081), AT_LOGIN_UNHEARD, ODBC_NOT_REACHED},
	{NULL},
};

const AgentFault hana_faults[] = {
	{BY_NUMBER(10), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_NUMBER(416), AT_LOGIN, ODBC_LOCKED},
	{BY_NUMBER(414), AT_ANY_TIME, ODBC_LOCKED},
	{BY_NUMBER(258), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(139), AT_QUESTION, ODBC_CANCELLED},
	{BY_NUMBER(-10709), AT_LOGIN_UNHEARD, ODBC_NOT_REACHED},
	{NULL},
};

const AgentFault teradata_faults[] = {
	{BY_NUMBER(8017), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_NUMBER(3003), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_NUMBER(3016), AT_LOGIN, ODBC_LOCKED},
	{BY_NUMBER(3032), AT_LOGIN, ODBC_LOCKED},
	{BY_NUMBER(3055), AT_LOGIN, ODBC_NOT_LET_IN},
	{BY_NUMBER(3523), AT_ANY_TIME, ODBC_DENIED},
	{BY_NUMBER(3110), AT_QUESTION, ODBC_CANCELLED},
	{NULL},
};

const AgentFault odbc_faults[] = {
	/* As PostgreSQL's driver says it, which has one state for all of them. */
	{BY_PIECE("password authentication failed"), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_PIECE("too many connections"), AT_LOGIN, ODBC_FULL},
	{FAULT_IS_SERVER, 0, "08001", "does not exist", AT_LOGIN, ODBC_NO_DATABASE},
	{FAULT_IS_SERVER, 0, "42000", "Unknown database", AT_LOGIN, ODBC_NO_DATABASE},
	{FAULT_IS_SERVER, 0, "08001", "starting up", AT_LOGIN, ODBC_STARTING},
	{BY_STATE("28000"), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_STATE("28P01"), AT_LOGIN, ODBC_PASSWORD_REFUSED},
	{BY_STATE("3D000"), AT_LOGIN, ODBC_NO_DATABASE},
	{BY_STATE("08004"), AT_LOGIN, ODBC_NOT_LET_IN},
	{BY_STATE("42501"), AT_ANY_TIME, ODBC_DENIED},
	{BY_STATE("HYT00"), AT_LOGIN, ODBC_SILENT},
	{BY_STATE("HYT01"), AT_LOGIN, ODBC_SILENT},
	{BY_STATE("HYT00"), AT_QUESTION, ODBC_OUT_OF_TIME},
	{BY_STATE("HYT01"), AT_QUESTION, ODBC_OUT_OF_TIME},
	{BY_STATE("HY008"), AT_QUESTION, ODBC_CANCELLED},
	{BY_STATE("HY018"), AT_QUESTION, ODBC_CANCELLED},
	{BY_STATE("57014"), AT_QUESTION, ODBC_CANCELLED},
	{BY_STATE("08001"), AT_LOGIN_UNHEARD, ODBC_NOT_REACHED},
	{BY_STATE("HYC00"), AT_QUESTION, ODBC_NOT_SUPPORTED},
	{BY_STATE("IM001"), AT_QUESTION, ODBC_NOT_SUPPORTED},
	{NULL},
};
/* clang-format on */
