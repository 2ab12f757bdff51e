/*
 * odbc_text.c
 *		Between UTF-8 and the UTF-16 of ODBC's wide functions.
 *
 * The wide functions are used throughout, since names then come whole whatever character set a
 * driver has been set to.  For a driver that has only the narrow ones the driver manager
 * converts, to UTF-8, which is the character set of the locale (odbc_driver.c).  unixODBC's
 * SQLWCHAR has two bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "odbc_link.h"

#define REPLACEMENT 0xFFFD

/* The character at *at, which is moved behind it; what is no UTF-8 is a replacement each. */
static uint32_t
next_character(const unsigned char **at)
{
	unsigned char first = *(*at)++;
	int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
	uint32_t character = more == 0 ? first : first & (0x3F >> more);

	if (more == 0)
		return first < 0x80 ? first : REPLACEMENT;
	for (; more > 0; more--)
	{
		if ((**at & 0xC0) != 0x80)
			return REPLACEMENT;
		character = character << 6 | (*(*at)++ & 0x3F);
	}
	return character;
}

/* UTF-8 as UTF-16 that ends in a zero; the caller's to free.  When memory is out, the process ends. */
SQLWCHAR *
wide_of(const char *utf8)
{
	const unsigned char *at = (const unsigned char *) utf8;
	/* No character takes more units than it had bytes. */
	SQLWCHAR *wide = malloc((strlen(utf8) + 1) * sizeof(SQLWCHAR));
	size_t length = 0;

	if (wide == NULL)
		_exit(1);
	while (*at != '\0')
	{
		uint32_t character = next_character(&at);

		if (character >= 0x10000)
		{
			wide[length++] = 0xD800 + ((character - 0x10000) >> 10);
			wide[length++] = 0xDC00 + ((character - 0x10000) & 0x3FF);
		}
		else
			wide[length++] = character;
	}
	wide[length] = 0;
	return wide;
}

static void
add_character(Text *text, uint32_t character)
{
	char bytes[4];
	size_t length = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

	if (length == 1)
		bytes[0] = (char) character;
	else
	{
		for (size_t i = length - 1; i > 0; i--, character >>= 6)
			bytes[i] = (char) (0x80 | (character & 0x3F));
		bytes[0] = (char) (((0xF00 >> length) & 0xF0) | character);
	}
	text_add_bytes(text, bytes, length);
}

/* Add so many units of UTF-16 as UTF-8; half a pair is a replacement. */
void
text_add_wide(Text *text, const SQLWCHAR *wide, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		uint32_t unit = wide[i];

		if (unit >= 0xD800 && unit < 0xDC00 && i + 1 < length && (wide[i + 1] & 0xFC00) == 0xDC00)
			add_character(text, 0x10000 + ((unit - 0xD800) << 10) + (wide[++i] - 0xDC00));
		else
			add_character(text, unit >= 0xD800 && unit < 0xE000 ? REPLACEMENT : unit);
	}
}
