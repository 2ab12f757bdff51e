/*
 * connection_test.h
 *		Tests a connection.
 */
#ifndef DQDS_CONNECTION_TEST_H
#define DQDS_CONNECTION_TEST_H

#include "nodes/pg_list.h"

#include "arguments/connection_argument.h"
#include "base/failure.h"
#include "engine/engine.h"
#include "functions/diagnosis_steps.h"

typedef struct TestResult
{
	const char *name;   /* of the connection, or NULL */
	const char *result; /* a word of the published enum */
	Failure failure;
	char *server_version;
	char *tls;
	double elapsed_ms;
	List *warnings; /* about the model (char *) */
} TestResult;

extern void test_prepare(Operation *operation, const Target *target);
extern void test_take_outcome(const Operation *operation, TestResult *result);
extern List *test_warnings(const ConnectionArgument *connection);
extern bool test_connection(const Caller *caller, const ConnectionArgument *connection,
							bool verify_name, DiagnosisStep *steps, TestResult *result);

#endif /* DQDS_CONNECTION_TEST_H */
