/*
 * rows.h
 *		Stores the rows of a set-returning function.
 */
#ifndef DQDS_ROWS_H
#define DQDS_ROWS_H

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/tuplestore.h"

#include "listing/answer_budget.h"
#include "wire/question.h"

typedef struct Target Target;

typedef struct RowsOut
{
	Tuplestorestate *store;
	TupleDesc desc;
	const Target *source; /* the server whose answer the rows are, or NULL */
	AnswerBudget budget;  /* for that answer */
} RowsOut;

extern void rows_open(FunctionCallInfo fcinfo, RowsOut *rows);
extern void rows_put(RowsOut *rows, Datum *values, bool *nulls);
extern void rows_clear(RowsOut *rows);
extern void row_text(Datum *value, bool *isnull, const char *text);
extern void row_integer(Datum *value, bool *isnull, const char *text, bool is_bigint);
extern void row_boolean(Datum *value, bool *isnull, const char *text);
extern void row_values(Datum *values, bool *isnull, const AnswerShape *answer, const char **texts);
extern void row_text_array(Datum *value, bool *isnull, const char *literal);

#endif /* DQDS_ROWS_H */
