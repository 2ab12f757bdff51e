/*
 * name_pattern.c
 *		Patterns of names, as the published interface has them.
 *
 * A * stands for any characters, or none; nothing else is special.  The case of
 * ASCII letters does not count.
 */
#include "postgres.h"

#include "base/name_pattern.h"

/* Does the text have a * in it? */
bool
is_name_pattern(const char *text)
{
	return strchr(text, '*') != NULL;
}

/* Bytes of other characters than ASCII ones are compared as they are, whatever the locale. */
static bool
same_byte(char a, char b)
{
	return pg_ascii_tolower((unsigned char) a) == pg_ascii_tolower((unsigned char) b);
}

/*
 * Does the pattern describe the whole name?  When what follows a * does not fit,
 * only the last * takes one more byte: no other choice could succeed where that
 * fails, so the time is at most the product of both lengths.
 */
bool
name_fits_pattern(const char *name, const char *pattern)
{
	const char *after_star = NULL; /* the pattern behind the last * */
	const char *retry = NULL;      /* where the name goes on for it */

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
