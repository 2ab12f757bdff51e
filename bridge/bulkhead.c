/*
 * bulkhead.c
 *		How many connections of the pool each kind of request may hold.
 *
 * A request holds its connection as long as it waits: for a data source that
 * does not answer, for a lock, for a client that reads slowly.  So that none of
 * these can use up the pool:
 *		1. requests that wait for data sources leave an eighth of the pool to
 *		   those that do not, and the other way round;
 *		2. requests for one data source hold at most a quarter of the pool.
 *		   Here a data source is the name of a connection;
 *		3. requests that name their data source in the body hold a quarter
 *		   together: any of them may be for the same one, which so has at most
 *		   half;
 *		4. one caller holds at most half of the pool, and of what is for requests
 *		   that wait for data sources or that do not; and three quarters of what
 *		   is for one data source, or for bodies.
 * Each limit is at least one connection.
 *
 * It counts, keeps the limits, and says which one is reached.  The connections,
 * the lock and the calls that wait belong to pool.c.
 */
#include "bulkhead.h"

#include <stdio.h>
#include <string.h>

static struct
{
	const char *size_option; /* which sets how many connections can be in use at once */
	int limits[SHARES];
} bulkhead;

/* The messages for clients.  %d is the limit. */
static const struct
{
	const char *of_all;
	const char *of_caller;
} explanations[SHARES] = {
	[SHARE_OF_SOURCE] = {"this data source already has %d requests waiting, its limit",
						 "this client already has %d requests waiting for this data source, its "
						 "limit"},
	[SHARE_OF_BODIES] =
		{"%d requests that name their data source in the body are running already, their limit",
		 "this client already has %d requests running that name their data source in the body, "
		 "its limit"},
	[SHARE_OF_REMOTE] = {"%d requests are waiting for data sources already, their limit",
						 "this client already has %d requests waiting for data sources, its "
						 "limit"},
	[SHARE_OF_LOCAL] =
		{"%d requests that wait for no data source are running already, their limit",
		 "this client already has %d requests running that wait for no data source, its limit"},
	[SHARE_OF_POOL] = {"all %d connections to the control database are in use",
					   "this client already has %d requests running, its limit"},
};

static int
at_least_one(int number)
{
	return number > 1 ? number : 1;
}

static int
limit_of(const Limit *limit)
{
	bool is_narrow = limit->share == SHARE_OF_SOURCE || limit->share == SHARE_OF_BODIES;
	int number = bulkhead.limits[limit->share];

	if (!limit->is_of_caller)
		return number;
	return at_least_one(is_narrow ? number * 3 / 4 : number / 2);
}

void
bulkhead_start(int pool_size, int threads)
{
	int size = threads < pool_size ? threads : pool_size;
	int but_an_eighth = at_least_one(size - at_least_one(size / 8));

	bulkhead.size_option = threads < pool_size ? "--threads" : "--pool-size";
	bulkhead.limits[SHARE_OF_SOURCE] = at_least_one(size / 4);
	bulkhead.limits[SHARE_OF_BODIES] = at_least_one(size / 4);
	bulkhead.limits[SHARE_OF_REMOTE] = but_an_eighth;
	bulkhead.limits[SHARE_OF_LOCAL] = but_an_eighth;
	bulkhead.limits[SHARE_OF_POOL] = size;
}

static bool
belongs_to(const Demand *demand, ShareOf share)
{
	switch (share)
	{
		case SHARE_OF_SOURCE:
			return demand->waits == WAITS_FOR_NAMED;
		case SHARE_OF_BODIES:
			return demand->waits == WAITS_FOR_SOME;
		case SHARE_OF_REMOTE:
			return demand->waits != WAITS_FOR_NOTHING;
		case SHARE_OF_LOCAL:
			return demand->waits == WAITS_FOR_NOTHING;
		case SHARE_OF_POOL:
		case SHARES:
			break;
	}
	return true;
}

void
bulkhead_count(Usage *usage, const Demand *demand, const Demand *other)
{
	bool is_same_caller = strcmp(demand->caller, other->caller) == 0;

	for (ShareOf share = 0; share < SHARES; share++)
	{
		if (!belongs_to(demand, share) || !belongs_to(other, share) ||
			(share == SHARE_OF_SOURCE && strcmp(demand->source, other->source) != 0))
			continue;
		usage->by_all[share]++;
		usage->by_caller[share] += is_same_caller;
	}
}

/* A share that the demand does not belong to was not counted, and has room. */
bool
bulkhead_has_room(const Usage *usage, Limit *limit)
{
	for (ShareOf share = 0; share < SHARES; share++)
	{
		*limit = (Limit){share, true};
		if (usage->by_caller[share] >= limit_of(limit))
			return false;
		*limit = (Limit){share, false};
		if (usage->by_all[share] >= limit_of(limit))
			return false;
	}
	return true;
}

void
bulkhead_explain(const Limit *limit, char *message, size_t size)
{
	const char *format = limit->is_of_caller ? explanations[limit->share].of_caller
											 : explanations[limit->share].of_all;
	int len;

	/* each format of the table has one %d */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	len = snprintf(message, size, format, limit_of(limit));
#pragma GCC diagnostic pop
	if (len > 0 && (size_t) len < size)
		snprintf(message + len, size - (size_t) len, "; try again in a moment, or raise %s",
				 bulkhead.size_option);
}
