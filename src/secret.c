/*
 * secret.c
 *		References to secrets, ${...}, in the values of a model.
 *
 *	${credential://NAME}	a stored credential that was granted to the model's role, as
 *				the password or a part of it: elsewhere it would be sent in the
 *				clear and be shown by others
 *	${NAME}, ${NAME:default}	an environment variable of the server whose name begins
 *				with dqds.secret_env_prefix, in models written by an admin
 *
 * A reference that is unknown and one that is forbidden read alike, and no
 * message ever shows more than the reference's name.  A credential brings its
 * list of hosts along, which policy.c then demands of the target.
 */
#include "postgres.h"

#include "dqds.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"

#define CREDENTIAL_PREFIX "credential://"
#define MAX_SHOWN         200

static bool
refuse(const char *key, const char *name, Failure *failure)
{
	bool is_credential = strncmp(name, CREDENTIAL_PREFIX, strlen(CREDENTIAL_PREFIX)) == 0;

	failure_set(failure, DQDS_UNRESOLVED_SECRET,
				is_credential
					? "The credential must exist and be granted to the owner of the connection, or "
					  "to the caller for a connection that is not registered, and stand in the "
					  "password."
					: "The variable must be set for the server, begin with the setting "
					  "dqds.secret_env_prefix, and stand in a model written by an admin.",
				"the reference ${%.*s} in \"%s\" cannot be resolved",
				pg_mbcliplen(name, strlen(name), MAX_SHOWN), name, key);
	return false;
}

static void
append_secret(Target *target, const char *value, StringInfo out)
{
	appendStringInfoString(out, value);
	if (*value != '\0')
		target->secret_values = lappend(target->secret_values, pstrdup(value));
}

static bool
append_credential(Target *target, const char *key, const char *name, StringInfo out)
{
	const SecretScope *scope = target->scope;
	Credential credential;

	if (strcmp(key, "password") != 0 ||
		!registry_credential(scope->caller, name, scope->role, &credential) ||
		(OidIsValid(scope->writer) &&
		 !registry_credential(scope->caller, name, scope->writer, &credential)))
		return false;
	append_secret(target, credential.secret, out);
	target->secret_hosts = lappend(target->secret_hosts, credential.allowed_hosts);
	return true;
}

/* fallback is NULL when the reference has none. */
static bool
append_variable(Target *target, const char *name, const char *fallback, StringInfo out)
{
	const char *prefix = dqds_secret_env_prefix;
	const char *value;

	if (!target->scope->may_use_environment || *prefix == '\0' ||
		strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	value = getenv(name);
	if (value != NULL)
		append_secret(target, value, out);
	else if (fallback != NULL)
		appendStringInfoString(out, fallback);
	return value != NULL || fallback != NULL;
}

/* One reference, without its ${ and }, which is scribbled on. */
static bool
append_reference(Target *target, const char *key, char *reference, StringInfo out, Failure *failure)
{
	char *fallback;

	if (strncmp(reference, CREDENTIAL_PREFIX, strlen(CREDENTIAL_PREFIX)) == 0)
		return append_credential(target, key, reference + strlen(CREDENTIAL_PREFIX), out) ||
			   refuse(key, reference, failure);
	fallback = strchr(reference, ':');
	if (fallback != NULL)
		*fallback++ = '\0';
	return append_variable(target, reference, fallback, out) || refuse(key, reference, failure);
}

/*
 * Expand the references in *value, the member called key, as target->scope
 * permits; *value is replaced by palloc'd text.  Where the scope is NULL the
 * model is only checked, and a value with references counts as "1", which fits
 * every member.  False: *failure is DQDS_UNRESOLVED_SECRET.
 */
bool
secret_resolve(Target *target, const char *key, char **value, Failure *failure)
{
	const char *rest = *value;
	const char *start = strstr(rest, "${");
	StringInfoData out;

	if (start == NULL || strchr(start, '}') == NULL)
		return true;
	if (target->scope == NULL)
	{
		*value = pstrdup("1");
		return true;
	}
	initStringInfo(&out);
	for (; start != NULL; start = strstr(rest, "${"))
	{
		const char *end = strchr(start, '}');

		if (end == NULL)
			break;
		appendBinaryStringInfo(&out, rest, start - rest);
		if (!append_reference(target, key, pnstrdup(start + 2, end - start - 2), &out, failure))
			return false;
		rest = end + 1;
	}
	appendStringInfoString(&out, rest);
	*value = out.data;
	return true;
}

/* The length of the longest value of a reference that text begins with; 0: of none. */
static size_t
secret_length(const Target *target, const char *text)
{
	size_t longest = 0;
	ListCell *cell;

	foreach (cell, target->secret_values)
	{
		const char *value = lfirst(cell);

		if (strncmp(text, value, strlen(value)) == 0)
			longest = Max(longest, strlen(value));
	}
	return longest;
}

/*
 * What may be shown of text: a mask in place of each value that a reference of
 * the target stood for.  Without one it is text itself, NULL included.
 */
char *
secret_hide(const Target *target, const char *text)
{
	StringInfoData shown;

	if (target->secret_values == NIL || text == NULL)
		return unconstify(char *, text);
	initStringInfo(&shown);
	while (*text != '\0')
	{
		size_t length = secret_length(target, text);

		if (length > 0)
			appendStringInfoString(&shown, DQDS_MASK);
		else
			appendStringInfoChar(&shown, *text);
		text += Max(length, 1);
	}
	return shown.data;
}
