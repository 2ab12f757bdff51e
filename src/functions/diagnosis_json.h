/*
 * diagnosis_json.h
 *		Writes the steps of a diagnosis as JSON, for the bridge.
 */
#ifndef DQDS_DIAGNOSIS_JSON_H
#define DQDS_DIAGNOSIS_JSON_H

#include "lib/stringinfo.h"

#include "functions/diagnosis_steps.h"

extern void diagnosis_json_append(StringInfo text, const DiagnosisStep *steps);

#endif /* DQDS_DIAGNOSIS_JSON_H */
