/*
 * diagnose_functions.c
 *		dqds_diagnose_connection: shows how far a connection gets, one row for each step.
 *
 * Owns: who is shown literal addresses, which are admins.
 */
#include "postgres.h"

#include "fmgr.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "engine/engine.h"
#include "functions/diagnosis_steps.h"
#include "listing/rows.h"

PG_FUNCTION_INFO_V1(dqds_diagnose_connection_1_1);

/* dqds_diagnose_connection(connection) */
Datum
dqds_diagnose_connection_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	ConnectionArgument connection;
	Operation operation;
	DiagnosisStep steps[DIAGNOSIS_STEPS];
	RowsOut rows;

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	rows_open(fcinfo, &rows);
	connection_argument(&caller, fcinfo, &connection);
	diagnose_steps(&caller, &connection, caller_is_admin(&caller), &operation, steps);
	for (int i = 0; i < DIAGNOSIS_STEPS; i++)
	{
		Datum values[5];
		bool nulls[5] = {false};

		row_text(&values[0], &nulls[0], steps[i].name);
		row_text(&values[1], &nulls[1], steps[i].status);
		values[2] = Float8GetDatum(steps[i].elapsed_ms);
		nulls[2] = steps[i].elapsed_ms < 0;
		row_text(&values[3], &nulls[3], steps[i].message);
		row_text(&values[4], &nulls[4], steps[i].hint);
		rows_put(&rows, values, nulls);
	}
	statement_show(&scope);
	return (Datum) 0;
}
