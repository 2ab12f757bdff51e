/*
 * health.h
 *		Is the service healthy? The answer takes at most 100 ms.
 */
#ifndef BRIDGE_HEALTH_H
#define BRIDGE_HEALTH_H

#include <stdbool.h>

#include "options.h"

bool health_start(const Options *options);

/* To be called once, after the last request; may take a second. */
void health_stop(void);

/* True when the control database answered within the last second.  Waits 80 ms at most. */
bool health_is_good(void);

#endif /* BRIDGE_HEALTH_H */
