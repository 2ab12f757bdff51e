/*
 * json_out.c
 *		A JSON document as a set of text rows, each a piece of some 16 kB.
 *
 * The bridge joins the pieces without looking into them.  So neither side ever
 * holds the whole document: what is complete goes to the tuplestore, which goes
 * to disk beyond work_mem.
 *
 * It must not know what the documents mean.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "base/text_array.h"
#include "listing/json_out.h"
#include "listing/rows.h"

PG_FUNCTION_INFO_V1(dqds_compact_json);

#define PIECE_SIZE (16 * 1024)

/*
 * Begin a document as the result of the function; the caller appends to text, and
 * sets rows.source if a remote's answer goes into it.
 */
void
json_out_open(FunctionCallInfo fcinfo, JsonOut *out)
{
	rows_open(fcinfo, &out->rows);
	initStringInfo(&out->text);
}

/* To be called between members: passes on what has grown to a piece. */
void
json_out_flush(JsonOut *out)
{
	if (out->text.len >= PIECE_SIZE)
		json_out_close(out);
}

/* Take back everything, what has been passed on included: the document begins again. */
void
json_out_clear(JsonOut *out)
{
	rows_clear(&out->rows);
	resetStringInfo(&out->text);
}

/* Begin an object that is an element of the array which the document is. */
void
json_out_element(JsonOut *out)
{
	json_out_flush(out);
	/* After the first element the text is empty, or ends with the one before. */
	if (out->text.len == 0 || out->text.data[out->text.len - 1] != '[')
		appendStringInfoChar(&out->text, ',');
	appendStringInfoChar(&out->text, '{');
}

/* Pass on what is left.  Errors: QD023 when a remote's answer becomes too large. */
void
json_out_close(JsonOut *out)
{
	Datum value;
	bool isnull = false;

	if (out->text.len == 0)
		return;
	value = PointerGetDatum(cstring_to_text_with_len(out->text.data, out->text.len));
	rows_put(&out->rows, &value, &isnull);
	pfree(DatumGetPointer(value));
	resetStringInfo(&out->text);
}

/* Append "name":"value", with a comma ahead where one is due; nothing for NULL. */
void
json_out_string(StringInfo text, const char *name, const char *value)
{
	if (value == NULL)
		return;
	json_out_name(text, name);
	escape_json(text, value);
}

/* A comma, unless what comes next is the first of its object or array, or the value of a member. */
static void
append_comma(StringInfo text)
{
	char last = text->len == 0 ? '{' : text->data[text->len - 1];

	if (last != '{' && last != '[' && last != ':')
		appendStringInfoChar(text, ',');
}

/* Append "name": with a comma ahead where one is due; the value is the caller's. */
void
json_out_name(StringInfo text, const char *name)
{
	append_comma(text);
	escape_json(text, name);
	appendStringInfoChar(text, ':');
}

/* Append "name":true or "name":false, with a comma ahead where one is due. */
void
json_out_boolean(StringInfo text, const char *name, bool value)
{
	json_out_name(text, name);
	appendStringInfoString(text, value ? "true" : "false");
}

/* ---- jsonb -------------------------------------------------------------------------------- */

static void
append_string(StringInfo text, const JsonbValue *value)
{
	char *string = pnstrdup(value->val.string.val, value->val.string.len);

	escape_json(text, string);
	pfree(string);
}

static void
append_scalar(StringInfo text, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			appendStringInfoString(text, "null");
			break;
		case jbvBool:
			appendStringInfoString(text, value->val.boolean ? "true" : "false");
			break;
		case jbvNumeric:
			appendStringInfoString(text, DatumGetCString(DirectFunctionCall1(
											 numeric_out, NumericGetDatum(value->val.numeric))));
			break;
		default:
			append_string(text, value);
	}
}

/* One token of a jsonb.  A lone value is kept as an array, whose brackets are not shown. */
static void
append_token(StringInfo text, JsonbIteratorToken token, const JsonbValue *value, bool *is_lone)
{
	switch (token)
	{
		case WJB_BEGIN_ARRAY:
			*is_lone = value->val.array.rawScalar;
			if (*is_lone)
				break;
			append_comma(text);
			appendStringInfoChar(text, '[');
			break;
		case WJB_BEGIN_OBJECT:
			append_comma(text);
			appendStringInfoChar(text, '{');
			break;
		case WJB_KEY:
			append_comma(text);
			append_string(text, value);
			appendStringInfoChar(text, ':');
			break;
		case WJB_END_ARRAY:
			if (!*is_lone)
				appendStringInfoChar(text, ']');
			break;
		case WJB_END_OBJECT:
			appendStringInfoChar(text, '}');
			break;
		default:
			append_comma(text);
			append_scalar(text, value);
	}
}

/*
 * Append jsonb without blanks between its parts, in its own order, with a comma
 * ahead where one is due.
 */
void
json_out_jsonb(StringInfo text, Jsonb *jsonb)
{
	JsonbIterator *iterator = JsonbIteratorInit(&jsonb->root);
	JsonbIteratorToken token;
	JsonbValue value;
	bool is_lone = false;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
		append_token(text, token, &value, &is_lone);
}

/* dqds_compact_json(jsonb): the same as a value */
Datum
dqds_compact_json(PG_FUNCTION_ARGS)
{
	StringInfoData text;

	initStringInfo(&text);
	json_out_jsonb(&text, PG_GETARG_JSONB_P(0));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}

/* Append "name":["element",…], with a comma ahead where one is due; nothing for NULL. */
void
json_out_text_array(StringInfo text, const char *name, const char *literal)
{
	List *elements;
	ListCell *cell;

	if (literal == NULL || !text_array_parse(literal, &elements))
		return;
	json_out_name(text, name);
	appendStringInfoChar(text, '[');
	foreach (cell, elements)
	{
		if (cell != list_head(elements))
			appendStringInfoChar(text, ',');
		if (lfirst(cell) == NULL)
			appendStringInfoString(text, "null");
		else
			escape_json(text, lfirst(cell));
	}
	appendStringInfoChar(text, ']');
}
