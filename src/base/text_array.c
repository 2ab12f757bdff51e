/*
 * text_array.c
 *		Parses arrays of text as a remote server sends them: {a,"b c",NULL}.
 *
 * Owns: the syntax of arrays.  PostgreSQL's array_in() would raise an error for
 * an invalid array, and a remote server may send anything.  Only
 * one-dimensional arrays that begin at 1 are read: no other array is ever
 * requested.  Blanks around an element are ignored unless they are quoted.
 *
 * It must not know what the elements mean.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "base/text_array.h"

/* The number of bytes before the closing quotation mark, or -1 if there is none. */
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
 * Read a quoted element.  *at must be after its opening quotation mark, and is
 * moved to after its closing one.  Returns NULL if there is no closing one.
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

/* What array_in() accepts as blanks, whatever the locale. */
#define BLANKS " \t\n\r\v\f"

static void
skip_blanks(const char **at)
{
	*at += strspn(*at, BLANKS);
}

/* Read an unquoted element, and move *at to after it; returns false if there is none. */
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
 * Read an element and the blanks around it, and move *at to after them.
 * Returns false if there is none.  *element is NULL for a null element.
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
 * Parse an array of text into a List of char *, palloc'd, with NULL for a null
 * element.  Returns false if the text is not such an array.
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
