/*
 * call.c
 *		Calls of the control database on behalf of a request.
 *
 * Which level a function needs is known to the extension alone: it is asked when
 * a call has been refused.
 */
#include "call.h"

#include <stdio.h>
#include <string.h>

#include "caller.h"
#include "pool.h"
#include "statements.h"

void
call_run(HttpRequest *request, Identity *identity, const ControlCall *call, Waits waits,
		 const char *source, bool may_repeat, ControlResult *result)
{
	char caller[CALLER_SIZE]; /* the pool's, as long as the call runs */
	Demand demand = {.caller = caller, .waits = waits, .source = source};

	memcpy(caller, identity->caller, sizeof(caller));
	pool_run(call, &demand, may_repeat, result);
	if (result->role[0] != '\0')
		memcpy(request->role, result->role, sizeof(request->role));
	if (identity->token_hash[0] == '\0')
		return;
	if (result->role[0] != '\0')
		caller_learn(identity->token_hash, result->role, identity->caller);
	else if (result->outcome == CONTROL_REFUSED && result->in_role)
		caller_forget(identity->token_hash);
}

/* ---- What a role lacks ---- */

typedef struct Sentence
{
	char text[sizeof(((ControlResult *) NULL)->message)];
} Sentence;

static bool
take_sentence(void *context, const char *data, size_t len)
{
	Sentence *sentence = context;

	snprintf(sentence->text, sizeof(sentence->text), "%.*s", (int) len, data);
	return true;
}

static bool
is_refusal(const ControlResult *result)
{
	return result->outcome == CONTROL_REFUSED && !result->in_role &&
		   strcmp(result->sqlstate, "42501") == 0;
}

/* The name of the function that the statement of a route calls; false: it calls none. */
static bool
function_of(const Route *route, char *name, size_t size)
{
	static const char prefix[] = "pg_catalog.dqds_";
	const char *call = route->statement.sql ? strstr(route->statement.sql, prefix) : NULL;

	if (call == NULL)
		return false;
	call += strlen("pg_catalog.");
	snprintf(name, size, "%.*s", (int) strcspn(call, "("), call);
	return true;
}

/* The name of a role is for clients that have a token of it: anyone may send a request without one. */
void
call_explain_refusal(HttpRequest *request, Identity *identity, const Route *route,
					 ControlResult *result)
{
	char function[64];
	const char *values[] = {function, identity->token_hash[0] != '\0' ? "true" : "false"};
	Sentence sentence = {.text = ""};
	ControlCall call = {.statement = &statement_missing_level,
						.role = identity->role,
						.token_hash = identity->token_hash,
						.values = values,
						.value_count = 2,
						.deadline_ms = request->deadline_ms,
						.on_row = take_sentence,
						.context = &sentence};
	ControlResult answer;

	if (!is_refusal(result) || !function_of(route, function, sizeof(function)))
		return;
	call_run(request, identity, &call, WAITS_FOR_NOTHING, NULL, true, &answer);
	if (answer.outcome != CONTROL_OK || sentence.text[0] == '\0')
		return;
	memcpy(result->message, sentence.text, sizeof(result->message));
	result->hint[0] = '\0';
}
