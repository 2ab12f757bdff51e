/*
 * diagnosis_steps.h
 *		Finds out how far a connection gets, step by step.
 */
#ifndef DQDS_DIAGNOSIS_STEPS_H
#define DQDS_DIAGNOSIS_STEPS_H

#include "arguments/connection_argument.h"
#include "engine/engine.h"

typedef struct Caller Caller;

#define DIAGNOSIS_STEPS 9

typedef struct DiagnosisStep
{
	const char *name;
	const char *status; /* ok, warning, failed, skipped */
	double elapsed_ms;  /* negative if not measured */
	const char *message;
	const char *hint;
} DiagnosisStep;

extern void diagnose_steps(const Caller *caller, const ConnectionArgument *connection,
						   bool show_addresses, Operation *operation, DiagnosisStep *steps);

#endif /* DQDS_DIAGNOSIS_STEPS_H */
