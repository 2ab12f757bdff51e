/*
 * list_arguments.c
 *		Reads the arguments that the functions that list a remote server's tables have in common.
 *
 * It must not know which function is called.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "base/caller.h"
#include "base/name_set.h"
#include "listing/list_arguments.h"
#include "listing/listing.h"
#include "listing/rows.h"

/* The text in argument n (from 0), palloc'd, or NULL. */
char *
optional_text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* A number of rows in argument n; -1, which means no limit, for NULL. */
static int64
row_limit(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		return -1;
	if (PG_GETARG_INT32(n) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of rows must not be negative")));
	return PG_GETARG_INT32(n);
}

/*
 * Read the filters of functions whose arguments 2 and 3 (from 0) are
 * table_name_contains and max_rows, and those from first_option on
 * include_partitions, case_insensitive, table_name_excludes and include_sizes.
 * Errors: 22023 for a negative number.
 */
void
listing_read_filters(Listing *listing, FunctionCallInfo fcinfo, int first_option)
{
	listing->contains = optional_text_argument(fcinfo, 2);
	listing->max_rows = row_limit(fcinfo, 3);
	listing->partitions = PG_ARGISNULL(first_option) || PG_GETARG_BOOL(first_option);
	listing->ignore_case = !PG_ARGISNULL(first_option + 1) && PG_GETARG_BOOL(first_option + 1);
	listing->excludes = optional_text_argument(fcinfo, first_option + 2);
	listing->sizes = !PG_ARGISNULL(first_option + 3) && PG_GETARG_BOOL(first_option + 3);
}

/* Restrict a listing to the table names in a text[]. */
void
listing_restrict(Listing *listing, Datum names)
{
	Datum *elements;
	bool *nulls;
	int count;

	listing->names = name_set_make();
	listing->names_literal = OidOutputFunctionCall(F_ARRAY_OUT, names);
	deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			name_set_add(listing->names, TextDatumGetCString(elements[i]));
}

/*
 * Restrict a listing to the table names in argument n (from 0): a text[], or
 * text that is one name or an array literal.  NULL means all tables.
 */
void
listing_restrict_to_argument(Listing *listing, const Caller *caller, FunctionCallInfo fcinfo, int n)
{
	Datum names;
	bool isnull;

	if (PG_ARGISNULL(n))
		return;
	names = PG_GETARG_DATUM(n);
	if (caller->argument_types[n] == TEXTOID)
	{
		row_text_array(&names, &isnull, TextDatumGetCString(names));
		if (isnull)
		{
			names = PG_GETARG_DATUM(n);
			names = PointerGetDatum(construct_array(&names, 1, TEXTOID, -1, false, TYPALIGN_INT));
		}
	}
	listing_restrict(listing, names);
}
