/*
 * secret.c
 *		Expands references to secrets, ${...}, in the values of a model, and hides secrets in texts.
 *
 *	${credential://NAME}	a stored credential that was granted to the model's role, as
 *				the password or a part of it (or what a provider has in its
 *				place): elsewhere it would be sent in the clear and be shown by
 *				others
 *	${NAME}, ${NAME:default}	an environment variable of the server whose name begins
 *				with dqds.secret_env_prefix, in a member that an admin wrote
 *				(environment.c)
 *
 *	$${	a literal ${, wherever it stands outside of a reference
 *
 * A value is read from left to right.  A ${ without a closing brace after it,
 * and every other $, stands for itself; so $$${x} is $${x}, and a literal text
 * is written by putting a $ before each ${ in it.  The value of a reference is
 * not expanded again.
 *
 * Unknown and forbidden references give the same message, and no message ever
 * shows more than the reference's name.  A credential comes with a list of
 * hosts, which policy.c then enforces.
 *
 * No error reveals anything about a secret.  Only the text of the model can be
 * too long, before references are replaced by secrets.  A secret is masked in
 * text from a remote server only if it is not part of the model's own words,
 * which the server may have repeated: otherwise the mask would show which of
 * many guesses, say in the name of the user, is right.  A server repeats
 * options after parsing them, without their backslashes: if options come
 * together with a stored secret, none of the server's text about a login is
 * shown (failure_login.c).
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
#define LITERAL "${" /* the meaning of the escape */

/* These bound the size of an expanded value before anything is looked up. */
#define MAX_REFERENCES      8
#define MAX_REFERENCE_BYTES 8000 /* between the braces, including the default */
#define MAX_SECRET_BYTES    8000 /* of the value of one reference */

/* ---- references in a value -------------------------------------------------------- */

/* A scan through a value, from one reference or escape to the next. */
typedef struct Scan
{
	const char *rest;       /* where to look for the next one */
	const char *last_brace; /* of the value; NULL if there is none */
	const char *start;      /* the one that was found, */
	const char *end;        /* and the text after it */
	bool is_reference;      /* else it is the escape $${ */
} Scan;

static void
scan_start(Scan *scan, const char *value)
{
	scan->rest = value;
	scan->last_brace = strrchr(value, '}');
}

/* Find the next reference or escape; returns false if there is none. */
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

/* Find the next reference; returns false if there is none. */
static bool
scan_reference(Scan *scan)
{
	while (scan_next(scan))
		if (scan->is_reference)
			return true;
	return false;
}

/* Does a value contain a reference? */
bool
secret_has_reference(const char *value)
{
	Scan scan;

	scan_start(&scan, value);
	return scan_reference(&scan);
}

/*
 * A value for display: with references as they are written, and ${ in place of
 * $${.  Returns its argument if there is nothing to replace, else palloc'd
 * memory.
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

/* The number of bytes of the expanded value that do not come from references. */
size_t
secret_literal_length(const char *value)
{
	size_t length = strlen(value);
	Scan scan;

	for (scan_start(&scan, value); scan_next(&scan);)
		length -= scan.end - scan.start - (scan.is_reference ? 0 : strlen(LITERAL));
	return length;
}

/* Does a value contain a reference to the server's environment? */
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
						psprintf("It must be text with at most %d references, each at most %d "
								 "bytes long.",
								 MAX_REFERENCES, MAX_REFERENCE_BYTES),
						"\"%s\" in the connection model is not valid", path);
			return false;
		}
	return true;
}

/* ---- values of references ----------------------------------------------------------- */

#define LITERAL_HINT "A literal ${ is written as $${."

static bool
refuse(const char *path, const char *name, Failure *failure)
{
	failure_set(
		failure, DQDS_UNRESOLVED_SECRET,
		is_credential(name)
			? "The credential must exist and be granted to the owner of the connection, or "
			  "to the caller for a connection that is not registered, and the reference must "
			  "be in the password. " LITERAL_HINT
			: "The variable must be set for the server, its name must begin with "
			  "dqds.secret_env_prefix, and an admin must have written the member. " LITERAL_HINT,
		"the reference ${%.*s} in \"%s\" cannot be resolved",
		pg_mbcliplen(name, strlen(name), MAX_SHOWN), name, path);
	return false;
}

/* Append the value of a reference; returns false if it is longer than any secret may be. */
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

/*
 * Is it the password, or what a provider has in its place?  Only these members may refer to a
 * credential, and a remote server has no reason to repeat them.
 */
static bool
is_password(const char *path)
{
	static const char *const members[] = {".password", ".access_token", ".json_key_content",
										  ".properties.private_key"};
	const char *dot = strchr(path, '.');

	for (int i = 0; dot != NULL && i < lengthof(members); i++)
		if (strcmp(dot, members[i]) == 0)
			return true;
	return false;
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

/* fallback is NULL if the reference has no default. */
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

/* Append the value of one reference, which is given without its ${ and }, and is modified. */
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
 * Expand the references in *value, the member of the model at path (SECTION.KEY
 * or SECTION.properties.KEY), as target->scope permits, and remove its escapes;
 * *value is replaced by palloc'd text.  If the scope is NULL, the model is only
 * checked, and a value with references becomes "1".  Returns false if *failure
 * was set: to DQDS_UNRESOLVED_SECRET, or to DQDS_INVALID_CONNECTION for more
 * references than a value may have.
 */
bool
secret_resolve(Target *target, const char *path, char **value, Failure *failure)
{
	const char *copied = *value;
	char *shown = secret_shown(*value);
	StringInfoData out;
	Scan scan;

	/* The escapes are not sent, so the remote server cannot repeat them. */
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

/* ---- hiding secrets -------------------------------------------------------------------- */

/*
 * Does the model itself contain this value, in a member that a remote server
 * may repeat?  Then the author of the model knows it, whether it is a secret or
 * not.
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

/* The length of the longest of the values that text begins with; 0 if there is none. */
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
 * Replace the password, and the value of each reference of the target, by the
 * mask in text that came from a remote server, or from a library that reports
 * about it.  Returns its argument (which may be NULL) if the target has no
 * secrets to hide, else palloc'd memory.
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
