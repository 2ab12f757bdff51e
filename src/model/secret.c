/*
 * secret.c
 *		References to secrets, ${...}, in the values of a model.
 *
 *	${credential://NAME}	a stored credential that was granted to the model's role, as
 *				the password or a part of it: elsewhere it would be sent in the
 *				clear and be shown by others
 *	${NAME}, ${NAME:default}	an environment variable of the server whose name begins
 *				with dqds.secret_env_prefix, in a member that an admin wrote
 *				(environment.c)
 *
 *	$${	a literal ${, wherever it stands outside of a reference
 *
 * A value is read from left to right.  A ${ that no brace follows, and every
 * other $, stands for itself; so $$${x} is $${x}, and a literal text is written
 * by putting a $ before each ${ in it.  What a reference stands for is not read
 * again.
 *
 * A reference that is unknown and one that is forbidden read alike, and no
 * message ever shows more than the reference's name.  A credential brings its
 * list of hosts along, which policy.c then demands of the target.
 *
 * No error tells anything about a secret.  The text of the model alone can be too
 * long, before a secret takes the place of a reference.  And a secret is masked
 * in a remote's text only when it does not stand in the model's own words, which
 * the remote may have repeated: otherwise the mask would show which of many
 * guesses, say in the name of the user, is right.  Options are repeated by a remote
 * after it has read them, without their backslashes: where they come together with
 * a stored secret, none of its words about a login are shown (failure_login.c).
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"

#include "base/failure.h"
#include "base/settings.h"
#include "model/secret.h"
#include "model/target.h"

#define CREDENTIAL_PREFIX "credential://"
#define MAX_SHOWN         200

#define ESCAPE  "$${"
#define LITERAL "${" /* what the escape stands for */

/* So what a value becomes has a bound that is known before anything is looked up. */
#define MAX_REFERENCES      8
#define MAX_REFERENCE_BYTES 8000 /* of what stands between the braces, default included */
#define MAX_SECRET_BYTES    8000 /* of what one reference stands for */

/* ---- references in a value -------------------------------------------------------- */

/* A way through a value, from one thing that does not stand for itself to the next. */
typedef struct Scan
{
	const char *rest;       /* where to look for the next one */
	const char *last_brace; /* of the value; NULL: there is none */
	const char *start;      /* the one that was found, */
	const char *end;        /* and what follows it */
	bool is_reference;      /* else it is $${ */
} Scan;

static void
scan_start(Scan *scan, const char *value)
{
	scan->rest = value;
	scan->last_brace = strrchr(value, '}');
}

/* Find the next one; false: there is none. */
static bool
scan_next(Scan *scan)
{
	for (const char *at = strchr(scan->rest, '$'); at != NULL; at = strchr(at + 1, '$'))
	{
		bool is_escape = strncmp(at, ESCAPE, strlen(ESCAPE)) == 0;

		if (!is_escape && (at[1] != '{' || scan->last_brace == NULL || at > scan->last_brace))
			continue;
		scan->is_reference = !is_escape;
		scan->start = at;
		scan->end = is_escape ? at + strlen(ESCAPE) : strchr(at, '}') + 1;
		scan->rest = scan->end;
		return true;
	}
	return false;
}

/* Find the next reference; false: there is none. */
static bool
scan_reference(Scan *scan)
{
	while (scan_next(scan))
		if (scan->is_reference)
			return true;
	return false;
}

/* Does a value hold a reference? */
bool
secret_has_reference(const char *value)
{
	Scan scan;

	scan_start(&scan, value);
	return scan_reference(&scan);
}

/*
 * A value as it may be shown: with references as they are written, and ${ in
 * the place of $${.  Its argument if there is nothing to do, else palloc'd.
 */
char *
secret_shown(char *value)
{
	StringInfoData shown;
	const char *copied = value;
	Scan scan;

	if (strstr(value, ESCAPE) == NULL)
		return value;
	initStringInfo(&shown);
	for (scan_start(&scan, value); scan_next(&scan); copied = scan.end)
	{
		appendBinaryStringInfo(&shown, copied, scan.start - copied);
		if (scan.is_reference)
			appendBinaryStringInfo(&shown, scan.start, scan.end - scan.start);
		else
			appendStringInfoString(&shown, LITERAL);
	}
	appendStringInfoString(&shown, copied);
	return shown.data;
}

