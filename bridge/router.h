/*
 * router.h
 *		From method and path to a route.
 */
#ifndef BRIDGE_ROUTER_H
#define BRIDGE_ROUTER_H

#include "error.h"
#include "routes.h"

#define MAX_SEGMENTS 16

/* Release it with router_release(), also after a failure. */
typedef struct RouteMatch
{
	const Route *route;               /* NULL: none */
	const char *values[MAX_SEGMENTS]; /* decoded, one for each {} of the path, in their order */
	char *storage;
} RouteMatch;

/*
 * Finds the route of a method and a raw path.  404 when there is no such path,
 * 405 when it has other methods, 400 when it is not valid percent-encoded UTF-8.
 */
bool router_find(const char *method, const char *path, RouteMatch *match, Failure *failure);
void router_release(RouteMatch *match);

#endif /* BRIDGE_ROUTER_H */
