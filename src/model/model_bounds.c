/*
 * model_bounds.c
 *		Limits on the size of a model and on names of connections.
 *
 * jsonb stores 1e131071 in a few bytes and writes it as 131,072 digits.  Many
 * JSON parsers refuse such numbers, and deep nesting: one such model would make
 * a list of connections unreadable.  So a model beyond these limits is refused
 * wherever it comes from.  Time and memory used here are proportional to the
 * input.
 *
 * It must not know the keys of a model.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "base/failure.h"
#include "model/model_bounds.h"
#include "model/model_internal.h"

#define MAX_NUMBER_DIGITS 40 /* before and after the decimal point together */
#define MAX_SHOWN_KEY     200
#define MAX_SHOWN_PATH    1000

#define WHITE_SPACE " \t\n\v\f\r"

/* ---- names ------------------------------------------------------------------------------ */

/*
 * Is this text a model rather than a name?  It is if its first character other
 * than white space is a brace.  The text need not be null-terminated.
 */
bool
model_looks_like_one(const char *text, size_t length)
{
	size_t at = 0;

	while (at < length && text[at] != '\0' && strchr(WHITE_SPACE, text[at]) != NULL)
		at++;
	return at < length && text[at] == '{';
}

/* The length of a text as a JSON string, as escape_json() writes it. */
static size_t
quoted_length(const char *text, size_t bytes)
{
	size_t length = 2;

	for (size_t i = 0; i < bytes; i++)
	{
		unsigned char c = text[i];

		if (c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t')
			length += 2;
		else
			length += c < ' ' ? 6 : 1;
	}
	return length;
}

/*
 * May a connection have this name?  A name that looks like a model would be
 * taken for one where an argument may be either, and a name that is too long
 * would make every list of connections too long.  If not, *failure is
 * DQDS_INVALID_CONNECTION, and does not show the name.
 */
bool
model_name_usable(const char *name, Failure *failure)
{
	size_t length = strlen(name);

	if (length == 0)
		failure_set(failure, DQDS_INVALID_CONNECTION, NULL,
					"the name of a connection must not be empty");
	else if (quoted_length(name, length) - strlen("\"\"") > MAX_MODEL_BYTES)
		failure_set(failure, DQDS_INVALID_CONNECTION, NULL,
					"the name of a connection must not have more than %d bytes as JSON",
					MAX_MODEL_BYTES);
	else if (model_looks_like_one(name, length))
		failure_set(failure, DQDS_INVALID_CONNECTION,
					"Text that begins with a brace is a connection model.",
					"the name of a connection must not begin with \"{\"");
	else
		return true;
	return false;
}

/* ---- bounds ------------------------------------------------------------------------------- */

/* Report that a model is too long.  Always returns false. */
bool
model_too_large(Failure *failure)
{
	failure_set(failure, DQDS_INVALID_CONNECTION, "Shorten its longest members.",
				"the connection model has more than %d bytes as text", MAX_MODEL_BYTES);
	return false;
}

/* Report that a model has too many levels.  Always returns false. */
bool
model_too_deep(Failure *failure)
{
	failure_set(failure, DQDS_INVALID_CONNECTION, "Leave the innermost members out.",
				"the connection model has more than %d levels of nesting", MAX_MODEL_LEVELS);
	return false;
}

/* An object or array that contains the current position. */
typedef struct Level
{
	bool is_array;
	bool has_items; /* the next item is preceded by a comma */
	JsonbValue key; /* of the current member; jbvNull in arrays */
} Level;

typedef struct Walk
{
	size_t bytes; /* of the text up to here */
	int level;    /* 0: outside the outermost object */
	Level levels[MAX_MODEL_LEVELS + 1];
	Datum too_much;   /* this number and larger ones have too many digits, */
	Datum too_little; /* and so have this one and smaller ones */
} Walk;

/* Is a number short enough to be written out, so that its digits can be counted? */
static bool
is_short(const Walk *walk, Datum number)
{
	return DatumGetInt32(DirectFunctionCall1(numeric_scale, number)) <= MAX_NUMBER_DIGITS &&
		   DatumGetBool(DirectFunctionCall2(numeric_lt, number, walk->too_much)) &&
		   DatumGetBool(DirectFunctionCall2(numeric_gt, number, walk->too_little));
}

/* Count a number's characters; returns false if it has more than MAX_NUMBER_DIGITS digits. */
static bool
count_number(Walk *walk, Numeric number)
{
	char *written;
	int digits = 0;

	if (!is_short(walk, NumericGetDatum(number)))
		return false;
	written = model_numeric_text(number);
	for (const char *c = written; *c != '\0'; c++)
		digits += *c >= '0' && *c <= '9';
	walk->bytes += strlen(written);
	pfree(written);
	return digits <= MAX_NUMBER_DIGITS;
}

/* Report the member that holds the number, directly or within arrays.  Always returns false. */
static bool
number_too_long(const Walk *walk, Failure *failure)
{
	StringInfoData path;

	initStringInfo(&path);
	for (int i = 1; i <= walk->level; i++)
	{
		const JsonbValue *key = &walk->levels[i].key;

		if (key->type == jbvString)
			appendStringInfo(&path, "%s%.*s", path.len == 0 ? "" : ".",
							 pg_mbcliplen(key->val.string.val, key->val.string.len, MAX_SHOWN_KEY),
							 key->val.string.val);
	}
	path.data[pg_mbcliplen(path.data, path.len, MAX_SHOWN_PATH)] = '\0';
	failure_set(failure, DQDS_INVALID_CONNECTION, "Write the number as a string.",
				"a number in \"%s\" of the connection model has more than %d digits", path.data,
				MAX_NUMBER_DIGITS);
	return false;
}

/* Count the separator before a member, element or container. */
static void
count_separator(Walk *walk)
{
	Level *level = &walk->levels[walk->level];

	if (level->has_items)
		walk->bytes += strlen(", ");
	level->has_items = true;
}

static bool
enter(Walk *walk, bool is_array, Failure *failure)
{
	if (walk->level > 0 && walk->levels[walk->level].is_array)
		count_separator(walk);
	if (walk->level == MAX_MODEL_LEVELS)
		return model_too_deep(failure);
	walk->level++;
	walk->levels[walk->level] = (Level){.is_array = is_array, .key = {.type = jbvNull}};
	walk->bytes += strlen("{}");
	return true;
}

static bool
count_scalar(Walk *walk, const JsonbValue *value, Failure *failure)
{
	switch (value->type)
	{
		case jbvString:
			walk->bytes += quoted_length(value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			if (!count_number(walk, value->val.numeric))
				return number_too_long(walk, failure);
			break;
		case jbvBool:
			walk->bytes += strlen(value->val.boolean ? "true" : "false");
			break;
		default:
			walk->bytes += strlen("null");
			break;
	}
	return true;
}

static Datum
number_from(const char *written)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(written), ObjectIdGetDatum(InvalidOid),
							   Int32GetDatum(-1));
}

