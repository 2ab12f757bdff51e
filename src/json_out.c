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

#include "dqds.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

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

/* Take back everything, what has been passed on included: the document begins anew. */
void
json_out_clear(JsonOut *out)
{
	rows_clear(&out->rows);
	resetStringInfo(&out->text);
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

/* Append "name": with a comma ahead where one is due; the value is the caller's. */
void
json_out_name(StringInfo text, const char *name)
{
	char last = text->len == 0 ? '{' : text->data[text->len - 1];

	if (last != '{' && last != '[')
		appendStringInfoChar(text, ',');
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
