/*
 * bulkhead.h
 *		How many connections of the pool each kind of request may hold.
 */
#ifndef BRIDGE_BULKHEAD_H
#define BRIDGE_BULKHEAD_H

#include <stdbool.h>
#include <stddef.h>

/* What a request may wait for, besides the control database. */
typedef enum Waits
{
	WAITS_FOR_NOTHING,
	WAITS_FOR_NAMED, /* the data source of a connection whose name is known */
	WAITS_FOR_SOME   /* a data source that the body names; the bridge does not read bodies */
} Waits;

/* On whose behalf a connection is wanted, and what for.  The texts are the caller's. */
typedef struct Demand
{
	const char *caller; /* as caller.h names it */
	Waits waits;
	const char *source; /* with WAITS_FOR_NAMED: the name of the connection */
} Demand;

/* Connections in use, counted from the point of view of one demand.  Start with {0}. */
typedef struct Usage
{
	int all;
	int alike;         /* by requests that wait for data sources, or that do not, as this one */
	int source;        /* by requests for the same data source, or that name theirs in the body */
	int caller;        /* by the same caller */
	int caller_remote; /* by the same caller, for data sources */
} Usage;

/* What keeps a request from a connection. */
typedef enum Limit
{
	LIMIT_NONE,
	LIMIT_ALL,
	LIMIT_LOCAL,
	LIMIT_REMOTE,
	LIMIT_SOURCE,
	LIMIT_BODIES,
	LIMIT_CALLER,
	LIMIT_CALLER_REMOTE
} Limit;

/* Sets the limits; to be called once, before any other function. */
void bulkhead_start(int pool_size, int threads);

/* Counts a connection that is in use for the demand other. */
void bulkhead_count(Usage *usage, const Demand *demand, const Demand *other);

/* The limit that keeps the demand from one more connection, or LIMIT_NONE. */
Limit bulkhead_limit(const Usage *usage, const Demand *demand);

/* Writes a message for the client: which limit it is, and how high. */
void bulkhead_explain(Limit limit, char *message, size_t size);

#endif /* BRIDGE_BULKHEAD_H */
