/*
 * model.c
 *		Reads members of the connection model, and checks their types and published words.
 *
 * model_form.c brings a model into the form in which it is stored, and
 * model_target.c makes a Target of it.  A JSON value of the wrong type in a
 * known key is an error (42804) that names the key and is raised at once,
 * because the calling program is wrong; a value of the right type that cannot
 * be used is a Failure, because a person may have typed it.
 *
 * It must not look anything up, or depend on the calling role.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "base/failure.h"
#include "model/model.h"
#include "model/model_internal.h"
#include "model/provider.h"
#include "model/section_keys.h"

/* ---- reading members -------------------------------------------------------------- */

/*
 * Raise 42804 for a member of a section ("" for the top level of the model);
 * wanted says what it must be.
 */
void
model_wrong_type(const char *section, const char *key, const char *wanted)
{
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("\"%s%s%s\" in the connection model must be %s", section,
						   *section == '\0' ? "" : ".", key, wanted)));
}

/* Get a member; returns false if it is missing or null. */
bool
model_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return object != NULL &&
		   getKeyJsonValueFromContainer(object, key, strlen(key), value) != NULL &&
		   value->type != jbvNull;
}

/*
 * Does the object have a member with a value, that is, not null, an empty
 * string, or an object of only such members?
 */
bool
model_has_value(JsonbContainer *object, const char *key)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue value;

	if (!model_member(object, key, &value))
		return false;
	if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
		return value.type != jbvString || value.val.string.len > 0;
	iterator = JsonbIteratorInit(value.val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		if (token == WJB_VALUE && value.type != jbvNull &&
			(value.type != jbvString || value.val.string.len > 0))
			return true;
	return false;
}

/*
 * A member that must be a string, palloc'd; NULL if it is missing, null or
 * empty.  Errors: 42804.
 */
char *
model_string(JsonbContainer *object, const char *section, const char *key)
{
	JsonbValue value;

	if (!model_member(object, key, &value))
		return NULL;
	if (value.type != jbvString)
		model_wrong_type(section, key, "a string");
	return value.val.string.len == 0 ? NULL : pnstrdup(value.val.string.val, value.val.string.len);
}

/*
 * A member that must be a string or a number, as text, palloc'd; NULL if it is missing, null
 * or empty.  Errors: 42804.
 */
char *
model_string_or_number(JsonbContainer *object, const char *section, const char *key)
{
	JsonbValue value;

	if (!model_member(object, key, &value))
		return NULL;
	if (value.type != jbvString && value.type != jbvNumeric)
		model_wrong_type(section, key, "a string or a number");
	return model_scalar(&value, section, key);
}

/* A member that must be a boolean; false if it is missing or null.  Errors: 42804. */
bool
model_boolean(JsonbContainer *object, const char *section, const char *key)
{
	JsonbValue value;

	if (!model_member(object, key, &value))
		return false;
	if (value.type != jbvBool)
		model_wrong_type(section, key, "a boolean");
	return value.val.boolean;
}

/* A member that must be an object; NULL if it is missing or null.  Errors: 42804. */
JsonbContainer *
model_object(JsonbContainer *object, const char *section, const char *key)
{
	JsonbValue value;

	if (!model_member(object, key, &value))
		return NULL;
	if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
		model_wrong_type(section, key, "an object");
	return value.val.binary.data;
}

char *
model_numeric_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

/*
 * A string, a number or a boolean as text, palloc'd; NULL if it is null or
 * empty. section and key are for the error 42804 that any other type raises.
 */
char *
model_scalar(const JsonbValue *value, const char *section, const char *key)
{
	switch (value->type)
	{
		case jbvString:
			return value->val.string.len == 0
					   ? NULL
					   : pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return model_numeric_text(value->val.numeric);
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			model_wrong_type(section, key, "a string, a number or a boolean");
			return NULL;
	}
}

/*
 * Report that a member has an unusable value; wanted continues "It must be".
 * Always returns false.
 */
bool
model_invalid(Failure *failure, const char *section, const char *key, const char *wanted)
{
	failure_set(failure, DQDS_INVALID_CONNECTION, psprintf("It must be %s.", wanted),
				"\"%s%s%s\" in the connection model is not valid", section,
				*section == '\0' ? "" : ".", key);
	return false;
}

/* Report that a member is missing.  Always returns false. */
bool
model_missing(Failure *failure, const char *section, const char *key)
{
	failure_set(failure, DQDS_INVALID_CONNECTION, "Add it to the connection model.",
				"\"%s%s%s\" is missing in the connection model", section,
				*section == '\0' ? "" : ".", key);
	return false;
}

/* The model as an object.  Errors: 42804 if it is something else. */
JsonbContainer *
model_root(Jsonb *model)
{
	if (!JB_ROOT_IS_OBJECT(model))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("the connection model must be a JSON object")));
	return &model->root;
}

/* ---- what members must be ---------------------------------------------------------------- */

/* The model's own connection_name, palloc'd; NULL if it has none. */
char *
model_connection_name(Jsonb *model)
{
	return model_string(model_root(model), "", "connection_name");
}

/* Is a password required?  The default is true. */
bool
model_password_required(Jsonb *model)
{
	JsonbValue value;

	if (!model_member(model_root(model), "password_required", &value))
		return true;
	if (value.type != jbvBool)
		model_wrong_type("", "password_required", "a boolean");
	return value.val.boolean;
}

/* A member that is an object; NULL if it is missing or something else. object may be NULL. */
JsonbContainer *
model_object_member(JsonbContainer *object, const char *key)
{
	JsonbValue value;

	if (!model_member(object, key, &value) || value.type != jbvBinary ||
		!JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return value.val.binary.data;
}

/* Get the model's provider; returns false if its provider_type is not valid.  Raises no error. */
bool
model_get_provider(JsonbContainer *root, Provider *provider)
{
	JsonbValue value;

	return model_member(root, "provider_type", &value) && value.type == jbvString &&
		   provider_find(value.val.string.val, value.val.string.len, provider);
}

/* If the provider's section has this member, is it one of these words?  If not, *failure is set. */
static bool
check_word(JsonbContainer *section, Provider provider, const char *key, const char *const *words,
		   Failure *failure)
{
	char *word = model_string(section, provider_name(provider), key);

	if (word == NULL)
		return true;
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return model_invalid(failure, provider_name(provider), key, one_of_words(words));
}

/*
 * Does each member of the provider's section that has published words hold one
 * of them?  If not, *failure is set.
 */
bool
model_check_enums(JsonbContainer *section, Provider provider, Failure *failure)
{
	const char *const *sslmodes = provider_rules(provider)->sslmodes;
	const SectionKey *key;

	if (sslmodes != NULL && !check_word(section, provider, "sslmode", sslmodes, failure))
		return false;
	for (int i = 0; (key = section_key_at(i)) != NULL; i++)
		if (key->words != NULL && provider_is_in(provider, key->providers) &&
			!check_word(section, provider, key->key, key->words, failure))
			return false;
	return true;
}
