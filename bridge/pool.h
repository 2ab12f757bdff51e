/*
 * pool.h
 *		The connections to the control database, shared by all requests.
 */
#ifndef BRIDGE_POOL_H
#define BRIDGE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "options.h"

bool pool_start(const Options *options);
void pool_stop(void);

/*
 * Runs a call on a connection of the pool; waits a little when all are in use.
 *
 * target, unless NULL, names what the call will wait for: calls for one target
 * get at most half of the pool.  A call that may_repeat is run again, once, if
 * a connection that had been idle turns out to be dead.
 */
void pool_run(const ControlCall *call, const char *target, bool may_repeat, ControlResult *result);

#endif /* BRIDGE_POOL_H */
