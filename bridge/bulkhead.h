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

/* Of what a share is. */
typedef enum ShareOf
{
	SHARE_OF_SOURCE, /* requests for the same data source, by the name of its connection */
	SHARE_OF_BODIES, /* requests that name their data source in the body */
	SHARE_OF_REMOTE, /* requests that wait for data sources */
	SHARE_OF_LOCAL,  /* requests that do not */
	SHARE_OF_POOL,   /* all requests */
	SHARES
} ShareOf;

/* Connections in use for each share that a demand belongs to.  Start with {0}. */
typedef struct Usage
{
	int by_all[SHARES];
	int by_caller[SHARES]; /* by the caller of the demand */
} Usage;

/* What keeps a request from a connection. */
typedef struct Limit
{
	ShareOf share;
	bool is_of_caller;
} Limit;

/* Sets the limits; to be called once, before any other function. */
void bulkhead_start(int pool_size, int threads);

/* Counts a connection that is in use for the demand other. */
void bulkhead_count(Usage *usage, const Demand *demand, const Demand *other);

/* True when the demand may have one more connection; else *limit is what keeps it from that. */
bool bulkhead_has_room(const Usage *usage, Limit *limit);

/* Writes a message for the client: which limit it is, and how high. */
void bulkhead_explain(const Limit *limit, char *message, size_t size);

#endif /* BRIDGE_BULKHEAD_H */