static bool
is_credential(const char *reference)
{
	return strncmp(reference, CREDENTIAL_PREFIX, strlen(CREDENTIAL_PREFIX)) == 0;
}

/* How many bytes of what a value becomes do not come from its references. */
size_t
secret_literal_length(const char *value)
{
	size_t length = strlen(value);
	Scan scan;

	for (scan_start(&scan, value); scan_next(&scan);)
		length -= scan.end - scan.start - (scan.is_reference ? 0 : strlen(LITERAL));
	return length;
}

/* Is there a reference to the server's environment in a value? */
bool
secret_uses_environment(const char *value)
{
	Scan scan;

	for (scan_start(&scan, value); scan_reference(&scan);)
		if (!is_credential(scan.start + 2))
			return true;
	return false;
}

static bool
check_references(const char *path, const char *value, Failure *failure)
{
	Scan scan;
	int count = 0;

	for (scan_start(&scan, value); scan_reference(&scan);)
		if (++count > MAX_REFERENCES || scan.end - scan.start - 3 > MAX_REFERENCE_BYTES)
		{
			failure_set(failure, DQDS_INVALID_CONNECTION,
						psprintf("It must be a text with at most %d references, each at most %d "
								 "bytes long.",
								 MAX_REFERENCES, MAX_REFERENCE_BYTES),
						"\"%s\" in the connection model is not valid", path);
			return false;
		}
	return true;
}

/* ---- what they stand for ------------------------------------------------------------ */

#define LITERAL_HINT "A literal ${ is written as $${."

static bool
refuse(const char *path, const char *name, Failure *failure)
{
	failure_set(
		failure, DQDS_UNRESOLVED_SECRET,
		is_credential(name)
			? "The credential must exist and be granted to the owner of the connection, or "
			  "to the caller for a connection that is not registered, and stand in the "
			  "password. " LITERAL_HINT
			: "The variable must be set for the server, begin with the setting "
			  "dqds.secret_env_prefix, and stand in a member that an admin wrote. " LITERAL_HINT,
		"the reference ${%.*s} in \"%s\" cannot be resolved",
		pg_mbcliplen(name, strlen(name), MAX_SHOWN), name, path);
	return false;
}

/* False when it is longer than any secret may be. */
static bool
append_secret(Target *target, const char *value, StringInfo out)
{
	if (strlen(value) > MAX_SECRET_BYTES)
		return false;
	appendStringInfoString(out, value);
	if (*value != '\0')
		target->secret_values = lappend(target->secret_values, pstrdup(value));
	return true;
}

/* The one member in which a credential may stand, and which a remote has no reason to repeat. */
static bool
is_password(const char *path)
{
	const char *dot = strchr(path, '.');

	return dot != NULL && strcmp(dot, ".password") == 0;
}

static bool
append_credential(Target *target, const char *path, const char *name, StringInfo out)
{
	const SecretScope *scope = target->scope;
	Credential credential;

	if (!is_password(path) ||
		!scope->find_credential(scope->caller, name, scope->role, &credential) ||
		(OidIsValid(scope->writer) &&
		 !scope->find_credential(scope->caller, name, scope->writer, &credential)))
		return false;
	target->secret_hosts = lappend(target->secret_hosts, credential.allowed_hosts);
	return append_secret(target, credential.secret, out);
}

static bool
may_use_environment(const Target *target, const char *path)
{
	ListCell *cell;

	foreach (cell, target->scope->environment_members)
		if (strcmp(lfirst(cell), path) == 0)
			return true;
	return false;
}

