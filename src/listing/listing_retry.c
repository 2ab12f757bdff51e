/*
 * listing_retry.c
 *		Repeats a listing that failed because of concurrent changes at the remote server.
 *
 * A server fails to describe an object that is dropped at that moment, and
 * waits for tables that are locked.  Either would make a whole listing fail,
 * and so would a definition that the server cannot write.
 *
 * Owns: how often a listing is repeated, and what is then left out.  It must
 * not know what is done with the rows.
 */
#include "postgres.h"

#include "base/caller.h"
#include "base/failure.h"
#include "listing/listing.h"
#include "wire/question.h"

/* How often a listing may fail on dropped objects before it is repeated without definitions. */
#define MAX_RACES 3

/*
 * How often the request for a view's definition may fail on dropped objects or
 * on locks, each of which takes a tenth of a second (catalog_sql.h).  Nothing
 * can be left out of it.
 */
#define MAX_VIEW_ATTEMPTS 50

static bool
has_definitions(Question question)
{
	return question == QUESTION_COLUMN_DETAILS || question == QUESTION_CONSTRAINTS ||
		   question == QUESTION_INDEXES;
}

/* Leave something out of the question; returns false if nothing can be left out. */
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

/* May the question be repeated, perhaps with something left out? */
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
	/* Any definition may have caused this. */
	if (listing->definitions == DEFINITIONS_ALL)
		listing->definitions = DEFINITIONS_WITHOUT_LOCKS;
	return ask_for_less(listing);
}

/*
 * Ask the question and call emit for each row, like listing_try().  If that
 * fails because of other sessions or objects at the remote server, call restart
 * and ask again.  Any other failure is raised as an error of class QD.  Values
 * that are finally left out (sizes, definitions) are NULL.
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
