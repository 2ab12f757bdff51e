/*
 * misplaced_secret.c
 *		Text that may be something else than a name, with a password in it.
 *
 * Such text stays out of the log.  It must not know what it was given for.
 */
#include "postgres.h"

#include "base/misplaced_secret.h"

/* Is there a token of the bridge in it, or what could be another one: this many digits of hexadecimal in a row? */
#define TOKEN_DIGITS 32

static bool
has_token(const char *name)
{
	while (*name != '\0')
	{
		size_t digits = strspn(name, "0123456789abcdefABCDEF");

		if (digits >= TOKEN_DIGITS)
			return true;
		name += Max(digits, 1);
	}
	return false;
}

/* Is there an @, and before it a sign that may part a user and a password, as in a URL or for Oracle? */
static bool
has_user_part(const char *name)
{
	const char *at = strrchr(name, '@');

	return at != NULL && name + strcspn(name, ":/") < at;
}

/*
 * May this be something else, given for a name by mistake, with a password in it:
 * a URI, a DSN, JSON, an assignment, a token?
 */
bool
name_may_hold_secret(const char *name)
{
	static const char *const words[] = {"password", "passwd", "pwd", "secret", "token"};
	const char *first = name + strspn(name, " \t\n\v\f\r");

	if (has_user_part(name))
		return true;
	/* Most names have none of the characters that all but tokens need; each call asks about its names. */
	if (strpbrk(name, "{[\"'=: \t\n\v\f\r") == NULL)
		return has_token(name);
	if ((*first != '\0' && strchr("{[\"", *first) != NULL) || strchr(name, '=') != NULL ||
		strstr(name, "://") != NULL)
		return true;
	/* A name may well have such a word in it, but hardly with a value behind it. */
	for (int i = 0; i < lengthof(words); i++)
		for (const char *word = name; (word = strcasestr(word, words[i])) != NULL; word++)
		{
			const char *behind = word + strlen(words[i]);

			if (*behind != '\0' && strchr(" \t\n\v\f\r:\"'", *behind) != NULL)
				return true;
		}
	return has_token(name);
}
