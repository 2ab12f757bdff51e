/*
 * pool.h
 *		The connections to the control database, shared by all requests.
 */
#ifndef BRIDGE_POOL_H
#define BRIDGE_POOL_H

#include <stdbool.h>

#include "bulkhead.h"
#include "control.h"
#include "configuration.h"

bool pool_start(const Options *options);
void pool_stop(void);

/*
 * Runs a call on a connection of the pool.
 *
 * When the demand has no connection to spare, it waits some seconds for one,
 * and then is CONTROL_BUSY, with the reason as message.  A call that may_repeat
 * is run again, once, if a connection that had been idle turns out to be dead.
 */
void pool_run(const ControlCall *call, const Demand *demand, bool may_repeat,
			  ControlResult *result);

#endif /* BRIDGE_POOL_H */
