/*
 * diagnosis_json.c
 *		Writes the steps of a diagnosis as JSON, for the bridge.
 *
 * It is a part of the answer to a test of a connection (test_json.c): the bridge has no route
 * for a diagnosis alone.
 *
 * Owns: the names of the members.  It must not know what a step says.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "functions/diagnosis_json.h"
#include "functions/diagnosis_steps.h"
#include "listing/json_out.h"

/*
 * Append the member details, an array of DIAGNOSIS_STEPS objects, to an object that is being
 * written and has members already.
 */
void
diagnosis_json_append(StringInfo text, const DiagnosisStep *steps)
{
	json_out_name(text, "details");
	for (int i = 0; i < DIAGNOSIS_STEPS; i++)
	{
		appendStringInfoString(text, i == 0 ? "[{" : ",{");
		json_out_string(text, "step", steps[i].name);
		json_out_string(text, "status", steps[i].status);
		if (steps[i].elapsed_ms >= 0)
		{
			json_out_name(text, "elapsedMs");
			appendStringInfo(text, "%.3f", steps[i].elapsed_ms);
		}
		json_out_string(text, "message", steps[i].message);
		json_out_string(text, "hint", steps[i].hint);
		appendStringInfoChar(text, '}');
	}
	appendStringInfoChar(text, ']');
}
