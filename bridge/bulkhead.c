/*
 * bulkhead.c
 *		How many connections of the pool may wait for what.
 *
 * A data source that keeps silent holds everybody who asks for it until his
 * deadline.  So that it takes neither the pool nor the other data sources along:
 *		1. some connections are kept for requests that wait for no data source;
 *		2. of the others nobody takes more than he leaves to the rest, so that
 *		   several silent sources still leave something for one more;
 *		3. one data source holds at most half of the pool (of a pool of three, two).
 * Here a data source is the name of a connection.
 *
 * The body of a request may tell any data source, and nobody here reads it.  So
 * all requests that have their data source in the body share alike, and for the
 * third rule they count as if they waited for the same one as everybody else.
 *
 * It only counts.  The connections and the lock are those of pool.c.
 */
#include "bulkhead.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"

/* One in so many connections, but at least one, is kept for those who wait for no data source. */
#define KEPT_FRACTION 8

/* Of the half that those with a name and those with a body may have, what either leaves to the other. */
#define LEFT_EIGHTHS 3

#define TARGET_NONE 0
#define TARGET_SOME 2 /* those of names are odd */

struct Share
{
	uint64_t target;
	int held;
	int64_t entered_ms; /* when it last got one */
};

static struct
{
	int size;                /* how many connections can be in use at once */
	const char *size_option; /* which sets that */
	int half;                /* for one data source */
	int left;                /* of it, for those of the other kind */
	int remote;              /* for all of them */
	int remote_held;
	int64_t remote_entered_ms; /* as in Share */
	int64_t entered_ms;
	Share none;
	Share some;
	Share *named; /* one that holds nothing is nobody's */
	int named_count;
} bulkhead;

static int
at_least_one(int number)
{
	return number > 1 ? number : 1;
}

bool
bulkhead_start(int pool_size, int threads)
{
	bulkhead.size = threads < pool_size ? threads : pool_size;
	bulkhead.size_option = threads < pool_size ? "--threads" : "--pool-size";
	bulkhead.half = bulkhead.size / 2;
	bulkhead.left = at_least_one(bulkhead.half * LEFT_EIGHTHS / 8);
	bulkhead.remote = at_least_one(bulkhead.size - at_least_one(bulkhead.size / KEPT_FRACTION));
	bulkhead.none.target = TARGET_NONE;
	bulkhead.some.target = TARGET_SOME;
	/* one more than can be in use: a new name finds its place */
	bulkhead.named_count = bulkhead.remote + 1;
	bulkhead.named = calloc((size_t) bulkhead.named_count, sizeof(Share));
	return bulkhead.named != NULL;
}

void
bulkhead_stop(void)
{
	free(bulkhead.named);
}

/* FNV-1a. */
static uint64_t
hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (unsigned char) *c) * 0x100000001b3;
	return hash;
}

uint64_t
bulkhead_target(Waits waits, const char *name)
{
	switch (waits)
	{
		case WAITS_FOR_NAMED:
			return hash_name(name) | 1;
		case WAITS_FOR_SOME:
			return TARGET_SOME;
		case WAITS_FOR_NOTHING:
			break;
	}
	return TARGET_NONE;
}

static Share *
share_of_name(uint64_t target)
{
	Share *unused = NULL;

	for (int i = 0; i < bulkhead.named_count; i++)
	{
		Share *share = &bulkhead.named[i];

		if (share->held == 0)
			unused = share;
		else if (share->target == target)
			return share;
	}
	unused->target = target;
	return unused;
}

Share *
bulkhead_share(uint64_t target)
{
	if (target == TARGET_NONE)
		return &bulkhead.none;
	return target == TARGET_SOME ? &bulkhead.some : share_of_name(target);
}

static int
largest_named(void)
{
	int largest = 0;

	for (int i = 0; i < bulkhead.named_count; i++)
		if (bulkhead.named[i].held > largest)
			largest = bulkhead.named[i].held;
	return largest;
}

/*
 * The first one is no matter of the half: the others leave room for it, and so
 * nobody is locked out by a data source that may be another one.
 */
static bool
is_within_half(const Share *share)
{
	int other = share->target == TARGET_SOME ? largest_named() : bulkhead.some.held;

	if (other < bulkhead.left)
		other = bulkhead.left;
	return share->held == 0 || share->held + other < bulkhead.half;
}

bool
bulkhead_has_room(const Share *share)
{
	return share->target == TARGET_NONE ||
		   (share->held < bulkhead.remote - bulkhead.remote_held && is_within_half(share));
}

void
bulkhead_enter(Share *share)
{
	share->held++;
	share->entered_ms = bulkhead.entered_ms = clock_now_ms();
	if (share->target == TARGET_NONE)
		return;
	bulkhead.remote_held++;
	bulkhead.remote_entered_ms = share->entered_ms;
}

void
bulkhead_leave(Share *share)
{
	share->held--;
	bulkhead.remote_held -= share->target != TARGET_NONE;
}

int
bulkhead_in_use(void)
{
	return bulkhead.none.held + bulkhead.remote_held;
}

/* Who has room waits for anybody; who holds nothing, for all others that hold what he may have. */
int64_t
bulkhead_moved_ms(const Share *share)
{
	if (bulkhead_has_room(share))
		return bulkhead.entered_ms;
	return share->held > 0 ? share->entered_ms : bulkhead.remote_entered_ms;
}

void
bulkhead_explain(const Share *share, char *message, size_t size)
{
	int count = share->held;
	const char *what = "requests are waiting for this data source already, which is its share";

	if (bulkhead_has_room(share))
	{
		count = bulkhead.size;
		what = "connections to the control database are in use, which is all of them";
	}
	else if (share->held == 0)
	{
		count = bulkhead.remote_held;
		what = "requests are waiting for data sources already, which is the share of all";
	}
	else if (share->target == TARGET_SOME)
		what = "requests with their data source in the body are waiting already, which is their "
			   "share";
	snprintf(message, size, "%d %s; try again in a moment, or raise %s", count, what,
			 bulkhead.size_option);
}
