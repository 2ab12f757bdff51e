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
 * Runs a call on a connection of the pool.
 *
 * target, from bulkhead_target(), says what the call will wait for.  When all
 * connections that it may have are in use, it waits a little as long as they
 * are given back, and is CONTROL_BUSY at once, with the reason as message, when
 * they are stuck.  A call that may_repeat is run again, once, if a connection
 * that had been idle turns out to be dead.
 */
void pool_run(const ControlCall *call, uint64_t target, bool may_repeat, ControlResult *result);

#endif /* BRIDGE_POOL_H */
