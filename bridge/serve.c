/*
 * serve.c
 *		One request, from its header to its answer and its line in the log.
 *
 * The steps, each in a file of its own:
 *		1. is it plain HTTP (framing.c), and are we not stopping?
 *		2. which route is it (router.c, routes.c)?
 *		3. who asks (access.c)?  A stranger learns nothing about paths, so this
 *		   is told first;
 *		4. the parameters: path, query and, last, the body (parameters.c);
 *		5. one call of the control database (pool.c, control.c), whose rows
 *		   become the body as they come (answer.c);
 *		6. or, from any step, an error body (error.c).
 */
#include "serve.h"

#include <string.h>

#include "access.h"
#include "answer.h"
#include "bulkhead.h"
#include "clock.h"
#include "descriptor.h"
#include "framing.h"
#include "health.h"
#include "log.h"
#include "parameters.h"
#include "pool.h"
#include "router.h"

/* Not a status of HTTP: what the log says when the client did not wait for an answer. */
#define STATUS_CLIENT_GONE 499

static const Options *options;

void
serve_setup(const Options *the_options)
{
	options = the_options;
}

/* ---- The call and its rows ---- */

typedef struct Exchange
{
	HttpRequest *request;
	const Route *route;
	Answer answer;
	uint64_t rows;
} Exchange;

static bool
take_row(void *context, const char *data, size_t len)
{
	Exchange *exchange = context;
	bool first = exchange->rows++ == 0;

	if (exchange->route->form == ANSWER_EMPTY)
		return true;
	if (exchange->route->form == ANSWER_ARRAY &&
		!answer_append(&exchange->answer, first ? "[" : ",", 1))
		return false;
	return answer_append(&exchange->answer, data, len);
}

static bool
nobody_waits(void *context)
{
	Exchange *exchange = context;

	return http_is_broken_off() || descriptor_peer_is_gone(http_descriptor(exchange->request));
}

static void
finish_answer(Exchange *exchange)
{
	if (exchange->route->form == ANSWER_EMPTY)
	{
		answer_whole(exchange->request, exchange->route->status, NULL);
		return;
	}
	if (exchange->route->form == ANSWER_ARRAY)
		answer_append(&exchange->answer, exchange->rows == 0 ? "[]" : "]",
					  exchange->rows == 0 ? 2 : 1);
	answer_finish(&exchange->answer);
}

/* What went out already is no answer, and says so to the client; why, only the log can tell. */
static void
break_off(Exchange *exchange, const ControlResult *result)
{
	HttpRequest *request = exchange->request;

	/* that of HEAD is whole with its headers */
	if (exchange->answer.streaming && request->is_http10 && strcmp(request->method, "HEAD") != 0)
		http_reset(request);
	if (result->outcome != CONTROL_STOPPED)
		log_event(LOG_WARNING, "the answer to %s %.500s was broken off after %llu rows: %s%s",
				  request->method, request->path, (unsigned long long) exchange->rows,
				  control_outcome_name(result->outcome), result->sqlstate);
	if (request->status == 0)
		request->status = STATUS_CLIENT_GONE;
}

/*
 * Once rows went out there is no way back to an error: the answer is broken
 * off, and the client sees that it is not whole.
 */
static bool
run_route(HttpRequest *request, const Route *route, const Parameters *parameters,
		  const Identity *identity, Failure *failure)
{
	Exchange exchange = {.request = request, .route = route};
	ControlCall call = {.statement = &route->statement,
						.role = identity->role,
						.token_hash = identity->token_hash,
						.values = parameters->values,
						.value_count = parameters->count,
						.deadline_ms = request->deadline_ms,
						.on_row = take_row,
						.is_abandoned = nobody_waits,
						.context = &exchange};
	ControlResult result;
	bool answered = true;

	if (!answer_begin(&exchange.answer, request, route->status))
		return fail(failure, 503, "out of memory");
	pool_run(&call, bulkhead_target(route->waits, parameters->values[0]),
			 strcmp(route->method, "GET") == 0, &result);
	memcpy(request->role, result.role, sizeof(request->role));
	if (result.outcome == CONTROL_OK)
		finish_answer(&exchange);
	else if (!exchange.answer.streaming && result.outcome != CONTROL_STOPPED)
		answered = fail_control(failure, &result, route->remote_failure_status);
	else
		break_off(&exchange, &result);
	answer_release(&exchange.answer);
	return answered;
}

/* ---- The steps ---- */

/*
 * A request that fails before it comes to the database has a token that nobody
 * has looked at.  Who has no valid one learns nothing else, not even which
 * paths there are.
 */
static bool
fail_token_first(HttpRequest *request, const Identity *identity, Failure *failure)
{
	static const Statement prove = {"dqds_bridge_prove_token", "SELECT 1"};
	ControlCall call = {.statement = &prove,
						.token_hash = identity->token_hash,
						.deadline_ms = request->deadline_ms};
	ControlResult result;

	if (identity->token_hash[0] == '\0')
		return false;
	if (http_is_draining())
		return fail(failure, 503, "the service is stopping");
	pool_run(&call, bulkhead_target(WAITS_FOR_NOTHING, NULL), true, &result);
	memcpy(request->role, result.role, sizeof(request->role));
	return result.outcome == CONTROL_OK ? false : fail_control(failure, &result, 400);
}

static bool
serve_health(HttpRequest *request)
{
	bool good = !http_is_draining() && health_is_good();

	answer_whole(request, good ? 200 : 503, good ? "\"OK\"" : "\"UNAVAILABLE\"");
	return true;
}

static bool
serve_route(HttpRequest *request, const RouteMatch *match, const Identity *identity,
			Failure *failure)
{
	Parameters parameters = {.count = 0};
	bool answered;

	if (http_is_draining())
		return fail(failure, 503, "the service is stopping");
	if (parameters_read(request, match, (size_t) options->max_body, &parameters, failure))
		answered = run_route(request, match->route, &parameters, identity, failure);
	else
		answered = fail_token_first(request, identity, failure);
	parameters_release(&parameters);
	return answered;
}

static bool
serve(HttpRequest *request, RouteMatch *match, Failure *failure)
{
	Identity identity = {.role = NULL};
	Failure no_route = {.status = 0};
	Failure denied = {.status = 0};
	bool found;
	bool is_health;

	if (!framing_check(request, failure))
		return false;
	found = router_find(request->method, request->path, match, &no_route);
	is_health = found && match->route->form == ANSWER_HEALTH;
	*failure = no_route;
	if (!access_check(options, request, is_health ? NULL : &identity, &denied))
		*failure = denied;
	else if (!found)
		return fail_token_first(request, &identity, failure);
	if (failure->status != 0)
		return false;
	return is_health ? serve_health(request) : serve_route(request, match, &identity, failure);
}

/* ---- Entry points ---- */

static void
log_answer(const HttpRequest *request)
{
	LogRequest line = {.method = request->method,
					   .path = request->path,
					   .role = request->role[0] != '\0' ? request->role : NULL,
					   .status = request->status,
					   .bytes = request->bytes_sent,
					   .ms = clock_now_ms() - request->started_ms};

	log_request(&line);
}

void
serve_request(HttpRequest *request)
{
	RouteMatch match = {.route = NULL};
	Failure failure = {.status = 0};

	if (!serve(request, &match, &failure))
		answer_failure(request, &failure);
	router_release(&match);
	log_answer(request);
}

void
serve_failure(HttpRequest *request, const Failure *failure)
{
	answer_failure(request, failure);
	log_answer(request);
}
