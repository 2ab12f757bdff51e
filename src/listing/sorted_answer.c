/*
 * sorted_answer.c
 *		Sorts the answer to a question that the remote server did not sort as needed.
 *
 * Rows are sorted by the bytes of the names in the first columns, and rows with
 * equal names by the order of arrival.  Their size is limited by
 * dqds.max_answer_size.
 *
 * It must not know the question, or what is done with the rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "listing/answer_budget.h"
#include "listing/sorted_answer.h"
#include "listing/sorted_rows.h"
#include "model/target.h"
#include "wire/question.h"

/* The columns of a sorted row: its sequence number, and the values of the answer as text. */
#define ARRIVAL       0
#define FIRST_VALUE   1
#define MAX_SORT_KEYS (MAX_ANSWER_COLUMNS + 1)

struct SortedAnswer
{
	SortedRows rows;
	Oid types[FIRST_VALUE + MAX_ANSWER_COLUMNS];
	int nvalues;
	int64 arrived;
	const Target *source;
	AnswerBudget budget;
};

/* Begin without rows, in the current memory context. source is the server whose answer it is. */
SortedAnswer *
sorted_answer_begin(const AnswerShape *shape, const Target *source)
{
	SortedAnswer *answer = palloc0(sizeof(SortedAnswer));
	AttrNumber keys[MAX_SORT_KEYS];
	int nkeys = 0;

	answer->nvalues = shape->ncolumns;
	answer->source = source;
	answer->types[ARRIVAL] = INT8OID;
	for (int i = 0; i < shape->ncolumns; i++)
		answer->types[FIRST_VALUE + i] = TEXTOID;
	/* Keys are numbered from 1. */
	for (; nkeys < shape->ncolumns && shape->values[nkeys] == ANSWER_NAME; nkeys++)
		keys[nkeys] = FIRST_VALUE + nkeys + 1;
	keys[nkeys++] = ARRIVAL + 1;
	sorted_rows_begin(&answer->rows, answer->types, FIRST_VALUE + shape->ncolumns, keys, nkeys);
	return answer;
}

/* Add a row, which is copied.  Errors: QD023 if the answer becomes too large. */
void
sorted_answer_put(SortedAnswer *answer, const char **values)
{
	const char *row[FIRST_VALUE + MAX_ANSWER_COLUMNS];
	char arrival[32];

	snprintf(arrival, sizeof(arrival), "%lld", (long long) answer->arrived++);
	row[ARRIVAL] = arrival;
	memcpy(&row[FIRST_VALUE], values, answer->nvalues * sizeof(values[0]));
	answer_budget_take(&answer->budget, answer->source, sorted_rows_put(&answer->rows, row));
}

/* Sort the rows after the last one was added; from now on they can be read. */
void
sorted_answer_sort(SortedAnswer *answer)
{
	sorted_rows_sort(&answer->rows);
}

/* Get the next row, palloc'd in the current memory context; returns false at the end. */
bool
sorted_answer_next(SortedAnswer *answer, const char **values)
{
	if (!sorted_rows_next(&answer->rows))
		return false;
	for (int i = 0; i < answer->nvalues; i++)
		values[i] = sorted_rows_text(&answer->rows, FIRST_VALUE + i);
	return true;
}

/* Free everything. */
void
sorted_answer_end(SortedAnswer *answer)
{
	sorted_rows_end(&answer->rows);
	pfree(answer);
}
