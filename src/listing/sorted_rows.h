/*
 * sorted_rows.h
 *		Sorts rows of a remote server's answer, on disk beyond a few megabytes.
 */
#ifndef DQDS_SORTED_ROWS_H
#define DQDS_SORTED_ROWS_H

#include "executor/tuptable.h"
#include "utils/tuplesort.h"

/* The current row is in out, which is empty before the first row and after the last. */
typedef struct SortedRows
{
	const Oid *types; /* of the values; belongs to the caller */
	int nvalues;
	Tuplesortstate *sort;
	TupleTableSlot *in;
	TupleTableSlot *out;
} SortedRows;

extern void sorted_rows_begin(SortedRows *rows, const Oid *types, int nvalues,
							  const AttrNumber *keys, int nkeys);
extern size_t sorted_rows_put(SortedRows *rows, const char **values);
extern void sorted_rows_sort(SortedRows *rows);
extern void sorted_rows_rewind(SortedRows *rows);
extern bool sorted_rows_next(SortedRows *rows);
extern bool sorted_rows_any(const SortedRows *rows);
extern char *sorted_rows_text(const SortedRows *rows, int i);
extern int32 sorted_rows_integer(const SortedRows *rows, int i);
extern void sorted_rows_end(SortedRows *rows);

#endif /* DQDS_SORTED_ROWS_H */
