/*
 * name_pattern.c
 *		Name patterns, as in the published interface.
 *
 * A * matches any number of characters, including none; no other character is
 * special.  The case of ASCII letters is ignored.
 */
#include "postgres.h"

#include "base/name_pattern.h"

/* Does the text contain a *? */
bool
is_name_pattern(const char *text)
{
	return strchr(text, '*') != NULL;
}

/* Non-ASCII characters are compared byte by byte, whatever the locale. */
static bool
same_byte(char a, char b)
{
	return pg_ascii_tolower((unsigned char) a) == pg_ascii_tolower((unsigned char) b);
}

/*
 * Does the pattern match the whole name?  When the text after a * does not
 * match, only the last * is extended by one byte: if that fails, no other
 * choice can succeed.  So the time is at most proportional to the product of
 * both lengths.
 */
bool
name_fits_pattern(const char *name, const char *pattern)
{
	const char *after_star = NULL; /* the pattern after the last * */
	const char *retry = NULL;      /* where in the name to match it next */

	while (*name != '\0')
	{
		if (*pattern == '*')
		{
			after_star = ++pattern;
			retry = name;
		}
		else if (*pattern != '\0' && same_byte(*name, *pattern))
		{
			name++;
			pattern++;
		}
		else if (after_star != NULL)
		{
			pattern = after_star;
			name = ++retry;
		}
		else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
