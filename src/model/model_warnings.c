/*
 * model_warnings.c
 *		Finds keys in a model that have no effect, and refuses them where that is dangerous.
 *
 * A model may hold keys of other programs, which are kept.  Each unknown key in
 * the section of the model's provider is reported, so that a key without effect
 * does not go unnoticed.  A key that looks like a TLS setting, or like the
 * host, makes the model unusable: a connection that is less secure than
 * intended, or leads elsewhere, must not look like a success.  At the top level
 * of a model, keys are reported only if they look like a known one, or belong
 * in the section.
 *
 * Owns: the texts of warnings about models.  It must not show a value.  Members that are
 * null or an empty string count as missing.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "base/failure.h"
#include "base/remote_text.h"
#include "model/model.h"
#include "model/model_internal.h"
#include "model/provider.h"

#define MAX_SHOWN_KEY 63 /* bytes */
#define MAX_WARNINGS  20

static bool
has_value(const JsonbValue *value)
{
	return value->type != jbvNull && (value->type != jbvString || value->val.string.len > 0);
}

/*
 * The next key of an object that has a value, palloc'd; NULL if there is none
 * left.  If section is not NULL, the object is that provider's section, and
 * known keys are skipped.
 */
static char *
next_key(JsonbIterator **iterator, const Provider *section)
{
	JsonbIteratorToken token;
	JsonbValue key = {.type = jbvNull};
	JsonbValue item;

	while ((token = JsonbIteratorNext(iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = item;
		if (token == WJB_VALUE && has_value(&item) &&
			(section == NULL ||
			 section_key_find(*section, key.val.string.val, key.val.string.len) == NULL))
			return pnstrdup(key.val.string.val, key.val.string.len);
	}
	return NULL;
}

/* A key for display: cut, and on one line. */
static const char *
shown_key(const char *key)
{
	int length = strlen(key);

	if (length <= MAX_SHOWN_KEY)
		return visible_text(key);
	return visible_text(psprintf("%.*s...", pg_mbcliplen(key, length, MAX_SHOWN_KEY), key));
}

/* ---- keys that make a model unusable -------------------------------------------------- */

static char *
advice(const char *key, const KeyMeaning *meaning)
{
	if (meaning->reason != NULL)
		return psprintf("Leave it out: %s.", meaning->reason);
	if (strcmp(key, meaning->meant) == 0)
		return psprintf("Leave it out: only a section \"%s\" has it.",
						provider_name(PROVIDER_POSTGRESQL));
	return psprintf("Rename it to \"%s\", or leave it out.", meaning->meant);
}

/*
 * Is the section of this provider without unknown keys that look like the host or like a TLS setting?  If not, *failure is
 * DQDS_INVALID_CONNECTION, and names the key and what it probably means.
 */
bool
model_check_keys(JsonbContainer *section, Provider provider, Failure *failure)
{
	const char *name = provider_name(provider);
	JsonbIterator *iterator = JsonbIteratorInit(section);
	JsonbValue host;
	char *key;

	while ((key = next_key(&iterator, &provider)) != NULL)
	{
		KeyMeaning meaning = key_meaning(provider, key);

		/* If there is a host, a key that is only similar to it may belong to another program. */
		if (meaning.kind == KEY_PLAIN ||
			(meaning.kind == KEY_HOST && meaning.is_typo && model_member(section, "host", &host)))
			continue;
		failure_set(failure, DQDS_INVALID_CONNECTION, advice(key, &meaning),
					"\"%s.%s\" in the connection model is not known", name, shown_key(key));
		return false;
	}
	return true;
}

/* Is the first letter or digit of a key an s or a t, as in ssl or tls? */
static bool
may_be_tls(const JsonbValue *key)
{
	for (int i = 0; i < key->val.string.len; i++)
	{
		unsigned char c = key->val.string.val[i];

		if (c < 0x80 && isalnum(c))
			return strchr("sStT", c) != NULL;
	}
	return false;
}

/*
 * Is the top level of the model without TLS settings, which have no effect
 * there?  If not, *failure is DQDS_INVALID_CONNECTION, and names the provider's
 * section in which the setting belongs.
 */
bool
model_check_top(JsonbContainer *root, Provider provider, Failure *failure)
{
	JsonbIterator *iterator = JsonbIteratorInit(root);
	JsonbIteratorToken token;
	JsonbValue key = {.type = jbvNull};
	JsonbValue item;

	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		KeyMeaning meaning;
		char *text;

		if (token == WJB_KEY)
			key = item;
		/* This runs in each call, and most keys begin otherwise. */
		if (token != WJB_VALUE || !may_be_tls(&key) || !has_value(&item))
			continue;
		text = pnstrdup(key.val.string.val, key.val.string.len);
		if (!key_is_misplaced(provider, text, &meaning) || meaning.kind != KEY_TLS)
			continue;
		failure_set(failure, DQDS_INVALID_CONNECTION,
					meaning.reason != NULL ? psprintf("Leave it out: %s.", meaning.reason)
										   : psprintf("Move it into \"%s\", as \"%s\".",
													  provider_name(provider), meaning.meant),
					"\"%s\" in the connection model is not known", shown_key(text));
		return false;
	}
	return true;
}

/* ---- missing members ----------------------------------------------------------------------- */

/*
 * Report that a member of the provider's section is missing, and name the
 * unknown key that probably means it, if there is one.  Always returns false.
 */
bool
model_missing_key(JsonbContainer *section, Provider provider, const char *wanted, Failure *failure)
{
	const char *name = provider_name(provider);
	JsonbIterator *iterator = JsonbIteratorInit(section);
	char *key;

	while ((key = next_key(&iterator, &provider)) != NULL)
	{
		KeyMeaning meaning = key_meaning(provider, key);

		if (meaning.meant == NULL || meaning.reason != NULL || strcmp(meaning.meant, wanted) != 0)
			continue;
		failure_set(failure, DQDS_INVALID_CONNECTION,
					psprintf("Rename \"%s\" to \"%s\".", shown_key(key), wanted),
					"\"%s.%s\" is missing in the connection model", name, wanted);
		return false;
	}
	return model_missing(failure, name, wanted);
}

/*
 * The same for a member at the top level of the model.  If the missing member
 * is the section of a provider, section is that provider, and a key that
 * belongs in it is named, too; else it is NULL.
 */
bool
model_missing_at_top(JsonbContainer *root, const char *wanted, const Provider *section,
					 Failure *failure)
{
	JsonbIterator *iterator = JsonbIteratorInit(root);
	char *hint = NULL;
	char *key;

	while (hint == NULL && (key = next_key(&iterator, NULL)) != NULL)
	{
		KeyMeaning meaning = key_meaning_at_top(key);

		if (meaning.meant != NULL && strcmp(meaning.meant, wanted) == 0)
			hint = psprintf("Rename \"%s\" to \"%s\".", shown_key(key), wanted);
		else if (section != NULL && key_is_misplaced(*section, key, &meaning) &&
				 meaning.reason == NULL)
			hint = psprintf("Move \"%s\" into \"%s\", as \"%s\".", shown_key(key), wanted,
							meaning.meant);
	}
	(void) model_missing(failure, "", wanted);
	if (hint != NULL)
		failure->hint = unconstify(char *, visible_text(hint));
	return false;
}

/* ---- warnings ------------------------------------------------------------------------------ */

static List *
add_key_warnings(List *warnings, JsonbContainer *section, Provider provider)
{
	const char *name = provider_name(provider);
	JsonbIterator *iterator = JsonbIteratorInit(section);
	char *key;

	while (list_length(warnings) <= MAX_WARNINGS && (key = next_key(&iterator, &provider)) != NULL)
	{
		KeyMeaning meaning = key_meaning(provider, key);
		const char *shown = shown_key(key);

		if (meaning.meant == NULL || meaning.reason != NULL || strcmp(meaning.meant, key) == 0)
			warnings = lappend(warnings,
							   psprintf("\"%s.%s\" is not known and has no effect", name, shown));
		else
			warnings = lappend(warnings, psprintf("\"%s.%s\" is not known and has no effect; "
												  "\"%s\" was probably meant",
												  name, shown, meaning.meant));
	}
	return warnings;
}

static List *
add_top_warnings(List *warnings, JsonbContainer *root, Provider provider)
{
	JsonbIterator *iterator = JsonbIteratorInit(root);
	char *key;

	while (list_length(warnings) <= MAX_WARNINGS && (key = next_key(&iterator, NULL)) != NULL)
	{
		KeyMeaning meaning = key_meaning_at_top(key);

		if (meaning.meant != NULL)
			warnings = lappend(warnings, psprintf("\"%s\" is not known and has no effect; "
												  "\"%s\" was probably meant",
												  shown_key(key), meaning.meant));
		else if (key_is_misplaced(provider, key, &meaning) && meaning.reason == NULL)
			warnings =
				lappend(warnings, psprintf("\"%s\" has no effect at the top level; "
										   "it belongs in \"%s\", as \"%s\"",
										   shown_key(key), provider_name(provider), meaning.meant));
	}
	return warnings;
}

/* Names may contain any character, but invisible ones at the ends are probably a mistake. */
static List *
add_value_warnings(List *warnings, JsonbContainer *section, Provider provider)
{
	static const KeyUse uses[] = {AS_DATABASE, AS_USER};
	JsonbValue value;

	for (int i = 0; i < lengthof(uses); i++)
	{
		const SectionKey *key = section_key_used(provider, uses[i]);

		if (key != NULL && model_member(section, key->key, &value) && value.type == jbvString &&
			text_has_blank_ends(pnstrdup(value.val.string.val, value.val.string.len)))
			warnings = lappend(warnings, psprintf("\"%s.%s\" begins or ends with white space",
												  provider_name(provider), key->key));
	}
	return warnings;
}

/* Statements of the model are not run: a session leaves no state that a pooler could leak. */
static List *
add_statement_warnings(List *warnings, JsonbContainer *section, Provider provider)
{
	const SectionKey *key = section_key_used(provider, AS_NOT_RUN);

	if (key != NULL && model_has_value(section, key->key))
		warnings = lappend(warnings, psprintf("\"%s.%s\" is kept, but its statements are not run",
											  provider_name(provider), key->key));
	return warnings;
}

/*
 * The warnings about a model, whether it can be used or not: a palloc'd list of
 * char *, each safe to show, and of bounded length.  Raises no error.
 */
List *
model_warnings(Jsonb *model)
{
	List *warnings = NIL;
	JsonbContainer *root = &model->root;
	JsonbContainer *section;
	Provider provider;

	if (!JB_ROOT_IS_OBJECT(model) || !model_get_provider(root, &provider))
		return NIL;
	section = model_object_member(root, provider_name(provider));
	warnings = add_top_warnings(warnings, root, provider);
	if (section != NULL)
	{
		warnings = add_value_warnings(warnings, section, provider);
		warnings = add_statement_warnings(warnings, section, provider);
		warnings = add_key_warnings(warnings, section, provider);
	}
	if (list_length(warnings) > MAX_WARNINGS)
	{
		warnings = list_truncate(warnings, MAX_WARNINGS);
		warnings = lappend(warnings, pstrdup("more keys have no effect"));
	}
	return warnings;
}
