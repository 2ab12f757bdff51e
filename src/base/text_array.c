/*
 * text_array.c
 *		Arrays of text as a remote server sends them: {a,"b c",NULL}.
 *
 * Owns: their spelling.  PostgreSQL's own array_in would raise an error for what
 * is no array, and what a remote sends may be anything.  Only arrays of one
 * dimension that begin at 1 are read: others are never asked for.  Blanks around an
 * element do not belong to it, unless they are within quotation marks.
 *
 * It must not know what the elements are.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "base/text_array.h"

/* How many bytes stand before the quotation mark that ends an element; -1: there is none. */
static int
quoted_length(const char *text)
{
	const char *at = text;

	for (; *at != '"'; at++)
	{
		if (*at == '\\')
			at++;
		if (*at == '\0')
			return -1;
	}
	return at - text;
}

/*
 * Read an element within quotation marks, from behind the first of them; *at is
 * then behind the last.  NULL: there is no last one.
 */
static char *
read_quoted(const char **at)
{
	int length = quoted_length(*at);
	const char *end;
	char *element;
	char *out;

	if (length < 0)
		return NULL;
	end = *at + length;
	out = element = palloc(length + 1);
	for (; *at < end; (*at)++)
	{
		if (**at == '\\')
			(*at)++;
		*out++ = **at;
	}
	*out = '\0';
	(*at)++;
	return element;
}

/* What array_in takes for blanks, whatever the locale. */
#define BLANKS " \t\n\r\v\f"

static void
skip_blanks(const char **at)
{
	*at += strspn(*at, BLANKS);
}

/* An element without quotation marks; *at is then behind it.  False: there is none. */
static bool
read_plain(const char **at, char **element)
{
	size_t extent = strcspn(*at, "{},\"\\");
	size_t length = extent;

	while (length > 0 && strchr(BLANKS, (*at)[length - 1]) != NULL)
		length--;
	if (length == 0)
		return false;
	*element = length == 4 && pg_strncasecmp(*at, "NULL", 4) == 0 ? NULL : pnstrdup(*at, length);
	*at += extent;
	return true;
}

/*
 * Read an element and the blanks around it; *at is then behind them.  False: there is
 * none.  *element is NULL for SQL's NULL.
 */
static bool
read_element(const char **at, char **element)
{
	skip_blanks(at);
	if (**at != '"')
		return read_plain(at, element);
	(*at)++;
	*element = read_quoted(at);
	skip_blanks(at);
	return *element != NULL;
}

/*
 * The elements of an array of text, in the current memory context: char *, and NULL
 * for SQL's NULL.  False: the text is no such array.
 */
bool
text_array_parse(const char *literal, List **elements)
{
	const char *at = literal;

	*elements = NIL;
	if (*at != '{')
		return false;
	at++;
	skip_blanks(&at);
	if (strcmp(at, "}") == 0)
		return true;
	at = literal;
	do
	{
		char *element;

		at++;
		if (!read_element(&at, &element))
			return false;
		*elements = lappend(*elements, element);
	} while (*at == ',');
	return at[0] == '}' && at[1] == '\0';
}
