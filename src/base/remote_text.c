/*
 * remote_text.c
 *		Makes text from outside safe to store, log and show.
 *
 * Owns: which bytes are replaced because they are not valid in this database's
 * encoding, and which characters are escaped because a terminal would obey them
 * or a reader of the log would be misled.  It must not know where the text came
 * from.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "base/remote_text.h"

/*
 * Make text from a remote server valid in this database's encoding.  Bytes that
 * are not valid (a SQL_ASCII server sends whatever it has stored) become
 * U+FFFD, or ? if the encoding is not UTF8.  Returns its argument, or palloc'd
 * memory.
 */
const char *
remote_text(const char *value)
{
	int encoding = GetDatabaseEncoding();
	const char *replacement = encoding == PG_UTF8 ? "\xEF\xBF\xBD" : "?";
	int length = strlen(value);
	StringInfoData out;

	if (pg_verifymbstr(value, length, true))
		return value;
	initStringInfo(&out);
	while (length > 0)
	{
		int step = pg_encoding_mblen(encoding, value);

		if (step <= length && pg_verifymbstr(value, step, true))
			appendBinaryStringInfo(&out, value, step);
		else
		{
			appendStringInfoString(&out, replacement);
			step = 1;
		}
		value += step;
		length -= step;
	}
	return out.data;
}

/*
 * Characters that are escaped, as Unicode code points.  C0, DEL and C1 control
 * a terminal (U+009B begins an escape sequence), U+2028 and U+2029 end a line,
 * and the others (the Bidi_Control property of UAX #9) change the order in
 * which the following characters are shown.
 */
static const struct
{
	pg_wchar first;
	pg_wchar last;
} hidden_characters[] = {
	{0x0001, 0x001F}, {0x007F, 0x009F}, {0x061C, 0x061C},
	{0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
};

static bool
is_hidden(pg_wchar character)
{
	for (int i = 0; i < lengthof(hidden_characters); i++)
		if (character >= hidden_characters[i].first && character <= hidden_characters[i].last)
			return true;
	return false;
}

/* Is it a single-byte encoding in which 0x80 to 0x9F are the C1 controls, as in Unicode? */
static bool
has_c1_bytes(int encoding)
{
	switch (encoding)
	{
		case PG_LATIN1:
		case PG_LATIN2:
		case PG_LATIN3:
		case PG_LATIN4:
		case PG_LATIN5:
		case PG_LATIN6:
		case PG_LATIN7:
		case PG_LATIN8:
		case PG_LATIN9:
		case PG_LATIN10:
		case PG_ISO_8859_5:
		case PG_ISO_8859_6:
		case PG_ISO_8859_7:
		case PG_ISO_8859_8:
			return true;
		default:
			return false;
	}
}

/*
 * The code point of the first character of text, which has left bytes, or 0 if
 * it cannot be one of hidden_characters; *step is set to its length.  A
 * SQL_ASCII database holds bytes of any encoding: they are read as UTF-8 if
 * they are valid as such, else as LATIN1.
 */
static pg_wchar
next_character(const char *text, int left, int encoding, int *step)
{
	const unsigned char *bytes = (const unsigned char *) text;
	bool unknown = encoding == PG_SQL_ASCII;

	*step = 1;
	if (bytes[0] < 0x80)
		return bytes[0];
	if (encoding == PG_UTF8 || unknown)
	{
		int length = pg_utf_mblen(bytes);

		if (length <= left && pg_utf8_islegal(bytes, length))
		{
			*step = length;
			return utf8_to_unicode(bytes);
		}
	}
	if (unknown || has_c1_bytes(encoding))
		return bytes[0];
	*step = Max(1, Min(pg_encoding_mblen(encoding, text), left));
	return 0;
}

/*
 * Return the text on one line and without characters that control a terminal or
 * mislead a reader: a line feed, carriage return or tab becomes a blank, every
 * other character of hidden_characters becomes \uXXXX.  Returns its argument if
 * there is nothing to escape, else palloc'd memory.
 */
const char *
visible_text(const char *text)
{
	int encoding = GetDatabaseEncoding();
	int left = strlen(text);
	const char *clean = text;
	StringInfoData out = {0};

	while (left > 0)
	{
		int step;
		pg_wchar character = next_character(text, left, encoding, &step);

		if (is_hidden(character))
		{
			if (out.data == NULL)
			{
				initStringInfo(&out);
				appendBinaryStringInfo(&out, clean, text - clean);
			}
			if (character == '\n' || character == '\r' || character == '\t')
				appendStringInfoChar(&out, ' ');
			else
				appendStringInfo(&out, "\\u%04X", character);
		}
		else if (out.data != NULL)
			appendBinaryStringInfo(&out, text, step);
		text += step;
		left -= step;
	}
	return out.data != NULL ? out.data : clean;
}

#define MAX_LINE_BYTES 256

/*
 * A text with which a remote server describes itself: made valid, cut to
 * MAX_LINE_BYTES bytes, and then escaped (visible_text).  Always palloc'd.
 */
char *
remote_line(const char *value)
{
	char *line = pstrdup(remote_text(value));
	int length = strlen(line);

	if (length > MAX_LINE_BYTES)
		line[pg_mbcliplen(line, length, MAX_LINE_BYTES)] = '\0';
	return unconstify(char *, visible_text(line));
}
