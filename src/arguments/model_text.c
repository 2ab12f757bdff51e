/*
 * model_text.c
 *		From text to a model.
 *
 * What is too long or too deep is refused before it is parsed, which takes memory
 * for each byte and stack for each level.  It must not know the keys of a model.
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

/* How many levels an object in JSON text has; 0 for text that is none, which the parser is to tell. */
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
 * Parse JSON; what it is stands in messages.  Errors: 22P02 for what is no JSON
 * (or a number beyond what PostgreSQL takes), 22P05 for a character that text
 * cannot hold, without the parser's detail and context, which would quote the
 * text, password and all.  The result is palloc'd.
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
		/* The latter: an escape, where the database has an encoding of which nothing is known. */
		has_bad_character = error->sqlerrcode == ERRCODE_UNTRANSLATABLE_CHARACTER ||
							error->sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED;
		FlushErrorState();
		/* Not swallowed: the transaction ends with this one in its place. */
		ereport(ERROR, (errcode(has_bad_character ? ERRCODE_UNTRANSLATABLE_CHARACTER
												  : ERRCODE_INVALID_TEXT_REPRESENTATION),
						errmsg("%s is not valid JSON: %s", what,
							   has_bad_character ? "it holds a character that text cannot hold"
												 : "it cannot be parsed")));
	}
	PG_END_TRY();
	return DatumGetJsonbP(result);
}

/*
 * The model that a JSON text describes, palloc'd; NULL when it is out of bounds:
 * then *failure is DQDS_INVALID_CONNECTION.  Errors: 22P02 for what is no JSON
 * (or a number beyond what PostgreSQL takes), 22P05 for a character that text
 * cannot hold, 42804 for JSON that is no object.
 */
Jsonb *
model_parse(text *input, Failure *failure)
{
	char *json;
	Jsonb *model;

	/* The parser needs stack for each level, and memory for each byte. */
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
 * The same for a text that may be in another spelling than JSON.  What cannot be
 * carried over makes *failure DQDS_INVALID_CONNECTION or DQDS_UNSUPPORTED_PROVIDER.
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
