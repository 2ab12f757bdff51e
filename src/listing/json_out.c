/*
 * json_out.c
 *		Writes a JSON document as a set of text rows, each a piece of about 16 kB.
 *
 * The bridge concatenates the pieces without parsing them.  So neither side
 * ever holds the whole document in memory: complete pieces go to the
 * tuplestore, which uses disk beyond work_mem.
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
 * Begin a document as the result of the function.  The caller appends to
 * out->text, and sets out->rows.source if the document contains a remote
 * server's answer.
 */
void
json_out_open(FunctionCallInfo fcinfo, JsonOut *out)
{
	rows_open(fcinfo, &out->rows);
	initStringInfo(&out->text);
}

/*
 * Call this between members: it stores the text once it is large enough for a
 * piece.  Errors: QD023 if a remote server's answer becomes too large.
 */
void
json_out_flush(JsonOut *out)
{
	if (out->text.len >= PIECE_SIZE)
		json_out_close(out);
}

/* Discard the whole document, including stored pieces, and begin again. */
void
json_out_clear(JsonOut *out)
{
	rows_clear(&out->rows);
	resetStringInfo(&out->text);
}

/* Begin an object as an element of the document, which is an array. */
void
json_out_element(JsonOut *out)
{
	json_out_flush(out);
	/* After the first element the text is empty, or ends with the previous one. */
	if (out->text.len == 0 || out->text.data[out->text.len - 1] != '[')
		appendStringInfoChar(&out->text, ',');
	appendStringInfoChar(&out->text, '{');
}

/* Store the rest of the document.  Errors: QD023 if a remote server's answer becomes too large. */
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

/* Append "name":"value", after a comma if needed; nothing for NULL. */
void
json_out_string(StringInfo text, const char *name, const char *value)
{
	if (value == NULL)
		return;
	json_out_name(text, name);
	escape_json(text, value);
}

/*
 * Append a comma, unless the next item is the first of its object or array, or
 * the value of a member.
 */
static void
append_comma(StringInfo text)
{
	char last = text->len == 0 ? '{' : text->data[text->len - 1];

	if (last != '{' && last != '[' && last != ':')
		appendStringInfoChar(text, ',');
}

/* Append "name": after a comma if needed; the caller appends the value. */
void
json_out_name(StringInfo text, const char *name)
{
	append_comma(text);
	escape_json(text, name);
	appendStringInfoChar(text, ':');
}

/* Append "name":true or "name":false, after a comma if needed. */
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

/* Append one token of a jsonb.  A scalar is stored as an array, whose brackets are left out. */
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

/* Append a jsonb without blanks, in its own order, after a comma if needed. */
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

/* dqds_compact_json(jsonb): the jsonb as text without blanks */
Datum
dqds_compact_json(PG_FUNCTION_ARGS)
{
	StringInfoData text;

	initStringInfo(&text);
	json_out_jsonb(&text, PG_GETARG_JSONB_P(0));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}

/* Append "name":["element",…] for a text[] literal, after a comma if needed; nothing for NULL. */
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
