/*
 * rows.c
 *		Stores the rows of a set-returning function.
 *
 * The result is always materialized: a stream would keep the remote session
 * busy after a LIMIT, and two streams in one query would collide.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "base/text_array.h"
#include "listing/answer_budget.h"
#include "listing/rows.h"
#include "wire/question.h"

/*
 * Create an empty result for the set-returning function that is being called.
 * A caller that stores a remote server's answer sets rows->source afterwards.
 * Errors: 0A000 if the function is called where it cannot return a set.
 */
void
rows_open(FunctionCallInfo fcinfo, RowsOut *rows)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0 || result->expectedDesc == NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("set-valued function called in context that cannot accept a set")));

	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	memset(rows, 0, sizeof(*rows));
	rows->desc = CreateTupleDescCopy(result->expectedDesc);
	rows->store = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0,
										false, work_mem);
	result->returnMode = SFRM_Materialize;
	result->setResult = rows->store;
	result->setDesc = rows->desc;
	MemoryContextSwitchTo(old);
}

/* Add a row.  Errors: QD023 if a remote server's answer becomes too large. */
void
rows_put(RowsOut *rows, Datum *values, bool *nulls)
{
	if (rows->source != NULL)
		answer_budget_take(&rows->budget, rows->source,
						   SizeofMinimalTupleHeader +
							   heap_compute_data_size(rows->desc, values, nulls));
	tuplestore_putvalues(rows->store, rows->desc, values, nulls);
}

/* Remove all rows. */
void
rows_clear(RowsOut *rows)
{
	tuplestore_clear(rows->store);
	memset(&rows->budget, 0, sizeof(rows->budget));
}

/* Set a text column from a C string, which may be NULL. */
void
row_text(Datum *value, bool *isnull, const char *text)
{
	*isnull = text == NULL;
	*value = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/*
 * Set a column of an integer type from a remote server's text; NULL if that is
 * NULL or not a number.
 */
void
row_integer(Datum *value, bool *isnull, const char *text, bool is_bigint)
{
	char *end;
	long long number;

	*isnull = true;
	*value = (Datum) 0;
	if (text == NULL || *text == '\0')
		return;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (*end != '\0' || errno != 0 ||
		(!is_bigint && (number < PG_INT32_MIN || number > PG_INT32_MAX)))
		return;
	*isnull = false;
	*value = is_bigint ? Int64GetDatum(number) : Int32GetDatum((int32) number);
}

/* Set a boolean column, from the spelling of PostgreSQL or of another server. */
void
row_boolean(Datum *value, bool *isnull, const char *text)
{
	*isnull = text == NULL;
	*value = BoolGetDatum(text != NULL && (*text == 't' || *text == 'T' || *text == '1'));
}

static void
row_value(Datum *value, bool *isnull, AnswerValue kind, const char *text)
{
	switch (kind)
	{
		case ANSWER_TEXT:
		case ANSWER_NAME:
			row_text(value, isnull, text);
			break;
		case ANSWER_INTEGER:
		case ANSWER_BIGINT:
		case ANSWER_POSITION:
			row_integer(value, isnull, text, kind == ANSWER_BIGINT);
			break;
		case ANSWER_BOOLEAN:
			row_boolean(value, isnull, text);
			break;
		case ANSWER_TEXT_ARRAY:
			row_text_array(value, isnull, text);
			break;
	}
}

/* Set the columns of a row from valid values, in the order of the answer. */
void
row_values(Datum *values, bool *isnull, const AnswerShape *answer, const char **texts)
{
	for (int i = 0; i < answer->ncolumns; i++)
		row_value(&values[i], &isnull[i], answer->values[i], texts[i]);
}

/*
 * Set a column of type text[] from a remote server's literal; NULL if that is
 * NULL or not an array.
 */
void
row_text_array(Datum *value, bool *isnull, const char *literal)
{
	ArrayBuildState *array = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	List *elements = NIL;
	ListCell *cell;

	*value = (Datum) 0;
	*isnull = literal == NULL || !text_array_parse(literal, &elements);
	if (*isnull)
		return;
	foreach (cell, elements)
	{
		const char *element = lfirst(cell);

		(void) accumArrayResult(array, element == NULL ? (Datum) 0 : CStringGetTextDatum(element),
								element == NULL, TEXTOID, CurrentMemoryContext);
	}
	*value = makeArrayResult(array, CurrentMemoryContext);
}
