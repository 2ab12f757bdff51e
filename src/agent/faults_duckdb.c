/*
 * faults_duckdb.c
 *		What errors of DuckDB, and of the files that it reads, mean.
 *
 * It must hold nothing but the table.  There is no server, so no message names one.
 */
#include "postgres.h"

#include "agent/faults.h"
#include "agent/protocol.h"

#define OF_FILE(number) FAULT_IS_FILE, (number), NULL, NULL, IN_ANY_PHASE, LOGIN_REFUSED
#define OF_KIND(kind)   (kind), 0, NULL, NULL, IN_ANY_PHASE, LOGIN_REFUSED

#define NOT_THERE                                                                                  \
	{                                                                                              \
		DQDS_DATABASE_NOT_FOUND, "there is no such directory: %m",                                 \
			"Check the paths under \"directories\": they are of the machine of this server."       \
	}

#define NOT_READABLE                                                                               \
	{                                                                                              \
		DQDS_PERMISSION_DENIED, "the user of this PostgreSQL server may not read: %m",             \
			"Change the rights of the directory or the file."                                      \
	}

/* clang-format off */
const AgentFault duckdb_faults[] = {
	{OF_FILE(EXDEV), {DQDS_TARGET_NOT_ALLOWED, "files may not be read there: %m",
	 "Ask a superuser to review the setting \"dqds.duckdb_directories\" of this server; links that lead out of its directories are not followed."}},
	{OF_FILE(ENOENT), NOT_THERE},
	{OF_FILE(ENOTDIR), NOT_THERE},
	{OF_FILE(EACCES), NOT_READABLE},
	{OF_FILE(EPERM), NOT_READABLE},
	{OF_FILE(0), {DQDS_REMOTE_ERROR, "files cannot be read: %m",
	 "Look at the message."}},
	{OF_KIND(FAULT_IS_MODEL), {DQDS_INVALID_CONNECTION, "the connection cannot be used: %m",
	 "Correct the connection."}},
	{OF_KIND(FAULT_IS_BOUND), {DQDS_REMOTE_ERROR, "the answer is beyond a bound: %m",
	 "Ask for less, or keep fewer files in a directory."}},
	{OF_KIND(FAULT_IS_SERVER), {DQDS_REMOTE_ERROR, "DuckDB reported an error: %m",
	 "Look at the message: a file may be broken, or of another format than \"files_format_type\"."}},
	{NULL},
};
/* clang-format on */
