/*
 * faults_cloud.c
 *		What errors of Databricks, Snowflake and BigQuery mean.
 *
 * It must hold nothing but the tables.  Of Databricks and BigQuery the number is the HTTP
 * status and the state the name of the error, of Snowflake the number is its code.
 */
#include "postgres.h"

#include "agent/faults.h"
#include "agent/protocol.h"

#define AT_LOGIN       IN_LOGIN, LOGIN_REFUSED
#define AT_ANY_TIME    IN_ANY_PHASE, LOGIN_REFUSED
#define BY_NUMBER(n)   FAULT_IS_SERVER, (n), NULL, NULL
#define BY_NAME(name)  FAULT_IS_SERVER, 0, (name), NULL
#define BY_WORDS(n, w) FAULT_IS_SERVER, (n), NULL, (w)
#define REFUSED(advice)                                                                            \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED, "%h:%p does not accept the credentials: %m", advice            \
	}
#define DENIED(advice)                                                                             \
	{                                                                                              \
		DQDS_PERMISSION_DENIED, "a privilege is missing at %h:%p: %m", advice                      \
	}
#define NO_PLACE(advice)                                                                           \
	{                                                                                              \
		DQDS_DATABASE_NOT_FOUND, "\"%d\" does not exist at %h:%p, or may not be seen: %m", advice  \
	}
#define FULL                                                                                       \
	{                                                                                              \
		DQDS_TOO_MANY_CONNECTIONS, "%h:%p has too many requests under way: %m", "Try again later." \
	}
#define STARTING                                                                                   \
	{                                                                                              \
		DQDS_SERVER_STARTING, "%h:%p is not ready: %m", "Try again in a moment."                   \
	}
#define CANCELLED                                                                                  \
	{                                                                                              \
		DQDS_CANCELLED, "%h:%p cancelled the statement: %m",                                       \
			"Check whether it was cancelled by hand."                                              \
	}
#define OUT_OF_TIME                                                                                \
	{                                                                                              \
		DQDS_TIMEOUT, "%h:%p cancelled the statement because of its time: %m",                     \
			"Check the limits of time there, or raise dqds.query_timeout."                         \
	}

#define DATABRICKS_TOKEN "Check \"access_token\": it must be valid, and of this workspace."
#define DATABRICKS_RIGHT                                                                           \
	"Grant USE CATALOG, USE SCHEMA and SELECT, and for the warehouse CAN USE, to the owner of "    \
	"the token."
#define SNOWFLAKE_TOKEN                                                                            \
	"Check the account, the user, and the programmatic access token or the private key; a token "  \
	"can need a network policy for the user."
#define SNOWFLAKE_ROLE "Check \"role\" and \"warehouse\": they must be granted to the user."
#define BIGQUERY_KEY                                                                               \
	"Check \"json_key_content\": the key must exist and its service account be enabled, and the "  \
	"clock of this machine be right."
#define BIGQUERY_RIGHT "Grant the service account the role BigQuery Metadata Viewer in the project."

/* clang-format off */
const AgentFault databricks_faults[] = {
	{BY_NUMBER(401), AT_ANY_TIME, REFUSED(DATABRICKS_TOKEN)},
	{BY_WORDS(403, "nvalid access token"), AT_ANY_TIME, REFUSED(DATABRICKS_TOKEN)},
	{BY_NAME("UNAUTHENTICATED"), AT_ANY_TIME, REFUSED(DATABRICKS_TOKEN)},
	{BY_NUMBER(403), AT_ANY_TIME, DENIED(DATABRICKS_RIGHT)},
	{BY_NUMBER(404), AT_LOGIN, NO_PLACE("Check \"catalog\".")},
	{BY_NAME("CATALOG_DOES_NOT_EXIST"), AT_ANY_TIME, NO_PLACE("Check \"catalog\".")},
	{BY_NUMBER(404), AT_ANY_TIME, {DQDS_INVALID_CONNECTION, "what the connection names does not exist at %h:%p: %m",
	 "Check \"http_path\": it must be the path of a SQL warehouse of this workspace."}},
	{BY_NUMBER(429), AT_ANY_TIME, FULL},
	{BY_NUMBER(503), AT_ANY_TIME, STARTING},
	{BY_NAME("CANCELED"), AT_ANY_TIME, CANCELLED},
	{NULL},
};

const AgentFault snowflake_faults[] = {
	{BY_NUMBER(390100), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)},
	{BY_NUMBER(390101), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)},
	{BY_NUMBER(390144), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)}, /* of key pairs */
	{BY_NUMBER(390303), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)},
	{BY_NUMBER(390318), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)}, /* it has expired */
	{BY_NUMBER(394300), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)}, /* to 394309: programmatic access tokens */
	{BY_NUMBER(394304), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)},
	{BY_NUMBER(394307), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)},
	{BY_NUMBER(394400), AT_ANY_TIME, REFUSED(SNOWFLAKE_TOKEN)},
	{BY_NUMBER(390189), AT_ANY_TIME, DENIED(SNOWFLAKE_ROLE)},
	{BY_NUMBER(390201), AT_ANY_TIME, DENIED(SNOWFLAKE_ROLE)},
	{BY_NUMBER(3001), AT_ANY_TIME, DENIED(SNOWFLAKE_ROLE)},
	{BY_NUMBER(606), AT_ANY_TIME, {DQDS_INVALID_CONNECTION, "no warehouse is active at %h:%p: %m",
	 "Give a \"warehouse\" that the role may use."}},
	{BY_WORDS(2003, "Database"), AT_ANY_TIME, NO_PLACE("Check \"database\", and that the role may use it; a name in small letters is written with double quotes.")},
	{BY_WORDS(2043, NULL), AT_ANY_TIME, NO_PLACE("Check \"database\", \"warehouse\" and \"role\", and that the role may use them.")},
	{BY_WORDS(90105, NULL), AT_ANY_TIME, NO_PLACE("Check \"database\", and that the role may use it; a name in small letters is written with double quotes.")},
	{BY_NUMBER(604), AT_ANY_TIME, CANCELLED},
	{BY_NUMBER(630), AT_ANY_TIME, OUT_OF_TIME},
	{NULL},
};

const AgentFault bigquery_faults[] = {
	{BY_NUMBER(401), AT_ANY_TIME, REFUSED(BIGQUERY_KEY)},
	{BY_NAME("quotaExceeded"), AT_ANY_TIME, FULL},
	{BY_NAME("rateLimitExceeded"), AT_ANY_TIME, FULL},
	{BY_NUMBER(403), AT_ANY_TIME, DENIED(BIGQUERY_RIGHT)},
	{BY_NUMBER(404), AT_ANY_TIME, NO_PLACE("Check \"source_project_id\".")},
	{BY_WORDS(400, "project"), AT_ANY_TIME, NO_PLACE("Check \"source_project_id\".")},
	{BY_NUMBER(429), AT_ANY_TIME, FULL},
	{BY_NUMBER(503), AT_ANY_TIME, STARTING},
	{NULL},
};
/* clang-format on */
