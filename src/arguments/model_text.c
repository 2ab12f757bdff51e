/*
 * model_text.c
 *		Parses text into a model.
 *
 * Text that is too long or too deeply nested is refused before it is parsed,
 * because parsing takes memory for each byte and stack for each level.  It must
 * not know the keys of a model.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "arguments/model_text.h"
#include "arguments/spelling.h"
#include "base/failure.h"
#include "model/model_bounds.h"

/* ---- text to JSON -------------------------------------------------------------------------- */

/*
 * The number of nesting levels of an object in JSON text; 0 for other text,
 * which the parser reports.
 */
static int
levels_of_object(const char *json)
{
	int level = 0;
	int deepest = 0;
	bool in_string = false;

	for (const char *c = json; *c != '\0'; c++)
	{
		if (in_string && *c == '\\' && c[1] != '\0')
			c++;
		else if (*c == '"')
			in_string = !in_string;
		else if (!in_string && (*c == '{' || *c == '['))
		{
			level++;
			deepest = Max(deepest, level);
		}
		else if (!in_string && (*c == '}' || *c == ']'))
			level--;
	}
	return level == 0 && model_looks_like_one(json, strlen(json)) ? deepest : 0;
}

/*
 * Parse JSON; what is its name in messages.  The result is palloc'd.  Errors:
 * 22P02 for invalid JSON (or a number out of PostgreSQL's range), 22P05 for a
 * character that text cannot represent; both without the parser's detail and
 * context, which would quote the text, including a password.
 */
Jsonb *
json_parse(const char *json, const char *what)
{
	MemoryContext context = CurrentMemoryContext;
	Datum result = (Datum) 0;

	PG_TRY();
	{
		result = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
	}
	PG_CATCH();
	{
		ErrorData *error;
		bool has_bad_character;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION &&
			error->sqlerrcode != ERRCODE_FEATURE_NOT_SUPPORTED)
			PG_RE_THROW();
		/* The latter is for an escape, if the encoding of the database is SQL_ASCII. */
		has_bad_character = error->sqlerrcode == ERRCODE_UNTRANSLATABLE_CHARACTER ||
							error->sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED;
		FlushErrorState();
		/* The error is not ignored: this one replaces it and ends the transaction. */
		ereport(ERROR,
				(errcode(has_bad_character ? ERRCODE_UNTRANSLATABLE_CHARACTER
										   : ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("%s is not valid JSON: %s", what,
						has_bad_character ? "it contains a character that text cannot represent"
										  : "it cannot be parsed")));
	}
	PG_END_TRY();
	return DatumGetJsonbP(result);
}

/*
 * Parse a model in JSON text; the result is palloc'd.  Returns NULL if it is
 * out of bounds, and *failure is then DQDS_INVALID_CONNECTION.  Errors: those
 * of json_parse(), and 42804 for JSON that is not an object.
 */
Jsonb *
model_parse(text *input, Failure *failure)
{
	char *json;
	Jsonb *model;

	/* Checked before parsing, which takes stack for each level, and memory for each byte. */
	if (VARSIZE_ANY_EXHDR(input) > MAX_MODEL_BYTES)
	{
		(void) model_too_large(failure);
		return NULL;
	}
	json = text_to_cstring(input);
	if (levels_of_object(json) > MAX_MODEL_LEVELS)
	{
		(void) model_too_deep(failure);
		return NULL;
	}
	model = json_parse(json, "the connection model");
	return model_within_bounds(model, failure) ? model : NULL;
}

/*
 * The same for text that may be in a spelling other than JSON.  If it cannot be
 * converted, *failure is DQDS_INVALID_CONNECTION.
 */
Jsonb *
model_parse_any(text *input, Failure *failure)
{
	char *spelled;
	Jsonb *model;

	if (VARSIZE_ANY_EXHDR(input) > MAX_MODEL_BYTES)
	{
		(void) model_too_large(failure);
		return NULL;
	}
	spelled = text_to_cstring(input);
	if (!model_is_spelled(spelled))
		return model_parse(input, failure);
	model = model_from_spelling(spelled, failure);
	return model != NULL && model_within_bounds(model, failure) ? model : NULL;
}
