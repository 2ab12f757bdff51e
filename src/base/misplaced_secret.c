/*
 * misplaced_secret.c
 *		Recognizes text, given where a name is expected, that may contain a password.
 *
 * Such text is kept out of the log.  It must not know what the name is for.
 */
#include "postgres.h"

#include "base/misplaced_secret.h"

/*
 * A text with this many hexadecimal digits in a row may contain a token of the
 * bridge, or another one.
 */
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

/*
 * Is there an @ with a : or / before it, which may separate user and password
 * as in a URL or for Oracle?
 */
static bool
has_user_part(const char *name)
{
	const char *at = strrchr(name, '@');

	return at != NULL && name + strcspn(name, ":/") < at;
}

/*
 * May this text, given as a name by mistake, be something else that contains a
 * password: a URI, a DSN, JSON, an assignment, a token?
 */
bool
name_may_hold_secret(const char *name)
{
	static const char *const words[] = {"password", "passwd", "pwd", "secret", "token"};
	const char *first = name + strspn(name, " \t\n\v\f\r");

	if (has_user_part(name))
		return true;
	/*
	 * A short cut, since each call checks its names: most of them have none of
	 * these characters, without which only a token is possible.
	 */
	if (strpbrk(name, "{[\"'=: \t\n\v\f\r") == NULL)
		return has_token(name);
	if ((*first != '\0' && strchr("{[\"", *first) != NULL) || strchr(name, '=') != NULL ||
		strstr(name, "://") != NULL)
		return true;
	/* A name may contain such a word, but hardly one that is followed by a value. */
	for (int i = 0; i < lengthof(words); i++)
		for (const char *word = name; (word = strcasestr(word, words[i])) != NULL; word++)
		{
			const char *behind = word + strlen(words[i]);

			if (*behind != '\0' && strchr(" \t\n\v\f\r:\"'", *behind) != NULL)
				return true;
		}
	return has_token(name);
}
