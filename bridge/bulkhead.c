/*
 * bulkhead.c
 *		How many connections of the pool each kind of request may hold.
 *
 * A request holds its connection as long as it waits: for a data source that
 * keeps silent, for a lock, for a client that reads slowly.  So that none of
 * these takes the others along:
 *		1. one caller holds at most half of the pool, and leaves an eighth of
 *		   that half to those of its own requests that wait for no data source;
 *		2. requests that wait for data sources leave an eighth of the pool to
 *		   those that do not, and the other way round;
 *		3. requests for one data source hold at most a quarter of the pool.
 *		   Here a data source is the name of a connection;
 *		4. requests that name their data source in the body hold a quarter
 *		   together: any of them may be for the same one, which so has at most
 *		   half.
 * Each limit is at least one connection.
 *
 * It only counts, and keeps nothing but the limits.  The connections, the lock
 * and who waits for them are pool.c's.
 */
#include "bulkhead.h"

#include <stdio.h>
#include <string.h>

static struct
{
	const char *size_option; /* which sets how many connections can be in use at once */
	int limits[LIMIT_CALLER_REMOTE + 1];
} bulkhead;

/* What the client is told.  %d is the limit. */
static const char *const explanations[] = {
	[LIMIT_ALL] = "all %d connections to the control database are in use",
	[LIMIT_LOCAL] = "%d requests that wait for no data source are running already, their limit",
	[LIMIT_REMOTE] = "%d requests are waiting for data sources already, the limit for all of them",
	[LIMIT_SOURCE] = "this data source already has %d requests waiting, its limit",
	[LIMIT_BODIES] =
		"%d requests that name their data source in the body are waiting already, their limit",
	[LIMIT_CALLER] = "this client already has %d requests running, its limit",
	[LIMIT_CALLER_REMOTE] =
		"this client already has %d requests waiting for data sources, its limit",
};

_Static_assert(sizeof(explanations) / sizeof(explanations[0]) ==
				   sizeof(bulkhead.limits) / sizeof(bulkhead.limits[0]),
			   "each limit has an explanation");

static int
at_least_one(int number)
{
	return number > 1 ? number : 1;
}

void
bulkhead_start(int pool_size, int threads)
{
	int size = threads < pool_size ? threads : pool_size;
	int half = at_least_one(size / 2);
	int but_an_eighth = at_least_one(size - at_least_one(size / 8));

	bulkhead.size_option = threads < pool_size ? "--threads" : "--pool-size";
	bulkhead.limits[LIMIT_ALL] = size;
	bulkhead.limits[LIMIT_LOCAL] = but_an_eighth;
	bulkhead.limits[LIMIT_REMOTE] = but_an_eighth;
	bulkhead.limits[LIMIT_SOURCE] = at_least_one(size / 4);
	bulkhead.limits[LIMIT_BODIES] = at_least_one(size / 4);
	bulkhead.limits[LIMIT_CALLER] = half;
	bulkhead.limits[LIMIT_CALLER_REMOTE] = half - half / 8;
}

static bool
is_remote(const Demand *demand)
{
	return demand->waits != WAITS_FOR_NOTHING;
}

static bool
have_one_source(const Demand *demand, const Demand *other)
{
	if (demand->waits != other->waits || !is_remote(demand))
		return false;
	return demand->waits == WAITS_FOR_SOME || strcmp(demand->source, other->source) == 0;
}

void
bulkhead_count(Usage *usage, const Demand *demand, const Demand *other)
{
	bool same_caller = strcmp(demand->caller, other->caller) == 0;

	usage->all++;
	usage->alike += is_remote(demand) == is_remote(other);
	usage->source += have_one_source(demand, other);
	usage->caller += same_caller;
	usage->caller_remote += same_caller && is_remote(other);
}

/*
 * The narrowest limit comes first: it is the one that the client can do
 * something about.
 */
Limit
bulkhead_limit(const Usage *usage, const Demand *demand)
{
	bool remote = is_remote(demand);
	const struct
	{
		Limit limit;
		bool applies;
		int held;
	} rules[] = {
		{LIMIT_SOURCE, demand->waits == WAITS_FOR_NAMED, usage->source},
		{LIMIT_BODIES, demand->waits == WAITS_FOR_SOME, usage->source},
		{LIMIT_CALLER, true, usage->caller},
		{LIMIT_CALLER_REMOTE, remote, usage->caller_remote},
		{LIMIT_REMOTE, remote, usage->alike},
		{LIMIT_LOCAL, !remote, usage->alike},
		{LIMIT_ALL, true, usage->all},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].applies && rules[i].held >= bulkhead.limits[rules[i].limit])
			return rules[i].limit;
	return LIMIT_NONE;
}

void
bulkhead_explain(Limit limit, char *message, size_t size)
{
	/* the formats are those of the table above, with one %d each */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	int len = snprintf(message, size, explanations[limit], bulkhead.limits[limit]);
#pragma GCC diagnostic pop

	if (len > 0 && (size_t) len < size)
		snprintf(message + len, size - (size_t) len, "; try again in a moment, or raise %s",
				 bulkhead.size_option);
}
