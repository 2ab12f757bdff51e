/*
 * listing.h
 *		A listing: asks one remote one question and passes on what belongs to the answer.
 */
#ifndef DQDS_LISTING_H
#define DQDS_LISTING_H

#include "arguments/connection_argument.h"
#include "base/failure.h"
#include "base/name_set.h"
#include "listing/sorted_answer.h"
#include "wire/question.h"

typedef struct Caller Caller;

typedef struct Listing Listing;
struct SortedAnswer;

struct Listing
{
	/* What is asked, set before listing_run. */
	ConnectionArgument connection;
	char *schema_name; /* NULL: of all schemas, or the schemas themselves */
	bool include_system;
	char *contains;      /* NULL or empty: no filter */
	char *excludes;      /* likewise */
	bool ignore_case;    /* in these two */
	bool partitions;     /* tables that are partitions of others as well */
	bool sizes;          /* sizes of tables, for which the remote looks at their files */
	NameSet *names;      /* NULL: all tables */
	char *names_literal; /* the same as a text[] literal */
	char *view_name;     /* whose definition is asked for */
	DefinitionEffort definitions;
	int64 max_rows; /* negative: no limit */

	/* What becomes of a row: valid values, as many as the question's answer has columns. */
	void (*emit)(Listing *listing, const char **values);
	/* All rows are emitted again, from the first one on: forget those of this listing_run. */
	void (*restart)(Listing *listing);
	void *output; /* of these two */

	/* Private to listing.c. */
	Question question;
	const char *wanted_piece; /* contains and excludes, as names are compared with them */
	const char *unwanted_piece;
	int64 count;
	MemoryContext row_context;   /* current while emit runs, emptied afterwards */
	bool old_version;            /* of a server whose newer versions know more */
	bool raw;                    /* the remote has failed to convert something */
	int encoding;                /* in which the answer comes (encoding.c) */
	struct SortedAnswer *sorted; /* what the remote has not sorted as it is shown, or NULL */
};

extern void listing_init(Listing *listing);
extern bool listing_try(Listing *listing, Question question, const Caller *caller,
						Failure *failure);

extern void listing_run(Listing *listing, Question question, const Caller *caller);

#endif /* DQDS_LISTING_H */