/*
 * Is a model small enough to be stored and returned?  If not, *failure is
 * DQDS_INVALID_CONNECTION.  Errors: 42804 for a model that is not an object.
 */
bool
model_within_bounds(Jsonb *model, Failure *failure)
{
	JsonbIterator *iterator = JsonbIteratorInit(model_root(model));
	JsonbIteratorToken token;
	JsonbValue item;
	Walk walk = {.too_much = number_from("1e40"), .too_little = number_from("-1e40")};

	StaticAssertStmt(MAX_NUMBER_DIGITS == 40, "the least number of more digits must be 1e40");
	while ((token = JsonbIteratorNext(&iterator, &item, false)) != WJB_DONE)
	{
		bool good = true;

		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
			good = enter(&walk, token == WJB_BEGIN_ARRAY, failure);
		else if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			walk.level--;
		else if (token == WJB_KEY)
		{
			count_separator(&walk);
			walk.levels[walk.level].key = item;
			walk.bytes += quoted_length(item.val.string.val, item.val.string.len) + strlen(": ");
		}
		else
		{
			if (token == WJB_ELEM)
				count_separator(&walk);
			good = count_scalar(&walk, &item, failure);
		}
		if (!good)
			return false;
		if (walk.bytes > MAX_MODEL_BYTES)
			return model_too_large(failure);
	}
	return true;
}
