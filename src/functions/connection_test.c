/*
 * connection_test.c
 *		Tests a connection.
 *
 * A test always logs in again: a session that was opened a minute ago would
 * prove nothing about the password.  It must not know how the result is shown.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "nodes/pg_list.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

#include "arguments/connection_argument.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "engine/engine.h"
#include "functions/connection_test.h"
#include "functions/diagnosis_steps.h"
#include "model/model.h"
#include "model/target.h"
#include "registry/registry.h"
#include "wire/question.h"

/* Set up an operation that tests the target. */
void
test_prepare(Operation *operation, const Target *target)
{
	memset(operation, 0, sizeof(*operation));
	operation->target = target;
	operation->query.question = QUESTION_PROBE;
	operation->fresh = true;
}

/* Store the outcome of that operation in the result. */
void
test_take_outcome(const Operation *operation, TestResult *result)
{
	result->failure = operation->failure;
	result->result = operation->failure.code == DQDS_OK ? "SUCCESS" : "FAILURE";
	result->server_version = operation->server_version;
	result->tls = operation->tls;
	result->elapsed_ms = operation->elapsed_ms;
}

/* The warnings about a connection's model (char *), whatever the result of the test. */
List *
test_warnings(const ConnectionArgument *connection)
{
	return connection->model == NULL ? NIL : model_warnings(connection->model);
}

static void
refuse_existing_name(TestResult *result)
{
	result->result = "CONNECTION_ALREADY_EXISTS";
	failure_set(&result->failure, DQDS_OK, NULL, "connection \"%s\" already exists", result->name);
}

/* May the caller create connections, by any overload of that function? */
static bool
may_create(const Caller *caller)
{
	CatCList *functions =
		SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum("dqds_create_connection"));
	bool may = false;

	for (int i = 0; i < functions->n_members && !may; i++)
	{
		Form_pg_proc function = (Form_pg_proc) GETSTRUCT(&functions->members[i]->tuple);

		may = function->pronamespace == caller->schema &&
			  dqds_may_execute(function->oid, caller->role);
	}
	ReleaseSysCacheList(functions);
	return may;
}

/*
 * Is there a connection with this name, as far as the caller may know?  It does
 * not exist for a caller that may not use it, unless the caller could find out
 * with dqds_create_connection.
 */
static bool
name_is_taken(const Caller *caller, const char *name)
{
	RegistryEntry entry;

	return registry_find(caller, name, &entry) &&
		   (registry_may_use(caller, &entry) || may_create(caller));
}

/*
 * Test one connection.  If verify_name is set and the name of a model is taken,
 * the result says so, and there is no test.  Unless steps is NULL, it receives
 * how far the test got; returns whether it was filled.
 */
bool
test_connection(const Caller *caller, const ConnectionArgument *connection, bool verify_name,
				DiagnosisStep *steps, TestResult *result)
{
	Operation operation;

	memset(result, 0, sizeof(*result));
	result->name = connection->name;
	result->warnings = test_warnings(connection);
	if (connection->ad_hoc && verify_name && connection->name != NULL &&
		name_is_taken(caller, connection->name))
	{
		refuse_existing_name(result);
		return false;
	}
	test_prepare(&operation, &connection->target);
	if (steps != NULL)
		/* Literal addresses are not for HTTP clients. */
		diagnose_steps(caller, connection, false, &operation, steps);
	else if (connection->failure.code == DQDS_OK)
		engine_run(&operation, 1, caller->role);
	else
		operation.failure = connection->failure;
	test_take_outcome(&operation, result);
	return steps != NULL;
}
