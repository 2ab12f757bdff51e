/*
 * encoding.c
 *		Converts between this database's encoding and that of a remote server that converts nothing.
 *
 * A server that converts for its client fails to send a whole result if one
 * character does not exist in the client's encoding.  Such a server is asked
 * for its bytes unconverted, and they are converted here, where a single
 * character can be replaced.  The conversions are PostgreSQL's own, from
 * pg_catalog, whatever the search_path is.
 *
 * It must not know where the text came from or goes to.
 */
#include "postgres.h"

#include "catalog/pg_conversion.h"
#include "catalog/pg_namespace.h"
#include "common/string.h"
#include "mb/pg_wchar.h"

#include "base/encoding.h"

/* The encoding of text on our side.  For a SQL_ASCII database, which has none, this is UTF-8. */
static int
our_encoding(void)
{
	return GetDatabaseEncoding() == PG_SQL_ASCII ? PG_UTF8 : GetDatabaseEncoding();
}

/* The replacement for a character that our encoding does not have; static memory. */
const char *
remote_replacement(void)
{
	return our_encoding() == PG_UTF8 ? "\xEF\xBF\xBD" : "?";
}

/* The number of a server's encoding in pg_wchar.h; -1 for an unknown name, or NULL. */
int
remote_encoding(const char *name)
{
	return name == NULL ? -1 : pg_valid_server_encoding(name);
}

/*
 * Can a server with this encoding (its name; NULL if unknown) convert to ours
 * and back?  A SQL_ASCII server cannot: it does not know what encoding its
 * bytes have.
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
 * Convert as much as possible from the beginning of text into out, which has
 * room for four times as many bytes plus one; returns how many bytes of text
 * were converted.  If both encodings are the same, the text is only checked.
 * If there is no conversion between the two, only ASCII is converted.
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

/*
 * The length of the character at the beginning of text, or 1 if it is not valid
 * in that encoding.
 */
static int
character_length(int encoding, const char *text, int length)
{
	int step = encoding < 0 ? 1 : pg_encoding_verifymbchar(encoding, text, length);

	return Max(step, 1);
}

/*
 * Return text in another encoding, palloc'd.  Each character that has no
 * equivalent there becomes replacement, which has at most four bytes, and
 * *exact is then set to false. from and to are -1 for an unknown encoding.
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
 * Convert bytes that a remote server sent from the encoding with this number;
 * characters that our encoding does not have are replaced.  Bytes in
 * REMOTE_CONVERTS, or in SQL_ASCII, where they may be anything, are left to
 * remote_text().  Returns its argument, or palloc'd memory of up to four times
 * its length.
 */
const char *
remote_decode(const char *bytes, int encoding)
{
	int ours = our_encoding();
	bool exact = true;

	if (encoding == REMOTE_CONVERTS || encoding == PG_SQL_ASCII || encoding == ours ||
		pg_is_ascii(bytes))
		return bytes;
	/* Every encoding can be converted to UTF-8, but not to every other one. */
	if (encoding >= 0 && encoding != PG_UTF8 && ours != PG_UTF8)
	{
		bytes = convert(bytes, encoding, PG_UTF8, "\xEF\xBF\xBD", &exact);
		encoding = PG_UTF8;
	}
	return convert(bytes, encoding, ours, remote_replacement(), &exact);
}

/* Longer text is not converted, so that each converted form fits into one allocation. */
#define MAX_ENCODED_BYTES (16 * 1024 * 1024)

/*
 * Convert our text to the encoding of a remote server.  Returns false if it
 * cannot be represented there, so that nothing at the remote server can be
 * equal to it.  *bytes is text itself, or palloc'd.
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
