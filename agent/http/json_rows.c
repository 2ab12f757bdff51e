/*
 * json_rows.c
 *		Takes the rows out of a document while it comes.
 *
 * A listing can have a million rows, so the document that holds them is never kept whole: of
 *		{..., "data": [[...], [...], ...], ...}
 * each row is read by the library and handed on, and what is around the rows is put together
 * and read at the end.  Only brackets and strings are told apart here: whether all of it is
 * JSON is the library's to say.
 */
#include <string.h>

#include "json_rows.h"

#define ROWS_KEY       "\"data\""
#define DOCUMENT_DEPTH 1 /* in the outermost object */
#define ROWS_DEPTH     2 /* in the array of the rows */
#define MAX_REST_BYTES (1024 * 1024)
#define MAX_TEXT_BYTES (6 * MAX_ROW_BYTES) /* of a row: a byte may take six */

static bool
is_beyond(JsonRows *rows)
{
	if (rows->row.length <= MAX_TEXT_BYTES && rows->rest.length <= MAX_REST_BYTES)
		return false;
	session_fault(rows->session, FAULT_IS_BOUND, 0, NULL, "a row of more than 1 MB");
	return true;
}

/* A row is complete. */
static bool
end_row(JsonRows *rows)
{
	json_t *row = json_read(rows->session, rows->row.bytes, rows->row.length);
	bool good = row != NULL && rows->sink(rows->argument, row);

	json_decref(row);
	text_clear(&rows->row);
	rows->count++;
	return good;
}

/* Is the array that begins here, in the outermost object, that of the rows? */
static bool
begins_rows(const JsonRows *rows)
{
	return rows->depth == DOCUMENT_DEPTH && rows->rest.length >= rows->key + strlen(ROWS_KEY) &&
		   strncmp(rows->rest.bytes + rows->key, ROWS_KEY, strlen(ROWS_KEY)) == 0;
}

/* Follow one character; false: it closes what was never opened. */
static bool
follow(JsonRows *rows, char c)
{
	if (rows->escaped)
		rows->escaped = false;
	else if (rows->in_string)
	{
		rows->escaped = c == '\\';
		rows->in_string = c != '"';
	}
	else if (c == '"')
	{
		rows->in_string = true;
		if (rows->depth == DOCUMENT_DEPTH)
			rows->key = rows->rest.length;
	}
	else if (c == '{' || c == '[')
	{
		rows->in_rows = rows->in_rows || (c == '[' && begins_rows(rows));
		rows->depth++;
	}
	else if (c == '}' || c == ']')
		rows->depth--;
	return rows->depth >= 0;
}

/* Take what belongs to the row that has begun; *used says how much that is. */
static bool
take_of_row(JsonRows *rows, const char *bytes, size_t length, size_t *used)
{
	*used = 0;
	while (*used < length && rows->depth > ROWS_DEPTH)
		(void) follow(rows, bytes[(*used)++]);
	text_add_bytes(&rows->row, bytes, *used);
	return rows->depth > ROWS_DEPTH || end_row(rows);
}

/* Take one character that is outside of rows, or begins one. */
static void
take_outside(JsonRows *rows, char c)
{
	bool begins_row = rows->in_rows && c == '[';

	if (rows->in_rows && strchr(", \t\r\n", c) != NULL)
		return;
	if (!follow(rows, c) || (rows->in_rows && rows->depth == ROWS_DEPTH && c != '['))
		rows->broken = true;
	if (rows->depth < ROWS_DEPTH)
		rows->in_rows = false;
	text_add_bytes(begins_row ? &rows->row : &rows->rest, &c, 1);
}

/*
 * Take a piece of the document; an HttpSink.  False: it is beyond a bound, or a row is no row,
 * and session_fault was called; or the sink has had enough.
 */
bool
json_rows_take(void *argument, const char *bytes, size_t length)
{
	JsonRows *rows = argument;
	size_t used;

	for (size_t i = 0; i < length; i += used)
	{
		if (is_beyond(rows))
			return false;
		used = 1;
		if (rows->broken)
			text_add_bytes(&rows->rest, bytes + i, 1);
		else if (!rows->in_rows || rows->depth == ROWS_DEPTH)
			take_outside(rows, bytes[i]);
		else if (!take_of_row(rows, bytes + i, length - i, &used))
			return false;
	}
	return true;
}

/*
 * The document without its rows, which is an object; the caller's to free by json_decref().
 * NULL: it is none, and session_fault was called.
 */
json_t *
json_rows_end(JsonRows *rows)
{
	json_t *document = json_read(rows->session, rows->rest.bytes, rows->rest.length);

	if (document == NULL || json_is_object(document))
		return document;
	session_fault(rows->session, FAULT_IS_KIND, 0, NULL, "its answer is no JSON object");
	json_decref(document);
	return NULL;
}

void
json_rows_free(JsonRows *rows)
{
	text_free(&rows->row);
	text_free(&rows->rest);
}
