/*
 * secret.c
 *		References to secrets, ${...}, in the values of a model.
 *
 * A value that holds a reference must never be used as it stands: the remote
 * would be sent the reference in place of the secret.  There is no store of
 * credentials in this version, so every reference is refused, by its own text.
 */
#include "postgres.h"

#include "dqds.h"

/*
 * Expand the references in *value, the member called key.  Returns false, with
 * DQDS_UNRESOLVED_SECRET, when one cannot be resolved.
 */
bool
secret_resolve(const char *key, char **value, Failure *failure)
{
	const char *start = strstr(*value, "${");
	const char *end = start == NULL ? NULL : strchr(start, '}');

	if (end == NULL)
		return true;
	failure_set(failure, DQDS_UNRESOLVED_SECRET,
				"This version resolves no references: give the value itself.",
				"the reference %.*s in \"%s\" cannot be resolved", (int) Min(end - start + 1, 200),
				start, key);
	return false;
}
