/*
 * faults.h
 *		The tables of faults: faults_*.c hold them, failure_agent.c reads them.
 */
#ifndef DQDS_AGENT_FAULTS_H
#define DQDS_AGENT_FAULTS_H

#include "model/provider.h"
#include "wire/failure_explain.h"
#include "wire/wire.h"

/* When a row counts. */
typedef enum FaultPhase
{
	IN_ANY_PHASE,
	IN_LOGIN,
	IN_QUERY
} FaultPhase;

/* What a fault means; the first row that fits counts. */
typedef struct AgentFault
{
	const char *kind;  /* protocol.h; NULL ends the table */
	long number;       /* 0: any */
	const char *state; /* NULL: any */
	const char *piece; /* of the text; NULL: any */
	FaultPhase phase;
	LoginStatus outlook; /* of a login: LOGIN_REFUSED or LOGIN_HUNG_UP */
	Explanation explanation;
} AgentFault;

extern const AgentFault mysql_faults[];
extern const AgentFault trino_faults[];
extern const AgentFault clickhouse_faults[];
extern const AgentFault http_faults[];
extern const AgentFault duckdb_faults[];
extern const AgentFault databricks_faults[];
extern const AgentFault snowflake_faults[];
extern const AgentFault bigquery_faults[];
extern const AgentFault sqlserver_faults[];
extern const AgentFault oracle_faults[];
extern const AgentFault db2_faults[];
extern const AgentFault hana_faults[];
extern const AgentFault teradata_faults[];
extern const AgentFault odbc_faults[];

#endif /* DQDS_AGENT_FAULTS_H */