/* fallback is NULL when the reference has none. */
static bool
append_variable(Target *target, const char *path, const char *name, const char *fallback,
				StringInfo out)
{
	const char *prefix = dqds_secret_env_prefix;
	const char *value;

	if (!may_use_environment(target, path) || *prefix == '\0' ||
		strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	value = getenv(name);
	if (value != NULL)
		return append_secret(target, value, out);
	if (fallback != NULL)
		appendStringInfoString(out, fallback);
	return fallback != NULL;
}

/* One reference, without its ${ and }, which is scribbled on. */
static bool
append_reference(Target *target, const char *path, char *reference, StringInfo out,
				 Failure *failure)
{
	char *fallback;

	if (is_credential(reference))
		return append_credential(target, path, reference + strlen(CREDENTIAL_PREFIX), out) ||
			   refuse(path, reference, failure);
	fallback = strchr(reference, ':');
	if (fallback != NULL)
		*fallback++ = '\0';
	return append_variable(target, path, reference, fallback, out) ||
		   refuse(path, reference, failure);
}

/*
 * Expand the references in *value, the member of the model at path
 * (SECTION.KEY or SECTION.properties.KEY), as target->scope permits, and undo its
 * escapes; *value is replaced by palloc'd text.  Where the scope is NULL the
 * model is only checked, and a value with references counts as "1".  False:
 * *failure is DQDS_UNRESOLVED_SECRET, or DQDS_INVALID_CONNECTION for more
 * references than a value may have.
 */
bool
secret_resolve(Target *target, const char *path, char **value, Failure *failure)
{
	const char *copied = *value;
	char *shown = secret_shown(*value);
	StringInfoData out;
	Scan scan;

	/* What a remote is told, and may repeat, has no escapes. */
	if (!is_password(path))
		target->own_words = lappend(target->own_words, shown);
	if (!secret_has_reference(*value))
	{
		*value = shown;
		return true;
	}
	target->has_reference |= !is_password(path);
	target->stored_secret = true;
	if (!check_references(path, *value, failure))
		return false;
	if (target->scope == NULL)
	{
		*value = pstrdup("1");
		return true;
	}
	initStringInfo(&out);
	for (scan_start(&scan, *value); scan_next(&scan); copied = scan.end)
	{
		appendBinaryStringInfo(&out, copied, scan.start - copied);
		if (!scan.is_reference)
			appendStringInfoString(&out, LITERAL);
		else if (!append_reference(target, path,
								   pnstrdup(scan.start + 2, scan.end - scan.start - 3), &out,
								   failure))
			return false;
	}
	appendStringInfoString(&out, copied);
	*value = out.data;
	return true;
}

/* ---- what may be shown ---------------------------------------------------------------- */

/*
 * Does the model itself say this, in a member that a remote may repeat?  Then it
 * is known to those who wrote the model, whether it is a secret or not.
 */
static bool
is_own_word(const Target *target, const char *value)
{
	ListCell *cell;

	foreach (cell, target->own_words)
		if (strstr(lfirst(cell), value) != NULL)
			return true;
	return false;
}

/* The length of the longest of the values that text begins with; 0: of none. */
static size_t
secret_length(List *values, const char *text)
{
	size_t longest = 0;
	ListCell *cell;

	foreach (cell, values)
	{
		const char *value = lfirst(cell);

		if (strncmp(text, value, strlen(value)) == 0)
			longest = Max(longest, strlen(value));
	}
	return longest;
}

/*
 * What may be shown of text that came from a remote (or from a library that
 * speaks of it): a mask in place of the password and of each value that a
 * reference of the target stood for.  Without one it is text itself, NULL included.
 */
char *
secret_hide(const Target *target, const char *text)
{
	StringInfoData shown;
	List *values = NIL;
	ListCell *cell;

	foreach (cell, target->secret_values)
		if (!is_own_word(target, lfirst(cell)))
			values = lappend(values, lfirst(cell));
	if (values == NIL || text == NULL)
		return unconstify(char *, text);
	initStringInfo(&shown);
	while (*text != '\0')
	{
		size_t length = secret_length(values, text);

		if (length > 0)
			appendStringInfoString(&shown, DQDS_MASK);
		else
			appendStringInfoChar(&shown, *text);
		text += Max(length, 1);
	}
	return shown.data;
}
