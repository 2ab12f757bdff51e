/*
 * encoding.c
 *		Text of a remote that converts nothing, turned into this database's encoding and back.
 *
 * A server that converts for its client refuses a whole answer for one character
 * that the client's encoding does not have.  Such a server is asked for its bytes
 * as they are, and they are converted here, where a single character can be
 * replaced.  The conversions are PostgreSQL's own, those of pg_catalog, whatever
 * the search_path is.
 *
 * It must not know where the text came from or goes to.
 */
#include "postgres.h"

#include "catalog/pg_conversion.h"
#include "catalog/pg_namespace.h"
#include "common/string.h"
#include "mb/pg_wchar.h"

#include "base/encoding.h"

/* The encoding of text on our side.  A SQL_ASCII database says nothing of its own: UTF-8 is asked for there. */
static int
our_encoding(void)
{
	return GetDatabaseEncoding() == PG_SQL_ASCII ? PG_UTF8 : GetDatabaseEncoding();
}

/* What stands in place of a character that our encoding does not have: static memory. */
const char *
remote_replacement(void)
{
	return our_encoding() == PG_UTF8 ? "\xEF\xBF\xBD" : "?";
}

/* The number of a server's encoding in pg_wchar.h; -1 for a name that is not known, or NULL. */
int
remote_encoding(const char *name)
{
	return name == NULL ? -1 : pg_valid_server_encoding(name);
}

/*
 * Can a server of that encoding (its name; NULL: not told) convert to ours and
 * back?  A SQL_ASCII server can, but does not know from what.
 */
bool
remote_can_convert(const char *server_encoding)
{
	int encoding = remote_encoding(server_encoding);
	int ours = our_encoding();

	if (encoding < 0 || encoding == ours)
		return true;
	return encoding != PG_SQL_ASCII &&
		   OidIsValid(FindDefaultConversion(PG_CATALOG_NAMESPACE, encoding, ours));
}

/*
 * Convert what can be converted at the beginning of text into out, which has room
 * for four times as many bytes and one more; returns how many bytes of text that
 * were.  Encodings that are the same are only checked.  Without a conversion
 * between the two, ASCII is what they share.
 */
static int
convert_some(const char *text, int length, int from, int to, Oid conversion, char *out)
{
	int converted = 0;

	if (OidIsValid(conversion))
		return pg_do_encoding_conversion_buf(
			conversion, from, to, (unsigned char *) unconstify(char *, text), length,
			(unsigned char *) out, length * MAX_CONVERSION_GROWTH + 1, true);
	if (from == to)
		converted = pg_encoding_verifymbstr(from, text, length);
	else
		while (converted < length && !IS_HIGHBIT_SET(text[converted]))
			converted++;
	memcpy(out, text, converted);
	out[converted] = '\0';
	return converted;
}

/* The length of the character that text begins with, if it is one of that encoding; else 1. */
static int
character_length(int encoding, const char *text, int length)
{
	int step = encoding < 0 ? 1 : pg_encoding_verifymbchar(encoding, text, length);

	return Max(step, 1);
}

/*
 * text in another encoding, palloc'd, with replacement, of up to four bytes, in
 * place of each character that has no equivalent there; *exact becomes false if
 * there is one.  from is -1 for an encoding that is not known, and to may be.
 */
static char *
convert(const char *text, int from, int to, const char *replacement, bool *exact)
{
	int left = strlen(text);
	char *converted = palloc((Size) left * MAX_CONVERSION_GROWTH + 1);
	char *end = converted;
	Oid conversion = InvalidOid;

	if (from != to && from >= 0 && to >= 0)
		conversion = FindDefaultConversion(PG_CATALOG_NAMESPACE, from, to);
	*end = '\0';
	while (left > 0)
	{
		int step = convert_some(text, left, from, to, conversion, end);

		end += strlen(end);
		if (step < left)
		{
			step += character_length(from, text + step, left - step);
			end = stpcpy(end, replacement);
			*exact = false;
		}
		text += step;
		left -= step;
	}
	return converted;
}

/*
 * Bytes that a remote sent, in the encoding of that number, as text: what our
 * encoding does not have is replaced.  REMOTE_CONVERTS, and SQL_ASCII, whose bytes
 * may be anything, are left to remote_text.  Returns its argument, or palloc'd
 * memory of up to four times its length.
 */
const char *
remote_decode(const char *bytes, int encoding)
{
	int ours = our_encoding();
	bool exact = true;

	if (encoding == REMOTE_CONVERTS || encoding == PG_SQL_ASCII || encoding == ours ||
		pg_is_ascii(bytes))
		return bytes;
	/* Each encoding is converted to UTF-8, but not to each other one. */
	if (encoding >= 0 && encoding != PG_UTF8 && ours != PG_UTF8)
	{
		bytes = convert(bytes, encoding, PG_UTF8, "\xEF\xBF\xBD", &exact);
		encoding = PG_UTF8;
	}
	return convert(bytes, encoding, ours, remote_replacement(), &exact);
}

/* Longer text is not converted: its encoded form, in between as well, is to fit into an allocation. */
#define MAX_ENCODED_BYTES (16 * 1024 * 1024)

/*
 * Our text as the bytes of a remote's encoding.  False: it cannot be written
 * there, so that nothing at the remote is equal to it.  *bytes is text itself,
 * or palloc'd.
 */
bool
remote_encode(const char *text, int encoding, const char **bytes)
{
	int ours = our_encoding();
	bool exact = true;

	*bytes = text;
	if (encoding == REMOTE_CONVERTS || encoding == PG_SQL_ASCII || pg_is_ascii(text))
		return true;
	if (strlen(text) > MAX_ENCODED_BYTES)
		return false;
	if (encoding != PG_UTF8 && ours != PG_UTF8)
	{
		text = convert(text, ours, PG_UTF8, "?", &exact);
		ours = PG_UTF8;
	}
	*bytes = convert(text, ours, encoding, "?", &exact);
	return exact;
}
