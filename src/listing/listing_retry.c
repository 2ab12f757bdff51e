/*
 * listing_retry.c
 *		A listing whose answer is spoilt by what others do at the remote is asked for again.
 *
 * A server fails to describe an object that is dropped in that moment, and waits
 * for tables that are locked.  Either would take a whole listing down, and so would
 * a definition that the server cannot write.
 *
 * Owns: how often a remote is asked again, and for how much less.  It must not know
 * what is listed.
 */
#include "postgres.h"

#include "base/caller.h"
#include "base/failure.h"
#include "listing/listing.h"
#include "wire/question.h"

/* How often a list may be spoilt by dropped objects before it is asked for without definitions. */
#define MAX_RACES 3

/*
 * How often the definition of a view may be spoilt, by dropped objects or by locks, of which each
 * takes a tenth of a second (catalog_sql.h).  There is no less to ask for.
 */
#define MAX_VIEW_ATTEMPTS 50

static bool
has_definitions(Question question)
{
	return question == QUESTION_COLUMN_DETAILS || question == QUESTION_CONSTRAINTS ||
		   question == QUESTION_INDEXES;
}

/* Ask for less, where less can be asked for. */
static bool
ask_for_less(Listing *listing)
{
	bool writes = has_definitions(listing->question) && listing->definitions != DEFINITIONS_NONE;

	if (!writes && !listing->sizes)
		return false;
	listing->sizes = false;
	if (writes)
		listing->definitions--;
	return true;
}

/* May the remote be asked again, perhaps for less? */
static bool
may_ask_again(Listing *listing, const Failure *failure, int *spoilt)
{
	bool met_lock = failure->cause == CAUSE_LOCK;
	bool met_dropped_object = failure->cause == CAUSE_DROPPED_OBJECT;

	if (listing->question == QUESTION_VIEW_DEFINITION)
		return (met_lock || met_dropped_object) && ++*spoilt < MAX_VIEW_ATTEMPTS;
	if (met_lock)
		return ask_for_less(listing);
	/* Which table has it is not told. */
	if (failure->cause == CAUSE_TOO_DEEP && has_definitions(listing->question) &&
		listing->definitions != DEFINITIONS_NONE)
	{
		listing->definitions = DEFINITIONS_NONE;
		return true;
	}
	if (!met_dropped_object || !has_definitions(listing->question))
		return false;
	if (++*spoilt < MAX_RACES)
		return true;
	/* That may happen to any definition. */
	if (listing->definitions == DEFINITIONS_ALL)
		listing->definitions = DEFINITIONS_WITHOUT_LOCKS;
	return ask_for_less(listing);
}

/*
 * Ask, and call emit for each row, as listing_try does; if that fails because of what
 * others do or have made at the remote, restart and ask again.  Any other failure is raised as an
 * error of class QD.  What is left out in the end (sizes, definitions) is NULL.
 */
void
listing_run(Listing *listing, Question question, const Caller *caller)
{
	int spoilt = 0;
	Failure failure = {0};

	while (!listing_try(listing, question, caller, &failure))
	{
		if (!may_ask_again(listing, &failure, &spoilt))
			failure_raise(&failure);
		listing->restart(listing);
	}
}
