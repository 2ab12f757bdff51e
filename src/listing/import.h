/*
 * import.h
 *		Fetches tables with their columns from a remote server, and stores them in the registry.
 */
#ifndef DQDS_IMPORT_H
#define DQDS_IMPORT_H

#include "listing/listing.h"

typedef struct Caller Caller;

/*
 * The receiver of an import's results; each function except not_found may be
 * NULL. values are those of the answer to QUESTION_COLUMNS.
 */
typedef struct ImportSink
{
	void (*begin)(void *argument); /* all rows have arrived, and are about to be stored */
	void (*table)(void *argument, const char *name);
	void (*column)(void *argument, const Datum *values,
				   const bool *nulls); /* a column of the last table */
	void (*stored)(void *argument, const char *schema, const char *table, const char *status,
				   int ncolumns);
	void (*not_found)(void *argument, const char *schema,
					  const char *table); /* at the end; table is NULL for the schema or pattern */
	void *argument;
} ImportSink;

extern void import_run(Listing *listing, bool may_be_pattern, const Caller *caller,
					   const ImportSink *sink);

#endif /* DQDS_IMPORT_H */
