/*
 * sorted_rows.c
 *		Sorts rows of a remote server's answer, on disk beyond a few megabytes.
 *
 * Texts are sorted by bytes.  Memory and temporary files are freed at the end
 * of the transaction at the latest.
 *
 * It must not know what the rows contain.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "listing/rows.h"
#include "listing/sorted_rows.h"
#include "wire/question.h"

/* The memory of the sort, in kilobytes; beyond it, disk is used. */
#define SORT_MEMORY_KB 4096

#define MAX_SORT_KEYS (MAX_ANSWER_COLUMNS + 1)

/* The sort operator and collation for values of a type. */
static void
sort_order(Oid type, Oid *operator, Oid * collation)
{
	*collation = InvalidOid;
	switch (type)
	{
		case INT4OID:
			*operator= Int4LessOperator;
			break;
		case INT8OID:
			*operator= Int8LessOperator;
			break;
		default:
			*operator= TextLessOperator;
			*collation = C_COLLATION_OID;
	}
}

/*
 * Begin without rows. types are those of the values: text, integer, bigint or
 * boolean; the array must stay valid. keys are the numbers, from 1, of the
 * values to sort by, none of which is a boolean.
 */
void
sorted_rows_begin(SortedRows *rows, const Oid *types, int nvalues, const AttrNumber *keys,
				  int nkeys)
{
	AttrNumber numbers[MAX_SORT_KEYS];
	Oid operators[MAX_SORT_KEYS];
	Oid collations[MAX_SORT_KEYS];
	bool nulls_first[MAX_SORT_KEYS] = {false};
	TupleDesc desc = CreateTemplateTupleDesc(nvalues);

	for (int i = 0; i < nvalues; i++)
		TupleDescInitEntry(desc, i + 1, NULL, types[i], -1, 0);
	Assert(nkeys <= MAX_SORT_KEYS);
	for (int i = 0; i < nkeys; i++)
	{
		numbers[i] = keys[i];
		sort_order(types[keys[i] - 1], &operators[i], &collations[i]);
	}
	rows->types = types;
	rows->nvalues = nvalues;
	rows->in = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	rows->out = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	rows->sort = tuplesort_begin_heap(desc, nkeys, numbers, operators, collations, nulls_first,
									  SORT_MEMORY_KB, NULL, TUPLESORT_RANDOMACCESS);
}

static void
value_from_text(Oid type, const char *text, Datum *value, bool *isnull)
{
	switch (type)
	{
		case INT4OID:
		case INT8OID:
			row_integer(value, isnull, text, type == INT8OID);
			break;
		case BOOLOID:
			row_boolean(value, isnull, text);
			break;
		default:
			row_text(value, isnull, text);
	}
}

/* Add a row, which is copied; returns its approximate size in bytes. */
size_t
sorted_rows_put(SortedRows *rows, const char **values)
{
	size_t bytes = 0;

	ExecClearTuple(rows->in);
	for (int i = 0; i < rows->nvalues; i++)
	{
		bytes += sizeof(Datum) + (values[i] == NULL ? 0 : strlen(values[i]));
		value_from_text(rows->types[i], values[i], &rows->in->tts_values[i],
						&rows->in->tts_isnull[i]);
	}
	ExecStoreVirtualTuple(rows->in);
	tuplesort_puttupleslot(rows->sort, rows->in);
	return bytes;
}

/* Sort the rows after the last one was added; from now on they can be read. */
void
sorted_rows_sort(SortedRows *rows)
{
	tuplesort_performsort(rows->sort);
}

/* Start reading from the beginning again. */
void
sorted_rows_rewind(SortedRows *rows)
{
	tuplesort_rescan(rows->sort);
}

/* Move to the next row; returns false at the end. */
bool
sorted_rows_next(SortedRows *rows)
{
	if (!tuplesort_gettupleslot(rows->sort, true, false, rows->out, NULL))
		return false;
	slot_getallattrs(rows->out);
	return true;
}

/* Is there a current row? */
bool
sorted_rows_any(const SortedRows *rows)
{
	return !TupIsNull(rows->out);
}

/* An integer value of the current row; i counts from 0. */
int32
sorted_rows_integer(const SortedRows *rows, int i)
{
	return DatumGetInt32(rows->out->tts_values[i]);
}

/* A text value of the current row, palloc'd, or NULL; n counts from 0. */
char *
sorted_rows_text(const SortedRows *rows, int n)
{
	return rows->out->tts_isnull[n] ? NULL : TextDatumGetCString(rows->out->tts_values[n]);
}

/* Free everything. */
void
sorted_rows_end(SortedRows *rows)
{
	ExecDropSingleTupleTableSlot(rows->in);
	ExecDropSingleTupleTableSlot(rows->out);
	tuplesort_end(rows->sort);
}
