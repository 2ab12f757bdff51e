/*
 * call.h
 *		Calls of the control database on behalf of a request.
 */
#ifndef BRIDGE_CALL_H
#define BRIDGE_CALL_H

#include <stdbool.h>

#include "access.h"
#include "bulkhead.h"
#include "control.h"
#include "http.h"
#include "routes.h"

/*
 * One call of the control database for this request, which counts for its caller;
 * keeps what the answer says about the token.  source is the name of the connection with
 * WAITS_FOR_NAMED.
 */
void call_run(HttpRequest *request, Identity *identity, const ControlCall *call, Waits waits,
			  const char *source, bool may_repeat, ControlResult *result);

/*
 * If PostgreSQL has refused the call of a route because the role may not execute
 * its function: asks which level is missing, and puts that in place of PostgreSQL's
 * own words.  Otherwise result stays as it is.
 */
void call_explain_refusal(HttpRequest *request, Identity *identity, const Route *route,
						  ControlResult *result);

#endif /* BRIDGE_CALL_H */
