/*
 * serve.c
 *		One request, from its header to its answer and its line in the log.
 *
 * The steps, most of them in files of their own:
 *		1. is it plain HTTP (framing.c)?
 *		2. which route is it (router.c, routes.c)?
 *		3. who is the caller (access.c)?  A caller that is not known learns
 *		   nothing about paths, so its refusal comes before that of the path;
 *		4. does that caller hold its share of the threads already (caller.c,
 *		   seats.c)?  A token whose role is not known yet is proved first;
 *		5. the parameters: path, query and, last, the body (parameters.c), which
 *		   is waited for only when the control database knows the token;
 *		6. one call of the control database (call.c, pool.c, control.c), whose rows
 *		   become the body as they come (answer.c);
 *		7. or, from any step, an error body (error.c).
 * While the service stops, steps that need the control database are refused.
 */
#include "serve.h"

#include <string.h>

#include "access.h"
#include "answer.h"
#include "bulkhead.h"
#include "call.h"
#include "caller.h"
#include "clock.h"
#include "descriptor.h"
#include "framing.h"
#include "health.h"
#include "http_server.h"
#include "log.h"
#include "parameters.h"
#include "pool.h"
#include "router.h"
#include "seats.h"
#include "statements.h"

/* Not a status of HTTP: what the log says when the client did not wait for an answer. */
#define STATUS_CLIENT_GONE 499

static const Options *options;

void
serve_setup(const Options *the_options)
{
	options = the_options;
}

/* ---- The caller ---- */

/* Counts the thread of the request for its caller; false: the caller has its share already. */
static bool
take_share(HttpRequest *request, const Identity *identity, SeatShare share, Failure *failure)
{
	if (seat_charge(request->seat, identity->caller, share))
		return true;
	failure->error_code = "busy";
	failure->status = 503;
	seats_explain(share, failure->message, sizeof(failure->message));
	return false;
}

/* Asks the control database whether it knows the token, and as which role, which then is the caller. */
static bool
prove_token(HttpRequest *request, Identity *identity, Failure *failure)
{
	ControlCall call = {.statement = &statement_nothing,
						.token_hash = identity->token_hash,
						.deadline_ms = request->deadline_ms};
	ControlResult result;

	if (http_is_draining())
		return fail(failure, 503, "the service is stopping");
	call_run(request, identity, &call, WAITS_FOR_NOTHING, NULL, true, &result);
	identity->is_proved = result.outcome == CONTROL_OK;
	return identity->is_proved ? take_share(request, identity, SEATS_OF_ROLE, failure)
							   : fail_control(failure, &result, 400);
}

/* True when the token has been proved for this request already, and without a token. */
static bool
prove_once(HttpRequest *request, Identity *identity, Failure *failure)
{
	return identity->token_hash[0] == '\0' || identity->is_proved ||
		   prove_token(request, identity, failure);
}

/*
 * Finds out which caller the request counts for, and counts it.  Only the control
 * database knows the role of a token that comes for the first time: it is asked
 * before anything else, so that a client cannot hold the thread by sending slowly.
 */
static bool
know_caller(HttpRequest *request, Identity *identity, Failure *failure)
{
	if (identity->token_hash[0] == '\0')
	{
		caller_of_address(request->peer, identity->caller);
		return take_share(request, identity, SEATS_OF_ADDRESS, failure);
	}
	if (caller_of_token(identity->token_hash, request->peer, identity->caller))
		return take_share(request, identity, SEATS_OF_ROLE, failure);
	return take_share(request, identity, SEATS_OF_TOKENS, failure) &&
		   prove_token(request, identity, failure);
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
is_abandoned(void *context)
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

/* The client sees that the answer is not whole; only the log can say why. */
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
				  control_outcome_name(result->outcome),
				  result->outcome == CONTROL_REFUSED ? result->sqlstate : "");
	if (request->status == 0)
		request->status = STATUS_CLIENT_GONE;
}

/*
 * Once rows have been sent there is no way back to an error: the answer is broken
 * off, and the client sees that it is not whole.
 */
static bool
run_route(HttpRequest *request, const Route *route, const Parameters *parameters,
		  Identity *identity, Failure *failure)
{
	Exchange exchange = {.request = request, .route = route};
	ControlCall call = {.statement = &route->statement,
						.role = identity->role,
						.token_hash = identity->token_hash,
						.values = parameters->values,
						.value_count = parameters->count,
						.deadline_ms = request->deadline_ms,
						.on_row = take_row,
						.is_abandoned = is_abandoned,
						.context = &exchange};
	ControlResult result;
	bool answered = true;

	if (!answer_begin(&exchange.answer, request, route->status))
		return fail(failure, 503, "out of memory");
	call_run(request, identity, &call, route->waits, parameters->values[0],
			 strcmp(route->method, "GET") == 0, &result);
	if (!exchange.answer.streaming)
		call_explain_refusal(request, identity, route, &result);
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
 * A request that fails before it comes to the database has a token that nothing
 * has looked at.  A client without a valid one learns nothing else, not even
 * which paths there are.
 */
static bool
fail_token_first(HttpRequest *request, Identity *identity, const Failure *found, Failure *failure)
{
	if (prove_once(request, identity, failure))
		*failure = *found;
	return false;
}

static bool
has_body(const Route *route)
{
	for (int i = 0; i < MAX_PARAMETERS; i++)
		if (route->parameters[i].source == FROM_BODY)
			return true;
	return false;
}

static bool
serve_health(HttpRequest *request)
{
	bool good = !http_is_draining() && health_is_good();

	answer_whole(request, good ? 200 : 503, good ? "\"OK\"" : "\"UNAVAILABLE\"");
	return true;
}

static bool
serve_route(HttpRequest *request, const RouteMatch *match, Identity *identity, Failure *failure)
{
	Parameters parameters = {.count = 0};
	Failure unreadable = {.status = 0};
	bool answered;

	if (http_is_draining())
		return fail(failure, 503, "the service is stopping");
	if (has_body(match->route) && !prove_once(request, identity, failure))
		return false;
	if (parameters_read(request, match, (size_t) options->max_body, &parameters, &unreadable))
		answered = run_route(request, match->route, &parameters, identity, failure);
	else
		answered = fail_token_first(request, identity, &unreadable, failure);
	parameters_release(&parameters);
	return answered;
}

static bool
serve(HttpRequest *request, RouteMatch *match, Failure *failure)
{
	Identity identity = {.role = NULL};
	Failure no_route = {.status = 0};
	bool found;

	if (!framing_check(request, failure))
		return false;
	found = router_find(request->method, request->path, match, &no_route);
	if (found && match->route->form == ANSWER_HEALTH)
		return access_check(options, request, NULL, failure) && serve_health(request);
	if (!access_check(options, request, &identity, failure) ||
		!know_caller(request, &identity, failure))
		return false;
	return found ? serve_route(request, match, &identity, failure)
				 : fail_token_first(request, &identity, &no_route, failure);
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
