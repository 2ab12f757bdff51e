/*
 * listing.h
 *		Runs a listing: asks a remote server one question, and passes on the rows that belong to the answer.
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
	/* The question, set before listing_run(). */
	ConnectionArgument connection;
	char *schema_name; /* NULL for all schemas, or to list schemas */
	bool include_system;
	char *contains;      /* NULL or empty for no filter */
	char *excludes;      /* likewise */
	bool ignore_case;    /* in these two */
	bool partitions;     /* include tables that are partitions of others */
	bool sizes;          /* sizes of tables, for which the server reads their files' sizes */
	NameSet *names;      /* NULL for all tables */
	char *names_literal; /* the same as a text[] literal */
	char *view_name;     /* whose definition is requested */
	DefinitionEffort definitions;
	int64 max_rows; /* negative for no limit */

	/* Receives a row: valid values, as many as the question's answer has columns. */
	void (*emit)(Listing *listing, const char **values);
	/* Called before all rows are emitted again: discard those of this listing_run(). */
	void (*restart)(Listing *listing);
	void *output; /* for these two */

	/* Private to listing.c. */
	Question question;
	const char *wanted_piece; /* contains and excludes, in the form in which names are compared */
	const char *unwanted_piece;
	int64 count;
	MemoryContext row_context; /* current while emit runs, reset afterwards */
	bool old_version;          /* use the query for older versions of the server */
	bool raw;     /* the server failed to convert a character, and converts nothing now */
	int encoding; /* of the answer (encoding.c) */
	struct SortedAnswer *sorted; /* an answer that the server did not sort as needed, or NULL */
};

extern void listing_init(Listing *listing);
extern bool listing_try(Listing *listing, Question question, const Caller *caller,
						Failure *failure);

extern void listing_run(Listing *listing, Question question, const Caller *caller);

#endif /* DQDS_LISTING_H */
